// A program of its own, because it replaces the program's allocator to count its calls.

#include "base/file.h"
#include "search/pod_directory.h"
#include "server/query_log.h"
#include "support/allocation_counter.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "support/schema_cases.h"

#include <doctest/doctest.h>

#include <memory>
#include <new>
#include <string>
#include <vector>

namespace waypost::test {

TEST_CASE("no answer to any question of the schema allocates") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  TestCluster cluster;
  load_world(cluster.cache, *world);
  server::Counters counters;
  server::Responder responder(cluster.views(), counters, 3);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  std::size_t questions = 0;
  for (const SchemaTable& table : schema_tables()) {
    for (const SchemaCase& c : table.cases) {
      std::string name = c.asks.substr(0, c.asks.find(' '));
      if (const std::size_t at = name.find('~'); at != std::string::npos) {
        name.replace(at, 1, "cluster.local.");
      }
      for (const dns::RecordType type :
           {dns::RecordType::A, dns::RecordType::AAAA, dns::RecordType::SRV, dns::RecordType::PTR,
            dns::RecordType::ANY, dns::RecordType::SOA}) {
        for (const bool edns : {false, true}) {
          const auto query = make_query({.name = name, .type = type, .edns = edns});
          const std::size_t before = count_allocations();
          const server::Reply reply =
              responder.respond(query, {.address = IpAddress::v4(127, 0, 0, 1)}, out);
          const std::size_t during = count_allocations() - before;
          CAPTURE(name);
          REQUIRE(reply.size > 0);
          REQUIRE(during == 0);
          ++questions;
        }
      }
    }
  }
  CHECK(questions > 1000);
  // The count itself works.
  const std::size_t before = count_allocations();
  ::operator delete(::operator new(100));
  CHECK(count_allocations() == before + 1);
}

TEST_CASE("an answer from the cache does not allocate, nor does a query that has to be resolved") {
  TestCluster cluster;
  resolver::AnswerCache cache(1 << 20);
  server::Views views;
  cluster.lend(views);
  views.answers = &cache;
  server::Counters counters;
  server::Responder responder(views, counters, 3);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);

  const auto query = make_query({.name = "www.example.com.", .edns = true});
  std::uint32_t uptime = 1000;
  const auto respond = [&] {
    const std::size_t before = count_allocations();
    const server::Client client{.address = IpAddress::v4(127, 0, 0, 1), .time = {.uptime = uptime}};
    const server::Reply reply = responder.respond(query, client, out);
    CHECK(count_allocations() == before);
    return reply;
  };
  CHECK(respond().resolve);

  auto packet = make_query({.name = "www.example.com."});
  packet[2] |= 0x80;
  packet[7] = 1;
  const std::vector<std::uint8_t> record = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
  packet.insert(packet.end(), record.begin(), record.end());
  const auto response = std::make_unique<dns::Response>();
  REQUIRE(dns::read_response(packet, *response));
  cache.store(responder.elsewhere(), packet, *response, uptime);
  uptime += 17;
  const server::Reply reply = respond();
  CHECK(reply.is_from_cache);
  CHECK(reply.size > packet.size());                                           // With OPT.
  CHECK(load_u32(out.data() + packet.size() - record.size() + 6) == 60 - 17);  // The TTL.
  CHECK(counters.cache_hits() == 1);
  CHECK(counters.cache_misses.value() == 1);
}

TEST_CASE(
    "a query that is told to the log allocates nothing, nor does one that has no room there") {
  TestCluster cluster;
  server::QueryLog log({.rules = {{.zone = std::string(1, '\0'), .classes = 7}}}, 1, 1);
  server::Views views;
  cluster.lend(views);
  views.query_log = &log;
  server::Counters counters;
  server::Responder responder(views, counters, 3);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  const auto query = make_query({.name = "no.svc.cluster.local."});
  const std::size_t before = count_allocations();
  for (int i = 0; i < 100'000; ++i) {
    responder.respond(query, {.address = IpAddress::v4(127, 0, 0, 1)}, out);
  }
  CHECK(count_allocations() == before);
  std::size_t records = 0;
  log.drain([&](const server::LoggedQuery&) { ++records; });
  CHECK(records == 200);
  CHECK(log.missed() != 0);
}

