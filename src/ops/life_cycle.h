// A DNS server from its first configuration to its last signal: what waypost-dns does besides
// answering.
//
// One thread, the control thread, reads configuration, manifests and zones, publishes what it made
// of them to the workers, and does so again whenever a file changes or SIGHUP arrives.  Input that
// cannot be used leaves what is in force in force and is logged once.
//
// Not here: reading the command line (ops/flags.h), answering (server/).

#pragma once

#include "base/error.h"
#include "ops/config.h"
#include "ops/flags.h"

#include <functional>
#include <memory>
#include <string_view>

namespace waypost::ops {

// Takes one line of output, without its end.
using PrintLine = std::function<void(std::string_view)>;

// Made and used on one thread.
class LifeCycle {
 public:
  // Loads everything, opens the sockets, and prints what is served, where, and how to try it; the
  // last line is "ready".  Fails when a socket cannot be opened.  From here on signals are taken.
  // `config` was read from `origin`.  One that takes over opens its sockets in run(), once it knows
  // the cluster.
  static Result<std::unique_ptr<LifeCycle>> start(ConfigOrigin origin, Config config,
                                                  PrintLine print);
  ~LifeCycle();
  LifeCycle(const LifeCycle&) = delete;
  LifeCycle& operator=(const LifeCycle&) = delete;

  // Follows changes until it is told to end, then stops the workers and prints their totals. SIGINT
  // ends at once.  SIGTERM ends as ops/departure.h says and drains TCP; a second one at once.  Ends
  // as well when another process has taken over.  Fails when this one was to take over and cannot;
  // then nothing has changed for the other.
  Result<void> run();

 private:
  struct State;
  explicit LifeCycle(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace waypost::ops
