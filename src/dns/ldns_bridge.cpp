#include "dns/ldns_bridge.h"

#include "base/freed_by.h"

#include <fmt/format.h>
#include <ldns/ldns.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

namespace waypost::dns {

namespace {

using OwnedRecord = std::unique_ptr<ldns_rr, FreedBy<ldns_rr_free>>;
using OwnedPacket = std::unique_ptr<ldns_pkt, FreedBy<ldns_pkt_free>>;
using OwnedText = std::unique_ptr<char, FreedBy<std::free>>;

Bytes octets_of(const ldns_rdf* field) {
  return {ldns_rdf_data(field), ldns_rdf_size(field)};
}

Result<Record> to_record(const ldns_rr* from) {
  const Result<Name> owner = Name::from_wire(octets_of(ldns_rr_owner(from)));
  if (!owner) {
    return std::unexpected(owner.error());
  }
  Record record;
  record.owner = *owner;
  record.type = static_cast<RecordType>(ldns_rr_get_type(from));
  record.record_class = static_cast<RecordClass>(ldns_rr_get_class(from));
  record.ttl = ldns_rr_ttl(from);
  for (std::size_t i = 0; i < ldns_rr_rd_count(from); ++i) {
    const Bytes field = octets_of(ldns_rr_rdf(from, i));
    record.rdata.insert(record.rdata.end(), field.begin(), field.end());
  }
  return record;
}

// The same record as ldns holds it; null when it cannot take its rdata apart.
OwnedRecord from_record(const Record& record) {
  std::vector<std::uint8_t> wire(record.owner.size() + 10);
  std::ranges::copy(record.owner.wire(), wire.begin());
  std::uint8_t* fixed = wire.data() + record.owner.size();
  store_u16(fixed, std::to_underlying(record.type));
  store_u16(fixed + 2, std::to_underlying(record.record_class));
  store_u32(fixed + 4, record.ttl);
  store_u16(fixed + 8, static_cast<std::uint16_t>(record.rdata.size()));
  wire.insert(wire.end(), record.rdata.begin(), record.rdata.end());
  ldns_rr* parsed = nullptr;
  std::size_t position = 0;
  if (ldns_wire2rr(&parsed, wire.data(), wire.size(), &position, LDNS_SECTION_ANSWER) !=
      LDNS_STATUS_OK) {
    return nullptr;
  }
  return OwnedRecord(parsed);
}

// RFC 3597, 5.
std::string unknown_rdata_text(Bytes rdata) {
  std::string text = fmt::format("\\# {}", rdata.size());
  for (std::size_t i = 0; i < rdata.size(); ++i) {
    text += fmt::format("{}{:02x}", i == 0 ? " " : "", rdata[i]);
  }
  return text;
}

std::string rdata_text(const Record& record) {
  const OwnedRecord parsed = from_record(record);
  if (parsed == nullptr || ldns_rr_rd_count(parsed.get()) == 0) {
    return unknown_rdata_text(record.rdata);
  }
  std::string text;
  for (std::size_t i = 0; i < ldns_rr_rd_count(parsed.get()); ++i) {
    const ldns_rdf* field = ldns_rr_rdf(parsed.get(), i);
    const OwnedText field_text(ldns_rdf2str(field));
    if (field_text == nullptr || ldns_rdf_get_type(field) == LDNS_RDF_TYPE_UNKNOWN) {
      return unknown_rdata_text(record.rdata);
    }
    // ldns puts blanks around some of its fields: a bitmap of types ends in one.
    std::string_view words = field_text.get();
    words.remove_prefix(std::min(words.find_first_not_of(' '), words.size()));
    words = words.substr(0, words.find_last_not_of(' ') + 1);
    text.append(i == 0 ? "" : " ").append(words);
  }
  return text;
}

Result<std::vector<Record>> to_records(const ldns_rr_list* list) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
    Result<Record> record = to_record(ldns_rr_list_rr(list, i));
    if (!record) {
      return std::unexpected(record.error());
    }
    records.push_back(*std::move(record));
  }
  return records;
}

// Where the message's last record ends, for one that ldns has accepted: it passes over what
// follows.
std::size_t message_end(Bytes packet) {
  std::size_t end = HeaderSize;
  for (std::size_t section = 0; section < 4; ++section) {
    const std::uint16_t count = load_u16(packet.data() + 4 + 2 * section);
    for (std::uint16_t i = 0; i < count; ++i) {
      ldns_rr* parsed = nullptr;
      const ldns_status status =
          ldns_wire2rr(&parsed, packet.data(), packet.size(), &end,
                       section == 0 ? LDNS_SECTION_QUESTION : LDNS_SECTION_ANSWER);
      const OwnedRecord owned(parsed);
      if (status != LDNS_STATUS_OK) {
        return 0;
      }
    }
  }
  return end;
}

