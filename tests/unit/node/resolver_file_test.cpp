#include "node/resolver_file.h"

#include <doctest/doctest.h>

namespace waypost::node {
namespace {

using Texts = std::vector<std::string>;

struct HostFileCase {
  std::string text;
  Texts nameservers;
  Texts searches = {};
  Texts options = {};
};

void expect_refused(const std::string& text, const std::string& message) {
  CAPTURE(text);
  const auto file = parse_resolver_file(text);
  REQUIRE_FALSE(file);
  CHECK(file.error().message == message);
}

}  // namespace

TEST_CASE("a host's file is read as the kubelet reads it") {
  const HostFileCase cases[] = {
      {"", {}},
      {" ", {}},
      {"\n", {}},
      {"\t\n\t", {}},
      {"#comment\n", {}},
      {" #comment\n", {}},
      {"#comment\n#comment", {}},
      {"#nameserver 1.2.3.4\nnameserver 1.2.3.4\nsearch", {"1.2.3.4"}},
      {"nameserver 1.2.3.4", {"1.2.3.4"}},
      {" nameserver 1.2.3.4", {"1.2.3.4"}},
      {"\tnameserver 1.2.3.4", {"1.2.3.4"}},
      {"nameserver\t1.2.3.4", {"1.2.3.4"}},
      {"nameserver \t 1.2.3.4\r\n", {"1.2.3.4"}},
      {"nameserver 1.2.3.4\nnameserver 5.6.7.8", {"1.2.3.4", "5.6.7.8"}},
      {"nameserver 1.2.3.4\nnameserver 1.2.3.4", {"1.2.3.4", "1.2.3.4"}},
      {"nameserver 1.2.3.4 #comment", {"1.2.3.4"}},
      {";nameserver 1.2.3.4\nnameserver: 1.2.3.4\nNAMESERVER 1.2.3.4", {}},
      {"search ", {}, {}},
      {"search foo", {}, {"foo"}},
      {"search foo bar", {}, {"foo", "bar"}},
      {"search foo. bar", {}, {"foo", "bar"}},
      {"search foo.. . bar", {}, {"foo.", "bar"}},
      {"search foo bar bat\n", {}, {"foo", "bar", "bat"}},
      {"search foo\nsearch bar", {}, {"bar"}},
      {"search foo\nsearch", {}, {}},
      {"search foo foo", {}, {"foo", "foo"}},
      {"domain foo\nsortlist 10.0.0.0", {}, {}},
      {"nameserver 1.2.3.4\nsearch foo\nnameserver 5.6.7.8\nsearch bar",
       {"1.2.3.4", "5.6.7.8"},
       {"bar"}},
      {"#comment\nnameserver 1.2.3.4\n#comment\nsearch foo\ncomment", {"1.2.3.4"}, {"foo"}},
      {"options ", {}, {}, {}},
      {"options ndots:5 attempts:2", {}, {}, {"ndots:5", "attempts:2"}},
      {"options ndots:1\noptions ndots:5 attempts:3", {}, {}, {"ndots:5", "attempts:3"}},
      {"options rotate ndots:1 rotate ndots:2", {}, {}, {"rotate", "ndots:2"}},
  };
  for (const HostFileCase& one : cases) {
    CAPTURE(one.text);
    const auto file = parse_resolver_file(one.text);
    REQUIRE(file);
    CHECK(file->nameservers == one.nameservers);
    CHECK(file->searches == one.searches);
    CHECK(file->options == one.options);
  }
}

TEST_CASE("a nameserver without an address is refused with its line") {
  const std::string rest = ": found 'nameserver' alone, expected an address behind it";
  expect_refused("nameserver", "line 1" + rest);
  expect_refused("#comment\nnameserver\nsearch", "line 2" + rest);
  expect_refused("\n\n  nameserver  \n", "line 3" + rest);
}

TEST_CASE("a host's file is read up to ten mebibytes") {
  CHECK(parse_resolver_file(std::string(MaxResolverFile, ' ')));
  expect_refused(std::string(MaxResolverFile + 1, ' '), "larger than 10 MiB");
}

TEST_CASE("a file is written with search, nameserver and options, each when there is something") {
  CHECK(to_text({}).empty());
  const ResolverFile file{{"10.96.0.10", "fd00::a"}, {"a.b", "c"}, {"ndots:5", "debug"}};
  CHECK(to_text(file) ==
        "search a.b c\nnameserver 10.96.0.10\nnameserver fd00::a\noptions ndots:5 debug\n");
  CHECK(*parse_resolver_file(to_text(file)) == file);
  CHECK(to_text({{}, {"."}, {}}) == "search .\n");
}

TEST_CASE("an own file is told apart from a foreign one and from one that was changed") {
  const std::string text = "search a\nnameserver 10.96.0.10\n";
  const std::string own = mark_as_own(text);
  CHECK(is_own(own));
  CHECK(own.ends_with("\n" + text));
  CHECK_FALSE(is_own(text));
  CHECK_FALSE(is_own(""));
  CHECK_FALSE(is_own(own + "nameserver 10.96.0.11\n"));
  for (std::size_t at = 0; at < own.size(); ++at) {
    CAPTURE(at);
    std::string changed = own;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    CHECK_FALSE(is_own(changed));
    CHECK_FALSE(is_own(own.substr(0, at)));
  }
  CHECK(*parse_resolver_file(own) == *parse_resolver_file(text));
}

}  // namespace waypost::node
