#include "ops/forwarding.h"

#include "base/file.h"
#include "base/log.h"

#include <boost/asio/post.hpp>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

// An event of the resolver's thread; the logger may be used by any.
void log_event(const resolver::UpstreamEvent& event) {
  if (event.is_problem()) {
    log::warn("{}", event.to_text());
  } else {
    log::info("{}", event.to_text());
  }
}

}  // namespace

Forwarding::Forwarding(asio::io_context& context, server::Views& views, const ForwardConfig& config)
    : control_(context),
      views_(views),
      config_(config),
      cache_(config.cache_size),
      forwarder_(context_.get_executor(), clock_, random_, log_event),
      resolver_(cache_, clock_, elsewhere(), config.resolver),
      recursion_(context_, resolver_, views, random_.next()) {}

Forwarding::~Forwarding() {
  stop();
}

resolver::Elsewhere Forwarding::elsewhere() {
  return {.ask = [this](const resolver::Question& question, SteadyTime deadline,
                        auto done) { forwarder_.ask(question, deadline, std::move(done)); },
          .can_ask =
              [this](const resolver::Question& question) {
                return forwarder_.has_upstreams(question.name);
              },
          .is_probe =
              [this](const resolver::Question& question) { return forwarder_.is_probe(question); }};
}

Result<void> Forwarding::start() {
  if (auto started = recursion_.start(); !started) {
    return started;
  }
  watch();
  publish();
  return {};
}

void Forwarding::configure(const ForwardConfig& config) {
  config_ = config;
  watch();
  publish();
}

void Forwarding::stop() {
  views_.answers.store(nullptr, std::memory_order_release);
  recursion_.stop();
}

void Forwarding::watch() {
  watch_.reset();
  if (config_.resolv_confs.empty()) {
    return;
  }
  watch_.emplace(control_, [this] { publish(); });
  for (const std::filesystem::path& file : config_.resolv_confs) {
    const auto added = watch_->add(file.parent_path());
    if (!added) {
      log::warn("{}; its changes are not seen", added.error().message);
    }
  }
}

// Hands the resolver's thread what is in force now.
void Forwarding::publish() {
  resolver::ForwardTable table{config_.upstreams, config_.stub_domains};
  resolver::ForwarderOptions options = config_.options;
  std::string problems;
  for (const std::filesystem::path& file : config_.resolv_confs) {
    const auto text = read_file(file);
    if (!text) {
      // Gone for a moment, while somebody writes it: what was in force stays.
      log::warn("{}; its name servers stay as they were", text.error().message);
      return;
    }
    const resolver::ResolvConf read = resolver::read_resolv_conf(*text, file.string());
    table.upstreams.insert(table.upstreams.end(), read.upstreams.begin(), read.upstreams.end());
    for (const std::string& problem : read.problems) {
      problems += problem + "\n";
    }
    if (read.rotate) {
      options.policy = resolver::Policy::RoundRobin;
    }
    if (read.upstreams.empty()) {
      problems += file.string() + ": it names no server\n";
    }
  }
  if (problems != std::exchange(told_, problems) && !problems.empty()) {
    log::warn("{}", problems.substr(0, problems.size() - 1));
  }
  asio::post(context_, [this, options, table = std::move(table), with = config_.resolver] {
    if (const auto configured = forwarder_.configure(options, table); !configured) {
      log::error("{}; the upstreams stay as they were", configured.error().message);
      return;
    }
    resolver_.set_options(with);
    resolver_.forget_failures();
  });
  // Behind it, so that the first query finds upstreams.
  views_.answers.store(config_.is_on() ? &cache_ : nullptr, std::memory_order_release);
}

void Forwarding::collect(Scrape& scrape) const {
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  scrape.gauge("waypost_cache_entries", "Answers in the cache.", number(cache_.entries()));
  scrape.gauge("waypost_cache_bytes", "Size of the answers in the cache.", number(cache_.bytes()));
  scrape.counter("waypost_cache_evictions_total", "Answers that had to make room for others.",
                 number(cache_.evictions()));
  const resolver::ResolverCounters& counters = resolver_.counters();
  scrape.gauge("waypost_forward_in_flight", "Questions that upstreams are being asked.",
               number(counters.started.value() - counters.finished.value()));
  struct Row {
    const char* name;
    const char* help;
    const Counter& counter;
  };
  for (const Row& row : {
           Row{"waypost_forward_questions_total", "Questions that upstreams were asked.",
               counters.started},
           Row{"waypost_forward_failures_total", "Questions that no upstream answered.",
               counters.failed},
           Row{"waypost_forward_coalesced_total",
               "Queries that waited for a question that was under way.", counters.coalesced},
           Row{"waypost_forward_overloaded_total",
               "Queries that were refused because too many questions were under way.",
               counters.overloaded},
           Row{"waypost_forward_remembered_failures_total",
               "Queries that failed at once, because the question had failed a moment before.",
               counters.remembered},
           Row{"waypost_cache_served_stale_total", "Queries that got an expired answer.",
               counters.stale},
           Row{"waypost_cache_prefetches_total",
               "Popular answers that were asked for again before they expired.",
               counters.prefetches},
       }) {
    scrape.counter(row.name, row.help, number(row.counter.value()));
  }
}

}  // namespace waypost::ops
