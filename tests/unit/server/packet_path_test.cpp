// A program of its own, because it replaces the program's allocator to count its calls.

#include "base/file.h"
#include "support/allocation_counter.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "support/schema_cases.h"

#include <doctest/doctest.h>

#include <ctime>
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
          const server::Reply reply = responder.respond(query, {IpAddress::v4(127, 0, 0, 1)}, out);
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
  views.index = cluster.views().index.load();
  views.zones = cluster.views().zones.load();
  views.policy = cluster.views().policy.load();
  views.answers = &cache;
  server::Counters counters;
  server::Responder responder(views, counters, 3);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);

  const auto query = make_query({.name = "www.example.com.", .edns = true});
  const auto respond = [&] {
    const std::size_t before = count_allocations();
    const server::Reply reply = responder.respond(query, {IpAddress::v4(127, 0, 0, 1)}, out);
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
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  cache.store(responder.elsewhere(), packet, *response, static_cast<std::uint32_t>(now.tv_sec));
  const server::Reply reply = respond();
  CHECK(reply.is_from_cache);
  CHECK(reply.size > packet.size());  // With OPT.
  CHECK(counters.cache_hits.value() == 1);
  CHECK(counters.cache_misses.value() == 1);
}

}  // namespace waypost::test
