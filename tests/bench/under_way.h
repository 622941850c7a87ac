// The questions that have no answer yet, by id.

#pragma once

#include "base/bytes.h"
#include "bench/load.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace waypost::bench {

// Looks at answers and counts them in a LoadResult.
class UnderWay {
 public:
  using Clock = std::chrono::steady_clock;

  // `result` is borrowed for as long as this lives.
  UnderWay(Peer peer, Transport transport, LoadResult& result)
      : peer_(peer), transport_(transport), result_(result), asked_(Ids) {}

  std::size_t size() const noexcept { return size_; }

  // Notes `question`, asked on the socket of that number, and returns its id.  One that was asked
  // with the same id, Ids questions ago, is lost.
  std::uint16_t add(const Question& question, std::size_t socket, Clock::time_point due) noexcept;
  // Takes the last `count` questions back: they were not sent.
  void remove_last(std::size_t count) noexcept;
  // Counts an answer that came on that socket.
  void take(Bytes answer, std::size_t socket, Clock::time_point now) noexcept;
  // All questions under way are lost.
  void give_up() noexcept;

 private:
  static constexpr std::size_t Ids = 65536;

  struct Entry {
    const Question* question = nullptr;  // Null: not under way.
    Clock::time_point due;
    std::size_t socket = 0;
  };

  bool is_expected(const Question& question, Bytes answer) const noexcept;

  Peer peer_;
  Transport transport_;
  LoadResult& result_;
  std::vector<Entry> asked_;
  std::size_t size_ = 0;
  std::uint16_t next_id_ = 0;
};

// When how many questions are due.
class Schedule {
 public:
  using Clock = UnderWay::Clock;

  Schedule(const LoadOptions& options, Clock::time_point start)
      : start_(start), rate_(options.rate), count_(options.count) {}

  // Questions that may be asked now, at most `room`; `asked` of all were asked already.
  std::size_t due(Clock::time_point now, std::uint64_t asked, std::size_t room) const noexcept;
  // When question number `index` is due; nothing when it is so at any time.
  std::optional<Clock::time_point> due_at(std::uint64_t index) const noexcept;
  bool is_over(std::uint64_t asked) const noexcept { return count_ > 0 && asked >= count_; }

 private:
  Clock::time_point start_;
  double rate_;
  std::uint64_t count_;
};

inline constexpr std::chrono::milliseconds LossTimeout{2000};

// CPU time of the calling thread.
double thread_cpu_seconds() noexcept;

}  // namespace waypost::bench
