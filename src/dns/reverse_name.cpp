#include "dns/reverse_name.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace waypost::dns {
namespace {

constexpr std::string_view HexDigits = "0123456789abcdef";

// A decimal octet in its only accepted spelling.
std::optional<std::uint8_t> read_octet(Bytes label) noexcept {
  const std::string_view text = as_text(label);
  std::uint8_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() ||
      (text[0] == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint8_t> read_nibble(Bytes label) noexcept {
  const std::size_t digit =
      label.size() == 1 ? HexDigits.find(static_cast<char>(label[0])) : std::string_view::npos;
  if (digit == std::string_view::npos) {
    return std::nullopt;
  }
  return static_cast<std::uint8_t>(digit);
}

}  // namespace

bool is_reverse(const Name& name) noexcept {
  NameKey key;
  key.assign(name.wire());
  return is_reverse(key);
}

std::optional<ReverseName> read_reverse_name(const NameKey& name) noexcept {
  const bool v4 = name.is_within(as_bytes(InAddrArpa), 2);
  if (!v4 && !name.is_within(as_bytes(Ip6Arpa), 2)) {
    return std::nullopt;
  }
  const std::size_t labels = name.label_count - 2U;
  if (labels == 0 || labels > (v4 ? ReverseLabelsV4 : ReverseLabelsV6)) {
    return std::nullopt;
  }
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t i = 0; i < labels; ++i) {
    const Bytes label = name.label(labels - 1 - i);
    const auto value = v4 ? read_octet(label) : read_nibble(label);
    if (!value) {
      return std::nullopt;
    }
    if (v4) {
      octets[i] = *value;
    } else {
      octets[i / 2] =
          static_cast<std::uint8_t>(octets[i / 2] | (i % 2 == 0 ? *value << 4 : *value));
    }
  }
  return ReverseName{IpAddress::from_octets(Bytes(octets).first(v4 ? 4 : 16)), labels};
}

ReverseWire write_reverse_name(const IpAddress& address, std::size_t labels) noexcept {
  ReverseWire out;
  const Bytes octets = address.octets();
  const bool v4 = address.is_v4();
  for (std::size_t i = labels; i-- > 0;) {
    if (v4) {
      auto* text = reinterpret_cast<char*>(out.octets.data() + out.size + 1);
      const auto end = std::to_chars(text, text + 3, octets[i]).ptr;
      out.octets[out.size] = static_cast<std::uint8_t>(end - text);
      out.size += 1 + static_cast<std::size_t>(end - text);
    } else {
      const unsigned nibble = i % 2 == 0 ? octets[i / 2] >> 4 : octets[i / 2] & 0xf;
      out.octets[out.size] = 1;
      out.octets[out.size + 1] = static_cast<std::uint8_t>(HexDigits[nibble]);
      out.size += 2;
    }
  }
  const std::string_view suffix = v4 ? InAddrArpa : Ip6Arpa;
  std::copy(suffix.begin(), suffix.end(),
            out.octets.begin() + static_cast<std::ptrdiff_t>(out.size));
  out.size += suffix.size();
  return out;
}

Name reverse_name(const IpAddress& address, std::size_t labels) {
  return *Name::from_wire(write_reverse_name(address, labels).wire());  // Always valid.
}

IpAddress reverse_prefix(const IpAddress& address, std::size_t labels) noexcept {
  std::array<std::uint8_t, 16> octets{};
  const Bytes whole = address.octets();
  for (std::size_t i = 0; i < labels; ++i) {
    if (address.is_v4()) {
      octets[i] = whole[i];
    } else {
      const std::uint8_t mask = i % 2 == 0 ? 0xf0 : 0x0f;
      octets[i / 2] = static_cast<std::uint8_t>(octets[i / 2] | (whole[i / 2] & mask));
    }
  }
  return IpAddress::from_octets(Bytes(octets).first(whole.size()));
}

}  // namespace waypost::dns
