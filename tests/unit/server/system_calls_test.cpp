// Which system calls a batch costs, and how often a clock is read: the test looks on while a worker
// takes a turn.  A program of its own, because it is linked with a clock that counts, and without
// sanitizers, which make calls of their own.

#include "support/skip.h"
#include "unit/server/inline_worker.h"
#include "unit/server/test_client.h"
#include "unit/server/test_server.h"

#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

unsigned clock_reads = 0;

}  // namespace

// The linker leads everybody's clock_gettime() and steady_clock::now() here (--wrap).
extern "C" {
int __real_clock_gettime(clockid_t clock, timespec* time);
int __wrap_clock_gettime(clockid_t clock, timespec* time) {
  ++clock_reads;
  return __real_clock_gettime(clock, time);
}
std::int64_t __real__ZNSt6chrono3_V212steady_clock3nowEv();
std::int64_t __wrap__ZNSt6chrono3_V212steady_clock3nowEv() {
  ++clock_reads;
  return __real__ZNSt6chrono3_V212steady_clock3nowEv();
}
}

namespace waypost::test {
namespace {

using Calls = std::map<long, unsigned>;  // How often, by number.

// No worker makes these: they tell the tracer where the turn begins and ends.
constexpr long Begin = SYS_getppid;
constexpr long End = SYS_getpgrp;

// The system calls of `watched`, which is run in a child of this process, after `prepare`.  Absent
// when the kernel lets nobody trace.
std::optional<Calls> calls_of(const std::function<std::function<void()>()>& prepare) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
      _exit(77);
    }
    const std::function<void()> watched = prepare();
    raise(SIGSTOP);
    syscall(Begin);
    watched();
    syscall(End);
    _exit(0);
  }
  Calls calls;
  bool is_watched = false;
  bool is_entry = true;
  bool was_stopped = false;
  int status = 0;
  while (waitpid(child, &status, 0) == child && !WIFEXITED(status)) {
    REQUIRE(!WIFSIGNALED(status));
    if (!was_stopped) {
      was_stopped = true;
      ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      __ptrace_syscall_info info{};
      ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
      is_entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
      if (is_entry) {
        const auto number = static_cast<long>(info.entry.nr);
        is_watched = (is_watched || number == Begin) && number != End;
        calls[number] += is_watched && number != Begin ? 1 : 0;
      }
    }
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  }
  if (WEXITSTATUS(status) == 77) {
    return std::nullopt;
  }
  REQUIRE(WEXITSTATUS(status) == 0);
  std::erase_if(calls, [](const auto& entry) { return entry.second == 0; });
  return calls;
}

// Queries that wait in a worker's sockets, to be answered in one go.
struct Waiting {
  std::function<std::uint64_t()> answered;
  std::uint64_t count;
  std::shared_ptr<InlineWorker> worker;
  std::shared_ptr<void> client;  // Keeps its socket open.

  void answer() const {
    constexpr int MaxSteps = 100;
    for (int i = 0; answered() < count && i < MaxSteps; ++i) {
      worker->step();
    }
  }
};

// One has been answered already, so that everything is set up; the same for TCP.
Waiting over_udp(std::uint64_t count) {
  auto worker = std::make_shared<InlineWorker>();
  auto client = std::make_shared<UdpClient>(worker->udp_address());
  const auto answered = [worker] { return worker->counters().udp_queries(); };
  client->send(query(1, "none.cluster.local."));
  Waiting{answered, 1, worker, client}.answer();
  for (std::uint64_t i = 0; i < count; ++i) {
    client->send(query(1, "none.cluster.local."));
  }
  return {answered, count + 1, worker, client};
}

Waiting over_tcp(std::uint64_t count) {
  auto worker = std::make_shared<InlineWorker>();
  auto client = std::make_shared<TcpClient>(worker->tcp_address());
  const Message one = framed(query(1, "none.cluster.local."));
  Message all;
  for (std::uint64_t i = 0; i < count; ++i) {
    all.insert(all.end(), one.begin(), one.end());
  }
  const auto answered = [worker] { return worker->counters().tcp_queries(); };
  client->send(one);
  Waiting{answered, 1, worker, client}.answer();
  client->send(all);
  return {answered, count + 1, worker, client};
}

using Make = Waiting (*)(std::uint64_t count);

// Absent where nobody may trace.
std::optional<Calls> calls_to_answer(Make make, std::uint64_t count) {
  return calls_of([make, count] {
    return [waiting = make(count)] {
      waiting.answer();
      if (waiting.answered() != waiting.count) {
        std::abort();
      }
    };
  });
}

unsigned clock_reads_to_answer(Make make, std::uint64_t count) {
  const Waiting waiting = make(count);
  const unsigned before = clock_reads;
  waiting.answer();
  CHECK(waiting.answered() == waiting.count);
  return clock_reads - before;
}

std::string to_text(const Calls& calls) {
  std::string text;
  for (const auto& [number, count] : calls) {
    text += std::to_string(number) + " * " + std::to_string(count) + ", ";
  }
  return text;
}

TEST_CASE("a batch costs receive, send and wait, however many queries are in it") {
  struct Case {
    const char* what;
    Make make;
    std::uint64_t queries;
    Calls allowed;
  };
  // To wait is to tell epoll, and to ask it: perhaps once more, when it has nothing yet.  A UDP
  // socket that becomes busy leaves epoll, and comes back once it was found empty.
  const std::vector<Case> cases = {
      {"one over UDP",
       over_udp,
       1,
       {{SYS_epoll_wait, 3}, {SYS_epoll_ctl, 1}, {SYS_recvmmsg, 1}, {SYS_sendmmsg, 1}}},
      {"a batch over UDP",
       over_udp,
       server::UdpBatch::Size,
       {{SYS_epoll_wait, 3},
        {SYS_epoll_ctl, 3},
        {SYS_ioctl, 1},
        {SYS_recvmmsg, 2},
        {SYS_sendmmsg, 1}}},
      {"one over TCP",
       over_tcp,
       1,
       {{SYS_epoll_wait, 3}, {SYS_epoll_ctl, 1}, {SYS_recvfrom, 1}, {SYS_sendto, 1}}},
      {"a pipeline over TCP",
       over_tcp,
       64,
       {{SYS_epoll_wait, 3}, {SYS_epoll_ctl, 1}, {SYS_recvfrom, 1}, {SYS_sendto, 1}}},
  };
  for (const auto& [what, make, queries, allowed] : cases) {
    INFO(what);
    const std::optional<Calls> calls = calls_to_answer(make, queries);
    if (!calls) {
      skip("system calls of a batch: the kernel lets nobody trace");
      return;
    }
    INFO("calls by number: ", to_text(*calls));
    CHECK(calls->size() > 2);
    for (const auto& [number, times] : *calls) {
      CAPTURE(number);
      const auto at = allowed.find(number);
      CHECK(times <= (at == allowed.end() ? 0 : at->second));
    }
  }
}

TEST_CASE("no clock is read for a query") {
  for (const Make make : {over_udp, over_tcp}) {
    INFO(std::string(make == over_udp ? "UDP" : "TCP"));
    const unsigned for_one = clock_reads_to_answer(make, 1);
    CHECK(for_one > 0);  // The count works: a batch has a time.
    CHECK(clock_reads_to_answer(make, 64) <= for_one + 4);
  }
}

}  // namespace
}  // namespace waypost::test
