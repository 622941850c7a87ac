// read_query() against ldns: on what is accepted the two agree, and where they differ is written
// down.

#include "dns/ldns_bridge.h"
#include "dns/query.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace waypost::dns {

namespace {

using Octets = std::vector<std::uint8_t>;

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  unsigned below(unsigned bound) {
    return static_cast<unsigned>((std::uint64_t{random_()} * bound) >> 32);
  }

  // A query that is well formed, of any shape that clients send.
  Octets query() {
    test::QueryOptions options;
    options.name = name();
    options.type = static_cast<RecordType>(below(4) == 0 ? below(65536) : 1 + below(40));
    options.record_class = static_cast<RecordClass>(below(8) == 0 ? below(65536) : 1);
    options.id = static_cast<std::uint16_t>(below(65536));
    options.recursion_desired = below(2) == 0;
    options.edns = below(3) != 0;
    options.udp_size = static_cast<std::uint16_t>(below(65536));
    options.dnssec_ok = below(2) == 0;
    options.edns_version = below(16) == 0 ? 1 : 0;
    for (unsigned count = below(4); count > 0; --count) {
      append(options.options, random_option());
    }
    Octets packet = test::make_query(options);
    packet[3] = static_cast<std::uint8_t>(packet[3] | (below(2) << 4));
    if (options.type == RecordType::IXFR || below(10) == 0) {
      add_soa(packet);
    }
    return packet;
  }

  // A few octets changed, cut, doubled or put in.
  Octets mutated(Octets packet) {
    for (unsigned count = 1 + below(3); count > 0 && !packet.empty(); --count) {
      const auto at = static_cast<std::ptrdiff_t>(below(static_cast<unsigned>(packet.size())));
      std::uint8_t& octet = packet[static_cast<std::size_t>(at)];
      switch (below(7)) {
        case 0:
          octet = static_cast<std::uint8_t>(octet ^ (1U << below(8)));
          break;
        case 1:
          octet = static_cast<std::uint8_t>(below(256));
          break;
        case 2:
          octet = static_cast<std::uint8_t>(0xc0 | below(2));
          break;
        case 3:
          packet.resize(static_cast<std::size_t>(at));
          break;
        case 4:
          packet.insert(packet.begin() + at, static_cast<std::uint8_t>(below(256)));
          break;
        case 5:
          packet.erase(packet.begin() + at);
          break;
        default:
          // A count in the header.
          if (packet.size() > HeaderSize) {
            packet[5 + 2 * below(4)] = static_cast<std::uint8_t>(below(3));
          }
      }
    }
    return packet;
  }

 private:
  static void append(Octets& to, const Octets& octets) {
    to.insert(to.end(), octets.begin(), octets.end());
  }

  std::string name() {
    std::string text;
    for (unsigned labels = below(8); labels > 0; --labels) {
      for (unsigned i = below(12) + 1; i > 0; --i) {
        text += static_cast<char>((below(2) == 0 ? 'a' : 'A') + below(26));
      }
      text += '.';
    }
    return text.empty() ? "." : text;
  }

  Octets random_option() {
    Octets value(below(3) == 0 ? 8 + below(33) : below(9), 0x5a);
    return test::option(static_cast<std::uint16_t>(below(2) == 0 ? 10 : below(16)), value);
  }

  // As IXFR has it, in front of what follows the question.
  void add_soa(Octets& packet) {
    Query query;
    if (read_query(packet, query) == ReadVerdict::Drop || query.question.empty()) {
      return;
    }
    const Octets soa = test::from_hex(
        "c00c 0006 0001 00000000 0018 c00c c00c 01020304 00000000 00000000 00000000 00000000");
    const auto at = static_cast<std::ptrdiff_t>(HeaderSize + query.question.size());
    packet.insert(packet.begin() + at, soa.begin(), soa.end());
    packet[9] = 1;
  }

  std::mt19937 random_;
};

// The value of the first cookie option, as ldns hands out the options.
Octets first_cookie(Bytes options) {
  while (options.size() >= 4) {
    const std::size_t size = load_u16(options.data() + 2);
    REQUIRE(options.size() - 4 >= size);
    if (load_u16(options.data()) == 10) {
      return {options.begin() + 4, options.begin() + 4 + static_cast<std::ptrdiff_t>(size)};
    }
    options = options.subspan(4 + size);
  }
  return {};
}

Octets cookie_of(const Edns& edns) {
  Octets cookie;
  if (edns.has_cookie) {
    cookie.assign(edns.client_cookie.begin(), edns.client_cookie.end());
    cookie.insert(cookie.end(), edns.server_cookie.begin(),
                  edns.server_cookie.begin() + edns.server_cookie_size);
  }
  return cookie;
}

