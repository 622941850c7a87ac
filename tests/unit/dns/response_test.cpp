#include "dns/response.h"

#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <memory>
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

TEST_CASE("a compression pointer that leads to itself is no name") {
  auto packet = test::from_hex(
      "0007 8180 0001 0001 0000 0000 0161 00 0001 0001"
      "c013 0001 0001 0000001e 0004 c0000201");
  const auto response = std::make_unique<Response>();
  CHECK_FALSE(read_response(packet, *response));
}

}  // namespace waypost::dns
