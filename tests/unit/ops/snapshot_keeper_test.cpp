#include "ops/snapshot_keeper.h"

#include "support/caught_log.h"
#include "support/temporary_folder.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <thread>

namespace waypost::ops {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

kube::Service service(const std::string& name) {
  return {.key = {"shop", name}, .ports = {{.name = "http", .port = 80}}};
}

// A synced world of some hundred Services, and its keeper.
struct Fixture {
  explicit Fixture(fs::path file, milliseconds interval = milliseconds(30))
      : options{.file = std::move(file),
                .identity = "test",
                .settle = milliseconds(5),
                .interval = interval} {
    for (int i = 0; i < 400; ++i) {
      cache.put(service("web-" + std::to_string(i)));
    }
    keeper.emplace(context, cache, options);
  }

  // Runs the control thread until `condition` holds.
  bool run_until(const std::function<bool()>& condition, milliseconds limit = milliseconds(5000)) {
    const auto end = steady_clock::now() + limit;
    while (!condition() && steady_clock::now() < end) {
      context.restart();
      context.run_one_for(milliseconds(1));
    }
    return condition();
  }
  void run_for(milliseconds duration) {
    run_until([] { return false; }, duration);
  }
  bool run_until_saved(std::uint64_t saves) {
    return run_until([&] { return keeper->status().saves >= saves; });
  }

  // The Services in the file; 0 when it is refused.
  std::size_t saved_services() const {
    cache::ServiceCache loaded;
    const auto result = cache::load_snapshot(options.file, options.identity, loaded);
    return result ? result->counts.services : 0;
  }

  boost::asio::io_context context{1};
  cache::ServiceCache cache;
  SnapshotOptions options;
  std::optional<SnapshotKeeper> keeper;
};

}  // namespace

TEST_CASE("the world is saved once it is complete, and not before") {
  const test::TemporaryFolder folder;
  Fixture fixture(folder.path() / "world");
  fixture.cache.put(service("another"));
  fixture.run_for(milliseconds(20));
  CHECK(fs::is_empty(folder.path()));

  fixture.cache.set_synced();
  REQUIRE(fixture.run_until_saved(1));
  CHECK(fixture.saved_services() == 401);
  const SnapshotStatus& status = fixture.keeper->status();
  CHECK(status.bytes == fs::file_size(fixture.options.file));
  REQUIRE(status.created);
  CHECK(std::chrono::system_clock::now() - *status.created < std::chrono::seconds(10));
  CHECK(status.failures == 0);
}

TEST_CASE("it is saved again for a change, not sooner than the interval, and not without") {
  const test::TemporaryFolder folder;
  Fixture fixture(folder.path() / "world", milliseconds(60));
  fixture.cache.set_synced();
  REQUIRE(fixture.run_until_saved(1));
  fixture.run_for(milliseconds(100));
  CHECK(fixture.keeper->status().saves == 1);
  fixture.cache.advance_resource_version(100);  // Not a change that anyone could see.
  fixture.run_for(milliseconds(100));
  CHECK(fixture.keeper->status().saves == 1);

  fixture.cache.put(kube::Namespace{"shop", 0, {}});
  REQUIRE(fixture.run_until_saved(2));
  fixture.cache.put(kube::Pod{.key = {"shop", "web-0"}});
  REQUIRE(fixture.run_until_saved(3));
  fixture.cache.put(kube::Node{.name = "node-1"});
  REQUIRE(fixture.run_until_saved(4));

  const auto start = steady_clock::now();
  const std::uint64_t before = fixture.keeper->status().saves;
  for (int i = 0; i < 40; ++i) {
    fixture.cache.put(service("new-" + std::to_string(i)));
    fixture.run_for(milliseconds(5));
  }
  const auto intervals = (steady_clock::now() - start) / milliseconds(60);
  CHECK(fixture.keeper->status().saves - before >= 1);
  CHECK(fixture.keeper->status().saves - before <= static_cast<std::uint64_t>(intervals) + 1);
  REQUIRE(fixture.run_until([&] { return fixture.saved_services() == 440; }));
}

