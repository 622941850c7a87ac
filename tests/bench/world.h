// A cluster of a given size.

#pragma once

#include "cache/service_cache.h"
#include "records/options.h"

#include <array>
#include <cstdint>
#include <string>

namespace waypost::bench {

struct WorldSize {
  std::uint32_t services = 10000;
  std::uint32_t endpoints = 10;  // Of each Service.
  std::uint32_t headless_every = 10;
  std::uint32_t namespaces = 100;
};

// A dual-stack cluster with IPv4 endpoints: Service `i` is svc-I.ns-(I mod namespaces), with one
// port http/TCP.  Endpoints of headless Services have hostnames, pod-0 and so on; others have Pods.
class World {
 public:
  explicit World(const WorldSize& size) : size_(size) {}

  const WorldSize& size() const noexcept { return size_; }
  bool is_headless(std::uint32_t service) const noexcept {
    return service % size_.headless_every == 0;
  }

  std::string namespace_name(std::uint32_t index) const;
  std::string full_name(std::uint32_t service) const;  // With the dot at its end.

  records::Options options() const;
  void put_namespaces(cache::ServiceCache& cache) const;
  void put_services(cache::ServiceCache& cache) const;
  void put_slices(cache::ServiceCache& cache) const;
  kube::Namespace name_space(std::uint32_t index) const;
  kube::Service service(std::uint32_t index) const;
  // The Service's slice after `change` changes: that many endpoints have moved to another address.
  kube::EndpointSlice slice(std::uint32_t service, std::uint32_t change) const;

  // Large headless Services beside the others: that of N endpoints, none with a hostname, is
  // large-N in a namespace of its own.  The functions above leave them out.
  static constexpr std::array<std::uint32_t, 3> LargeSizes = {10, 100, 1000};
  static std::string large_name(std::uint32_t endpoints);
  static kube::Namespace large_namespace();
  static kube::Service large_service(std::uint32_t endpoints);
  static kube::EndpointSlice large_slice(std::uint32_t endpoints);

 private:
  WorldSize size_;
};

}  // namespace waypost::bench
