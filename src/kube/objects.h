// The Kubernetes objects that this project reads, reduced to the fields that somebody here uses.
//
// Sources make them, from YAML or from the API's JSON, and ServiceCache keeps them.  They are plain
// values: complete, defaulted as the API server defaults them, names checked by the decoder.
//
// Not here: decoding (kube/yaml_decoder.h, kube/json_decoder.h), what objects mean together
// (cache/), names in DNS (records/).

#pragma once

#include "base/ip_address.h"
#include "kube/traffic.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace waypost::kube {

enum class ObjectKind : std::uint8_t { Service, EndpointSlice, Namespace, Pod, Node };
inline constexpr std::size_t ObjectKindCount = 5;

// "Service", as in an object's `kind`.
std::string_view to_text(ObjectKind kind) noexcept;

// "namespace/name" of a namespaced object; `name_space` is empty for others.  Both are lower case:
// the API admits nothing else.
struct ObjectKey {
  std::string name_space;
  std::string name;

  std::string to_text() const { return name_space.empty() ? name : name_space + "/" + name; }
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

struct ObjectKeyHash {
  std::size_t operator()(const ObjectKey& key) const noexcept {
    const std::size_t left = std::hash<std::string>()(key.name_space);
    return (left * 0x9e3779b97f4a7c15ULL) ^ std::hash<std::string>()(key.name);
  }
};

// Which object, and which version of it.
struct ObjectVersion {
  ObjectKey key;
  std::uint64_t resource_version = 0;  // 0: it carries none.

  friend bool operator==(const ObjectVersion&, const ObjectVersion&) = default;
};

// When the control plane made an object what it is, in Unix milliseconds; 0: it does not tell.  No
// part of what the object says: all are equal, and no cache keeps them.
struct ChangeTimes {
  std::int64_t created = 0;    // metadata.creationTimestamp, in whole seconds.
  std::int64_t triggered = 0;  // Annotation endpoints.kubernetes.io/last-change-trigger-time.

  friend bool operator==(const ChangeTimes&, const ChangeTimes&) { return true; }
};

// Key and value, sorted by key, each key once.
using Labels = std::vector<std::pair<std::string, std::string>>;

enum class Protocol : std::uint8_t { Tcp, Udp, Sctp };

// "tcp", "udp", "sctp": the form that SRV names use.
constexpr std::string_view to_text(Protocol protocol) noexcept {
  return protocol == Protocol::Tcp ? "tcp" : protocol == Protocol::Udp ? "udp" : "sctp";
}

enum class ServiceType : std::uint8_t { ClusterIp, NodePort, LoadBalancer, ExternalName };

enum class IpFamily : std::uint8_t { V4, V6 };

constexpr IpFamily family_of(const IpAddress& address) noexcept {
  return address.is_v4() ? IpFamily::V4 : IpFamily::V6;
}

enum class IpFamilyPolicy : std::uint8_t { SingleStack, PreferDualStack, RequireDualStack };

// The port on the pod: a number, or the name of a container port.
using TargetPort = std::variant<std::uint16_t, std::string>;

struct ServicePort {
  std::string name;  // Empty when the Service has one port without a name.
  Protocol protocol = Protocol::Tcp;
  std::uint16_t port = 0;
  TargetPort target_port{std::uint16_t{0}};  // Defaults to `port`.

  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

struct Service {
  ObjectKey key;
  std::uint64_t resource_version = 0;  // 0: the source knows none.
  ServiceType type = ServiceType::ClusterIp;
  bool headless = false;               // clusterIP: None
  std::vector<IpAddress> cluster_ips;  // Empty when headless, ExternalName, or not yet allocated.
  std::string external_name;           // As written; ExternalName only.
  std::vector<ServicePort> ports;
  Labels labels;
  Labels selector;  // Empty: nobody derives slices for it.
  bool publish_not_ready_addresses = false;
  std::vector<IpFamily> ip_families;  // As written; empty: left to the cluster.
  IpFamilyPolicy ip_family_policy = IpFamilyPolicy::SingleStack;
  SharedPart<ServiceTraffic> traffic;  // Absent unless asked for.
  ChangeTimes times;

  friend bool operator==(const Service&, const Service&) = default;
};

struct EndpointPort {
  std::string name;
  Protocol protocol = Protocol::Tcp;
  std::uint16_t port = 0;

