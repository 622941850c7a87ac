// Tells the service manager that started this process how far it is (sd_notify(3)).
//
// The protocol is a datagram of "NAME=VALUE" lines to the socket that $NOTIFY_SOCKET names.

#pragma once

#include "base/error.h"

#include <string>
#include <string_view>
#include <utility>

namespace waypost::ops {

// One thread uses it.
class ServiceManager {
 public:
  // Tells nobody.
  ServiceManager() = default;
  // `socket` is what $NOTIFY_SOCKET says: an absolute path, or '@' and an abstract name.  Empty:
  // nobody wants to know.
  explicit ServiceManager(std::string socket) : socket_(std::move(socket)) {}
  // Of this process' environment.
  static ServiceManager from_environment();

  bool is_there() const noexcept { return !socket_.empty(); }

  // Does not wait.  Fails when there is a manager and it cannot be told.
  Result<void> tell(std::string_view state) const;

  Result<void> tell_ready() const { return tell("READY=1"); }
  // Another process is the service's from here on; said by the one that is it so far.
  Result<void> tell_main_process(int process) const {
    return tell("MAINPID=" + std::to_string(process));
  }
  Result<void> tell_stopping() const { return tell("STOPPING=1"); }
  // Has to be followed by tell_ready().
  Result<void> tell_reloading() const;

 private:
  std::string socket_;
};

}  // namespace waypost::ops
