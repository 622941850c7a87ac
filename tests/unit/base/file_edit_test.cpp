#include "base/file_edit.h"

#include "base/file.h"
#include "support/skip.h"
#include "support/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace waypost {
namespace {

namespace fs = std::filesystem;

const std::string Before = "nameserver 192.0.2.1\n";
const std::string Edited = "own: nameserver 10.96.0.10\noptions ndots:5\n";
const std::string Secret = "not to be touched\n";

bool starts_with_own(std::string_view text) {
  return text.starts_with("own: ");
}

FileEdit edit_of(const fs::path& path) {
  return {.path = path, .backup = path.string() + ".backup", .is_own = starts_with_own};
}

// The N-th call fails, or something happens right before it; and a file may pretend to be a mount.
class TestCalls : public FileCalls {
 public:
  int calls = 0;
  int fail_at = 0;  // 0: none.
  int error = EIO;
  std::function<void()> disturb;  // Before call number `fail_at`, in place of the failure.
  bool is_mount = false;          // As statx says.
  bool renames_are_busy = false;  // As an older kernel shows a mount.
  std::size_t most_written = std::string::npos;  // Of one write.
  std::string mounted_name = "file";

  int open_at(int folder, const char* name, int flags, mode_t mode) noexcept override {
    return passes() ? FileCalls::open_at(folder, name, flags, mode) : -1;
  }
  int describe(int fd, FileFacts& facts) noexcept override {
    if (!passes() || FileCalls::describe(fd, facts) != 0) {
      return -1;
    }
    facts.is_mount = is_mount;
    return 0;
  }
  ssize_t read(int fd, char* to, std::size_t size) noexcept override {
    return passes() ? FileCalls::read(fd, to, std::min<std::size_t>(size, 16)) : -1;
  }
  ssize_t write_at(int fd, const char* from, std::size_t size, off_t offset) noexcept override {
    return passes() ? FileCalls::write_at(fd, from, std::min(size, most_written), offset) : -1;
  }
  int truncate(int fd, off_t size) noexcept override {
    return passes() ? FileCalls::truncate(fd, size) : -1;
  }
  int set_owner(int fd, uid_t owner, gid_t group) noexcept override {
    return passes() ? FileCalls::set_owner(fd, owner, group) : -1;
  }
  int set_mode(int fd, mode_t mode) noexcept override {
    return passes() ? FileCalls::set_mode(fd, mode) : -1;
  }
  int lock(int fd) noexcept override { return passes() ? FileCalls::lock(fd) : -1; }
  int sync(int fd) noexcept override { return passes() ? FileCalls::sync(fd) : -1; }
  int rename_at(int from_folder, const char* from, int to_folder,
                const char* to) noexcept override {
    if (renames_are_busy && to == mounted_name) {
      errno = EBUSY;
      return -1;
    }
    return passes() ? FileCalls::rename_at(from_folder, from, to_folder, to) : -1;
  }
  int unlink_at(int folder, const char* name) noexcept override {
    return passes() ? FileCalls::unlink_at(folder, name) : -1;
  }

 private:
  bool passes() {
    if (++calls != fail_at) {
      return true;
    }
    if (disturb) {
      disturb();
      return true;
    }
    errno = error;
    return false;
  }
};

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename());
  }
  return names;
}

struct stat status_of(const fs::path& path) {
  struct stat status{};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

using Names = std::set<std::string>;

// How the file is reached, which decides how it is written.
struct Way {
  const char* what;
  bool is_mount;
  bool renames_are_busy;
  FileEditOutcome outcome;
};
const Way Ways[] = {
    {"a plain file", false, false, FileEditOutcome::Replaced},
    {"a mount", true, false, FileEditOutcome::WrittenInPlace},
    {"a mount on an older kernel", false, true, FileEditOutcome::WrittenInPlace},
};

void go(TestCalls& calls, const Way& way) {
  calls.is_mount = way.is_mount;
  calls.renames_are_busy = way.renames_are_busy;
}

}  // namespace

