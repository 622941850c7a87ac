#include "ops/query_log_writer.h"

#include "base/random.h"
#include "base/rcu.h"
#include "dns/name.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {
namespace {

std::string name_text(const server::LoggedQuery& query) {
  const auto name = dns::Name::from_wire(query.name());
  return name ? name->to_text() : "-";
}

std::string class_text(dns::RecordClass record_class) {
  switch (record_class) {
    case dns::RecordClass::IN:
      return "IN";
    case dns::RecordClass::CH:
      return "CH";
    default:
      return "CLASS" + std::to_string(std::to_underlying(record_class));
  }
}

// Queries of one thread stay in their order. (std::stable_sort of libstdc++ 12 is built on what
// C++17 deprecated.)
void sort_by_time(std::vector<server::LoggedQuery>& queries) {
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    order.emplace_back(queries[i].answered_us, i);
  }
  if (std::is_sorted(order.begin(), order.end())) {
    return;
  }
  std::sort(order.begin(), order.end());
  std::vector<server::LoggedQuery> sorted;
  sorted.reserve(queries.size());
  for (const auto& [time, place] : order) {
    sorted.push_back(queries[place]);
  }
  queries = std::move(sorted);
}

}  // namespace

std::string query_line(log::Format format, log::SystemTime time, const server::LoggedQuery& query) {
  using server::LoggedQuery;
  std::vector<log::Field> fields{
      {"client", query.client.to_text()},
      {"protocol", query.transport == server::Transport::Udp ? "udp" : "tcp"},
      {"name", name_text(query)}};
  if (query.name_size != 0) {
    fields.push_back({"class", class_text(query.record_class)});
    fields.push_back({"type", dns::to_text(query.type)});
  }
  fields.push_back({"rcode", query.rcode == LoggedQuery::NoAnswer
                                 ? "none"
                                 : dns::to_text(static_cast<dns::Rcode>(query.rcode))});
  fields.push_back({"size", std::uint64_t{query.size}});
  if (query.is_truncated) {
    fields.push_back({"truncated", std::uint64_t{1}});
  }
  if (query.was_elsewhere) {
    fields.push_back({"waited_ms", (query.waited_us + 500) / 1000});
  }
  if (query.weight > 1) {
    fields.push_back({"stands_for", std::uint64_t{query.weight}});
  }
  const auto make = format == log::Format::Json ? log::json_line : log::text_line;
  return make(time, "info", "query", fields);
}

std::uint64_t thin_out(std::vector<server::LoggedQuery>& queries, std::size_t room) {
  const std::size_t count = queries.size();
  if (count <= room) {
    return 0;
  }
  std::uint64_t gone = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // The share of the room that belongs to the first i + 1 of them.
    if ((i + 1) * room / count > kept) {
      if (kept != i) {
        queries[kept] = queries[i];
      }
      ++kept;
    } else {
      gone += queries[i].weight;
    }
  }
  queries.resize(kept);
  return gone;
}

QueryLogWriter::QueryLogWriter(boost::asio::io_context& context, server::Views& views,
                               std::size_t readers)
    : views_(views), readers_(readers), tick_(context) {}

QueryLogWriter::~QueryLogWriter() {
  views_.query_log.store(nullptr, std::memory_order_release);
}

void QueryLogWriter::configure(const server::QueryLogOptions& options) {
  if (options == options_) {
    return;
  }
  options_ = options;
  std::unique_ptr<server::QueryLog> next;
  if (options.is_on()) {
    next = std::make_unique<server::QueryLog>(options, readers_, SystemRandom().next());
    room_ = std::min<double>(log_ != nullptr ? room_ : options.lines_per_second,
                             options.lines_per_second);
  }
  views_.query_log.store(next.get(), std::memory_order_release);
  if (log_ != nullptr) {
    rcu::synchronize();
    write();
    missed_before_ += log_->missed();
  }
  const bool was_on = log_ != nullptr;
  log_ = std::move(next);
  if (log_ == nullptr) {
    tick_.cancel();
  } else if (!was_on) {
    filled_ = std::chrono::steady_clock::now();
    await_tick();
  }
}

void QueryLogWriter::await_tick() {
  tick_.expires_after(Interval);
  tick_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && log_ != nullptr) {
      write();
      await_tick();
    }
  });
}

void QueryLogWriter::write() {
  if (log_ == nullptr) {
    return;
  }
  const SteadyTime now = std::chrono::steady_clock::now();
  const double rate = log_->options().lines_per_second;
  const std::chrono::duration<double> passed = now - std::exchange(filled_, now);
  room_ = std::min(room_ + passed.count() * rate, rate);

  log_->drain([this](const server::LoggedQuery& query) { queries_.push_back(query); });
  sort_by_time(queries_);
  missed_before_ += thin_out(queries_, static_cast<std::size_t>(room_));
  room_ -= static_cast<double>(queries_.size());
  lines_ += queries_.size();

  const auto wall = std::chrono::system_clock::now();
  const std::uint64_t uptime = server::Moment::now().uptime_us;
  std::string text;
  for (const server::LoggedQuery& query : queries_) {
    const std::chrono::microseconds ago(uptime - std::min(query.answered_us, uptime));
    text += query_line(log::format(),
                       wall - std::chrono::duration_cast<std::chrono::system_clock::duration>(ago),
                       query) +
            "\n";
  }
  if (!text.empty()) {
    log::write_lines(text);
  }
  queries_.clear();
  tell_missed(now);
}

std::uint64_t QueryLogWriter::missed() const {
  return missed_before_ + (log_ != nullptr ? log_->missed() : 0);
}

void QueryLogWriter::tell_missed(SteadyTime now) {
  const std::uint64_t all = missed();
  if (all == missed_told_ || (told_ != SteadyTime{} && now - told_ < ComplaintInterval)) {
    return;
  }
  log::info(
      "query log: about {} queries have no line, and none stands for them, because more came at "
      "once than queryLogRate has lines for",
      all - missed_told_);
  missed_told_ = all;
  told_ = now;
}

void QueryLogWriter::collect(Scrape& scrape) const {
  scrape.counter("waypost_query_log_lines_total", "Lines of the query log.",
                 static_cast<double>(lines_));
  scrape.counter("waypost_query_log_missed_total",
                 "Queries that have no line in the query log, and none that stands for them.",
                 static_cast<double>(missed()));
}

}  // namespace waypost::ops
