#include "ops/trial.h"

#include "base/ip_address.h"
#include "dns/response.h"

#include <utility>

namespace waypost::ops {

Trial::Trial(const server::Views& views) : responder_(views, counters_, 1), reply_(65535) {}

Bytes Trial::ask(const dns::Name& name, dns::RecordType type, server::Transport transport) {
  std::vector<std::uint8_t> request(dns::HeaderSize, 0);
  request[5] = 1;   // QDCOUNT (RFC 1035, 4.1.1)
  request[11] = 1;  // ARCOUNT
  request.insert(request.end(), name.wire().begin(), name.wire().end());
  const auto add_u16 = [&](std::uint16_t number) {
    request.push_back(static_cast<std::uint8_t>(number >> 8U));
    request.push_back(static_cast<std::uint8_t>(number & 0xffU));
  };
  add_u16(std::to_underlying(type));
  add_u16(std::to_underlying(dns::RecordClass::IN));
  // OPT (RFC 6891, 6.1.2) of a client that takes any size.
  request.push_back(0);
  add_u16(std::to_underlying(dns::RecordType::OPT));
  add_u16(65535);
  request.insert(request.end(), 6, 0);
  const server::Client client{.address = IpAddress::v4(127, 0, 0, 1),
                              .transport = transport,
                              .time = server::Moment::now(),
                              .is_trial = true};
  const server::Reply reply = responder_.resume(request, client, nullptr, nullptr, reply_);
  return Bytes(reply_).first(reply.size);
}

bool Trial::is_answered(const dns::Name& name, dns::RecordType type) {
  const Bytes reply = ask(name, type, server::Transport::Tcp);
  return reply.size() >= dns::HeaderSize && (reply[3] & 0xfU) == 0 && load_u16(&reply[6]) != 0;
}

}  // namespace waypost::ops
