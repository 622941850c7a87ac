#include "dns/edns.h"

#include "dns/siphash.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace waypost::dns {

namespace {

using Octets = std::vector<std::uint8_t>;

CookieMaker::Secret secret(std::string_view hex) {
  CookieMaker::Secret value{};
  const Octets octets = test::from_hex(hex);
  REQUIRE(octets.size() == value.size());
  std::ranges::copy(octets, value.begin());
  return value;
}

constexpr const char* FirstSecret = "e5e973e5a6b2a43f48e7dc849e37bfcf";

}  // namespace

TEST_CASE("SipHash-2-4 gives its authors' reference values") {
  // Key 00..0f, messages 00, 00 01, ...: the table beside the paper, and the paper's own example.
  std::array<std::uint8_t, 16> key{};
  Octets message;
  for (std::uint8_t i = 0; i < 16; ++i) {
    key[i] = i;
  }
  struct Case {
    std::size_t size;
    std::uint64_t hash;
  };
  for (const Case& c : {Case{0, 0x726fdb47dd0e0e31ULL}, Case{1, 0x74f839c593dc67fdULL},
                        Case{7, 0xab0200f58b01d137ULL}, Case{8, 0x93f5f5799a932462ULL},
                        Case{15, 0xa129ca6149be45e5ULL}, Case{63, 0x958a324ceb064572ULL}}) {
    CAPTURE(c.size);
    message.resize(c.size);
    for (std::size_t i = 0; i < c.size; ++i) {
      message[i] = static_cast<std::uint8_t>(i);
    }
    CHECK(siphash24(key, message) == c.hash);
  }
}

TEST_CASE("server cookies are those of RFC 9018, appendix A") {
  struct Case {
    std::string secret;
    std::string client;
    std::uint32_t now;
    std::string client_cookie;
    std::string server_cookie;
  };
  for (const Case& c :
       {Case{FirstSecret, "198.51.100.100", 1559731985, "2464c4abcf10c957",
             "010000005cf79f111f8130c3eee29480"},
        Case{FirstSecret, "198.51.100.100", 1559734385, "2464c4abcf10c957",
             "010000005cf7a871d4a564a1442aca77"},
        Case{FirstSecret, "203.0.113.203", 1559734700, "fc93fc62807ddb86",
             "010000005cf7a9acf73a7810aca2381e"},
        Case{"445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
             "22681ab97d52c298", "010000005cf7c609a6bb79d16625507a"}}) {
    CAPTURE(c.server_cookie);
    const CookieMaker maker(secret(c.secret));
    const IpAddress client = IpAddress::from_text(c.client).value();
    const auto made = maker.make(test::from_hex(c.client_cookie), client, c.now);
    CHECK(test::hexdump(made) == test::hexdump(test::from_hex(c.server_cookie)));
    CHECK(maker.is_valid(made, test::from_hex(c.client_cookie), client, c.now));
  }
}

TEST_CASE("a cookie with reserved octets set is valid: they are hashed as they came") {
  // RFC 9018, A.3.
  const CookieMaker maker(secret(FirstSecret));
  const IpAddress client = IpAddress::v4(203, 0, 113, 203);
  const Octets client_cookie = test::from_hex("fc93fc62807ddb86");
  Octets cookie = test::from_hex("01abcdef5cf78f71a314227b6679ebf5");
  CHECK(maker.is_valid(cookie, client_cookie, client, 1559727985));
  cookie[1] = 0;
  CHECK_FALSE(maker.is_valid(cookie, client_cookie, client, 1559727985));
}

TEST_CASE("a cookie is valid for an hour, and up to five minutes ahead of this clock") {
  const CookieMaker maker(secret(FirstSecret));
  const IpAddress client = IpAddress::v4(10, 0, 0, 1);
  const Octets client_cookie(8, 0x11);
  struct Case {
    std::uint32_t made;
    std::uint32_t now;
    bool valid;
  };
  for (const Case& c :
       {Case{1000000, 1000000, true}, Case{1000000, 1003600, true}, Case{1000000, 1003601, false},
        Case{1000300, 1000000, true}, Case{1000301, 1000000, false},
        // Over the end of 32 bits (RFC 1982).
        Case{0xffffff00, 0x00000100, true}, Case{0x00000010, 0xfffffff0, true},
        Case{0xffff0000, 0x00000100, false}, Case{0x00010000, 0xffffff00, false}}) {
    CAPTURE(c.made);
    CAPTURE(c.now);
    const auto cookie = maker.make(client_cookie, client, c.made);
    CHECK(maker.is_valid(cookie, client_cookie, client, c.now) == c.valid);
  }
}

