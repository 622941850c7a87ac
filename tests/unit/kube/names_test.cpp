#include "kube/names.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::kube {
namespace {

std::string letters(std::size_t count) {
  return std::string(count, 'a');
}

}  // namespace

TEST_CASE("each kind of name is admitted as the API admits it") {
  struct Case {
    std::string text;
    bool label;
    bool subdomain;
    bool port_name;
    bool host_name;
  };
  for (const Case& c : {
           Case{"web", true, true, true, true},
           Case{"web-0", true, true, true, true},
           Case{"1", true, true, false, true},
           Case{"0web", true, true, true, true},
           Case{"a--b", true, true, false, true},
           Case{"", false, false, false, false},
           Case{"-web", false, false, false, false},
           Case{"web-", false, false, false, false},
           Case{"Web", false, false, false, true},
           Case{"we_b", false, false, false, true},
           Case{"web.shop", false, true, false, true},
           Case{"web..shop", false, false, false, false},
           Case{"web.", false, false, false, true},
           Case{".", false, false, false, false},
           Case{"w b", false, false, false, false},
           Case{letters(15), true, true, true, true},
           Case{letters(16), true, true, false, true},
           Case{letters(63), true, true, false, true},
           Case{letters(64), false, true, false, false},
           Case{letters(63) + "." + letters(63) + "." + letters(63) + "." + letters(61), false,
                true, false, true},
           Case{letters(63) + "." + letters(63) + "." + letters(63) + "." + letters(62), false,
                false, false, false},
       }) {
    CAPTURE(c.text);
    CHECK(is_dns_label(c.text) == c.label);
    CHECK(is_dns_subdomain(c.text) == c.subdomain);
    CHECK(is_port_name(c.text) == c.port_name);
    CHECK(is_host_name(c.text) == c.host_name);
  }
}

TEST_CASE("labels' keys and values are admitted as the API admits them") {
  struct Case {
    std::string text;
    bool key;
    bool value;
  };
  for (const Case& c : {
           Case{"app", true, true},
           Case{"App_1.x", true, true},
           Case{"", false, true},
           Case{"-x", false, false},
           Case{"x-", false, false},
           Case{"app.kubernetes.io/name", true, false},
           Case{"a/b/c", false, false},
           Case{"/name", false, false},
           Case{"Example.org/name", false, false},
           Case{"example.org/", false, false},
           Case{"a b", false, false},
           Case{letters(63), true, true},
           Case{letters(64), false, false},
       }) {
    CAPTURE(c.text);
    CHECK(is_label_key(c.text) == c.key);
    CHECK(is_label_value(c.text) == c.value);
  }
}

}  // namespace waypost::kube
