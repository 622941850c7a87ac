#include "base/child_process.h"

#include "base/owned_fd.h"
#include "base/pending.h"
#include "base/spawn_settings.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

namespace waypost {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

using Clock = std::chrono::steady_clock;

struct Pipe {
  OwnedFd read_end;
  OwnedFd write_end;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::nullopt;
  }
  return Pipe{OwnedFd(ends[0]), OwnedFd(ends[1])};
}

// This process's variables, `changes` applied.
std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> variables;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view variable(*at);
    const std::string_view name = variable.substr(0, variable.find('='));
    const bool is_changed = std::any_of(changes.begin(), changes.end(),
                                        [&](const auto& change) { return change.first == name; });
    if (!is_changed) {
      variables.emplace_back(variable);
    }
  }
  for (const auto& [name, value] : changes) {
    variables.emplace_back(name).append("=").append(value);
  }
  return variables;
}

// A running program.  Handlers that wait for it keep it alive.
class Child : public std::enable_shared_from_this<Child> {
 public:
  using Outcome = Result<ChildResult>;

  Child(const asio::any_io_executor& executor, ChildCommand command)
      : command_(std::move(command)),
        input_(executor),
        output_(executor),
        errors_(executor),
        process_(executor),
        limit_(executor),
        outcome_(std::make_shared<Pending<Outcome>>(executor)),
        output_room_(command_.max_output),
        errors_room_(command_.kept_errors) {}

  ~Child() {
    if (pid_ > 0) {
      kill();
      reap(0);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  Result<void> start();
  const std::shared_ptr<Pending<Outcome>>& outcome() const noexcept { return outcome_; }

  // Ends it unless it is over.
  void abandon() {
    if (pid_ > 0) {
      stop({ErrorKind::System, command_.arguments.front() + ": no longer wanted"});
    }
  }

 private:
  // One of its two pipes.
  struct Source {
    explicit Source(const asio::any_io_executor& executor) : stream(executor) {}
    asio::posix::stream_descriptor stream;
    std::array<char, 16384> buffer{};
    bool is_done = false;  // Nothing more is read from it.
  };

  void wait_for_exit();
  void wait_for_limit();
  void write_input();
  void read(Source& source);
  void on_read(Source& source, const error_code& ec, std::size_t size);
  void on_exit();
  // Reads what the program wrote last, without waiting for more from those that it left behind.
  void drain(Source& source);
  // Takes in the first `size` octets of the buffer; returns false when no more is wanted.
  bool take(const Source& source, std::size_t size);
  void conclude();

  // Kills it; the outcome is `why`.
  void stop(Error why);
  void kill() noexcept { ::kill(-pid_, SIGKILL); }
  // Returns true when the program has ended, with its status; waits for that unless WNOHANG.
  bool reap(int options);

  ChildCommand command_;
  asio::posix::stream_descriptor input_;
  Source output_;
  Source errors_;
  asio::posix::stream_descriptor process_;  // Readable once it has ended (pidfd_open(2)).
  asio::steady_timer limit_;
  std::shared_ptr<Pending<Outcome>> outcome_;
  ChildResult result_;
  std::optional<Error> failure_;
  std::size_t output_room_;  // Octets that may still come.
  std::size_t errors_room_;
  pid_t pid_ = 0;  // 0 before the start and after the end.
};

Result<void> Child::start() {
  const std::string& program = command_.arguments.front();
  auto output = make_pipe();
  auto errors = make_pipe();
  std::optional<Pipe> input;
  if (command_.input) {
    input = make_pipe();
  }
  if (!output || !errors || (command_.input && !input)) {
    return system_failure(program + ": pipe");
  }
  auto variables = environment_with(command_.environment);
  const SpawnSettings settings(input ? input->read_end.get() : -1, output->write_end.get(),
                               errors->write_end.get());
  const int code =
      ::posix_spawnp(&pid_, program.c_str(), settings.actions(), settings.attributes(),
                     pointers_to(command_.arguments).data(), pointers_to(variables).data());
  if (code != 0) {
    pid_ = 0;
    return failure(code == ENOENT ? ErrorKind::NotFound : ErrorKind::System,
                   program + ": " + std::generic_category().message(code));
  }
  // glibc 2.36 declares pidfd_open(2) without extern "C".
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (process < 0) {
    return system_failure(program + ": pidfd_open");
  }
  process_.assign(process);
  output_.stream.assign(output->read_end.release());
  errors_.stream.assign(errors->read_end.release());
  output_.stream.non_blocking(true);
  errors_.stream.non_blocking(true);
  if (input) {
    input_.assign(input->write_end.release());
    input_.non_blocking(true);
    write_input();
  }
  wait_for_exit();
  wait_for_limit();
  read(output_);
  read(errors_);
  return {};
}

void Child::wait_for_exit() {
  process_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const error_code& ec) {
                        if (!ec) {
                          self->on_exit();
                        }
                      });
}

