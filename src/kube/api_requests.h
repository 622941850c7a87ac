// How requests to an API server went, by what client-go counts of them.
//
// Not here: what metrics call it (ops/metric_collectors.h), connections (kube/api_client.h).

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace waypost::kube {

// Used on the thread of the client that counts here.
class ApiRequests {
 public:
  // Upper bounds of durations in seconds: those of CoreDNS, which are Prometheus' by default.
  static constexpr std::array<double, 11> Bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                 0.5,   1,    2.5,   5,    10};
  // Statuses that are told apart, NoResponse among them.  A server that sends more of them has the
  // others in one.
  static constexpr std::size_t MaxStatuses = 24;
  // In place of a status: there was no response, or one with a status beyond MaxStatuses.
  static constexpr unsigned NoResponse = 0;
  static constexpr unsigned OtherStatus = 1000;

  // `host` is the server's, as ApiEndpoint::authority() has it.
  explicit ApiRequests(std::string host);

  // One request, tries with other connections or credentials included, that took `duration` until
  // the head of the response was there, or until it had failed.
  void note(unsigned status, std::chrono::nanoseconds duration);

  const std::string& host() const noexcept { return host_; }
  // By status; NoResponse and 200 are there from the beginning.
  const std::map<unsigned, std::uint64_t>& by_status() const noexcept { return by_status_; }
  // By Bounds, not cumulative; the last one is for what is longer than all.
  std::span<const std::uint64_t> durations() const noexcept { return durations_; }
  double sum_seconds() const noexcept { return sum_; }

 private:
  const std::string host_;
  std::map<unsigned, std::uint64_t> by_status_;
  std::array<std::uint64_t, Bounds.size() + 1> durations_{};
  double sum_ = 0;
};

}  // namespace waypost::kube
