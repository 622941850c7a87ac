// What makes a zone of records, and what does not.

#include "unit/zones/zone_expect.h"

#include "zones/zone_loader.h"
#include "zones/zone_set.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace waypost;
using test::ZoneUnderTest;

namespace {

Result<std::unique_ptr<const zones::Zone>> parse(const std::string& text) {
  return zones::parse_zone(text, "example.zone", *dns::Name::from_text("example."));
}

std::vector<std::string> records_of(const zones::Zone& zone) {
  std::vector<std::string> lines;
  zone.for_each_record([&](const dns::Record& record) { lines.push_back(dns::to_text(record)); });
  return lines;
}

}  // namespace

TEST_CASE("records that make no zone are refused with the place and the owner of the culprit") {
  struct Case {
    std::string text;
    std::string message;
  };
  // with_soa() puts three lines in front.
  const std::vector<Case> cases = {
      {"", "example.zone:1: no SOA, expected one at the zone's apex"},
      {"www 60 A 192.0.2.1", "example.zone:1: no SOA, expected one at the zone's apex"},
      {test::with_soa("@ 3600 SOA other hostmaster 7 2 3 4 60"),
       "example.zone:4: example.: a second SOA, expected one"},
      {test::with_soa("www 3600 SOA ns hostmaster 7 2 3 4 60"),
       "example.zone:4: www.example.: a SOA below example., expected one SOA at the zone's apex"},
      {test::with_soa("www.example.net. 60 A 192.0.2.1"),
       "example.zone:4: www.example.net.: outside of the zone, expected example. or a name below "
       "it"},
      {test::with_soa("notexample. 60 A 192.0.2.1"),
       "example.zone:4: notexample.: outside of the zone, expected example. or a name below it"},
      {test::with_soa("www 60 A 192.0.2.1\nwww 60 CNAME ns"),
       "example.zone:5: www.example.: CNAME and A at one name, expected CNAME alone (RFC 1034, "
       "3.6.2)"},
      {test::with_soa("www 60 CNAME ns\nWWW 60 TXT x"),
       "example.zone:4: www.example.: CNAME and TXT at one name, expected CNAME alone (RFC 1034, "
       "3.6.2)"},
      {test::with_soa("www 60 CNAME ns\nwww 60 CNAME www2"),
       "example.zone:5: www.example.: a second CNAME, expected one"},
      {test::with_soa("d 60 DNAME a\nd 60 DNAME b"),
       "example.zone:5: d.example.: a second DNAME, expected one"},
      {test::with_soa("d 60 DNAME a\nd 60 CNAME b"),
       "example.zone:5: d.example.: CNAME and DNAME at one name, expected CNAME alone (RFC 1034, "
       "3.6.2)"},
      {test::with_soa("x.y.d 60 A 192.0.2.1\nd 60 DNAME a"),
       "example.zone:5: d.example.: DNAME above other names, expected none below it (RFC 6672, "
       "2.4)"},
      {test::with_soa("d 60 DNAME a\nd 60 NS ns"),
       "example.zone:4: d.example.: DNAME beside a delegation, expected it in the child zone (RFC "
       "6672, 2.3)"},
      {test::with_soa("* 60 NS ns"),
       "example.zone:4: *.example.: NS at a wildcard has no defined meaning (RFC 4592, 4)"},
      {test::with_soa("*.x 60 DNAME ns"),
       "example.zone:4: *.x.example.: DNAME at a wildcard has no defined meaning (RFC 4592, 4)"},
      {test::with_soa("x 60 OPT \\# 0"),
       "example.zone:4: x.example.: OPT is a type for queries, expected one for data"},
      {test::with_soa("x 60 TYPE255 \\# 0"),
       "example.zone:4: x.example.: ANY is a type for queries, expected one for data"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    const auto zone = parse(one.text);
    CHECK((zone ? "a zone" : zone.error().message) == one.message);
  }
}

TEST_CASE("rdata that does not have the shape of its type makes no zone") {
  const dns::Name apex = *dns::Name::from_text("example.");
  const dns::Record soa = *dns::record_from_text("example. 60 IN SOA . . 1 2 3 4 60");
  using Octets = std::vector<std::uint8_t>;
  const std::vector<std::pair<dns::RecordType, Octets>> cases = {
      {dns::RecordType::A, {192, 0, 2}},
      {dns::RecordType::AAAA, {192, 0, 2, 1}},
      {dns::RecordType::NS, {}},
      {dns::RecordType::NS, {0, 0}},
      {dns::RecordType::CNAME, {3, 'w', 'w'}},
      {dns::RecordType::DNAME, {0xc0, 0x0c}},
      {dns::RecordType::MX, {0, 5}},
      {dns::RecordType::SRV, {0, 5, 0, 0, 0}},
      {dns::RecordType::SRV, {0, 5, 0, 0, 0, 1, 1, 'a'}},
      {dns::RecordType::SOA, {0, 0}},
      {dns::RecordType::SOA, Octets(23, 0)},
      {dns::RecordType::TXT, Octets(65536, 0)},
  };
  for (const auto& [type, rdata] : cases) {
    const auto zone = zones::Zone::make(
        apex, {soa, {.owner = *apex.child("x"), .type = type, .ttl = 60, .rdata = rdata}});
    CAPTURE(rdata);
    CHECK((zone ? "a zone" : zone.error().message) ==
          "x.example.: malformed " + dns::to_text(type) + " data");
  }
  const auto other_class = zones::Zone::make(apex, {soa,
                                                    {.owner = apex,
                                                     .type = dns::RecordType::A,
                                                     .record_class = dns::RecordClass::CH,
                                                     .rdata = {1, 2, 3, 4}}});
  CHECK((other_class ? "a zone" : other_class.error().message) == "example.: class 3, expected IN");
}

TEST_CASE("the apex is where the SOA is, whatever the file is called") {
  const auto zone = parse("$ORIGIN shop.example.net.\n@ 60 SOA ns h 5 2 3 4 60\nwww A 192.0.2.1");
  REQUIRE(zone);
  CHECK((*zone)->apex().to_text() == "shop.example.net.");
  CHECK((*zone)->serial() == 5);
  CHECK((*zone)->record_count() == 2);
}

TEST_CASE("equal records count once, and a set has the lowest of its TTLs") {
  ZoneUnderTest zone("example.", test::with_soa("www 60 A 192.0.2.1\nwww 30 A 192.0.2.2\n"
                                                "WWW 90 A 192.0.2.1\nwww 90 TXT x"));
  CHECK(zone.zone().record_count() == 6);
  zone.expect({.asks = "www.example. A",
               .answer = {"www.example. 30 A 192.0.2.1", "www.example. 30 A 192.0.2.2"}});
  zone.expect({.asks = "www.example. TXT", .answer = {"www.example. 90 TXT x"}});
}

TEST_CASE("DNSSEC's own records may stand beside a CNAME") {
  ZoneUnderTest zone("example.", test::with_soa("www 60 CNAME ns\nwww 60 NSEC ns CNAME NSEC"));
  zone.expect(
      {.asks = "www.example. NSEC", .answer = {"www.example. 60 NSEC ns.example. CNAME NSEC"}});
}

TEST_CASE("all records are told with the SOA first and owners in canonical order") {
  // The names of RFC 4034, 6.1.
  const auto zone = parse(R"(
$TTL 60
*.z A 192.0.2.1
\200.z A 192.0.2.2
z A 192.0.2.3
Z.a A 192.0.2.4
\001.z A 192.0.2.5
a A 192.0.2.6
yljkjljk.a A 192.0.2.7
zABC.a A 192.0.2.8
@ TXT "at the apex"
@ A 192.0.2.9
@ SOA ns h 1 2 3 4 60
)");
  REQUIRE(zone);
  CHECK(records_of(**zone) == std::vector<std::string>{
                                  "example. 60 IN SOA ns.example. h.example. 1 2 3 4 60",
                                  "example. 60 IN A 192.0.2.9",
                                  "example. 60 IN TXT \"at the apex\"",
                                  "a.example. 60 IN A 192.0.2.6",
                                  "yljkjljk.a.example. 60 IN A 192.0.2.7",
                                  "Z.a.example. 60 IN A 192.0.2.4",
                                  "zABC.a.example. 60 IN A 192.0.2.8",
                                  "z.example. 60 IN A 192.0.2.3",
                                  "\\001.z.example. 60 IN A 192.0.2.5",
                                  "*.z.example. 60 IN A 192.0.2.1",
                                  "\\200.z.example. 60 IN A 192.0.2.2",
                              });
}

TEST_CASE("what a zone tells makes the same zone again") {
  const auto zone = parse(test::with_soa(R"(
$TTL 60
a.b.c.d TXT "x" "y;z"
sub NS ns.sub
ns.sub A 192.0.2.1
_a._tcp SRV 1 2 3 www
www HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1
x TYPE731 \# 2 abcd
)"));
  REQUIRE(zone);
  std::vector<dns::Record> records;
  (*zone)->for_each_record([&](const dns::Record& record) { records.push_back(record); });
  const auto again = zones::Zone::make((*zone)->apex(), std::move(records));
  REQUIRE(again);
  CHECK(records_of(**again) == records_of(**zone));
}

TEST_CASE("names with zero and one octets, dots and no letters are kept apart") {
  ZoneUnderTest zone("example.", test::with_soa(R"(
a\000.x 60 A 192.0.2.1
a\001.x 60 A 192.0.2.2
a.x     60 A 192.0.2.3
a\.x    60 A 192.0.2.4
\000.a.x 60 A 192.0.2.5
a\000b.x 60 A 192.0.2.6
b.a.x    60 A 192.0.2.7
a\000b.x 60 TXT six
b.a.x    60 TXT seven
)"));
  zone.expect({.asks = "a\\000b.x.example. TXT", .answer = {"a\\000b.x.example. 60 TXT six"}});
  zone.expect({.asks = "b.a.x.example. A", .answer = {"b.a.x.example. 60 A 192.0.2.7"}});
  zone.expect({.asks = "b.a.x.example. TXT", .answer = {"b.a.x.example. 60 TXT seven"}});
  zone.expect({.asks = "a\\000.x.example. A", .answer = {"a\\000.x.example. 60 A 192.0.2.1"}});
  zone.expect({.asks = "a\\001.x.example. A", .answer = {"a\\001.x.example. 60 A 192.0.2.2"}});
  zone.expect({.asks = "a.x.example. A", .answer = {"a.x.example. 60 A 192.0.2.3"}});
  zone.expect({.asks = "a\\.x.example. A", .answer = {"a\\.x.example. 60 A 192.0.2.4"}});
  zone.expect({.asks = "\\000.a.x.example. A", .answer = {"\\000.a.x.example. 60 A 192.0.2.5"}});
}

TEST_CASE("a zone's own apex may be a wildcard name") {
  ZoneUnderTest zone("*.example.", test::with_soa("www 60 A 192.0.2.1"));
  zone.expect({.asks = "www.*.example. A", .answer = {"www.*.example. 60 A 192.0.2.1"}});
  zone.expect({.asks = "www2.*.example. A", .outcome = dns::Outcome::NoName});
}

TEST_CASE("the longest name there can be is found, and so are all names above it") {
  std::string name;
  for (int i = 0; i < 123; ++i) {
    name += "a.";
  }
  name += "example.";  // 2 * 123 + 9 = 255 octets
  ZoneUnderTest zone("example.", test::with_soa(name + " 60 A 192.0.2.1"));
  zone.expect({.asks = name + " A", .answer = {name + " 60 A 192.0.2.1"}});
  for (std::size_t cut = 2; name.size() - cut > 8; cut += 2) {
    zone.expect({.asks = name.substr(cut) + " A", .outcome = dns::Outcome::NoData});
    zone.expect({.asks = "b." + name.substr(cut) + " A", .outcome = dns::Outcome::NoName});
  }
}
