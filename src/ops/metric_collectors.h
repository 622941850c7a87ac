// What the parts of the program count, as metrics: names, units and words.
//
// Each function adds the current values of one part to a scrape; docs/metrics.md has the list.
// CoreDNS' names and labels are used for what means the same there, without the labels that are not
// counted here; everything else begins with "waypost_", or "process_" as in every client library.

#pragma once

#include "base/ip_address.h"
#include "cache/service_cache.h"
#include "kube/api_requests.h"
#include "ops/config.h"
#include "ops/config_follower.h"
#include "ops/http_server.h"
#include "ops/metrics.h"
#include "ops/process_status.h"
#include "ops/snapshot_keeper.h"
#include "ops/takeover.h"
#include "search/pod_directory.h"
#include "server/counters.h"
#include "sources/kind_status.h"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace waypost::ops {

void collect_build(Scrape& scrape);

// What CoreDNS calls the server of these addresses, of which there is one at least: with one that
// is no wildcard "dns://169.254.20.10:53", else "dns://:53", with the port of the first.  Workers
// do not tell addresses apart, where CoreDNS has a server for each.
std::string server_label(std::span<const SocketAddress> addresses);

// Which of CoreDNS' plugins the configuration stands for; `server` is server_label().
void collect_plugins(Scrape& scrape, const Config& config, std::string_view server);

void collect_reloads(Scrape& scrape, const ReloadStatus& status);

void collect_process(Scrape& scrape, const ProcessStatus& status);

// Sums over all workers.
void collect_server(Scrape& scrape, std::span<const server::Counters* const> workers,
                    std::string_view server);

// What search completion did; `server` as above.
void collect_searches(Scrape& scrape, std::span<const server::Counters* const> workers,
                      const search::PodDirectory& pods, std::string_view server);

void collect_world(Scrape& scrape, const cache::ServiceCache& cache);

void collect_http(Scrape& scrape, const HttpCounters& counters);

void collect_snapshot(Scrape& scrape, const SnapshotStatus& status,
                      std::chrono::system_clock::time_point now);

// `failed` is Successor::failures().
void collect_takeover(Scrape& scrape, const TakeoverCounts& counts, std::uint64_t failed);

void collect_api_requests(Scrape& scrape, const kube::ApiRequests& requests);

// `now` is on the clock of the times in `kinds`.
void collect_source(Scrape& scrape, std::span<const sources::KindStatus* const> kinds,
                    SteadyTime now);

}  // namespace waypost::ops
