#include "records/endpoint_changes.h"

#include "dns/types.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace waypost::records {
namespace {

using Change = EndpointChanges::Change;

std::string_view label_of(const kube::EndpointSlice& slice, const kube::Endpoint& endpoint,
                          bool pod_names) {
  if (const std::string_view hostname = slice.hostname(endpoint); !hostname.empty()) {
    return hostname;
  }
  const std::string_view pod = slice.pod_name(endpoint);
  // A Pod's name may have dots or be longer than a label; such a Pod goes by its address.
  const bool fits = pod.size() <= dns::MaxLabelSize && pod.find('.') == std::string_view::npos;
  return pod_names && fits ? pod : std::string_view();
}

std::uint32_t group_of(const PortList& ports, std::vector<PortList>& groups) {
  const auto at = std::find(groups.begin(), groups.end(), ports);
  const auto index = static_cast<std::uint32_t>(at - groups.begin());
  if (at == groups.end()) {
    groups.push_back(ports);
  }
  return index;
}

auto identity(const Change& change) {
  return std::tie(change.label, change.address, change.group);
}

}  // namespace

EndpointChanges changes_between(std::span<const cache::SlicePointer> before,
                                std::span<const cache::SlicePointer> after, bool pod_names) {
  EndpointChanges result;
  std::vector<Change> all;
  const auto add = [&](std::span<const cache::SlicePointer> these,
                       std::span<const cache::SlicePointer> those, int copies) {
    for (const cache::SlicePointer& slice : these) {
      if (std::find(those.begin(), those.end(), slice) != those.end()) {
        continue;
      }
      const std::uint32_t group = group_of(slice->ports, result.groups);
      all.reserve(all.size() + slice->endpoints.size());
      for (const kube::Endpoint& endpoint : slice->endpoints) {
        if (endpoint.ready) {
          all.push_back({std::string(label_of(*slice, endpoint, pod_names)),
                         !slice->hostname(endpoint).empty(), endpoint.address, group, copies});
        }
      }
    }
  };
  add(before, after, -1);
  add(after, before, 1);

  std::sort(all.begin(), all.end(),
            [](const Change& a, const Change& b) { return identity(a) < identity(b); });
  // What one slice loses and another gains is no change; most of an updated slice is that.
  for (Change& change : all) {
    auto& net = result.changes;
    if (!net.empty() && identity(net.back()) == identity(change)) {
      net.back().copies += change.copies;
      net.back().has_hostname = net.back().has_hostname || change.has_hostname;
    } else {
      net.push_back(std::move(change));
    }
  }
  std::erase_if(result.changes, [](const Change& change) { return change.copies == 0; });
  return result;
}

}  // namespace waypost::records
