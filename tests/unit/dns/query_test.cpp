#include "dns/query.h"

#include "dns/name.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace waypost::dns {

namespace {

using Octets = std::vector<std::uint8_t>;

const char* verdict_text(ReadVerdict verdict) {
  switch (verdict) {
    case ReadVerdict::Answer:
      return "Answer";
    case ReadVerdict::Drop:
      return "Drop";
    case ReadVerdict::FormErr:
      return "FormErr";
    case ReadVerdict::NotImp:
      return "NotImp";
    case ReadVerdict::BadVersion:
      return "BadVersion";
    case ReadVerdict::CookieOnly:
      return "CookieOnly";
  }
  return "?";
}

// Reads from a block of the packet's exact size, into a query full of another's remains.
ReadVerdict read(const Octets& packet, Query& query) {
  Octets stale = test::make_query({.name = "Old.One.",
                                   .type = RecordType::TXT,
                                   .edns = true,
                                   .dnssec_ok = true,
                                   .options = test::option(10, Octets(24, 7))});
  REQUIRE(read_query(stale, query) == ReadVerdict::Answer);
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[packet.size()]);
  std::ranges::copy(packet, exact.get());
  const ReadVerdict verdict = read_query({exact.get(), packet.size()}, query);
  // The view must not outlive `exact`: point it at the caller's octets.
  if (verdict != ReadVerdict::Drop && !query.question.empty()) {
    query.question = Bytes(packet).subspan(12, query.question.size());
  }
  return verdict;
}

// Header fields as words, then "www.A." and type and class; then `rest`.
Octets message(const char* flags, const char* counts, const char* rest,
               const char* question = "0377777701410000010001") {
  Octets packet = test::from_hex("1234");
  for (const char* part : {flags, counts, question, rest}) {
    const Octets octets = test::from_hex(part);
    packet.insert(packet.end(), octets.begin(), octets.end());
  }
  return packet;
}

constexpr const char* Ixfr = "016100 00fb0001";
constexpr const char* PlainOpt = "00 0029 04d0 00000000 0000";

struct Accepted {
  std::string what;
  Octets packet;
};

