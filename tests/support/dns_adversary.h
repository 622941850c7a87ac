// An upstream that does to a resolver what a test says, message by message: over UDP and TCP (or
// TLS) at the same port of the loopback, on the test's own io_context.

#pragma once

#include "support/test_certificates.h"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::test {

using Octets = std::vector<std::uint8_t>;

// A question as it came.
struct DnsQuestion {
  Octets message;
  std::uint16_t id = 0;
  std::string name;  // In the case in which it came, with the final dot.
  std::uint16_t type = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  bool has_edns = false;
  bool dnssec_ok = false;
  std::uint16_t udp_size = 0;
  std::size_t padding = 0;  // Octets of the padding option, its head not counted.
  bool over_stream = false;
  std::uint16_t port = 0;      // Whence it came.
  std::size_t connection = 0;  // From 1, over a stream.
};

// What is done with one.
struct DnsAct {
  enum class Kind : std::uint8_t {
    Send,           // `octets` as a message.
    SendElsewhere,  // As a datagram from another port, as somebody who spoofs would.
    SendRaw,        // `octets` into the stream as they are.
    Hold,           // As Send, but only at release().
    HalfClose,      // Ends our half of the stream, and goes on reading.
    Reset,          // Makes TCP send RST.
  };
  Kind kind = Kind::Send;
  Octets octets;
};
using DnsScript = std::vector<DnsAct>;

// Messages that answer a question.
Octets answer_to(const DnsQuestion& question, std::string_view ipv4 = "192.0.2.1");
Octets no_name(const DnsQuestion& question);                   // NXDOMAIN with a SOA.
Octets error_to(const DnsQuestion& question, unsigned rcode);  // With EDNS if it came with EDNS.
Octets error_without_edns(const DnsQuestion& question, unsigned rcode);
Octets bare_error(const DnsQuestion& question, unsigned rcode);  // A header only.
Octets truncated(const DnsQuestion& question);
Octets referral(
    const DnsQuestion& question);  // To name servers of ".", by one that does not recurse.

DnsAct say(Octets octets);
DnsAct hold(Octets octets);
DnsAct act(DnsAct::Kind kind, Octets octets = {});

class DnsAdversary {
 public:
  using Respond = std::function<DnsScript(const DnsQuestion& question)>;

  struct Tls {
    TestCertificate certificate;
    bool hangs = false;  // Never says a word.
  };

  // Answers everything well when there is no `respond`.  Listens on `host`, "127.0.0.1" or "::1".
  explicit DnsAdversary(boost::asio::io_context& context, Respond respond = {},
                        std::optional<Tls> tls = {}, std::string_view host = "127.0.0.1");
  ~DnsAdversary();
  DnsAdversary(const DnsAdversary&) = delete;
  DnsAdversary& operator=(const DnsAdversary&) = delete;

  std::uint16_t port() const noexcept;
  std::string address() const;  // "127.0.0.1:4711", "[::1]:4711"

  void set_respond(Respond respond);
  // Questions so far, but those that look for a loop, which get NXDOMAIN and are counted apart.
  const std::vector<DnsQuestion>& questions() const noexcept;
  const std::vector<DnsQuestion>& loop_probes() const noexcept;
  // Loop probes are not answered from now on, or only at release().
  void ignore_loop_probes();
  void hold_loop_probes();
  std::size_t connections() const noexcept;
  std::size_t open_connections() const noexcept;
  std::size_t held() const noexcept;

  // Sends what was held: the `index`-th of it, or everything.
  void release(std::size_t index);
  void release();
  void close_connections();
  // Nobody listens any more.
  void stop_udp();
  void stop_streams();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace waypost::test
