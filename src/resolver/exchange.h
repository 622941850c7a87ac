// One question to one upstream: sent, waited for, checked, repeated in another way where that
// helps.
//
//   UDP: an answer with TC, or too many messages that are none   -> again over TCP
//   FORMERR or NOTIMP to EDNS (RFC 6891, 7)                      -> again without, and remembered
//   the question comes back in another case                      -> again over TCP; remembered if
//                                                                   the server does so there too
//   a connection that had worked is closed (RFC 7766, 6.2.4)     -> again on another
//
// All of that within the time for one upstream.  Each question over UDP has a socket of its own:
// connected, so that the kernel drops what comes from elsewhere and tells of ICMP errors, and at a
// port of the kernel's random choice (RFC 5452, 9.2).

#pragma once

#include "base/alarm.h"
#include "dns/types.h"
#include "resolver/outgoing_question.h"
#include "resolver/question.h"
#include "resolver/stream_pool.h"
#include "resolver/upstream.h"

#include <boost/asio/ip/udp.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace waypost::resolver {

struct AnswerOutline;

// What an upstream said.
struct Answer {
  std::vector<std::uint8_t> octets;
  dns::Rcode rcode = dns::Rcode::NoError;
  // A referral to other servers, or nothing at all from a server that does not recurse.
  bool is_lame = false;

  // NoError and NxDomain that are not lame, and what DNAME may lead to (RFC 6672, 2.2).
  bool is_good() const noexcept;
};

enum class ExchangeFailure : std::uint8_t {
  Timeout,
  Unreachable,
  TlsRefused,
  BadAnswers,
  Overloaded,  // No socket, connection or room is left.
};

using ExchangeResult = std::expected<Answer, ExchangeFailure>;

// What a question is asked for.  How long a probe takes says nothing about questions.
enum class Purpose : std::uint8_t { Query, Probe };

// One thread; held by a shared_ptr.  Destroyed early it is given up, and nothing is counted.
class Exchange final : public StreamClient, public std::enable_shared_from_this<Exchange> {
 public:
  // Messages over UDP that are no answer, before TCP is asked instead: on a connected socket nobody
  // but the server sends any by mistake, and each is somebody's guess.
  static constexpr std::size_t MaxMismatches = 3;
  static constexpr std::size_t MaxStreamTries = 16;

  using Done = std::function<void(ExchangeResult)>;

  // `question` is borrowed until the end.  `done` is called once, from the event loop.
  Exchange(std::shared_ptr<Upstream> upstream, const Question& question, Purpose purpose,
           Done done);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void start();

  // StreamClient.
  void on_message(Bytes message) override;
  void on_stream_end(StreamEnd end, bool was_good) override;

 private:
  void write_question();
  void send();
  void send_datagram();
  void send_on_stream();
  void wait_for_datagram();
  void take_datagrams();

  // Returns false when the message is no answer, and more may come.
  bool take_message(Bytes message);
  bool reject(bool is_worth_waiting);
  void take_answer(Bytes message, const AnswerOutline& outline);
  void take_bare_error(Bytes message);
  bool is_deaf_to_edns(dns::Rcode rcode, bool has_edns) const noexcept;
  void repeat_without_edns();
  void conclude(Answer answer);

  void change_to_stream();
  void finish(ExchangeResult result);
  // From the event loop, for what fails at once.
  void finish_soon(ExchangeFailure failure);
  void on_timeout();
  void drop_socket() noexcept;

  const std::shared_ptr<Upstream> upstream_;
  const Question& question_;
  const Purpose purpose_;
  Done done_;
  Alarm alarm_;
  AlarmClock::Time started_at_;
  OutgoingQuestion message_;
  std::optional<boost::asio::ip::udp::socket> socket_;
  std::optional<StreamPool::Ticket> ticket_;
  bool has_entered_ = false;
  bool uses_stream_;
  bool without_edns_ = false;  // Because the server did not understand it, this time.
  std::size_t mismatches_ = 0;
  std::size_t stream_tries_ = 0;
};

}  // namespace waypost::resolver
