#include "server/responder.h"

#include "base/file.h"
#include "dns/ldns_bridge.h"
#include "resolver/answer_cache.h"
#include "server/transfer.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "support/schema_cases.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordClass;
using dns::RecordType;
using server::Transport;

// A headless Service "many" in namespace "shop" with `count` endpoints, 10.244.x.y, from the
// `first`th on.
void put_many(cache::ServiceCache& cache, unsigned count, unsigned first = 0) {
  cache.put(kube::Namespace{"shop", 1, {}});
  kube::Service service;
  service.key = {"shop", "many"};
  service.headless = true;
  cache.put(service);
  kube::EndpointSlice slice;
  slice.key = {"shop", "many-a"};
  slice.service_name = "many";
  slice.ports = {{"http", kube::Protocol::Tcp, 80}};
  for (unsigned i = first; i < first + count; ++i) {
    slice.add({.address = IpAddress::v4(10, 244, static_cast<std::uint8_t>(i / 250),
                                        static_cast<std::uint8_t>(i % 250))},
              "", "");
  }
  cache.put(slice);
}

constexpr const char* Many = "many.shop.svc.cluster.local.";

// "FORMERR", or "(silence)".
std::string verdict(TestCluster& cluster, Bytes packet) {
  const auto response = cluster.ask(packet);
  if (response.empty()) {
    return "(silence)";
  }
  CHECK(response.size() <= dns::PlainUdpSize);
  CHECK(response[0] == packet[0]);
  CHECK(response[1] == packet[1]);
  return response_text(response).rcode;
}

}  // namespace

TEST_CASE("whatever comes in gets FORMERR, NOTIMP, REFUSED or silence as the RFCs say") {
  TestCluster cluster;
  struct Case {
    const char* what;
    const char* packet;
    const char* verdict;
  };
  for (const Case& c : {
           Case{"nothing", "", "(silence)"},
           Case{"one octet short of a header", "1234 0100 0001 0000 0000 00", "(silence)"},
           Case{"a response", "1234 8180 0001 0000 0000 0000 01 61 00 0001 0001", "(silence)"},
           Case{"a bare header without a question", "1234 0100 0000 0000 0000 0000", "FORMERR"},
           Case{"a question that is not there", "1234 0100 0001 0000 0000 0000", "FORMERR"},
           Case{"two questions",
                "1234 0100 0002 0000 0000 0000 01 61 00 0001 0001 01 62 00 0001 0001", "FORMERR"},
           Case{"a pointer in the question", "1234 0100 0001 0000 0000 0000 c00c 0001 0001",
                "FORMERR"},
           Case{"a pointer behind a label", "1234 0100 0001 0000 0000 0000 01 61 c00c 0001 0001",
                "FORMERR"},
           Case{"label type 01", "1234 0100 0001 0000 0000 0000 41 61 00 0001 0001", "FORMERR"},
           Case{"label type 10", "1234 0100 0001 0000 0000 0000 81 61 00 0001 0001", "FORMERR"},
           Case{"a label cut off", "1234 0100 0001 0000 0000 0000 05 61", "FORMERR"},
           Case{"no type", "1234 0100 0001 0000 0000 0000 01 61 00", "FORMERR"},
           Case{"half a class", "1234 0100 0001 0000 0000 0000 01 61 00 0001 00", "FORMERR"},
           Case{"an answer record",
                "1234 0100 0001 0001 0000 0000 01 61 00 0001 0001 00 0001 0001 00000000 0000",
                "FORMERR"},
           Case{"octets behind the message", "1234 0100 0001 0000 0000 0000 01 61 00 0001 0001 ff",
                "FORMERR"},
           Case{"OPT twice",
                "1234 0100 0001 0000 0000 0002 01 61 00 0001 0001 00 0029 04d0 00000000 0000 "
                "00 0029 04d0 00000000 0000",
                "FORMERR"},
           Case{"OPT not at the root",
                "1234 0100 0001 0000 0000 0001 01 61 00 0001 0001 01 62 00 0029 04d0 00000000 0000",
                "FORMERR"},
           Case{"an option longer than its record",
                "1234 0100 0001 0000 0000 0001 01 61 00 0001 0001 00 0029 04d0 00000000 0004 "
                "000a 0008",
                "FORMERR"},
           Case{"a cookie of seven octets",
                "1234 0100 0001 0000 0000 0001 01 61 00 0001 0001 00 0029 04d0 00000000 000b "
                "000a 0007 01020304050607",
                "FORMERR"},
           Case{"EDNS version 1",
                "1234 0100 0001 0000 0000 0001 01 61 00 0001 0001 00 0029 04d0 00010000 0000",
                "BADVERS"},
           Case{"NOTIFY", "1234 2400 0001 0000 0000 0000 01 61 00 0006 0001", "NOTIMP"},
           Case{"UPDATE", "1234 2800 0001 0000 0000 0000 01 61 00 0006 0001", "NOTIMP"},
           Case{"IQUERY", "1234 0800 0001 0000 0000 0000 01 61 00 0001 0001", "NOTIMP"},
           Case{"opcode 15", "1234 7800 0001 0000 0000 0000 01 61 00 0001 0001", "NOTIMP"},
           Case{"class CH, of a name that class IN has",
                "1234 0100 0001 0000 0000 0000 03 737663 07 636c7573746572 05 6c6f63616c 00 0010 "
                "0003",
                "REFUSED"},
           Case{"class HS, of a name that class IN has",
                "1234 0100 0001 0000 0000 0000 03 737663 07 636c7573746572 05 6c6f63616c 00 0001 "
                "0004",
                "REFUSED"},
           Case{"class ANY, of a name that class IN has",
                "1234 0100 0001 0000 0000 0000 03 737663 07 636c7573746572 05 6c6f63616c 00 0001 "
                "00ff",
                "REFUSED"},
           Case{"a name nobody here owns", "1234 0100 0001 0000 0000 0000 01 61 00 0001 0001",
                "REFUSED"},
           Case{"the root", "1234 0100 0001 0000 0000 0000 00 0002 0001", "REFUSED"},
       }) {
    CAPTURE(c.what);
    CHECK(verdict(cluster, from_hex(c.packet)) == c.verdict);
  }
}

