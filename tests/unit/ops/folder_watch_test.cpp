#include "ops/folder_watch.h"

#include "support/temporary_folder.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace waypost::test {
namespace {

namespace fs = std::filesystem;
using ops::FolderWatch;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds Patience{5000};

// A watch on one folder, and how often it has called.
class Watched {
 public:
  explicit Watched(const fs::path& folder, bool awaited = false) {
    watch_.emplace(context_, [this] { ++calls_; });
    if (awaited) {
      watch_->follow({&folder, 1});
      return;
    }
    const Result<void> added = watch_->add(folder);
    REQUIRE_MESSAGE(added.has_value(), added.error().message);
  }

  // True when a call comes before `patience` has passed since the last question.
  bool has_changed(milliseconds patience = Patience) {
    const auto deadline = steady_clock::now() + patience;
    while (calls_ == seen_ && steady_clock::now() < deadline) {
      context_.run_one_until(deadline);
    }
    const bool changed = calls_ > seen_;
    seen_ = calls_;
    return changed;
  }
  // Waits for the calls that earlier changes may still cause.
  void settle() {
    while (has_changed(milliseconds(60))) {
    }
  }
  int calls() const { return calls_; }
  void stop() { watch_.reset(); }

 private:
  boost::asio::io_context context_{1};
  std::optional<FolderWatch> watch_;
  int calls_ = 0;
  int seen_ = 0;
};

TEST_CASE("every kind of change in a folder is told") {
  struct Case {
    const char* what;
    std::function<void(const fs::path& folder, const fs::path& outside)> change;
  };
  const std::vector<Case> cases = {
      {"a new file", [](auto& folder, auto&) { std::ofstream(folder / "new") << "1"; }},
      {"an edit in place", [](auto& folder, auto&) { std::ofstream(folder / "old") << "2"; }},
      {"an appended line",
       [](auto& folder, auto&) { std::ofstream(folder / "old", std::ios::app) << "3"; }},
      {"a deleted file", [](auto& folder, auto&) { fs::remove(folder / "old"); }},
      {"a file renamed over another",
       [](auto& folder, auto& outside) {
         std::ofstream(outside / "next") << "4";
         fs::rename(outside / "next", folder / "old");
       }},
      {"a file moved away",
       [](auto& folder, auto& outside) { fs::rename(folder / "old", outside / "gone"); }},
      {"a new symlink", [](auto& folder, auto&) { fs::create_symlink("old", folder / "link"); }},
      {"a hard link",
       [](auto& folder, auto&) { fs::create_hard_link(folder / "old", folder / "link"); }},
      {"permissions",
       [](auto& folder, auto&) { fs::permissions(folder / "old", fs::perms::owner_read); }},
      {"a symlink swap, as in ConfigMap volumes",
       [](auto& folder, auto&) {
         fs::create_directory(folder / "..next");
         fs::create_directory_symlink("..next", folder / "..data_tmp");
         fs::rename(folder / "..data_tmp", folder / "..data");
       }},
  };
  for (const auto& [what, change] : cases) {
    INFO(what);
    TemporaryFolder place;
    place.write("folder/old", "1");
    fs::create_directory(place.path() / "outside");
    Watched watched(place.path() / "folder");
    CHECK_FALSE(watched.has_changed(milliseconds(30)));
    change(place.path() / "folder", place.path() / "outside");
    CHECK(watched.has_changed());
  }
}

TEST_CASE("changes beside the folder are not told") {
  TemporaryFolder place;
  place.write("folder/file", "1");
  Watched watched(place.path() / "folder");
  place.write("beside", "1");
  place.write("other/file", "1");
  CHECK_FALSE(watched.has_changed(milliseconds(60)));
}

TEST_CASE("a burst of changes is one call, within 20 ms and a little of the first") {
  TemporaryFolder place;
  Watched watched(place.path());
  const auto start = steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    place.write(std::to_string(i), "1");
  }
  const bool was_fast = steady_clock::now() - start < milliseconds(15);
  CHECK(watched.has_changed());
  CHECK(steady_clock::now() - start >= milliseconds(20));
  watched.settle();
  if (was_fast) {  // On a machine that is busy elsewhere, these are several bursts.
    CHECK(watched.calls() == 1);
  }
}

TEST_CASE("changes that never pause are told all the same") {
  TemporaryFolder place;
  Watched watched(place.path());
  const auto start = steady_clock::now();
  bool told = false;
  for (int i = 0; !told && steady_clock::now() - start < Patience; ++i) {
    place.write("file", std::to_string(i));
    told = watched.has_changed(milliseconds(5));
  }
  CHECK(told);
}

