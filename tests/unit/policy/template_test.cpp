#include "policy/answer_template.h"

#include <doctest/doctest.h>

namespace waypost::policy {
namespace {

// What templates answer is in unit/server/rules_test.cpp.
TEST_CASE("a template that is none is refused, and what is wrong is said") {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {"", "the rule ends early, where a type such as AAAA, or * belongs"},
           {"AA", "'AA' in it, where a type such as AAAA, or * belongs"},
           {"A rcode", "the rule ends early, where a value for rcode belongs"},
           {"A rcode NO", "'NO' in it, where an rcode such as NXDOMAIN belongs"},
           {"A with x",
            "'with' in it, where zone, except, match, only, rcode, answer, authority or "
            "additional belongs"},
           {"A match (", "'(' is no regular expression: missing closing parenthesis at octet 2"},
           {"A answer x", "'x', where a record such as '{{ .Name }} 60 IN A 192.0.2.1' belongs"},
           {"A answer '{{ .Name }} 60 IN A {{ .Name'", "'{{' without '}}' behind it"},
           {"CAA answer '{{ .Name }} 60 IN CAA 0 issue {{ .Name }}'",
            "'{{ .Name }} 60 IN CAA 0 issue {{ .Name }}', while placeholders are possible in the "
            "data of A, AAAA, CNAME, DNAME, MX, NS, PTR, SOA, SRV and TXT, with all of its fields"},
           {"SOA answer '{{ .Name }} 60 IN SOA {{ .Name }} a 1 2 3 4'",
            "'{{ .Name }} 60 IN SOA {{ .Name }} a 1 2 3 4', while placeholders are possible in the "
            "data of A, AAAA, CNAME, DNAME, MX, NS, PTR, SOA, SRV and TXT, with all of its fields"},
           {"A answer '{{ .Remote }} 60 IN A 192.0.2.1'",
            "{{ .Remote }}, where .Name, .Zone, .Type, .Class, or a group that every match has "
            "under "
            "the same number (index .Match N, .Group.NAME) belongs"},
           {"A match (?<a>x) (y) answer '{{ .Name }} 60 IN A 10.0.0.{{ .Group.a }}'",
            "{{ .Group.a }}, where .Name, .Zone, .Type, .Class, or a group that every match has "
            "under "
            "the same number (index .Match N, .Group.NAME) belongs"},
       }) {
    CAPTURE(c.text);
    const auto rule = TemplateRule::from_text(c.text);
    REQUIRE_FALSE(rule);
    CHECK(rule.error().message == c.message);
  }
  CHECK_FALSE(TemplateRule::from_text("A answer '{{ .Name }} 60 IN A 10.0.0.300'"));
  CHECK_FALSE(TemplateRule::from_text(
      "A match (x) answer '{{ .Name }} 60 IN A 10.0.0.{{ index .Match 2 }}'"));
  CHECK(
      TemplateRule::from_text("* zone a b match x only rcode NXDOMAIN authority '{{ .Zone }} 60 IN "
                              "SOA ns.a. b. 1 2 3 4 5'"));
}

}  // namespace
}  // namespace waypost::policy
