#include "bench/under_way.h"

#include <algorithm>
#include <ctime>

namespace waypost::bench {

std::uint16_t UnderWay::add(const Question& question, std::size_t socket,
                            Clock::time_point due) noexcept {
  const std::uint16_t id = next_id_++;
  Entry& entry = asked_[id];
  if (entry.question != nullptr) {
    ++result_.lost;
    --size_;
  }
  entry = {.question = &question, .due = due, .socket = socket};
  ++size_;
  return id;
}

void UnderWay::remove_last(std::size_t count) noexcept {
  for (; count > 0; --count) {
    asked_[--next_id_].question = nullptr;
    --size_;
  }
}

void UnderWay::take(Bytes answer, std::size_t socket, Clock::time_point now) noexcept {
  Entry* entry = answer.size() >= dns::HeaderSize ? &asked_[load_u16(answer.data())] : nullptr;
  if (entry == nullptr || entry->question == nullptr || entry->socket != socket) {
    ++result_.wrong;  // Too short, never asked, answered already, or somebody else's.
    return;
  }
  const bool right = is_expected(*entry->question, answer);
  entry->question = nullptr;
  --size_;
  if (!right) {
    ++result_.wrong;
    return;
  }
  ++result_.answers;
  result_.latencies.add(now - entry->due);
}

void UnderWay::give_up() noexcept {
  result_.lost += size_;
  size_ = 0;
  std::ranges::fill(asked_, Entry{});
}

bool UnderWay::is_expected(const Question& question, Bytes answer) const noexcept {
  if (peer_ == Peer::Echo) {
    return std::ranges::equal(answer.subspan(2), Bytes(question.request).subspan(2));
  }
  return is_right(question, answer, transport_);
}

std::size_t Schedule::due(Clock::time_point now, std::uint64_t asked,
                          std::size_t room) const noexcept {
  std::uint64_t due = room;
  if (rate_ > 0) {
    const double since = std::chrono::duration<double>(now - start_).count();
    const auto until_now = static_cast<std::uint64_t>(since * rate_) + 1;
    due = std::min(due, until_now - std::min(asked, until_now));
  }
  if (count_ > 0) {
    due = std::min(due, count_ - std::min(asked, count_));
  }
  return due;
}

std::optional<Schedule::Clock::time_point> Schedule::due_at(std::uint64_t index) const noexcept {
  if (rate_ <= 0) {
    return std::nullopt;
  }
  const std::chrono::duration<double> offset(static_cast<double>(index) / rate_);
  return start_ + std::chrono::duration_cast<Clock::duration>(offset);
}

double thread_cpu_seconds() noexcept {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace waypost::bench
