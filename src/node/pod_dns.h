// How a Pod resolves names: its dnsPolicy and dnsConfig, its node, and the file that the kubelet
// makes of them.
//
// The rules are those of the kubelet (Kubernetes 1.36, pkg/kubelet/network/dns) and, for what a Pod
// may say at all, those of the API server (pkg/apis/core/validation).
//
// Not here: reading it from a manifest (node/pod_manifest.h).

#pragma once

#include "base/ip_address.h"
#include "kube/objects.h"
#include "node/resolver_file.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::node {

// What the API server lets a dnsConfig have, and the kubelet lets a file have.
inline constexpr std::size_t MaxNameservers = 3;
inline constexpr std::size_t MaxSearches = kube::MaxPodSearches;
inline constexpr std::size_t MaxSearchLength = 253;       // Of one domain, in octets.
inline constexpr std::size_t MaxSearchListLength = 2048;  // With one blank between domains.

using kube::DnsPolicy;
using kube::policy_from_text;

// "ClusterFirst", as in spec.dnsPolicy.
inline constexpr std::string_view DnsPolicyRule =
    "ClusterFirst, ClusterFirstWithHostNet, Default or None";

// spec.dnsConfig
struct DnsConfig {
  std::vector<std::string> nameservers;  // As written: addresses.
  std::vector<std::string> searches;
  std::vector<std::string> options;  // "ndots:5", "debug"; those of one name once.

  friend bool operator==(const DnsConfig&, const DnsConfig&) = default;
};

// What the API server admits in a dnsConfig's lists.  An empty text passes none of them.
bool is_nameserver(std::string_view text) noexcept;
inline constexpr std::string_view NameserverRule = "an IP address";
// Underscores, "." and a final dot are admitted, as RelaxedDNSSearchValidation has it.
bool is_search_domain(std::string_view text) noexcept;
inline constexpr std::string_view SearchDomainRule =
    "a DNS domain (a-z, 0-9, '-', '_' and '.', at most 253 characters) or '.'";
// Name or value of an option.  Differs from the API server, which does not look at them: a blank or
// a line end in one would be another option or another line of the file.
bool is_option_part(std::string_view text) noexcept;
inline constexpr std::string_view OptionPartRule = "printable characters without blanks or '#'";

// What the API server says of the dnsConfig as a whole; nothing when it is admitted.
std::optional<std::string> why_refused(DnsPolicy policy, const DnsConfig& config);

// The Pod's side.
struct PodDns {
  std::string name_space = "default";
  DnsPolicy policy = DnsPolicy::ClusterFirst;
  bool host_network = false;
  std::optional<DnsConfig> config;

  friend bool operator==(const PodDns&, const PodDns&) = default;
};

// The kubelet's side.
struct NodeDns {
  std::vector<IpAddress> cluster_dns;         // clusterDNS; empty: there is none.
  std::string cluster_domain;                 // clusterDomain; empty: there is none.
  std::optional<ResolverFile> host;           // Of the file resolvConf; nothing: resolvConf is "".
  std::vector<kube::IpFamily> families = {};  // Of the node's addresses; matter without `host`.
};

struct PodResolver {
  ResolverFile file;
  // What the kubelet would tell in events of the Pod or the node, beginning with the reason.
  std::vector<std::string> warnings;
};

// The file of a Pod on a node.
PodResolver resolver_of(const PodDns& pod, const NodeDns& node);

// Cuts to MaxNameservers, MaxSearches, MaxSearchLength and MaxSearchListLength, as the kubelet
// does, and says so in `warnings`.
void fit_limits(ResolverFile& file, std::vector<std::string>& warnings);

}  // namespace waypost::node