TEST_CASE("a folder that is deleted and made again is watched again") {
  TemporaryFolder place;
  const fs::path folder = place.path() / "folder";
  place.write("folder/file", "1");
  Watched watched(folder);

  fs::remove_all(folder);
  CHECK(watched.has_changed());
  watched.settle();
  fs::create_directory(folder);
  CHECK(watched.has_changed());
  watched.settle();
  place.write("folder/file", "2");
  CHECK(watched.has_changed());
}

TEST_CASE("a folder that is deleted with its parent and made again is watched again") {
  TemporaryFolder place;
  place.write("parent/folder/file", "1");
  Watched watched(place.path() / "parent/folder");
  fs::remove_all(place.path() / "parent");
  CHECK(watched.has_changed());
  place.write("parent/folder/file", "2");
  CHECK(watched.has_changed());
  watched.settle();
  // Found again within the search interval.
  const auto start = steady_clock::now();
  bool told = false;
  while (!told && steady_clock::now() - start < Patience) {
    watched.settle();
    place.write("parent/folder/file", "3");
    told = watched.has_changed(milliseconds(100));
  }
  CHECK(told);
}

TEST_CASE("a folder that is followed before it is there is watched once it comes") {
  const TemporaryFolder root;
  for (const char* place : {"custom", "deep/custom"}) {
    CAPTURE(place);
    const fs::path folder = root.path() / place;
    Watched watched(folder, true);
    fs::create_directories(folder);
    CHECK(watched.has_changed());
    watched.settle();
    std::ofstream(folder / "file") << "1";
    CHECK(watched.has_changed());
  }
}

TEST_CASE("a folder that a symlink leads to before it is there is watched once it comes") {
  const TemporaryFolder root;
  fs::create_directory_symlink("target", root.path() / "custom");
  Watched watched(root.path() / "custom", true);
  fs::create_directory(root.path() / "target");
  CHECK(watched.has_changed());
  watched.settle();
  std::ofstream(root.path() / "target/file") << "1";
  CHECK(watched.has_changed());
}

TEST_CASE("a folder behind a symlink is watched where the symlink leads now") {
  TemporaryFolder place;
  place.write("first/file", "1");
  place.write("second/file", "1");
  fs::create_directory_symlink("first", place.path() / "current");
  Watched watched(place.path() / "current");

  fs::create_directory_symlink("second", place.path() / "next");
  fs::rename(place.path() / "next", place.path() / "current");
  CHECK(watched.has_changed());
  watched.settle();
  place.write("second/file", "2");
  CHECK(watched.has_changed());
  watched.settle();
  place.write("first/file", "2");
  CHECK_FALSE(watched.has_changed(milliseconds(60)));
}

TEST_CASE("a folder and the folder in it can both be watched") {
  TemporaryFolder place;
  place.write("inner/file", "1");
  boost::asio::io_context context(1);
  int calls = 0;
  FolderWatch watch(context, [&] { ++calls; });
  REQUIRE(watch.add(place.path() / "inner/").has_value());
  REQUIRE(watch.add(place.path()).has_value());
  for (const char* name : {"file", "inner/file"}) {
    INFO(name);
    const int before = calls;
    place.write(name, "2");
    const auto deadline = steady_clock::now() + Patience;
    while (calls == before && steady_clock::now() < deadline) {
      context.run_one_until(deadline);
    }
    CHECK(calls > before);
    context.run_for(milliseconds(60));
  }
}

TEST_CASE("a folder that does not exist is an error that names it") {
  boost::asio::io_context context(1);
  FolderWatch watch(context, [] {});
  TemporaryFolder place;
  const fs::path missing = place.path() / "missing";
  const Result<void> added = watch.add(missing);
  REQUIRE_FALSE(added.has_value());
  CHECK(added.error().kind == ErrorKind::NotFound);
  CHECK(added.error().message ==
        "cannot watch " + missing.string() + ": No such file or directory");

  const fs::path file = place.write("file", "1");
  CHECK(watch.add(file).error().message == "cannot watch " + file.string() + ": Not a directory");
}

TEST_CASE("a watch that is destroyed calls no more and leaves nothing waiting") {
  TemporaryFolder place;
  boost::asio::io_context context(1);
  int calls = 0;
  {
    FolderWatch watch(context, [&] { ++calls; });
    REQUIRE(watch.add(place.path()).has_value());
    place.write("file", "1");
    context.run_for(milliseconds(5));
  }
  const auto start = steady_clock::now();
  context.run_for(Patience);
  CHECK(steady_clock::now() - start < milliseconds(1000));
  CHECK(calls == 0);
}

}  // namespace
}  // namespace waypost::test
