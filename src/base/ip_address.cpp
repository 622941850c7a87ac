#include "base/ip_address.h"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>

namespace waypost {

IpAddress IpAddress::from_octets(Bytes octets) noexcept {
  IpAddress address;
  if (octets.size() == 4) {
    return v4(octets[0], octets[1], octets[2], octets[3]);
  }
  std::copy_n(octets.begin(), std::min<std::size_t>(octets.size(), 16), address.octets_.begin());
  return address;
}

std::optional<IpAddress> IpAddress::from_text(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), terminated.begin());
  if (text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::array<std::uint8_t, 16> octets{};
  if (inet_pton(AF_INET, terminated.data(), octets.data()) == 1) {
    return from_octets(Bytes(octets).first(4));
  }
  if (inet_pton(AF_INET6, terminated.data(), octets.data()) == 1) {
    return from_octets(octets);
  }
  return std::nullopt;
}

std::string IpAddress::to_text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4()) {
    inet_ntop(AF_INET, octets_.data() + 12, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, octets_.data(), text.data(), text.size());
  }
  return text.data();
}

bool IpAddress::is_loopback() const noexcept {
  if (is_v4()) {
    return octets_[12] == 127;
  }
  return std::all_of(octets_.begin(), octets_.end() - 1, [](auto octet) { return octet == 0; }) &&
         octets_[15] == 1;
}

bool IpAddress::is_unspecified() const noexcept {
  const Bytes bytes = octets();
  return std::all_of(bytes.begin(), bytes.end(), [](auto octet) { return octet == 0; });
}

std::size_t IpAddressHash::operator()(const IpAddress& address) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address.mapped().data(), sizeof high);
  std::memcpy(&low, address.mapped().data() + 8, sizeof low);
  std::uint64_t mixed = (high * 0x9e3779b97f4a7c15ULL) ^ low;
  mixed ^= mixed >> 32;
  mixed *= 0xd6e8feb86659fd93ULL;
  return static_cast<std::size_t>(mixed ^ (mixed >> 32));
}

Result<IpPrefix> IpPrefix::from_text(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::from_text(text.substr(0, slash));
  if (!address) {
    return failure(ErrorKind::InvalidInput,
                   "'" + std::string(text) + "' is not an address prefix such as 10.96.0.0/12");
  }
  const unsigned bits = address->is_v4() ? 32 : 128;
  unsigned length = bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (ec != std::errc() || end != digits.data() + digits.size() || length > bits) {
      return failure(
          ErrorKind::InvalidInput,
          "'" + std::string(text) + "': the length must be 0 to " + std::to_string(bits));
    }
  }
  IpPrefix prefix;
  prefix.base_ = *address;
  prefix.length_ = length;
  const Bytes octets = prefix.base_.octets();
  for (unsigned bit = length; bit < bits; ++bit) {
    if ((octets[bit / 8] >> (7 - bit % 8)) & 1) {
      return failure(ErrorKind::InvalidInput,
                     "'" + std::string(text) + "' has bits set behind its length");
    }
  }
  return prefix;
}

IpPrefix IpPrefix::around(const IpAddress& address, unsigned length) noexcept {
  const unsigned bits = address.is_v4() ? 32 : 128;
  std::array<std::uint8_t, 16> octets = address.mapped();
  IpPrefix prefix;
  prefix.length_ = std::min(length, bits);
  for (unsigned bit = 128 - bits + prefix.length_; bit < 128; ++bit) {
    octets[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  }
  prefix.base_ = IpAddress::from_octets(octets);
  return prefix;
}

bool IpPrefix::contains(const IpAddress& address) const noexcept {
  if (address.is_v4() != base_.is_v4()) {
    return false;
  }
  const Bytes left = base_.octets();
  const Bytes right = address.octets();
  const std::size_t whole = length_ / 8;
  if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(whole), right.begin())) {
    return false;
  }
  const unsigned rest = length_ % 8;
  return rest == 0 || ((left[whole] ^ right[whole]) >> (8 - rest)) == 0;
}

std::string IpPrefix::to_text() const {
  return base_.to_text() + "/" + std::to_string(length_);
}

Result<SocketAddress> SocketAddress::from_text(std::string_view text) {
  const auto bad = [&] {
    return failure(
        ErrorKind::InvalidInput,
        "'" + std::string(text) + "' is not ADDRESS:PORT such as 127.0.0.1:53 or [::1]:53");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return bad();
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const auto address = IpAddress::from_text(host);
  if (!address || (host.find(':') != std::string_view::npos) != bracketed) {
    return bad();
  }
  const std::string_view digits = text.substr(colon + 1);
  SocketAddress result{*address, 0};
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
  if (digits.empty() || ec != std::errc() || end != digits.data() + digits.size()) {
    return bad();
  }
  return result;
}

std::string SocketAddress::to_text() const {
  const std::string host = address.is_v4() ? address.to_text() : "[" + address.to_text() + "]";
  return host + ":" + std::to_string(port);
}

}  // namespace waypost
