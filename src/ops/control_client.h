// What an operator asks of a waypost-dns that runs, over its control address.
//
// Not here: what the server does then (ops/control.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"

#include <string>

namespace waypost::ops {

// "waypost flush".
struct FlushRequest {
  SocketAddress control;
  std::string name;      // As it was typed.
  bool is_zone = false;  // Also what is below the name.
};

// Has it done and returns what the server says of it, a line.  Waits five seconds at most.  Fails,
// naming the address, when nobody answers, and with the server's words when it refuses.
Result<std::string> request_flush(const FlushRequest& request);

}  // namespace waypost::ops
