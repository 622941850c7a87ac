#include "ops/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace waypost::ops {

ServiceManager ServiceManager::from_environment() {
  const char* socket = std::getenv("NOTIFY_SOCKET");
  return ServiceManager(socket == nullptr ? "" : socket);
}

Result<void> ServiceManager::tell(std::string_view state) const {
  if (!is_there()) {
    return {};
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool is_abstract = socket_.front() == '@';
  if ((socket_.front() != '/' && !is_abstract) || socket_.size() >= sizeof address.sun_path) {
    return failure(ErrorKind::InvalidInput,
                   "NOTIFY_SOCKET: found '" + socket_ +
                       "', expected an absolute path or '@' and a name, at most " +
                       std::to_string(sizeof address.sun_path - 1) + " octets");
  }
  std::copy(socket_.begin(), socket_.end(), address.sun_path);
  if (is_abstract) {
    address.sun_path[0] = '\0';
  }
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return system_failure("socket");
  }
  const ssize_t sent =
      sendto(fd, state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size()));
  Result<void> result;
  if (sent < 0) {
    result = system_failure("NOTIFY_SOCKET " + socket_);
  }
  close(fd);
  return result;
}

Result<void> ServiceManager::tell_reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U +
                            static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
  return tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

}  // namespace waypost::ops
