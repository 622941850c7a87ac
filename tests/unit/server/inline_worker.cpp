#include "unit/server/inline_worker.h"

#include <utility>

namespace waypost::test {
namespace {

constexpr std::uint64_t Seed = 1;
const SocketAddress AnyPort{IpAddress::v4(127, 0, 0, 1), 0};

}  // namespace

InlineWorker::InlineWorker(server::Options options)
    : options_(std::move(options)),
      responder_(cluster_.views(), counters_, Seed),
      handover_(nullptr),
      tcp_(server::TcpShared{.context = context_,
                             .options = options_,
                             .transfers = transfers_,
                             .responder = responder_,
                             .counters = counters_,
                             .sampler = sampler_,
                             .open_connections = open_connections_}) {
  auto udp =
      server::open_udp(*context_, AnyPort, server::Claim::Alone, options_.udp_buffer_size).value();
  auto tcp = server::open_tcp(*context_, AnyPort, server::Claim::Alone).value();
  udp_address_ = {AnyPort.address, udp.local_endpoint().port()};
  tcp_address_ = {AnyPort.address, tcp.local_endpoint().port()};
  udp_ = std::make_unique<server::UdpWorker>(std::move(udp), batch_, responder_, handover_,
                                             counters_, sampler_);
  udp_->start();
  tcp_.add(std::move(tcp));
  tcp_.start();
}

InlineWorker::~InlineWorker() {
  udp_->close();
  tcp_.close();
  context_->run();  // Until every wait has ended.
}

}  // namespace waypost::test
