// A program of its own, because it replaces the program's allocator to count its calls.

#include "base/file.h"
#include "support/allocation_counter.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "support/schema_cases.h"

#include <doctest/doctest.h>

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

}  // namespace waypost::test
