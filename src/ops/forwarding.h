// Names that nobody here owns: the cache, the upstreams and the thread that asks them, as the
// configuration says.
//
// Not here: how upstreams are asked (resolver/), how a query gets there (server/recursion.h).

#pragma once

#include "base/alarm.h"
#include "base/error.h"
#include "base/random.h"
#include "ops/followed_files.h"
#include "ops/metrics.h"
#include "resolver/answer_cache.h"
#include "resolver/forwarder.h"
#include "resolver/resolver.h"
#include "server/recursion.h"
#include "server/responder.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace waypost::ops {

// What an operator chose.
struct ForwardConfig {
  std::vector<resolver::UpstreamAddress> upstreams;
  // Absolute; their servers come behind the upstreams.
  std::vector<std::filesystem::path> resolv_confs;
  std::vector<resolver::StubDomain> stub_domains;
  resolver::ForwarderOptions options;
  resolver::ResolverOptions resolver;
  std::size_t cache_size = 0;  // Octets.
  resolver::CacheTimes cache_times;

  bool is_on() const noexcept {
    return !upstreams.empty() || !resolv_confs.empty() || !stub_domains.empty();
  }
};

// Made, configured and stopped by the control thread.
class Forwarding {
 public:
  // `context` is the control thread's; both are borrowed and outlive this object.  The cache's size
  // is settled here.
  Forwarding(boost::asio::io_context& context, server::Views& views, const ForwardConfig& config);
  ~Forwarding();
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  // For Server::start().
  server::Recursion& recursion() noexcept { return recursion_; }

  // To be called before the server starts: from here on queries for other servers are taken, and
  // wait for start().
  void offer();
  // Begins, once the server has started: names are resolved, those first that wait.
  Result<void> start();
  // Puts `config` in force; files that it names are read and followed, also if they are not there
  // yet.
  void configure(const ForwardConfig& config);
  // Ends the thread, before the server's sockets close.
  void stop();

  // Questions that other servers are being asked.
  std::uint64_t in_flight() const noexcept { return resolver_.counters().in_flight(); }

  // As ops/forward_metrics.h; what upstreams count is waited for, for a tenth of a second at most.
  void collect(Scrape& scrape, std::span<const server::Counters* const> workers,
               std::string_view server);
  // As they are now, or were when the resolver's thread last had the time to say: it is waited for
  // as by collect().  Good until the next call of either.
  const std::vector<resolver::UpstreamReport>& upstreams();
  const resolver::AnswerCache& cache() const noexcept { return cache_; }
  // As FlushCache (ops/control.h), within a second.
  std::optional<std::size_t> flush(const dns::NameKey& name, bool below);
  const server::Counters& counters() const noexcept { return recursion_.counters(); }

 private:
  void publish();
  template <typename Make>
  auto ask_thread(Make make, std::chrono::milliseconds patience)
      -> std::optional<std::invoke_result_t<Make>>;
  resolver::Elsewhere elsewhere();

  server::Views& views_;
  ForwardConfig config_;
  FollowedFiles files_;
  bool is_running_ = false;
  std::vector<resolver::UpstreamReport> upstreams_;  // As they were last reported.
  std::string told_;                                 // What was last said about resolv.conf files.

  // From here on used by the resolver's thread, once it runs.
  boost::asio::io_context context_{1};
  SystemAlarmClock clock_{context_.get_executor()};
  SystemRandom random_;
  resolver::AnswerCache cache_;
  resolver::Forwarder forwarder_;
  resolver::Resolver resolver_;
  server::Recursion recursion_;
};

}  // namespace waypost::ops