std::vector<Accepted> accepted_messages() {
  return {
      {"a plain query", message("0100", "0001 0000 0000 0000", "")},
      {"no recursion asked", message("0000", "0001 0000 0000 0000", "")},
      {"AA, TC, RA, Z, AD and an rcode set", message("07ef", "0001 0000 0000 0000", "")},
      {"the root", message("0100", "0001 0000 0000 0000", "", "00 0002 0001")},
      {"any type and class", message("0100", "0001 0000 0000 0000", "", "0161 00 ffff fffe")},
      {"EDNS", message("0100", "0001 0000 0000 0001", PlainOpt)},
      {"EDNS with size 0 and reserved flags",
       message("0100", "0001 0000 0000 0001", "00 0029 0000 00007fff 0000")},
      {"EDNS with an unknown option of no length",
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00000000 0004 fde9 0000")},
      {"EDNS with NSID",
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00000000 0004 0003 0000")},
      {"a client cookie", message("0100", "0001 0000 0000 0001",
                                  "00 0029 04d0 00000000 000c 000a 0008 0102030405060708")},
      {"a client cookie and the shortest server cookie",
       message("0100", "0001 0000 0000 0001",
               "00 0029 04d0 00000000 0014 000a 0010 0102030405060708 1112131415161718")},
      {"the longest cookie",
       message("0100", "0001 0000 0000 0001",
               "00 0029 04d0 00000000 002c 000a 0028 0102030405060708"
               "1112131415161718 1112131415161718 1112131415161718 1112131415161718")},
      {"a second cookie of a bad size: only the first counts",
       message("0100", "0001 0000 0000 0001",
               "00 0029 04d0 00000000 0011 000a 0008 0102030405060708 000a 0001 ff")},
      {"a TSIG that is passed over, behind EDNS",
       message("0100", "0001 0000 0000 0002",
               "00 0029 04d0 00000000 0000 016b 00 00fa 00ff 00000000 0002 abcd")},
      {"another record before EDNS, its owner a pointer",
       message("0100", "0001 0000 0000 0002",
               "c00c 0010 0001 00000000 0002 0161 00 0029 04d0 00000000 0000")},
      {"IXFR without a SOA", message("0100", "0001 0000 0000 0000", "", Ixfr)},
      {"IXFR with a SOA",
       message(
           "0100", "0001 0000 0001 0000",
           "c00c 0006 0001 00000000 0018 c00c c00c 01020304 00000000 00000000 00000000 00000000",
           Ixfr)},
      {"IXFR with an uncompressed SOA and EDNS",
       message("0100", "0001 0000 0001 0001",
               "016100 0006 0001 00000000 001a 016200 016300 01020304 00000000 00000000 00000000 "
               "00000000 00 0029 04d0 00000000 0000",
               Ixfr)},
  };
}

}  // namespace

TEST_CASE("a well-formed query is read whole") {
  Query query;
  const Octets cookie = test::from_hex("0102030405060708 a1a2a3a4a5a6a7a8 a9aaabacadaeafb0");
  Octets options = test::option(3, {});
  const Octets cookie_option = test::option(10, cookie);
  options.insert(options.end(), cookie_option.begin(), cookie_option.end());
  const Octets packet = test::make_query({.name = "WeB.Shop.SVC.cluster.local.",
                                          .type = RecordType::AAAA,
                                          .id = 0xbeef,
                                          .edns = true,
                                          .udp_size = 4096,
                                          .dnssec_ok = true,
                                          .options = options});
  REQUIRE(read(packet, query) == ReadVerdict::Answer);
  const Name name = Name::from_text("WeB.Shop.SVC.cluster.local.").value();
  CHECK(query.id == 0xbeef);
  CHECK(query.opcode == Opcode::Query);
  CHECK(query.recursion_desired);
  CHECK_FALSE(query.authentic_data);
  CHECK_FALSE(query.checking_disabled);
  CHECK(query.type == RecordType::AAAA);
  CHECK(query.record_class == RecordClass::IN);
  CHECK(query.question.data() == packet.data() + HeaderSize);
  CHECK(test::hexdump(query.question.first(name.size())) == test::hexdump(name.wire()));
  CHECK(query.question.size() == name.size() + 4);
  CHECK(test::hexdump(query.name.wire()) == test::hexdump(name.lowered().wire()));
  CHECK(query.name.label_count == 5);
  CHECK(query.name.hash == hash_name(name.lowered().wire()));
  CHECK(query.edns.present);
  CHECK(query.edns.udp_size == 4096);
  CHECK(query.edns.dnssec_ok);
  CHECK(query.edns.nsid_requested);
  CHECK(query.edns.version == 0);
  REQUIRE(query.edns.has_cookie);
  CHECK(test::hexdump(query.edns.client_cookie) == "01 02 03 04 05 06 07 08");
  REQUIRE(query.edns.server_cookie_size == 16);
  CHECK(std::memcmp(query.edns.server_cookie.data(), cookie.data() + 8, 16) == 0);
}

TEST_CASE("nothing of an earlier query remains") {
  Query query;
  for (const Accepted& c : accepted_messages()) {
    if (c.what == "IXFR with a SOA") {
      REQUIRE(read_query(c.packet, query) == ReadVerdict::Answer);
      REQUIRE(query.has_ixfr_serial);
    }
  }
  REQUIRE(read_query(message("0100", "0001 0000 0000 0000", "", Ixfr), query) ==
          ReadVerdict::Answer);
  CHECK_FALSE(query.has_ixfr_serial);
  CHECK(query.ixfr_serial == 0);
  REQUIRE(read(test::make_query({.name = "a."}), query) == ReadVerdict::Answer);
  CHECK_FALSE(query.edns.present);
  CHECK_FALSE(query.edns.dnssec_ok);
  CHECK_FALSE(query.edns.has_cookie);
  CHECK(query.edns.server_cookie_size == 0);
  CHECK(query.edns.udp_size == 0);
  REQUIRE(read(message("0100", "0001 0000 0000 0000", "", "40 0001 0001"), query) ==
          ReadVerdict::FormErr);
  CHECK(query.question.empty());
}

TEST_CASE("what RFCs allow in a query is accepted") {
  for (const Accepted& c : accepted_messages()) {
    CAPTURE(c.what);
    Query query;
    const ReadVerdict verdict = read(c.packet, query);
    CHECK_MESSAGE(verdict == ReadVerdict::Answer, verdict_text(verdict));
    CHECK(query.id == 0x1234);
  }
}

TEST_CASE("of several cookies the first is kept") {
  Query query;
  REQUIRE(read(message("0100", "0001 0000 0000 0001",
                       "00 0029 04d0 00000000 0018 000a 0008 0102030405060708 000a 0008 "
                       "1112131415161718"),
               query) == ReadVerdict::Answer);
  CHECK(test::hexdump(query.edns.client_cookie) == "01 02 03 04 05 06 07 08");
}

TEST_CASE("the serial of an IXFR query is read behind compressed and plain names") {
  for (const Accepted& c : accepted_messages()) {
    CAPTURE(c.what);
    Query query;
    read(c.packet, query);
    const bool with_soa =
        c.what.find("SOA") != std::string::npos && c.what.find("without") == std::string::npos;
    CHECK(query.has_ixfr_serial == with_soa);
    CHECK(query.ixfr_serial == (with_soa ? 0x01020304U : 0U));
  }
}

TEST_CASE("a message that is malformed gets its verdict") {
  struct Case {
    std::string what;
    ReadVerdict verdict;
    Octets packet;
    bool question;  // Whether it can be echoed.
  };
  const auto drop = ReadVerdict::Drop;
  const auto format_error = ReadVerdict::FormErr;
  const auto not_implemented = ReadVerdict::NotImp;
  const auto bad_version = ReadVerdict::BadVersion;
  const std::string long_name = [] {
    std::string hex;
    for (int i = 0; i < 127; ++i) {
      hex += "0161";
    }
    return hex;
  }();
  const std::vector<Case> cases = {
      {"nothing", drop, {}, false},
      {"one octet short of a header", drop, test::from_hex("1234 0100 0001 0000 0000 00"), false},
      {"a response", drop, message("8100", "0001 0000 0000 0000", ""), false},
      {"a response with another opcode", drop, message("a800", "0001 0000 0000 0000", ""), false},

      {"NOTIFY", not_implemented, message("2000", "0001 0000 0000 0000", ""), false},
      {"UPDATE", not_implemented, message("2800", "0001 0000 0000 0000", ""), false},
      {"STATUS with only a header", not_implemented,
       test::from_hex("1234 1000 0000 0000 0000 0000"), false},
      {"an unassigned opcode and garbage", not_implemented,
       message("7800", "ffff ffff ffff ffff", "ff"), false},

      {"no question", format_error, test::from_hex("1234 0100 0000 0000 0000 0000"), false},
      {"no question and EDNS without a cookie", format_error,
       test::from_hex("1234 0000 0000 0000 0000 0001 00 0029 04d0 00000000 0000"), false},
      {"no question and a cookie", ReadVerdict::CookieOnly,
       test::from_hex("1234 0000 0000 0000 0000 0001 00 0029 04d0 00000000 000c"
                      "000a 0008 0102030405060708"),
       false},
      {"no question, a cookie, and an answer", format_error,
       test::from_hex("1234 0000 0000 0001 0000 0001 00 0001 0001 00000000 0004 0a000001"
                      "00 0029 04d0 00000000 000c"
                      "000a 0008 0102030405060708"),
       false},
      {"no question, a cookie, and octets behind them", format_error,
       test::from_hex("1234 0000 0000 0000 0000 0001 00 0029 04d0 00000000 000c"
                      "000a 0008 0102030405060708 00"),
       false},
      {"two questions", format_error, message("0100", "0002 0000 0000 0000", "0161 00 0001 0001"),
       false},
      {"a compressed question", format_error,
       message("0100", "0001 0000 0000 0000", "", "c00c 0001 0001"), false},
      {"a question with a pointer behind a label", format_error,
       message("0100", "0001 0000 0000 0000", "", "0161 c00c 0001 0001"), false},
      {"label type 0x40", format_error,
       message("0100", "0001 0000 0000 0000", "", "41 61 00 0001 0001"), false},
      {"label type 0x80", format_error,
       message("0100", "0001 0000 0000 0000", "", "81 61 00 0001 0001"), false},
      {"a name without end", format_error, message("0100", "0001 0000 0000 0000", "", "0161 0162"),
       false},
      {"a name of 256 octets", format_error,
       message("0100", "0001 0000 0000 0000", "", (long_name + "0161 00 0001 0001").c_str()),
       false},
      {"a question cut in its type", format_error,
       message("0100", "0001 0000 0000 0000", "", "0161 00 00"), false},

      {"octets behind the question", format_error, message("0100", "0001 0000 0000 0000", "00"),
       true},
      {"octets behind EDNS", format_error,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00000000 0000 00"), true},
      {"an answer", format_error,
       message("0100", "0001 0001 0000 0000", "c00c 0001 0001 00000000 0004 01020304"), true},
      {"an authority record", format_error,
       message("0100", "0001 0000 0001 0000", "c00c 0001 0001 00000000 0004 01020304"), true},
      {"three additional records", format_error,
       message("0100", "0001 0000 0000 0003",
               "00 0029 04d0 00000000 0000 00 0010 0001 00000000 0000 00 0010 0001 00000000 0000"),
       true},
      {"EDNS twice", format_error,
       message("0100", "0001 0000 0000 0002",
               "00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000"),
       true},
      {"EDNS not at the root", format_error,
       message("0100", "0001 0000 0000 0001", "016100 0029 04d0 00000000 0000"), true},
      {"EDNS at a pointer to a root", format_error,
       message("0100", "0001 0000 0000 0001", "c012 0029 04d0 00000000 0000"), true},
      {"an option longer than EDNS", format_error,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00000000 0005 fde9 0002 ff"), true},
      {"an option cut in its head", format_error,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00000000 0003 fde900"), true},
      {"EDNS longer than the message", format_error,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00000000 0004"), true},
      {"a cookie of 0 octets", format_error,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00000000 0004 000a 0000"), true},
      {"a cookie of 7 octets", format_error,
       message("0100", "0001 0000 0000 0001",
               "00 0029 04d0 00000000 000b 000a 0007 01020304050607"),
       true},
      {"a cookie of 15 octets", format_error,
       message("0100", "0001 0000 0000 0001",
               "00 0029 04d0 00000000 0013 000a 000f 0102030405060708 01020304050607"),
       true},
      {"a cookie of 41 octets", format_error,
       message("0100", "0001 0000 0000 0001",
               "00 0029 04d0 00000000 002d 000a 0029 0102030405060708 0102030405060708"
               "0102030405060708 0102030405060708 0102030405060708 01"),
       true},
      {"an additional owner that points forward", format_error,
       message("0100", "0001 0000 0000 0001", "c020 0010 0001 00000000 0000"), true},
      {"an additional owner that points to itself", format_error,
       message("0100", "0001 0000 0000 0001", "c017 0010 0001 00000000 0000"), true},
      {"an additional owner that points to a pointer to itself", format_error,
       message("0100", "0001 0000 0000 0001", "c00d 0010 0001 00000000 0000",
               "02c00d 00 0001 0001"),
       true},
      {"an additional owner that points to a label before itself, over and over", format_error,
       message("0100", "0001 0000 0000 0001", "c00d 0010 0001 00000000 0000",
               "040161c00d 00 0001 0001"),
       true},
      {"an additional owner that points into the header", format_error,
       message("0100", "0001 0000 0000 0001", "c004 0010 0001 00000000 0000"), true},

      {"a SOA without IXFR", format_error,
       message("0100", "0001 0000 0001 0000",
               "c00c 0006 0001 00000000 0018 c00c c00c 01020304 00000000 00000000 00000000 "
               "00000000"),
       true},
      {"IXFR with a record like a SOA of another type", format_error,
       message("0100", "0001 0000 0001 0000",
               "c00c 0007 0001 00000000 0018 c00c c00c 01020304 00000000 00000000 00000000 "
               "00000000",
               Ixfr),
       true},
      {"two SOAs in IXFR", format_error, message("0100", "0001 0000 0002 0000", "", Ixfr), true},
      {"IXFR with another type in authority", format_error,
       message("0100", "0001 0000 0001 0000", "c00c 0001 0001 00000000 0004 01020304", Ixfr), true},
      {"a SOA of an octet too many", format_error,
       message(
           "0100", "0001 0000 0001 0000",
           "c00c 0006 0001 00000000 0019 c00c c00c 01020304 00000000 00000000 00000000 00000000 00",
           Ixfr),
       true},
      {"a SOA of an octet too few", format_error,
       message("0100", "0001 0000 0001 0000",
               "c00c 0006 0001 00000000 0017 c00c c00c 01020304 00000000 00000000 00000000 000000",
               Ixfr),
       true},
      {"a SOA whose name points at itself", format_error,
       message(
           "0100", "0001 0000 0001 0000",
           "c00c 0006 0001 00000000 0018 c01f c00c 01020304 00000000 00000000 00000000 00000000",
           Ixfr),
       true},

      {"EDNS version 1", bad_version,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00010000 0000"), true},
      {"EDNS version 1 with options of another form", bad_version,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00ff0000 0001 ff"), true},
      {"EDNS version 1 and octets behind", format_error,
       message("0100", "0001 0000 0000 0001", "00 0029 04d0 00010000 0000 00"), true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Query query;
    const ReadVerdict verdict = read(c.packet, query);
    CHECK_MESSAGE(verdict == c.verdict, verdict_text(verdict));
    if (verdict != drop) {
      CHECK(query.id == 0x1234);
      CHECK(query.question.empty() == !c.question);
    }
    if (verdict == bad_version) {
      CHECK(query.edns.present);
    }
  }
}

TEST_CASE("label types that are not in use are refused, however many octets follow") {
  for (const int length : {0x40, 0x41, 0x7f, 0x80, 0x81, 0xbf}) {
    CAPTURE(length);
    Octets packet = test::make_query({.name = "."});
    const Octets label(static_cast<std::size_t>(length), 'a');
    packet.insert(packet.begin() + HeaderSize, label.begin(), label.end());
    packet.insert(packet.begin() + HeaderSize, static_cast<std::uint8_t>(length));
    Query query;
    CHECK(read(packet, query) == ReadVerdict::FormErr);
    CHECK(query.question.empty());

    // The same in the owner of an additional record.
    Octets additional = test::make_query({.name = "a.", .edns = true});
    additional[additional.size() - 9] = 16;  // TXT, which may have any owner.
    const auto owner = additional.end() - 11;
    additional.insert(additional.insert(owner, static_cast<std::uint8_t>(length)) + 1,
                      label.begin(), label.end());
    CHECK(read(additional, query) == ReadVerdict::FormErr);
  }
}

TEST_CASE("a name behind the question is no longer than 255 octets, also when compressed") {
  // Labels of 63, 63, 63 and 61 octets, and the root.
  const std::string longest = std::string(63, 'a') + "." + std::string(63, 'a') + "." +
                              std::string(63, 'a') + "." + std::string(61, 'a') + ".";
  for (const bool longer : {false, true}) {
    CAPTURE(longer);
    Octets packet = test::make_query({.name = longest});
    const Octets record = test::from_hex(longer ? "0162 c00c 0010 0001 00000000 0000"
                                                : "c00c 0010 0001 00000000 0000");
    packet.insert(packet.end(), record.begin(), record.end());
    packet[11] = 1;
    Query query;
    CHECK(read(packet, query) == (longer ? ReadVerdict::FormErr : ReadVerdict::Answer));
  }
}

TEST_CASE("after an error behind the question, what was read can be answered with") {
  Query query;
  REQUIRE(read(message("0130", "0001 0000 0000 0001", "00 0029 1000 00008000 0004 000a 0000"),
               query) == ReadVerdict::FormErr);
  CHECK(query.recursion_desired);
  CHECK(query.authentic_data);
  CHECK(query.checking_disabled);
  CHECK(query.type == RecordType::A);
  CHECK(test::hexdump(query.name.wire()) == "03 77 77 77 01 61 00");
  CHECK(query.edns.present);
  CHECK(query.edns.dnssec_ok);
  CHECK(query.edns.udp_size == 4096);
  CHECK_FALSE(query.edns.has_cookie);
}

TEST_CASE("no prefix of an accepted message is accepted, nor is anything read behind it") {
  for (const Accepted& c : accepted_messages()) {
    for (std::size_t size = 0; size < c.packet.size(); ++size) {
      CAPTURE(c.what);
      CAPTURE(size);
      Query query;
      const Octets cut(c.packet.begin(), c.packet.begin() + static_cast<std::ptrdiff_t>(size));
      const ReadVerdict verdict = read(cut, query);
      CHECK_MESSAGE(verdict == (size < HeaderSize ? ReadVerdict::Drop : ReadVerdict::FormErr),
                    verdict_text(verdict));
    }
  }
}

TEST_CASE("names of every size are lowered and hashed alike, whatever follows them") {
  for (std::size_t size = 1; size <= MaxNameSize; ++size) {
    if (size == 2) {
      continue;  // No name has two octets.
    }
    CAPTURE(size);
    std::string text;
    for (std::size_t left = size - 1; left > 0;) {
      // Never leave a single octet, which no label could fill.
      const std::size_t label = left <= 64 ? left - 1 : left == 65 ? 62 : 63;
      for (std::size_t i = 0; i < label; ++i) {
        text += static_cast<char>((i % 2 == 0 ? 'A' : 'a') + (size + i) % 26);
      }
      text += '.';
      left -= label + 1;
    }
    const std::string shown = text.empty() ? "." : text;
    Query query;
    REQUIRE(read(test::make_query({.name = shown, .edns = size % 2 == 0}), query) ==
            ReadVerdict::Answer);
    const Name lower = Name::from_text(shown).value().lowered();
    REQUIRE(lower.size() == size);
    CHECK(test::hexdump(query.name.wire()) == test::hexdump(lower.wire()));
    CHECK(query.name.hash == hash_name(lower.wire()));
  }
}

TEST_CASE("only ASCII letters are lowered") {
  std::string text;
  for (int octet = 0; octet < 256; ++octet) {
    const std::string digits = std::to_string(1000 + octet).substr(1);
    text += "\\" + digits + (octet % 60 == 59 ? "." : "");
  }
  // 256 octets do not fit into one name: two halves.
  for (const std::string& half :
       {text.substr(0, text.find('.', 500) + 1), text.substr(text.find('.', 500) + 1) + "."}) {
    CAPTURE(half);
    Query query;
    REQUIRE(read(test::make_query({.name = half}), query) == ReadVerdict::Answer);
    const Name name = Name::from_text(half).value();
    for (std::size_t i = 0; i < name.size(); ++i) {
      CHECK(query.name.octets[i] == ascii_lower(name.wire()[i]));
    }
  }
}

}  // namespace waypost::dns