std::unexpected<Error> bad_message(std::string_view reason) {
  return failure(ErrorKind::InvalidInput, fmt::format("not a DNS message: {}", reason));
}

void read_edns(const ldns_pkt* parsed, Message& message) {
  if (!ldns_pkt_edns(parsed)) {
    return;
  }
  message.edns = true;
  message.edns_version = ldns_pkt_edns_version(parsed);
  message.edns_udp_size = ldns_pkt_edns_udp_size(parsed);
  message.edns_dnssec_ok = ldns_pkt_edns_do(parsed);
  message.rcode = static_cast<Rcode>((ldns_pkt_edns_extended_rcode(parsed) << 4) |
                                     std::to_underlying(message.rcode));
  if (const ldns_rdf* options = ldns_pkt_edns_data(parsed)) {
    const Bytes octets = octets_of(options);
    message.edns_options.assign(octets.begin(), octets.end());
  }
}

}  // namespace

std::optional<RecordType> type_from_text(std::string_view text) {
  std::string word(text);
  std::ranges::transform(word, word.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  std::uint16_t number = 0;
  if (word.starts_with("TYPE")) {  // RFC 3597, 5; ldns takes any number and cuts it.
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data() + 4, end, number);
    number = error == std::errc() && stop == end ? number : std::uint16_t{0};
  } else {
    number = static_cast<std::uint16_t>(ldns_get_rr_type_by_name(word.c_str()));
  }
  return number == 0 ? std::nullopt : std::optional(static_cast<RecordType>(number));
}

Result<Record> record_from_text(std::string_view text) {
  // A C string ends at a zero octet, and a second line would be passed over.
  if (text.find_first_of(std::string_view("\0\n", 2)) != std::string_view::npos) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("\"{}\" is not a record on one line", text));
  }
  const std::string line(text);
  ldns_rr* parsed = nullptr;
  const ldns_status status = ldns_rr_new_frm_str(&parsed, line.c_str(), 0, nullptr, nullptr);
  if (status != LDNS_STATUS_OK) {
    return failure(ErrorKind::InvalidInput, fmt::format("\"{}\" is not a record: {}", text,
                                                        ldns_get_errorstr_by_id(status)));
  }
  return to_record(OwnedRecord(parsed).get());
}

std::string to_text(const Record& record) {
  const OwnedText class_text(ldns_rr_class2str(static_cast<ldns_rr_class>(record.record_class)));
  const OwnedText type_text(ldns_rr_type2str(static_cast<ldns_rr_type>(record.type)));
  return fmt::format("{} {} {} {} {}", record.owner.to_text(), record.ttl, class_text.get(),
                     type_text.get(), rdata_text(record));
}

Result<Message> parse_message(Bytes packet) {
  ldns_pkt* parsed = nullptr;
  const ldns_status status = ldns_wire2pkt(&parsed, packet.data(), packet.size());
  const OwnedPacket owned(parsed);
  if (status != LDNS_STATUS_OK) {
    return bad_message(ldns_get_errorstr_by_id(status));
  }
  if (message_end(packet) != packet.size()) {
    return bad_message("octets behind its last record");
  }
  Message message;
  message.id = ldns_pkt_id(parsed);
  message.response = ldns_pkt_qr(parsed);
  message.authoritative = ldns_pkt_aa(parsed);
  message.truncated = ldns_pkt_tc(parsed);
  message.recursion_desired = ldns_pkt_rd(parsed);
  message.recursion_available = ldns_pkt_ra(parsed);
  message.authentic_data = ldns_pkt_ad(parsed);
  message.checking_disabled = ldns_pkt_cd(parsed);
  message.opcode = static_cast<std::uint8_t>(ldns_pkt_get_opcode(parsed));
  message.rcode = static_cast<Rcode>(ldns_pkt_get_rcode(parsed));
  message.question_count = ldns_pkt_qdcount(parsed);
  if (const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(parsed), 0)) {
    const Result<Record> record = to_record(question);
    if (!record) {
      return std::unexpected(record.error());
    }
    message.question_name = record->owner;
    message.question_type = record->type;
    message.question_class = record->record_class;
  }
  for (const auto& [list, records] :
       {std::pair(ldns_pkt_answer(parsed), &message.answer),
        std::pair(ldns_pkt_authority(parsed), &message.authority),
        std::pair(ldns_pkt_additional(parsed), &message.additional)}) {
    Result<std::vector<Record>> read = to_records(list);
    if (!read) {
      return std::unexpected(read.error());
    }
    *records = *std::move(read);
  }
  read_edns(parsed, message);
  return message;
}

}  // namespace waypost::dns
