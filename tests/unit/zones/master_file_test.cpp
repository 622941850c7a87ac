// What master files may say, and what is told about those that are wrong.

#include "zones/master_file.h"

#include "dns/ldns_bridge.h"
#include "zones/entry_scanner.h"
#include "zones/record_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace waypost;

namespace {

using Files = std::map<std::string, std::string>;

// Reads `text` as example.zone with $INCLUDEs out of `files`.
Result<zones::MasterFile> read(const std::string& text, const Files& files = {}) {
  const auto includer = [&](const std::filesystem::path&,
                            std::string_view name) -> Result<zones::IncludedFile> {
    const auto file = files.find(std::string(name));
    if (file == files.end()) {
      return failure(ErrorKind::NotFound, fmt::format("no file {}", name));
    }
    return zones::IncludedFile{.path = file->first, .text = file->second};
  };
  return zones::read_master_file(text, "example.zone", *dns::Name::from_text("example."), includer);
}

std::vector<std::string> lines(const Result<zones::MasterFile>& file) {
  if (!file) {
    return {"error: " + file.error().message};
  }
  std::vector<std::string> text;
  for (const dns::Record& record : file->records) {
    text.push_back(dns::to_text(record));
  }
  return text;
}

}  // namespace

TEST_CASE("records are read in every form that RFC 1035, 5.1 allows") {
  struct Case {
    std::string text;
    std::vector<std::string> records;
  };
  const std::vector<Case> cases = {
      {"", {}},
      {"; nothing but a comment\n\n \t \r\n", {}},
      {"www 60 IN A 192.0.2.1", {"www.example. 60 IN A 192.0.2.1"}},
      {"www IN 60 A 192.0.2.1", {"www.example. 60 IN A 192.0.2.1"}},
      {"www 60 A 192.0.2.1", {"www.example. 60 IN A 192.0.2.1"}},
      {"www 60 class1 a 192.0.2.1", {"www.example. 60 IN A 192.0.2.1"}},
      {"@ 60 A 192.0.2.1", {"example. 60 IN A 192.0.2.1"}},
      {"www.example.net. 60 A 192.0.2.1", {"www.example.net. 60 IN A 192.0.2.1"}},
      {"www 60 A 192.0.2.1\n    A 192.0.2.2\n\t120 AAAA ::1\n    A 192.0.2.3",
       {"www.example. 60 IN A 192.0.2.1", "www.example. 60 IN A 192.0.2.2",
        "www.example. 120 IN AAAA ::1", "www.example. 120 IN A 192.0.2.3"}},
      {"www 60 A 192.0.2.1 ; one\r\nftp 60 A 192.0.2.2\r\n",
       {"www.example. 60 IN A 192.0.2.1", "ftp.example. 60 IN A 192.0.2.2"}},
      {"\xef\xbb\xbfwww 60 A 192.0.2.1", {"www.example. 60 IN A 192.0.2.1"}},
      {"$TTL 1h30m\nwww A 192.0.2.1\nftp 1W A 192.0.2.2\nmx A 192.0.2.3",
       {"www.example. 5400 IN A 192.0.2.1", "ftp.example. 604800 IN A 192.0.2.2",
        "mx.example. 5400 IN A 192.0.2.3"}},
      {"$ORIGIN net.\nwww 60 MX 5 @\n$ORIGIN sub\nwww 60 MX 5 mail\n$origin .\norg 60 NS ns",
       {"www.net. 60 IN MX 5 net.", "www.sub.net. 60 IN MX 5 mail.sub.net.", "org. 60 IN NS ns."}},
      {"@ SOA ns h (\n 7 ; serial\n 2h 3m\n 4 ) 60",
       {"example. 60 IN SOA ns.example. h.example. 7 7200 180 4 60"}},
      {"@ SOA ns h 1 2 3 4 300\nwww A 192.0.2.1",
       {"example. 300 IN SOA ns.example. h.example. 1 2 3 4 300",
        "www.example. 300 IN A 192.0.2.1"}},
      {"www 60 TXT (\"a;b\" ; here\n\"c(d\" ) e", {R"(www.example. 60 IN TXT "a;b" "c(d" "e")"}},
      {R"(www 60 TXT "say \"x\" \\ \065" \;y)",
       {R"(www.example. 60 IN TXT "say \"x\" \\ A" ";y")"}},
      {"www 60 TXT \"\"", {"www.example. 60 IN TXT \"\""}},
      {R"(a\.b 60 A 192.0.2.1)", {R"(a\.b.example. 60 IN A 192.0.2.1)"}},
      {R"(a\. 60 A 192.0.2.1)", {R"(a\..example. 60 IN A 192.0.2.1)"}},
      {R"(a\\. 60 A 192.0.2.1)", {R"(a\\. 60 IN A 192.0.2.1)"}},
      {"a 60 TYPE731 \\# 3 01 02ff", {"a.example. 60 IN TYPE731 \\# 3 0102ff"}},
      {"a 60 A \\# 4 c0000201", {"a.example. 60 IN A 192.0.2.1"}},
      {"a 60 MX \\# 3 000500", {"a.example. 60 IN MX 5 ."}},
      {"a 60 SRV 65535 0 65535 .", {"a.example. 60 IN SRV 65535 0 65535 ."}},
      {"a 60 CAA 128 issue \"ca.example.net\"",
       {"a.example. 60 IN CAA 128 issue \"ca.example.net\""}},
      {"in 60 IN A 192.0.2.1\n60 60 A 192.0.2.2",
       {"in.example. 60 IN A 192.0.2.1", "60.example. 60 IN A 192.0.2.2"}},
      {"a 2147483647 A 192.0.2.1", {"a.example. 2147483647 IN A 192.0.2.1"}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    CHECK(lines(read(one.text)) == one.records);
  }
}

TEST_CASE("what is wrong in a master file is told with its line and what was expected") {
  struct Case {
    std::string text;
    std::string message;  // Without "example.zone:".
  };
  const std::string ttl_error = ", expected seconds up to 2147483647 or a time like 1h30m";
  const std::vector<Case> cases = {
      {"\n\nwww 60 A 1.2.3\n",
       "3: Syntax error, could not parse the RR's rdata, expected A IPV4-ADDRESS"},
      {"www 60 A", "1: Syntax error, value expected, expected A IPV4-ADDRESS"},
      {"www 60 A 192.0.2.1 x",
       "1: Syntax error, superfluous text present, expected A IPV4-ADDRESS"},
      {"www 60 MX 70000 mail", "1: \"70000\" is out of range, expected MX NUMBER(0..65535) NAME"},
      {"www 60 SRV 0 0 -1 mail",
       "1: \"-1\" is out of range, expected SRV NUMBER(0..65535) "
       "NUMBER(0..65535) NUMBER(0..65535) NAME"},
      {"@ 60 SOA a b 5000000000 1 1 1 1",
       "1: \"5000000000\" is out of range, expected SOA NAME NAME NUMBER(0..4294967295) TIME TIME "
       "TIME TIME"},
      {"www 60 BOGUS x",
       "1: unknown type \"BOGUS\", expected one like A, or TYPE with a number (RFC 3597, 5)"},
      {"www 60 IN", "1: no type, expected \"owner [ttl] [class] type data\""},
      {"www", "1: no type, expected \"owner [ttl] [class] type data\""},
      {"www 60 CH TXT x", "1: class CH, expected IN"},
      {"www 60 CLASS3 TXT x", "1: class CLASS3, expected IN"},
      {"www 2147483648 A 192.0.2.1", "1: bad TTL \"2147483648\"" + ttl_error},
      {"www 1x A 192.0.2.1", "1: bad TTL \"1x\"" + ttl_error},
      {"$TTL soon", "1: bad TTL \"soon\"" + ttl_error},
      {"$TTL", "1: $TTL with 0 values, expected one"},
      {"$ORIGIN a. b.", "1: $ORIGIN with 2 values, expected one"},
      {"www A 192.0.2.1", "1: no TTL, expected one here, in a record before, or by $TTL"},
      {"  60 A 192.0.2.1",
       "1: a record without owner, expected one for the first record of a file"},
      {"$GENERATE 1-9 a$ A 192.0.2.$",
       "1: $GENERATE is not offered, expected the records themselves"},
      {"\n$BOGUS", "2: unknown directive \"$BOGUS\", expected $ORIGIN, $TTL or $INCLUDE"},
      {"@ 60 SOA a b (\n1 2 3\n", "1: a \"(\" that is never closed, expected \")\""},
      {"@ 60 A 192.0.2.1\n)", "2: a \")\", expected \"(\" before it"},
      {"a 60 TXT (\n\"x\ny\" )", "2: a string without its end, expected '\"' on the same line"},
      {"a 60 TXT x\\\nb", "1: a backslash at the end of a line, expected a character behind it"},
      {"a 60 TXT x\\\r\nb", "1: a backslash at the end of a line, expected a character behind it"},
      {"a 60 TXT x\\", "1: a backslash at the end of a line, expected a character behind it"},
      {std::string("a 60 TXT x\0y", 12), "1: a control character, expected text"},
      {std::string("a 60 TXT x\\\0y", 13), "1: a control character, expected text"},
      {"$INCLUDE", "1: $INCLUDE takes a file and perhaps an origin"},
      {"$INCLUDE nowhere", "1: no file nowhere"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    CHECK(lines(read(one.text)) == std::vector<std::string>{"error: example.zone:" + one.message});
  }
}

TEST_CASE("a bad owner or origin is an error") {
  for (const char* text : {"a..b 60 A 192.0.2.1", "$ORIGIN a..b", "$INCLUDE x a..b",
                           "0123456789012345678901234567890123456789012345678901234567890123 60 A "
                           "192.0.2.1"}) {
    CAPTURE(text);
    const auto file = read(text, {{"x", ""}});
    REQUIRE(!file);
    CHECK(file.error().message.starts_with("example.zone:1: "));
  }
}

TEST_CASE("an included file has an origin and an owner of its own, the TTL goes on") {
  const Files files = {{"hosts.inc", "www A 192.0.2.1\n$ORIGIN deep\n@ A 192.0.2.2\n$TTL 5\n"},
                       {"two words", "x A 192.0.2.9"}};
  CHECK(lines(read("$TTL 60\na A 192.0.2.3\n$INCLUDE hosts.inc sub\n A 192.0.2.4\nb A 192.0.2.5",
                   files)) == std::vector<std::string>{"a.example. 60 IN A 192.0.2.3",
                                                       "www.sub.example. 60 IN A 192.0.2.1",
                                                       "deep.sub.example. 60 IN A 192.0.2.2",
                                                       "a.example. 5 IN A 192.0.2.4",
                                                       "b.example. 5 IN A 192.0.2.5"});
  CHECK(lines(read("$TTL 60\n$INCLUDE \"two words\"", files)) ==
        std::vector<std::string>{"x.example. 60 IN A 192.0.2.9"});
}

TEST_CASE("an error in an included file is told with that file's line and who included it") {
  const Files files = {{"a.inc", "\n$INCLUDE b.inc"}, {"b.inc", "\n\nwww 60 A nonsense"}};
  CHECK(lines(read("$INCLUDE a.inc", files)) ==
        std::vector<std::string>{
            "error: b.inc:3: Syntax error, could not parse the RR's rdata, expected A IPV4-ADDRESS "
            "(included at a.inc:2) (included at example.zone:1)"});
}

TEST_CASE("each record knows the file and the line where it starts") {
  const auto file = read("$TTL 60\n@ SOA a b (\n1 2 3\n4 5)\n$INCLUDE x\nb A 192.0.2.1",
                         {{"x", "; first\na A 192.0.2.1"}});
  REQUIRE(file);
  REQUIRE(file->records.size() == 3);
  CHECK(file->place_of(0) == "example.zone:2");
  CHECK(file->place_of(1) == "x:2");
  CHECK(file->place_of(2) == "example.zone:6");
}

TEST_CASE("includes end at eight levels and at a thousand files") {
  const auto loop = read("$INCLUDE loop", {{"loop", "$INCLUDE loop"}});
  REQUIRE(!loop);
  CHECK(loop.error().kind == ErrorKind::Exhausted);
  CHECK(loop.error().message.starts_with("loop:1: $INCLUDE more than 8 levels deep"));

  Files files;
  for (int level = 1; level < 8; ++level) {
    files[fmt::format("{}", level)] = fmt::format("$INCLUDE {}", level + 1);
  }
  files["8"] = "a 60 A 192.0.2.1";
  CHECK(lines(read("$INCLUDE 1", files)) ==
        std::vector<std::string>{"a.example. 60 IN A 192.0.2.1"});

  std::string many;
  for (int i = 0; i < 1001; ++i) {
    many += "$INCLUDE empty\n";
  }
  const auto wide = read(many, {{"empty", ""}});
  REQUIRE(!wide);
  CHECK(wide.error().message == "example.zone:1001: more than 1000 $INCLUDEs in one zone");
}

TEST_CASE("periods are read with and without units, up to 2^31-1 seconds") {
  struct Case {
    std::string text;
    std::optional<std::uint32_t> seconds;
  };
  const std::vector<Case> cases = {
      {"0", 0U},
      {"3600", 3600U},
      {"1h30m", 5400U},
      {"1H30M5S", 5405U},
      {"2w1d", 1296000U},
      {"1h30", 3630U},
      {"2147483647", 2147483647U},
      {"2147483648", {}},
      {"3551w", {}},
      {"99999999999999999999", {}},
      {"", {}},
      {"h", {}},
      {"1y", {}},
      {"-1", {}},
      {"1 h", {}},
      {"1hm", {}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    CHECK(zones::read_period(one.text) == one.seconds);
  }
}

TEST_CASE("every beginning of a file is read or refused, never more than it has") {
  const std::string text =
      "$TTL 60\n@ SOA ns h ( 1 2h 3 ; x\n 4 5 )\n TXT \"a\\\"b\" c\\;d\n$INCLUDE x sub\n"
      "w A 192.0.2.1\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const auto file = read(text.substr(0, size), {{"x", "y 60 A 192.0.2.2"}});
    if (!file) {
      CAPTURE(file.error().message);
      CHECK(file.error().message.starts_with("example.zone:"));
    }
  }
  CHECK(read(text, {{"x", "y 60 A 192.0.2.2"}})->records.size() == 4);
}
