// The fields of one record in a master file, read with ldns: the room's door to it.

#pragma once

#include "base/error.h"
#include "dns/ldns_bridge.h"
#include "dns/name.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace waypost::zones {

// A time in seconds: "3600", or with units as in "1h30m" (s, m, h, d, w, in any case).  Nothing for
// other text and beyond 2^31-1 (RFC 2181, 8).
std::optional<std::uint32_t> read_period(std::string_view text) noexcept;

// An owner or an origin: "@" is `origin`, a name without final dot is relative to it.
Result<dns::Name> read_name(std::string_view text, const dns::Name& origin);

// The record of class IN with TTL 0 that `rdata`, the fields behind the type, stands for; names in
// it are relative to `origin`.  Fails, saying what such a record takes, for an unknown type, for
// rdata that ldns does not accept, and for numbers that do not fit their field.  No text holds a
// zero octet.
Result<dns::Record> read_record(const dns::Name& owner, std::string_view type,
                                std::span<const std::string_view> rdata, const dns::Name& origin);

}  // namespace waypost::zones
