#include "kube/selector.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace waypost::kube {

TEST_CASE("a selector matches the labels that it describes") {
  const Labels web = {{"app", "web"}, {"tier", "front"}};
  const Labels cache = {{"app", "cache"}, {"canary", ""}, {"example.org/zone", "a"}};
  const Labels bare;
  struct Case {
    std::string selector;
    bool web;
    bool cache;
    bool bare;
  };
  for (const Case& c : {
           Case{"", true, true, true},
           Case{"  ", true, true, true},
           Case{"app=web", true, false, false},
           Case{"app==web", true, false, false},
           Case{" app = web ", true, false, false},
           Case{"app!=web", false, true, true},
           Case{"app in (web, cache)", true, true, false},
           Case{"app in(web)", true, false, false},
           Case{"app notin (web)", false, true, true},
           Case{"canary", false, true, false},
           Case{"!canary", true, false, true},
           Case{"! canary", true, false, true},
           Case{"canary=", false, true, false},
           Case{"canary in (,x)", false, true, false},
           Case{"example.org/zone in (a,b),app=cache", false, true, false},
           Case{"app,tier", true, false, false},
           Case{"app=web,tier!=front", false, false, false},
           Case{"app=in", false, false, false},
       }) {
    CAPTURE(c.selector);
    const auto selector = Selector::from_text(c.selector);
    REQUIRE(selector);
    CHECK(selector->matches(web) == c.web);
    CHECK(selector->matches(cache) == c.cache);
    CHECK(selector->matches(bare) == c.bare);
  }
}

TEST_CASE("only a selector without requirements is empty") {
  CHECK(Selector::from_text("")->empty());
  CHECK_FALSE(Selector::from_text("app")->empty());
  CHECK(*Selector::from_text("app = web") == *Selector::from_text("app==web"));
}

TEST_CASE("a selector that is none is refused with the place") {
  struct Case {
    std::string selector;
    std::string message;  // A part of it.
  };
  for (const Case& c : {
           Case{",", "',' where a label key"},
           Case{"app=web,", "the end where a label key"},
           Case{"app,,tier", "',' where a label key"},
           Case{"app web", "'web' where one of = == != in notin"},
           Case{"app>3", "'>' where one of"},
           Case{"app in web", "'web' where '('"},
           Case{"app in ()", "')' where a value"},
           Case{"app in (web", "the end where ',' or ')'"},
           Case{"app in (a b)", "'b' where ',' or ')'"},
           Case{"app=web tier", "'tier' where ',' or the end"},
           Case{"app=-x", "'-x' where a label value"},
           Case{"a/b/c=x", "'a/b/c' where a label key"},
           Case{"!app=web", "'=' where ',' or the end"},
           Case{"=web", "'=' where a label key"},
           Case{"(app)", "'(' where a label key"},
       }) {
    CAPTURE(c.selector);
    const auto selector = Selector::from_text(c.selector);
    REQUIRE_FALSE(selector);
    CHECK(selector.error().kind == ErrorKind::InvalidInput);
    CAPTURE(selector.error().message);
    CHECK(selector.error().message.find(c.message) != std::string::npos);
    CHECK(selector.error().message.find(c.selector) != std::string::npos);
  }
}

}  // namespace waypost::kube
