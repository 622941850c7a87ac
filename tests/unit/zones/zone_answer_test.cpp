// What a zone answers, by the examples of the standards.

#include "unit/zones/zone_expect.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

using namespace waypost;
using dns::Outcome;
using test::ZoneCase;
using test::ZoneUnderTest;

namespace {

// RFC 1034, 6.1: what the root servers hold in the standard's example.
constexpr std::string_view ExampleRoot = R"(
$TTL 86400
.       SOA SRI-NIC.ARPA. HOSTMASTER.SRI-NIC.ARPA. (
            870611  ; serial
            1800    ; refresh every 30 min
            300     ; retry every 5 min
            604800  ; expire after a week
            86400 ) ; minimum of a day
        NS A.ISI.EDU.
        NS C.ISI.EDU.
        NS SRI-NIC.ARPA.
MIL.    NS SRI-NIC.ARPA.
        NS A.ISI.EDU.
EDU.    NS SRI-NIC.ARPA.
        NS C.ISI.EDU.
SRI-NIC.ARPA. A 26.0.0.73
        A 10.0.0.51
        MX 0 SRI-NIC.ARPA.
        HINFO DEC-2060 TOPS20
ACC.ARPA. A 26.6.0.65
        HINFO PDP-11/70 UNIX
        MX 10 ACC.ARPA.
USC-ISIC.ARPA. CNAME C.ISI.EDU.
73.0.0.26.IN-ADDR.ARPA.  PTR SRI-NIC.ARPA.
65.0.6.26.IN-ADDR.ARPA.  PTR ACC.ARPA.
51.0.0.10.IN-ADDR.ARPA.  PTR SRI-NIC.ARPA.
52.0.0.10.IN-ADDR.ARPA.  PTR C.ISI.EDU.
103.0.3.26.IN-ADDR.ARPA. PTR A.ISI.EDU.
A.ISI.EDU. A 26.3.0.103
C.ISI.EDU. A 10.0.0.52
)";

}  // namespace

TEST_CASE("the examples of RFC 1034, 6.2 are answered as it says") {
  ZoneUnderTest root(".", ExampleRoot);
  const std::vector<ZoneCase> cases = {
      {.asks = "SRI-NIC.ARPA. A",  // 6.2.1
       .answer = {"SRI-NIC.ARPA. 86400 A 26.0.0.73", "SRI-NIC.ARPA. 86400 A 10.0.0.51"}},
      {.asks = "SRI-NIC.ARPA. ANY",  // 6.2.2, as RFC 8482, 4.2 has it today
       .answer = {"SRI-NIC.ARPA. 8482 HINFO RFC8482 \"\""}},
      {.asks = "SRI-NIC.ARPA. MX",  // 6.2.3
       .answer = {"SRI-NIC.ARPA. 86400 MX 0 SRI-NIC.ARPA."},
       .additional = {"SRI-NIC.ARPA. 86400 A 26.0.0.73", "SRI-NIC.ARPA. 86400 A 10.0.0.51"}},
      {.asks = "SRI-NIC.ARPA. NS", .outcome = Outcome::NoData},  // 6.2.4
      {.asks = "SIR-NIC.ARPA. A", .outcome = Outcome::NoName},   // 6.2.5
      {.asks = "BRL.MIL. A",                                     // 6.2.6
       .outcome = Outcome::Referral,
       .authority = {"MIL. 86400 NS SRI-NIC.ARPA.", "MIL. 86400 NS A.ISI.EDU."},
       .additional = {"A.ISI.EDU. 86400 A 26.3.0.103", "SRI-NIC.ARPA. 86400 A 26.0.0.73",
                      "SRI-NIC.ARPA. 86400 A 10.0.0.51"}},
      {.asks = "USC-ISIC.ARPA. A",  // 6.2.7
       .outcome = Outcome::Referral,
       .answer = {"USC-ISIC.ARPA. 86400 CNAME C.ISI.EDU."},
       .authority = {"EDU. 86400 NS SRI-NIC.ARPA.", "EDU. 86400 NS C.ISI.EDU."},
       .additional = {"C.ISI.EDU. 86400 A 10.0.0.52", "SRI-NIC.ARPA. 86400 A 26.0.0.73",
                      "SRI-NIC.ARPA. 86400 A 10.0.0.51"}},
      {.asks = "USC-ISIC.ARPA. CNAME",  // 6.2.8
       .answer = {"USC-ISIC.ARPA. 86400 CNAME C.ISI.EDU."}},
      {.asks = "ISI.EDU. MX",  // 6.3.1
       .outcome = Outcome::Referral,
       .authority = {"EDU. 86400 NS SRI-NIC.ARPA.", "EDU. 86400 NS C.ISI.EDU."},
       .additional = {"C.ISI.EDU. 86400 A 10.0.0.52", "SRI-NIC.ARPA. 86400 A 26.0.0.73",
                      "SRI-NIC.ARPA. 86400 A 10.0.0.51"}},
      {.asks = "65.0.6.26.in-addr.arpa. PTR",  // 6.3.2
       .answer = {"65.0.6.26.in-addr.arpa. 86400 PTR ACC.ARPA."}},
      {.asks = ". NS",
       .answer = {". 86400 NS A.ISI.EDU.", ". 86400 NS C.ISI.EDU.", ". 86400 NS SRI-NIC.ARPA."},
       .additional = {"A.ISI.EDU. 86400 A 26.3.0.103", "C.ISI.EDU. 86400 A 10.0.0.52",
                      "SRI-NIC.ARPA. 86400 A 26.0.0.73", "SRI-NIC.ARPA. 86400 A 10.0.0.51"}},
  };
  for (const ZoneCase& one : cases) {
    root.expect(one);
  }
}

