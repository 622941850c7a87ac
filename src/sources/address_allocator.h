// Cluster IPs for Services whose manifests leave them out, as a cluster's API server would give
// them.
//
// What a Service gets follows from its name and from the other Services alone, not from the order
// of edits: every start and every replica finds the same addresses.

#pragma once

#include "base/ip_address.h"
#include "kube/objects.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace waypost::sources {

// Gives out addresses of one prefix.
class AddressRange {
 public:
  explicit AddressRange(const IpPrefix& prefix) noexcept;

  // Takes an address out, whether it is in the prefix or not.  Returns false when it is out
  // already.
  bool reserve(const IpAddress& address) { return taken_.insert(address).second; }

  // Takes the free address that `name` leads to, or the next free one.  Never the first address of
  // the prefix, nor an IPv4 prefix's last; the low end, where people put addresses of their own
  // choice, only when nothing else is left (KEP-3070).  Nothing when all are taken.
  std::optional<IpAddress> take(std::string_view name);

  const IpPrefix& prefix() const noexcept { return prefix_; }

 private:
  IpAddress at(std::uint64_t offset) const noexcept;

  IpPrefix prefix_;
  std::uint64_t first_ = 0;    // Offsets from the prefix's base; the range is empty when
  std::uint64_t dynamic_ = 0;  // first_ > last_.  From dynamic_ on the choice is ours.
  std::uint64_t last_ = 0;
  std::unordered_set<IpAddress, IpAddressHash> taken_;
};

// The families that a Service's cluster IPs and slices have, in order.  `available` are the
// families of the service CIDRs, in their order.  PreferDualStack is content with one family, the
// others are not.
std::vector<kube::IpFamily> wanted_families(const kube::Service& service,
                                            const std::vector<kube::IpFamily>& available);

// The families of `cidrs` in their order.
std::vector<kube::IpFamily> families_of(const std::vector<IpPrefix>& cidrs);

struct AddressPlan {
  // Cluster IPs of the Services that have to have some beyond those in their manifests, all of
  // them.
  std::unordered_map<kube::ObjectKey, std::vector<IpAddress>, kube::ObjectKeyHash> addresses;
  struct Problem {
    kube::ObjectKey service;
    std::string message;  // "spec.clusterIP: 10.96.0.5 is used by Service shop/web too"
  };
  std::vector<Problem> problems;
};

// Plans for all `services`.  Addresses in manifests come first, whatever their Service's name.
AddressPlan plan_addresses(
    const std::map<kube::ObjectKey, std::shared_ptr<const kube::Service>>& services,
    const std::vector<IpPrefix>& cidrs);

}  // namespace waypost::sources
