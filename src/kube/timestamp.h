// Times as the API writes them (RFC 3339).

#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace waypost::kube {

// Reads "2026-11-24T02:17:03Z", with a fraction of a second or an offset or neither; nothing for
// any other text, and for a year before 1970 or after 2200.  A leap second is the next second.
std::optional<std::chrono::system_clock::time_point> parse_timestamp(
    std::string_view text) noexcept;

}  // namespace waypost::kube
