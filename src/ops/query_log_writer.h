// The query log: a line for each query that an operator wants to see, and no more lines a second
// than were asked for.
//
// Once a second the control thread takes what workers have noted (server/query_log.h), and writes
// it in the order of time.  Of more queries than there may be lines, those that are left out are
// counted, and that is said once a minute.
//
// Not here: which queries are wanted (server/query_log.h), where lines go (base/log.h).

#pragma once

#include "base/log.h"
#include "base/log_format.h"
#include "base/timer.h"
#include "ops/metrics.h"
#include "server/query_log.h"
#include "server/responder.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace waypost::ops {

// Without a line end.  The name is in presentation form (RFC 1035, 5.1) in the case that it was
// sent in; whatever octets it has, the line is one line.
std::string query_line(log::Format format, log::SystemTime time, const server::LoggedQuery& query);

// At most `room` of them, evenly spread; returns how many queries those that are gone stood for.
std::uint64_t thin_out(std::vector<server::LoggedQuery>& queries, std::size_t room);

// Control thread only.
class QueryLogWriter {
 public:
  static constexpr std::chrono::seconds Interval{1};
  static constexpr std::chrono::minutes ComplaintInterval{1};

  // The first two are borrowed and outlive this object.  `readers` as of server::reader_count().
  QueryLogWriter(boost::asio::io_context& context, server::Views& views, std::size_t readers);
  // REQUIRES: no reader is left.
  ~QueryLogWriter();
  QueryLogWriter(const QueryLogWriter&) = delete;
  QueryLogWriter& operator=(const QueryLogWriter&) = delete;

  // Puts `options` in force.  What was noted until then is written.
  void configure(const server::QueryLogOptions& options);
  // Writes what was noted until now, as far as there may be lines.
  void write();

  // As docs/metrics.md.
  void collect(Scrape& scrape) const;

 private:
  void await_tick();
  void tell_missed(SteadyTime now);
  std::uint64_t missed() const;

  server::Views& views_;
  const std::size_t readers_;
  server::QueryLogOptions options_;        // In force.
  std::unique_ptr<server::QueryLog> log_;  // Published in views_; null: none is wanted.
  boost::asio::steady_timer tick_;
  std::vector<server::LoggedQuery> queries_;  // Empty between two calls.
  double room_ = 0;                           // Lines that may be written now.
  SteadyTime filled_{};                       // When room_ was brought up to date.
  std::uint64_t lines_ = 0;
  std::uint64_t missed_before_ = 0;  // By logs that are gone, and for want of lines.
  std::uint64_t missed_told_ = 0;
  SteadyTime told_{};
};

}  // namespace waypost::ops
