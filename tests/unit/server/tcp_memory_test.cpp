// What a connection that is idle costs in memory of this process, in octets of malloc.  A program
// of its own, built without sanitizers, whose allocators count differently.

#include "unit/server/inline_worker.h"
#include "unit/server/test_client.h"
#include "unit/server/test_server.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <cstddef>
#include <list>

namespace waypost::test {
namespace {

constexpr std::size_t Connections = 400;  // Both ends stay below the usual limit of descriptors.
// docs/configuration.md says so at maxTcpConnections.
constexpr std::size_t MostForEach = 2560;

std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

TEST_CASE("an idle connection costs at most two and a half KiB, whatever it has asked before") {
  struct Case {
    std::uint64_t queries;  // Pipelined on each connection.
    std::size_t connections;
  };
  // More than one turn answers; and answers for more than a socket takes while nobody reads.
  for (const auto& [queries, count] : {Case{100, Connections}, Case{60000, 8}}) {
    INFO(queries, " queries on each connection");
    InlineWorker worker;
    std::list<TcpClient> clients;
    Message octets;
    for (std::uint64_t i = 0; i < queries; ++i) {
      const Message one = framed(query(1, "none.cluster.local."));
      octets.insert(octets.end(), one.begin(), one.end());
    }
    const auto connect = [&](std::size_t more) {
      for (std::size_t i = 0; i < more; ++i) {
        TcpClient& client = clients.emplace_back(worker.tcp_address(), 4096);
        const std::uint64_t all = worker.counters().tcp_queries() + queries;
        std::size_t sent = 0;
        bool reads = false;
        for (int round = 0; round < 100000; ++round) {
          sent += sent < octets.size() ? client.try_send(Bytes(octets).subspan(sent)) : 0;
          const bool worked = worker.try_step();
          const bool got = reads && client.try_receive_some(65536).has_value();
          reads = reads || !worked;  // From when on it is stuck, or done.
          if (!worked && !got && worker.counters().tcp_queries() == all) {
            break;
          }
        }
        REQUIRE(worker.counters().tcp_queries() == all);
      }
    };
    connect(2);  // What is allocated once.
    const std::size_t before = allocated();
    connect(count);
    const std::size_t each = (allocated() - before) / count;
    MESSAGE(each << " octets for a connection");
    CHECK(each > 100);  // The count works.
    CHECK(each <= MostForEach);
  }
}

}  // namespace waypost::test