TEST_CASE("an edit replaces a file, keeps its backup, and can be reverted") {
  for (const Way& way : Ways) {
    CAPTURE(way.what);
    const test::TemporaryFolder folder;
    const fs::path path = folder.write("file", Before);
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    const struct stat before = status_of(path);
    TestCalls calls;
    go(calls, way);
    CHECK(edit_file(calls, edit_of(path), Edited) == way.outcome);
    CHECK(*read_file(path) == Edited);
    CHECK(*read_file(path.string() + ".backup") == Before);
    CHECK(names_in(folder.path()) == Names{"file", "file.backup"});
    for (const char* name : {"file", "file.backup"}) {
      CHECK((status_of(folder.path() / name).st_mode & 07777U) == 0640);
    }
    CHECK((status_of(path).st_ino == before.st_ino) ==
          (way.outcome == FileEditOutcome::WrittenInPlace));

    // Again: nothing is written.
    const struct stat once = status_of(path);
    CHECK(edit_file(calls, edit_of(path), Edited) == FileEditOutcome::Unchanged);
    CHECK(status_of(path).st_ino == once.st_ino);
    CHECK(status_of(path).st_mtim.tv_nsec == once.st_mtim.tv_nsec);

    // Another edit keeps the first backup.
    CHECK(edit_file(calls, edit_of(path), "own: 2") == way.outcome);
    CHECK(*read_file(path) == "own: 2");
    CHECK(*read_file(path.string() + ".backup") == Before);

    CHECK(revert_file(calls, edit_of(path)) == way.outcome);
    CHECK(*read_file(path) == Before);
    CHECK(names_in(folder.path()) == Names{"file"});
    CHECK((status_of(path).st_mode & 07777U) == 0640);
    CHECK(revert_file(calls, edit_of(path)) == FileEditOutcome::Unchanged);
    CHECK(*read_file(path) == Before);
  }
}

TEST_CASE("a file that is not there is made, and a revert removes it") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  FileCalls calls;
  CHECK(edit_file(calls, edit_of(path), Edited) == FileEditOutcome::Created);
  CHECK(*read_file(path) == Edited);
  CHECK((status_of(path).st_mode & 0777U) == 0644);
  CHECK(names_in(folder.path()) == Names{"file", "file.backup"});
  CHECK(*read_file(path.string() + ".backup") == "# There was no file.\n");

  // Further edits do not forget that.
  CHECK(edit_file(calls, edit_of(path), "own: 2") == FileEditOutcome::Replaced);
  fs::remove(path);
  CHECK(edit_file(calls, edit_of(path), Edited) == FileEditOutcome::Created);
  CHECK(revert_file(calls, edit_of(path)) == FileEditOutcome::Removed);
  CHECK(names_in(folder.path()).empty());
  CHECK(revert_file(calls, edit_of(path)) == FileEditOutcome::Unchanged);

  REQUIRE(edit_file(calls, edit_of(path), Edited));
  fs::remove(path);
  CHECK(revert_file(calls, edit_of(path)) == FileEditOutcome::Unchanged);
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("a file that was made and that somebody else then wrote is kept by a revert") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  FileCalls calls;
  REQUIRE(edit_file(calls, edit_of(path), Edited));
  folder.write("file", Before);
  CHECK_FALSE(revert_file(calls, edit_of(path)));
  CHECK(*read_file(path) == Before);
}

TEST_CASE("whichever call fails of the removal of a file that was made, the next try removes it") {
  bool done = false;
  for (int number = 1; !done; ++number) {
    REQUIRE(number < 200);
    CAPTURE(number);
    const test::TemporaryFolder folder;
    const fs::path path = folder.path() / "file";
    TestCalls working;
    REQUIRE(edit_file(working, edit_of(path), Edited));
    TestCalls failing;
    failing.fail_at = number;
    const auto reverted = revert_file(failing, edit_of(path));
    done = failing.calls < number;
    CHECK((fs::exists(path) ? *read_file(path) == Edited : true));
    CHECK((reverted.has_value() == done || !fs::exists(path)));
    REQUIRE(revert_file(working, edit_of(path)));
    CHECK(names_in(folder.path()).empty());
  }
}

