#include "policy/name_text.h"

#include <algorithm>

namespace waypost::policy {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

}  // namespace

void TextBuffer::add(std::string_view text) noexcept {
  is_good_ = is_good_ && text.size() <= Size - size_;
  if (is_good_) {
    std::copy(text.begin(), text.end(), octets_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  }
}

void TextBuffer::add_name(Bytes wire) noexcept {
  if (wire.size() <= 1) {
    return add('.');
  }
  for (std::size_t at = 0; wire[at] != 0; at += 1U + wire[at]) {
    for (const std::uint8_t octet : wire.subspan(at + 1, wire[at])) {
      const auto c = static_cast<char>(octet);
      if (octet <= 0x20 || octet >= 0x7f) {
        add('\\');
        add(static_cast<char>('0' + octet / 100));
        add(static_cast<char>('0' + octet / 10 % 10));
        add(static_cast<char>('0' + octet % 10));
      } else {
        // RFC 1035, 5.1; the characters that Name::to_text() escapes, too.
        if (std::string_view(".\\\"();@$").find(c) != std::string_view::npos) {
          add('\\');
        }
        add(c);
      }
    }
    add('.');
  }
}

void TextBuffer::lower() noexcept {
  for (std::size_t i = 0; i < size_; ++i) {
    octets_[i] = static_cast<char>(ascii_lower(static_cast<std::uint8_t>(octets_[i])));
  }
}

std::size_t name_from_text(std::string_view text,
                           std::span<std::uint8_t, dns::MaxNameSize> wire) noexcept {
  if (text.empty()) {
    return 0;
  }
  if (text == ".") {
    wire[0] = 0;
    return 1;
  }
  std::size_t label = 0;  // Where the length octet of the label stands.
  std::size_t size = 1;
  const auto end_label = [&] {
    const std::size_t length = size - label - 1;
    if (length == 0 || length > dns::MaxLabelSize || size >= wire.size()) {
      return false;
    }
    wire[label] = static_cast<std::uint8_t>(length);
    label = size++;
    return true;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '.') {
      if (!end_label()) {
        return 0;
      }
      continue;
    }
    if (c == '\\') {
      if (at + 1 == text.size()) {
        return 0;
      }
      c = text[++at];
      if (is_digit(c)) {
        if (at + 2 >= text.size() || !is_digit(text[at + 1]) || !is_digit(text[at + 2])) {
          return 0;
        }
        const int number = (c - '0') * 100 + (text[at + 1] - '0') * 10 + (text[at + 2] - '0');
        if (number > 255) {
          return 0;
        }
        at += 2;
        c = static_cast<char>(number);
      }
    }
    if (size >= wire.size()) {
      return 0;
    }
    wire[size++] = static_cast<std::uint8_t>(c);
  }
  if (size - label > 1 && !end_label()) {  // Without final dot.
    return 0;
  }
  wire[label] = 0;
  return label + 1;
}

}  // namespace waypost::policy
