// Markup that is safe to send: what is written in this program, and text from elsewhere, escaped.
//
// An Html takes markup only from literals and from the embedded files, so that no name of the
// network can become markup by being forgotten.
//
// Not here: tables and drawings (ops/page/table.h, ops/page/charts.h), what a page says.

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace waypost::ops {

// Markup that the compiler has seen: made of string literals only.
class Markup {
 public:
  consteval Markup(const char* literal) : text_(literal) {}
  constexpr std::string_view text() const noexcept { return text_; }

 private:
  std::string_view text_;
};

class Html {
 public:
  Html() = default;

  Html& markup(Markup literal) {
    text_ += literal.text();
    return *this;
  }
  // Any octets, fit for an element's content and for an attribute in double quotes: the characters
  // that mean something in HTML are escaped, and so is what is not printable ASCII, octet by octet
  // as "\xHH".
  Html& text(std::string_view any);
  Html& number(std::uint64_t value);
  // With so many digits behind the point.
  Html& number(double value, int digits);
  Html& add(const Html& other) {
    text_ += other.text_;
    return *this;
  }

  bool is_empty() const noexcept { return text_.empty(); }
  std::size_t size() const noexcept { return text_.size(); }
  const std::string& to_text() const noexcept { return text_; }

 private:
  friend Html fill(std::string_view file,
                   std::initializer_list<std::pair<std::string_view, Html>> places);
  std::string text_;
};

// Shorthand for what stands alone.
inline Html escaped(std::string_view any) {
  return Html().text(any);
}

// The embedded file of that name, with {{place}} replaced by its content.  REQUIRES: the file's
// places are exactly these.
Html fill(std::string_view file, std::initializer_list<std::pair<std::string_view, Html>> places);

// "12 s", "3 min", "5 h", "2 d": how long, in one unit; less than ten seconds with a digit more.
std::string duration_text(double seconds);
// "512 KiB", "12.3 MiB".
std::string size_text(std::uint64_t octets);

}  // namespace waypost::ops