TEST_CASE("an own file without its backup stays") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", Edited);
  FileCalls calls;
  const auto reverted = revert_file(calls, edit_of(path));
  REQUIRE_FALSE(reverted);
  CHECK(reverted.error().message ==
        path.string() + ": has no backup; expected " + path.string() + ".backup");
  CHECK(*read_file(path) == Edited);
}

TEST_CASE("what somebody else wrote in between is backed up by an edit and kept by a revert") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", Before);
  FileCalls calls;
  REQUIRE(edit_file(calls, edit_of(path), Edited));
  folder.write("file", "nameserver 198.51.100.1\n");
  const auto reverted = revert_file(calls, edit_of(path));
  REQUIRE_FALSE(reverted);
  CHECK(reverted.error().message == path.string() +
                                        ": was changed by somebody else since it was written; "
                                        "what stood there before is in " +
                                        path.string() + ".backup");
  CHECK(*read_file(path) == "nameserver 198.51.100.1\n");
  CHECK(*read_file(path.string() + ".backup") == Before);

  REQUIRE(edit_file(calls, edit_of(path), Edited));
  CHECK(*read_file(path.string() + ".backup") == "nameserver 198.51.100.1\n");
  CHECK(revert_file(calls, edit_of(path)) == FileEditOutcome::Replaced);
  CHECK(*read_file(path) == "nameserver 198.51.100.1\n");
}

TEST_CASE("a file that was put back by hand, or is gone, is reverted too") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", Before);
  FileCalls calls;
  REQUIRE(edit_file(calls, edit_of(path), Edited));
  folder.write("file", Before);
  CHECK(revert_file(calls, edit_of(path)) == FileEditOutcome::Unchanged);
  CHECK(names_in(folder.path()) == Names{"file"});

  REQUIRE(edit_file(calls, edit_of(path), Edited));
  fs::remove(path);
  CHECK(revert_file(calls, edit_of(path)) == FileEditOutcome::Created);
  CHECK(*read_file(path) == Before);
  CHECK(names_in(folder.path()) == Names{"file"});
}

TEST_CASE("whichever call fails, the file is the old or the new one, with its backup") {
  for (const Way& way : Ways) {
    CAPTURE(way.what);
    int failures = 0;
    bool done = false;
    for (int number = 1; !done; ++number) {
      REQUIRE(number < 200);
      CAPTURE(number);
      const test::TemporaryFolder folder;
      const fs::path path = folder.write("file", Before);
      TestCalls calls;
      go(calls, way);
      calls.fail_at = number;
      calls.most_written = 10;
      const auto edited = edit_file(calls, edit_of(path), Edited);
      done = calls.calls < number;
      failures += edited ? 0 : 1;
      const std::string now = *read_file(path);
      if (edited) {
        CHECK(now == Edited);
      } else {
        CHECK((now == Before || now == Edited));
        CHECK(edited.error().message.find(folder.path().string()) != std::string::npos);
      }
      if (now == Edited) {
        CHECK(*read_file(path.string() + ".backup") == Before);
      }
      Names names = names_in(folder.path());
      names.erase("file");
      names.erase("file.backup");
      // Of a mount that shows itself by its rename only, the failed call may be the one that
      // removes the temporary file.  And what is not known to be this edit's own is not removed.
      const bool is_left =
          edited ? way.renames_are_busy
                 : edited.error().message.find("another process edits it") != std::string::npos;
      CHECK((names.empty() || is_left));

      // And the next try works.
      TestCalls working;
      go(working, way);
      REQUIRE(edit_file(working, edit_of(path), Edited));
      CHECK(*read_file(path) == Edited);
      CHECK(*read_file(path.string() + ".backup") == Before);

      // The same for the way back.
      TestCalls failing;
      go(failing, way);
      failing.fail_at = number;
      const auto reverted = revert_file(failing, edit_of(path));
      const std::string back = *read_file(path);
      CHECK((back == Before || (!reverted && back == Edited)));
      REQUIRE(revert_file(working, edit_of(path)));
      CHECK(*read_file(path) == Before);
      REQUIRE(edit_file(working, edit_of(path), "own: 5"));
      REQUIRE(revert_file(working, edit_of(path)));
      CHECK(names_in(folder.path()) == Names{"file"});
    }
    CHECK(failures > 20);
  }
}

