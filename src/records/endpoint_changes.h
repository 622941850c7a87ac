// Which endpoints a Service gains and loses when its slices change.
//
// Private to the room.  Most of a slice that changed is as before; only what differs is told.

#pragma once

#include "base/ip_address.h"
#include "cache/service_state.h"
#include "kube/objects.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace waypost::records {

using PortList = std::vector<kube::EndpointPort>;

struct EndpointChanges {
  // One address that one label gains (copies above 0) or loses (below 0).
  struct Change {
    std::string label;  // Empty: it goes by its address.
    bool has_hostname;
    IpAddress address;
    std::uint32_t group;  // In `groups`.
    int copies;           // In slices; never 0.
  };
  std::vector<PortList> groups;  // Each once.
  std::vector<Change> changes;   // In the order of label, address and group, each once.
};

// The ready endpoints of `after` against those of `before`; equal handles are not looked at.  An
// endpoint is labelled with its hostname, with the name of its Pod if `pod_names` and it fits, or
// by its address.
EndpointChanges changes_between(std::span<const cache::SlicePointer> before,
                                std::span<const cache::SlicePointer> after, bool pod_names);

}  // namespace waypost::records
