// Text as a string of JSON.

#pragma once

#include <string>
#include <string_view>

namespace waypost {

// With its quotes (RFC 8259, 7).  Octets that are no UTF-8 become U+FFFD each, so that the result
// is valid whatever `text` holds.
std::string json_string(std::string_view text);

}  // namespace waypost
