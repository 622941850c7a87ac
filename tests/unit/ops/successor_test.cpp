#include "ops/successor.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::ops {
namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a successor has the arguments of this process, and --takeover once") {
  using namespace std::string_view_literals;
  CHECK(arguments_of("/a b\0--config\0c\0"sv) == Texts{"/a b", "--config", "c"});
  CHECK(arguments_of("a\0\0b\0"sv) == Texts{"a", "", "b"});
  CHECK(arguments_of("a\0b"sv) == Texts{"a", "b"});
  CHECK(arguments_of("").empty());
  CHECK(successor_arguments({"a", "--quiet"}) == Texts{"a", "--quiet", "--takeover"});
  CHECK(successor_arguments({"a", "--takeover", "--quiet"}) == Texts{"a", "--takeover", "--quiet"});
}

}  // namespace waypost::ops
