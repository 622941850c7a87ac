#include "unit/server/test_server.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;
using server::Counters;
using server::TransferMessages;

using Done = std::function<void(TransferMessages)>;

// Stands for the control thread: keeps what it is asked until the test answers.
class TransferDesk {
 public:
  server::TransferSource source() {
    return [this](std::vector<std::uint8_t> request, Done done) {
      const std::lock_guard lock(mutex_);
      requests_.emplace_back(std::move(request), std::move(done));
      arrived_.notify_all();
    };
  }
  // The next request; waits for it.
  std::pair<Message, Done> take() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, Patience, [&] { return !requests_.empty(); })) {
      return {{}, [](auto) {}};
    }
    auto first = std::move(requests_.front());
    requests_.erase(requests_.begin());
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::pair<Message, Done>> requests_;
};

Message axfr(std::uint16_t id) {
  return query(id, "example.test.", RecordType::AXFR);
}

TEST_CASE("a transfer's messages are sent in order, between the answers around it") {
  TransferDesk desk;
  TestServer server({}, desk.source());
  TcpClient client(server.address(), 4096);
  Message stream;
  for (const Message& message : {query(1), axfr(2), query(3)}) {
    const Message one = framed(message);
    stream.insert(stream.end(), one.begin(), one.end());
  }
  client.send(stream);
  CHECK(summary(client.receive()) == "1 NOERROR 1");

  auto [request, done] = desk.take();
  CHECK(request == axfr(2));
  TransferMessages messages;
  for (std::uint8_t i = 0; i < 50; ++i) {
    messages.emplace_back(60000, i);
  }
  std::thread control([&] { done(messages); });
  for (const Message& expected : messages) {
    CHECK(client.receive() == expected);
  }
  control.join();
  CHECK(summary(client.receive()) == "3 NOERROR 1");
  CHECK(server.count(&Counters::transfers) == 1);
}

TEST_CASE("a second transfer on the same connection is served too") {
  TransferDesk desk;
  TestServer server({}, desk.source());
  TcpClient client(server.address());
  for (std::uint8_t i = 1; i <= 2; ++i) {
    client.send(framed(axfr(i)));
    desk.take().second({Message(100, i)});
    CHECK(client.receive() == Message(100, i));
  }
}

TEST_CASE("a source that is done at once is as good as one that is done later") {
  TestServer server({}, [](auto, const Done& done) { done({Message(100, 7)}); });
  TcpClient client(server.address());
  client.send(framed(axfr(1)));
  CHECK(client.receive() == Message(100, 7));
}

TEST_CASE("a transfer without messages closes the connection") {
  TransferDesk desk;
  TestServer server({}, desk.source());
  TcpClient client(server.address());
  client.send(framed(axfr(1)));
  desk.take().second({});
  CHECK(client.is_closed());
}

TEST_CASE("a server without transfers closes the connection that asks for one") {
  TestServer server;
  TcpClient client(server.address());
  client.send(framed(axfr(1)));
  CHECK(client.is_closed());
}

TEST_CASE("a transfer that is never made is given up after the idle timeout") {
  TransferDesk desk;
  TestServer server({.tcp_idle_timeout = std::chrono::milliseconds(100)}, desk.source());
  TcpClient client(server.address());
  client.send(framed(axfr(1)));
  CHECK(client.is_closed());
  CHECK(server.count(&Counters::tcp_timeouts) == 1);
  desk.take().second({Message(100)});  // Too late, and harmless.
}

TEST_CASE("a client that takes no transfer is closed after the write timeout") {
  TransferDesk desk;
  TestServer server({.tcp_write_timeout = std::chrono::milliseconds(100)}, desk.source());
  TcpClient client(server.address(), 4096);
  client.send(framed(axfr(1)));
  desk.take().second(TransferMessages(200, Message(60000)));
  CHECK(server.reaches(&Counters::tcp_timeouts, 1));
}

TEST_CASE("a transfer may be done after its client, or the server, has gone") {
  TransferDesk desk;
  TestServer server({}, desk.source());
  {
    TcpClient client(server.address());
    client.send(framed(axfr(1)));
    const auto [request, done] = desk.take();
    TcpClient gone = TcpClient(server.address());
    gone.send(framed(axfr(2)));
    done({Message(100)});
  }
  const auto [request, done] = desk.take();
  server.stop();
  done({Message(100)});
}

}  // namespace
}  // namespace waypost::test
