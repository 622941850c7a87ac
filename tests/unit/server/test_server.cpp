#include "unit/server/test_server.h"

#include "zones/zone_loader.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <thread>
#include <utility>

namespace waypost::test {
namespace {

std::shared_ptr<const zones::Zone> example_zone() {
  std::string text =
      "@ 60 IN SOA ns hostmaster 1 60 60 60 60\n"
      "@ 60 IN NS ns\n"
      "ns 60 IN A 192.0.2.1\n"
      "www 60 IN A 192.0.2.2\n";
  for (int i = 0; i < 240; ++i) {
    text += "big 60 IN TXT \"" + std::to_string(i) + std::string(200, 'x') + "\"\n";
  }
  auto zone = zones::parse_zone(text, "example.test.zone", *dns::Name::from_text("example.test."));
  if (!zone) {
    throw std::runtime_error(zone.error().message);
  }
  return *std::move(zone);
}

server::AnswerPolicy transfers_to_loopback() {
  server::AnswerPolicy policy;
  policy.transfer_allow = {*IpPrefix::from_text("127.0.0.0/8")};
  return policy;
}

}  // namespace

TestServer::TestServer(server::Options options, server::TransferSource transfers,
                       const resolver::AnswerCache* answers, server::Inheritance* inheritance)
    : cluster_(default_options(), {example_zone()}, transfers_to_loopback()) {
  if (options.listen.empty()) {
    options.listen = {LoopbackV4};
  }
  cluster_.set_answers(answers);
  auto server =
      server::Server::start(options, cluster_.views(), std::move(transfers), nullptr, inheritance);
  if (!server) {
    throw std::runtime_error(server.error().message);
  }
  server_ = *std::move(server);
}

bool TestServer::comes_true(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + Patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

Message query(std::uint16_t id, const std::string& name, dns::RecordType type) {
  return make_query({.name = name, .type = type, .id = id});
}

std::string summary(const std::optional<Message>& response) {
  if (!response) {
    return "nothing";
  }
  const ResponseText text = response_text(*response);
  return std::to_string(text.id) + " " + text.rcode + " " + std::to_string(text.answer.size());
}

}  // namespace waypost::test