TEST_CASE("wildcards match as in the example of RFC 4592, 2.2.1") {
  ZoneUnderTest zone("example.", R"(
$TTL 3600
@                SOA ns.example.com. hostmaster.example.com. 1 2 3 4 60
@                NS  ns.example.com.
@                NS  ns.example.net.
*                TXT "this is a wildcard"
*                MX  10 host1
sub.*            TXT "this is not a wildcard"
host1            A   192.0.2.1
_ssh._tcp.host1  SRV 0 0 22 host1
_ssh._tcp.host2  SRV 0 0 22 host1
subdel           NS  ns.example.com.
subdel           NS  ns.example.net.
)");
  const std::vector<ZoneCase> cases = {
      // Synthesized.
      {.asks = "host3.example. MX",
       .answer = {"host3.example. 3600 MX 10 host1.example."},
       .additional = {"host1.example. 3600 A 192.0.2.1"}},
      {.asks = "host3.example. A", .outcome = Outcome::NoData},
      {.asks = "foo.bar.example. TXT",
       .answer = {"foo.bar.example. 3600 TXT \"this is a wildcard\""}},
      {.asks = "foo.bar.example. ANY", .answer = {"foo.bar.example. 8482 HINFO RFC8482 \"\""}},
      // Not synthesized: the name exists, or a name closer than the wildcard's parent does.
      {.asks = "host1.example. MX", .outcome = Outcome::NoData},
      {.asks = "sub.*.example. MX", .outcome = Outcome::NoData},
      {.asks = "_telnet._tcp.host1.example. SRV", .outcome = Outcome::NoName},
      {.asks = "host.subdel.example. A",
       .outcome = Outcome::Referral,
       .authority = {"subdel.example. 3600 NS ns.example.com.",
                     "subdel.example. 3600 NS ns.example.net."}},
      {.asks = "ghost.*.example. MX", .outcome = Outcome::NoName},
      // The wildcard itself is a name like another (2.1.1), and so are empty non-terminals (2.2.2).
      {.asks = "*.example. TXT", .answer = {"*.example. 3600 TXT \"this is a wildcard\""}},
      {.asks = "host2.example. MX", .outcome = Outcome::NoData},
      {.asks = "_tcp.host2.example. MX", .outcome = Outcome::NoData},
      {.asks = "x.host2.example. MX", .outcome = Outcome::NoName},
      {.asks = "example. MX", .outcome = Outcome::NoData},
  };
  for (const ZoneCase& one : cases) {
    zone.expect(one);
  }
}