void Child::wait_for_limit() {
  limit_.expires_after(command_.time_limit);
  limit_.async_wait([weak = weak_from_this()](const error_code& ec) {
    const auto self = weak.lock();
    if (!ec && self && self->pid_ > 0) {
      self->stop({ErrorKind::Exhausted, self->command_.arguments.front() + ": not done after " +
                                            std::to_string(self->command_.time_limit.count()) +
                                            " ms"});
    }
  });
}

// A program that ends early leaves input unread; its exit status tells then.
void Child::write_input() {
  asio::async_write(input_, asio::buffer(*command_.input),
                    [weak = weak_from_this()](const error_code& /*ec*/, std::size_t /*size*/) {
                      if (const auto self = weak.lock()) {
                        self->input_.close();
                      }
                    });
}

void Child::read(Source& source) {
  source.stream.async_read_some(
      asio::buffer(source.buffer),
      [weak = weak_from_this(), &source](const error_code& ec, std::size_t size) {
        if (const auto self = weak.lock()) {
          self->on_read(source, ec, size);
        }
      });
}

void Child::on_read(Source& source, const error_code& ec, std::size_t size) {
  take(source, size);
  if (!ec && pid_ > 0) {
    read(source);
    return;
  }
  if (pid_ == 0) {
    drain(source);
  }
  source.is_done = true;
  conclude();
}

void Child::drain(Source& source) {
  error_code ec;
  bool wants_more = true;
  while (wants_more) {
    const std::size_t size = source.stream.read_some(asio::buffer(source.buffer), ec);
    wants_more = !ec && take(source, size);
  }
}

bool Child::take(const Source& source, std::size_t size) {
  const bool is_output = &source == &output_;
  std::size_t& room = is_output ? output_room_ : errors_room_;
  const std::string_view kept(source.buffer.data(), std::min(size, room));
  if (is_output && command_.take_output) {
    command_.take_output(kept);
  } else {
    (is_output ? result_.output : result_.errors).append(kept);
  }
  room -= kept.size();
  if (is_output && size > kept.size()) {
    stop({ErrorKind::Exhausted, command_.arguments.front() + ": wrote more than " +
                                    std::to_string(command_.max_output) + " octets"});
  }
  return size == kept.size();
}

void Child::on_exit() {
  if (!reap(WNOHANG)) {
    wait_for_exit();
    return;
  }
  // A read that is over already may not have been told of yet: its handler comes first.
  for (Source* source : {&output_, &errors_}) {
    source->stream.cancel();
  }
  conclude();
}

void Child::conclude() {
  if (pid_ > 0 || !output_.is_done || !errors_.is_done) {
    return;
  }
  limit_.cancel();
  if (input_.is_open()) {
    input_.close();
  }
  output_.stream.close();
  errors_.stream.close();
  process_.close();
  if (failure_) {
    outcome_->complete(std::unexpected(std::move(*failure_)));
  } else {
    outcome_->complete(std::move(result_));
  }
}

void Child::stop(Error why) {
  if (!failure_) {
    failure_ = std::move(why);
  }
  if (pid_ > 0) {
    kill();
  }
}

bool Child::reap(int options) {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid_, &status, options);
  } while (ended < 0 && errno == EINTR);
  if (ended == 0) {
    return false;
  }
  pid_ = 0;
  if (ended < 0) {
    failure_ = {ErrorKind::System, command_.arguments.front() + ": its exit status was lost"};
  } else if (WIFSIGNALED(status)) {
    result_.signal = WTERMSIG(status);
  } else {
    result_.exit_status = WEXITSTATUS(status);
  }
  return true;
}

// Ends a child when the coroutine that waits for it does.
class Wish {
 public:
  explicit Wish(Child& child) noexcept : child_(child) {}
  ~Wish() { child_.abandon(); }
  Wish(const Wish&) = delete;
  Wish& operator=(const Wish&) = delete;

 private:
  Child& child_;
};

}  // namespace

asio::awaitable<Result<ChildResult>> run_child(ChildCommand command) {
  if (command.arguments.empty() || command.arguments.front().empty()) {
    co_return failure(ErrorKind::InvalidInput, "no program is named");
  }
  const auto child =
      std::make_shared<Child>(co_await asio::this_coro::executor, std::move(command));
  const Wish wish(*child);
  if (auto started = child->start(); !started) {
    co_return std::unexpected(started.error());
  }
  const auto* outcome =
      co_await Pending<Result<ChildResult>>::wait(child->outcome(), Clock::time_point::max());
  if (outcome == nullptr) {
    co_return failure(ErrorKind::System, "no longer waited for");
  }
  co_return *outcome;
}

}  // namespace waypost
