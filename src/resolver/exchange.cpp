#include "resolver/exchange.h"

#include "base/endpoint.h"
#include "resolver/answer_outline.h"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace waypost::resolver {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

// Servers send no more than they were told (UpstreamUdpSize), and some do.  What is longer is asked
// for over TCP.
constexpr std::size_t LargestDatagram = 4096;
// At one time from one socket, so that a flood does not hold up other questions.
constexpr int DatagramsPerTurn = 4;

}  // namespace

bool Answer::is_good() const noexcept {
  return !is_lame && (rcode == dns::Rcode::NoError || rcode == dns::Rcode::NxDomain ||
                      rcode == dns::Rcode::YxDomain);
}

Exchange::Exchange(std::shared_ptr<Upstream> upstream, const Question& question, Purpose purpose,
                   Done done)
    : upstream_(std::move(upstream)),
      question_(question),
      purpose_(purpose),
      done_(std::move(done)),
      alarm_(upstream_->surroundings().clock,
             [this] {
               const auto self = shared_from_this();
               on_timeout();
             }),
      uses_stream_(upstream_->address().transport != Transport::Udp) {}

Exchange::~Exchange() {
  if (ticket_) {
    upstream_->streams().forget(*ticket_, false);
  }
  if (has_entered_) {
    upstream_->leave();
  }
}

void Exchange::start() {
  const Surroundings& around = upstream_->surroundings();
  started_at_ = around.clock.now();
  has_entered_ = upstream_->enter();
  if (!has_entered_) {
    finish_soon(ExchangeFailure::Overloaded);
    return;
  }
  alarm_.set(started_at_ + around.options.upstream_timeout);
  write_question();
  send();
}

void Exchange::write_question() {
  Surroundings& around = upstream_->surroundings();
  const QuestionForm form{.random_case = around.options.query_case && upstream_->keeps_case(),
                          .edns = !without_edns_ && upstream_->speaks_edns(),
                          .padded = upstream_->address().transport == Transport::Tls};
  message_.write(question_, form, around.random);
}

void Exchange::send() {
  ++upstream_->counters().queries;
  if (uses_stream_) {
    send_on_stream();
  } else {
    send_datagram();
  }
}

// ---------------------------------------------------------------------------------------------

void Exchange::send_datagram() {
  Surroundings& around = upstream_->surroundings();
  const auto endpoint = to_endpoint<udp>(upstream_->address().socket, upstream_->address().scope);
  message_.set_id(static_cast<std::uint16_t>(around.random.next()));
  error_code code;
  socket_.emplace(around.executor);
  socket_->open(endpoint.protocol(), code);
  if (code) {
    ++upstream_->counters().overloads;
    finish_soon(ExchangeFailure::Overloaded);  // No file descriptor or memory is left.
    return;
  }
  socket_->connect(endpoint, code);
  if (!code) {
    socket_->non_blocking(true, code);
  }
  if (code) {
    ++upstream_->counters().connection_failures;
    finish_soon(ExchangeFailure::Unreachable);
    return;
  }
  const Bytes octets = message_.octets();
  if (::send(socket_->native_handle(), octets.data(), octets.size(), MSG_NOSIGNAL) < 0 &&
      errno != EAGAIN && errno != ENOBUFS) {  // Those two are like a loss on the way.
    ++upstream_->counters().connection_failures;
    finish_soon(ExchangeFailure::Unreachable);
    return;
  }
  wait_for_datagram();
}

void Exchange::wait_for_datagram() {
  socket_->async_wait(udp::socket::wait_read, [weak = weak_from_this()](const error_code& code) {
    const auto self = weak.lock();
    if (!code && self && self->socket_) {
      self->take_datagrams();
    }
  });
}

void Exchange::take_datagrams() {
  std::array<std::uint8_t, LargestDatagram> buffer;
  for (int i = 0; i < DatagramsPerTurn; ++i) {
    const auto size =
        // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): it never blocks.
        ::recv(socket_->native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        break;
      }
      ++upstream_->counters().connection_failures;
      finish(std::unexpected(ExchangeFailure::Unreachable));  // ICMP: no such port, host, network.
      return;
    }
    const auto whole = static_cast<std::size_t>(size);
    if (whole > buffer.size()) {
      ++upstream_->counters().truncated;
      change_to_stream();
      return;
    }
    if (take_message(Bytes(buffer).first(whole))) {
      return;
    }
  }
  wait_for_datagram();
}

// ---------------------------------------------------------------------------------------------

void Exchange::send_on_stream() {
  ++stream_tries_;
  ticket_ = upstream_->streams().send(message_, *this);
  if (!ticket_) {
    ++upstream_->counters().overloads;
    finish_soon(ExchangeFailure::Overloaded);
  }
}

void Exchange::on_message(Bytes message) {
  const auto self = shared_from_this();
  ticket_.reset();
  take_message(message);
}

void Exchange::on_stream_end(StreamEnd end, bool was_good) {
  const auto self = shared_from_this();
  ticket_.reset();
  switch (end) {
    case StreamEnd::NoSocket:
      ++upstream_->counters().overloads;
      finish(std::unexpected(ExchangeFailure::Overloaded));
      return;
    case StreamEnd::Unreachable:
      finish(std::unexpected(ExchangeFailure::Unreachable));
      return;
    case StreamEnd::TlsRefused:
      finish(std::unexpected(ExchangeFailure::TlsRefused));
      return;
    case StreamEnd::Garbage:
      finish(std::unexpected(ExchangeFailure::BadAnswers));
      return;
    case StreamEnd::TimedOut:
    case StreamEnd::Closed:
    case StreamEnd::Idle:
      break;
  }
  if (was_good && stream_tries_ < MaxStreamTries) {
    send();
    return;
  }
  finish(std::unexpected(end == StreamEnd::TimedOut ? ExchangeFailure::Timeout
                                                    : ExchangeFailure::Unreachable));
}

