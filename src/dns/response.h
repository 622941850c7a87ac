// A response of another server, read once into a form that can be used without a further check.
//
// read_response() walks the octets one time.  Every owner and every name in rdata that may be
// compressed (RFC 3597, 4) lies within the packet and is a valid name; rdata of other types is
// octets.  What is left are offsets into the packet, so that a Response is good for as long as the
// packet is.  No allocation, no exception.
//
// Not here: whether it answers what was asked, from whom it came, and whether its records belong to
// the question (resolver/).

#pragma once

#include "base/bytes.h"
#include "dns/query.h"
#include "dns/types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

namespace waypost::dns {

// Why octets are no response.
enum class WireError : std::uint8_t {
  TooShort,        // Less than a header.
  NotAResponse,    // QR is 0.
  BadQuestion,     // More than one question, or one that is not whole.
  BadRecord,       // Not within the packet, a name that is none, or rdata of a wrong size.
  BadOpt,          // Twice, not in the additional section, not at the root, or broken options.
  TooManyRecords,  // More than MaxRecords.
  OctetsBehind,    // Behind the last record.
};

// One record.  Offsets are those of its parts in the packet.
struct ResponseRecord {
  RecordType type{};
  RecordClass record_class{};
  std::uint32_t ttl = 0;    // Seconds; what has the highest bit set is 0 (RFC 2181, 8).
  std::uint16_t owner = 0;  // Perhaps compressed: expand_name().
  std::uint16_t rdata_at = 0;
  std::uint16_t rdata_size = 0;
  // Names in the rdata that may be compressed stand one behind the other, the first at `names_at`.
  std::uint16_t names_at = 0;
  std::uint8_t name_count = 0;
};

// A reason that the server gave (RFC 8914).
struct ServerReason {
  ExtendedError code{};
  Bytes text;  // UTF-8 as the server says; a view into the packet.
};

// About 80 KB: kept by whoever reads responses, not on a stack and not in a coroutine's frame.
struct Response {
  // An address record takes at least 16 octets, so that a message cannot hold more of them.
  static constexpr std::size_t MaxRecords = 4096;
  static constexpr std::size_t MaxReasons = 4;  // Further ones are passed over.

  std::uint16_t id = 0;
  Opcode opcode = Opcode::Query;
  bool authoritative = false;
  bool truncated = false;
  bool recursion_desired = false;
  bool recursion_available = false;
  bool authentic_data = false;
  bool checking_disabled = false;
  Rcode rcode = Rcode::NoError;  // EDNS' high bits included.

  // The question section as it was sent.  Empty when the server sent none, as some do with FORMERR;
  // then `name`, `type` and `record_class` are unset.
  Bytes question;
  NameKey name;
  RecordType type{};
  RecordClass record_class{};

  // OPT is not among the records.
  bool has_edns = false;
  std::uint8_t edns_version = 0;
  std::uint16_t udp_size = 0;  // What the server is ready to receive.
  bool dnssec_ok = false;
  std::size_t reason_count = 0;
  std::array<ServerReason, MaxReasons> reasons;

  std::span<const ResponseRecord> answer() const noexcept {
    return std::span(records).first(answers);
  }
  std::span<const ResponseRecord> authority() const noexcept {
    return std::span(records).subspan(answers, authorities);
  }
  std::span<const ResponseRecord> additional() const noexcept {
    return std::span(records).subspan(std::size_t{answers} + authorities, additionals);
  }

  // What the spans above are made of.
  std::uint16_t answers = 0;
  std::uint16_t authorities = 0;
  std::uint16_t additionals = 0;
  std::array<ResponseRecord, MaxRecords> records;
};

// Reads one message of at most MaxMessageSize octets.  Of a truncated one (TC) only header and
// question are read: what follows may be cut anywhere, and is not to be used (RFC 2181, 9).  After
// an error `out` holds nothing of use, but its id if at least a header was there.
std::expected<void, WireError> read_response(Bytes packet, Response& out) noexcept;

// Copies the name at `at`, uncompressed and in its case, to `to`; returns its size.  REQUIRES:
// `packet` was read by read_response(), which found a name at `at`.
std::size_t expand_name(Bytes packet, std::size_t at,
                        std::span<std::uint8_t, MaxNameSize> to) noexcept;
// Where the name at `at` ends.  REQUIRES: as expand_name().
std::size_t name_end(Bytes packet, std::size_t at) noexcept;

// Copies the rdata of `record` with its names uncompressed to `to`; returns its size, nothing when
// it does not fit.  REQUIRES: `record` was read from `packet`.
std::optional<std::size_t> expand_rdata(Bytes packet, const ResponseRecord& record,
                                        MutableBytes to) noexcept;

}  // namespace waypost::dns