TEST_CASE("names may have 255 octets and labels 63, and no more") {
  TestCluster cluster;
  const auto packet_of = [](const std::vector<std::size_t>& labels) {
    auto packet = from_hex("1234 0100 0001 0000 0000 0000");
    for (const std::size_t size : labels) {
      packet.push_back(static_cast<std::uint8_t>(size));
      packet.insert(packet.end(), size, 'a');
    }
    const auto rest = from_hex("00 0001 0001");
    packet.insert(packet.end(), rest.begin(), rest.end());
    return packet;
  };
  CHECK(verdict(cluster, packet_of({63, 63, 63, 61})) == "REFUSED");  // 255 octets: read, not ours.
  CHECK(verdict(cluster, packet_of({63, 63, 63, 62})) == "FORMERR");
  CHECK(verdict(cluster, packet_of({64})) == "FORMERR");
  CHECK(verdict(cluster, packet_of(std::vector<std::size_t>(127, 1))) == "REFUSED");
  CHECK(verdict(cluster, packet_of(std::vector<std::size_t>(128, 1))) == "FORMERR");
}

TEST_CASE("any octets at all get an answer that is whole, or none") {
  TestCluster cluster;
  put_many(cluster.cache, 60);
  std::minstd_rand random(11);
  const auto seed = make_query({.name = Many, .edns = true, .udp_size = 700});
  for (int round = 0; round < 20'000; ++round) {
    auto packet = seed;
    for (unsigned flips = 0; flips < 1 + random() % 6; ++flips) {
      packet[random() % packet.size()] = static_cast<std::uint8_t>(random());
    }
    packet.resize(random() % 4 == 0 ? random() % (packet.size() + 1) : packet.size());
    const auto response = cluster.ask(packet);
    REQUIRE(response.size() <= 1232);
    if (!response.empty()) {
      const auto message = dns::parse_message(response);
      INFO(hexdump(packet));
      REQUIRE(message);
      REQUIRE(message->response);
    }
  }
}

TEST_CASE("EDNS: 1232 both ways, unknown options not echoed, DO copied") {
  TestCluster cluster;
  put_many(cluster.cache, 3);
  const auto plain = response_text(cluster.ask(make_query({.name = Many})));
  CHECK_FALSE(plain.edns);
  const std::vector<std::uint8_t> value = {1, 2, 3};
  const auto got = response_text(cluster.ask(make_query({.name = Many,
                                                         .edns = true,
                                                         .udp_size = 4096,
                                                         .dnssec_ok = true,
                                                         .options = option(65001, value)})));
  CHECK(got.edns);
  CHECK(got.udp_size == 1232);
  CHECK(got.dnssec_ok);
  CHECK(got.options.empty());
  const auto bad =
      response_text(cluster.ask(make_query({.name = Many, .edns = true, .edns_version = 1})));
  CHECK(bad.rcode == "BADVERS");
  CHECK(bad.answer.empty());
}

