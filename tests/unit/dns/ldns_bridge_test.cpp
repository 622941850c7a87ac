#include "dns/ldns_bridge.h"

#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::dns {

TEST_CASE("records round-trip through text") {
  struct Case {
    std::string text;
    std::string rdata;    // Hexadecimal.
    std::string printed;  // Empty: as `text`.
  };
  for (const Case& c : {
           Case{"web.shop. 5 IN A 10.0.0.1", "0a000001", ""},
           Case{"Web.Shop. 5 IN A 10.0.0.1", "0a000001", ""},
           Case{"web.shop.\t5  IN\tA   10.0.0.1 ; why", "0a000001", "web.shop. 5 IN A 10.0.0.1"},
           Case{"web.shop. 0 IN AAAA fd00::1", "fd000000000000000000000000000001", ""},
           Case{"web.shop. 1h IN A 10.0.0.1", "0a000001", "web.shop. 3600 IN A 10.0.0.1"},
           Case{"a. 2147483647 IN CNAME B.c.", "0142016300", ""},
           Case{"_h._tcp.a. 5 IN SRV 0 100 80 b.", "000000640050016200", ""},
           Case{"a. 5 IN MX 10 b.", "000a016200", ""},
           Case{"a. 5 IN SOA b. c. 1 2 3 4 5",
                "016200016300 00000001 00000002 00000003 00000004 00000005", ""},
           Case{"a. 5 IN TXT \"one two\" \"\"", "076f6e652074776f 00", ""},
           Case{"a. 5 IN TXT \"two  blanks\"", "0b74776f2020626c616e6b73", ""},
           Case{"a. 5 IN CAA 0 issue \"ca.x\"", "00056973737565 63612e78", ""},
           Case{"a. 5 IN TYPE65280 \\# 3 abcdef", "abcdef", ""},
           Case{"a. 5 IN TYPE65280 \\# 0", "", ""},
           Case{"a. 5 IN A \\# 4 0a000001", "0a000001", "a. 5 IN A 10.0.0.1"},
           Case{"version.bind. 0 CH TXT \"1\"", "0131", ""},
           Case{". 5 IN NS a.", "016100", ""},
       }) {
    CAPTURE(c.text);
    const Result<Record> record = record_from_text(c.text);
    REQUIRE_MESSAGE(record, (record ? "" : record.error().message));
    CHECK(test::hexdump(record->rdata) == test::hexdump(test::from_hex(c.rdata)));
    CHECK(to_text(*record) == (c.printed.empty() ? c.text : c.printed));
    CHECK(record_from_text(to_text(*record)).value() == *record);
  }
}

TEST_CASE("text that is not exactly one record is refused and named") {
  for (const std::string text :
       {"", "   ", "; only a comment", "web.shop.", "web.shop. 5 IN", "web.shop. 5 IN A",
        "web.shop. 5 IN A 10.0.0.256", "web.shop. 5 IN A 10.0.0.1 10.0.0.2",
        "web.shop. 5 IN NOTYPE x", "a..b. 5 IN A 10.0.0.1", "a. 5 IN SRV 0 100 b.",
        "a. 5 IN TYPE65280 \\# 4 abcdef", "a. 5 IN A 10.0.0.1\nb. 5 IN A 10.0.0.2"}) {
    CAPTURE(text);
    const Result<Record> record = record_from_text(text);
    REQUIRE_FALSE(record);
    CHECK(record.error().kind == ErrorKind::InvalidInput);
    CHECK(record.error().message.find(text) != std::string::npos);
  }
  CHECK_FALSE(record_from_text(std::string_view("a. 5 IN A 10.0.0.1\0b", 20)));
}

TEST_CASE("rdata that does not fit its type prints in the general form") {
  Record record;
  record.owner = Name::from_text("a.").value();
  record.type = RecordType::A;
  record.ttl = 5;
  record.rdata = {1, 2, 3};
  CHECK(to_text(record) == "a. 5 IN A \\# 3 010203");
  record.type = RecordType::SRV;
  record.rdata = {};
  CHECK(to_text(record) == "a. 5 IN SRV \\# 0");
}

TEST_CASE("a message is taken apart with names uncompressed") {
  // Question Web.x. A; answer CNAME to b at the pointer; authority NS; additional A and OPT.
  const std::vector<std::uint8_t> packet = test::from_hex(
      "1234 8590 0001 0001 0001 0002"
      "0357656201780000010001"
      "c00c 0005 0001 00000005 0004 0162 c010"
      "c010 0002 0001 0000000a 0002 c00c"
      "c00c 0001 0001 00000005 0004 0a000001"
      "00 0029 04d0 01008000 0004 fde90000");
  const Result<Message> message = parse_message(packet);
  REQUIRE_MESSAGE(message, (message ? "" : message.error().message));
  CHECK(message->id == 0x1234);
  CHECK(message->response);
  CHECK(message->authoritative);
  CHECK_FALSE(message->truncated);
  CHECK(message->recursion_desired);
  CHECK(message->recursion_available);
  CHECK(message->checking_disabled);
  CHECK(message->opcode == 0);
  CHECK(message->rcode == Rcode::BadVers);
  CHECK(message->question_count == 1);
  CHECK(message->question_name.to_text() == "Web.x.");
  CHECK(message->question_type == RecordType::A);
  REQUIRE(message->answer.size() == 1);
  CHECK(to_text(message->answer[0]) == "Web.x. 5 IN CNAME b.x.");
  CHECK(test::hexdump(message->answer[0].rdata) == "01 62 01 78 00");
  REQUIRE(message->authority.size() == 1);
  CHECK(to_text(message->authority[0]) == "x. 10 IN NS Web.x.");
  REQUIRE(message->additional.size() == 1);
  CHECK(to_text(message->additional[0]) == "Web.x. 5 IN A 10.0.0.1");
  CHECK(message->edns);
  CHECK(message->edns_version == 0);
  CHECK(message->edns_udp_size == 1232);
  CHECK(message->edns_dnssec_ok);
  CHECK(test::hexdump(message->edns_options) == "fd e9 00 00");

  for (std::size_t size = 0; size < packet.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(parse_message(Bytes(packet).first(size)));
  }
  std::vector<std::uint8_t> longer = packet;
  longer.push_back(0);
  CHECK_FALSE(parse_message(longer));
}

}  // namespace waypost::dns
