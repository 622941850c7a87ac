#include "sources/address_allocator.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace waypost::sources {
namespace {

using Services = std::map<kube::ObjectKey, std::shared_ptr<const kube::Service>>;

IpPrefix prefix(std::string_view text) {
  return IpPrefix::from_text(text).value();
}
IpAddress address(std::string_view text) {
  return IpAddress::from_text(text).value();
}

kube::Service service(std::string name) {
  kube::Service made;
  made.key = {"shop", std::move(name)};
  return made;
}

void add(Services& services, kube::Service made) {
  const kube::ObjectKey key = made.key;
  services[key] = std::make_shared<const kube::Service>(std::move(made));
}

std::string show(const std::vector<kube::IpFamily>& families) {
  std::string text;
  for (const kube::IpFamily family : families) {
    text += family == kube::IpFamily::V4 ? "4" : "6";
  }
  return text;
}

}  // namespace

TEST_CASE("a range gives out each usable address once and then none") {
  struct Case {
    std::string prefix;
    std::size_t addresses;
    std::string first;  // The lowest and the highest that may be given out.
    std::string last;
  };
  for (const Case& c : {
           Case{"10.96.0.0/24", 254, "10.96.0.1", "10.96.0.254"},
           Case{"10.96.0.0/28", 14, "10.96.0.1", "10.96.0.14"},
           Case{"10.96.0.0/30", 2, "10.96.0.1", "10.96.0.2"},
           Case{"10.96.0.0/31", 0, "10.96.0.0", "10.96.0.0"},
           Case{"10.96.0.7", 0, "10.96.0.0", "10.96.0.0"},
           Case{"fd00::/120", 255, "fd00::1", "fd00::ff"},
           Case{"fd00::/127", 1, "fd00::1", "fd00::1"},
           Case{"fd00::", 0, "fd00::", "fd00::"},
       }) {
    CAPTURE(c.prefix);
    AddressRange range(prefix(c.prefix));
    std::set<IpAddress> given;
    while (const auto taken = range.take("shop/web")) {
      REQUIRE(given.insert(*taken).second);
      REQUIRE(range.prefix().contains(*taken));
    }
    CHECK(given.size() == c.addresses);
    if (!given.empty()) {
      CHECK(given.begin()->to_text() == c.first);
      CHECK(given.rbegin()->to_text() == c.last);
    }
  }
}

TEST_CASE("an address follows from the name alone") {
  AddressRange range(prefix("10.96.0.0/12"));
  AddressRange again(prefix("10.96.0.0/12"));
  const auto web = range.take("shop/web");
  CHECK(again.take("shop/cart") != web);
  CHECK(again.take("shop/web") == web);
  // A promise to every later version: people write such addresses down.
  CHECK(web->to_text() == "10.105.65.59");
  AddressRange six(prefix("fd00:10:96::/112"));
  CHECK(six.take("shop/web")->to_text() == "fd00:10:96::c576");
}

TEST_CASE("a taken address is passed over") {
  AddressRange range(prefix("10.96.0.0/24"));
  const auto first = range.take("shop/web");
  AddressRange other(prefix("10.96.0.0/24"));
  CHECK(other.reserve(*first));
  CHECK_FALSE(other.reserve(*first));
  const auto second = other.take("shop/web");
  REQUIRE(second);
  CHECK(*second != *first);
}

TEST_CASE("the low end of a range is given out last") {
  AddressRange range(prefix("10.96.0.0/24"));
  std::vector<IpAddress> given;
  for (int i = 0; i < 254; ++i) {
    given.push_back(range.take("shop/" + std::to_string(i)).value());
  }
  const auto low = std::find_if(given.begin(), given.end(),
                                [](const IpAddress& found) { return found.octets()[3] <= 16; });
  CHECK(given.end() - low == 16);
}

TEST_CASE("a Service gets the families that it asks for and that there are") {
  using enum kube::IpFamily;
  using enum kube::IpFamilyPolicy;
  struct Case {
    std::string what;
    std::vector<kube::IpFamily> available;
    std::vector<kube::IpFamily> asked;
    kube::IpFamilyPolicy policy;
    std::vector<IpAddress> given;
    std::string wanted;
  };
  const IpAddress four = address("10.96.0.1");
  const IpAddress six = address("fd00::1");
  for (const Case& c : {
           Case{"single: the first of the cluster", {V4, V6}, {}, SingleStack, {}, "4"},
           Case{"single: the first of the cluster, IPv6", {V6, V4}, {}, SingleStack, {}, "6"},
           Case{"single: the one asked for", {V4, V6}, {V6}, SingleStack, {}, "6"},
           Case{"single: the one given", {V4, V6}, {}, SingleStack, {six}, "6"},
           Case{"single: asked for, not there", {V4}, {V6}, SingleStack, {}, "6"},
           Case{"single: none there", {}, {}, SingleStack, {}, ""},
           Case{"prefer: both", {V4, V6}, {}, PreferDualStack, {}, "46"},
           Case{"prefer: both, the one asked for first", {V4, V6}, {V6}, PreferDualStack, {}, "64"},
           Case{"prefer: one is enough", {V4}, {}, PreferDualStack, {}, "4"},
           Case{"prefer: one is enough, though two are asked for",
                {V4},
                {V6, V4},
                PreferDualStack,
                {},
                "4"},
           Case{"prefer: a given one stays", {V4}, {}, PreferDualStack, {six}, "64"},
           Case{"prefer: two given", {V4}, {}, PreferDualStack, {six, four}, "64"},
           Case{"require: both, there or not", {V4}, {}, RequireDualStack, {}, "46"},
           Case{"require: both", {V6, V4}, {}, RequireDualStack, {}, "64"},
       }) {
    CAPTURE(c.what);
    kube::Service asking = service("web");
    asking.ip_families = c.asked;
    asking.ip_family_policy = c.policy;
    asking.cluster_ips = c.given;
    CHECK(show(wanted_families(asking, c.available)) == c.wanted);
  }
}

