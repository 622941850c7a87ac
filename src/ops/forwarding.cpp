#include "ops/forwarding.h"

#include "base/log.h"
#include "ops/forward_metrics.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <future>
#include <memory>
#include <string_view>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds ReportPatience{100};
constexpr std::chrono::milliseconds FlushPatience{1000};

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
    : views_(views),
      config_(config),
      files_(context, [this] { publish(); }),
      cache_(config.cache_size),
      forwarder_(context_.get_executor(), clock_, random_, log_event),
      resolver_(cache_, clock_, elsewhere(), config.resolver),
      recursion_(context_, resolver_, views, random_.next()) {}

Forwarding::~Forwarding() {
  stop();
}

resolver::Elsewhere Forwarding::elsewhere() {
  return {.ask = [this](const resolver::Question& question, resolver::Effort effort,
                        auto done) { forwarder_.ask(question, effort, std::move(done)); },
          .can_ask =
              [this](const resolver::Question& question) {
                return forwarder_.has_upstreams(question.name);
              },
          .is_probe =
              [this](const resolver::Question& question) { return forwarder_.is_probe(question); }};
}

void Forwarding::offer() {
  files_.follow(config_.resolv_confs);
  publish();
}

Result<void> Forwarding::start() {
  if (auto started = recursion_.start(); !started) {
    return started;
  }
  is_running_ = true;
  return {};
}

void Forwarding::configure(const ForwardConfig& config) {
  config_ = config;
  offer();
}

void Forwarding::stop() {
  is_running_ = false;
  files_.stop();
  views_.answers.store(nullptr, std::memory_order_release);
  recursion_.stop();
}

// Hands the resolver's thread what is in force now.
void Forwarding::publish() {
  resolver::ForwardTable table{config_.upstreams, config_.stub_domains};
  resolver::ForwarderOptions options = config_.options;
  std::string problems;
  const auto add_problem = [&](const std::string& problem) {
    problems += (problems.empty() ? "" : "\n") + problem;
  };
  for (const FollowedFile& file : files_.files()) {
    if (!file.problem.empty()) {
      add_problem(file.problem + (file.was_read ? "; its name servers stay as they were"
                                                : "; it is looked for until it is there"));
    }
    if (!file.was_read) {
      continue;
    }
    const resolver::ResolvConf read = resolver::read_resolv_conf(file.text, file.path.string());
    table.upstreams.insert(table.upstreams.end(), read.upstreams.begin(), read.upstreams.end());
    for (const std::string& problem : read.problems) {
      add_problem(problem);
    }
    if (read.rotate) {
      options.policy = resolver::Policy::RoundRobin;
    }
    if (read.upstreams.empty()) {
      add_problem(file.path.string() + ": it names no server");
    }
  }
  if (problems != std::exchange(told_, problems)) {
    for (std::string_view rest = problems; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      log::warn("{}", rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  // Those who asked for forwarding are told why there is none; a stub domain alone is no such wish.
  std::string nobody = table.upstreams.empty() && !files_.files().empty()
                           ? "no server can be asked: " + problems.substr(0, problems.find('\n'))
                           : "";
  asio::post(context_, [this, options, table = std::move(table), with = config_.resolver,
                        times = config_.cache_times, nobody = std::move(nobody)]() mutable {
    if (const auto configured = forwarder_.configure(options, table); !configured) {
      log::error("{}; the upstreams stay as they were", configured.error().message);
      return;
    }
    cache_.set_times(times);
    resolver_.set_options(with);
    resolver_.set_nobody(std::move(nobody));
    resolver_.forget_failures();
  });
  // Behind it, so that the first query finds upstreams.
  views_.answers.store(config_.is_on() ? &cache_ : nullptr, std::memory_order_release);
}

// What `make` returns on the resolver's thread, or nothing when that takes too long or there is no
// such thread.
template <typename Make>
auto Forwarding::ask_thread(Make make, std::chrono::milliseconds patience)
    -> std::optional<std::invoke_result_t<Make>> {
  if (!is_running_) {
    return std::nullopt;
  }
  auto promise = std::make_shared<std::promise<std::invoke_result_t<Make>>>();
  auto future = promise->get_future();
  asio::post(context_, [promise, make = std::move(make)] { promise->set_value(make()); });
  if (future.wait_for(patience) != std::future_status::ready) {
    return std::nullopt;
  }
  return future.get();
}

void Forwarding::collect(Scrape& scrape, std::span<const server::Counters* const> workers,
                         std::string_view server) {
  collect_resolver(scrape, cache_, resolver_.counters());
  collect_cache(scrape, cache_, resolver_.counters(), workers, server);
  collect_upstreams(scrape, upstreams(), forwarder_.without_good_upstream());
}

const std::vector<resolver::UpstreamReport>& Forwarding::upstreams() {
  if (auto fresh = ask_thread([this] { return forwarder_.report(); }, ReportPatience)) {
    upstreams_ = std::move(*fresh);
  }
  return upstreams_;
}

std::optional<std::size_t> Forwarding::flush(const dns::NameKey& name, bool below) {
  return ask_thread(
      [this, name, below] {
        resolver_.forget_failures();
        return cache_.flush(name, below);
      },
      FlushPatience);
}

}  // namespace waypost::ops