TEST_CASE("no rule of an operator makes an answer allocate") {
  policy::Options options{.limit = {.rate = 1000, .burst = 2000}};
  for (const char* text : {"block type TXT net 10.0.0.0/8", "filter type AAAA zone cluster.local",
                           "drop zone silent.example", "allow"}) {
    options.access.push_back(*policy::AccessRule::from_text(text));
  }
  for (const char* text :
       {"continue substring zz z answer auto", "suffix .corp.example .cluster.local answer auto",
        R"(regex ^r(\d+)\.example\.$ dns-version.cluster.local answer value (.*)\.local\.$ {1}.x)",
        R"(regex ^((([a-z0-9]+)+)*)xx\.$ x)"}) {
    options.rewrites.push_back(*policy::RewriteRule::from_text(text));
  }
  for (
      const char* text :
      {R"(A zone ip.example match ^ip-(\d+) answer "{{ .Name }} 60 IN A 10.0.0.{{ index .Match 1 }}")",
       "MX zone ip.example answer '{{ .Name }} 60 IN MX 1 {{ .Zone }}'",
       "AAAA zone ip.example answer '{{ .Name }} 60 IN CNAME web.shop.svc.cluster.local'"}) {
    options.templates.push_back(*policy::TemplateRule::from_text(text));
  }
  policy::HostLines lines;
  lines.read("10.0.0.1 db.example a.corp.example\nfd00::1 db.example\n", "hosts");
  const auto hosts = std::make_shared<const policy::Hosts>(
      lines, policy::HostOptions{.zones = {*dns::Name::from_text("hosts.example.")}});
  const auto rules = policy::Policy::make(options, hosts, nullptr, 1, 1);
  TestCluster cluster;
  server::Views views;
  cluster.lend(views);
  views.rules = rules.get();
  server::Counters counters;
  server::Responder responder(views, counters, 3);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  for (const char* name :
       {"cluster.local.", "dns-version.cluster.local.", "x.silent.example.",
        "dns-version.corp.example.", "r1.example.", "azzb.corp.example.",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b.", "ip-1.ip.example.",
        "ip-999.ip.example.", "db.example.", "x.hosts.example.", "1.0.0.10.in-addr.arpa."}) {
    for (const dns::RecordType type :
         {dns::RecordType::A, dns::RecordType::AAAA, dns::RecordType::TXT, dns::RecordType::MX,
          dns::RecordType::PTR, dns::RecordType::SOA}) {
      const auto query = make_query({.name = name, .type = type, .edns = true});
      for (std::uint8_t client = 0; client < 100; ++client) {
        const std::size_t before = count_allocations();
        responder.respond(query, {.address = IpAddress::v4(10, 0, 0, client)}, out);
        CHECK(count_allocations() == before);
      }
    }
  }
  CHECK(counters.access_blocked.value() != 0);
  CHECK(counters.access_filtered.value() != 0);
  CHECK(counters.access_dropped.value() != 0);
  CHECK(counters.access_allowed.value() != 0);
  CHECK(counters.rewrites.value() != 0);
  CHECK(counters.rewrite_failures.value() != 0);
  CHECK(counters.hosts_answers.value() != 0);
  CHECK(counters.template_answers.value() != 0);
  CHECK(counters.template_failures.value() != 0);
}

TEST_CASE("completing a name does not allocate, found here, in the cache, or not yet") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  TestCluster cluster;
  load_world(cluster.cache, *world);
  cluster.cache.put(kube::Pod{.key = {"shop", "asks"},
                              .ips = {IpAddress::v4(10, 244, 9, 9)},
                              .phase = kube::PodPhase::Running,
                              .search = kube::PodSearch()});
  rcu::RetireList retired;
  const search::PodDirectory pods(
      cluster.cache, {*dns::Name::from_text("cluster.local"), {"host.example"}}, retired);
  resolver::AnswerCache cache(1 << 20);
  const auto keep = [&](const std::string& name, bool exists) {
    resolver::Question question{.type = dns::RecordType::A};
    question.name.assign(dns::Name::from_text(name)->wire());
    auto packet = make_query({.name = name});
    packet[2] |= 0x80;
    packet[3] = exists ? 0 : 3;
    packet[exists ? 7 : 9] = 1;
    // An address, or the root's SOA.
    std::vector<std::uint8_t> record = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    if (!exists) {
      record = {0, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0};
      record.resize(record.size() + 20, 0);
      record.back() = 60;
    }
    packet.insert(packet.end(), record.begin(), record.end());
    auto response = std::make_unique<dns::Response>();
    REQUIRE(dns::read_response(packet, *response));
    REQUIRE(cache.store(question, packet, *response, 0));
  };
  keep("www.example.org.host.example.", false);
  keep("www.example.org.", true);
  server::Views views;
  cluster.lend(views);
  views.answers = &cache;
  views.pods = &pods;
  server::Counters counters;
  server::Responder responder(views, counters, 3);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  std::size_t resolves = 0;
  for (const char* name :
       {"web.shop.shop.svc.cluster.local.", "web.shop.svc.shop.svc.cluster.local.",
        "www.example.org.shop.svc.cluster.local.", "nobody.shop.svc.cluster.local.",
        "nobody.other.svc.cluster.local."}) {
    for (const auto& address : {IpAddress::v4(10, 244, 9, 9), IpAddress::v4(10, 244, 9, 8)}) {
      const auto query = make_query({.name = name, .edns = true});
      const std::size_t before = count_allocations();
      const server::Reply reply = responder.respond(query, {.address = address}, out);
      CHECK(count_allocations() == before);
      resolves += reply.resolve ? 1 : 0;
    }
  }
  CHECK(counters.searches[std::to_underlying(server::SearchOutcome::InCluster)].value() == 2);
  CHECK(counters.searches[std::to_underlying(server::SearchOutcome::AsGiven)].value() == 1);
  CHECK(counters.searches[std::to_underlying(server::SearchOutcome::UnknownAddress)].value() == 5);
  CHECK(resolves == 1);
}

