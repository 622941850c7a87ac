// The zones that are built into the program.

#include "unit/zones/zone_expect.h"
#include "zones/zone_loader.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace waypost;
using dns::Outcome;
using test::ZoneUnderTest;

namespace {

const zones::ZoneSet& built_in() {
  static const zones::LoadedZones loaded = zones::load_zones({}, true, nullptr);
  REQUIRE(loaded.errors.empty());
  return *loaded.zones;
}

ZoneUnderTest zone(const std::string& apex) {
  const auto found = built_in().find(*dns::Name::from_text(apex));
  INFO("zone: ", apex);
  REQUIRE(found != nullptr);
  return ZoneUnderTest(found);
}

}  // namespace

TEST_CASE("every name that the standards reserve has its zone, and no other has") {
  std::string zeros;
  for (int i = 0; i < 31; ++i) {
    zeros += "0.";
  }
  std::vector<std::string> expected = {
      "localhost.", "invalid.", "test.", "onion.",
      // RFC 6303, 4.1 to 4.6
      "10.in-addr.arpa.", "168.192.in-addr.arpa.", "0.in-addr.arpa.", "127.in-addr.arpa.",
      "254.169.in-addr.arpa.", "2.0.192.in-addr.arpa.", "100.51.198.in-addr.arpa.",
      "113.0.203.in-addr.arpa.", "255.255.255.255.in-addr.arpa.", "0." + zeros + "ip6.arpa.",
      "1." + zeros + "ip6.arpa.", "d.f.ip6.arpa.", "8.e.f.ip6.arpa.", "9.e.f.ip6.arpa.",
      "a.e.f.ip6.arpa.", "b.e.f.ip6.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."};
  for (int i = 16; i <= 31; ++i) {
    expected.push_back(fmt::format("{}.172.in-addr.arpa.", i));
  }
  for (int i = 64; i <= 127; ++i) {  // RFC 7793
    expected.push_back(fmt::format("{}.100.in-addr.arpa.", i));
  }
  std::vector<std::string> got;
  for (const auto& one : built_in().zones()) {
    got.push_back(one->apex().to_text());
  }
  std::ranges::sort(expected);
  std::ranges::sort(got);
  CHECK(got == expected);
}

TEST_CASE("localhost and all names below it are the loopback addresses") {
  ZoneUnderTest localhost = zone("localhost");
  localhost.expect({.asks = "localhost. A", .answer = {"localhost. 10800 A 127.0.0.1"}});
  localhost.expect({.asks = "localhost. AAAA", .answer = {"localhost. 10800 AAAA ::1"}});
  localhost.expect({.asks = "a.b.localhost. A", .answer = {"a.b.localhost. 10800 A 127.0.0.1"}});
  localhost.expect({.asks = "a.localhost. AAAA", .answer = {"a.localhost. 10800 AAAA ::1"}});
  localhost.expect({.asks = "localhost. MX", .outcome = Outcome::NoData});
}

TEST_CASE("the loopback addresses are localhost") {
  zone("127.in-addr.arpa")
      .expect({.asks = "1.0.0.127.in-addr.arpa. PTR",
               .answer = {"1.0.0.127.in-addr.arpa. 10800 PTR localhost."}});
  zone("127.in-addr.arpa")
      .expect({.asks = "2.0.0.127.in-addr.arpa. PTR", .outcome = Outcome::NoName});
  std::string loopback = "1.";
  for (int i = 0; i < 31; ++i) {
    loopback += "0.";
  }
  loopback += "ip6.arpa.";
  zone(loopback).expect(
      {.asks = loopback + " PTR", .answer = {loopback + " 10800 PTR localhost."}});
}

TEST_CASE("an empty zone has the SOA and NS of RFC 6303, 3 and nothing below") {
  for (const auto& one : built_in().zones()) {
    const std::string apex = one->apex().to_text();
    if (apex == "localhost." || one->record_count() != 2) {
      continue;
    }
    ZoneUnderTest empty(one);
    empty.expect(
        {.asks = apex + " SOA",
         .answer = {apex + " 10800 SOA " + apex + " nobody.invalid. 1 3600 1200 604800 10800"}});
    empty.expect({.asks = apex + " NS", .answer = {apex + " 10800 NS " + apex}});
    empty.expect({.asks = apex + " A", .outcome = Outcome::NoData});
    empty.expect({.asks = "1." + apex + " PTR", .outcome = Outcome::NoName});
  }
}

TEST_CASE("every record of every built-in zone is answered as it is written") {
  std::size_t asked = 0;
  for (const auto& one : built_in().zones()) {
    ZoneUnderTest under_test(one);
    one->for_each_record([&](const dns::Record& record) {
      const std::string asks = record.owner.to_text() + " " + dns::to_text(record.type);
      const test::ZoneAnswer got = under_test.ask({.asks = asks});
      CAPTURE(asks);
      CHECK(got.outcome == Outcome::Hit);
      CHECK(std::ranges::find(got.answer, dns::to_text(record)) != got.answer.end());
      ++asked;
    });
  }
  CHECK(asked > 200);
}
