// How many answers from the cache one worker gives in a second, next to a bare echo in the same
// run, and how long they take, next to answers about the cluster from the same worker.  Cached are
// names of the Internet that were asked before: seven in ten with up to four addresses, others with
// a CNAME, or denied.  Of the cluster what its Pods ask is asked.
//
// The server, or the echo, runs on the first CPU and the load on the second.  Rounds alternate
// between all that is compared, every other one in reverse order, and medians are told.

#include "base/rcu.h"
#include "bench/echo.h"
#include "bench/load.h"
#include "bench/questions.h"
#include "bench/world.h"
#include "cache/service_cache.h"
#include "dns/ldns_bridge.h"
#include "dns/lookup.h"
#include "dns/name.h"
#include "records/publisher.h"
#include "resolver/answer_cache.h"
#include "server/server.h"
#include "zones/zone_set.h"

#include <CLI/CLI.hpp>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace waypost::bench {
namespace {

struct Options {
  LoadOptions load;
  // Many short rounds: a machine that takes a core away for a moment spoils the latencies of few.
  double seconds = 0.25;
  unsigned rounds = 61;
  std::uint32_t names = 10000;
  std::uint32_t services = 10000;
  double rate = 20000;  // Questions in a second, for how long answers take.
};

// Restricts the calling thread, and those that it starts, to one of the process' first two CPUs.
void pin(std::size_t index) {
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  if (CPU_COUNT(&allowed) < 2) {
    return;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed) && index-- == 0) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  sched_setaffinity(0, sizeof one, &one);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// What an upstream says of the `index`-th name.
struct Upstream {
  std::string name;
  dns::Rcode rcode = dns::Rcode::NoError;
  std::vector<std::string> answer;
  std::vector<std::string> authority;
};

Upstream upstream_of(std::uint32_t index) {
  const std::string site = "site-" + std::to_string(index) + ".example";
  Upstream said{.name = "www." + site + "."};
  const std::string head = said.name + " 3600 IN ";
  const std::string address = "192.0.2." + std::to_string(index % 200 + 1);
  switch (index % 10) {
    case 0:
      said.rcode = dns::Rcode::NxDomain;
      said.authority = {site + ". 3600 IN SOA ns." + site + ". admin." + site +
                        ". 1 7200 1800 86400 3600"};
      break;
    case 1:
    case 2:
      said.answer = {head + "CNAME edge.cdn.example.net.",
                     "edge.cdn.example.net. 3600 IN A " + address};
      break;
    default:
      for (std::uint32_t i = 0; i <= index % 4; ++i) {
        said.answer.push_back(head + "A 198.51.100." + std::to_string(i + 1));
      }
  }
  return said;
}

std::vector<std::uint8_t> message_of(const Upstream& said, const Question& question) {
  std::vector<std::uint8_t> packet(
      question.request.begin(),
      question.request.begin() + static_cast<std::ptrdiff_t>(question.question_end));
  packet[2] = 0x81;
  packet[3] = static_cast<std::uint8_t>(0x80 | std::to_underlying(said.rcode));
  store_u16(packet.data() + 6, static_cast<std::uint16_t>(said.answer.size()));
  store_u16(packet.data() + 8, static_cast<std::uint16_t>(said.authority.size()));
  store_u16(packet.data() + 10, 0);
  for (const auto* section : {&said.answer, &said.authority}) {
    for (const std::string& line : *section) {
      const auto record = dns::record_from_text(line);
      if (!record) {
        throw std::runtime_error(record.error().message);
      }
      std::array<std::uint8_t, 10> head;
      store_u16(head.data(), std::to_underlying(record->type));
      store_u16(head.data() + 2, std::to_underlying(record->record_class));
      store_u32(head.data() + 4, record->ttl);
      store_u16(head.data() + 8, static_cast<std::uint16_t>(record->rdata.size()));
      const Bytes owner = record->owner.wire();
      packet.insert(packet.end(), owner.begin(), owner.end());
      packet.insert(packet.end(), head.begin(), head.end());
      packet.insert(packet.end(), record->rdata.begin(), record->rdata.end());
    }
  }
  return packet;
}

// Stores the answers, and returns 65536 questions about them in an order that is always the same.
std::vector<Question> fill(resolver::AnswerCache& cache, std::uint32_t names) {
  const auto response = std::make_unique<dns::Response>();
  const auto now = server::Moment::now().uptime;
  std::vector<Question> all;
  for (std::uint32_t i = 0; i < names; ++i) {
    const Upstream said = upstream_of(i);
    all.push_back(make_question(said.name, dns::RecordType::A, true, said.rcode,
                                static_cast<std::uint16_t>(said.answer.size())));
    const auto packet = message_of(said, all.back());
    if (!dns::read_response(packet, *response)) {
      throw std::runtime_error("the response for " + said.name + " cannot be read");
    }
    resolver::Question question{.type = dns::RecordType::A};
    question.name.assign(dns::Name::from_text(said.name)->wire());
    cache.store(question, packet, *response, now);
  }
  // Of very many names some find no place in their set.
  std::erase_if(all, [&](const Question& each) {
    dns::Query query;
    return dns::read_query(each.request, query) != dns::ReadVerdict::Answer ||
           cache.find({query.name, query.type, false, false}, now).answer == nullptr;
  });
  std::vector<Question> questions;
  dns::Rotation order(1);
  for (std::size_t i = 0; i < 65536; ++i) {
    questions.push_back(all[order.below(static_cast<std::uint32_t>(all.size()))]);
  }
  return questions;
}

struct Latency {
  double p50 = 0;  // Microseconds.
  double p99 = 0;
};

// One of the two kinds of answers that a server gives.
struct Series {
  const char* name;
  std::vector<Question> questions;
  std::vector<double> per_second;
  std::vector<Latency> latencies;

