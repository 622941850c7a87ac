#include "kube/api_requests.h"

#include <algorithm>
#include <utility>

namespace waypost::kube {

ApiRequests::ApiRequests(std::string host)
    : host_(std::move(host)), by_status_{{NoResponse, 0}, {200, 0}} {}

void ApiRequests::note(unsigned status, std::chrono::nanoseconds duration) {
  const bool has_room = by_status_.contains(status) || by_status_.size() < MaxStatuses;
  ++by_status_[has_room ? status : OtherStatus];
  const double seconds = std::chrono::duration<double>(duration).count();
  const auto bound = std::ranges::lower_bound(Bounds, seconds);
  ++durations_[static_cast<std::size_t>(bound - Bounds.begin())];
  sum_ += seconds;
}

}  // namespace waypost::kube
