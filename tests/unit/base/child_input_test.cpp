#include "base/child_process.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <exception>
#include <optional>

using namespace waypost;
using namespace std::chrono_literals;

namespace {

Result<ChildResult> run(ChildCommand command) {
  std::signal(SIGPIPE, SIG_IGN);  // As the programs do.
  boost::asio::io_context context{1};
  std::optional<Result<ChildResult>> result;
  boost::asio::co_spawn(context, run_child(std::move(command)),
                        [&](const std::exception_ptr&, Result<ChildResult> done) {
                          result.emplace(std::move(done));
                        });
  context.run();
  REQUIRE(result);
  return *result;
}

Result<ChildResult> run(std::vector<std::string> arguments) {
  ChildCommand command;
  command.arguments = std::move(arguments);
  return run(std::move(command));
}

}  // namespace

TEST_CASE("a program's output, complaints and exit status come back") {
  const auto done = run({"sh", "-c", "echo out; echo bad >&2; exit 3"});
  REQUIRE(done);
  CHECK(done->output == "out\n");
  CHECK(done->errors == "bad\n");
  CHECK(done->exit_status == 3);
  CHECK(done->signal == 0);
  CHECK(run({"sh", "-c", "kill -9 $$"})->signal == SIGKILL);
  CHECK(run({"cat"})->output.empty());  // No input at all.
}

TEST_CASE("input of any size goes in while output comes out") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5} << 20}) {
    ChildCommand command;
    command.arguments = {"cat"};
    command.input = std::make_shared<const std::string>(size, 'x');
    std::size_t taken = 0;
    command.take_output = [&](std::string_view piece) { taken += piece.size(); };
    command.max_output = size + 1;
    const auto done = run(std::move(command));
    REQUIRE(done);
    CHECK(taken == size);
    CHECK(done->output.empty());
  }
}

TEST_CASE("a program that does not want its input ends all the same") {
  ChildCommand command;
  command.arguments = {"sh", "-c", "exec 0<&-; exit 5"};
  command.input = std::make_shared<const std::string>(std::size_t{1} << 20, 'x');
  const auto done = run(std::move(command));
  REQUIRE(done);
  CHECK(done->exit_status == 5);
}

TEST_CASE("time and output are bounded") {
  ChildCommand slow;
  slow.arguments = {"sleep", "60"};
  slow.time_limit = 20ms;
  const auto late = run(std::move(slow));
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::Exhausted);
  ChildCommand loud;
  loud.arguments = {"yes"};
  loud.max_output = 100000;
  const auto stopped = run(std::move(loud));
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == ErrorKind::Exhausted);
  const auto missing = run({"no-such-program-here"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().kind == ErrorKind::NotFound);
}