TEST_CASE("a write in place that fails for good says that the file is in pieces") {
  class FullDisk : public TestCalls {
   public:
    int writes = 0;
    ssize_t write_at(int fd, const char* from, std::size_t size, off_t offset) noexcept override {
      if (fcntl(fd, F_GETFD) < 0 || ++writes > 4) {  // Three for the backup.
        errno = EIO;
        return -1;
      }
      return TestCalls::write_at(fd, from, size, offset);
    }
  };
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", Before);
  FullDisk calls;
  calls.is_mount = true;
  calls.most_written = 10;
  const auto edited = edit_file(calls, edit_of(path), Edited);
  REQUIRE_FALSE(edited);
  CHECK(edited.error().message ==
        path.string() +
            ": Input/output error; and what stood there cannot be put back, the file is in "
            "pieces; its backup is " +
            path.string() + ".backup");
  CHECK(*read_file(path.string() + ".backup") == Before);
  // Its backup puts it right, once the disk is well: it is not own, so it is named, not
  // overwritten.
  CHECK_FALSE(revert_file(calls, edit_of(path)));
}

TEST_CASE("no symbolic link is followed, wherever it stands") {
  const test::TemporaryFolder folder;
  folder.write("secret", Secret);
  folder.write("real/file", Before);
  fs::create_symlink("secret", folder.path() / "link");
  fs::create_symlink("real", folder.path() / "linked");
  fs::create_symlink("nowhere", folder.path() / "dangling");
  FileCalls calls;
  for (const char* name : {"link", "linked/file", "dangling"}) {
    CAPTURE(name);
    const fs::path path = folder.path() / name;
    for (const bool is_revert : {false, true}) {
      const auto done =
          is_revert ? revert_file(calls, edit_of(path)) : edit_file(calls, edit_of(path), Edited);
      REQUIRE_FALSE(done);
      CHECK(done.error().kind == ErrorKind::InvalidInput);
      CHECK(done.error().message.find("symbolic link") != std::string::npos);
    }
  }
  // A backup that is a link, and one that lies in the way of a temporary file.
  FileEdit edit = edit_of(folder.path() / "real/file");
  edit.backup = folder.path() / "link";
  CHECK_FALSE(edit_file(calls, edit, Edited));
  fs::create_symlink("../secret", folder.path() / "real/file.waypost-tmp");
  const auto done = edit_file(calls, edit_of(folder.path() / "real/file"), Edited);
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("is in the way beside it") != std::string::npos);
  CHECK(*read_file(folder.path() / "secret") == Secret);
  CHECK(*read_file(folder.path() / "real/file") == Before);
}

TEST_CASE("a link that is put in the file's place at any moment leads nowhere") {
  for (const Way& way : Ways) {
    CAPTURE(way.what);
    bool done = false;
    int refused = 0;
    for (int number = 1; !done; ++number) {
      REQUIRE(number < 200);
      CAPTURE(number);
      const test::TemporaryFolder folder;
      const fs::path path = folder.write("sub/file", Before);
      const fs::path secret = folder.write("secret", Secret);
      TestCalls calls;
      go(calls, way);
      calls.fail_at = number;
      calls.disturb = [&] {
        ::unlink(path.c_str());
        ::symlink(secret.c_str(), path.c_str());
      };
      const auto edited = edit_file(calls, edit_of(path), Edited);
      done = calls.calls < number;
      refused += edited ? 0 : 1;
      CHECK(*read_file(secret) == Secret);
      CHECK((status_of(secret).st_mode & 0777U) == 0644);
      if (edited && !done && !S_ISLNK(status_of(path).st_mode)) {
        CHECK(*read_file(path) == Edited);
      }
    }
    CHECK(refused > 5);
  }
}

