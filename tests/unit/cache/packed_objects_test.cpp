#include "cache/packed_objects.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::cache {
namespace {

template <typename Object>
std::string packed(const Object& object) {
  std::string octets;
  OctetWriter to(octets);
  pack(to, object, Kept());
  return octets;
}

// Everything that packing covers, there and back.
template <typename Object>
Object unpacked(const Object& object) {
  const std::string octets = packed(object);
  Object back;
  OctetReader from(octets);
  unpack(from, back);
  return back;
}

kube::Service full_service() {
  kube::Service service;
  service.type = kube::ServiceType::LoadBalancer;
  service.cluster_ips = {IpAddress::v4(10, 96, 0, 1), *IpAddress::from_text("fd00::1")};
  service.external_name = "db.example.com";
  service.ports = {{.name = "http", .port = 80, .target_port = std::uint16_t{8080}},
                   {.name = "dns",
                    .protocol = kube::Protocol::Sctp,
                    .port = 65535,
                    .target_port = std::string("named")}};
  service.labels = {{"app", "web"}, {"tier", ""}};
  service.selector = {{"app", "web"}};
  service.publish_not_ready_addresses = true;
  service.ip_families = {kube::IpFamily::V6, kube::IpFamily::V4};
  service.ip_family_policy = kube::IpFamilyPolicy::RequireDualStack;
  kube::ServiceTraffic traffic;
  traffic.node_ports = {30080, 0};
  traffic.external_ips = {IpAddress::v4(192, 0, 2, 1)};
  traffic.load_balancer_ips = {*IpAddress::from_text("2001:db8::1")};
  traffic.source_ranges = {*IpPrefix::from_text("10.0.0.0/8"), *IpPrefix::from_text("fd00::/8")};
  traffic.external_policy = kube::TrafficPolicy::Local;
  traffic.internal_policy = kube::TrafficPolicy::Local;
  traffic.affinity_seconds = 10800;
  traffic.health_check_node_port = 32000;
  traffic.has_other_proxy = true;
  service.traffic = kube::SharedPart(traffic);
  return service;
}

}  // namespace

TEST_CASE("a Service is unpacked as it was packed") {
  CHECK(unpacked(kube::Service()) == kube::Service());
  CHECK(unpacked(full_service()) == full_service());
  kube::Service headless;
  headless.headless = true;
  headless.type = kube::ServiceType::ExternalName;
  CHECK(unpacked(headless) == headless);
}

TEST_CASE("a slice is unpacked as it was packed") {
  kube::EndpointSlice slice;
  CHECK(unpacked(slice) == slice);
  slice.ports = {{"http", kube::Protocol::Tcp, 8080}, {"", kube::Protocol::Udp, 53}};
  slice.add({.address = IpAddress::v4(10, 0, 0, 1)}, "", "web-6d4cf56db6-abcde");
  slice.add({.address = IpAddress::v4(10, 0, 0, 2), .ready = false}, "", "web-6d4cf56db6-fghij");
  slice.add({.address = *IpAddress::from_text("fd00::2"), .serving = false}, "db-0", "");
  slice.add({.address = IpAddress::v4(10, 0, 0, 3), .terminating = true}, "db-1", "web");
  slice.add({.address = IpAddress::v4(10, 0, 0, 4)}, std::string(253, 'x'), std::string(253, 'y'));
  slice.add({.address = IpAddress::v4(10, 0, 0, 5)}, std::string(253, 'x'), "y");
  slice.add({.address = IpAddress::v4(10, 0, 0, 6)}, "", "");
  CHECK(unpacked(slice) == slice);
  kube::SliceTraffic traffic;
  traffic.trigger_time_ms = -5;
  traffic.placements.add("node-1", "zone-a", "");
  traffic.placements.add("node-2", "zone-a,zone-b", "node-2", true);
  traffic.placements.add("", "", std::string(60000, 'n'));
  slice.traffic = kube::SharedPart(traffic);
  CHECK(unpacked(slice) == slice);
}

TEST_CASE("a Pod is unpacked as it was packed") {
  kube::Pod pod;
  CHECK(unpacked(pod) == pod);
  pod.labels = {{"app", "web"}};
  pod.ips = {IpAddress::v4(10, 0, 0, 1), *IpAddress::from_text("fd00::1")};
  pod.phase = kube::PodPhase::Unknown;
  pod.ready = true;
  pod.terminating = true;
  pod.hostname = "db-0";
  pod.subdomain = "db";
  pod.node_name = "node-1";
  pod.ports = {{"http", kube::Protocol::Tcp, 8080}};
  CHECK(unpacked(pod) == pod);

  // How it finds names takes no room, unless it says something about that.
  const std::size_t before = packed(pod).size();
  pod.search.emplace();
  CHECK(unpacked(pod) == pod);
  CHECK(packed(pod).size() == before);
  pod.search = kube::PodSearch{.policy = kube::DnsPolicy::Default,
                               .host_network = true,
                               .searches = {"a.example", ""},
                               .ndots = "2"};
  CHECK(unpacked(pod) == pod);
}

TEST_CASE("an endpoint takes five octets, and what is new in its names") {
  kube::EndpointSlice slice;
  const auto grows_by = [&](const char* hostname, const char* pod_name) {
    const std::size_t before = packed(slice).size();
    slice.add({.address = IpAddress::v4(10, 0, 0, 1)}, hostname, pod_name);
    return packed(slice).size() - before;
  };
  CHECK(grows_by("", "") == 5);
  CHECK(grows_by("", "web-6d4cf56db6-abcde") == 5 + 2 + 20);
  CHECK(grows_by("", "web-6d4cf56db6-fghij") == 5 + 2 + 5);
  CHECK(grows_by("db-0", "") == 5 + 2 + 4);
  CHECK(grows_by("db-1", "") == 5 + 2 + 1);
}

}  // namespace waypost::cache
