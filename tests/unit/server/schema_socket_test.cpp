// The schema's tables once more, through real sockets.

#include "base/file.h"
#include "server/server.h"
#include "support/cluster.h"
#include "support/schema_cases.h"
#include "unit/server/test_client.h"

#include <doctest/doctest.h>

namespace waypost::test {

TEST_CASE("the schema is answered row by row over UDP and TCP") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  for (const SchemaTable& table : schema_tables()) {
    SUBCASE(table.title.c_str()) {
      TestCluster cluster(table.options);
      load_world(cluster.cache, *world);
      server::Options options;
      options.listen = {{IpAddress::v4(127, 0, 0, 1), 0}};
      const auto server = server::Server::start(options, cluster.views(), {});
      REQUIRE(server);
      const SocketAddress address = (*server)->addresses().front();
      UdpClient udp(address);
      check_schema(table, [&](Bytes request) {
        udp.send(request);
        return udp.receive().value_or(std::vector<std::uint8_t>());
      });
      TcpClient tcp(address);
      check_schema(table, [&](Bytes request) {
        tcp.send(framed(request));
        return tcp.receive().value_or(std::vector<std::uint8_t>());
      });
    }
  }
}

}  // namespace waypost::test