TEST_CASE("a reason is given with EDNS: not here, not ready") {
  TestCluster cluster;
  const auto refused =
      response_text(cluster.ask(make_query({.name = "example.org.", .edns = true})));
  CHECK(refused.rcode == "REFUSED");
  REQUIRE(refused.options.size() == 1);
  CHECK(refused.options[0].starts_with("15 0014"));  // RFC 8914: Not Authoritative.
  CHECK(refused.flags == "qr rd");
}

TEST_CASE("before the world is known cluster names fail, static names do not") {
  cache::ServiceCache cache;
  rcu::RetireList retired;
  records::Publisher publisher(default_options(), cache, retired);
  const auto zone =
      zones::Zone::make(*dns::Name::from_text("example.org"),
                        {*dns::record_from_text(
                             "example.org. 60 IN SOA ns.example.org. admin.example.org. 1 2 3 4 5"),
                         *dns::record_from_text("www.example.org. 60 IN A 192.0.2.1")});
  REQUIRE(zone);
  const zones::ZoneSet zones({std::shared_ptr<const zones::Zone>(zone->get(), [](auto*) {})});
  const server::AnswerPolicy policy;
  server::Views views;
  views.index.store(&publisher.index());
  views.zones.store(&zones);
  views.policy.store(&policy);
  server::Counters counters;
  server::Responder responder(views, counters, 1);
  const auto ask = [&](const char* name) {
    std::vector<std::uint8_t> out(512);
    out.resize(responder.respond(make_query({.name = name, .edns = true}), {}, out).size);
    return response_text(out);
  };
  const auto cluster = ask("web.shop.svc.cluster.local.");
  CHECK(cluster.rcode == "SERVFAIL");
  REQUIRE(cluster.options.size() == 1);
  CHECK(cluster.options[0].starts_with("15 000e"));  // RFC 8914: Not Ready.
  CHECK(ask("1.0.96.10.in-addr.arpa.").rcode == "SERVFAIL");
  CHECK(ask("www.example.org.").answer.size() == 1);
  cache.set_synced();
  CHECK(ask("web.shop.svc.cluster.local.").rcode == "NXDOMAIN");
}

