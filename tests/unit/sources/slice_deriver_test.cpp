#include "sources/slice_deriver.h"

#include "world.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::sources {
namespace {

using enum kube::IpFamily;

IpAddress address(std::string_view text) {
  return IpAddress::from_text(text).value();
}

kube::Pod pod(std::string name, std::vector<std::string> ips) {
  kube::Pod made;
  made.key = {"shop", std::move(name)};
  made.labels = {{"app", "web"}};
  made.phase = kube::PodPhase::Running;
  made.ready = true;
  for (const std::string& ip : ips) {
    made.ips.push_back(address(ip));
  }
  return made;
}

kube::Service service(std::vector<kube::ServicePort> ports) {
  kube::Service made;
  made.key = {"shop", "web"};
  made.selector = {{"app", "web"}};
  made.ports = std::move(ports);
  return made;
}

const kube::ServicePort Http{"http", kube::Protocol::Tcp, 80, std::uint16_t{8080}};
const kube::ServicePort Named{"http", kube::Protocol::Tcp, 80, std::string("http")};

std::string derive(const kube::Service& of, const std::vector<kube::Pod>& pods,
                   const std::vector<kube::IpFamily>& families = {V4, V6}) {
  std::vector<const kube::Pod*> pointers;
  for (const kube::Pod& each : pods) {
    pointers.push_back(&each);
  }
  std::string text;
  for (const kube::EndpointSlice& slice : derive_slices(of, pointers, families)) {
    CHECK(slice.key.name_space == "shop");
    CHECK(slice.service_name == "web");
    text += show(slice) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("conditions follow the Pod's state as in the EndpointSlice controller") {
  struct Case {
    std::string what;
    bool ready;
    bool terminating;
    kube::PodPhase phase;
    bool publish;
    const char* endpoint;  // Null: none.
  };
  using enum kube::PodPhase;
  for (const Case& c : {
           Case{"ready", true, false, Running, false, "(rs-)"},
           Case{"not ready", false, false, Running, false, "(---)"},
           Case{"ready, terminating", true, true, Running, false, "(-st)"},
           Case{"not ready, terminating", false, true, Running, false, "(--t)"},
           Case{"published: not ready", false, false, Running, true, "(r--)"},
           Case{"published: terminating", true, true, Running, true, "(rst)"},
           Case{"pending", false, false, Pending, false, "(---)"},
           Case{"unknown", true, false, Unknown, false, "(rs-)"},
           Case{"succeeded", true, false, Succeeded, false, nullptr},
           Case{"failed", true, false, Failed, true, nullptr},
       }) {
    CAPTURE(c.what);
    kube::Pod made = pod("web-0", {"10.0.0.1"});
    made.ready = c.ready;
    made.terminating = c.terminating;
    made.phase = c.phase;
    kube::Service of = service({Http});
    of.publish_not_ready_addresses = c.publish;
    const std::string expected = c.endpoint == nullptr
                                     ? std::string()
                                     : "web-derived-ipv4-tcp8080-http: http:8080/tcp 10.0.0.1" +
                                           std::string(c.endpoint) + "~web-0\n";
    CHECK(derive(of, {made}) == expected);
  }
}

TEST_CASE("Pods without an address of the families have no endpoint") {
  const std::vector<kube::Pod> pods = {pod("a", {}), pod("b", {"10.0.0.2", "fd00::2"}),
                                       pod("c", {"fd00::3"})};
  const kube::Service of = service({Http});
  const std::string four = "web-derived-ipv4-tcp8080-http: http:8080/tcp 10.0.0.2(rs-)~b\n";
  const std::string six =
      "web-derived-ipv6-tcp8080-http: http:8080/tcp fd00::2(rs-)~b fd00::3(rs-)~c\n";
  CHECK(derive(of, pods) == four + six);
  CHECK(derive(of, pods, {V4}) == four);
  CHECK(derive(of, pods, {V6}) == six);
  CHECK(derive(of, pods, {}).empty());
  CHECK(derive(of, {}).empty());
}

TEST_CASE("a hostname counts when the subdomain is the Service's name") {
  kube::Pod right = pod("a", {"10.0.0.1"});
  right.hostname = "a";
  right.subdomain = "web";
  kube::Pod other = right;
  other.key.name = "b";
  other.subdomain = "db";
  kube::Pod none = right;
  none.key.name = "c";
  none.hostname.clear();
  CHECK(derive(service({Http}), {right, other, none}) ==
        "web-derived-ipv4-tcp8080-http: http:8080/tcp 10.0.0.1(rs-)=a~a 10.0.0.1(rs-)~b "
        "10.0.0.1(rs-)~c\n");
}

TEST_CASE("ports are resolved for each Pod") {
  kube::Pod old = pod("a", {"10.0.0.1"});
  old.ports = {{"http", kube::Protocol::Udp, 1}, {"http", kube::Protocol::Tcp, 8000}};
  kube::Pod current = pod("b", {"10.0.0.2"});
  current.ports = {{"http", kube::Protocol::Tcp, 8080}};
  kube::Pod without = pod("c", {"10.0.0.3"});
  without.ports = {{"http", kube::Protocol::Udp, 1}};
  const kube::ServicePort dns{"dns", kube::Protocol::Udp, 53, std::uint16_t{1053}};
  CHECK(derive(service({Named, dns}), {old, current, without}) ==
        "web-derived-ipv4-tcp8000-http.udp1053-dns: http:8000/tcp dns:1053/udp 10.0.0.1(rs-)~a\n"
        "web-derived-ipv4-tcp8080-http.udp1053-dns: http:8080/tcp dns:1053/udp 10.0.0.2(rs-)~b\n"
        "web-derived-ipv4-udp1053-dns: dns:1053/udp 10.0.0.3(rs-)~c\n");
  // A Pod without any of the ports stays an endpoint, and so does one of a Service without ports.
  CHECK(derive(service({Named}), {without}) == "web-derived-ipv4: 10.0.0.3(rs-)~c\n");
  CHECK(derive(service({}), {old}) == "web-derived-ipv4: 10.0.0.1(rs-)~a\n");
}

TEST_CASE("slice names stay within the API's length and differ for every set of ports") {
  std::vector<kube::ServicePort> many;
  for (std::uint16_t i = 1; i <= 40; ++i) {
    many.push_back({"port-" + std::to_string(i), kube::Protocol::Tcp, i, i});
  }
  const kube::Pod one = pod("a", {"10.0.0.1"});
  const auto slices = derive_slices(service(many), {&one}, {V4});
  many.back().target_port = std::uint16_t{99};
  const auto others = derive_slices(service(many), {&one}, {V4});
  REQUIRE(slices.size() == 1);
  REQUIRE(others.size() == 1);
  CHECK(slices[0].key.name.size() <= 253);
  CHECK(slices[0].key.name != others[0].key.name);
}

TEST_CASE("a derived slice carries the newest version of what it was made from") {
  kube::Service of = service({Http});
  of.resource_version = 5;
  kube::Pod young = pod("a", {"10.0.0.1"});
  young.resource_version = 9;
  kube::Pod old = pod("b", {"10.0.0.2"});
  old.resource_version = 2;
  CHECK(derive_slices(of, {&young, &old}, {V4})[0].resource_version == 9);
  CHECK(derive_slices(of, {&old}, {V4})[0].resource_version == 5);
}

TEST_CASE("the index finds a namespace's Pods by their labels, in the order of names") {
  kube::Pod b = pod("b", {});
  b.labels = {{"app", "web"}, {"tier", "front"}};
  kube::Pod a = pod("a", {});
  kube::Pod elsewhere = pod("c", {});
  elsewhere.key.name_space = "other";
  PodIndex index;
  const auto names = [&](const kube::Labels& selector) {
    std::string text;
    for (const kube::Pod* found : index.find("shop", selector)) {
      text += found->key.name;
    }
    return text;
  };
  CHECK(names({{"app", "web"}}).empty());
  index.add(b);
  index.add(a);
  index.add(elsewhere);
  CHECK(names({{"app", "web"}}) == "ab");
  CHECK(names({{"app", "web"}, {"tier", "front"}}) == "b");
  CHECK(names({{"app", "web"}, {"tier", "back"}}).empty());
  CHECK(names({{"app", "db"}}).empty());
  CHECK(names({}).empty());
  index.remove(b);
  CHECK(names({{"app", "web"}}) == "a");
  index.remove(a);
  index.remove(a);
  CHECK(names({{"app", "web"}}).empty());
}

}  // namespace waypost::sources
