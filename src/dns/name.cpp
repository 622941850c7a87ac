#include "dns/name.h"

#include "dns/name_hash.h"
#include "dns/types.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>

namespace waypost::dns {

namespace {

detail::HashKey random_hash_key() noexcept {
  detail::HashKey key{};
  // Fails only on kernels without getrandom(2), and a key that can be guessed would be worse.
  if (getentropy(&key, sizeof key) != 0) {
    std::abort();
  }
  return key;
}

// Where the labels of a valid wire name begin, root not counted.
struct LabelStarts {
  std::array<std::uint8_t, MaxLabels> at;
  std::size_t count = 0;

  explicit LabelStarts(Bytes wire) noexcept {
    for (std::size_t offset = 0; wire[offset] != 0; offset += 1U + wire[offset]) {
      at[count++] = static_cast<std::uint8_t>(offset);
    }
  }
};

std::weak_ordering compare_lowered(Bytes left, Bytes right) noexcept {
  const std::size_t common = std::min(left.size(), right.size());
  for (std::size_t i = 0; i < common; ++i) {
    const auto order = ascii_lower(left[i]) <=> ascii_lower(right[i]);
    if (order != 0) {
      return order;
    }
  }
  return left.size() <=> right.size();
}

bool equal_lowered(Bytes left, Bytes right) noexcept {
  return left.size() == right.size() && compare_lowered(left, right) == 0;
}

std::unexpected<Error> bad_name(std::string_view text, std::string_view reason) {
  // Long input is cut: a message is for reading.
  constexpr std::size_t Shown = 80;
  return failure(ErrorKind::InvalidInput,
                 fmt::format("\"{}{}\" is not a domain name: {}", text.substr(0, Shown),
                             text.size() > Shown ? "..." : "", reason));
}

// Reads the escape behind the backslash at text[at - 1]; returns its octet and moves `at` past it.
Result<std::uint8_t> read_escape(std::string_view text, std::size_t& at) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (at == text.size()) {
    return bad_name(text, "a backslash ends it");
  }
  if (!is_digit(text[at])) {
    return static_cast<std::uint8_t>(text[at++]);
  }
  if (text.size() - at < 3 || !is_digit(text[at + 1]) || !is_digit(text[at + 2])) {
    return bad_name(text, "a numeric escape needs three digits");
  }
  const int value = (text[at] - '0') * 100 + (text[at + 1] - '0') * 10 + (text[at + 2] - '0');
  if (value > 255) {
    return bad_name(text, "a numeric escape is above 255");
  }
  at += 3;
  return static_cast<std::uint8_t>(value);
}

bool is_graphic(std::uint8_t octet) noexcept {
  return octet > 0x20 && octet < 0x7f;
}

}  // namespace

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): the initializer is noexcept.
detail::HashKey detail::hash_key = random_hash_key();

Result<Name> Name::from_text(std::string_view text) {
  if (text.empty()) {
    return bad_name(text, "it is empty");
  }
  Name name;
  if (text == ".") {
    return name;
  }
  name.wire_.clear();
  name.wire_.reserve(text.size() + 2);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length_at = name.wire_.size();
    name.wire_.push_back('\0');
    while (at < text.size() && text[at] != '.') {
      auto octet = static_cast<std::uint8_t>(text[at++]);
      if (octet == '\\') {
        const Result<std::uint8_t> escaped = read_escape(text, at);
        if (!escaped) {
          return std::unexpected(escaped.error());
        }
        octet = *escaped;
      } else if (!is_graphic(octet)) {
        return bad_name(text, "octets outside printable ASCII are written as \\DDD");
      }
      name.wire_.push_back(static_cast<char>(octet));
    }
    const std::size_t length = name.wire_.size() - length_at - 1;
    if (length == 0) {
      return bad_name(text, "a label is empty");
    }
    if (length > MaxLabelSize) {
      return bad_name(text, "a label has more than 63 octets");
    }
    if (name.wire_.size() + 1 > MaxNameSize) {
      return bad_name(text, "it has more than 255 octets");
    }
    name.wire_[length_at] = static_cast<char>(length);
    ++at;  // The dot, if any.
  }
  name.wire_.push_back('\0');
  return name;
}

