#include "bench/load.h"

#include "bench/datagrams.h"
#include "bench/under_way.h"

#include <poll.h>

#include <algorithm>

namespace waypost::bench {
namespace {

using Clock = UnderWay::Clock;

constexpr std::chrono::milliseconds MaxSleep{100};

class Load {
 public:
  Load(const SocketAddress& server, Peer peer, std::vector<Question>& questions,
       const LoadOptions& options)
      : questions_(questions),
        options_(options),
        outgoing_(options.batch),
        incoming_(options.batch),
        under_way_(peer, Transport::Udp, result_) {
    for (std::size_t i = 0; i < options.sockets; ++i) {
      readable_.push_back({open_connected(server), POLLIN, 0});
    }
  }
  ~Load() {
    for (const pollfd& entry : readable_) {
      close_socket(entry.fd);
    }
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  LoadResult run() {
    const auto start = Clock::now();
    const auto end = start + options_.duration;
    const double cpu_start = thread_cpu_seconds();
    const Schedule schedule(options_, start);
    now_ = last_event_ = start;
    while (now_ < end && !schedule.is_over(asked_)) {
      ask(schedule);
      take_answers(schedule.due_at(asked_).value_or(Clock::time_point::max()));
    }
    const auto last_question = now_;
    while (under_way_.size() > 0) {
      take_answers(Clock::time_point::max());
    }
    result_.seconds =
        std::chrono::duration<double>(std::max(last_question, last_event_) - start).count();
    result_.cpu_seconds = thread_cpu_seconds() - cpu_start;
    return result_;
  }

 private:
  // Sends batches of questions for as long as some are due, fit into the window, and are taken by
  // the kernel.  Without a rate there is room for a whole batch, or it waits.
  void ask(const Schedule& schedule) {
    const std::size_t batch = std::min(options_.batch, options_.window);
    while (true) {
      const std::size_t room = std::min(batch, options_.window - under_way_.size());
      const std::size_t count =
          room == batch || options_.rate > 0 ? schedule.due(now_, asked_, room) : 0;
      if (count == 0 || !ask(schedule, count)) {
        return;
      }
    }
  }

  bool ask(const Schedule& schedule, std::size_t count) {
    const std::size_t socket = next_socket_;
    next_socket_ = (next_socket_ + 1) % readable_.size();
    if (under_way_.size() == 0) {
      last_event_ = now_;
    }
    for (std::size_t i = 0; i < count; ++i) {
      Question& question = questions_[(asked_ + i) % questions_.size()];
      const auto due = schedule.due_at(asked_ + i).value_or(now_);
      store_u16(question.request.data(), under_way_.add(question, socket, due));
      outgoing_.put(i, question.request);
    }
    const std::size_t sent = outgoing_.send(readable_[socket].fd, count);
    under_way_.remove_last(count - sent);
    asked_ += sent;
    now_ = Clock::now();
    return sent == count;
  }

  // Takes what is there.  If that is nothing, waits until something is, or until `until`: first by
  // looking again and again, then asleep.
  void take_answers(Clock::time_point until) {
    const auto spin_end = now_ + options_.spin;
    do {
      const bool some = take_answers();
      if (some || now_ >= until) {
        return;
      }
    } while (now_ < spin_end || until - now_ < options_.spin);
    const auto lost_at = last_event_ + LossTimeout;
    const auto wake_at =
        std::clamp(std::min(until - options_.spin, lost_at), now_, now_ + MaxSleep);
    const timespec timeout{0, (wake_at - now_).count()};
    ppoll(readable_.data(), readable_.size(), &timeout, nullptr);
    if (!take_answers() && now_ >= lost_at) {
      under_way_.give_up();
      last_event_ = now_;
    }
  }

  bool take_answers() {
    bool some = false;
    for (std::size_t socket = 0; socket < readable_.size(); ++socket) {
      const std::size_t count = incoming_.receive(readable_[socket].fd);
      now_ = Clock::now();
      for (std::size_t i = 0; i < count; ++i) {
        under_way_.take(incoming_[i], socket, now_);
      }
      some |= count > 0;
    }
    if (some) {
      last_event_ = now_;
    }
    return some;
  }

  std::vector<Question>& questions_;
  const LoadOptions& options_;
  Datagrams outgoing_;
  Datagrams incoming_;
  std::vector<pollfd> readable_;
  LoadResult result_;
  UnderWay under_way_;
  std::uint64_t asked_ = 0;
  std::size_t next_socket_ = 0;
  Clock::time_point now_;         // Of the last look at the clock.
  Clock::time_point last_event_;  // The last answer, or when questions began to be under way.
};

}  // namespace

LoadResult run_load(const SocketAddress& server, Peer peer, std::vector<Question>& questions,
                    const LoadOptions& options) {
  return Load(server, peer, questions, options).run();
}

}  // namespace waypost::bench
