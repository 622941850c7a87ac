// What a browser put behind the question mark: names with values, decoded and bounded.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::ops {

class PageQuery {
 public:
  static constexpr std::size_t MaxFields = 16;
  // Of a value, in octets once decoded.  No name in DNS is longer.
  static constexpr std::size_t MaxValueSize = 255;

  // Reads application/x-www-form-urlencoded (WHATWG URL, 5.1): '+' is a blank, %HH an octet; a '%'
  // with anything else behind it is itself.  Fields beyond MaxFields are not looked at, longer
  // values are cut.
  explicit PageQuery(std::string_view text);

  // The first value with that name without blanks around it; empty when there is none.
  std::string_view value(std::string_view name) const noexcept;
  // The same as a number from 1 to `most`; 1 for everything else that is smaller or none.
  std::size_t number(std::string_view name, std::size_t most) const noexcept;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace waypost::ops
