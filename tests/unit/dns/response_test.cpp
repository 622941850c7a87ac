#include "dns/response.h"

#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace waypost::dns {
namespace {

// www.a. CNAME b.a. and b.a. A, compressed, with OPT.
const char* const Sample =
    "0007 8180 0001 0002 0000 0001"
    "03777777 0161 00 0001 0001"
    "c00c 0005 0001 0000003c 0004 0162 c010"
    "c023 0001 0001 0000001e 0004 c0000201"
    "00 0029 04d0 00000000 0000";

}  // namespace

TEST_CASE("a response is read into offsets that lead to uncompressed names") {
  const auto packet = test::from_hex(Sample);
  const auto response = std::make_unique<Response>();
  REQUIRE(read_response(packet, *response));
  CHECK(response->id == 7);
  CHECK(response->recursion_available);
  CHECK(response->has_edns);
  REQUIRE(response->answer().size() == 2);
  CHECK(response->authority().empty());
  CHECK(response->additional().empty());
  std::array<std::uint8_t, MaxNameSize> name;
  const std::size_t size = expand_name(packet, response->answer()[1].owner, std::span(name));
  CHECK(test::hexdump(Bytes(name).first(size)) == "01 62 01 61 00");
  std::array<std::uint8_t, 64> rdata;
  const auto expanded = expand_rdata(packet, response->answer()[0], rdata);
  REQUIRE(expanded);
  CHECK(test::hexdump(Bytes(rdata).first(*expanded)) == "01 62 01 61 00");
}

