// Any bytes as a manifest: decoding ends, stays within its bounds, and names what it leaves out.

#include "kube/names.h"
#include "kube/yaml_decoder.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void expect(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace waypost::kube;
  const Manifests manifests =
      decode_manifests(std::string_view(reinterpret_cast<const char*>(bytes), size));
  expect(manifests.problems.size() <= MaxManifestProblems + 1);
  expect(manifests.is_complete || !manifests.problems.empty());
  for (const auto& [service, line] : manifests.services) {
    expect(line > 0 && is_dns_label(service.key.name) && is_dns_label(service.key.name_space));
    expect(service.cluster_ips.size() <= 2 && service.ip_families.size() <= 2);
    for (const ServicePort& port : service.ports) {
      expect(port.port != 0);
    }
  }
  for (const auto& [slice, line] : manifests.slices) {
    expect(line > 0 && is_dns_subdomain(slice.key.name));
    for (const Endpoint& endpoint : slice.endpoints) {
      expect(slice.hostname(endpoint).size() <= 63 && slice.pod_name(endpoint).size() <= 253);
    }
  }
  for (const auto& [pod, line] : manifests.pods) {
    expect(line > 0 && is_dns_subdomain(pod.key.name) && pod.ips.size() <= 2);
  }
  return 0;
}
