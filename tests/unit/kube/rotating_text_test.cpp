#include "kube/rotating_text.h"

#include "support/temporary_folder.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>

namespace waypost::kube {

TEST_CASE("a file that is written again is read again, also with its size and time of before") {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.write("token", "first");
  const auto long_ago = std::filesystem::last_write_time(file) - std::chrono::hours(1);
  std::filesystem::last_write_time(file, long_ago);
  RotatingText text({.file = file});
  REQUIRE(text.refresh());
  CHECK(text.text() == "first");
  folder.write("token", "other");
  std::filesystem::last_write_time(file, long_ago);
  REQUIRE(text.refresh());
  CHECK(text.text() == "other");
}

TEST_CASE("what a file that cannot be read held before stays, and the reason names the file") {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.write("token", "first");
  RotatingText text({.file = file});
  REQUIRE(text.refresh());
  SUBCASE("gone") {
    std::filesystem::remove(file);
    const auto refreshed = text.refresh();
    REQUIRE_FALSE(refreshed);
    CHECK(refreshed.error().message == file.string() + ": No such file or directory");
  }
  SUBCASE("too large") {
    folder.write("token", std::string(RotatingText::MaxSize + 1, 'x'));
    const auto refreshed = text.refresh();
    REQUIRE_FALSE(refreshed);
    CHECK(refreshed.error().message == file.string() + ": larger than 1024 KiB");
  }
  CHECK(text.text() == "first");
}

}  // namespace waypost::kube
