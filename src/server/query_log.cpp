#include "server/query_log.h"

#include "dns/name.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace waypost::server {
namespace {

constexpr std::size_t MinCapacity = 16;       // Sampling's own.
constexpr std::uint8_t TruncatedFlag = 0x02;  // TC, in the third octet (RFC 1035, 4.1.1).
constexpr std::size_t TypeAndClass = 4;       // Octets behind a question's name.

std::uint8_t labels_of(const std::string& zone) noexcept {
  std::uint8_t labels = 0;
  for (std::size_t at = 0; zone[at] != '\0'; at += 1U + static_cast<std::uint8_t>(zone[at])) {
    ++labels;
  }
  return labels;
}

constexpr QueryClasses set_of(QueryClass one) noexcept {
  return static_cast<QueryClasses>(one);
}

bool is_truncated(Bytes reply) noexcept {
  return reply.size() >= dns::HeaderSize && (reply[2] & TruncatedFlag) != 0;
}

}  // namespace

bool QueryLogOptions::is_on() const noexcept {
  return std::any_of(rules.begin(), rules.end(),
                     [](const QueryLogRule& rule) { return rule.classes != 0; });
}

QueryClass class_of(dns::Rcode rcode, Bytes reply) noexcept {
  if (reply.size() < dns::HeaderSize) {
    return QueryClass::Error;
  }
  if (rcode == dns::Rcode::NxDomain) {
    return QueryClass::Denial;
  }
  if (rcode != dns::Rcode::NoError) {
    return QueryClass::Error;
  }
  const bool has_answer = load_u16(&reply[6]) != 0;  // ANCOUNT
  return has_answer || is_truncated(reply) ? QueryClass::Success : QueryClass::Denial;
}

QueryLog::QueryLog(QueryLogOptions options, std::size_t places, std::uint64_t seed)
    : options_(std::move(options)) {
  std::sort(options_.rules.begin(), options_.rules.end(),
            [](const QueryLogRule& left, const QueryLogRule& right) {
              return labels_of(left.zone) > labels_of(right.zone);
            });
  for (const QueryLogRule& rule : options_.rules) {
    labels_.push_back(labels_of(rule.zone));
    any_ |= rule.classes;
  }
  const std::size_t share =
      2 * std::size_t{options_.lines_per_second} / std::max(places, std::size_t{1});
  for (std::size_t i = 0; i < places; ++i) {
    rings_.push_back(std::make_unique<Ring>(std::max(share, MinCapacity), seed + 2 * i));
  }
}

QueryClasses QueryLog::wanted(const dns::Query& query) const noexcept {
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    // Without a question it is a query for no name, which only the root holds.
    const bool is_in = query.question.empty()
                           ? labels_[i] == 0
                           : query.name.is_within(as_bytes(options_.rules[i].zone), labels_[i]);
    if (is_in) {
      return options_.rules[i].classes;
    }
  }
  return 0;
}

void QueryLog::note(std::size_t place, const dns::Query& query, const Client& client,
                    dns::Rcode rcode, Bytes reply) noexcept {
  const QueryClasses its = set_of(class_of(rcode, reply));
  Ring& ring = *rings_[place];
  if ((any_ & its) == 0 || (wanted(query) & its) == 0 || !ring.sampling.is_due()) {
    return;
  }
  take(ring, query, client, reply.empty() ? LoggedQuery::NoAnswer : std::to_underlying(rcode),
       reply);
}

void QueryLog::note_transfer(std::size_t place, const dns::Query& query,
                             const Client& client) noexcept {
  Ring& ring = *rings_[place];
  if ((wanted(query) & set_of(QueryClass::Success)) != 0 && ring.sampling.is_due()) {
    take(ring, query, client, std::to_underlying(dns::Rcode::NoError), {});
  }
}

void QueryLog::take(Ring& ring, const dns::Query& query, const Client& client, std::uint16_t rcode,
                    Bytes reply) noexcept {
  ring.sampling.take([&](std::size_t at, std::uint32_t weight) {
    LoggedQuery& record = ring.records[at];
    record.client = client.address;
    record.answered_us = client.time.uptime_us;
    record.was_elsewhere = client.since_us != 0;
    record.waited_us = record.was_elsewhere ? client.time.uptime_us - client.since_us : 0;
    record.weight = weight;
    record.rcode = rcode;
    record.size = static_cast<std::uint16_t>(reply.size());
    record.transport = client.transport;
    record.is_truncated = is_truncated(reply);
    record.name_size = 0;
    record.type = {};
    record.record_class = {};
    if (!query.question.empty()) {
      record.type = query.type;
      record.record_class = query.record_class;
      const std::size_t size = std::min(query.question.size() - TypeAndClass, record.octets.size());
      std::memcpy(record.octets.data(), query.question.data(), size);
      record.name_size = static_cast<std::uint16_t>(size);
    }
  });
}

std::uint64_t QueryLog::missed() const noexcept {
  std::uint64_t all = 0;
  for (const std::unique_ptr<Ring>& ring : rings_) {
    all += ring->sampling.missed();
  }
  return all;
}

}  // namespace waypost::server