TEST_CASE("no beginning of a response is a response, nor one with an octet too many") {
  const auto packet = test::from_hex(Sample);
  const auto response = std::make_unique<Response>();
  for (std::size_t size = 0; size < packet.size(); ++size) {
    CAPTURE(size);
    const std::vector<std::uint8_t> cut(packet.begin(),
                                        packet.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(read_response(cut, *response));
  }
  auto longer = packet;
  longer.push_back(0);
  CHECK_FALSE(read_response(longer, *response));
}

namespace {

// A header of a response with one question "a. IN A" and these counts, then `rest`.
std::vector<std::uint8_t> message(const std::string& counts, const std::string& rest) {
  return test::from_hex("0007 8180 0001" + counts + "0161 00 0001 0001" + rest);
}
// Where the question's name stands, and the first record.
constexpr const char* Name = "c00c";

struct Case {
  const char* title;
  std::vector<std::uint8_t> packet;
};

std::string record(const std::string& owner, const std::string& type, const std::string& rdata,
                   const std::string& record_class = "0001", const std::string& ttl = "0000003c") {
  std::vector<std::uint8_t> size(2);
  store_u16(size.data(), static_cast<std::uint16_t>(test::from_hex(rdata).size()));
  return owner + type + record_class + ttl + test::hexdump(size) + rdata;
}

std::vector<Case> accepted() {
  const std::string one = "0001 0000 0000";
  const std::string extra = "0000 0000 0001";
  const std::string two = "0001 0000 0001";
  return {
      {"no records", message("0000 0000 0000", "")},
      {"no question", test::from_hex("0007 8181 0000 0000 0000 0000")},
      {"an address", message(one, record(Name, "0001", "c0000201"))},
      {"an address of IPv6",
       message(one, record(Name, "001c", "20010db8000000000000000000000001"))},
      {"an address of another class, of any size",
       message(one, record(Name, "0001", "0161 00 0001", "0003"))},
      {"a name compressed in rdata", message(one, record(Name, "0005", "0162 c00c"))},
      {"a name that points behind a pointer", message(one, record(Name, "0002", "c013"))},
      {"the root", message(one, record("00", "0002", "00"))},
      {"an SOA",
       message("0000 0001 0000",
               record(Name, "0006", "c00c c00c 00000001 00000002 00000003 00000004 00000005"))},
      {"an MX, an SRV with a compressed target, an NAPTR",
       message("0003 0000 0000", record(Name, "000f", "000a c00c") +
                                     record(Name, "0021", "0000 0005 13c4 c00c") +
                                     record(Name, "0023", "0000 0000 0155 00 00 c00c"))},
      {"text of any form", message(one, record(Name, "0010", "ff"))},
      {"an unknown type", message(one, record(Name, "ff00", "c0ffee"))},
      {"no rdata", message(one, record(Name, "ff00", ""))},
      {"OPT", message(extra, record("00", "0029", "", "04d0", "00008000"))},
      {"OPT with options that nobody knows",
       message(extra, record("00", "0029", "ff00 0001 07", "04d0", "00000000"))},
      {"a reason", message(extra, record("00", "0029", "000f 0004 0016 6e6f", "04d0", "00000000"))},
      {"a record and OPT", message(two, record(Name, "0001", "c0000201") +
                                            record("00", "0029", "", "04d0", "00000000"))},
  };
}

std::vector<Case> refused() {
  const std::string one = "0001 0000 0000";
  const std::string extra = "0000 0000 0001";
  const std::string address = record(Name, "0001", "c0000201");
  const std::string opt = record("00", "0029", "", "04d0", "00000000");
  std::string name_of_256;  // 85 labels of two octets and their lengths, and the root.
  for (int i = 0; i < 85; ++i) {
    name_of_256 += "02 6161";
  }
  name_of_256 += "00";
  return {
      {"a query", test::from_hex("0007 0100 0001 0000 0000 0000 0161 00 0001 0001")},
      {"two questions",
       test::from_hex("0007 8180 0002 0000 0000 0000 0161 00 0001 0001 0162 00 0001 0001")},
      {"a compressed question", test::from_hex("0007 8180 0001 0000 0000 0000 c00c 0001 0001")},
      {"a record that is not there", message(one, "")},
      {"fewer records than are counted", message("0002 0000 0000", address)},
      {"more records than are counted", message(one, address + address)},
      {"an address of three octets", message(one, record(Name, "0001", "c00002"))},
      {"an address of no octets", message(one, record(Name, "0001", ""))},
      {"an address of IPv6 of four", message(one, record(Name, "001c", "c0000201"))},
      {"rdata that ends behind the message", message(one, "c00c 0001 0001 0000003c 0005 c0000201")},
      {"an owner that points forward", message(one, record("c0ff", "0001", "c0000201"))},
      {"an owner that points to itself", message(one, record("c013", "0001", "c0000201"))},
      {"an owner with a label of another kind",
       message(one, record("4161 00", "0001", "c0000201"))},
      {"an owner of 256 octets", message(one, record(name_of_256, "0001", "c0000201"))},
      {"a CNAME without a name", message(one, record(Name, "0005", ""))},
      {"a CNAME with two", message(one, record(Name, "0005", "c00c c00c"))},
      {"a CNAME whose name ends outside of it",
       message(one, "c00c 0005 0001 0000003c 0001 01 61 00")},
      {"a CNAME that points to itself", message(one, record(Name, "0005", "c01f"))},
      {"an SOA without its times", message(one, record(Name, "0006", "c00c c00c"))},
      {"an SOA with one octet too many",
       message(one,
               record(Name, "0006", "c00c c00c 00000001 00000002 00000003 00000004 00000005 00"))},
      {"an MX without a name", message(one, record(Name, "000f", "000a"))},
      {"an SRV with less than its head", message(one, record(Name, "0021", "0000 0005"))},
      {"an NAPTR whose strings end outside of it",
       message(one, record(Name, "0023", "0000 0000 09 55"))},
      {"OPT among the answers", message(one, opt)},
      {"OPT twice", message("0000 0000 0002", opt + opt)},
      {"OPT at a name", message(extra, record(Name, "0029", "", "04d0", "00000000"))},
      {"an option that ends outside of OPT",
       message(extra, record("00", "0029", "ff00 0002 07", "04d0", "00000000"))},
      {"a reason of one octet",
       message(extra, record("00", "0029", "000f 0001 00", "04d0", "00000000"))},
  };
}

}  // namespace

TEST_CASE("what is a response") {
  const auto response = std::make_unique<Response>();
  for (const Case& each : accepted()) {
    CAPTURE(each.title);
    CHECK(read_response(each.packet, *response));
    // No beginning of it is one, and nothing stands behind it.
    for (std::size_t size = 0; size < each.packet.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(read_response(Bytes(each.packet).first(size), *response));
    }
    auto longer = each.packet;
    longer.push_back(0);
    CHECK_FALSE(read_response(longer, *response));
  }
}

TEST_CASE("what is none") {
  const auto response = std::make_unique<Response>();
  for (const Case& each : refused()) {
    CAPTURE(each.title);
    CHECK_FALSE(read_response(each.packet, *response));
  }
}

TEST_CASE("of a truncated response the header and the question count, whatever follows") {
  auto packet = message("0001 0000 0000", record(Name, "0001", "c0000201"));
  packet[2] |= 0x02;
  const auto response = std::make_unique<Response>();
  for (std::size_t size = 0; size < packet.size(); ++size) {
    CAPTURE(size);
    const bool has_question = size >= HeaderSize + 3 + 4;
    CHECK(read_response(Bytes(packet).first(size), *response).has_value() == has_question);
    CHECK((!has_question || (response->truncated && response->answer().empty())));
  }
}

TEST_CASE("EDNS, the rcode's high bits, reasons and TTLs are told") {
  const auto packet = message("0001 0000 0001",
                              record(Name, "0001", "c0000201", "0001", "80000001") +
                                  record("00", "0029", "000f 0004 0016 6e6f", "04d0", "01008000"));
  const auto response = std::make_unique<Response>();
  REQUIRE(read_response(packet, *response));
  CHECK(response->answer()[0].ttl == 0);  // RFC 2181, 8.
  CHECK(response->has_edns);
  CHECK(response->udp_size == 1232);
  CHECK(response->dnssec_ok);
  CHECK(response->rcode == Rcode::BadVers);
  REQUIRE(response->reason_count == 1);
  CHECK(response->reasons[0].code == ExtendedError::NoReachableAuthority);
  CHECK(as_text(response->reasons[0].text) == "no");
}

TEST_CASE("as many records as fit into a message can be read, and not more") {
  const auto response = std::make_unique<Response>();
  const auto count = [&](std::size_t records) {
    auto packet = message("0000 0000 0000", "");
    store_u16(packet.data() + 6, static_cast<std::uint16_t>(records));
    const auto one = test::from_hex(record("00", "ff00", ""));
    for (std::size_t i = 0; i < records; ++i) {
      packet.insert(packet.end(), one.begin(), one.end());
    }
    return read_response(packet, *response);
  };
  CHECK(count(Response::MaxRecords));
  const auto more = count(Response::MaxRecords + 1);
  REQUIRE_FALSE(more);
  CHECK(more.error() == WireError::TooManyRecords);
}

TEST_CASE("a compression pointer that leads to itself is no name") {
  auto packet = test::from_hex(
      "0007 8180 0001 0001 0000 0000 0161 00 0001 0001"
      "c013 0001 0001 0000001e 0004 c0000201");
  const auto response = std::make_unique<Response>();
  CHECK_FALSE(read_response(packet, *response));
}

}  // namespace waypost::dns