Result<Name> Name::from_wire(Bytes wire) {
  const auto fail = [](std::string_view reason) {
    return failure(ErrorKind::InvalidInput, fmt::format("bad domain name: {}", reason));
  };
  if (wire.size() > MaxNameSize) {
    return fail("more than 255 octets");
  }
  std::size_t at = 0;
  while (at < wire.size() && wire[at] != 0) {
    if (wire[at] > MaxLabelSize) {
      return fail("a label has more than 63 octets or is compressed");
    }
    at += 1U + wire[at];
  }
  if (at + 1 != wire.size()) {
    return fail(at < wire.size() ? "octets behind its end" : "it does not end");
  }
  Name name;
  name.wire_.assign(as_text(wire));
  return name;
}

std::string Name::to_text() const {
  if (is_root()) {
    return ".";
  }
  std::string text;
  text.reserve(wire_.size());
  const Bytes octets = wire();
  for (std::size_t at = 0; octets[at] != 0; at += 1U + octets[at]) {
    for (const std::uint8_t octet : octets.subspan(at + 1, octets[at])) {
      if (!is_graphic(octet)) {
        text += fmt::format("\\{:03}", octet);
        continue;
      }
      // Everything that means something in a master file (RFC 1035, 5.1).
      if (std::string_view(".\\\"();@$").find(static_cast<char>(octet)) != std::string_view::npos) {
        text += '\\';
      }
      text += static_cast<char>(octet);
    }
    text += '.';
  }
  return text;
}

std::size_t Name::label_count() const noexcept {
  return LabelStarts(wire()).count;
}

Name Name::lowered() const {
  Name name = *this;
  for (char& octet : name.wire_) {
    octet = static_cast<char>(ascii_lower(static_cast<std::uint8_t>(octet)));
  }
  return name;
}

Name Name::parent() const {
  Name name;
  if (!is_root()) {
    name.wire_ = wire_.substr(1U + wire()[0]);
  }
  return name;
}

Result<Name> Name::child(std::string_view label) const {
  if (label.empty() || label.size() > MaxLabelSize) {
    return bad_name(label, "a label has 1 to 63 octets");
  }
  if (label.size() + 1 + wire_.size() > MaxNameSize) {
    return bad_name(label, fmt::format("below {} it has more than 255 octets", to_text()));
  }
  Name name;
  name.wire_.clear();
  name.wire_.reserve(label.size() + 1 + wire_.size());
  name.wire_.push_back(static_cast<char>(label.size()));
  name.wire_.append(label).append(wire_);
  return name;
}

bool Name::is_within(const Name& ancestor) const noexcept {
  const LabelStarts mine(wire());
  const std::size_t labels = ancestor.label_count();
  if (labels > mine.count) {
    return false;
  }
  const std::size_t at = labels == 0 ? wire_.size() - 1 : mine.at[mine.count - labels];
  return equal_lowered(wire().subspan(at), ancestor.wire());
}

bool operator==(const Name& left, const Name& right) noexcept {
  return equal_lowered(left.wire(), right.wire());
}

std::weak_ordering operator<=>(const Name& left, const Name& right) noexcept {
  const Bytes left_wire = left.wire();
  const Bytes right_wire = right.wire();
  const LabelStarts lefts(left_wire);
  const LabelStarts rights(right_wire);
  for (std::size_t i = 1; i <= std::min(lefts.count, rights.count); ++i) {
    const std::size_t left_at = lefts.at[lefts.count - i];
    const std::size_t right_at = rights.at[rights.count - i];
    const auto order = compare_lowered(left_wire.subspan(left_at + 1, left_wire[left_at]),
                                       right_wire.subspan(right_at + 1, right_wire[right_at]));
    if (order != 0) {
      return order;
    }
  }
  return lefts.count <=> rights.count;
}

std::uint64_t hash_name(Bytes lower_wire) noexcept {
  return detail::hash_words(lower_wire.data(), lower_wire.size(),
                            [](std::size_t, std::uint64_t word) noexcept { return word; });
}

void set_hash_key_for_test(std::uint64_t key) noexcept {
  // Odd multipliers spread a small key over all bits.
  detail::hash_key = {key * 0x9e3779b97f4a7c15ULL + 1, key ^ 0xbf58476d1ce4e5b9ULL,
                      key ^ 0x94d049bb133111ebULL};
}

}  // namespace waypost::dns
