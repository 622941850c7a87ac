#include "bench/load.h"

#include "bench/datagrams.h"

#include <poll.h>

#include <algorithm>
#include <ctime>

namespace waypost::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int LossTimeout = 100;  // Milliseconds.

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Load {
 public:
  Load(const SocketAddress& server, Peer peer, std::vector<Question>& questions,
       const LoadOptions& options)
      : peer_(peer),
        questions_(questions),
        options_(options),
        outgoing_(options.batch),
        incoming_(options.batch),
        asked_(65536, nullptr),
        socket_(open_loopback()) {
    connect_socket(socket_, server);
  }
  ~Load() { close_socket(socket_); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  LoadResult run() {
    const auto start = Clock::now();
    const auto end = start + options_.duration;
    const double cpu_start = thread_cpu_seconds();
    auto now = start;
    while (now < end) {
      while (under_way_ + options_.batch <= options_.window && ask()) {
      }
      take_answers();
      now = Clock::now();
    }
    result_.seconds = std::chrono::duration<double>(now - start).count();
    result_.cpu_seconds = thread_cpu_seconds() - cpu_start;
    return result_;
  }

 private:
  // Sends one batch of questions; false when the kernel takes no more for now.
  bool ask() {
    for (std::size_t i = 0; i < options_.batch; ++i) {
      Question& question = questions_[(next_question_ + i) % questions_.size()];
      const auto id = static_cast<std::uint16_t>(next_id_ + i);
      store_u16(question.request.data(), id);
      if (asked_[id] != nullptr) {  // Asked 65536 questions ago.
        ++result_.lost;
        --under_way_;
      }
      asked_[id] = &question;
      outgoing_.put(i, question.request);
    }
    const std::size_t sent = outgoing_.send(socket_, options_.batch);
    for (std::size_t i = sent; i < options_.batch; ++i) {
      asked_[static_cast<std::uint16_t>(next_id_ + i)] = nullptr;
    }
    next_question_ = (next_question_ + sent) % questions_.size();
    next_id_ = static_cast<std::uint16_t>(next_id_ + sent);
    under_way_ += sent;
    return sent == options_.batch;
  }

  void take_answers() {
    std::size_t count = incoming_.receive(socket_);
    if (count == 0) {
      pollfd readable{socket_, POLLIN, 0};
      if (poll(&readable, 1, LossTimeout) == 0) {
        give_up();
      }
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      check(incoming_[i]);
    }
  }

  void check(Bytes answer) {
    const Question* question =
        answer.size() >= dns::HeaderSize ? asked_[load_u16(answer.data())] : nullptr;
    if (question == nullptr) {  // Too short, never asked, or a second time.
      ++result_.wrong;
      return;
    }
    asked_[load_u16(answer.data())] = nullptr;
    --under_way_;
    ++(is_right(answer, *question) ? result_.answers : result_.wrong);
  }

  bool is_right(Bytes answer, const Question& question) const {
    const Bytes request = question.request;
    if (peer_ == Peer::Echo) {
      return std::ranges::equal(answer.subspan(2), request.subspan(2));
    }
    constexpr std::uint8_t Response = 0x80;
    return answer.size() >= question.question_end && (answer[2] & Response) != 0 &&
           (answer[3] & 0x0f) == static_cast<std::uint8_t>(question.rcode) &&
           load_u16(answer.data() + 6) == question.answers &&
           std::ranges::equal(answer.subspan(12, question.question_end - 12),
                              request.subspan(12, question.question_end - 12));
  }

  void give_up() {
    result_.lost += under_way_;
    under_way_ = 0;
    std::ranges::fill(asked_, nullptr);
  }

  Peer peer_;
  std::vector<Question>& questions_;
  const LoadOptions& options_;
  Datagrams outgoing_;
  Datagrams incoming_;
  std::vector<const Question*> asked_;  // By id; null: not under way.
  std::size_t under_way_ = 0;
  std::size_t next_question_ = 0;
  std::uint16_t next_id_ = 0;
  LoadResult result_;
  int socket_;
};

}  // namespace

LoadResult run_load(const SocketAddress& server, Peer peer, std::vector<Question>& questions,
                    const LoadOptions& options) {
  return Load(server, peer, questions, options).run();
}

}  // namespace waypost::bench