TEST_CASE("changes between the parts of a save are in the next one at the latest") {
  const test::TemporaryFolder folder;
  Fixture fixture(folder.path() / "world");
  fixture.cache.set_synced();
  int number = 0;
  REQUIRE(fixture.run_until([&] {
    if (number < 200 && fs::exists(folder.path() / "world.tmp")) {
      fixture.cache.put(service("new-" + std::to_string(number)));
      fixture.cache.erase_service({"shop", "web-" + std::to_string(number)});
      ++number;
    }
    return number == 200;
  }));
  CHECK(fixture.run_until([&] {
    cache::ServiceCache loaded;
    return cache::load_snapshot(fixture.options.file, "test", loaded) &&
           loaded.find({"shop", "new-199"}) && !loaded.find({"shop", "web-199"});
  }));
  CHECK(fixture.saved_services() == 400);
}

TEST_CASE("a save that fails is told once, leaves the old file, and is tried again") {
  const test::TemporaryFolder folder;
  const fs::path file = folder.path() / "sub" / "world";
  test::CaughtLog log;
  Fixture fixture(file);
  fixture.cache.set_synced();
  REQUIRE(fixture.run_until([&] { return fixture.keeper->status().failures >= 3; }));
  CHECK(log.take() == "error the snapshot cannot be saved: " + file.string() +
                          ".tmp: No such file or directory\n");
  CHECK(fixture.keeper->status().saves == 0);
  CHECK_FALSE(fixture.keeper->status().created);

  fs::create_directory(folder.path() / "sub");
  REQUIRE(fixture.run_until_saved(1));
  CHECK(log.take() == "info " + file.string() + ": the snapshot can be saved again\n");
  CHECK(fixture.saved_services() == 400);
}

TEST_CASE("what changed last is saved at the end, also while a save is under way") {
  const test::TemporaryFolder folder;
  for (const bool under_way : {false, true}) {
    CAPTURE(under_way);
    Fixture fixture(folder.path() / "world", std::chrono::hours(1));
    fixture.cache.set_synced();
    if (under_way) {  // Its first part is written, the answer was not taken.
      fixture.run_until([&] { return fs::exists(folder.path() / "world.tmp"); });
    } else {
      REQUIRE(fixture.run_until_saved(1));
    }
    fixture.cache.put(service("last"));
    fixture.keeper->save_at_end();
    CHECK(fixture.saved_services() == 401);
    CHECK_FALSE(fs::exists(folder.path() / "world.tmp"));
    fixture.cache.put(service("too late"));
  }
}

TEST_CASE("at the end nothing is written that is in the file already, or never was complete") {
  const test::TemporaryFolder folder;
  {
    Fixture fixture(folder.path() / "world");
    fixture.keeper->save_at_end();
    CHECK(fs::is_empty(folder.path()));
  }
  Fixture fixture(folder.path() / "world");
  fixture.cache.set_synced();
  REQUIRE(fixture.run_until_saved(1));
  fixture.keeper->save_at_end();
  CHECK(fixture.keeper->status().saves == 1);
}

TEST_CASE("a keeper that ends within a save leaves no half file behind") {
  const test::TemporaryFolder folder;
  {
    Fixture fixture(folder.path() / "world");
    fixture.cache.set_synced();
    fixture.run_until([&] { return fs::exists(folder.path() / "world.tmp"); });
    fixture.keeper.reset();
    fixture.run_for(milliseconds(5));
  }
  CHECK_FALSE(fs::exists(folder.path() / "world.tmp"));
}

TEST_CASE("a file that was loaded counts as the newest one") {
  const test::TemporaryFolder folder;
  Fixture fixture(folder.path() / "world");
  fixture.keeper->on_loaded({.origin = {.created_ms = 5000}, .bytes = 77});
  CHECK(fixture.keeper->status().created ==
        std::chrono::system_clock::time_point(milliseconds(5000)));
  CHECK(fixture.keeper->status().bytes == 77);
}

}  // namespace waypost::ops
