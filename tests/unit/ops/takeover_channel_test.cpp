#include "ops/takeover_channel.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;
using Kind = TakeoverMessage::Kind;
using std::chrono::milliseconds;

std::pair<OwnedFd, OwnedFd> connection() {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {OwnedFd(ends[0]), OwnedFd(ends[1])};
}

// Some file.
OwnedFd descriptor() {
  return OwnedFd(dup(STDOUT_FILENO));
}

}  // namespace

TEST_CASE("messages arrive whole and in order, with their descriptors") {
  auto [here, there] = connection();
  TakeoverMessage large{.kind = Kind::Connection,
                        .octets = std::vector<std::uint8_t>(TakeoverMessage::MaxOctets, 7)};
  for (std::size_t i = 0; i < TakeoverMessage::MaxDescriptors; ++i) {
    large.descriptors.push_back(descriptor());
  }
  CHECK(send_message(here.get(), large).value_or(false));
  CHECK(send_message(here.get(), {.kind = Kind::Go}).value_or(false));
  const auto first = receive_message(there.get(), milliseconds(1000));
  REQUIRE(first);
  CHECK(first->kind == Kind::Connection);
  CHECK(first->octets == large.octets);
  CHECK(first->descriptors.size() == TakeoverMessage::MaxDescriptors);
  const auto second = receive_message(there.get(), milliseconds(1000));
  REQUIRE(second);
  CHECK(second->kind == Kind::Go);
  CHECK(second->octets.empty());
  const auto peer = peer_of(there.get());
  REQUIRE(peer);
  CHECK(peer->process == getpid());
  CHECK(peer->user == geteuid());
}

TEST_CASE("what is no message, and the end, are errors") {
  auto [here, there] = connection();
  CHECK(receive_message(there.get(), milliseconds(1)).error().message ==
        "the other process did not answer within 1 ms");
  for (const std::string& text : {std::string("x"), std::string("H").append(20000, 'x')}) {
    REQUIRE(send(here.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    CHECK(receive_message(there.get(), milliseconds(1000)).error().message ==
          "found a message of another program, or version, expected one of a takeover");
  }
  here = OwnedFd();
  CHECK(receive_message(there.get(), milliseconds(1000)).error().message ==
        "the other process has closed the connection");
  CHECK_FALSE(send_message(there.get(), {.kind = Kind::Go}));
}

TEST_CASE("a channel sends what there is no room for later, and tells of the end once") {
  constexpr std::size_t Count = 2000;  // Many times what the socket's buffer holds.
  auto [here, there] = connection();
  asio::io_context context;
  const auto sender = std::make_shared<TakeoverChannel>(context, std::move(here));
  const auto receiver = std::make_shared<TakeoverChannel>(context, std::move(there));
  std::size_t received = 0;
  std::size_t descriptors = 0;
  unsigned ends = 0;
  sender->start([](const TakeoverMessage&) {}, [](const Error&) {});
  receiver->start(
      [&](const TakeoverMessage& message) {
        CHECK(message.octets == std::vector<std::uint8_t>(1 + received % 4000, 1));
        descriptors += message.descriptors.size();
        if (++received == Count) {
          CHECK(sender->is_idle());
          sender->close();
        }
      },
      [&](const Error&) { ++ends; });
  for (std::size_t i = 0; i < Count; ++i) {
    TakeoverMessage message{.kind = Kind::Connection,
                            .octets = std::vector<std::uint8_t>(1 + i % 4000, 1)};
    message.descriptors.push_back(descriptor());
    sender->send(std::move(message));
  }
  CHECK_FALSE(sender->is_idle());
  context.run();
  CHECK(received == Count);
  CHECK(descriptors == Count);
  CHECK(ends == 1);
  sender->send({.kind = Kind::Go});  // To nobody.
  CHECK(sender->is_idle());
}

}  // namespace waypost::ops