TEST_CASE("a cookie is bound to every octet of it, its client and the secret") {
  const CookieMaker maker(secret(FirstSecret));
  const IpAddress client = IpAddress::v4(10, 0, 0, 1);
  const Octets client_cookie(8, 0x11);
  const auto made = maker.make(client_cookie, client, 1000000);
  REQUIRE(maker.is_valid(made, client_cookie, client, 1000000));
  for (std::size_t i = 0; i < made.size(); ++i) {
    CAPTURE(i);
    auto other = made;
    other[i] = static_cast<std::uint8_t>(other[i] ^ 1);
    CHECK_FALSE(maker.is_valid(other, client_cookie, client, 1000000));
  }
  for (std::size_t i = 0; i < client_cookie.size(); ++i) {
    Octets other = client_cookie;
    other[i] = static_cast<std::uint8_t>(other[i] ^ 1);
    CHECK_FALSE(maker.is_valid(made, other, client, 1000000));
  }
  CHECK_FALSE(maker.is_valid(made, client_cookie, IpAddress::v4(10, 0, 0, 2), 1000000));
  CHECK_FALSE(CookieMaker(secret("00000000000000000000000000000000"))
                  .is_valid(made, client_cookie, client, 1000000));
  for (const std::size_t size : {0U, 8U, 15U, 17U, 32U}) {
    CAPTURE(size);
    Octets resized(made.begin(), made.end());
    resized.resize(size);
    CHECK_FALSE(maker.is_valid(resized, client_cookie, client, 1000000));
  }
}

TEST_CASE("a cookie of another version is none of ours, even with the right hash") {
  const CookieMaker maker(secret(FirstSecret));
  const Octets client_cookie(8, 0x11);
  for (const std::uint8_t version : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
    CAPTURE(version);
    Octets cookie = {version, 0, 0, 0, 0, 0x0f, 0x42, 0x40};
    Octets hashed = client_cookie;
    hashed.insert(hashed.end(), cookie.begin(), cookie.end());
    hashed.insert(hashed.end(), {10, 0, 0, 1});
    const std::uint64_t hash = siphash24(secret(FirstSecret), hashed);
    for (int i = 0; i < 8; ++i) {
      cookie.push_back(static_cast<std::uint8_t>((hash >> (8 * i)) & 0xff));
    }
    CHECK(maker.is_valid(cookie, client_cookie, IpAddress::v4(10, 0, 0, 1), 1000000) ==
          (version == 1));
  }
}

TEST_CASE("OPT holds what it was given, in exactly the size that was announced") {
  struct Case {
    std::string what;
    OptContent content;
    std::string wire;
  };
  const Octets nsid = test::from_hex("6e31");
  const Octets cookie = test::from_hex("0102030405060708 010000005cf79f111f8130c3eee29480");
  const std::vector<Case> cases = {
      {"nothing but a size", {}, "00 0029 04d0 00 00 0000 0000"},
      {"DO is echoed", {.dnssec_ok = true}, "00 0029 04d0 00 00 8000 0000"},
      {"the size of this server", {.udp_size = 4096}, "00 0029 1000 00 00 0000 0000"},
      {"an rcode below 16 has no high bits",
       {.rcode = Rcode::Refused},
       "00 0029 04d0 00 00 0000 0000"},
      {"BADVERS", {.rcode = Rcode::BadVers}, "00 0029 04d0 01 00 0000 0000"},
      {"BADCOOKIE", {.rcode = Rcode::BadCookie}, "00 0029 04d0 01 00 0000 0000"},
      {"NSID", {.nsid = nsid}, "00 0029 04d0 00 00 0000 0006 0003 0002 6e31"},
      {"a cookie",
       {.cookie = cookie},
       "00 0029 04d0 00 00 0000 001c 000a 0018 0102030405060708 010000005cf79f111f8130c3eee29480"},
      {"an extended error",
       {.extended_error = ExtendedError::NotReady},
       "00 0029 04d0 00 00 0000 0006 000f 0002 000e"},
      {"an extended error with text",
       {.extended_error = ExtendedError::StaleAnswer, .extended_text = "old"},
       "00 0029 04d0 00 00 0000 0009 000f 0005 0003 6f6c64"},
      {"everything",
       {.udp_size = 512,
        .rcode = Rcode::BadVers,
        .dnssec_ok = true,
        .nsid = nsid,
        .cookie = cookie,
        .extended_error = ExtendedError::Other,
        .extended_text = "x"},
       "00 0029 0200 01 00 8000 0029 0003 0002 6e31 000a 0018 0102030405060708"
       "010000005cf79f111f8130c3eee29480 000f 0003 0000 78"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const Octets expected = test::from_hex(c.wire);
    CHECK(opt_size(c.content.nsid.size(), !c.content.cookie.empty(),
                   c.content.extended_error.has_value(),
                   c.content.extended_text.size()) == expected.size());
    Octets out(expected.size() + 8, 0xee);
    REQUIRE(write_opt(c.content, out) == expected.size());
    CHECK(test::hexdump(Bytes(out).first(expected.size())) == test::hexdump(expected));
    for (std::size_t size = 0; size < expected.size(); ++size) {
      Octets small(size, 0xee);
      CHECK(write_opt(c.content, small) == 0);
      CHECK(small == Octets(size, 0xee));
    }
  }
}

}  // namespace waypost::dns
