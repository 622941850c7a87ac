// From a worker to who asks other servers: popular answers that are asked for again before they
// expire, queries that come before anybody is there to ask, queries that are too many, and queries
// that a rule has come to forbid meanwhile.

#include "base/alarm.h"
#include "policy/policy.h"
#include "resolver/resolver.h"
#include "search/pod_directory.h"
#include "server/recursion.h"
#include "server/server.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "unit/server/test_client.h"
#include "unit/server/test_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace waypost::test {
namespace {

constexpr std::uint8_t Ttl = 100;
constexpr std::uint32_t Age = 95;  // Of Ttl the last tenth has begun.
constexpr int Asked = 6;           // More than enough to be popular.

enum class Resolver : std::uint8_t { Runs, IsLate };

// A server with one worker, whose resolver tells what it is to ask, and whom only fail() answers.
class Fixture {
 public:
  // A resolver that is late has to be started.
  explicit Fixture(Resolver when = Resolver::Runs, server::Options options = {}) {
    load_world(cluster.cache, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    cluster.cache.put(kube::Pod{.key = {"shop", "web-0"},
                                .ips = {IpAddress::v4(127, 0, 0, 1)},
                                .phase = kube::PodPhase::Running,
                                .search = kube::PodSearch()});
    cluster.set_answers(&answers);
    cluster.lend(views);
    views.answers = &answers;
    views.pods = &pods;
    keep_address("www.example.org.");
    options.listen = {LoopbackV4};
    auto started = server::Server::start(options, views, {}, &recursion);
    REQUIRE(started);
    server = *std::move(started);
    if (when == Resolver::Runs) {
      start_resolver();
    }
  }
  ~Fixture() { recursion.stop(); }

  void start_resolver() { REQUIRE(recursion.start()); }
  // "NAME TYPE" of the next question, or "nothing".
  std::string asked() {
    std::unique_lock lock(mutex);
    if (!news.wait_for(lock, Patience, [this] { return !questions.empty(); })) {
      return "nothing";
    }
    std::string first = questions.front();
    questions.erase(questions.begin());
    return first;
  }

  // What was asked first is answered.
  void answer(Message packet) {
    const std::lock_guard lock(mutex);
    boost::asio::post(context,
                      [done = waiting.front(), packet = std::move(packet)] { done(packet); });
  }
  // What was asked first fails.
  void fail() {
    const std::lock_guard lock(mutex);
    boost::asio::post(context, [done = waiting.front()] {
      done(std::unexpected(
          resolver::ForwardFailure{resolver::FailureKind::Timeout, "192.0.2.53:53"}));
    });
  }
  // From here on in force; borrowed.
  void set_rules(const policy::Policy* rules) { views.rules.store(rules); }

  const SocketAddress& address() const { return server->addresses().front(); }

  // That `name` has no A records, by the root.  REQUIRES: the resolver was not started.
  void keep_denial(const std::string& name) {
    keep(name, 9, {0, 0, 6, 0, 1, 0, 0, 0, Ttl, 0, 22, 0, 0, 0, 0, 0,  1,
                   0, 0, 0, 1, 0, 0, 0, 1, 0,   0, 0,  1, 0, 0, 0, Ttl});
  }

 private:
  void keep_address(const std::string& name) {
    keep(name, 7, {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, Ttl, 0, 4, 192, 0, 2, 1});
  }
  // An answer with `record`, in the section whose count stands at `count_at`.
  void keep(const std::string& name, std::size_t count_at, const Message& record) {
    resolver::Question question{.type = dns::RecordType::A};
    question.name.assign(dns::Name::from_text(name)->wire());
    Message packet = query(1, name);
    packet[2] |= 0x80;
    packet[count_at] = 1;
    packet.insert(packet.end(), record.begin(), record.end());
    auto response = std::make_unique<dns::Response>();
    REQUIRE(dns::read_response(packet, *response));
    REQUIRE(answers.store(question, packet, *response, server::Moment::now().uptime - Age));
  }

  TestCluster cluster;
  rcu::RetireList retired;
  search::PodDirectory pods{cluster.cache, {*dns::Name::from_text("cluster.local"), {}}, retired};
  resolver::AnswerCache answers{1 << 20};
  server::Views views;
  boost::asio::io_context context{1};
  SystemAlarmClock clock{context.get_executor()};
  std::mutex mutex;
  std::condition_variable news;
  std::vector<std::string> questions;
  std::vector<std::function<void(resolver::Reply)>> waiting;
  resolver::Resolver resolver{
      answers,
      clock,
      {.ask =
           [this](const resolver::Question& question, resolver::Effort, auto done) {
             const std::lock_guard lock(mutex);
             questions.push_back(question.to_text());
             waiting.push_back(std::move(done));
             news.notify_one();
           },
       .can_ask = [](const resolver::Question&) { return true; },
       .is_probe = [](const resolver::Question&) { return false; }},
      {}};
  server::Recursion recursion{context, resolver, views, 1};
  std::unique_ptr<server::Server> server;
};

TEST_CASE("a popular answer is asked for again, over UDP, over TCP, and at the end of a walk") {
  const auto over_udp = [](Fixture& f, const std::string& name) {
    UdpClient client(f.address());
    for (std::uint16_t id = 0; id < Asked; ++id) {
      client.send(query(id, name));
      CHECK(summary(client.receive()).starts_with(std::to_string(id) + " NOERROR"));
    }
  };
  SUBCASE("UDP") {
    Fixture f;
    over_udp(f, "www.example.org.");
    CHECK(f.asked() == "www.example.org. A");
  }
  SUBCASE("TCP") {
    Fixture f;
    TcpClient client(f.address());
    for (std::uint16_t id = 0; id < Asked; ++id) {
      CHECK(client.send(framed(query(id, "www.example.org."))));
      CHECK(summary(client.receive()).starts_with(std::to_string(id) + " NOERROR"));
    }
    CHECK(f.asked() == "www.example.org. A");
  }
  SUBCASE("walk") {
    Fixture f;
    over_udp(f, "www.example.org.shop.svc.cluster.local.");
    CHECK(f.asked() == "www.example.org. A");
  }
}

TEST_CASE("what else a walk is made of is asked for again when a step had to be asked for first") {
  Fixture f;
  UdpClient client(f.address());
  for (std::uint16_t id = 0; id < 3; ++id) {  // From the next look on it is popular.
    client.send(query(id, "www.example.org."));
    CHECK(summary(client.receive()).starts_with(std::to_string(id) + " NOERROR"));
  }
  client.send(query(9, "www.example.org.shop.svc.cluster.local.", dns::RecordType::AAAA));
  REQUIRE(f.asked() == "www.example.org. AAAA");
  Message none = query(1, "www.example.org.", dns::RecordType::AAAA);
  none[2] |= 0x80;
  f.answer(none);
  CHECK(summary(client.receive()).starts_with("9 NOERROR"));
  CHECK(f.asked() == "www.example.org. A");
}

TEST_CASE("what else a walk is made of is asked for again when a step cannot be asked for") {
  const auto expect_refresh = [](Fixture& f) {
    f.start_resolver();
    CHECK(f.asked() == "www.example.com. A");  // What filled the way to the resolver.
    CHECK(f.asked() == "none.example.org. A");
  };
  SUBCASE("UDP") {
    // So large that a question of ours still fits into the ring where none of these does.
    const auto large = [](std::uint16_t id, const std::string& name) {
      return make_query({.name = name,
                         .id = id,
                         .edns = true,
                         .options = option(12, Message(3850))});  // RFC 7830
    };
    Fixture f(Resolver::IsLate);
    UdpClient client(f.address());
    std::string first = "2 NXDOMAIN 0";
    for (int i = 0; i < 200 && first == "2 NXDOMAIN 0"; ++i) {
      client.send(large(1, "www.example.com."));
      client.send(query(2, "nobody.default.svc.cluster.local."));
      first = summary(client.receive());
    }
    REQUIRE(first == "1 SERVFAIL 0");
    REQUIRE(summary(client.receive()) == "2 NXDOMAIN 0");
    f.keep_denial("none.example.org.");
    for (std::uint16_t id = 3; id < 6; ++id) {
      client.send(query(id, "none.example.org."));
      REQUIRE(summary(client.receive()) == std::to_string(id) + " NOERROR 0");
    }
    client.send(large(9, "none.example.org.shop.svc.cluster.local."));
    CHECK(summary(client.receive()) == "9 SERVFAIL 0");
    expect_refresh(f);
  }
  SUBCASE("TCP") {
    constexpr unsigned MostPending = 4096;  // TcpShared::MaxPending
    Fixture f(Resolver::IsLate, {.max_tcp_pipeline = 2 * MostPending});
    TcpClient client(f.address());
    const Message fill = framed(query(1, "www.example.com."));
    for (unsigned i = 0; i < MostPending; ++i) {
      REQUIRE(client.send(fill));
    }
    REQUIRE(client.send(fill));
    REQUIRE(summary(client.receive()) == "1 SERVFAIL 0");
    f.keep_denial("none.example.org.");
    for (std::uint16_t id = 3; id < 6; ++id) {
      REQUIRE(client.send(framed(query(id, "none.example.org."))));
      REQUIRE(summary(client.receive()) == std::to_string(id) + " NOERROR 0");
    }
    REQUIRE(client.send(framed(query(9, "none.example.org.shop.svc.cluster.local."))));
    CHECK(summary(client.receive()) == "9 SERVFAIL 0");
    expect_refresh(f);
  }
}

TEST_CASE("a query that comes before anybody can ask for it is asked for afterwards") {
  Fixture f(Resolver::IsLate);
  UdpClient client(f.address());
  client.send(query(1, "www.example.com."));
  client.send(query(2, "nobody.default.svc.cluster.local."));
  CHECK(summary(client.receive()) == "2 NXDOMAIN 0");
  f.start_resolver();
  CHECK(f.asked() == "www.example.com. A");
}

TEST_CASE("a query that a rule has come to drop while it waited gets nothing") {
  policy::Options options;
  options.access.push_back(*policy::AccessRule::from_text("drop zone example.com"));
  const auto rules = policy::Policy::make(options, nullptr, nullptr, 1, server::reader_count({}));
  Fixture f;
  UdpClient client(f.address());
  client.send(query(1, "www.example.com."));
  REQUIRE(f.asked() == "www.example.com. A");
  f.set_rules(rules.get());
  f.fail();
  client.send(query(2, "nobody.default.svc.cluster.local."));
  CHECK(summary(client.receive()) == "2 NXDOMAIN 0");
  CHECK_FALSE(client.receive(std::chrono::milliseconds(300)));
}

}  // namespace
}  // namespace waypost::test