TEST_CASE("no kind of request allocates, read alone or with others") {
  TestCluster cluster;
  cluster.cache.put(kube::Namespace{"shop", 1, {}});
  kube::Service service;
  service.key = {"shop", "many"};
  service.headless = true;
  cluster.cache.put(service);
  kube::EndpointSlice slice;
  slice.key = {"shop", "many-a"};
  slice.service_name = "many";
  slice.ports = {{"http", kube::Protocol::Tcp, 80}};
  for (std::uint8_t i = 1; i < 200; ++i) {
    slice.add({.address = IpAddress::v4(10, 244, 0, i)}, "", "");
  }
  cluster.cache.put(slice);
  server::AnswerPolicy policy;
  policy.nsid = "here";
  policy.chaos_version = "version";
  server::Views views;
  views.index.store(cluster.views().index.load());
  views.zones.store(cluster.views().zones.load());
  views.policy.store(&policy);
  views.is_stale.store(true);

  const std::string many = "many.shop.svc.cluster.local.";
  const std::vector<std::uint8_t> cookie_and_nsid = {0, 10, 0, 8, 1, 2, 3, 4,
                                                     5, 6,  7, 8, 0, 3, 0, 0};
  std::vector<std::vector<std::uint8_t>> requests = {
      make_query({.name = many}),
      make_query({.name = many, .type = dns::RecordType::SRV}),
      make_query({.name = many, .edns = true, .options = cookie_and_nsid}),
      make_query({.name = "_http._tcp." + many, .type = dns::RecordType::SRV, .edns = true}),
      make_query({.name = "10-244-0-7." + many}),
      make_query({.name = "10-244-1-7." + many, .edns = true, .options = cookie_and_nsid}),
      make_query({.name = "api.example.com.shop.svc.cluster.local."}),
      make_query({.name = "www.example.org.", .edns = true}),
      make_query({.name = "cluster.local.", .type = dns::RecordType::AXFR}),
      make_query({.name = "cluster.local.", .type = dns::RecordType::IXFR}),
      make_query({.name = "version.bind.",
                  .type = dns::RecordType::TXT,
                  .record_class = dns::RecordClass::CH}),
      make_query({.name = many, .edns = true, .edns_version = 1}),
      std::vector<std::uint8_t>(12),
      {1, 2, 3},
  };
  REQUIRE(requests.size() <= server::Responder::MaxRequests);
  const std::vector<Bytes> group(requests.begin(), requests.end());
  server::Counters counters;
  server::Responder responder(views, counters, 3);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  for (const server::Transport transport : {server::Transport::Udp, server::Transport::Tcp}) {
    const server::Client client{IpAddress::v4(127, 0, 0, 1), transport, {.unix_seconds = 1}};
    const std::size_t before = count_allocations();
    responder.read(group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      responder.answer(i, client, out);
      responder.respond(group[i], client, out);
    }
    CHECK(count_allocations() - before == 0);
  }
  CHECK(counters.truncated.value() >= 4);
  CHECK(counters.rcodes[3].value() >= 8);
  CHECK(counters.dropped.value() == 4);
}

}  // namespace waypost::test
