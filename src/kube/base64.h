// Base64 (RFC 4648, 4).

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace waypost::kube {

// Returns what `text` stands for, nothing when it is not base64.  Blanks and line ends in it are
// skipped.
std::optional<std::string> decode_base64(std::string_view text);

std::string encode_base64(std::string_view octets);

}  // namespace waypost::kube
