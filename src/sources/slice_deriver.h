// EndpointSlices for Services with a selector, made from Pods as the EndpointSlice controller makes
// them.

#pragma once

#include "kube/objects.h"

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace waypost::sources {

// Pods by namespace and label.
class PodIndex {
 public:
  // `pod` is borrowed until remove().
  void add(const kube::Pod& pod);
  void remove(const kube::Pod& pod) noexcept;

  // The Pods of a namespace that match, in the order of their names.  An empty selector finds none:
  // a Service without selector has no Pods.  Costs the Pods that share the rarest of its labels.
  std::vector<const kube::Pod*> find(const std::string& name_space,
                                     const kube::Labels& selector) const;

 private:
  using Label = std::pair<std::string, std::string>;
  using PodsByName = std::map<std::string, const kube::Pod*>;
  std::unordered_map<std::string, std::map<Label, PodsByName>> namespaces_;
};

// Makes the slices of `service` from `pods`, which match its selector: for each of `families` one
// slice for each set of ports that Pods resolve the Service's ports to.  Pods that are over, or
// have no address of the family, are left out.  Slice names depend on the Service's name, the
// family and the ports alone.
std::vector<kube::EndpointSlice> derive_slices(const kube::Service& service,
                                               const std::vector<const kube::Pod*>& pods,
                                               const std::vector<kube::IpFamily>& families);

}  // namespace waypost::sources
