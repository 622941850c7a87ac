// The kernel's connection tracking table, walked and weeded through netlink.
//
// Not here: which entries are stale (proxy/stale_flows.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "kube/objects.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace waypost::proxy {

// One entry, as far as a Service proxy looks at it.
struct Flow {
  kube::Protocol protocol = kube::Protocol::Udp;
  SocketAddress from;        // The original direction.
  SocketAddress to;          // Before translation: a Service's address, perhaps.
  SocketAddress replied_by;  // Who answers, or would: the endpoint, when it was translated.
  std::uint32_t id = 0;      // The entry's, as long as it lives.
  bool is_syn_sent = false;  // TCP, and nothing but the first packet was seen.
};

struct SweepCounts {
  std::size_t seen = 0;
  std::size_t deleted = 0;
  std::size_t failed = 0;  // Deletions that the kernel refused; one that is gone already is none.
};

// Visits every entry of TCP, UDP and SCTP of one family and deletes those for which `is_stale`
// holds. Entries are taken as they come, 32 KiB at a time, and other work of this thread runs in
// between: neither memory nor anybody's waiting depends on how many there are.
boost::asio::awaitable<Result<SweepCounts>> sweep_flows(kube::IpFamily family,
                                                        std::function<bool(const Flow&)> is_stale);

}  // namespace waypost::proxy
