// The door to ldns: text in, wire out, and back.  For zones, messages in logs, and tests:
// everywhere that speed does not matter.  May allocate; never on the packet path.

#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "dns/name.h"
#include "dns/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::dns {

// One resource record, owned.
struct Record {
  Name owner;
  RecordType type{};
  RecordClass record_class = RecordClass::IN;
  std::uint32_t ttl = 0;            // Seconds.
  std::vector<std::uint8_t> rdata;  // Uncompressed.

  friend bool operator==(const Record&, const Record&) = default;
};

// "web.shop. 5 IN A 10.0.0.1" to a record; `text` is one record in presentation form.
Result<Record> record_from_text(std::string_view text);
// The presentation form, fields separated by single blanks: "web.shop. 5 IN A 10.0.0.1".
std::string to_text(const Record& record);

// The type that a mnemonic stands for, in any case, "TYPE65" included; nothing for other words.
std::optional<RecordType> type_from_text(std::string_view text);

// A message taken apart, with names uncompressed, as ldns reads it.
struct Message {
  std::uint16_t id = 0;
  bool response = false;
  bool authoritative = false;
  bool truncated = false;
  bool recursion_desired = false;
  bool recursion_available = false;
  bool authentic_data = false;
  bool checking_disabled = false;
  std::uint8_t opcode = 0;
  Rcode rcode = Rcode::NoError;  // EDNS' high bits included.
  Name question_name;
  RecordType question_type{};
  RecordClass question_class{};
  std::uint16_t question_count = 0;
  std::vector<Record> answer;
  std::vector<Record> authority;
  std::vector<Record> additional;  // Without OPT.
  bool edns = false;
  std::uint8_t edns_version = 0;
  std::uint16_t edns_udp_size = 0;
  bool edns_dnssec_ok = false;
  std::vector<std::uint8_t> edns_options;  // RDATA of OPT.
};

// Fails for octets that ldns does not accept as one message, and for octets behind it.
Result<Message> parse_message(Bytes packet);

}  // namespace waypost::dns
