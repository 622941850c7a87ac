#include "bench/world.h"

#include "dns/name.h"

#include <array>
#include <string>
#include <utility>

namespace waypost::bench {
namespace {

std::string service_name(std::uint32_t index) {
  return "svc-" + std::to_string(index);
}

IpAddress v4(std::uint32_t network, std::uint32_t host) {
  std::array<std::uint8_t, 4> octets{};
  store_u32(octets.data(), network + host);
  return IpAddress::from_octets(octets);
}

IpAddress v6(std::uint32_t host) {
  std::array<std::uint8_t, 16> octets{0xfd, 0x00, 0x00, 0x96};
  store_u32(octets.data() + 12, host);
  return IpAddress::from_octets(octets);
}

constexpr std::uint32_t ServiceNetwork = 0x0a600000;   // 10.96.0.0
constexpr std::uint32_t EndpointNetwork = 0x0ac80000;  // 10.200.0.0
constexpr std::uint32_t MovedNetwork = 0x64400000;     // 100.64.0.0
constexpr std::uint32_t LargeNetwork = 0x0afa0000;     // 10.250.0.0

constexpr const char* LargeNamespace = "large";

}  // namespace

std::string World::namespace_name(std::uint32_t index) const {
  return "ns-" + std::to_string(index);
}

std::string World::full_name(std::uint32_t service) const {
  return service_name(service) + "." + namespace_name(service % size_.namespaces) +
         ".svc.cluster.local.";
}

std::string World::large_name(std::uint32_t endpoints) {
  return "large-" + std::to_string(endpoints) + "." + LargeNamespace + ".svc.cluster.local.";
}

records::Options World::options() const {
  records::Options options;
  options.zone = *dns::Name::from_text("cluster.local");
  options.reverse_zones = {*dns::Name::from_text("in-addr.arpa"),
                           *dns::Name::from_text("ip6.arpa")};
  options.own_addresses = {IpAddress::v4(127, 0, 0, 1)};
  return options;
}

void World::put_namespaces(cache::ServiceCache& cache) const {
  for (std::uint32_t i = 0; i < size_.namespaces; ++i) {
    cache.put(name_space(i));
  }
}

void World::put_services(cache::ServiceCache& cache) const {
  for (std::uint32_t i = 0; i < size_.services; ++i) {
    cache.put(service(i));
  }
}

void World::put_slices(cache::ServiceCache& cache) const {
  for (std::uint32_t i = 0; i < size_.services; ++i) {
    cache.put(slice(i, 0));
  }
}

kube::Namespace World::name_space(std::uint32_t index) const {
  return {.name = namespace_name(index), .resource_version = index + 1};
}

kube::Service World::service(std::uint32_t index) const {
  kube::Service service;
  service.key = {namespace_name(index % size_.namespaces), service_name(index)};
  service.resource_version = index + 1;
  service.headless = is_headless(index);
  if (!service.headless) {
    service.cluster_ips = {v4(ServiceNetwork, index + 1), v6(index + 1)};
  }
  service.ports = {{.name = "http",
                    .protocol = kube::Protocol::Tcp,
                    .port = 80,
                    .target_port = std::uint16_t{8080}}};
  service.labels = {{"app", service_name(index)}};
  service.selector = service.labels;
  return service;
}

kube::EndpointSlice World::slice(std::uint32_t index, std::uint32_t change) const {
  kube::EndpointSlice slice;
  slice.key = {namespace_name(index % size_.namespaces), service_name(index) + "-x7k2p"};
  slice.resource_version = std::uint64_t{size_.services} * (change + 1) + index + 1;
  slice.service_name = service_name(index);
  slice.ports = {{.name = "http", .protocol = kube::Protocol::Tcp, .port = 8080}};
  for (std::uint32_t i = 0; i < size_.endpoints; ++i) {
    const std::uint32_t host = index * size_.endpoints + i;
    const bool moved = change > 0 && i == change % size_.endpoints;
    const IpAddress address = moved ? v4(MovedNetwork, host) : v4(EndpointNetwork, host);
    const std::string pod = service_name(index) + "-6d4cf56db6-" + std::to_string(10000 + i);
    slice.add({.address = address}, is_headless(index) ? "pod-" + std::to_string(i) : "", pod);
  }
  return slice;
}

kube::Service World::large_service(std::uint32_t endpoints) {
  kube::Service service;
  service.key = {LargeNamespace, "large-" + std::to_string(endpoints)};
  service.resource_version = endpoints;
  service.headless = true;
  service.ports = {{.name = "http",
                    .protocol = kube::Protocol::Tcp,
                    .port = 80,
                    .target_port = std::uint16_t{8080}}};
  return service;
}

kube::EndpointSlice World::large_slice(std::uint32_t endpoints) {
  kube::EndpointSlice slice;
  slice.service_name = "large-" + std::to_string(endpoints);
  slice.key = {LargeNamespace, slice.service_name + "-x7k2p"};
  slice.resource_version = endpoints;
  slice.ports = {{.name = "http", .protocol = kube::Protocol::Tcp, .port = 8080}};
  for (std::uint32_t i = 0; i < endpoints; ++i) {
    slice.add({.address = v4(LargeNetwork, (endpoints << 4) + i)}, "", "");
  }
  return slice;
}

kube::Namespace World::large_namespace() {
  return {.name = LargeNamespace, .resource_version = 1};
}

}  // namespace waypost::bench
