#include "policy/access.h"

#include "dns/name.h"

#include <doctest/doctest.h>

namespace waypost::policy {
namespace {

using dns::RecordType;

dns::NameKey key_of(const char* text) {
  dns::NameKey key;
  key.assign(dns::Name::from_text(text)->wire());
  return key;
}

std::vector<AccessRule> rules_of(const std::vector<const char*>& texts) {
  std::vector<AccessRule> rules;
  for (const char* text : texts) {
    auto rule = AccessRule::from_text(text);
    REQUIRE_MESSAGE(rule, text);
    rules.push_back(*rule);
  }
  return rules;
}

TEST_CASE("the first rule that fits type, client and zone decides; without one it is allowed") {
  const auto rules = rules_of({
      "allow net 10.1.0.0/16",
      "block type ANY HTTPS net 10.0.0.0/8 fd00::/8",
      "filter type AAAA zone example.org EXAMPLE.com",
      "drop net 192.0.2.7",
      "block zone secret.example.net type *",
      "block zone corp.example a.open.corp.example except open.corp.example",
  });
  struct Case {
    const char* name;
    RecordType type;
    const char* client;
    const char* access;
  };
  for (const Case& c : std::vector<Case>{
           {"a.example.org.", RecordType::ANY, "10.1.2.3", "allow"},
           {"a.example.org.", RecordType::ANY, "10.2.2.3", "block"},
           {"a.example.org.", RecordType::HTTPS, "fd00::1", "block"},
           {"a.example.org.", RecordType::ANY, "192.0.2.1", "none"},
           {"a.example.org.", RecordType::AAAA, "10.2.2.3", "filter"},
           {"example.org.", RecordType::AAAA, "192.0.2.1", "filter"},
           {"A.Example.COM.", RecordType::AAAA, "192.0.2.1", "filter"},
           {"notexample.org.", RecordType::AAAA, "192.0.2.1", "none"},
           {"a.example.org.", RecordType::A, "192.0.2.1", "none"},
           {"x.", RecordType::A, "192.0.2.7", "drop"},
           {"x.", RecordType::A, "192.0.2.8", "none"},
           {"a.secret.example.net.", RecordType::TXT, "192.0.2.8", "block"},
           {"corp.example.", RecordType::A, "192.0.2.8", "block"},
           {"b.open.corp.example.", RecordType::A, "192.0.2.8", "none"},
           {"b.a.open.corp.example.", RecordType::A, "192.0.2.8", "block"},
       }) {
    CAPTURE(c.name);
    CAPTURE(c.client);
    const AccessRule* rule =
        find_rule(rules, key_of(c.name), c.type, *IpAddress::from_text(c.client));
    const std::string got = rule == nullptr                  ? "none"
                            : rule->access == Access::Allow  ? "allow"
                            : rule->access == Access::Block  ? "block"
                            : rule->access == Access::Filter ? "filter"
                                                             : "drop";
    CHECK(got == c.access);
  }
}

TEST_CASE("a rule that is none is refused, and what is wrong is said") {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {"", "the rule ends early, where allow, block, filter or drop belongs"},
           {"deny", "'deny' in it, where allow, block, filter or drop belongs"},
           {"block 10.0.0.0/8", "'10.0.0.0/8' in it, where type, net, zone or except belongs"},
           {"block net", "the rule ends early, where a value for net belongs"},
           {"block type net 10.0.0.0/8", "'net' in it, where a value for type belongs"},
           {"block type * A",
            "'*' beside another value of type, where it stands for any and has to "
            "be alone"},
           {"block net 10.0.0.0/8 type A net *",
            "'*' beside another value of net, where it stands for any and has to be alone"},
           {"block type TYPE65537",
            "'TYPE65537' in it, where a type such as AAAA or TYPE65 belongs"},
           {"block type AAAAA", "'AAAAA' in it, where a type such as AAAA or TYPE65 belongs"},
       }) {
    CAPTURE(c.text);
    const auto rule = AccessRule::from_text(c.text);
    REQUIRE_FALSE(rule);
    CHECK(rule.error().message == c.message);
  }
  CHECK_FALSE(AccessRule::from_text("block net 10.0.0.1/8"));
  CHECK_FALSE(AccessRule::from_text("block zone a..b"));
  CHECK(AccessRule::from_text("block type TYPE65")->types.front() == RecordType::HTTPS);
}

}  // namespace
}  // namespace waypost::policy