  friend bool operator==(const EndpointPort&, const EndpointPort&) = default;
};

// One address of one endpoint.  Texts stand in the slice's `text`, see EndpointSlice::hostname().
// 28 octets, because there are many.
struct Endpoint {
  IpAddress address;
  std::uint32_t hostname_at = 0;
  std::uint32_t pod_name_at = 0;
  std::uint8_t hostname_size = 0;
  std::uint8_t pod_name_size = 0;
  bool ready = true;         // conditions.ready; absent means true (discovery.k8s.io/v1)
  bool serving = true;       // conditions.serving; absent means true
  bool terminating = false;  // conditions.terminating

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct EndpointSlice {
  ObjectKey key;
  std::uint64_t resource_version = 0;
  std::string service_name;  // Label kubernetes.io/service-name; empty: it belongs to no Service.
  std::vector<EndpointPort> ports;
  std::vector<Endpoint> endpoints;
  std::string text;                  // Hostnames and pod names, one after the other.
  SharedPart<SliceTraffic> traffic;  // Absent unless asked for.
  ChangeTimes times;

  // Both valid as long as the slice is unchanged; empty when the endpoint has none.
  std::string_view hostname(const Endpoint& endpoint) const noexcept {
    return std::string_view(text).substr(endpoint.hostname_at, endpoint.hostname_size);
  }
  // targetRef.name where targetRef.kind is Pod.
  std::string_view pod_name(const Endpoint& endpoint) const noexcept {
    return std::string_view(text).substr(endpoint.pod_name_at, endpoint.pod_name_size);
  }
  // Appends one endpoint; `hostname` and `pod_name` are at most 253 octets long and are copied.
  void add(Endpoint endpoint, std::string_view hostname, std::string_view pod_name);

  friend bool operator==(const EndpointSlice&, const EndpointSlice&) = default;
};

struct Namespace {
  std::string name;
  std::uint64_t resource_version = 0;
  Labels labels;

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

struct ContainerPort {
  std::string name;
  Protocol protocol = Protocol::Tcp;
  std::uint16_t port = 0;

  friend bool operator==(const ContainerPort&, const ContainerPort&) = default;
};

// spec.dnsPolicy
enum class DnsPolicy : std::uint8_t { ClusterFirst, ClusterFirstWithHostNet, Default, None };
std::string_view to_text(DnsPolicy policy) noexcept;
std::optional<DnsPolicy> policy_from_text(std::string_view text) noexcept;

// Names in a dnsConfig's searches: what the API server admits (pkg/apis/core/validation,
// MaxDNSSearchPaths), and the kubelet writes.
inline constexpr std::size_t MaxPodSearches = 32;

// What of a Pod's spec says which names its containers look up where they were given another one.
struct PodSearch {
  DnsPolicy policy = DnsPolicy::ClusterFirst;
  bool host_network = false;          // spec.hostNetwork
  std::vector<std::string> searches;  // spec.dnsConfig.searches, as written.
  std::string ndots;                  // The value of that option in spec.dnsConfig; empty: none.

  friend auto operator<=>(const PodSearch&, const PodSearch&) = default;
};

enum class PodPhase : std::uint8_t { Pending, Running, Succeeded, Failed, Unknown };

struct Pod {
  ObjectKey key;
  std::uint64_t resource_version = 0;
  Labels labels;
  std::vector<IpAddress> ips;  // status.podIPs, status.podIP first
  PodPhase phase = PodPhase::Pending;
  bool ready = false;        // Condition Ready is True
  bool terminating = false;  // metadata.deletionTimestamp is set
  std::string hostname;      // spec.hostname
  std::string subdomain;     // spec.subdomain
  std::string node_name;     // spec.nodeName; empty unless asked for (DecodeOptions::traffic).
  std::vector<ContainerPort> ports;
  // Nothing unless asked for (DecodeOptions::pod_search).
  std::optional<PodSearch> search;

  friend bool operator==(const Pod&, const Pod&) = default;
};

enum class NodeAddressType : std::uint8_t { InternalIp, ExternalIp };

struct NodeAddress {
  NodeAddressType type = NodeAddressType::InternalIp;
  IpAddress address;

  friend bool operator==(const NodeAddress&, const NodeAddress&) = default;
};

struct Node {
  std::string name;
  std::uint64_t resource_version = 0;
  Labels labels;
  std::vector<NodeAddress> addresses;   // In status.addresses' order, without its host names.
  std::vector<IpPrefix> pod_cidrs;      // spec.podCIDRs
  std::vector<std::string> taint_keys;  // spec.taints[].key, sorted, each once.
  bool is_deleting = false;             // metadata.deletionTimestamp is set

  friend bool operator==(const Node&, const Node&) = default;
};

// The key of an object; Namespaces and Nodes have no namespace.
inline const ObjectKey& key_of(const Service& service) noexcept {
  return service.key;
}
inline const ObjectKey& key_of(const EndpointSlice& slice) noexcept {
  return slice.key;
}
inline const ObjectKey& key_of(const Pod& pod) noexcept {
  return pod.key;
}
inline ObjectKey key_of(const Namespace& name_space) {
  return {{}, name_space.name};
}
inline ObjectKey key_of(const Node& node) {
  return {{}, node.name};
}

// Finds the value of `key`, or nullptr.
const std::string* find_label(const Labels& labels, std::string_view key) noexcept;

// True when `labels` has every pair of `wanted`; an empty `wanted` matches everything.
bool matches(const Labels& labels, const Labels& wanted) noexcept;

}  // namespace waypost::kube
