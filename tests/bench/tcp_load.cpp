#include "bench/datagrams.h"
#include "bench/load.h"
#include "bench/under_way.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace waypost::bench {
namespace {

using Clock = UnderWay::Clock;

constexpr std::size_t LengthSize = 2;         // In front of every message (RFC 1035, 4.2.2).
constexpr std::size_t InputSize = 256 << 10;  // Room for several of the longest messages.

// One connection: what is still to be written, and what was read and is no whole message yet.
class Connection {
 public:
  explicit Connection(const SocketAddress& server)
      : fd_(socket(server.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        input_(InputSize) {
    if (fd_ < 0) {
      throw_errno("socket");
    }
    sockaddr_in6 form;
    const socklen_t size = to_sockaddr(server, form);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&form), size) != 0) {
      throw_errno(("connect to " + server.to_text()).c_str());
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() { close_socket(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const noexcept { return fd_; }
  bool has_output() const noexcept { return written_ < output_.size(); }

  void put(const Question& question, std::uint16_t id) {
    const std::size_t at = output_.size();
    output_.resize(at + LengthSize);
    store_u16(output_.data() + at, static_cast<std::uint16_t>(question.request.size()));
    output_.insert(output_.end(), question.request.begin(), question.request.end());
    store_u16(output_.data() + at + LengthSize, id);
  }

  void write() {
    while (has_output()) {
      const ssize_t taken = send(fd_, output_.data() + written_, output_.size() - written_,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
      if (taken < 0) {
        if (errno != EAGAIN) {
          throw_errno("writing to the server");
        }
        return;
      }
      written_ += static_cast<std::size_t>(taken);
    }
    output_.clear();
    written_ = 0;
  }

  // Reads once and calls `consumer` for each whole message.  Returns whether anything was read.
  template <typename Consumer>
  bool read(const Consumer& consumer) {
    const ssize_t count = recv(fd_, input_.data() + filled_, input_.size() - filled_, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) {
      return false;
    }
    if (count < 0) {
      throw_errno("reading from the server");
    }
    if (count == 0) {
      throw std::runtime_error("the server has closed the connection");
    }
    filled_ += static_cast<std::size_t>(count);
    // A server that writes each answer by itself, with Nagle's algorithm, waits for it.
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    std::size_t at = 0;
    while (filled_ - at >= LengthSize) {
      const std::size_t size = load_u16(input_.data() + at);
      if (filled_ - at - LengthSize < size) {
        break;
      }
      consumer(Bytes(input_).subspan(at + LengthSize, size));
      at += LengthSize + size;
    }
    std::copy(input_.data() + at, input_.data() + filled_, input_.data());
    filled_ -= at;
    return true;
  }

 private:
  int fd_;
  std::vector<std::uint8_t> output_;
  std::size_t written_ = 0;
  std::vector<std::uint8_t> input_;
  std::size_t filled_ = 0;
};

class TcpLoad {
 public:
  TcpLoad(const SocketAddress& server, const std::vector<Question>& questions,
          const LoadOptions& options)
      : questions_(questions),
        options_(options),
        under_way_(Peer::Server, Transport::Tcp, result_) {
    for (std::size_t i = 0; i < options.sockets; ++i) {
      connections_.push_back(std::make_unique<Connection>(server));
      ready_.push_back({connections_.back()->fd(), POLLIN, 0});
    }
  }

  LoadResult run() {
    const auto start = Clock::now();
    const auto end = start + options_.duration;
    const double cpu_start = thread_cpu_seconds();
    now_ = last_event_ = start;
    const Schedule schedule(options_, start);
    while (now_ < end && !schedule.is_over(asked_)) {
      ask(schedule);
      take_answers();
    }
    const auto last_question = now_;
    while (under_way_.size() > 0) {
      take_answers();
    }
    result_.seconds =
        std::chrono::duration<double>(std::max(last_question, last_event_) - start).count();
    result_.cpu_seconds = thread_cpu_seconds() - cpu_start;
    return result_;
  }

 private:
  void ask(const Schedule& schedule) {
    const std::size_t batch = std::min(options_.batch, options_.window);
    for (std::size_t tries = 0; tries < connections_.size(); ++tries) {
      const std::size_t room = std::min(batch, options_.window - under_way_.size());
      const std::size_t number = next_connection_;
      Connection& connection = *connections_[number];
      next_connection_ = (next_connection_ + 1) % connections_.size();
      if (room < batch || connection.has_output()) {
        continue;
      }
      const std::size_t count = schedule.due(now_, asked_, room);
      for (std::size_t i = 0; i < count; ++i) {
        const Question& question = questions_[asked_++ % questions_.size()];
        connection.put(question, under_way_.add(question, number, now_));
      }
    }
  }

  // Writes and reads what goes.  If nothing could be read, sleeps until something can.
  void take_answers() {
    const auto spin_end = now_ + options_.spin;
    do {
      if (exchange()) {
        return;
      }
    } while (now_ < spin_end);
    for (std::size_t i = 0; i < ready_.size(); ++i) {
      ready_[i].events = connections_[i]->has_output() ? POLLIN | POLLOUT : POLLIN;
    }
    if (poll(ready_.data(), ready_.size(), static_cast<int>(LossTimeout.count())) == 0) {
      under_way_.give_up();
    }
  }

  bool exchange() {
    bool some = false;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i]->write();
      const auto take = [&](Bytes message) { under_way_.take(message, i, now_); };
      some |= connections_[i]->read(take);
      now_ = Clock::now();
    }
    if (some) {
      last_event_ = now_;
    }
    return some;
  }

  const std::vector<Question>& questions_;
  const LoadOptions& options_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<pollfd> ready_;
  LoadResult result_;
  UnderWay under_way_;
  std::uint64_t asked_ = 0;
  std::size_t next_connection_ = 0;
  Clock::time_point now_;
  Clock::time_point last_event_;
};

}  // namespace

LoadResult run_tcp_load(const SocketAddress& server, const std::vector<Question>& questions,
                        const LoadOptions& options) {
  return TcpLoad(server, questions, options).run();
}

}  // namespace waypost::bench