TEST_CASE("a file that somebody else changes in between is not overwritten") {
  for (const Way& way : Ways) {
    CAPTURE(way.what);
    const test::TemporaryFolder folder;
    const fs::path path = folder.write("file", Before);
    // The last call before which a change is still noticed is found from behind.
    bool is_kept = false;
    for (int number = 1; number < 200; ++number) {
      folder.write("file", Before);
      fs::remove(path.string() + ".backup");
      TestCalls calls;
      go(calls, way);
      calls.fail_at = number;
      calls.disturb = [&] { folder.write("file", "nameserver 203.0.113.77\n"); };
      const auto edited = edit_file(calls, edit_of(path), Edited);
      if (!edited) {
        is_kept = true;
        CHECK(edited.error().message.find("was changed by somebody else at the same time") !=
              std::string::npos);
        CHECK(*read_file(path) == "nameserver 203.0.113.77\n");
      }
      if (calls.calls < number) {
        break;
      }
    }
    CHECK(is_kept);
  }
}

TEST_CASE("what is no file, has other names, or is too large is left alone") {
  const test::TemporaryFolder folder;
  FileCalls calls;
  const auto expect_failure = [&](const fs::path& path, const std::string& message) {
    const auto edited = edit_file(calls, edit_of(path), Edited);
    REQUIRE_FALSE(edited);
    CHECK(edited.error().message == message);
  };
  const std::string root = folder.path().string();
  fs::create_directory(folder.path() / "folder");
  expect_failure(folder.path() / "folder", root + "/folder: is not a regular file");
  REQUIRE(::mkfifo((root + "/pipe").c_str(), 0600) == 0);
  expect_failure(folder.path() / "pipe", root + "/pipe: is not a regular file");
  expect_failure(folder.path() / "no/file",
                 root + "/no/file: the folder " + root + "/no: No such file or directory");
  expect_failure(folder.path() / "folder/", "'" + root + "/folder/': found no name of a file");
  folder.write("plain", Before);
  expect_failure(folder.path() / "plain/file",
                 root + "/plain/file: " + root +
                     "/plain is not a folder, or a symbolic link, and none is followed; name "
                     "the folder that it leads to");
  folder.write("large", std::string(FileEdit::MaxSize + 1, ' '));
  expect_failure(folder.path() / "large", root + "/large: is larger than 10 MiB");

  const fs::path path = folder.write("file", Before);
  fs::create_hard_link(path, folder.path() / "other");
  TestCalls mounted;
  mounted.is_mount = true;
  const auto edited = edit_file(mounted, edit_of(path), Edited);
  REQUIRE_FALSE(edited);
  CHECK(edited.error().message == path.string() +
                                      ": has 2 names, and all of them would change; its backup "
                                      "is " +
                                      path.string() + ".backup");
  CHECK(*read_file(folder.path() / "other") == Before);
}

TEST_CASE("what a process left behind is removed, what a living one writes is not") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", Before);
  folder.write("file.waypost-tmp", "half");
  folder.write("file.backup.waypost-tmp", "half");
  FileCalls calls;
  CHECK(edit_file(calls, edit_of(path), Edited) == FileEditOutcome::Replaced);
  CHECK(names_in(folder.path()) == Names{"file", "file.backup"});

  const fs::path busy = folder.write("file.waypost-tmp", "half");
  const int fd = ::open(busy.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(::flock(fd, LOCK_EX) == 0);
  const auto edited = edit_file(calls, edit_of(path), "own: 3");
  REQUIRE_FALSE(edited);
  CHECK(edited.error().message ==
        path.string() + ": another process edits it; its backup is " + path.string() + ".backup");
  CHECK(*read_file(busy) == "half");
  CHECK(*read_file(path) == Edited);
  ::close(fd);
}

