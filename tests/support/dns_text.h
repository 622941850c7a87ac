// DNS messages as text, for tests: a query made from words, a response told as lines to compare.
//
// Responses are read with ldns, not with the reader and writer that are under test.

#pragma once

#include "base/bytes.h"
#include "dns/types.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::test {

struct QueryOptions {
  std::string name = ".";  // Presentation form; its case is kept.
  dns::RecordType type = dns::RecordType::A;
  dns::RecordClass record_class = dns::RecordClass::IN;
  std::uint16_t id = 0x1234;
  bool recursion_desired = true;
  bool edns = false;
  std::uint16_t udp_size = 1232;  // This and the rest go into the OPT record.
  bool dnssec_ok = false;
  std::uint8_t edns_version = 0;
  std::vector<std::uint8_t> options;  // Whole options: code, length, value (see option()).
};

// One query message.  Throws std::invalid_argument for a name that is none.
std::vector<std::uint8_t> make_query(const QueryOptions& options);

// One EDNS option, ready for QueryOptions::options.
std::vector<std::uint8_t> option(std::uint16_t code, Bytes value);

// What a message says.  Records are "owner ttl class type rdata", each section sorted.
struct ResponseText {
  std::uint16_t id = 0;
  std::string rcode;     // "NXDOMAIN", with EDNS' high bits.
  std::string flags;     // Those that are set, out of "qr aa tc rd ra cd" in this order.
  std::string question;  // "web.shop. IN A"; empty without one.
  std::vector<std::string> answer;
  std::vector<std::string> authority;
  std::vector<std::string> additional;  // Without OPT.
  bool edns = false;
  std::uint16_t udp_size = 0;
  bool dnssec_ok = false;
  std::vector<std::string> options;  // "10 0123456789abcdef": code and value, in message order.
};

// Throws std::runtime_error with a hexdump when `packet` is not one whole message.
ResponseText response_text(Bytes packet);

// All of it, a line for each record: for INFO() and failure messages.
std::string to_text(const ResponseText& response);

// "12 34 01 00", sixteen octets a line.
std::string hexdump(Bytes octets);
// The octets of "1234 0100": blanks are ignored.  Throws std::invalid_argument for anything else.
std::vector<std::uint8_t> from_hex(std::string_view text);

}  // namespace waypost::test

// A section in a failed CHECK() is shown line by line.
template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string text = lines.empty() ? "none" : "";
    for (const std::string& line : lines) {
      text += "\n    " + line;
    }
    return String(text.c_str());
  }
};