TEST_CASE("cookies are made for every client that sends one, and are good for it alone") {
  server::AnswerPolicy policy;
  policy.cookie_secret.fill(7);
  TestCluster cluster(default_options(), {}, policy);
  const std::vector<std::uint8_t> client_cookie = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto query = make_query({.name = "cluster.local.",
                                 .type = RecordType::SOA,
                                 .edns = true,
                                 .options = option(10, client_cookie)});
  const auto ask = [&](const char* client) {
    const auto message = dns::parse_message(cluster.ask(query, Transport::Udp, client));
    REQUIRE(message);
    REQUIRE(message->edns_options.size() == 28);  // RFC 9018: 8 octets of theirs, 16 of ours.
    return std::vector<std::uint8_t>(message->edns_options.begin() + 12,
                                     message->edns_options.end());
  };
  const auto cookie = ask("192.0.2.1");
  const dns::CookieMaker maker(policy.cookie_secret);
  const auto valid = [&](const char* client, std::uint32_t now) {
    return maker.is_valid(cookie, client_cookie, *IpAddress::from_text(client), now);
  };
  CHECK(valid("192.0.2.1", 1'700'000'100));
  CHECK_FALSE(valid("192.0.2.2", 1'700'000'100));
  CHECK_FALSE(valid("192.0.2.1", 1'700'004'000));
  CHECK(ask("192.0.2.1") == cookie);
  CHECK(ask("2001:db8::1") != cookie);

  policy.cookies = false;
  TestCluster silent(default_options(), {}, policy);
  CHECK(response_text(silent.ask(query)).options.empty());
}

TEST_CASE("a query without a question asks for a cookie alone") {
  const auto query = from_hex(
      "1234 0000 0000 0000 0000 0001 00 0029 04d0 00000000 000c 000a 0008 0102030405060708");
  server::AnswerPolicy policy;
  TestCluster cluster(default_options(), {}, policy);
  const auto answer = response_text(cluster.ask(query));
  CHECK(answer.rcode == "NOERROR");
  CHECK(answer.question.empty());
  CHECK(answer.answer.empty());
  REQUIRE(answer.options.size() == 1);
  CHECK(answer.options[0].starts_with("10 0102030405060708"));
  CHECK(answer.options[0].size() == 3 + 2 * 24);

  policy.cookies = false;
  TestCluster silent(default_options(), {}, policy);
  CHECK(response_text(silent.ask(query)).rcode == "FORMERR");
}

TEST_CASE("NSID is told to who asks, when the operator has set one") {
  const auto query = make_query({.name = "cluster.local.", .edns = true, .options = option(3, {})});
  TestCluster silent;
  CHECK(response_text(silent.ask(query)).options.empty());
  server::AnswerPolicy policy;
  policy.nsid = "node-a";
  TestCluster cluster(default_options(), {}, policy);
  CHECK(response_text(cluster.ask(query)).options == std::vector<std::string>{"3 6e6f64652d61"});
  const auto other = make_query({.name = "cluster.local.", .edns = true});
  CHECK(response_text(cluster.ask(other)).options.empty());
}

TEST_CASE("CHAOS names are refused unless the operator gave them a text") {
  const auto query = [](const char* name) {
    return make_query({.name = name, .type = RecordType::TXT, .record_class = RecordClass::CH});
  };
  server::AnswerPolicy policy;
  policy.chaos_version = "Waypost";
  policy.chaos_id = "replica-1";
  TestCluster cluster(default_options(), {}, policy);
  TestCluster silent;
  for (const auto& [name, text] :
       std::map<const char*, const char*>{{"version.bind.", "Waypost"},
                                          {"VERSION.server.", "Waypost"},
                                          {"id.server.", "replica-1"},
                                          {"hostname.bind.", "replica-1"}}) {
    CAPTURE(name);
    CHECK(response_text(silent.ask(query(name))).rcode == "REFUSED");
    const auto got = response_text(cluster.ask(query(name)));
    REQUIRE(got.answer.size() == 1);
    CHECK(got.answer[0] == std::string(name) + " 0 CH TXT \"" + text + "\"");
  }
  CHECK(response_text(cluster.ask(query("authors.bind."))).rcode == "REFUSED");
}

TEST_CASE("an answer is never larger than asked for, and says so when it is cut") {
  TestCluster cluster;
  put_many(cluster.cache, 400);
  struct Case {
    bool edns;
    std::uint16_t asked;
    std::size_t limit;
  };
  for (const Case& c :
       {Case{false, 0, 512}, Case{true, 0, 512}, Case{true, 512, 512}, Case{true, 513, 513},
        Case{true, 900, 900}, Case{true, 1232, 1232}, Case{true, 65535, 1232}}) {
    for (const RecordType type : {RecordType::A, RecordType::SRV}) {
      CAPTURE(c.asked);
      const auto response = cluster.ask(
          make_query({.name = Many, .type = type, .edns = c.edns, .udp_size = c.asked}));
      CHECK(response.size() <= c.limit);
      CHECK(response.size() > c.limit - 100);  // As many records as fit.
      const auto got = response_text(response);
      CHECK(got.flags == "qr aa tc rd");
      CHECK(got.rcode == "NOERROR");
      CHECK(got.edns == c.edns);
    }
  }
  const auto whole = response_text(cluster.ask(make_query({.name = Many}), Transport::Tcp));
  CHECK(whole.answer.size() == 400);
  CHECK(whole.flags == "qr aa rd");
}

TEST_CASE("glue that does not fit is left out without TC") {
  TestCluster cluster;
  put_many(cluster.cache, 8);  // Eight SRV records fit into 512 octets, their addresses do not.
  const auto got = response_text(cluster.ask(make_query({.name = Many, .type = RecordType::SRV})));
  CHECK(got.flags == "qr aa rd");
  CHECK(got.answer.size() == 8);
  CHECK(got.additional.size() < 8);
}

// True when each of `choices` texts was counted about as often: five standard deviations of a
// binomial, which a fair rotation leaves once in a million runs.
bool is_fair(const std::map<std::string, unsigned>& counts, std::size_t choices, double total,
             double tries) {
  const double share = total / static_cast<double>(choices);
  const double slack = 5 * std::sqrt(tries * (share / tries) * (1 - share / tries));
  return counts.size() == choices &&
         std::all_of(counts.begin(), counts.end(),
                     [&](const auto& count) { return std::abs(count.second - share) < slack; });
}

TEST_CASE("every record is as likely to be first, and to be in a cut answer, as any other") {
  TestCluster cluster;
  constexpr unsigned Endpoints = 50;
  constexpr unsigned Rounds = 20'000;
  put_many(cluster.cache, Endpoints, 100);  // Names of one length: as many fit, whichever they are.
  for (const RecordType type : {RecordType::A, RecordType::SRV}) {
    CAPTURE(dns::to_text(type));
    const auto query = make_query({.name = Many, .type = type});
    std::map<std::string, unsigned> first;
    std::map<std::string, unsigned> seen;
    std::size_t records = 0;
    for (unsigned round = 0; round < Rounds; ++round) {
      const auto message = dns::parse_message(cluster.ask(query));
      REQUIRE(message);
      REQUIRE(message->truncated);
      ++first[dns::to_text(message->answer.front())];
      for (const dns::Record& record : message->answer) {
        ++seen[dns::to_text(record)];
      }
      records += message->answer.size();
    }
    CHECK(is_fair(first, Endpoints, Rounds, Rounds));
    CHECK(is_fair(seen, Endpoints, static_cast<double>(records), Rounds));
  }
}

TEST_CASE("addresses that share a hostname are rotated, whatever other family has it too") {
  TestCluster cluster;
  constexpr unsigned Rounds = 20'000;
  put_many(cluster.cache, 0);
  kube::EndpointSlice slice;
  slice.service_name = "many";
  for (const std::string_view address : {"10.244.0.1", "10.244.0.2", "fd00::1", "fd00::2"}) {
    slice.key = {"shop", "many-" + std::string(address)};
    slice.endpoints.clear();
    slice.add({.address = *IpAddress::from_text(address)}, "one", "");
    cluster.cache.put(slice);
  }
  for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
    CAPTURE(dns::to_text(type));
    const auto query = make_query({.name = std::string("one.") + Many, .type = type});
    std::map<std::string, unsigned> first;
    for (unsigned round = 0; round < Rounds; ++round) {
      const auto message = dns::parse_message(cluster.ask(query));
      REQUIRE(message);
      REQUIRE(message->answer.size() == 2);
      ++first[dns::to_text(message->answer.front())];
    }
    CHECK(is_fair(first, 2, Rounds, Rounds));
  }
}

TEST_CASE("ten CNAMEs are followed; what came before is the answer of a longer chain") {
  TestCluster cluster;
  cluster.cache.put(kube::Namespace{"shop", 1, {}});
  constexpr unsigned Last = 11;
  for (unsigned i = 0; i <= Last; ++i) {
    kube::Service service;
    service.key = {"shop", "c" + std::to_string(i)};
    if (i == Last) {
      service.cluster_ips = {IpAddress::v4(10, 96, 0, 1)};
    } else {
      service.type = kube::ServiceType::ExternalName;
      service.external_name = "c" + std::to_string(i + 1) + ".shop.svc.cluster.local";
    }
    cluster.cache.put(service);
  }
  const auto ask = [&](const char* name) {
    const auto message = dns::parse_message(cluster.ask(make_query({.name = name})));
    REQUIRE(message);
    return message->answer;
  };
  const auto ten = ask("c1.shop.svc.cluster.local.");
  CHECK(ten.size() == 11);
  CHECK(dns::to_text(ten.back()) == "c11.shop.svc.cluster.local. 5 IN A 10.96.0.1");
  const auto eleven = ask("c0.shop.svc.cluster.local.");
  CHECK(eleven.size() == 11);
  CHECK(dns::to_text(eleven.back()) ==
        "c10.shop.svc.cluster.local. 5 IN CNAME c11.shop.svc.cluster.local.");
}

TEST_CASE("CNAMEs lead through static zones and back, each with its own verdict") {
  const auto zone = zones::Zone::make(
      *dns::Name::from_text("example.org"),
      {*dns::record_from_text(
           "example.org. 60 IN SOA ns.example.org. admin.example.org. 1 2 3 4 5"),
       *dns::record_from_text("back.example.org. 60 IN CNAME many.shop.svc.cluster.local."),
       *dns::record_from_text("gone.example.org. 60 IN CNAME nobody.shop.svc.cluster.local."),
       *dns::record_from_text("out.example.org. 60 IN CNAME www.example.com."),
       *dns::record_from_text("www.example.org. 60 IN A 192.0.2.1")});
  REQUIRE(zone);
  TestCluster cluster(default_options(),
                      {std::shared_ptr<const zones::Zone>(zone->get(), [](auto*) {})});
  put_many(cluster.cache, 1);
  kube::Service ext;
  ext.key = {"shop", "ext"};
  ext.type = kube::ServiceType::ExternalName;
  ext.external_name = "www.example.org";
  cluster.cache.put(ext);
  ext.key.name = "missing";
  ext.external_name = "nobody.example.org";
  cluster.cache.put(ext);

  const auto ask = [&](const std::string& name) {
    return response_text(cluster.ask(make_query({.name = name})));
  };
  CHECK(ask("back.example.org.").answer ==
        std::vector<std::string>{"back.example.org. 60 IN CNAME many.shop.svc.cluster.local.",
                                 "many.shop.svc.cluster.local. 5 IN A 10.244.0.0"});
  CHECK(ask("ext.shop.svc.cluster.local.").answer ==
        std::vector<std::string>{"ext.shop.svc.cluster.local. 5 IN CNAME www.example.org.",
                                 "www.example.org. 60 IN A 192.0.2.1"});
  const auto missing = ask("missing.shop.svc.cluster.local.");
  CHECK(missing.rcode == "NXDOMAIN");
  CHECK(missing.authority ==
        std::vector<std::string>{
            "example.org. 5 IN SOA ns.example.org. admin.example.org. 1 2 3 4 5"});
  CHECK(ask("gone.example.org.").rcode == "NXDOMAIN");
  const auto out = ask("out.example.org.");
  CHECK(out.rcode == "NOERROR");
  CHECK(out.answer.size() == 1);
  CHECK(out.authority.empty());
}

TEST_CASE(
    "of two zones the longer owns a name, but an address that the cluster has is the cluster's") {
  const auto make = [](const char* apex, const char* record) {
    const std::string soa = std::string(apex) + " 60 IN SOA ns.invalid. admin.invalid. 1 2 3 4 5";
    return std::shared_ptr<const zones::Zone>(std::move(
        *zones::Zone::make(*dns::Name::from_text(apex),
                           {*dns::record_from_text(soa), *dns::record_from_text(record)})));
  };
  TestCluster cluster(default_options(),
                      {make("10.in-addr.arpa.", "9.9.9.10.in-addr.arpa. 60 IN PTR static.example."),
                       make("my.cluster.local.", "www.my.cluster.local. 60 IN A 192.0.2.9")});
  put_many(cluster.cache, 1);
  const auto ask = [&](const std::string& name, RecordType type) {
    return response_text(cluster.ask(make_query({.name = name, .type = type})));
  };
  CHECK(ask("www.my.cluster.local.", RecordType::A).answer.size() == 1);
  CHECK(ask("0.0.244.10.in-addr.arpa.", RecordType::PTR).answer ==
        std::vector<std::string>{
            "0.0.244.10.in-addr.arpa. 5 IN PTR 10-244-0-0.many.shop.svc.cluster.local."});
  CHECK(ask("9.9.9.10.in-addr.arpa.", RecordType::PTR).answer.size() == 1);
  CHECK(
      ask("8.8.8.10.in-addr.arpa.", RecordType::PTR).authority[0].starts_with("10.in-addr.arpa. "));
}

TEST_CASE("transfers are refused unless the client's address is on the list") {
  server::AnswerPolicy policy;
  policy.transfer_allow = {*IpPrefix::from_text("192.0.2.0/24")};
  TestCluster cluster(default_options(), {}, policy);
  put_many(cluster.cache, 2);
  TestCluster closed;
  const auto axfr = make_query({.name = "cluster.local.", .type = RecordType::AXFR});
  const auto rcode = [](TestCluster& of, Bytes query, Transport transport, const char* client) {
    const auto response = of.ask(query, transport, client);
    return response.empty() ? std::string("transfer") : response_text(response).rcode;
  };
  CHECK(rcode(closed, axfr, Transport::Tcp, "192.0.2.1") == "REFUSED");
  CHECK(rcode(cluster, axfr, Transport::Tcp, "198.51.100.1") == "REFUSED");
  CHECK(rcode(cluster, axfr, Transport::Udp, "192.0.2.1") == "REFUSED");
  CHECK(rcode(cluster, axfr, Transport::Tcp, "192.0.2.1") == "transfer");
  const auto elsewhere = make_query({.name = "shop.svc.cluster.local.", .type = RecordType::AXFR});
  CHECK(rcode(cluster, elsewhere, Transport::Tcp, "192.0.2.1") == "NOTAUTH");
  const auto reverse = make_query({.name = "in-addr.arpa.", .type = RecordType::AXFR});
  CHECK(rcode(cluster, reverse, Transport::Tcp, "192.0.2.1") == "NOTAUTH");
  // IXFR over UDP: the SOA, for the client to compare (RFC 1995, 2).
  const auto ixfr = make_query({.name = "cluster.local.", .type = RecordType::IXFR});
  const auto soa = response_text(cluster.ask(ixfr, Transport::Udp, "192.0.2.1"));
  REQUIRE(soa.answer.size() == 1);
  CHECK(soa.answer[0].find(" IN SOA ") != std::string::npos);
}

TEST_CASE("a transfer is the whole zone between two equal SOAs, in messages that TCP can carry") {
  TestCluster cluster;
  put_many(cluster.cache, 1500);
  const auto query = make_query({.name = "cluster.local.", .type = RecordType::AXFR});
  const auto messages = server::make_transfer(query, cluster.publisher(), cluster.zones());
  CHECK(messages.size() > 1);
  std::vector<std::string> lines;
  for (const auto& message : messages) {
    CHECK(message.size() <= dns::MaxMessageSize);
    const auto parsed = dns::parse_message(message);
    REQUIRE(parsed);
    CHECK(parsed->id == 0x1234);
    CHECK(parsed->authoritative);
    for (const dns::Record& record : parsed->answer) {
      lines.push_back(dns::to_text(record));
    }
  }
  CHECK(lines.front() == lines.back());
  CHECK(lines.front().find(" SOA ") != std::string::npos);
  const auto addresses = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("many.shop.svc.cluster.local. 5 IN A ");
  });
  CHECK(addresses == 1500);

  const auto other = make_query({.name = "example.org.", .type = RecordType::AXFR});
  CHECK(server::make_transfer(other, cluster.publisher(), cluster.zones()).empty());
}

TEST_CASE("an IXFR from the zone's own serial, or a newer one, is answered with its SOA alone") {
  TestCluster cluster;
  put_many(cluster.cache, 3);
  cluster.cache.advance_resource_version(77);
  const auto ixfr = [](std::uint32_t serial) {
    auto query = make_query({.name = "cluster.local.", .type = RecordType::IXFR});
    query[9] = 1;  // One authority record: the client's SOA (RFC 1995, 3).
    const auto soa = dns::record_from_text(
        "cluster.local. 0 IN SOA ns.dns.cluster.local. "
        "hostmaster.cluster.local. " +
        std::to_string(serial) + " 0 0 0 0");
    const Bytes owner = soa->owner.wire();
    query.insert(query.end(), owner.begin(), owner.end());
    for (const unsigned octet : {0U, 6U, 0U, 1U, 0U, 0U, 0U, 0U}) {
      query.push_back(static_cast<std::uint8_t>(octet));
    }
    query.push_back(static_cast<std::uint8_t>(soa->rdata.size() >> 8));
    query.push_back(static_cast<std::uint8_t>(soa->rdata.size()));
    query.insert(query.end(), soa->rdata.begin(), soa->rdata.end());
    return query;
  };
  const auto records = [&](std::uint32_t serial) {
    std::size_t count = 0;
    for (const auto& message :
         server::make_transfer(ixfr(serial), cluster.publisher(), cluster.zones())) {
      count += dns::parse_message(message)->answer.size();
    }
    return count;
  };
  CHECK(records(77) == 1);
  CHECK(records(78) == 1);
  CHECK(records(77U + 0x7fffffffU) == 1);
  CHECK(records(77U + 0x80000000U) > 5);  // Neither is newer (RFC 1982, 3.2).
  CHECK(records(76) > 5);
}

TEST_CASE("counters tell queries, verdicts, cuts and silence apart") {
  TestCluster cluster;
  put_many(cluster.cache, 100);
  cluster.ask(make_query({.name = Many}));
  cluster.ask(make_query({.name = Many}), Transport::Tcp);
  cluster.ask(make_query({.name = "nobody.shop.svc.cluster.local."}));
  cluster.ask(make_query({.name = "example.org."}));
  cluster.ask(from_hex("00"));
  const auto& counters = cluster.counters;
  CHECK(counters.udp_queries() == 4);
  CHECK(counters.tcp_queries() == 1);
  CHECK(counters.rcodes[0].value() == 2);
  CHECK(counters.rcodes[3].value() == 1);
  CHECK(counters.rcodes[5].value() == 1);
  CHECK(counters.truncated.value() == 1);
  CHECK(counters.dropped.value() == 1);
}

TEST_CASE("an rcode that has no name is counted as another one, and not as BADCOOKIE") {
  TestCluster cluster;
  const resolver::AnswerCache nothing(0);
  cluster.set_answers(&nothing);
  server::Counters counters;
  server::Responder responder(cluster.views(), counters, 1);
  const auto request = make_query({.name = "www.example.org."});
  const server::Client client{.address = IpAddress::v4(127, 0, 0, 1)};
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  REQUIRE(responder.respond(request, client, out).resolve);
  const resolver::Question question = responder.elsewhere();
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): any 12 bits are an rcode.
  const resolver::Resolution failed{.question = question, .rcode = dns::Rcode{3841}};
  responder.resume(request, client, &failed, nullptr, out);
  CHECK(counters.rcodes[dns::OtherRcodes].value() == 1);
  CHECK(counters.rcodes[dns::rcode_place(dns::Rcode::BadCookie)].value() == 0);
}

TEST_CASE("stale answers of the cluster say so, other zones are never stale") {
  const auto zone =
      zones::Zone::make(*dns::Name::from_text("example.org"),
                        {*dns::record_from_text(
                             "example.org. 60 IN SOA ns.example.org. admin.example.org. 1 2 3 4 5"),
                         *dns::record_from_text("www.example.org. 60 IN A 192.0.2.1")});
  REQUIRE(zone);
  TestCluster cluster(default_options(),
                      {std::shared_ptr<const zones::Zone>(zone->get(), [](auto*) {})});
  put_many(cluster.cache, 1);
  const auto options = [&](const char* name) {
    return response_text(cluster.ask(make_query({.name = name, .edns = true}))).options;
  };
  // Code 15 is an extended error, 3 a stale answer (RFC 8914).
  const auto is_marked = [&](const char* name) {
    const auto found = options(name);
    return std::any_of(found.begin(), found.end(),
                       [](const std::string& text) { return text.starts_with("15 0003"); });
  };
  constexpr const char* Missing = "none.shop.svc.cluster.local.";
  CHECK_FALSE(is_marked(Many));
  CHECK_FALSE(is_marked(Missing));
  cluster.set_stale(true);
  CHECK(is_marked(Many));
  CHECK(is_marked(Missing));
  CHECK(response_text(cluster.ask(make_query({.name = Missing}))).rcode == "NXDOMAIN");
  CHECK_FALSE(is_marked("www.example.org."));
  cluster.set_stale(false);
  CHECK_FALSE(is_marked(Many));
}

TEST_CASE("requests that are read together are answered as they are alone") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  TestCluster cluster;
  load_world(cluster.cache, *world);
  std::vector<std::vector<std::uint8_t>> requests = {{}, {1, 2, 3}, std::vector<std::uint8_t>(12)};
  for (const SchemaTable& table : schema_tables()) {
    for (const SchemaCase& c : table.cases) {
      std::string name = c.asks.substr(0, c.asks.find(' '));
      if (const std::size_t at = name.find('~'); at != std::string::npos) {
        name.replace(at, 1, "cluster.local.");
      }
      for (const RecordType type : {RecordType::A, RecordType::SRV, RecordType::PTR}) {
        requests.push_back(make_query({.name = name, .type = type, .edns = type == RecordType::A}));
      }
    }
  }
  REQUIRE(requests.size() > 300);

  constexpr std::uint64_t Seed = 3;
  server::Counters counters;
  server::Responder alone(cluster.views(), counters, Seed);
  server::Responder together(cluster.views(), counters, Seed);
  const server::Client client{.address = IpAddress::v4(127, 0, 0, 1)};
  std::vector<std::uint8_t> expected(dns::MaxMessageSize);
  std::vector<std::uint8_t> got(dns::MaxMessageSize);
  std::size_t group_size = 0;
  for (std::size_t first = 0; first < requests.size(); first += group_size) {
    group_size = std::min(group_size % server::Responder::MaxRequests + 1, requests.size() - first);
    const std::vector<Bytes> group(
        requests.begin() + static_cast<std::ptrdiff_t>(first),
        requests.begin() + static_cast<std::ptrdiff_t>(first + group_size));
    together.read(group);
    for (std::size_t i = 0; i < group_size; ++i) {
      INFO("request ", first + i, ", ", i, " of ", group_size);
      const server::Reply one = alone.respond(group[i], client, expected);
      const server::Reply other = together.answer(i, client, got);
      REQUIRE(other.size == one.size);
      REQUIRE(std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(other.size),
                         expected.begin()));
    }
  }
}

}  // namespace waypost::test
