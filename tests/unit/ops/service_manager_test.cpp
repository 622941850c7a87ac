#include "ops/service_manager.h"

#include "support/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace waypost::ops {
namespace {

// The manager's end: a datagram socket at `name`; a leading '@' stands for the abstract name space.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(name.begin(), name.end(), address.sun_path);
    if (name.front() == '@') {
      address.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  }
  ~Manager() { close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // What it was told next; empty: nothing.
  std::string next() const {
    std::array<char, 256> text{};
    const ssize_t size = recv(fd_, text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("a service manager is told at a path and at an abstract name") {
  const test::TemporaryFolder folder;
  const std::string abstract = "@waypost-test-" + std::to_string(getpid());
  for (const std::string& name : {(folder.path() / "notify").string(), abstract}) {
    const Manager manager(name);
    const ServiceManager service_manager(name);
    CHECK(service_manager.is_there());
    CHECK(service_manager.tell_ready().has_value());
    CHECK(manager.next() == "READY=1");
    CHECK(service_manager.tell_stopping().has_value());
    CHECK(manager.next() == "STOPPING=1");
    CHECK(service_manager.tell_reloading().has_value());
    CHECK(manager.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  }
}

TEST_CASE("without a service manager nobody is told, and that is no failure") {
  CHECK_FALSE(ServiceManager("").is_there());
  CHECK(ServiceManager("").tell_ready().has_value());
}

TEST_CASE("a service manager that cannot be told is a failure that names the socket") {
  const auto relative = ServiceManager("run/notify").tell_ready();
  REQUIRE_FALSE(relative.has_value());
  CHECK(relative.error().message.starts_with("NOTIFY_SOCKET: found 'run/notify', expected "));

  const test::TemporaryFolder folder;
  const std::string absent = (folder.path() / "absent").string();
  const auto told = ServiceManager(absent).tell_ready();
  REQUIRE_FALSE(told.has_value());
  CHECK(told.error().message == "NOTIFY_SOCKET " + absent + ": No such file or directory");

  CHECK_FALSE(ServiceManager("/" + std::string(108, 'a')).tell_ready().has_value());
}

}  // namespace waypost::ops
