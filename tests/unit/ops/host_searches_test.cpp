#include "ops/host_searches.h"

#include "support/caught_log.h"
#include "support/temporary_folder.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace waypost::ops {
namespace {

using Domains = std::vector<std::string>;

struct Bench {
  explicit Bench(bool is_on = true)
      : searches(context, is_on, [this](const Domains& now) { told.push_back(now); }) {}

  CompletionConfig file() const { return {.is_on = true, .resolv_conf = path()}; }
  std::filesystem::path path() const { return folder.path() / "resolv.conf"; }
  // Runs until something more was logged, for at most five seconds.
  std::string await_log() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    std::string text;
    while (text.empty() && std::chrono::steady_clock::now() < end) {
      context.run_one_until(end);
      text = log.take();
    }
    return text;
  }

  const test::TemporaryFolder folder;
  test::CaughtLog log;
  boost::asio::io_context context{1};
  std::vector<Domains> told;
  HostSearches searches;
};

}  // namespace

TEST_CASE("the hosts' domains are those of their file, which is followed") {
  Bench bench;
  bench.folder.write("resolv.conf", "nameserver 192.0.2.1\nsearch a.example b.example\n");
  bench.searches.configure(bench.file());
  CHECK(bench.told == std::vector<Domains>{{"a.example", "b.example"}});
  CHECK(bench.log.take().empty());
  bench.folder.write("resolv.conf", "search c.example\n");
  CHECK(bench.await_log() == "info search domains of the hosts: c.example\n");
  CHECK(bench.told.back() == Domains{"c.example"});

  CompletionConfig listed = bench.file();
  listed.domains = Domains{"d.example"};
  bench.searches.configure(listed);
  CHECK(bench.told.back() == Domains{"d.example"});
}

TEST_CASE("a file that cannot be read changes nothing, and that is told, as is its return") {
  Bench bench;
  bench.folder.write("resolv.conf", "search a.example\n");
  bench.searches.configure(bench.file());
  std::filesystem::remove(bench.path());
  const std::string told = bench.await_log();
  CHECK(told.starts_with("warning " + bench.path().string() + ": "));
  CHECK(told.ends_with("; the hosts' search domains stay as they were\n"));
  CHECK(bench.told == std::vector<Domains>{{"a.example"}});
  bench.folder.write("resolv.conf", "search a.example\n");
  CHECK(bench.await_log() == "info the hosts' search domains can be read again\n");
  CHECK(bench.told == std::vector<Domains>{{"a.example"}});
}

TEST_CASE("nothing is read and nobody is told where no name is completed") {
  Bench bench(false);
  bench.folder.write("resolv.conf", "search a.example\n");
  bench.searches.configure(bench.file());
  CHECK(bench.told.empty());
}

}  // namespace waypost::ops
