#include "support/schema_cases.h"

#include "base/file.h"
#include "support/cluster.h"

#include <doctest/doctest.h>

namespace waypost::test {

TEST_CASE("the schema is answered row by row") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  for (const SchemaTable& table : schema_tables()) {
    SUBCASE(table.title.c_str()) {
      TestCluster cluster(table.options);
      load_world(cluster.cache, *world);
      check_schema(table, [&](Bytes request) { return cluster.ask(request); });
    }
  }
}

TEST_CASE("the order in which objects arrive does not matter") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  for (const SchemaTable& table : schema_tables()) {
    SUBCASE(table.title.c_str()) {
      // The other way around: what depends comes before what it depends on.
      TestCluster cluster(table.options);
      cache::ServiceCache other;
      load_world(other, *world);
      other.for_each_pod([&](const kube::Pod& pod) { cluster.cache.put(pod); });
      other.for_each_service([&](const auto&, const cache::ServiceState& state) {
        for (const auto& slice : state.slices) {
          cluster.cache.put(*slice);
        }
      });
      other.for_each_service([&](const auto&, const cache::ServiceState& state) {
        if (state.service != nullptr) {
          cluster.cache.put(*state.service);
        }
      });
      other.for_each_namespace([&](const kube::Namespace& one) { cluster.cache.put(one); });
      check_schema(table, [&](Bytes request) { return cluster.ask(request); });
    }
  }
}

}  // namespace waypost::test
