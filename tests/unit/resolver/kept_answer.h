// Responses of other servers made from text, and what a cache makes of them.

#pragma once

#include "dns/ldns_bridge.h"
#include "dns/message_writer.h"
#include "dns/name.h"
#include "dns/response.h"
#include "resolver/answer_cache.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace waypost::resolver {

// A response; records in presentation form, such as "a.example. 60 IN A 192.0.2.1".
struct ResponseLines {
  std::string name;
  dns::RecordType type = dns::RecordType::A;
  dns::Rcode rcode = dns::Rcode::NoError;
  std::vector<std::string> answer;
  std::vector<std::string> authority;
  std::vector<std::string> additional;
};

inline std::vector<std::uint8_t> make_response(const ResponseLines& lines) {
  std::vector<std::uint8_t> packet = test::make_query({.name = lines.name, .type = lines.type});
  packet[2] |= 0x80;
  packet[3] = static_cast<std::uint8_t>(0x80 | std::to_underlying(lines.rcode));
  std::size_t count_at = 6;
  for (const auto* section : {&lines.answer, &lines.authority, &lines.additional}) {
    store_u16(packet.data() + count_at, static_cast<std::uint16_t>(section->size()));
    count_at += 2;
    for (const std::string& line : *section) {
      const auto record = dns::record_from_text(line);
      REQUIRE_MESSAGE(record, line);
      const Bytes owner = record->owner.wire();
      packet.insert(packet.end(), owner.begin(), owner.end());
      std::uint8_t head[10];
      store_u16(head, std::to_underlying(record->type));
      store_u16(head + 2, std::to_underlying(record->record_class));
      store_u32(head + 4, record->ttl);
      store_u16(head + 8, static_cast<std::uint16_t>(record->rdata.size()));
      packet.insert(packet.end(), head, head + sizeof head);
      packet.insert(packet.end(), record->rdata.begin(), record->rdata.end());
    }
  }
  return packet;
}

inline Question make_question(const std::string& name, dns::RecordType type = dns::RecordType::A,
                              bool dnssec_ok = false) {
  Question question{.type = type, .dnssec_ok = dnssec_ok};
  question.name.assign(dns::Name::from_text(name)->wire());
  return question;
}

class KeptAnswers {
 public:
  explicit KeptAnswers(std::size_t bytes = 1 << 20) : cache(bytes) {}

  const CachedAnswer* store(const Question& question, const std::vector<std::uint8_t>& packet,
                            std::uint32_t now = 0) {
    REQUIRE(dns::read_response(packet, *read_));
    return cache.store(question, packet, *read_, now);
  }
  const CachedAnswer* store(const ResponseLines& lines, bool dnssec_ok = false,
                            std::uint32_t now = 0) {
    return store(make_question(lines.name, lines.type, dnssec_ok), make_response(lines), now);
  }

  // As a message to somebody who asks in `asks_as`, within `size` octets.
  std::vector<std::uint8_t> write(const CachedAnswer& answer, const std::string& asks_as,
                                  std::uint32_t now = 0, std::size_t size = dns::MaxMessageSize) {
    const auto request = test::make_query({.name = asks_as});
    const auto query = std::make_unique<dns::Query>();
    REQUIRE(dns::read_query(request, *query) == dns::ReadVerdict::Answer);
    std::vector<std::uint8_t> out(size);
    dns::MessageWriter writer(out);
    writer.start(*query);
    writer.set_rcode(answer.rcode());
    if (!write_answer(answer, now, TtlMode::CountDown, dns::QuestionOffset, rotation_, writer)) {
      writer.set_truncated(true);
    }
    out.resize(writer.finish());
    return out;
  }

  AnswerCache cache;

 private:
  std::unique_ptr<dns::Response> read_ = std::make_unique<dns::Response>();
  dns::Rotation rotation_{7};
};

}  // namespace waypost::resolver
