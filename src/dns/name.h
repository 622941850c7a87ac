// Domain names in wire form: labels with length octets, ended by the root's zero octet, no
// compression.
//
// Name owns its octets; it is always absolute and always valid (labels of 1..63 octets, 255 in
// all). It keeps the case it was given and compares without it (RFC 4343).  Code that only looks
// takes `Bytes` that hold one valid, uncompressed, lower-case name; parameters say so.
//
// Not here: the name of a query, which is read into place without allocation (dns/query.h).

#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::dns {

class Name {
 public:
  // The root.
  Name() : wire_(1, '\0') {}

  // Reads presentation form (RFC 1035, 5.1: "\." and "\DDD" escapes); a missing final dot is
  // supplied.
  static Result<Name> from_text(std::string_view text);

  // Takes a copy of an uncompressed name that fills `wire` exactly.
  static Result<Name> from_wire(Bytes wire);

  // Presentation form with the final dot; octets outside printable ASCII as "\DDD".
  std::string to_text() const;

  Bytes wire() const noexcept { return waypost::as_bytes(wire_); }
  std::size_t size() const noexcept { return wire_.size(); }
  // Labels without the root's.
  std::size_t label_count() const noexcept;
  bool is_root() const noexcept { return wire_.size() == 1; }

  Name lowered() const;
  // The name without its first label.  The root is its own parent.
  Name parent() const;
  // `label` in front of this name.  Fails when a label or the whole would be too long or empty.
  Result<Name> child(std::string_view label) const;
  // True for `ancestor` itself and everything below it.
  bool is_within(const Name& ancestor) const noexcept;

  // Equal but for ASCII case.
  friend bool operator==(const Name& left, const Name& right) noexcept;
  // Canonical order (RFC 4034, 6.1): by labels from the root, each in lower case.
  friend std::weak_ordering operator<=>(const Name& left, const Name& right) noexcept;

 private:
  std::string wire_;
};

// A 64-bit hash of one lower-case name in wire form, root included, keyed per process so that
// nobody outside can choose names that collide.  The packet path computes the same value while
// reading a query.
std::uint64_t hash_name(Bytes lower_wire) noexcept;

// Fixes the key of hash_name() for tests and benchmarks that must repeat; call before any name is
// hashed.
void set_hash_key_for_test(std::uint64_t key) noexcept;

}  // namespace waypost::dns
