#include "dns/edns.h"

#include <cstring>
#include <utility>

namespace waypost::dns {

namespace {

constexpr std::uint16_t NsidOption = 3;            // RFC 5001
constexpr std::uint16_t CookieOption = 10;         // RFC 7873
constexpr std::uint16_t ExtendedErrorOption = 15;  // RFC 8914

constexpr std::size_t OptHeadSize = 11;  // Root owner and the fixed part of the record.

std::uint8_t* append(std::uint8_t* to, Bytes octets) noexcept {
  if (octets.empty()) {
    return to;
  }
  std::memcpy(to, octets.data(), octets.size());
  return to + octets.size();
}

// Code and length; returns where the option's value goes.
std::uint8_t* open_option(std::uint8_t* to, std::uint16_t code, std::size_t size) noexcept {
  store_u16(to, code);
  store_u16(to + 2, static_cast<std::uint16_t>(size));
  return to + 4;
}

}  // namespace

std::size_t write_opt(const OptContent& content, MutableBytes out) noexcept {
  std::size_t size = OptHeadSize;
  size += content.nsid.empty() ? 0 : 4 + content.nsid.size();
  size += content.cookie.empty() ? 0 : 4 + content.cookie.size();
  size += content.extended_error ? 6 + content.extended_text.size() : 0;
  if (size > out.size() || size > MaxMessageSize) {
    return 0;
  }
  std::uint8_t* opt = out.data();
  opt[0] = 0;
  store_u16(opt + 1, std::to_underlying(RecordType::OPT));
  store_u16(opt + 3, content.udp_size);
  opt[5] = static_cast<std::uint8_t>((std::to_underlying(content.rcode) >> 4) & 0xff);
  opt[6] = 0;  // Version.
  store_u16(opt + 7, content.dnssec_ok ? 0x8000 : 0);
  store_u16(opt + 9, static_cast<std::uint16_t>(size - OptHeadSize));
  std::uint8_t* to = opt + OptHeadSize;
  if (!content.nsid.empty()) {
    to = append(open_option(to, NsidOption, content.nsid.size()), content.nsid);
  }
  if (!content.cookie.empty()) {
    to = append(open_option(to, CookieOption, content.cookie.size()), content.cookie);
  }
  if (content.extended_error) {
    to = open_option(to, ExtendedErrorOption, 2 + content.extended_text.size());
    store_u16(to, std::to_underlying(*content.extended_error));
    append(to + 2, as_bytes(content.extended_text));
  }
  return size;
}

}  // namespace waypost::dns
