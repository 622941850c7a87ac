#include "base/child_process.h"

#include "support/coroutine.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

namespace waypost {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A shell stands for any program: what it is told is what is run.
ChildCommand shell(const std::string& script) {
  ChildCommand command;
  command.arguments = {"/bin/sh", "-c", script};
  command.time_limit = 10s;
  return command;
}

Result<ChildResult> run(ChildCommand command) {
  asio::io_context context;
  return test::run(context, run_child(std::move(command)));
}

bool is_running(pid_t pid) {
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

}  // namespace

TEST_CASE("a program's output, errors and status are collected") {
  const auto result = run(shell("echo out; echo err >&2; exit 7"));
  REQUIRE(result);
  CHECK(result->output == "out\n");
  CHECK(result->errors == "err\n");
  CHECK(result->exit_status == 7);
  CHECK(result->signal == 0);
}

TEST_CASE("arguments reach the program as they are, without a shell") {
  ChildCommand command;
  command.arguments = {"printf", "%s|", "a b", "$HOME", "*", ""};
  const auto result = run(command);
  REQUIRE(result);
  CHECK(result->output == "a b|$HOME|*||");
}

TEST_CASE("a program has this process's variables, with the changes") {
  ::setenv("WAYPOST_TEST_KEPT", "kept", 1);
  ::setenv("WAYPOST_TEST_CHANGED", "before", 1);
  auto command = shell("echo $WAYPOST_TEST_KEPT $WAYPOST_TEST_CHANGED $WAYPOST_TEST_NEW");
  command.environment = {{"WAYPOST_TEST_CHANGED", "after"}, {"WAYPOST_TEST_NEW", "new"}};
  const auto result = run(command);
  REQUIRE(result);
  CHECK(result->output == "kept after new\n");
}

TEST_CASE("a program has an empty stdin and no other open file of this process") {
  const int leak = ::open("/dev/null", O_RDONLY);
  REQUIRE(leak > 2);
  const auto result = run(shell("cat; ls /proc/self/fd | wc -l"));
  ::close(leak);
  REQUIRE(result);
  CHECK(result->output == "4\n");  // stdin, stdout, stderr, and the folder itself.
}

TEST_CASE("a program that a signal ends says which") {
  const auto result = run(shell("kill -TERM $$"));
  REQUIRE(result);
  CHECK(result->signal == SIGTERM);
}

TEST_CASE("a program gets signals that this process ignores") {
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  const auto result = run(shell("kill -PIPE $$"));
  ::sigaction(SIGPIPE, &before, nullptr);
  REQUIRE(result);
  CHECK(result->signal == SIGPIPE);
}

TEST_CASE("output up to the bound is kept whole, more of it ends the program") {
  auto command = shell("head -c 200000 /dev/zero");
  command.max_output = 200'000;
  const auto whole = run(command);
  REQUIRE(whole);
  CHECK(whole->output.size() == 200'000);

  command.max_output = 199'999;
  const auto refused = run(command);
  REQUIRE(!refused);
  CHECK(refused.error().kind == ErrorKind::Exhausted);
  CHECK(refused.error().message == "/bin/sh: wrote more than 199999 octets");
}

TEST_CASE("output without an end is no reason to wait for one") {
  const auto result = run(shell("while :; do echo more; done"));
  REQUIRE(!result);
  CHECK(result.error().kind == ErrorKind::Exhausted);
}

TEST_CASE("of what a program complains about the beginning is kept, and it is not held up") {
  auto command = shell("head -c 300000 /dev/zero | tr '\\0' e >&2; echo done");
  command.kept_errors = 100;
  const auto result = run(command);
  REQUIRE(result);
  CHECK(result->output == "done\n");
  CHECK(result->errors == std::string(100, 'e'));
}

TEST_CASE("a program that is late is killed with all that it started") {
  auto command = shell("sleep 60 & echo $! > /dev/null; sleep 60");
  command.time_limit = 100ms;
  const auto started = std::chrono::steady_clock::now();
  const auto result = run(command);
  REQUIRE(!result);
  CHECK(result.error().kind == ErrorKind::Exhausted);
  CHECK(result.error().message == "/bin/sh: not done after 100 ms");
  CHECK(std::chrono::steady_clock::now() - started < 10s);
}

TEST_CASE("what a program leaves running with its pipes does not hold up its result") {
  auto command = shell("sleep 5 & echo $!");
  const auto started = std::chrono::steady_clock::now();
  const auto result = run(command);
  REQUIRE(result);
  CHECK(std::chrono::steady_clock::now() - started < 4s);
  const pid_t left = std::stoi(result->output);
  CHECK(is_running(left));
  ::kill(left, SIGKILL);
}

TEST_CASE("a program that does not exist or cannot be run is said so") {
  ChildCommand command;
  command.arguments = {"waypost-no-such-program"};
  const auto missing = run(command);
  REQUIRE(!missing);
  CHECK(missing.error().kind == ErrorKind::NotFound);
  CHECK(missing.error().message == "waypost-no-such-program: No such file or directory");

  command.arguments = {"/dev/null"};
  const auto forbidden = run(command);
  REQUIRE(!forbidden);
  CHECK(forbidden.error().kind == ErrorKind::System);

  const auto nothing = run(ChildCommand{});
  REQUIRE(!nothing);
  CHECK(nothing.error().kind == ErrorKind::InvalidInput);
}

TEST_CASE("a program is killed when nobody waits for it any more") {
  pid_t pid = 0;
  {
    asio::io_context context;
    int ends[2] = {};
    REQUIRE(::pipe(ends) == 0);
    // The child has no file of this process, so it opens the pipe by its name.
    auto command = shell("echo $$ > /proc/" + std::to_string(::getpid()) + "/fd/" +
                         std::to_string(ends[1]) + "; exec sleep 60");
    asio::co_spawn(context, run_child(std::move(command)),
                   [](const std::exception_ptr&, const Result<ChildResult>&) {});
    context.run_for(200ms);
    char text[16] = {};
    REQUIRE(::read(ends[0], text, sizeof text - 1) > 0);
    pid = std::atoi(text);
    ::close(ends[0]);
    ::close(ends[1]);
    REQUIRE(pid > 0);
    CHECK(is_running(pid));
  }
  CHECK(!is_running(pid));
}

}  // namespace waypost
