// waypost-node from its configuration to its last signal.
//
// One thread does everything: it follows the folder of manifests, the node's addresses and signals,
// compiles rules, and waits for the iptables programs and for the kernel.  When it ends, rules stay
// in force; the next one takes them over as they are.
//
// Not here: reading the command line (ops/flags.h), what the rules are (proxy/).

#pragma once

#include "base/error.h"
#include "ops/node_config.h"

#include <functional>
#include <memory>
#include <string_view>

namespace waypost::ops {

// Made and used on one thread.
class NodeLifeCycle {
 public:
  // Takes one line of output, without its end.
  using PrintLine = std::function<void(std::string_view)>;

  // Chooses the backend, opens sockets, reads the manifests.  Rules are written by run(), which
  // prints "ready" once they are in force.
  static Result<std::unique_ptr<NodeLifeCycle>> start(NodeConfig config, PrintLine print);
  ~NodeLifeCycle();
  NodeLifeCycle(const NodeLifeCycle&) = delete;
  NodeLifeCycle& operator=(const NodeLifeCycle&) = delete;

  // Follows changes until SIGINT or SIGTERM.
  void run();

 private:
  struct State;
  explicit NodeLifeCycle(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Removes every chain and jump of a Service proxy, this one or kube-proxy's iptables mode, from
// both backends and both families, and nothing else.  Prints what was removed.
Result<void> clean_up(const NodeLifeCycle::PrintLine& print);

}  // namespace waypost::ops