TEST_CASE("a wildcard's CNAME is followed from the name that was asked for") {
  ZoneUnderTest zone("example.", test::with_soa("*.apps 60 CNAME www\nwww 60 A 192.0.2.1"));
  zone.expect(
      {.asks = "Shop.Apps.Example. A",
       .answer = {"Shop.Apps.Example. 60 CNAME www.example.", "www.example. 60 A 192.0.2.1"}});
  zone.expect({.asks = "shop.apps.example. AAAA",
               .outcome = Outcome::NoData,
               .answer = {"shop.apps.example. 60 CNAME www.example."}});
  zone.expect(
      {.asks = "shop.apps.example. CNAME", .answer = {"shop.apps.example. 60 CNAME www.example."}});
}

TEST_CASE("CNAME chains stay in the zone as far as they can and tell what happened at their end") {
  ZoneUnderTest zone("example.", test::with_soa(R"(
$TTL 60
a      CNAME b
b      CNAME c.deep
c.deep A 192.0.2.9
gone   CNAME nowhere
out    CNAME www.example.net.
loop   CNAME pool
pool   CNAME loop
to-cut CNAME www.sub
sub    NS ns.sub
ns.sub A 192.0.2.54
)"));
  const std::vector<ZoneCase> cases = {
      {.asks = "a.example. A",
       .answer = {"a.example. 60 CNAME b.example.", "b.example. 60 CNAME c.deep.example.",
                  "c.deep.example. 60 A 192.0.2.9"}},
      {.asks = "a.example. TXT",
       .outcome = Outcome::NoData,
       .answer = {"a.example. 60 CNAME b.example.", "b.example. 60 CNAME c.deep.example."}},
      {.asks = "gone.example. A",
       .outcome = Outcome::NoName,
       .answer = {"gone.example. 60 CNAME nowhere.example."}},
      {.asks = "out.example. A",
       .outcome = Outcome::Follow,
       .answer = {"out.example. 60 CNAME www.example.net."},
       .next = "www.example.net."},
      {.asks = "loop.example. A",
       .outcome = Outcome::Follow,
       .answer = {"loop.example. 60 CNAME pool.example."},
       .next = "pool.example.",
       .follow = false},
      {.asks = "a.example. CNAME", .answer = {"a.example. 60 CNAME b.example."}},
      {.asks = "a.example. ANY", .answer = {"a.example. 60 CNAME b.example."}},
      {.asks = "to-cut.example. A",
       .outcome = Outcome::Referral,
       .answer = {"to-cut.example. 60 CNAME www.sub.example."},
       .authority = {"sub.example. 60 NS ns.sub.example."},
       .additional = {"ns.sub.example. 60 A 192.0.2.54"}},
  };
  for (const ZoneCase& one : cases) {
    zone.expect(one);
  }
}

TEST_CASE("a DNAME substitutes as in the table of RFC 6672, 2.2") {
  struct Case {
    std::string apex, owner, target, asks;
    std::string result;  // Empty: no match.
  };
  const std::vector<Case> cases = {
      {"com.", "example.com.", "example.net.", "com.", ""},
      {"com.", "example.com.", "example.net.", "example.com.", ""},
      {"com.", "example.com.", "example.net.", "a.example.com.", "a.example.net."},
      {"com.", "example.com.", "example.net.", "a.b.example.com.", "a.b.example.net."},
      {"com.", "b.example.com.", "example.net.", "ab.example.com.", ""},
      {"com.", "example.com.", "example.net.", "foo.example.com.", "foo.example.net."},
      {"com.", "x.example.com.", "example.net.", "a.x.example.com.", "a.example.net."},
      {"com.", "example.com.", "y.example.net.", "a.example.com.", "a.y.example.net."},
      {"com.", "example.com.", "example.com.", "cyc.example.com.", "cyc.example.com."},
      {"com.", "example.com.", "c.example.com.", "cyc.example.com.", "cyc.c.example.com."},
      {".", "x.", ".", "shortloop.x.x.", "shortloop.x."},
      {".", "x.", ".", "shortloop.x.", "shortloop."},
  };
  for (const Case& one : cases) {
    ZoneUnderTest zone(one.apex,
                       "@ 60 SOA . . 1 2 3 4 60\n" + one.owner + " 30 DNAME " + one.target);
    CAPTURE(one.owner);
    CAPTURE(one.target);
    if (one.result.empty()) {
      const Outcome outcome = zone.ask({.asks = one.asks + " A"}).outcome;
      CAPTURE(one.asks);
      CHECK((outcome == Outcome::NoData || outcome == Outcome::NoName));
      continue;
    }
    const std::vector<std::string> answer = {one.owner + " 30 DNAME " + one.target,
                                             one.asks + " 30 CNAME " + one.result};
    zone.expect({.asks = one.asks + " A",
                 .outcome = Outcome::Follow,
                 .answer = answer,
                 .next = one.result,
                 .follow = false});
    zone.expect({.asks = one.asks + " CNAME", .answer = answer});
    zone.expect({.asks = one.owner + " DNAME", .answer = {one.owner + " 30 DNAME " + one.target}});
  }
}

TEST_CASE("a DNAME leads on within the zone and keeps data at its own name") {
  ZoneUnderTest zone("example.", test::with_soa("old 30 DNAME new\nold 60 TXT \"moved\"\n"
                                                "www.new 60 A 192.0.2.1"));
  zone.expect({.asks = "WWW.old.example. A",
               .answer = {"old.example. 30 DNAME new.example.",
                          "WWW.old.example. 30 CNAME www.new.example.",
                          "www.new.example. 60 A 192.0.2.1"}});
  zone.expect({.asks = "old.example. TXT", .answer = {"old.example. 60 TXT \"moved\""}});
  zone.expect({.asks = "old.example. A", .outcome = Outcome::NoData});
}

TEST_CASE("Differs from RFC 6672: a DNAME that makes the name too long fails without an answer") {
  const std::string label(63, 'x');
  const std::string target = label + "." + label + "." + label + ".net.";
  ZoneUnderTest zone("example.", test::with_soa("d 60 DNAME " + target));
  // 3 * 64 + 5 octets of target leave 58 for what is in front of d.example.
  const std::string fits(57, 'y');
  const std::string answer = fits + "." + target;
  zone.expect({.asks = fits + ".d.example. A",
               .outcome = Outcome::Follow,
               .answer = {"d.example. 60 DNAME " + target, fits + ".d.example. 60 CNAME " + answer},
               .next = answer});
  zone.expect({.asks = fits + "y.d.example. A", .outcome = Outcome::Failed});
}

TEST_CASE("names at and below a delegation are referred to it") {
  ZoneUnderTest zone("example.", test::with_soa(R"(
$TTL 60
sub             NS   ns1.sub
sub             NS   ns2.other
sub             NS   ns.example.net.
sub             DS   1 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ns1.sub         A    192.0.2.61
ns1.sub         AAAA 2001:db8::61
*.sub           A    192.0.2.66
www.sub         A    192.0.2.67
lower.sub       NS   ns.lower.sub
other           NS   ns2.other
ns2.other       A    192.0.2.62
plain           NS   ns
)"));
  const ZoneCase to_sub{
      .outcome = Outcome::Referral,
      .authority = {"sub.example. 60 NS ns1.sub.example.", "sub.example. 60 NS ns2.other.example.",
                    "sub.example. 60 NS ns.example.net."},
      .additional = {"ns1.sub.example. 60 A 192.0.2.61", "ns1.sub.example. 60 AAAA 2001:db8::61",
                     "ns2.other.example. 60 A 192.0.2.62"}};
  for (const char* asks : {
           "sub.example. A", "sub.example. NS", "sub.example. ANY", "sub.example. SOA",
           "www.sub.example. A",        // Occluded data is not ours to tell.
           "ns1.sub.example. A",        // Nor is glue an answer.
           "any.sub.example. A",        // The wildcard is occluded, too.
           "missing.sub.example. TXT",  //
           "x.lower.sub.example. A",    // The topmost delegation counts.
           "www.sub.example. DS",       // DS of a name in the child is the child's.
       }) {
    ZoneCase one = to_sub;
    one.asks = asks;
    zone.expect(one);
  }
  zone.expect({.asks = "SUB.example. DS",
               .answer = {"SUB.example. 60 DS 1 8 2 "
                          "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}});
  zone.expect({.asks = "other.example. DS", .outcome = Outcome::NoData});
  zone.expect({.asks = "www.plain.example. A",
               .outcome = Outcome::Referral,
               .authority = {"plain.example. 60 NS ns.example."},
               .additional = {"ns.example. 3600 A 192.0.2.53"}});
  zone.expect({.asks = "example. NS",
               .answer = {"example. 3600 NS ns.example."},
               .additional = {"ns.example. 3600 A 192.0.2.53"}});
}

TEST_CASE("a name that exists only by names below it has no data, and ANY finds it") {
  ZoneUnderTest zone("example.", test::with_soa("a.b.c 60 A 192.0.2.1"));
  zone.expect({.asks = "b.c.example. A", .outcome = Outcome::NoData});
  zone.expect({.asks = "c.example. AAAA", .outcome = Outcome::NoData});
  zone.expect({.asks = "c.example. ANY", .answer = {"c.example. 8482 HINFO RFC8482 \"\""}});
  zone.expect({.asks = "d.c.example. ANY", .outcome = Outcome::NoName});
  zone.expect({.asks = "x.a.b.c.example. A", .outcome = Outcome::NoName});
}

TEST_CASE("the negative TTL is the lower of the SOA's TTL and its minimum") {
  for (const auto& [ttl, minimum, negative] :
       {std::tuple("3600", "60", "60"), std::tuple("30", "60", "30")}) {
    ZoneUnderTest zone("example.",
                       std::string("@ ") + ttl + " SOA ns.example. h.example. 1 2 3 4 " + minimum);
    const test::ZoneAnswer got = zone.ask({.asks = "x.example. A"});
    CHECK(got.authority ==
          std::vector<std::string>{std::string("example. ") + negative +
                                   " IN SOA ns.example. h.example. 1 2 3 4 " + minimum});
  }
}

TEST_CASE("owners keep the case of the question, whatever case the zone is written in") {
  ZoneUnderTest zone("Example.", test::with_soa("WWW 60 A 192.0.2.1\n*.Any 60 A 192.0.2.2"));
  zone.expect({.asks = "wWw.eXample. A", .answer = {"wWw.eXample. 60 A 192.0.2.1"}});
  zone.expect({.asks = "X.aNy.eXample. A", .answer = {"X.aNy.eXample. 60 A 192.0.2.2"}});
}

TEST_CASE("addresses of SRV targets in the zone come along, those of others do not") {
  ZoneUnderTest zone("example.", test::with_soa(R"(
$TTL 60
_http._tcp SRV 0 1 80 a
_http._tcp SRV 0 1 80 b
_http._tcp SRV 0 1 80 www.example.net.
_http._tcp SRV 0 1 80 alias
a          A    192.0.2.1
a          AAAA 2001:db8::1
b          A    192.0.2.2
alias      CNAME a
)"));
  zone.expect({.asks = "_http._tcp.example. SRV",
               .answer = {"_http._tcp.example. 60 SRV 0 1 80 a.example.",
                          "_http._tcp.example. 60 SRV 0 1 80 b.example.",
                          "_http._tcp.example. 60 SRV 0 1 80 www.example.net.",
                          "_http._tcp.example. 60 SRV 0 1 80 alias.example."},
               .additional = {"a.example. 60 A 192.0.2.1", "a.example. 60 AAAA 2001:db8::1",
                              "b.example. 60 A 192.0.2.2"}});
}
