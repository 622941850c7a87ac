#include "policy/rewrite.h"

#include "dns/name.h"

#include <doctest/doctest.h>

#include <memory>

namespace waypost::policy {
namespace {

Rewriter rewriter_of(const std::vector<const char*>& texts) {
  std::vector<RewriteRule> rules;
  for (const char* text : texts) {
    auto rule = RewriteRule::from_text(text);
    REQUIRE_MESSAGE(rule, text);
    rules.push_back(*rule);
  }
  return Rewriter(std::move(rules));
}

// "unchanged", "failed", or the name that is looked up.
std::string rewritten(const Rewriter& rewriter, const char* name, RewriteRoom& room) {
  dns::NameKey key;
  key.assign(dns::Name::from_text(name)->wire());
  switch (rewriter.rewrite(key, room)) {
    case Rewriter::Outcome::Unchanged:
      return "unchanged";
    case Rewriter::Outcome::Failed:
      return "failed";
    case Rewriter::Outcome::Rewritten:
      break;
  }
  return dns::Name::from_wire(room.name().wire())->to_text();
}

std::string restored(const char* name, Rewriter::Place place, RewriteRoom& room) {
  std::array<std::uint8_t, dns::MaxNameSize> to;
  const std::size_t size = Rewriter::restore(dns::Name::from_text(name)->wire(), place, room, to);
  return size == 0 ? "as it is" : dns::Name::from_wire(Bytes(to).first(size))->to_text();
}

TEST_CASE("each kind of rule makes another name of those that fit, and leaves the others") {
  struct Case {
    const char* rule;
    const char* name;
    const char* becomes;
  };
  const auto room = std::make_unique<RewriteRoom>();
  for (const Case& c : std::vector<Case>{
           {"a.example b.example", "A.Example.", "b.example."},
           {"a.example b.example", "x.a.example.", "unchanged"},
           {"name exact a.example. B.example", "a.example.", "b.example."},
           {"stop name a.example a.example", "a.example.", "unchanged"},
           {"prefix old- new-", "old-web.example.", "new-web.example."},
           {"prefix old- new-", "web.old-x.example.", "unchanged"},
           {"suffix .corp.example .svc.cluster.local", "web.shop.corp.example.",
            "web.shop.svc.cluster.local."},
           {"suffix .corp.example .svc.cluster.local", "corp.example.", "unchanged"},
           {"suffix .corp.example .", "web.corp.example.", "web."},
           {"substring .x. .y.z.", "a.x.b.x.example.", "a.y.z.b.y.z.example."},
           {"substring aa a", "aaaa.example.", "aa.example."},
           {R"(regex (.*)-(us-west-1)\.coredns\.org {1}.service.{2}.consul)",
            "ftp-us-west-1.coredns.org.", "ftp.service.us-west-1.consul."},
           {R"(regex ^(a)(b)?\. {2}{1}.x)", "a.example.", "a.x."},
           // What is made is no name.
           {"suffix .example ..", "web.example.", "failed"},
           {R"(regex ^(.*)\.example\.$ {1}{1}{1}{1}{1}{1}{1}{1})",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.", "failed"},
           {R"(regex ^(([a-z0-9]+)+)*$ x)",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.", "failed"},
       }) {
    CAPTURE(c.rule);
    CAPTURE(c.name);
    CHECK(rewritten(rewriter_of({c.rule}), c.name, *room) == c.becomes);
  }
}

TEST_CASE("the first rule that fits is the last, unless it says continue") {
  const auto room = std::make_unique<RewriteRoom>();
  CHECK(rewritten(rewriter_of({"a.x b.x", "b.x c.x"}), "a.x.", *room) == "b.x.");
  const auto chain = rewriter_of({"continue a.x b.x", "z.x y.x", "continue b.x c.x", "c.x d.x"});
  CHECK(rewritten(chain, "a.x.", *room) == "d.x.");
  CHECK(rewritten(chain, "b.x.", *room) == "d.x.");
  CHECK(rewritten(chain, "c.x.", *room) == "d.x.");
  CHECK(rewritten(chain, "d.x.", *room) == "unchanged");
  std::vector<const char*> many(RewriteRoom::MaxApplied + 1, "continue prefix a aa");
  CHECK(rewritten(rewriter_of(many), "a.x.", *room) == "failed");
  many.pop_back();
  CHECK(rewritten(rewriter_of(many), "a.x.", *room) == "aaaaaaaaaaaaaaaaa.x.");
}

TEST_CASE("names in answers go back the way that the rule says") {
  using enum Rewriter::Place;
  const auto room = std::make_unique<RewriteRoom>();
  const auto plain = rewriter_of({"suffix .corp.example .svc.local"});
  rewritten(plain, "a.corp.example.", *room);
  CHECK_FALSE(Rewriter::is_automatic(*room));
  CHECK(restored("b.svc.local.", Owner, *room) == "as it is");

  const auto automatic = rewriter_of({"suffix .corp.example .svc.local answer auto"});
  rewritten(automatic, "a.corp.example.", *room);
  CHECK(Rewriter::is_automatic(*room));
  CHECK(restored("B.Svc.Local.", Owner, *room) == "b.corp.example.");
  CHECK(restored("b.svc.local.", Value, *room) == "b.corp.example.");
  CHECK(restored("b.other.", Value, *room) == "as it is");

  const auto told = rewriter_of(
      {R"(regex (.*)\.corp\.example\.$ {1}.svc.local answer name (.*)\.svc\.local\.$ {1}.owner )"
       R"(answer value (.*)\.svc\.local\.$ {1}.value)"});
  rewritten(told, "a.corp.example.", *room);
  CHECK(restored("b.svc.local.", Owner, *room) == "b.owner.");
  CHECK(restored("b.svc.local.", Value, *room) == "b.value.");

  // Behind the first, "answer" may be left out.
  const auto shorter = rewriter_of(
      {R"(regex (.*)\.corp\.example\.$ {1}.svc.local answer name ^b\. c. value ^b\. d. auto)"});
  rewritten(shorter, "a.corp.example.", *room);
  CHECK(Rewriter::is_automatic(*room));
  CHECK(restored("b.svc.local.", Owner, *room) == "c.");
  CHECK(restored("b.svc.local.", Value, *room) == "d.");

  const auto chain = rewriter_of({"continue suffix .a .b answer auto", "suffix .b .c answer auto"});
  rewritten(chain, "x.a.", *room);
  CHECK(restored("y.c.", Owner, *room) == "y.a.");

  // A prefix is no way back: other names may begin like that.
  const auto prefix = rewriter_of({"prefix old- new- answer auto"});
  rewritten(prefix, "old-web.example.", *room);
  CHECK(Rewriter::is_automatic(*room));
  CHECK(restored("new-other.example.", Value, *room) == "as it is");
  const auto exact = rewriter_of({"a.example b.example"});
  rewritten(exact, "a.example.", *room);
  CHECK(Rewriter::is_automatic(*room));
}

TEST_CASE("a rule that is none is refused, and what is wrong is said") {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {"",
            "the rule ends early, where the name to rewrite and the name that it becomes belongs"},
           {"a.example",
            "the rule ends early, where the name to rewrite and the name that it becomes belongs"},
           {"a..b c", "'a..b.' is no name"},
           {"a b c", "'c' in it, where 'answer' or the end of the rule belongs"},
           {"a b answer", "the rule ends early, where auto, name or value belongs"},
           {"a b answer name c",
            "the rule ends early, where what names in answers look like, and what they become "
            "belongs"},
           {"regex (a b", "'(a' is no regular expression: missing closing parenthesis at octet 3"},
           {"regex (a) {2}", "{2}, while the regular expression has 1 groups"},
           {"regex (a) {x}", "'{' without the number of a group and '}' behind it"},
           {"regex (a) {1", "'{' without the number of a group and '}' behind it"},
       }) {
    CAPTURE(c.text);
    const auto rule = RewriteRule::from_text(c.text);
    REQUIRE_FALSE(rule);
    CHECK(rule.error().message == c.message);
  }
}

}  // namespace
}  // namespace waypost::policy
