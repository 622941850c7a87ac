#include "cache/snapshot_fields.h"

#include <array>

namespace waypost::cache {
namespace {

// Seven bits in each octet, the lowest first; all octets but the last have the top bit.
constexpr std::size_t MaxNumberSize = 10;

std::size_t put_number(std::array<char, MaxNumberSize>& to, std::uint64_t value) noexcept {
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7U) {
    to[size++] = static_cast<char>(value | 0x80U);
  }
  to[size++] = static_cast<char>(value);
  return size;
}

}  // namespace

//------------------------------------------------------------------ writing

void GroupWriter::number(std::uint64_t value) {
  std::array<char, MaxNumberSize> octets{};
  out_.append(octets.data(), put_number(octets, value));
}

void GroupWriter::text(std::string_view value) {
  number(value.size());
  out_.append(value);
}

void GroupWriter::address(const IpAddress& value) {
  text(as_text(value.octets()));
}

void GroupWriter::close_group(std::size_t start) {
  const std::size_t size = out_.size() - start - 1;
  std::array<char, MaxNumberSize> octets{};
  const std::size_t digits = put_number(octets, size);
  out_[start] = octets[0];
  out_.insert(start + 1, octets.data() + 1, digits - 1);
}

//------------------------------------------------------------------ reading

void GroupReader::refuse(const char* what) noexcept {
  if (problem_ == nullptr) {
    problem_ = what;
  }
  rest_ = {};
}

Bytes GroupReader::take(std::uint64_t size) noexcept {
  if (size > rest_.size()) {
    refuse("a field is longer than what is left");
    return {};
  }
  const Bytes taken = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

std::uint8_t GroupReader::octet() noexcept {
  const Bytes taken = rest_.empty() ? Bytes() : take(1);
  return taken.empty() ? std::uint8_t{0} : taken[0];
}

std::uint64_t GroupReader::number() noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < MaxNumberSize; ++i) {
    if (rest_.empty()) {
      require(i == 0, "a number is cut off");
      return 0;
    }
    const std::uint64_t digit = octet();
    value |= (digit & 0x7fU) << (7U * i);
    if ((digit & 0x80U) == 0) {
      require(i + 1 < MaxNumberSize || digit <= 1, "a number is larger than 64 bits");
      return has_problem() ? 0 : value;
    }
  }
  refuse("a number is larger than 64 bits");
  return 0;
}

std::uint16_t GroupReader::port() noexcept {
  const std::uint64_t value = number();
  require(value <= 0xffff, "a port is larger than 65535");
  return has_problem() ? std::uint16_t{0} : static_cast<std::uint16_t>(value);
}

std::string_view GroupReader::text() noexcept {
  return as_text(take(number()));
}

IpAddress GroupReader::address() noexcept {
  const Bytes octets = as_bytes(text());
  const bool valid = octets.size() == 4 || octets.size() == 16;
  require(valid, "an address has neither 4 nor 16 octets");
  return valid ? IpAddress::from_octets(octets) : IpAddress();
}

std::uint64_t GroupReader::count() noexcept {
  const std::uint64_t elements = number();
  require(elements <= rest_.size(), "a list has more elements than octets are left");
  return has_problem() ? 0 : elements;
}

}  // namespace waypost::cache
