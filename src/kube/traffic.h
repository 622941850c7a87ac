// What only a Service proxy needs to know of Services and endpoints.
//
// It is decoded when asked for (DecodeOptions::traffic) and stands apart from the rest, so that a
// process that only answers names does not pay for it.
//
// Not here: what it means (proxy/).

#pragma once

#include "base/ip_address.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::kube {

// An immutable part of an object that costs one pointer where there is none.  Copies share it;
// comparison is by value.
template <typename T>
class SharedPart {
 public:
  SharedPart() noexcept = default;
  explicit SharedPart(T value) : part_(std::make_shared<const T>(std::move(value))) {}

  explicit operator bool() const noexcept { return part_ != nullptr; }
  const T& operator*() const noexcept { return *part_; }
  const T* operator->() const noexcept { return part_.get(); }

  friend bool operator==(const SharedPart& a, const SharedPart& b) {
    return a.part_ == b.part_ || (a.part_ && b.part_ && *a.part_ == *b.part_);
  }

 private:
  std::shared_ptr<const T> part_;
};

enum class TrafficPolicy : std::uint8_t { Cluster, Local };

// The part of a Service's spec and status that says how its addresses are reached.
struct ServiceTraffic {
  std::vector<std::uint16_t> node_ports;     // One for each of Service::ports; 0: none.
  std::vector<IpAddress> external_ips;       // spec.externalIPs
  std::vector<IpAddress> load_balancer_ips;  // status.loadBalancer.ingress[].ip, unless ipMode is
                                             // Proxy
  std::vector<IpPrefix> source_ranges;       // spec.loadBalancerSourceRanges, host bits cleared
  TrafficPolicy external_policy = TrafficPolicy::Cluster;  // spec.externalTrafficPolicy
  TrafficPolicy internal_policy = TrafficPolicy::Cluster;  // spec.internalTrafficPolicy
  std::uint32_t affinity_seconds = 0;        // ClientIP affinity and its timeout; 0: none.
  std::uint16_t health_check_node_port = 0;  // 0: none.
  bool has_other_proxy = false;  // Label service.kubernetes.io/service-proxy-name: not for us.

  friend bool operator==(const ServiceTraffic&, const ServiceTraffic&) = default;
};

// Where the endpoints of one slice are, in the order of EndpointSlice::endpoints.  Texts are
// packed, because there are many endpoints and few nodes.
class Placements {
 public:
  // Adds the next endpoint's.  `zone_hints` and `node_hints` are separated by commas, which neither
  // zones nor nodes have in their names; what does not fit into 65535 octets is left out.
  // `is_further`: another address of the endpoint before.
  void add(std::string_view node, std::string_view zone_hints, std::string_view node_hints,
           bool is_further = false);

  std::size_t size() const noexcept { return places_.size(); }
  // nodeName; empty when there is none, or no such endpoint.
  std::string_view node(std::size_t i) const noexcept;
  // Whether it is another address of the endpoint before it.
  bool is_further(std::size_t i) const noexcept { return i < size() && places_[i].is_further; }
  // hints.forZones and hints.forNodes, separated by commas.
  std::string_view zone_hints(std::size_t i) const noexcept;
  std::string_view node_hints(std::size_t i) const noexcept;

  friend bool operator==(const Placements&, const Placements&) = default;

 private:
  struct Place {
    std::uint32_t at = 0;
    std::uint16_t node_size = 0;
    std::uint16_t zone_hints_size = 0;
    std::uint16_t node_hints_size = 0;
    bool is_further = false;
    friend bool operator==(const Place&, const Place&) = default;
  };

  std::string text_;
  std::vector<Place> places_;
};

// Whether `name` is one of `list`, which is separated by commas.  No list has the empty name.
bool has_name(std::string_view list, std::string_view name) noexcept;

struct SliceTraffic {
  Placements placements;
  // Annotation endpoints.kubernetes.io/last-change-trigger-time in Unix milliseconds; 0: none.
  std::int64_t trigger_time_ms = 0;

  friend bool operator==(const SliceTraffic&, const SliceTraffic&) = default;
};

}  // namespace waypost::kube
