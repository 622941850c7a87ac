// A DNS query, read once from the packet into a form that cannot be wrong.
//
// read_query() walks the octets one time, checks everything that the answer depends on, and leaves
// views into the packet plus a lower-case copy of the name with its hash.  It never allocates; it
// never reads outside the packet; it follows no compression pointer in the question.
//
// Not here: what the answer is (server/responder.h), how it is written (dns/message_writer.h).

#pragma once

#include "base/bytes.h"
#include "dns/types.h"

#include <array>
#include <cstdint>

namespace waypost::dns {

// What an OPT record asked for (RFC 6891).  Absent: `present` is false and the rest is zero.
struct Edns {
  bool present = false;
  bool dnssec_ok = false;       // DO (RFC 3225); echoed, nothing is signed here
  bool nsid_requested = false;  // RFC 5001
  std::uint8_t version = 0;
  std::uint16_t udp_size = 0;  // As the client said; values below 512 mean 512 (RFC 6891, 6.2.3)
  bool has_cookie = false;     // RFC 7873
  std::array<std::uint8_t, 8> client_cookie{};
  std::uint8_t server_cookie_size = 0;  // 0, or 8..32
  std::array<std::uint8_t, 32> server_cookie{};
};

// A name in the form that every look-up takes: lower case, in place, with its labels found and its
// hash known.  Reading a query fills one; following a CNAME fills another.  A plain value of about
// 400 octets: it lives on the stack or in a worker, and is passed by reference.
struct NameKey {
  // Wire form with root, lower case; `size` octets are set.
  std::array<std::uint8_t, 256> octets;
  std::uint16_t size = 0;
  // Where each label's length octet stands in `octets`, root not counted.
  std::uint8_t label_count = 0;
  std::array<std::uint8_t, 128> label_offsets;
  // hash_name() of the name.
  std::uint64_t hash = 0;

  // Takes a name in wire form, any case.  The caller knows that it is valid (dns/name.h).
  void assign(Bytes wire) noexcept;

  Bytes wire() const noexcept { return {octets.data(), size}; }
  // The label at `index` from the left, without its length octet.
  Bytes label(std::size_t index) const noexcept {
    const std::uint8_t* at = octets.data() + label_offsets[index];
    return {at + 1, *at};
  }
  // Where the labels from `index` on start in `octets`; `index` == label_count gives the root's
  // octet.
  std::uint16_t offset_of(std::size_t index) const noexcept {
    return index == label_count ? static_cast<std::uint16_t>(size - 1U) : label_offsets[index];
  }
  // The labels from `index` on, as a name of its own.
  Bytes suffix(std::size_t index) const noexcept {
    return {octets.data() + offset_of(index), size - std::size_t{offset_of(index)}};
  }
  // True when the name is `ancestor` (lower-case wire form, `ancestor_labels` labels) or below it.
  bool is_within(Bytes ancestor, std::size_t ancestor_labels) const noexcept;
};

// A question about one name.  Views point into the packet and live as long as it.
struct Query {
  std::uint16_t id = 0;
  Opcode opcode = Opcode::Query;
  bool recursion_desired = false;
  bool authentic_data = false;  // AD: the client understands it in an answer (RFC 6840, 5.7).
  bool checking_disabled = false;

  // QNAME as it was sent, QTYPE and QCLASS: the question section to echo.  Empty when the packet
  // was too broken to have one; then `name`, `type` and `record_class` are unset.
  Bytes question;
  RecordType type{};
  RecordClass record_class{};
  NameKey name;

  Edns edns;

  // RFC 1995: the serial that an IXFR client has; absent when the query carried no SOA.
  bool has_ixfr_serial = false;
  std::uint32_t ixfr_serial = 0;
};

// What is to be done with a packet.
enum class ReadVerdict : std::uint8_t {
  Answer,      // Well formed; `query` is complete.
  Drop,        // Silence: shorter than a header, or a response (QR=1).
  FormErr,     // `query.id` and flags are set; the question only if it was readable.
  NotImp,      // An opcode that is not offered; header only.
  BadVersion,  // EDNS version other than 0 (RFC 6891, 6.1.3).
  CookieOnly,  // No question, and a cookie: the server's is asked for (RFC 7873, 5.4).
};

// Reads one message.  FormErr: QDCOUNT other than 1, or 0 without a cookie; compression or a label
// type in the question; a name or label too long; any answer record; an authority record except
// IXFR's SOA; more than two additional records; OPT twice, not at the root, or with broken options;
// octets after the message.
ReadVerdict read_query(Bytes packet, Query& query) noexcept;

}  // namespace waypost::dns
