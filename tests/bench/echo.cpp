#include "bench/echo.h"

#include "bench/datagrams.h"
#include "server/udp_worker.h"

#include <poll.h>
#include <sys/socket.h>

namespace waypost::bench {

Echo::Echo(const SocketAddress& address)
    : socket_(open_bound(address)), address_(local_address(socket_)), thread_([this] { run(); }) {}

Echo::~Echo() {
  stop_ = true;
  thread_.join();
  close_socket(socket_);
}

void Echo::run() noexcept {
  Datagrams batch(server::UdpBatch::Size);
  while (!stop_) {
    pollfd readable{socket_, POLLIN, 0};
    poll(&readable, 1, 100);
    while (batch.receive(socket_) > 0) {
      batch.send_back(socket_);
    }
  }
}

}  // namespace waypost::bench
