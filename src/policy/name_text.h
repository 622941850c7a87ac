// Names as texts without allocation, for rules that look at names as people write them.

#pragma once

#include "base/bytes.h"
#include "dns/query.h"
#include "dns/types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace waypost::policy {

// A text of bounded size.  What does not fit is not added, and the text is no good from there on.
class TextBuffer {
 public:
  // The presentation form of any name fits: every octet as "\DDD".
  static constexpr std::size_t Size = 1024;

  void clear() noexcept {
    size_ = 0;
    is_good_ = true;
  }
  void add(std::string_view text) noexcept;
  void add(char c) noexcept { add(std::string_view(&c, 1)); }
  // The presentation form of the name, in its case, with the final dot; the root is ".".
  void add_name(Bytes wire) noexcept;

  // ASCII letters to lower case.
  void lower() noexcept;

  bool is_good() const noexcept { return is_good_; }
  std::string_view text() const noexcept { return {octets_.data(), size_}; }

 private:
  std::array<char, Size> octets_;
  std::size_t size_ = 0;
  bool is_good_ = true;
};

// Writes the name that `text` stands for, uncompressed, to `wire`; a missing final dot is supplied.
// Returns its size; 0 when it is no name.
std::size_t name_from_text(std::string_view text,
                           std::span<std::uint8_t, dns::MaxNameSize> wire) noexcept;

}  // namespace waypost::policy