void check_agreement(const Query& query, const Message& message) {
  CHECK(query.id == message.id);
  CHECK_FALSE(message.response);
  CHECK(message.opcode == 0);
  CHECK(query.recursion_desired == message.recursion_desired);
  CHECK(query.authentic_data == message.authentic_data);
  CHECK(query.checking_disabled == message.checking_disabled);
  CHECK(message.question_count == 1);
  CHECK(test::hexdump(message.question_name.wire()) ==
        test::hexdump(query.question.first(query.name.size)));
  CHECK(test::hexdump(message.question_name.lowered().wire()) == test::hexdump(query.name.wire()));
  CHECK(message.question_name.label_count() == query.name.label_count);
  CHECK(query.name.hash == hash_name(query.name.wire()));
  CHECK(query.type == message.question_type);
  CHECK(query.record_class == message.question_class);
  CHECK(message.answer.empty());
  CHECK(query.edns.present == message.edns);
  CHECK(query.edns.udp_size == message.edns_udp_size);
  CHECK(query.edns.dnssec_ok == message.edns_dnssec_ok);
  CHECK(query.edns.version == message.edns_version);
  CHECK(test::hexdump(cookie_of(query.edns)) == test::hexdump(first_cookie(message.edns_options)));
  CHECK(query.has_ixfr_serial == !message.authority.empty());
  if (query.has_ixfr_serial && !message.authority.empty()) {
    const Octets& soa = message.authority[0].rdata;
    CHECK(query.ixfr_serial == load_u32(soa.data() + soa.size() - 20));
  }
}

}  // namespace

TEST_CASE("ldns accepts every query that is answered, and reads the same from it") {
  int answered = 0;
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 12000; ++seed) {
    Generator generator(seed);
    Octets packet = generator.query();
    if (seed % 4 != 0) {
      packet = generator.mutated(packet);
    }
    Query query;
    if (read_query(packet, query) != ReadVerdict::Answer) {
      ++refused;
      continue;
    }
    ++answered;
    CAPTURE(seed);
    INFO(test::hexdump(packet));
    const Result<Message> message = parse_message(packet);
    if (!message && load_u16(packet.data() + 10) > (query.edns.present ? 1 : 0)) {
      continue;  // As "differences from ldns" below says.
    }
    REQUIRE_MESSAGE(message, (message ? "" : message.error().message));
    check_agreement(query, *message);
  }
  // Both ways are taken often, or this test says nothing.
  CHECK(answered > 2000);
  CHECK(refused > 2000);
}

TEST_CASE("differences from ldns are these") {
  struct Case {
    std::string what;
    std::string packet;
    ReadVerdict verdict;
    bool ldns_accepts;
  };
  for (
      const Case& c : {
          // More than ldns: what is passed over is not checked.
          Case{"an additional A of three octets",
               "1234 0100 0001 0000 0000 0001 0161000001 0001 00 0001 0001 00000000 0003 0a0000",
               ReadVerdict::Answer, false},
          // Less than ldns: a query has one plain question and nothing that it does not need.
          Case{"no question", "1234 0100 0000 0000 0000 0000", ReadVerdict::FormErr, true},
          Case{
              "no question, and a cookie (RFC 7873, 5.4)",
              "1234 0000 0000 0000 0000 0001 00 0029 04d0 00000000 000c 000a 0008 0102030405060708",
              ReadVerdict::CookieOnly, true},
          Case{"two questions", "1234 0100 0002 0000 0000 0000 0161000001 0001 0162000001 0001",
               ReadVerdict::FormErr, true},
          Case{
              "an answer",
              "1234 0100 0001 0001 0000 0000 0161000001 0001 c00c 0001 0001 00000000 0004 0a000001",
              ReadVerdict::FormErr, true},
          Case{
              "an authority record",
              "1234 0100 0001 0000 0001 0000 0161000001 0001 c00c 0001 0001 00000000 0004 0a000001",
              ReadVerdict::FormErr, true},
          Case{"three additional records",
               "1234 0100 0001 0000 0000 0003 0161000001 0001 00 0010 0001 00000000 0001 00"
               "00 0010 0001 00000000 0001 00 00 0010 0001 00000000 0001 00",
               ReadVerdict::FormErr, true},
          Case{"EDNS twice",
               "1234 0100 0001 0000 0000 0002 0161000001 0001 00 0029 04d0 00000000 0000"
               "00 0029 04d0 00000000 0000",
               ReadVerdict::FormErr, true},
          Case{"EDNS not at the root",
               "1234 0100 0001 0000 0000 0001 0161000001 0001 016200 0029 04d0 00000000 0000",
               ReadVerdict::FormErr, true},
          Case{"options that do not fill EDNS",
               "1234 0100 0001 0000 0000 0001 0161000001 0001 00 0029 04d0 00000000 0003 000300",
               ReadVerdict::FormErr, true},
          Case{
              "a cookie of one octet",
              "1234 0100 0001 0000 0000 0001 0161000001 0001 00 0029 04d0 00000000 0005 000a0001ff",
              ReadVerdict::FormErr, true},
          Case{"a response", "1234 8100 0001 0000 0000 0000 0161000001 0001", ReadVerdict::Drop,
               true},
          Case{"another opcode", "1234 2100 0001 0000 0000 0000 0161000006 0001",
               ReadVerdict::NotImp, true},
      }) {
    CAPTURE(c.what);
    const Octets packet = test::from_hex(c.packet);
    Query query;
    CHECK(read_query(packet, query) == c.verdict);
    CHECK(parse_message(packet).has_value() == c.ldns_accepts);
  }
}

}  // namespace waypost::dns
