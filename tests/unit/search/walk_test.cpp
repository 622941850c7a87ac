#include "search/walk.h"

#include "dns/name.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::test {
namespace {

using search::SearchList;
using search::Walk;

// The names of the walk from `asked` on, or why there is none.
std::vector<std::string> walk(const std::string& asked, const kube::PodSearch& pod = {},
                              std::vector<std::string> hosts = {"host.example"}) {
  const SearchList list("shop", pod, {*dns::Name::from_text("cluster.local"), std::move(hosts)});
  const dns::Name sent = *dns::Name::from_text(asked);
  dns::NameKey key;
  key.assign(sent.wire());
  Walk walk(key, sent.wire(), list);
  switch (walk.start()) {
    case Walk::Start::OtherName:
      return {"other"};
    case Walk::Start::Dotted:
      return {"dotted"};
    case Walk::Start::First:
      break;
  }
  std::vector<std::string> names;
  unsigned last = 0;
  while (walk.next()) {
    const auto name = dns::Name::from_wire(walk.name());
    REQUIRE(name);
    CHECK(walk.step() > last);
    CHECK(walk.step() < Walk::MaxSteps);
    last = walk.step();
    names.push_back(name->to_text() + (walk.is_as_given()     ? " given"
                                       : walk.is_in_cluster() ? " cluster"
                                                              : ""));
  }
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a walk goes through the further domains and ends with the name as it was given") {
  CHECK(walk("wWw.example.org.shop.svc.cluster.local") ==
        Names{"wWw.example.org.svc.cluster.local. cluster",
              "wWw.example.org.cluster.local. cluster", "wWw.example.org.host.example.",
              "wWw.example.org. given"});
  CHECK(walk("db.SHOP.svc.Cluster.local", {}, {}) ==
        Names{"db.svc.cluster.local. cluster", "db.cluster.local. cluster", "db. given"});
}

TEST_CASE("only names relative to the first domain begin one") {
  for (const char* name :
       {"shop.svc.cluster.local", "svc.cluster.local", "web.other.svc.cluster.local",
        "www.example.org", "web.shop.svc.cluster.local.example", "."}) {
    CAPTURE(name);
    CHECK(walk(name) == Names{"other"});
  }
}

TEST_CASE("a name with as many dots as ndots says was tried before") {
  CHECK(walk("a.b.c.d.e.shop.svc.cluster.local").size() == 4);
  CHECK(walk("a.b.c.d.e.f.shop.svc.cluster.local") == Names{"dotted"});
  CHECK(walk("a.b.shop.svc.cluster.local", {.ndots = "2"}).size() == 4);
  CHECK(walk("a.b.c.shop.svc.cluster.local", {.ndots = "2"}) == Names{"dotted"});
  CHECK(walk("a.shop.svc.cluster.local", {.ndots = "0"}) == Names{"dotted"});
}

TEST_CASE("a name of the cluster is tried as it is before the domains outside") {
  CHECK(walk("web.other.svc.Cluster.local.shop.svc.cluster.local") ==
        Names{"web.other.svc.Cluster.local.svc.cluster.local. cluster",
              "web.other.svc.Cluster.local.cluster.local. cluster",
              "web.other.svc.Cluster.local. given", "web.other.svc.Cluster.local.host.example."});
  // The end of a label is none of a name.
  CHECK(walk("my-cluster.local.shop.svc.cluster.local").back() == "my-cluster.local. given");
  CHECK(walk("local.shop.svc.cluster.local").back() == "local. given");
}

TEST_CASE("names that become too long are passed over, as resolvers do") {
  const std::string label(60, 'a');
  const std::string base = label + "." + label + "." + label;  // 183 octets with root.
  const std::string longest = base + "." + std::string(38, 'b');
  const std::vector<std::string> names = walk(
      base + ".shop.svc.cluster.local", {.searches = {std::string(60, 'c') + ".example.org", "d"}});
  CHECK(names == Names{base + ".svc.cluster.local. cluster", base + ".cluster.local. cluster",
                       base + ".host.example.", base + ".d.", base + ". given"});
  CHECK(walk(longest + ".shop.svc.cluster.local").size() == 4);
}

}  // namespace waypost::test
