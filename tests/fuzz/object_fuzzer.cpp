// Any bytes as an object of each kind: it is decoded within its bounds or is a problem that says
// something, what it is called does not depend on how much of it is read, and a decoder that has
// seen another object decodes it alike.

#include "kube/api_status.h"
#include "kube/json_decoder.h"
#include "kube/json_tree.h"
#include "kube/names.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <type_traits>
#include <variant>

namespace {

using namespace waypost::kube;

void expect(bool holds) {
  if (!holds) {
    std::abort();
  }
}

ObjectVersion version_of(const ApiObject& object) {
  return std::visit(
      [](const auto& known) -> ObjectVersion {
        using T = std::decay_t<decltype(known)>;
        if constexpr (std::is_same_v<T, SkippedObject>) {
          return known.version;
        } else if constexpr (std::is_same_v<T, Namespace> || std::is_same_v<T, Node>) {
          return {{{}, known.name}, known.resource_version};
        } else {
          return {known.key, known.resource_version};
        }
      },
      object);
}

bool is_json(std::string_view text) {
  Tree tree;
  return JsonTreeReader().read(text, JsonScope::Everything, tree).has_value();
}

void check(const Service& service) {
  expect(is_dns_label(service.key.name) && is_dns_label(service.key.name_space));
  expect(service.cluster_ips.size() <= 2 && service.ip_families.size() <= 2);
  for (const ServicePort& port : service.ports) {
    expect(port.port != 0);
  }
}

void check(const EndpointSlice& slice) {
  expect(is_dns_subdomain(slice.key.name) && is_label_value(slice.service_name));
  for (const Endpoint& endpoint : slice.endpoints) {
    expect(slice.hostname(endpoint).size() <= 63 && slice.pod_name(endpoint).size() <= 253);
  }
}

void check(const Pod& pod) {
  expect(is_dns_subdomain(pod.key.name) && pod.ips.size() <= 2);
}

void check(const Namespace& name_space) {
  expect(is_dns_label(name_space.name) && !name_space.labels.empty());
}

void check(const Node& node) {
  expect(is_dns_subdomain(node.name));
  for (const std::string& key : node.taint_keys) {
    expect(is_label_key(key));
  }
}

void check(const SkippedObject& skipped) {
  expect(is_dns_subdomain(skipped.version.key.name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(bytes), size);
  for (const ObjectKind kind : {ObjectKind::Service, ObjectKind::EndpointSlice,
                                ObjectKind::Namespace, ObjectKind::Pod, ObjectKind::Node}) {
    JsonDecoder decoder(kind);
    const auto decoded = decoder.decode(json);
    const auto version = decoder.decode_version(json);
    const auto again = decoder.decode(json);
    expect(decoded.has_value() == again.has_value());
    if (decoded) {
      expect(*decoded == *again);
      // What is stepped over may be no JSON, and each steps over other parts.
      expect(version ? *version == version_of(*decoded) : !is_json(json));
      std::visit([](const auto& object) { check(object); }, *decoded);
    } else {
      expect(!decoded.error().message.empty() && decoded.error().message == again.error().message);
    }
    if (const auto bookmark = decoder.decode_bookmark(json)) {
      expect(bookmark->resource_version != 0);
    }
  }
  if (const auto status = decode_status(json)) {
    expect(status->causes.size() <= MaxStatusCauses && status->message.size() <= MaxStatusMessage);
    expect(!status->to_text().empty());
  }
  return 0;
}