void Exchange::change_to_stream() {
  drop_socket();
  uses_stream_ = true;
  send();
}

// ---------------------------------------------------------------------------------------------

bool Exchange::take_message(Bytes message) {
  switch (message_.match(message)) {
    case AnswerMatch::WrongId:
    case AnswerMatch::NotAResponse:
    case AnswerMatch::WrongQuestion:
      return reject(true);
    case AnswerMatch::WrongCase:
      if (!uses_stream_) {
        return reject(false);
      }
      upstream_->note_lost_case();
      break;
    case AnswerMatch::BareError:
      take_bare_error(message);
      return true;
    case AnswerMatch::Answer:
      break;
  }
  dns::Response& response = *upstream_->surroundings().response;
  if (!dns::read_response(message, response)) {
    return reject(true);
  }
  take_answer(message, AnswerOutline::of(response));
  return true;
}

// A message that is no answer: it is waited on, or TCP is asked, where nobody else can send one.
bool Exchange::reject(bool is_worth_waiting) {
  ++upstream_->counters().mismatches;
  ++mismatches_;
  if (uses_stream_) {
    finish(std::unexpected(ExchangeFailure::BadAnswers));
    return true;
  }
  if (is_worth_waiting && mismatches_ < MaxMismatches) {
    return false;
  }
  change_to_stream();
  return true;
}

void Exchange::take_answer(Bytes message, const AnswerOutline& outline) {
  if (outline.is_truncated) {
    ++upstream_->counters().truncated;
    if (uses_stream_) {
      finish(std::unexpected(ExchangeFailure::BadAnswers));
    } else {
      change_to_stream();
    }
    return;
  }
  if (is_deaf_to_edns(outline.rcode, outline.has_edns)) {
    repeat_without_edns();
    return;
  }
  conclude({.octets = {message.begin(), message.end()},
            .rcode = outline.rcode,
            .is_lame = outline.is_lame});
}

void Exchange::repeat_without_edns() {
  ++upstream_->counters().without_edns;
  without_edns_ = true;
  drop_socket();
  write_question();
  send();
}

void Exchange::take_bare_error(Bytes message) {
  const auto rcode = static_cast<dns::Rcode>(message[3] & 0x0f);
  if (is_deaf_to_edns(rcode, false)) {
    repeat_without_edns();
    return;
  }
  // Made whole, so that whoever gets it finds the question.
  const Bytes asked = message_.octets();
  const std::size_t size = dns::HeaderSize + question_.name.size + 4;
  Answer answer{.octets = {asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(size)},
                .rcode = rcode};
  std::copy_n(message.begin(), 4, answer.octets.begin());
  answer.octets[2] = static_cast<std::uint8_t>(answer.octets[2] & ~0x02);  // No TC.
  std::fill_n(answer.octets.begin() + 6, 6, std::uint8_t{0});
  conclude(std::move(answer));
}

// A server that knows EDNS says so in its errors as well (RFC 6891, 7).
bool Exchange::is_deaf_to_edns(dns::Rcode rcode, bool has_edns) const noexcept {
  if (!message_.has_edns()) {
    return false;
  }
  return rcode == dns::Rcode::BadVers ||
         (!has_edns && (rcode == dns::Rcode::FormErr || rcode == dns::Rcode::NotImp));
}

void Exchange::conclude(Answer answer) {
  ++upstream_->counters().rcodes[dns::rcode_place(answer.rcode)];
  upstream_->counters().lame += answer.is_lame ? 1 : 0;
  if (without_edns_ && answer.rcode != dns::Rcode::FormErr && answer.rcode != dns::Rcode::NotImp) {
    upstream_->note_no_edns();
  }
  if (purpose_ == Purpose::Query) {
    upstream_->note_answer(answer.rcode, upstream_->surroundings().clock.now() - started_at_);
  }
  finish(std::move(answer));
}

// ---------------------------------------------------------------------------------------------

void Exchange::on_timeout() {
  ++upstream_->counters().timeouts;
  if (ticket_) {
    upstream_->streams().forget(*std::exchange(ticket_, std::nullopt), true);
  }
  finish(std::unexpected(ExchangeFailure::Timeout));
}

void Exchange::finish(ExchangeResult result) {
  if (!done_) {
    return;
  }
  alarm_.cancel();
  drop_socket();
  if (std::exchange(has_entered_, false)) {
    upstream_->leave();
  }
  if (!result && result.error() != ExchangeFailure::Overloaded && purpose_ == Purpose::Query) {
    upstream_->note_loss();
  }
  const Done done = std::exchange(done_, nullptr);
  done(std::move(result));
}

void Exchange::finish_soon(ExchangeFailure failure) {
  asio::post(upstream_->surroundings().executor, [weak = weak_from_this(), failure] {
    if (const auto self = weak.lock()) {
      self->finish(std::unexpected(failure));
    }
  });
}

void Exchange::drop_socket() noexcept {
  socket_.reset();
}

}  // namespace waypost::resolver