TEST_CASE("a plan does not depend on who came first, and explicit addresses win") {
  const std::vector<IpPrefix> cidrs = {prefix("10.96.0.0/27")};
  Services services;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    add(services, service(name));
  }
  const AddressPlan plan = plan_addresses(services, cidrs);
  CHECK(plan.problems.empty());
  REQUIRE(plan.addresses.size() == 8);
  std::set<IpAddress> distinct;
  for (const auto& [key, addresses] : plan.addresses) {
    distinct.insert(addresses.begin(), addresses.end());
  }
  CHECK(distinct.size() == 8);
  CHECK(plan_addresses(services, cidrs).addresses == plan.addresses);

  // The last by name claims the address of the first.
  const kube::ObjectKey first{"shop", "a"};
  const IpAddress wanted = plan.addresses.at(first).front();
  kube::Service claim = service("z");
  claim.cluster_ips = {wanted};
  add(services, claim);
  const AddressPlan moved = plan_addresses(services, cidrs);
  CHECK(moved.problems.empty());
  CHECK(moved.addresses.at(first).front() != wanted);
  CHECK_FALSE(moved.addresses.contains({"shop", "z"}));
}

TEST_CASE("a plan leaves alone what has no cluster IP") {
  Services services;
  kube::Service headless = service("headless");
  headless.headless = true;
  add(services, headless);
  kube::Service outside = service("outside");
  outside.type = kube::ServiceType::ExternalName;
  add(services, outside);
  kube::Service chosen = service("chosen");
  chosen.cluster_ips = {address("192.0.2.1")};
  add(services, chosen);
  const AddressPlan plan = plan_addresses(services, {prefix("10.96.0.0/24")});
  CHECK(plan.addresses.empty());
  CHECK(plan.problems.empty());
}

TEST_CASE("what a plan cannot do is a problem that says what would help") {
  struct Case {
    std::string what;
    std::vector<const char*> cidrs;
    std::vector<kube::Service> services;
    std::vector<const char*> messages;
    std::size_t planned;
  };
  kube::Service dual = service("dual");
  dual.ip_family_policy = kube::IpFamilyPolicy::RequireDualStack;
  kube::Service one = service("one");
  one.cluster_ips = {address("10.96.0.1")};
  kube::Service two = service("two");
  two.cluster_ips = {address("10.96.0.1")};
  kube::Service six = service("six");
  six.ip_families = {kube::IpFamily::V6};
  for (const Case& c : {
           Case{"no CIDR",
                {},
                {service("a")},
                {"spec.clusterIP: is missing; expected one as long as no service CIDR is set"},
                0},
           Case{
               "no second CIDR",
               {"10.96.0.0/24"},
               {dual},
               {"spec.clusterIPs: no IPv6 address; expected one, or a service CIDR of that family"},
               1},
           Case{
               "no CIDR of that family",
               {"10.96.0.0/24"},
               {six},
               {"spec.clusterIPs: no IPv6 address; expected one, or a service CIDR of that family"},
               0},
           Case{"the CIDR is full",
                {"10.96.0.0/30"},
                {service("a"), service("b"), service("c")},
                {"spec.clusterIP: no address is free in 10.96.0.0/30; expected a larger service "
                 "CIDR"},
                2},
           Case{"one address twice",
                {"10.96.0.0/24"},
                {one, two},
                {"spec.clusterIP: 10.96.0.1 is used by Service shop/one too"},
                0},
       }) {
    CAPTURE(c.what);
    Services services;
    for (const kube::Service& each : c.services) {
      add(services, each);
    }
    std::vector<IpPrefix> cidrs;
    for (const char* cidr : c.cidrs) {
      cidrs.push_back(prefix(cidr));
    }
    const AddressPlan plan = plan_addresses(services, cidrs);
    REQUIRE(plan.problems.size() == c.messages.size());
    CHECK(plan.problems.front().message == c.messages.front());
    CHECK(plan.problems.front().service.to_text() == c.services.back().key.to_text());
    CHECK(plan.addresses.size() == c.planned);
  }
}

TEST_CASE("ten thousand Services get distinct addresses within the CIDR") {
  Services services;
  for (int i = 0; i < 10'000; ++i) {
    add(services, service("service-" + std::to_string(i)));
  }
  const IpPrefix cidr = prefix("10.96.0.0/16");
  const AddressPlan plan = plan_addresses(services, {cidr});
  std::set<IpAddress> distinct;
  for (const auto& [key, addresses] : plan.addresses) {
    REQUIRE(addresses.size() == 1);
    REQUIRE(cidr.contains(addresses.front()));
    distinct.insert(addresses.front());
  }
  CHECK(distinct.size() == 10'000);
}

}  // namespace waypost::sources
