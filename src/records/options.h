// What an operator may choose about the cluster zone's records.

#pragma once

#include "base/ip_address.h"
#include "dns/name.h"
#include "kube/selector.h"

#include <cstdint>
#include <string>
#include <vector>

namespace waypost::records {

// Names of the form 10-244-1-5.shop.pod.cluster.local.
enum class PodsMode : std::uint8_t {
  Disabled,  // None exist.
  Insecure,  // Every address, in every namespace that exists.
  Verified,  // Addresses of running Pods of that namespace, all of status.podIPs.
};

// PTR records of an endpoint address that several Services share.
enum class PtrMode : std::uint8_t { All, Single };

struct Options {
  bool is_served = true;                 // False: the cluster has no zone here.
  dns::Name zone;                        // The cluster domain, "cluster.local".
  std::vector<dns::Name> reverse_zones;  // Where PTR records live: in-addr.arpa, ip6.arpa.
  std::uint32_t ttl = 5;                 // Of positive answers, seconds, 0..3600.
  std::uint32_t negative_ttl = 5;        // The SOA's minimum (RFC 2308), seconds.
  PodsMode pods = PodsMode::Disabled;
  PtrMode ptr = PtrMode::All;
  bool endpoint_pod_names = false;     // An endpoint without hostname is named after its Pod.
  bool ignore_empty_services = false;  // A ClusterIP Service without ready endpoints has no name.
  // Names below these that the cluster does not have are asked elsewhere, if anybody is.  They may
  // lie above or below the cluster's zones.
  std::vector<dns::Name> fallthrough_zones;
  std::vector<IpPrefix> service_cidrs;   // Where ClusterIPs may be, for Index::may_have().
  std::vector<std::string> namespaces;   // Only these; empty: all.
  kube::Selector namespace_labels;       // Only Namespaces that match.
  kube::Selector labels;                 // Only Services that match.
  std::vector<IpAddress> own_addresses;  // Where this server is reached: for NS and ns.dns.

  friend bool operator==(const Options&, const Options&) = default;
};

}  // namespace waypost::records
