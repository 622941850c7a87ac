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

// True when the two say the same of an address, whatever else differs.
bool is_same(const kube::EndpointSlice& left, const kube::Endpoint& one,
             const kube::EndpointSlice& right, const kube::Endpoint& other, bool pod_names) {
  return one.ready == other.ready &&
         (!one.ready || (one.address == other.address &&
                         left.hostname(one).empty() == right.hostname(other).empty() &&
                         label_of(left, one, pod_names) == label_of(right, other, pod_names)));
}

// Endpoints of a slice that another slice may not have.
struct Part {
  const kube::EndpointSlice* slice;
  std::span<const kube::Endpoint> endpoints;
};

// The slices among `these` that are not among `those`.
std::vector<Part> parts_of(std::span<const cache::SlicePointer> these,
                           std::span<const cache::SlicePointer> those) {
  std::vector<Part> parts;
  for (const cache::SlicePointer& slice : these) {
    if (std::find(those.begin(), those.end(), slice) == those.end()) {
      parts.push_back({slice.get(), slice->endpoints});
    }
  }
  return parts;
}

// Leaves out how both begin and how both end: most of a slice that was changed, and so neither
// copied nor sorted.
void trim(Part& before, Part& after, bool pod_names) {
  if (before.slice->key != after.slice->key || before.slice->ports != after.slice->ports) {
    return;
  }
  std::size_t common = std::min(before.endpoints.size(), after.endpoints.size());
  const auto same = [&](const kube::Endpoint& one, const kube::Endpoint& other) {
    return is_same(*before.slice, one, *after.slice, other, pod_names);
  };
  while (common > 0 && same(before.endpoints.front(), after.endpoints.front())) {
    before.endpoints = before.endpoints.subspan(1);
    after.endpoints = after.endpoints.subspan(1);
    --common;
  }
  while (common > 0 && same(before.endpoints.back(), after.endpoints.back())) {
    before.endpoints = before.endpoints.first(before.endpoints.size() - 1);
    after.endpoints = after.endpoints.first(after.endpoints.size() - 1);
    --common;
  }
}

}  // namespace

EndpointChanges changes_between(std::span<const cache::SlicePointer> before,
                                std::span<const cache::SlicePointer> after, bool pod_names) {
  EndpointChanges result;
  std::vector<Part> lost = parts_of(before, after);
  std::vector<Part> gained = parts_of(after, before);
  // Both are in the order of the slices' names.
  for (std::size_t i = 0; i < std::min(lost.size(), gained.size()); ++i) {
    trim(lost[i], gained[i], pod_names);
  }
  std::vector<Change> all;
  const auto add = [&](std::span<const Part> parts, int copies) {
    for (const auto& [slice, endpoints] : parts) {
      const std::uint32_t group = group_of(slice->ports, result.groups);
      all.reserve(all.size() + endpoints.size());
      for (const kube::Endpoint& endpoint : endpoints) {
        if (endpoint.ready) {
          all.push_back({std::string(label_of(*slice, endpoint, pod_names)),
                         !slice->hostname(endpoint).empty(), endpoint.address, group, copies});
        }
      }
    }
  };
  add(lost, -1);
  add(gained, 1);

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
