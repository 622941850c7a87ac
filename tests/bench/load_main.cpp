// Asks a DNS server what the pods of a cluster ask, over UDP or TCP, checks every answer, and
// prints one line of JSON.  With --write-world it writes the cluster as manifests instead; with
// --serve-echo it sends datagrams back, the limit that servers are compared with.

#include "bench/echo.h"
#include "bench/load.h"
#include "bench/manifests.h"
#include "bench/questions.h"
#include "bench/world.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace waypost::bench {
namespace {

struct Options {
  std::string server;
  Mix mix = Mix::Cluster;
  Edns edns = Edns::AsMix;
  Peer peer = Peer::Server;
  bool tcp = false;
  double seconds = 2;
  std::int64_t spin_us = 50;
  LoadOptions load;
  WorldSize world;
  std::string write_world;
  std::string serve_echo;
  unsigned workers = 1;
};

SocketAddress read_address(const std::string& text) {
  const auto address = SocketAddress::from_text(text);
  if (!address) {
    throw std::runtime_error(address.error().message);
  }
  return *address;
}

// Until the process is ended by a signal.
[[noreturn]] void serve_echo(const Options& options) {
  std::vector<std::unique_ptr<Echo>> echoes;
  echoes.push_back(std::make_unique<Echo>(read_address(options.serve_echo)));
  const SocketAddress address = echoes.front()->address();
  while (echoes.size() < options.workers) {
    echoes.push_back(std::make_unique<Echo>(address));
  }
  std::printf("listening on %s\n", address.to_text().c_str());
  std::fflush(stdout);
  while (true) {
    pause();
  }
}

// Returns whether there were answers and none was wrong.
bool ask(const Options& options) {
  const SocketAddress server = read_address(options.server);
  const World world(options.world);
  std::vector<Question> questions = make_questions(world, options.mix, options.edns, 65536);
  const LoadResult result = options.tcp ? run_tcp_load(server, questions, options.load)
                                        : run_load(server, options.peer, questions, options.load);
  const auto count = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf(
      "{\"answers\": %llu, \"wrong\": %llu, \"lost\": %llu, \"seconds\": %.6f, "
      "\"cpu_seconds\": %.6f, \"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f}\n",
      count(result.answers), count(result.wrong), count(result.lost), result.seconds,
      result.cpu_seconds, result.latencies.percentile(0.5), result.latencies.percentile(0.99),
      result.latencies.percentile(0.999));
  return result.answers > 0 && result.wrong == 0;
}

void check(const Options& options) {
  if (options.tcp && (options.load.rate > 0 || options.peer == Peer::Echo)) {
    throw std::runtime_error("--tcp goes neither with --rate nor with --echo");
  }
  if (options.server.empty() == (options.write_world.empty() && options.serve_echo.empty())) {
    throw std::runtime_error("needs one of ADDRESS:PORT, --write-world and --serve-echo");
  }
}

}  // namespace
}  // namespace waypost::bench

int main(int argc, char** argv) try {
  using namespace waypost::bench;
  Options options;
  CLI::App app(
      "Asks a DNS server, checks every answer and prints one line of JSON.  Fails when an "
      "answer was wrong, or when there was none.");
  app.add_option("server", options.server, "ADDRESS:PORT of the server");
  app.add_option("--mix", options.mix, "What is asked")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Mix>{{"cluster", Mix::Cluster},
                                     {"hits", Mix::Hits},
                                     {"nxdomain", Mix::NxDomain},
                                     {"headless-10", Mix::Headless10},
                                     {"headless-100", Mix::Headless100},
                                     {"headless-1000", Mix::Headless1000}}));
  app.add_option("--edns", options.edns, "Which questions carry EDNS")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Edns>{
          {"as-mix", Edns::AsMix}, {"all", Edns::All}, {"none", Edns::None}}));
  app.add_flag_callback(
      "--echo", [&options] { options.peer = Peer::Echo; }, "The server is --serve-echo");
  app.add_flag("--tcp", options.tcp, "Over TCP, pipelined");
  app.add_option("--seconds", options.seconds, "How long")->check(CLI::Range(0.1, 3600.0));
  app.add_option("--count", options.load.count, "How many questions at most; 0: as time allows");
  app.add_option("--window", options.load.window, "Questions under way")
      ->check(CLI::Range(std::size_t{1}, MaxWindow));
  app.add_option("--rate", options.load.rate,
                 "Questions in a second; latencies count from when one was due")
      ->check(CLI::Range(0.0, 1e7));
  app.add_option("--sockets", options.load.sockets, "Sockets, or connections, that take turns")
      ->check(CLI::Range(1, 1000));
  app.add_option("--spin", options.spin_us,
                 "Microseconds of looking for answers before sleeping until there are some")
      ->check(CLI::Range(0, 100000));
  app.add_option("--services", options.world.services, "Services")->check(CLI::Range(20, 100000));
  app.add_option("--endpoints", options.world.endpoints, "Endpoints of each Service")
      ->check(CLI::Range(1, 12));
  app.add_option("--write-world", options.write_world,
                 "Write the cluster into this folder, as manifests")
      ->check(CLI::ExistingDirectory);
  app.add_option("--serve-echo", options.serve_echo, "Send back what comes to this ADDRESS:PORT");
  app.add_option("--workers", options.workers, "Threads of --serve-echo")->check(CLI::Range(1, 64));
  CLI11_PARSE(app, argc, argv);
  check(options);
  options.load.duration =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000));
  options.load.spin = std::chrono::microseconds(options.spin_us);
  if (!options.write_world.empty()) {
    write_manifests(World(options.world), options.write_world);
  }
  if (!options.serve_echo.empty()) {
    serve_echo(options);
  }
  return options.server.empty() || ask(options) ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "waypost-bench-load: %s\n", error.what());
  return 1;
}
