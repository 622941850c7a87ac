#include "base/file_replacement.h"

#include "base/file.h"
#include "support/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fcntl.h>
#include <set>
#include <string>

namespace waypost {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename());
  }
  return names;
}

// Writes nine octets in two parts, the first of them last.
Result<void> replace(const fs::path& path) {
  auto file = FileReplacement::start(path);
  if (!file) {
    return std::unexpected(file.error());
  }
  for (const char* part : {"-new", " one."}) {
    if (const auto done = file->append(as_bytes(part)); !done) {
      return done;
    }
  }
  if (const auto done = file->write_at(0, as_bytes("a")); !done) {
    return done;
  }
  return file->commit();
}

// While it lives, no file grows beyond `size` octets: what a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t size) {
    before_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{size, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, before_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*before_handler_)(int);
};

}  // namespace

TEST_CASE("a replacement takes the place of the old file with its commit") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", "old");
  {
    auto file = FileReplacement::start(path);
    REQUIRE(file);
    REQUIRE(file->append(as_bytes("new")));
    CHECK(*read_file(path) == "old");
    struct stat status{};
    REQUIRE(::stat((path.string() + ".tmp").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600);
    REQUIRE(file->commit());
    CHECK(*read_file(path) == "new");
  }
  CHECK(names_in(folder.path()) == std::set<std::string>{"file"});
  CHECK(replace(path));
  CHECK(*read_file(path) == "anew one.");
}

TEST_CASE("a replacement that is not committed leaves the old file and nothing else") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", "old");
  {
    auto file = FileReplacement::start(path);
    REQUIRE(file);
    REQUIRE(file->append(as_bytes("new")));
    const FileReplacement moved = std::move(*file);
  }
  CHECK(*read_file(path) == "old");
  CHECK(names_in(folder.path()) == std::set<std::string>{"file"});
}

TEST_CASE("wherever the disk is full, the old file stays, and it works again with room") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", "old");
  for (rlim_t size = 0; size < 9; ++size) {
    CAPTURE(size);
    Result<void> done;
    {
      const FileSizeLimit limit(size);
      done = replace(path);
    }
    REQUIRE_FALSE(done);
    CHECK(done.error().kind == ErrorKind::System);
    CHECK(done.error().message == path.string() + ".tmp: File too large");
    CHECK(*read_file(path) == "old");
    CHECK(names_in(folder.path()) == std::set<std::string>{"file"});
  }
  const FileSizeLimit limit(9);
  CHECK(replace(path));
  CHECK(*read_file(path) == "anew one.");
}

TEST_CASE("what a dead process left behind is replaced, what a living one writes is not") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  const fs::path left = folder.write("file.tmp", "half");
  CHECK(replace(path));
  CHECK(*read_file(path) == "anew one.");

  auto other = FileReplacement::start(path);
  REQUIRE(other);
  const auto done = replace(path);
  REQUIRE_FALSE(done);
  CHECK(done.error().message == left.string() + ": another process writes it");
  REQUIRE(other->append(as_bytes("other")));
  REQUIRE(other->commit());
  CHECK(*read_file(path) == "other");
}

TEST_CASE("neither links nor folders in the way are followed or removed") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  const fs::path precious = folder.write("precious", "precious");
  fs::create_symlink(precious, folder.path() / "file.tmp");
  const auto linked = replace(path);
  REQUIRE_FALSE(linked);
  CHECK(linked.error().message == path.string() + ".tmp: Too many levels of symbolic links");
  CHECK(*read_file(precious) == "precious");
  fs::remove(folder.path() / "file.tmp");

  fs::create_directory(folder.path() / "file.tmp");
  const auto blocked = replace(path);
  REQUIRE_FALSE(blocked);
  CHECK(blocked.error().message == path.string() + ".tmp: in the way, and not a file");
  fs::remove(folder.path() / "file.tmp");

  fs::create_directory(path);
  const auto renamed = replace(path);
  REQUIRE_FALSE(renamed);
  CHECK(renamed.error().message == path.string() + ": Is a directory");
  CHECK(names_in(folder.path()) == std::set<std::string>{"file", "precious"});
}

TEST_CASE("a folder that does not exist is an error that names it") {
  const test::TemporaryFolder folder;
  const auto done = replace(folder.path() / "none" / "file");
  REQUIRE_FALSE(done);
  CHECK(done.error().kind == ErrorKind::NotFound);
  CHECK(done.error().message ==
        (folder.path() / "none" / "file.tmp").string() + ": No such file or directory");
}

}  // namespace waypost
