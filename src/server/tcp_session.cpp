#include "server/tcp_session.h"

#include "base/rcu.h"
#include "server/recursion.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

namespace waypost::server {
namespace {

namespace asio = boost::asio;

constexpr auto Await = asio::as_tuple(asio::use_awaitable);

// Empties `octets` and frees its memory, which neither clear() nor the assignment of {} does.
void give_back(std::vector<std::uint8_t>& octets) noexcept {
  std::vector<std::uint8_t>().swap(octets);
}

// The first message in `input` without its length (RFC 1035, 4.2.2); absent until all of it is
// there.
std::optional<Bytes> first_message(Bytes input) noexcept {
  if (input.size() < 2 || input.size() - 2 < load_u16(input.data())) {
    return std::nullopt;
  }
  return input.subspan(2, load_u16(input.data()));
}

// True when the next message cannot be served: it is empty, or longer than there is room for.
bool is_unusable(Bytes input) noexcept {
  return input.size() >= 2 &&
         (load_u16(input.data()) == 0 || load_u16(input.data()) > TcpShared::MaxRequestSize);
}

// Fills `group` with the first messages that are whole and can be served; returns how many there
// are.
std::size_t take_group(Bytes input, std::span<Bytes> group) noexcept {
  std::size_t size = 0;
  while (size < group.size() && !is_unusable(input)) {
    const std::optional<Bytes> message = first_message(input);
    if (!message) {
      break;
    }
    group[size++] = *message;
    input = input.subspan(2 + message->size());
  }
  return size;
}

}  // namespace

TcpSession::TcpSession(TcpShared& shared, asio::ip::tcp::socket socket, const IpAddress& client,
                       std::vector<std::uint8_t> read)
    : shared_(shared),
      socket_(std::move(socket)),
      transfer_event_(socket_.get_executor()),
      answer_event_(socket_.get_executor()),
      client_{.address = client, .transport = Transport::Tcp},
      deadline_(Clock::now() + shared.options.tcp_idle_timeout),
      kept_(std::move(read)) {
  shared_.sessions.insert(this);
}

TcpSession::~TcpSession() {
  shared_.sessions.erase(this);
  shared_.open_connections.fetch_sub(1, std::memory_order_relaxed);
}

asio::awaitable<void> TcpSession::serve(std::shared_ptr<TcpSession> session) {
  while (session->socket_.is_open()) {
    switch (session->advance()) {
      case Need::Nothing:
        break;
      case Need::Turn:
        co_await asio::post(session->socket_.get_executor(), Await);
        break;
      case Need::Input:
        co_await session->wait_for_input();
        break;
      case Need::Output:
        co_await session->flush();
        break;
      case Need::Answer:
        co_await session->wait_for_answer();
        break;
      case Need::Transfer:
        co_await session->transfer();
        break;
      case Need::Leave:
        session->leave();
        break;
      case Need::Close:
        session->close();
        break;
    }
  }
}

void TcpSession::finish() noexcept {
  finishing_ = true;
  if (waits_for_input_) {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
}

void TcpSession::close() noexcept {
  boost::system::error_code ignored;
  socket_.close(ignored);
  transfer_event_.cancel();
  answer_event_.cancel();
}

TcpSession::Need TcpSession::advance() {
  if (unsent_.empty()) {
    unsent_.swap(arrived_);
  }
  if (!unsent_.empty()) {
    return Need::Output;
  }
  if (!transfer_request_.empty()) {
    return Need::Transfer;
  }
  if (closing_ || pending_ >= shared_.options.max_tcp_pipeline) {
    return pending_ == 0 ? Need::Close : Need::Answer;
  }
  std::size_t size = kept_.size();
  std::copy(kept_.begin(), kept_.end(), shared_.input.begin());
  if (!first_message(Bytes(shared_.input).first(size))) {
    if (const Need need = read(size); need != Need::Nothing) {
      return need;
    }
  }
  Bytes input = Bytes(shared_.input).first(size);
  std::size_t responses = 0;
  send(answer(input, responses));
  if (responses != 0) {
    shared_.counters.durations.add(Moment::us_since(client_.time.uptime_us), responses);
  }
  if (input.empty()) {
    give_back(kept_);
  } else {
    kept_.assign(input.begin(), input.end());
  }
  if (!unsent_.empty() || !transfer_request_.empty() || closing_) {
    return Need::Nothing;
  }
  return first_message(kept_) ? Need::Turn : need_input();
}

TcpSession::Need TcpSession::need_input() const noexcept {
  if (!finishing_) {
    return Need::Input;
  }
  if (pending_ != 0) {
    return Need::Answer;
  }
  return shared_.take_connection ? Need::Leave : Need::Close;
}

void TcpSession::leave() {
  boost::system::error_code error;
  const int fd = socket_.release(error);  // Off the reactor first: another process has it, too.
  if (error) {
    return close();
  }
  shared_.take_connection(OwnedFd(fd), std::exchange(kept_, {}));
}

TcpSession::Need TcpSession::read(std::size_t& size) {
  boost::system::error_code error;
  size += socket_.read_some(asio::buffer(shared_.input) + size, error);
  if (error == asio::error::would_block) {
    return need_input();
  }
  // At the end of input every whole message has been answered, or is about to be; half a message
  // has no answer.
  if (error == asio::error::eof && pending_ != 0) {
    closing_ = true;
    return Need::Answer;
  }
  return error ? Need::Close : Need::Nothing;
}

std::size_t TcpSession::answer(Bytes& input, std::size_t& responses) {
  std::size_t size = 0;
  std::array<Bytes, Responder::MaxRequests> group;
  std::size_t group_size = 0;
  std::size_t next = 0;  // In the group.
  const rcu::ReadSection section;
  client_.time = Moment::now();
  for (unsigned count = 0; count < shared_.options.max_tcp_pipeline; ++count) {
    if (size > TcpShared::GatherSize || pending_ >= shared_.options.max_tcp_pipeline) {
      break;
    }
    if (next == group_size) {
      const std::size_t left = shared_.options.max_tcp_pipeline - count;
      group_size = take_group(input, std::span(group).first(std::min(left, group.size())));
      next = 0;
      shared_.responder.read(std::span(group).first(group_size));
    }
    if (group_size == 0) {
      if (is_unusable(input)) {
        shared_.counters.dropped.add();
        closing_ = true;
      }
      break;
    }
    if (count == 0) {
      deadline_ = idle_deadline();
    }
    const std::size_t index = next++;
    const Bytes message = group[index];
    input = input.subspan(2 + message.size());
    if (shared_.sampler.is_due()) {
      shared_.sampler.take(message, client_.address);
    }
    const MutableBytes room = MutableBytes(shared_.output).subspan(size);
    const MutableBytes out = room.subspan(2, dns::MaxMessageSize);
    Reply reply = shared_.responder.answer(index, client_, out);
    if (reply.resolve) {
      if (hand_over(message)) {
        continue;
      }
      shared_.counters.handover_refused.add();
      reply = shared_.responder.refuse(index, client_, Recursion::TooManyWait, out);
    }
    if (reply.refresh && shared_.recursion != nullptr) {
      shared_.recursion->refresh(shared_.responder.elsewhere());
    }
    if (reply.transfer) {
      transfer_request_.assign(message.begin(), message.end());
      break;
    }
    if (reply.size == 0) {  // No DNS, or what a rule says nothing to.
      closing_ = true;
      break;
    }
    // Length and message go out in one segment where they can (RFC 7766, 8).
    store_u16(room.data(), static_cast<std::uint16_t>(reply.size));
    size += 2 + reply.size;
    ++responses;
  }
  return size;
}

void TcpSession::send(std::size_t size) {
  if (size == 0) {
    return;
  }
  boost::system::error_code error;
  const std::size_t sent = socket_.write_some(asio::buffer(shared_.output.data(), size), error);
  if (error && error != asio::error::would_block) {
    shared_.counters.send_failures.add();
    close();
    return;
  }
  unsent_.assign(shared_.output.begin() + static_cast<std::ptrdiff_t>(sent),
                 shared_.output.begin() + static_cast<std::ptrdiff_t>(size));
}

asio::awaitable<void> TcpSession::wait_for_input() {
  waits_for_input_ = true;
  const auto [error] = co_await socket_.async_wait(asio::socket_base::wait_read, Await);
  waits_for_input_ = false;
  // Otherwise deliver() or finish() has ended the wait.
  if (error && arrived_.empty() && !finishing_) {
    close();
  }
}

asio::awaitable<void> TcpSession::wait_for_answer() {
  answer_event_.expires_at(asio::steady_timer::time_point::max());
  co_await answer_event_.async_wait(Await);
}

asio::awaitable<void> TcpSession::flush() {
  deadline_ = Clock::now() + shared_.options.tcp_write_timeout;
  const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(unsent_), Await);
  if (error) {
    shared_.counters.send_failures.add();
    close();
  }
  give_back(unsent_);
  deadline_ = idle_deadline();
}

// ---------------------------------------------------------------------------------------------------
// Answers from elsewhere

TcpSession::Clock::time_point TcpSession::idle_deadline() const noexcept {
  return pending_ == 0 ? Clock::now() + shared_.options.tcp_idle_timeout : Clock::time_point::max();
}

bool TcpSession::hand_over(Bytes message) {
  if (shared_.recursion == nullptr || shared_.pending >= TcpShared::MaxPending) {
    return false;
  }
  ++shared_.pending;
  ++pending_;
  deadline_ = idle_deadline();
  shared_.recursion->ask(
      {message.begin(), message.end()}, client_,
      [context = std::weak_ptr(shared_.context), shared = &shared_,
       session = weak_from_this()](std::vector<std::uint8_t> answer) {
        const auto alive = context.lock();
        if (alive == nullptr) {
          return;
        }
        // What runs on the context ends before what it shares.
        asio::post(*alive, [shared, session, answer = std::move(answer)]() mutable {
          --shared->pending;
          if (const auto target = session.lock(); target != nullptr && target->socket_.is_open()) {
            target->deliver(std::move(answer));
          } else {
            shared->counters.abandoned.add();
          }
        });
      });
  return true;
}

void TcpSession::deliver(std::vector<std::uint8_t> answer) {
  --pending_;
  if (answer.empty()) {
    closing_ = true;
  } else {
    std::array<std::uint8_t, 2> length{};
    store_u16(length.data(), static_cast<std::uint16_t>(answer.size()));
    arrived_.insert(arrived_.end(), length.begin(), length.end());
    arrived_.insert(arrived_.end(), answer.begin(), answer.end());
  }
  answer_event_.cancel();
  if (waits_for_input_) {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
}

// ---------------------------------------------------------------------------------------------------
// Zone transfers

asio::awaitable<void> TcpSession::transfer() {
  if (!shared_.transfers) {  // The server offers none, whatever the policy says.
    close();
    co_return;
  }
  begin_transfer();
  deadline_ = Clock::now() + shared_.options.tcp_idle_timeout;
  while (!transfer_done_ && socket_.is_open()) {
    co_await transfer_event_.async_wait(Await);
  }
  const TransferMessages messages = std::exchange(transfer_messages_, {});
  closing_ = messages.empty();
  for (const std::vector<std::uint8_t>& message : messages) {
    if (!co_await send_message(message)) {
      shared_.counters.send_failures.add();
      close();
      co_return;
    }
  }
  deadline_ = Clock::now() + shared_.options.tcp_idle_timeout;
}

void TcpSession::begin_transfer() {
  transfer_done_ = false;
  transfer_event_.expires_at(asio::steady_timer::time_point::max());
  shared_.transfers(std::exchange(transfer_request_, {}),
                    [context = std::weak_ptr(shared_.context),
                     session = weak_from_this()](TransferMessages messages) {
                      const auto alive = context.lock();
                      if (alive == nullptr) {
                        return;
                      }
                      asio::post(*alive, [session, messages = std::move(messages)]() mutable {
                        if (const auto target = session.lock(); target != nullptr) {
                          target->transfer_messages_ = std::move(messages);
                          target->transfer_done_ = true;
                          target->transfer_event_.cancel();
                        }
                      });
                    });
}

asio::awaitable<bool> TcpSession::send_message(const std::vector<std::uint8_t>& message) {
  deadline_ = Clock::now() + shared_.options.tcp_write_timeout;
  std::array<std::uint8_t, 2> length{};
  store_u16(length.data(), static_cast<std::uint16_t>(message.size()));
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(length), asio::buffer(message)};
  const auto [error, size] = co_await asio::async_write(socket_, parts, Await);
  co_return !error;
}

}  // namespace waypost::server
