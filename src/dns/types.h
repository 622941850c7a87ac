// The numbers of the DNS protocol, spelled as the IANA registries spell them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::dns {

enum class RecordType : std::uint16_t {
  A = 1,
  NS = 2,
  CNAME = 5,
  SOA = 6,
  PTR = 12,
  HINFO = 13,
  MX = 15,
  TXT = 16,
  AAAA = 28,
  SRV = 33,
  NAPTR = 35,
  DNAME = 39,
  OPT = 41,
  DS = 43,
  RRSIG = 46,
  NSEC = 47,
  DNSKEY = 48,
  NSEC3 = 50,
  SVCB = 64,
  HTTPS = 65,
  TSIG = 250,
  IXFR = 251,
  AXFR = 252,
  ANY = 255,
  CAA = 257,
};

enum class RecordClass : std::uint16_t { IN = 1, CH = 3, HS = 4, NONE = 254, ANY = 255 };

enum class Opcode : std::uint8_t { Query = 0, IQuery = 1, Status = 2, Notify = 4, Update = 5 };

// RFC 1035, 4.1.1; 16 and above need EDNS (RFC 6891, 6.1.3).
enum class Rcode : std::uint16_t {
  NoError = 0,
  FormErr = 1,
  ServFail = 2,
  NxDomain = 3,
  NotImp = 4,
  Refused = 5,
  YxDomain = 6,
  NotAuth = 9,
  BadVers = 16,
  BadCookie = 23,
};

// Where messages with `rcode` are counted: at its number, and those above BADCOOKIE, the last one
// that the registry has a name for, together at OtherRcodes.
inline constexpr std::size_t OtherRcodes = 24;
inline constexpr std::size_t RcodePlaces = OtherRcodes + 1;
constexpr std::size_t rcode_place(Rcode rcode) noexcept {
  const auto number = static_cast<std::size_t>(rcode);
  return number < OtherRcodes ? number : OtherRcodes;
}

// RFC 8914, 5.2.
enum class ExtendedError : std::uint16_t {
  Other = 0,
  StaleAnswer = 3,
  NotReady = 14,
  Blocked = 15,
  Filtered = 17,
  Prohibited = 18,
  StaleNxDomainAnswer = 19,
  NotAuthoritative = 20,
  NotSupported = 21,
  NoReachableAuthority = 22,
  NetworkError = 23,
};

inline constexpr std::size_t HeaderSize = 12;    // RFC 1035, 4.1.1
inline constexpr std::size_t MaxNameSize = 255;  // RFC 1035, 2.3.4; length octets and root included
inline constexpr std::size_t MaxLabelSize = 63;  // RFC 1035, 2.3.4
inline constexpr std::size_t MaxLabels =
    127;  // The most that fit into MaxNameSize, root not counted
inline constexpr std::size_t PlainUdpSize = 512;      // RFC 1035, 2.3.4: without EDNS
inline constexpr std::size_t MaxMessageSize = 65535;  // RFC 1035, 4.2.2: TCP's length prefix

// The registry's name of a type that is in use, without allocation; empty for all others.
std::string_view mnemonic(RecordType type) noexcept;
// The same, "TYPE1234" for those others (RFC 3597, 5).
std::string to_text(RecordType type);
// The registry's name, "RCODE1234" for an rcode that has none.
std::string to_text(Rcode rcode);
// What is counted at a rcode_place(): the rcode's name, or "other".
std::string rcode_place_to_text(std::size_t place);

}  // namespace waypost::dns