  std::vector<double> latency(double Latency::* share) const {
    std::vector<double> all;
    for (const Latency& each : latencies) {
      all.push_back(each.*share);
    }
    return all;
  }
};

std::vector<double> ratios(const std::vector<double>& of, const std::vector<double>& to) {
  std::vector<double> all;
  for (std::size_t i = 0; i < of.size(); ++i) {
    all.push_back(of[i] / to[i]);
  }
  return all;
}

// Asks, and counts answers that are wrong or did not come.
class Asker {
 public:
  explicit Asker(const LoadOptions& options) : options_(options) {}

  std::uint64_t wrong() const noexcept { return wrong_; }
  std::uint64_t lost() const noexcept { return lost_; }

  // `rate`: questions in a second; 0: as many as are answered.
  LoadResult ask(const SocketAddress& address, Peer peer, std::vector<Question>& questions,
                 double rate) {
    LoadOptions options = options_;
    options.rate = rate;
    pin(1);
    LoadResult result = run_load(address, peer, questions, options);
    pin(0);
    wrong_ += result.wrong;
    lost_ += result.lost;
    return result;
  }

 private:
  const LoadOptions& options_;
  std::uint64_t wrong_ = 0;
  std::uint64_t lost_ = 0;
};

void print(const Options& options, const Series& cluster, const Series& cached,
           const std::vector<double>& echoes) {
  std::printf("%-10s %12s %12s %10s %10s   (medians of %u rounds; latency at %.0f questions/s)\n",
              "", "answers/s", "of the echo", "p50 us", "p99 us", options.rounds, options.rate);
  std::printf("%-10s %12.0f\n", "udp echo", median(echoes));
  for (const Series* each : {&cluster, &cached}) {
    std::printf("%-10s %12.0f %12.3f %10.1f %10.1f\n", each->name, median(each->per_second),
                median(ratios(each->per_second, echoes)), median(each->latency(&Latency::p50)),
                median(each->latency(&Latency::p99)));
  }
  const auto p50 = ratios(cached.latency(&Latency::p50), cluster.latency(&Latency::p50));
  const auto p99 = ratios(cached.latency(&Latency::p99), cluster.latency(&Latency::p99));
  std::printf("cached, of the cluster's: %.3f answers/s, p50 %.3f, p99 %.3f (%.3f to %.3f)\n",
              median(ratios(cached.per_second, cluster.per_second)), median(p50), median(p99),
              std::ranges::min(p99), std::ranges::max(p99));
}

// Returns false when an answer was wrong, or none came.
bool run(const Options& options) {
  pin(0);
  rcu::RetireList retired;
  cache::ServiceCache objects;
  const World world({.services = options.services});
  const records::Publisher publisher(world.options(), objects, retired);
  world.put_namespaces(objects);
  world.put_services(objects);
  world.put_slices(objects);
  objects.set_synced();
  const zones::ZoneSet zones(std::vector<std::shared_ptr<const zones::Zone>>{});
  const server::AnswerPolicy policy;
  resolver::AnswerCache cache(std::size_t{64} << 20);
  server::Views views;
  views.index = &publisher.index();
  views.zones = &zones;
  views.policy = &policy;
  views.answers = &cache;
  Series cached{.name = "cached", .questions = fill(cache, options.names)};
  Series cluster{.name = "cluster",
                 .questions = make_questions(world, Mix::Cluster, Edns::All, 65536)};
  std::printf("%zu names in the index; %llu answers in the cache, %.1f MiB with its table\n",
              publisher.index().name_count(), static_cast<unsigned long long>(cache.entries()),
              static_cast<double>(cache.bytes()) / (1 << 20));

  std::vector<double> echoes;
  Asker asker(options.load);
  for (unsigned round = 0; round < options.rounds; ++round) {
    {
      const Echo echo;
      echoes.push_back(asker.ask(echo.address(), Peer::Echo, cached.questions, 0).per_second());
    }
    const auto server =
        server::Server::start({.listen = {{IpAddress::v4(127, 0, 0, 1), 0}}}, views, {});
    if (!server) {
      throw std::runtime_error(server.error().message);
    }
    const SocketAddress address = (*server)->addresses().front();
    std::array order{&cluster, &cached};
    if (round % 2 == 1) {
      std::swap(order[0], order[1]);
    }
    for (Series* each : order) {
      each->per_second.push_back(asker.ask(address, Peer::Server, each->questions, 0).per_second());
    }
    for (Series* each : order) {
      const LoadResult result = asker.ask(address, Peer::Server, each->questions, options.rate);
      each->latencies.push_back(
          {result.latencies.percentile(0.5), result.latencies.percentile(0.99)});
    }
  }
  print(options, cluster, cached, echoes);
  std::printf("%llu wrong, %llu lost\n", static_cast<unsigned long long>(asker.wrong()),
              static_cast<unsigned long long>(asker.lost()));
  return asker.wrong() + asker.lost() == 0;
}

}  // namespace
}  // namespace waypost::bench

int main(int argc, char** argv) try {
  waypost::bench::Options options;
  CLI::App app(
      "Answers from the cache per second, next to an echo, and how long they take, next to answers "
      "about a cluster");
  app.add_option("--seconds", options.seconds, "Length of a round")->check(CLI::Range(0.1, 60.0));
  app.add_option("--rounds", options.rounds, "Rounds")->check(CLI::Range(1, 100));
  app.add_option("--names", options.names, "Names in the cache")->check(CLI::Range(10, 200000));
  app.add_option("--services", options.services, "Services of the cluster")
      ->check(CLI::Range(20, 100000));
  app.add_option("--rate", options.rate, "Questions in a second, for how long answers take")
      ->check(CLI::Range(100.0, 1e6));
  CLI11_PARSE(app, argc, argv);
  options.load.duration =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000));
  return waypost::bench::run(options) ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench-cached: %s\n", error.what());
  return 1;
}
