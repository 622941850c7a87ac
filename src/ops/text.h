// Small readers of the values that options take.

#pragma once

#include "base/error.h"
#include "dns/edns.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace waypost::ops {

// Reads decimal digits only: no sign, blank, base or exponent; nothing above 2^64 - 1.
std::optional<std::uint64_t> number_from_text(std::string_view text) noexcept;

// Reads a whole number with a unit: "500ms", "10s", "2m", "1h".  Nothing without unit, of several
// parts, or longer than a year.
std::optional<std::chrono::milliseconds> duration_from_text(std::string_view text) noexcept;

// Reads 32 hex digits; blanks and line ends around them are ignored.
std::optional<dns::CookieMaker::Secret> secret_from_text(std::string_view text) noexcept;

// The same from a file.  The message of a failure does not repeat what the file holds.
Result<dns::CookieMaker::Secret> secret_from_file(const std::filesystem::path& path);

}  // namespace waypost::ops
