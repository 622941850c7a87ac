// A server on loopback with a few names, and the questions about them.

#pragma once

#include "server/server.h"
#include "support/cluster.h"
#include "support/dns_text.h"
#include "unit/server/test_client.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace waypost::test {

inline const SocketAddress LoopbackV4{IpAddress::v4(127, 0, 0, 1), 0};
inline const SocketAddress LoopbackV6{*IpAddress::from_text("::1"), 0};

// Names in the zone example.test, which may be transferred to loopback: "www" has an A record,
// "big" has more than 50 000 octets of TXT records.
class TestServer {
 public:
  // `options.listen` may be empty: then it is 127.0.0.1 with port 0.  Fails the test when the
  // server does not start.
  // With `answers` other names are to be resolved elsewhere, but nobody is there to do it.
  explicit TestServer(server::Options options = {}, server::TransferSource transfers = {},
                      const resolver::AnswerCache* answers = nullptr,
                      server::Inheritance* inheritance = nullptr);

  const SocketAddress& address(std::size_t index = 0) const { return server_->addresses()[index]; }
  server::Server& server() { return *server_; }
  // Over all workers, as server::sum().
  std::uint64_t count(auto counter) const { return server::sum(server_->counters(), counter); }
  // Waits until `counter` is at least `value`; false when it does not become so.
  bool reaches(auto counter, std::uint64_t value) const {
    return comes_true([&] { return count(counter) >= value; });
  }
  void stop() { server_.reset(); }

 private:
  static bool comes_true(const std::function<bool()>& holds);

  TestCluster cluster_;
  std::unique_ptr<server::Server> server_;
};

// A query for `name`'s records with this id.
Message query(std::uint16_t id, const std::string& name = "www.example.test.",
              dns::RecordType type = dns::RecordType::A);

// "ID RCODE ANSWERS" of a response, as in "7 NOERROR 1"; "nothing" when there is none.
std::string summary(const std::optional<Message>& response);

}  // namespace waypost::test
