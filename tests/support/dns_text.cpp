#include "support/dns_text.h"

#include "dns/ldns_bridge.h"
#include "dns/name.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace waypost::test {

namespace {

using Octets = std::vector<std::uint8_t>;

void append(Octets& to, Bytes octets) {
  to.insert(to.end(), octets.begin(), octets.end());
}

void append_u16(Octets& to, std::size_t value) {
  to.push_back(static_cast<std::uint8_t>((value >> 8) & 0xff));
  to.push_back(static_cast<std::uint8_t>(value & 0xff));
}

std::vector<std::string> sorted_lines(const std::vector<dns::Record>& records) {
  std::vector<std::string> lines;
  lines.reserve(records.size());
  for (const dns::Record& record : records) {
    lines.push_back(dns::to_text(record));
  }
  std::ranges::sort(lines);
  return lines;
}

std::string class_text(dns::RecordClass record_class) {
  switch (record_class) {
    case dns::RecordClass::IN:
      return "IN";
    case dns::RecordClass::CH:
      return "CH";
    case dns::RecordClass::HS:
      return "HS";
    case dns::RecordClass::NONE:
      return "NONE";
    case dns::RecordClass::ANY:
      return "ANY";
  }
  return fmt::format("CLASS{}", std::to_underlying(record_class));
}

std::string flag_text(const dns::Message& message) {
  std::string text;
  for (const auto& [set, word] :
       {std::pair(message.response, "qr"), std::pair(message.authoritative, "aa"),
        std::pair(message.truncated, "tc"), std::pair(message.recursion_desired, "rd"),
        std::pair(message.recursion_available, "ra"), std::pair(message.authentic_data, "ad"),
        std::pair(message.checking_disabled, "cd")}) {
    if (set) {
      text.append(text.empty() ? "" : " ").append(word);
    }
  }
  return text;
}

std::string hex(Bytes octets) {
  std::string text;
  for (const std::uint8_t octet : octets) {
    text += fmt::format("{:02x}", octet);
  }
  return text;
}

std::vector<std::string> option_lines(Bytes rdata) {
  std::vector<std::string> lines;
  while (!rdata.empty()) {
    if (rdata.size() < 4 || rdata.size() - 4 < load_u16(rdata.data() + 2)) {
      throw std::runtime_error("broken EDNS options: " + hex(rdata));
    }
    const std::size_t size = load_u16(rdata.data() + 2);
    lines.push_back(fmt::format("{} {}", load_u16(rdata.data()), hex(rdata.subspan(4, size))));
    rdata = rdata.subspan(4 + size);
  }
  return lines;
}

}  // namespace

std::vector<std::uint8_t> make_query(const QueryOptions& options) {
  const Result<dns::Name> name = dns::Name::from_text(options.name);
  if (!name) {
    throw std::invalid_argument(name.error().message);
  }
  Octets packet;
  append_u16(packet, options.id);
  append_u16(packet, options.recursion_desired ? 0x0100 : 0);
  append_u16(packet, 1);
  append_u16(packet, 0);
  append_u16(packet, 0);
  append_u16(packet, options.edns ? 1 : 0);
  append(packet, name->wire());
  append_u16(packet, std::to_underlying(options.type));
  append_u16(packet, std::to_underlying(options.record_class));
  if (options.edns) {
    packet.push_back(0);
    append_u16(packet, std::to_underlying(dns::RecordType::OPT));
    append_u16(packet, options.udp_size);
    append_u16(packet, options.edns_version);
    append_u16(packet, options.dnssec_ok ? 0x8000 : 0);
    append_u16(packet, options.options.size());
    append(packet, options.options);
  }
  return packet;
}

std::vector<std::uint8_t> option(std::uint16_t code, Bytes value) {
  Octets whole;
  append_u16(whole, code);
  append_u16(whole, value.size());
  append(whole, value);
  return whole;
}

ResponseText response_text(Bytes packet) {
  const Result<dns::Message> message = dns::parse_message(packet);
  if (!message) {
    throw std::runtime_error(message.error().message + "\n" + hexdump(packet));
  }
  ResponseText response;
  response.id = message->id;
  response.rcode = dns::to_text(message->rcode);
  response.flags = flag_text(*message);
  if (message->question_count != 0) {
    response.question =
        fmt::format("{} {} {}", message->question_name.to_text(),
                    class_text(message->question_class), dns::to_text(message->question_type));
  }
  response.answer = sorted_lines(message->answer);
  response.authority = sorted_lines(message->authority);
  response.additional = sorted_lines(message->additional);
  response.edns = message->edns;
  response.udp_size = message->edns_udp_size;
  response.dnssec_ok = message->edns_dnssec_ok;
  response.options = option_lines(message->edns_options);
  return response;
}

std::string to_text(const ResponseText& response) {
  std::string text = fmt::format("{} [{}] {}", response.rcode, response.flags, response.question);
  for (const auto& [lines, section] :
       {std::pair(&response.answer, "answer"), std::pair(&response.authority, "authority"),
        std::pair(&response.additional, "additional")}) {
    for (const std::string& line : *lines) {
      text += fmt::format("\n  {}: {}", section, line);
    }
  }
  if (response.edns) {
    text += fmt::format("\n  edns: size {}{}", response.udp_size, response.dnssec_ok ? " do" : "");
  }
  for (const std::string& line : response.options) {
    text += fmt::format("\n  option: {}", line);
  }
  return text;
}

std::string hexdump(Bytes octets) {
  std::string text;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    text += fmt::format("{}{:02x}", i == 0 ? "" : i % 16 == 0 ? "\n" : " ", octets[i]);
  }
  return text;
}

std::vector<std::uint8_t> from_hex(std::string_view text) {
  Octets octets;
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == '\n') {
      continue;
    }
    const std::size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) {
      throw std::invalid_argument("not hexadecimal: " + std::string(text));
    }
    if (high < 0) {
      high = static_cast<int>(digit);
    } else {
      octets.push_back(static_cast<std::uint8_t>((high << 4) | static_cast<int>(digit)));
      high = -1;
    }
  }
  if (high >= 0) {
    throw std::invalid_argument("half an octet: " + std::string(text));
  }
  return octets;
}

}  // namespace waypost::test
