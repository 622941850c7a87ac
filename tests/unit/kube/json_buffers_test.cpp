// A program of its own, because it replaces the program's allocator to count its calls.

#include "kube/json_decoder.h"
#include "kube/json_tree.h"
#include "kube/list_reader.h"

#include "support/allocation_counter.h"
#include "support/api_recording.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {
namespace {

using test::count_allocations;

// The elements of a recorded list, with every string escaped that may be.
std::vector<std::string> recorded_items(std::string_view name) {
  std::vector<std::string> items;
  ListReader reader([&](std::string_view item) {
    items.emplace_back(item);
    for (std::size_t at = 0; (at = items.back().find("\"App", at)) != std::string::npos; ++at) {
      items.back().replace(at, 2, "\"\\u0041");
    }
  });
  const std::string body = test::read_recording(name).body;
  REQUIRE(reader.feed(body));
  return items;
}

}  // namespace

TEST_CASE("a tree that was as large before is filled without an allocation") {
  for (const std::string name : {"list-services", "list-endpointslices", "list-pods"}) {
    CAPTURE(name);
    const auto items = recorded_items(name);
    REQUIRE(items.size() > 5);
    JsonTreeReader reader;
    Tree tree;
    std::size_t in_first_round = 0;
    for (int round = 0; round < 2; ++round) {
      for (const std::string& item : items) {
        const std::size_t before = count_allocations();
        const auto read = reader.read(item, JsonScope::Object, tree);
        const std::size_t during = count_allocations() - before;
        REQUIRE(read);
        REQUIRE((round == 0 || during == 0));
        in_first_round += during;
      }
    }
    CHECK(in_first_round > 0);
  }
}

TEST_CASE("telling which object it is allocates nothing but long names") {
  const auto items = recorded_items("list-endpointslices");
  JsonDecoder decoder(ObjectKind::EndpointSlice);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& item : items) {
      const std::size_t before = count_allocations();
      const auto version = decoder.decode_version(item);
      const std::size_t during = count_allocations() - before;
      REQUIRE(version);
      // The small string of the standard library holds 15 octets; a name is copied once into the
      // version and once on its way out.
      REQUIRE((round == 0 || during <= (version->key.name.size() > 15 ? 2U : 0U)));
    }
  }
}

}  // namespace waypost::kube
