// The connections of one client: those that wait for another request, and how many are in use.

#pragma once

#include "kube/api_stream.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace waypost::kube {

// Used on one thread; shared by the client and its exchanges, which may outlive it.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  // The right to one exchange; it ends with this object.
  class Lease {
   public:
    explicit Lease(std::shared_ptr<ConnectionPool> pool) : pool_(std::move(pool)) {
      ++pool_->leases_;
    }
    ~Lease() {
      if (pool_) {
        --pool_->leases_;
      }
    }
    Lease(Lease&& other) noexcept : pool_(std::move(other.pool_)) {}
    Lease& operator=(Lease&&) = delete;

   private:
    std::shared_ptr<ConnectionPool> pool_;
  };

  ConnectionPool(std::size_t max_leases, std::size_t max_idle, std::chrono::milliseconds max_age)
      : max_leases_(max_leases), max_idle_(max_idle), max_age_(max_age) {}

  // Nothing when there are `max_leases` already.
  std::optional<Lease> lease();

  // A kept connection that was made with `tls` and looks usable, or nullptr; the newest one, so
  // that others grow old.  Those that are too old, were closed by the server, or belong to another
  // context are dropped.
  std::shared_ptr<ApiStream> take(const TlsContext& tls);

  // Takes back a connection on which nothing is under way.  Beyond `max_idle` the oldest is closed.
  void keep(std::shared_ptr<ApiStream> stream);

  // How many take() found closed by the server.
  std::uint64_t stale() const noexcept { return stale_; }

 private:
  struct Idle {
    std::shared_ptr<ApiStream> stream;
    ApiStream::TimePoint since;
  };

  std::size_t max_leases_;
  std::size_t max_idle_;
  std::chrono::milliseconds max_age_;
  std::size_t leases_ = 0;
  std::uint64_t stale_ = 0;
  std::vector<Idle> idle_;  // The newest is the last.
};

}  // namespace waypost::kube
