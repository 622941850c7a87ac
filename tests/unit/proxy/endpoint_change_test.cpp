// From the slices of a Service before and after a change to the endpoints of its ports, and to the
// tracked flows that lead nowhere afterwards.

#include "proxy/service_port.h"
#include "proxy/stale_flows.h"
#include "world.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::proxy {
namespace {

// Three ports, in UDP, whose names and numbers slices give or do not give.
const std::string TheService = service(
    "ns/svc",
    "clusterIP: 172.30.1.1, ports: [{name: p11, protocol: UDP, port: 11}, {name: p12, protocol: "
    "UDP, port: 12}, {name: '', protocol: UDP, port: 13}]");

std::string one_slice(std::string_view name, std::string_view ports,
                      std::initializer_list<std::string_view> endpoints) {
  return slice("ns/svc", ports, endpoints, name);
}

constexpr std::string_view P11 = "{name: p11, protocol: UDP, port: 11}";
constexpr std::string_view P12 = "{name: p12, protocol: UDP, port: 12}";
constexpr std::string_view Both =
    "{name: p11, protocol: UDP, port: 11}, {name: p12, protocol: UDP, port: 12}";
constexpr std::string_view Unnamed = "{name: '', protocol: UDP, port: 13}";

// "p11: 1.1.1.1:11 1.1.1.2:11*; p12: …" of the ports that have endpoints; "*" marks those here.
std::string show(const std::vector<ServicePortView>& views) {
  std::string text;
  for (const ServicePortView& view : views) {
    if (view.endpoints.empty()) {
      continue;
    }
    text += text.empty() ? "" : "; ";
    text += view.name.substr(view.name.find('c') + 1);
    for (const PortEndpoint& endpoint : view.endpoints) {
      text += " " + endpoint.to_text() + (endpoint.is_local ? "*" : "");
    }
  }
  return text;
}

// The flows to the Service's ports, one from each endpoint that was there before, that are stale.
std::string stale_flows(const std::vector<ServicePortView>& before,
                        const std::vector<ServicePortView>& after) {
  StaleFlows stale;
  stale.note(before, after);
  std::string text;
  for (const ServicePortView& view : before) {
    for (const PortEndpoint& endpoint : view.endpoints) {
      const Flow flow{.protocol = view.protocol,
                      .from = *SocketAddress::from_text("10.0.0.2:4000"),
                      .to = {view.cluster_ip, view.port},
                      .replied_by = {endpoint.address, endpoint.port}};
      if (stale.is_stale(flow, {})) {
        text += (text.empty() ? "" : " ") + endpoint.to_text();
      }
    }
  }
  return text;
}

struct Case {
  std::string_view name;
  std::vector<std::string> before;  // Slices.
  std::vector<std::string> after;
  std::string_view expected;
  std::string_view stale;
};

const std::vector<Case> Cases = {
    {"nothing", {}, {}, "", ""},
    {"no change, a port without name",
     {one_slice("a", Unnamed, {"1.1.1.1"})},
     {one_slice("a", Unnamed, {"1.1.1.1"})},
     " 1.1.1.1:13",
     ""},
    {"no change, a named port here",
     {one_slice("a", P11, {"1.1.1.1 here"})},
     {one_slice("a", P11, {"1.1.1.1 here"})},
     ":p11 1.1.1.1:11*",
     ""},
    {"no change, two slices",
     {one_slice("a", P11, {"1.1.1.1"}), one_slice("b", P12, {"1.1.1.2"})},
     {one_slice("a", P11, {"1.1.1.1"}), one_slice("b", P12, {"1.1.1.2"})},
     ":p11 1.1.1.1:11; :p12 1.1.1.2:12",
     ""},
    {"no change, several ports and places",
     {one_slice("a", Both, {"1.1.1.1 here", "1.1.1.2 there"}),
      one_slice("b", Unnamed, {"1.1.1.3 here"})},
     {one_slice("a", Both, {"1.1.1.1 here", "1.1.1.2 there"}),
      one_slice("b", Unnamed, {"1.1.1.3 here"})},
     ":p11 1.1.1.1:11* 1.1.1.2:11; :p12 1.1.1.1:12* 1.1.1.2:12;  1.1.1.3:13*",
     ""},
    {"a first slice", {}, {one_slice("a", Unnamed, {"1.1.1.1 here"})}, " 1.1.1.1:13*", ""},
    {"the last slice goes", {one_slice("a", Unnamed, {"1.1.1.1 here"})}, {}, "", "1.1.1.1:13"},
    {"an address and a port come",
     {one_slice("a", P11, {"1.1.1.1"})},
     {one_slice("a", Both, {"1.1.1.1", "1.1.1.2 here"})},
     ":p11 1.1.1.1:11 1.1.1.2:11*; :p12 1.1.1.1:12 1.1.1.2:12*",
     ""},
    {"an address and a port go",
     {one_slice("a", Both, {"1.1.1.1", "1.1.1.2 here"})},
     {one_slice("a", P11, {"1.1.1.1"})},
     ":p11 1.1.1.1:11",
     "1.1.1.2:11 1.1.1.1:12 1.1.1.2:12"},
    {"a second slice comes",
     {one_slice("a", P11, {"1.1.1.1"})},
     {one_slice("a", P11, {"1.1.1.1"}), one_slice("b", P12, {"2.2.2.2"})},
     ":p11 1.1.1.1:11; :p12 2.2.2.2:12",
     ""},
    {"a second slice goes",
     {one_slice("a", P11, {"1.1.1.1"}), one_slice("b", P12, {"2.2.2.2"})},
     {one_slice("a", P11, {"1.1.1.1"})},
     ":p11 1.1.1.1:11",
     "2.2.2.2:12"},
    {"a port has another name",
     {one_slice("a", P11, {"1.1.1.1"})},
     {one_slice("a", "{name: p12, protocol: UDP, port: 11}", {"1.1.1.1"})},
     ":p12 1.1.1.1:11",
     "1.1.1.1:11"},
    {"a port has another number",
     {one_slice("a", P11, {"1.1.1.1"})},
     {one_slice("a", "{name: p11, protocol: UDP, port: 22}", {"1.1.1.1"})},
     ":p11 1.1.1.1:22",
     "1.1.1.1:11"},
    {"a port loses its number",
     {one_slice("a", P11, {"1.1.1.1"})},
     {one_slice("a", "{name: p11, protocol: UDP}", {"1.1.1.1"})},
     "",
     "1.1.1.1:11"},
    {"some go, some come",
     {one_slice("a", P11, {"1.1.1.1", "1.1.1.2 here"}), one_slice("b", P12, {"2.2.2.2"})},
     {one_slice("b", Both, {"2.2.2.2"}), one_slice("c", P11, {"1.1.1.1", "4.4.4.4 here"})},
     ":p11 1.1.1.1:11 2.2.2.2:11 4.4.4.4:11*; :p12 2.2.2.2:12",
     "1.1.1.2:11"},
    {"from no address to one",
     {one_slice("a", P11, {})},
     {one_slice("a", P11, {"1.1.1.1"})},
     ":p11 1.1.1.1:11",
     ""},
    {"an endpoint moves to another slice",
     {one_slice("a", P11, {"1.1.1.1 here"}), one_slice("b", P11, {"1.1.1.2"})},
     {one_slice("b", P11, {"1.1.1.1 here", "1.1.1.2"})},
     ":p11 1.1.1.1:11* 1.1.1.2:11",
     ""},
    {"an endpoint ends and serves on: its flows stay",
     {one_slice("a", P11, {"1.1.1.1", "1.1.1.2"})},
     {one_slice("a", P11, {"1.1.1.1 ending", "1.1.1.2"})},
     ":p11 1.1.1.1:11 1.1.1.2:11",
     ""},
    {"an endpoint stops serving",
     {one_slice("a", P11, {"1.1.1.1", "1.1.1.2"})},
     {one_slice("a", P11, {"1.1.1.1 dead", "1.1.1.2"})},
     ":p11 1.1.1.1:11 1.1.1.2:11",
     "1.1.1.1:11"},
};

}  // namespace

TEST_CASE("slices change, endpoints follow, flows to those that are gone are stale") {
  for (const Case& c : Cases) {
    INFO(c.name);
    ProxyWorld world(TheService);
    for (const std::string& slice : c.before) {
      world.put(slice);
    }
    const auto state = *world.cache.find({"ns", "svc"});  // Its views are borrowed below.
    const auto before = view_ports(state, kube::IpFamily::V4, "here");
    for (const char* name : {"a", "b", "c"}) {
      (void)world.cache.erase_slice({"ns", name});
    }
    for (const std::string& slice : c.after) {
      world.put(slice);
    }
    const auto after_state = *world.cache.find({"ns", "svc"});
    const auto after = view_ports(after_state, kube::IpFamily::V4, "here");
    CHECK(show(after) == c.expected);
    CHECK(stale_flows(before, after) == c.stale);
    // The rules are those of a world that was like this from the beginning.
    std::string all = TheService;
    for (const std::string& slice : c.after) {
      all += slice;
    }
    CHECK(world.rules() == ProxyWorld(all).rules());
  }
}

}  // namespace waypost::proxy
