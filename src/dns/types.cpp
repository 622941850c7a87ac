#include "dns/types.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace waypost::dns {

namespace {

struct Mnemonic {
  unsigned number;
  std::string_view text;
};

// IANA "Domain Name System (DNS) Parameters": the types that are in use.
constexpr std::array TypeNames = {
    Mnemonic{1, "A"},        Mnemonic{2, "NS"},          Mnemonic{5, "CNAME"},
    Mnemonic{6, "SOA"},      Mnemonic{12, "PTR"},        Mnemonic{13, "HINFO"},
    Mnemonic{15, "MX"},      Mnemonic{16, "TXT"},        Mnemonic{17, "RP"},
    Mnemonic{18, "AFSDB"},   Mnemonic{28, "AAAA"},       Mnemonic{29, "LOC"},
    Mnemonic{33, "SRV"},     Mnemonic{35, "NAPTR"},      Mnemonic{37, "CERT"},
    Mnemonic{39, "DNAME"},   Mnemonic{41, "OPT"},        Mnemonic{43, "DS"},
    Mnemonic{44, "SSHFP"},   Mnemonic{46, "RRSIG"},      Mnemonic{47, "NSEC"},
    Mnemonic{48, "DNSKEY"},  Mnemonic{50, "NSEC3"},      Mnemonic{51, "NSEC3PARAM"},
    Mnemonic{52, "TLSA"},    Mnemonic{53, "SMIMEA"},     Mnemonic{59, "CDS"},
    Mnemonic{60, "CDNSKEY"}, Mnemonic{61, "OPENPGPKEY"}, Mnemonic{62, "CSYNC"},
    Mnemonic{63, "ZONEMD"},  Mnemonic{64, "SVCB"},       Mnemonic{65, "HTTPS"},
    Mnemonic{99, "SPF"},     Mnemonic{249, "TKEY"},      Mnemonic{250, "TSIG"},
    Mnemonic{251, "IXFR"},   Mnemonic{252, "AXFR"},      Mnemonic{255, "ANY"},
    Mnemonic{256, "URI"},    Mnemonic{257, "CAA"},
};

// RFC 6895, 2.3.
constexpr std::array RcodeNames = {
    Mnemonic{0, "NOERROR"},    Mnemonic{1, "FORMERR"},  Mnemonic{2, "SERVFAIL"},
    Mnemonic{3, "NXDOMAIN"},   Mnemonic{4, "NOTIMP"},   Mnemonic{5, "REFUSED"},
    Mnemonic{6, "YXDOMAIN"},   Mnemonic{7, "YXRRSET"},  Mnemonic{8, "NXRRSET"},
    Mnemonic{9, "NOTAUTH"},    Mnemonic{10, "NOTZONE"}, Mnemonic{16, "BADVERS"},
    Mnemonic{17, "BADKEY"},    Mnemonic{18, "BADTIME"}, Mnemonic{19, "BADMODE"},
    Mnemonic{20, "BADNAME"},   Mnemonic{21, "BADALG"},  Mnemonic{22, "BADTRUNC"},
    Mnemonic{23, "BADCOOKIE"},
};

template <std::size_t Size>
std::string_view find_text(const std::array<Mnemonic, Size>& names, unsigned number) noexcept {
  const auto found = std::ranges::find(names, number, &Mnemonic::number);
  return found == names.end() ? std::string_view() : found->text;
}

std::string or_number(std::string_view text, std::string_view prefix, unsigned number) {
  return text.empty() ? std::string(prefix) + std::to_string(number) : std::string(text);
}

}  // namespace

std::string_view mnemonic(RecordType type) noexcept {
  return find_text(TypeNames, std::to_underlying(type));
}

std::string to_text(RecordType type) {
  return or_number(mnemonic(type), "TYPE", std::to_underlying(type));
}

std::string to_text(Rcode rcode) {
  const unsigned number = std::to_underlying(rcode);
  return or_number(find_text(RcodeNames, number), "RCODE", number);
}

std::string rcode_place_to_text(std::size_t place) {
  return place == OtherRcodes ? "other" : to_text(static_cast<Rcode>(place));
}

}  // namespace waypost::dns