TEST_CASE("of two edits at one time each is done as a whole or fails") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", Before);
  int failed = 0;
  int last = 0;
  for (int number = 1; number < 200 && last == 0; ++number) {
    CAPTURE(number);
    folder.write("file", Before);
    fs::remove(path.string() + ".backup");
    TestCalls calls;
    calls.fail_at = number;
    std::optional<bool> other_is_done;
    calls.disturb = [&] {
      FileCalls plain;
      other_is_done = edit_file(plain, edit_of(path), "own: other").has_value();
    };
    const bool is_done = edit_file(calls, edit_of(path), Edited).has_value();
    if (!other_is_done) {
      last = number;
      break;
    }
    failed += is_done && *other_is_done ? 0 : 1;
    const bool one_is_done = is_done || *other_is_done;
    CHECK(one_is_done);
    const std::string now = *read_file(path);
    CHECK((now == Edited || now == "own: other"));
    CHECK((is_done || now != Edited));
    CHECK((*other_is_done || now == Edited));
    CHECK(*read_file(path.string() + ".backup") == Before);
    CHECK(names_in(folder.path()) == Names{"file", "file.backup"});
  }
  CHECK(last > 20);
  CHECK(failed > 5);
}

TEST_CASE("what another editor has half written is never put in place") {
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", "own: 1");
  const fs::path temporary = path.string() + ".waypost-tmp";
  int taken = 0;
  bool is_over = false;
  for (int number = 1; number < 200 && !is_over; ++number) {
    CAPTURE(number);
    folder.write("file", "own: 1");
    TestCalls calls;
    calls.fail_at = number;
    int other = -1;
    // Takes what nobody has locked for abandoned, and begins its own.
    calls.disturb = [&] {
      const int found = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
      if (found >= 0 && ::flock(found, LOCK_EX | LOCK_NB) == 0) {
        fs::remove(temporary);
        folder.write("file.waypost-tmp", "half");
        other = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
        REQUIRE(::flock(other, LOCK_EX | LOCK_NB) == 0);
      }
      ::close(found);
    };
    const auto edited = edit_file(calls, edit_of(path), Edited);
    is_over = calls.calls < number;
    CHECK(*read_file(path) == (edited ? Edited : "own: 1"));
    if (other >= 0) {
      ++taken;
      CHECK_FALSE(edited);
      CHECK(*read_file(temporary) == "half");
      fs::remove(temporary);
      ::close(other);
    }
  }
  CHECK(is_over);
  CHECK(taken > 0);
}

TEST_CASE("a relative path is meant from the working folder, a backup may lie in another folder") {
  const test::TemporaryFolder folder;
  folder.write("sub/file", Before);
  fs::create_directory(folder.path() / "kept");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  FileCalls calls;
  const FileEdit edit{.path = "sub/../sub/file", .backup = "kept/copy", .is_own = starts_with_own};
  CHECK(edit_file(calls, edit, Edited) == FileEditOutcome::Replaced);
  CHECK(*read_file("sub/file") == Edited);
  CHECK(*read_file("kept/copy") == Before);
  CHECK(names_in("sub") == Names{"file"});
  CHECK(revert_file(calls, edit) == FileEditOutcome::Replaced);
  CHECK(names_in("kept") == Names{});
  CHECK(*read_file("sub/file") == Before);
  fs::current_path(before);
}

TEST_CASE("the owner is kept, and an edit that cannot keep it is refused") {
  if (::geteuid() != 0) {
    test::skip("changing owners: needs root");
    return;
  }
  const test::TemporaryFolder folder;
  const fs::path path = folder.write("file", Before);
  REQUIRE(::chown(path.c_str(), 12, 34) == 0);
  FileCalls calls;
  REQUIRE(edit_file(calls, edit_of(path), Edited));
  for (const char* name : {"file", "file.backup"}) {
    CHECK(status_of(folder.path() / name).st_uid == 12);
    CHECK(status_of(folder.path() / name).st_gid == 34);
  }
  class Unprivileged : public FileCalls {
    int set_owner(int, uid_t, gid_t) noexcept override {
      errno = EPERM;
      return -1;
    }
  };
  Unprivileged unprivileged;
  const auto edited = edit_file(unprivileged, edit_of(path), "own: 4");
  REQUIRE_FALSE(edited);
  CHECK(edited.error().message.find("cannot give it the owner of the file that it replaces: "
                                    "Operation not permitted") != std::string::npos);
  CHECK(*read_file(path) == Edited);
}

}  // namespace waypost
