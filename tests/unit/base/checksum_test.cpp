#include "base/checksum.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost {

TEST_CASE("the checksum is XXH3-64, however the octets are cut") {
  // As `xxhsum -H3` prints it.
  CHECK(Checksum().value() == 0x2d06800538d394c2);
  const std::string text(1000, 'a');
  Checksum whole;
  whole.add(as_bytes(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Checksum pieces;
    pieces.add(as_bytes(text).first(cut));
    pieces.add(as_bytes(text).subspan(cut));
    REQUIRE(pieces.value() == whole.value());
  }
}

}  // namespace waypost
