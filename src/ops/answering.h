// What a program that answers DNS does, wherever the cluster's objects come from: policy, static
// zones, names that are asked elsewhere, the sockets and their threads, and what they count.
//
// Not here: the cluster's names, which the program publishes in `views.index` itself, and when the
// program comes and goes (ops/life_cycle.h, ops/node_dns.h).

#pragma once

#include "base/error.h"
#include "base/owned_fd.h"
#include "dns/edns.h"
#include "ops/config.h"
#include "ops/control.h"
#include "ops/folder_watch.h"
#include "ops/forwarding.h"
#include "ops/metrics.h"
#include "ops/problem_log.h"
#include "ops/query_log_writer.h"
#include "ops/query_rules.h"
#include "records/publisher.h"
#include "search/pod_directory.h"
#include "server/inheritance.h"
#include "server/responder.h"
#include "server/server.h"
#include "zones/zone_set.h"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {

// Control thread only.
class Answering {
 public:
  // Who has the cluster's zone, for transfers of it.
  using FindPublisher = std::function<const records::Publisher&()>;

  // Reads and follows static zones and publishes what `config` says.  `context` is the control
  // thread's; it and `views` are borrowed and outlive this object.  `secret` as QueryRules has it.
  Answering(boost::asio::io_context& context, server::Views& views, const Config& config,
            const std::optional<dns::CookieMaker::Secret>& secret = {});
  // As stop().
  ~Answering();
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  // Opens sockets, or takes those of `inheritance` as Server::start() does, and starts the threads.
  // REQUIRES: views.index is set, and there are as many workers as `config` said.
  Result<void> start(const server::Options& options, FindPublisher publisher,
                     server::Inheritance* inheritance = nullptr);
  // Between start() and stop().
  bool is_running() const noexcept { return server_ != nullptr; }
  // Puts `next` in force, but for what is settled at start.
  void configure(const Config& next);
  // As QueryRules::look_at().
  void look_at(const cache::ServiceCache& cache) { rules_.look_at(cache); }
  // Reads the static zones and the files of hosts again.
  void reload_files();

  // Answers what has arrived over TCP and closes connections.
  void drain() { server_->drain_tcp(); }
  // Whether nobody is connected and no upstream is being asked.
  bool is_drained() const;
  // As Server's, for a process that takes the place of this one, and in that process; while this
  // object is running.
  std::vector<int> sockets() const { return server_->sockets(); }
  void hand_over(const server::TakeConnection& take) { server_->hand_over(take); }
  void adopt(OwnedFd connection, std::vector<std::uint8_t> read) {
    server_->adopt(std::move(connection), std::move(read));
  }
  const dns::CookieMaker::Secret& own_secret() const noexcept { return rules_.own_secret(); }
  // Ends the threads and closes the sockets.
  void stop();

  const zones::ZoneSet& zones() const noexcept { return *zones_; }
  // With real ports; valid while the server runs.
  const std::vector<SocketAddress>& addresses() const noexcept { return server_->addresses(); }
  // Those of every worker, while there are some, and of what the resolver's thread answered; valid
  // while the server runs.
  std::vector<const server::Counters*> counters() const;
  // As Server::drain_samples(); none while no server runs.
  std::uint64_t drain_samples(const std::function<void(const server::QuerySample&)>& use) {
    return is_running() ? server_->drain_samples(use) : 0;
  }
  Forwarding& forwarding() noexcept { return forwarding_; }
  // So far, of both protocols.
  std::uint64_t queries() const;
  // Everything that was counted, for people: one line.
  std::string totals() const;
  // As server_label().
  std::string label() const;
  // As docs/metrics.md.
  void collect(Scrape& scrape);
  void collect_searches(Scrape& scrape, const search::PodDirectory& pods) const;
  FlushCache flush();

 private:
  void load_zones();
  void reload_zones();
  void watch_zones();
  server::TransferSource transfer_source(FindPublisher publisher);

  boost::asio::io_context& context_;
  server::Views& views_;
  std::vector<std::filesystem::path> zone_folders_;
  bool built_in_zones_;
  std::vector<dns::Name> stub_zones_;  // Which other servers are asked for.
  ProblemLog zone_problems_{"static zones"};
  const std::size_t readers_;  // Threads that have a place in the rules.
  QueryRules rules_;
  QueryLogWriter query_log_;
  std::unique_ptr<const zones::ZoneSet> zones_;
  Forwarding forwarding_;  // Stopped before the server, destroyed after it.
  std::unique_ptr<server::Server> server_;
  std::optional<FolderWatch> zone_watch_;
};

}  // namespace waypost::ops
