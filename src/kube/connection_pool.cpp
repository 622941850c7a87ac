#include "kube/connection_pool.h"

#include <utility>

namespace waypost::kube {

std::optional<ConnectionPool::Lease> ConnectionPool::lease() {
  if (leases_ >= max_leases_) {
    return std::nullopt;
  }
  return Lease(shared_from_this());
}

std::shared_ptr<ApiStream> ConnectionPool::take(const TlsContext& tls) {
  const auto oldest = std::chrono::steady_clock::now() - max_age_;
  std::erase_if(idle_, [&](const Idle& idle) {
    if (idle.since < oldest || idle.stream->tls_context() != tls) {
      return true;
    }
    const bool is_stale = idle.stream->is_stale();
    stale_ += is_stale ? 1 : 0;
    return is_stale;
  });
  if (idle_.empty()) {
    return nullptr;
  }
  auto stream = std::move(idle_.back().stream);
  idle_.pop_back();
  return stream;
}

void ConnectionPool::keep(std::shared_ptr<ApiStream> stream) {
  if (idle_.size() >= max_idle_) {
    idle_.erase(idle_.begin());
  }
  stream->rest();
  idle_.push_back({std::move(stream), std::chrono::steady_clock::now()});
}

}  // namespace waypost::kube
