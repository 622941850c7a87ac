// How many answers from the cache one worker gives in a second, next to a bare echo in the same
// run: names of the Internet that were asked before, seven in ten with up to four addresses, others
// with a CNAME, or denied.
//
// The server, or the echo, runs on the first CPU and the load on the second.  Rounds alternate
// between the two, and medians are told.

#include "base/rcu.h"
#include "bench/echo.h"
#include "bench/load.h"
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
  double seconds = 2;
  unsigned rounds = 5;
  std::uint32_t names = 10000;
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

// Returns false when an answer was wrong.
bool run(const Options& options) {
  pin(0);
  rcu::RetireList retired;
  cache::ServiceCache objects;
  const World world({.services = 100});
  const records::Publisher publisher(world.options(), objects, retired);
  objects.set_synced();
  const zones::ZoneSet zones({});
  const server::AnswerPolicy policy;
  resolver::AnswerCache cache(std::size_t{64} << 20);
  server::Views views;
  views.index = &publisher.index();
  views.zones = &zones;
  views.policy = &policy;
  views.answers = &cache;
  std::vector<Question> questions = fill(cache, options.names);
  std::printf("%llu answers in the cache, %.1f MiB with its table\n",
              static_cast<unsigned long long>(cache.entries()),
              static_cast<double>(cache.bytes()) / (1 << 20));

  std::vector<double> echoes;
  std::vector<double> answers;
  std::vector<double> ratios;
  std::uint64_t wrong = 0;
  const auto load = [&](const SocketAddress& address, Peer peer) {
    pin(1);
    const LoadResult result = run_load(address, peer, questions, options.load);
    pin(0);
    wrong += result.wrong;
    return result.per_second();
  };
  for (unsigned round = 0; round < options.rounds; ++round) {
    {
      const Echo echo;
      echoes.push_back(load(echo.address(), Peer::Echo));
    }
    const auto server =
        server::Server::start({.listen = {{IpAddress::v4(127, 0, 0, 1), 0}}}, views, {});
    if (!server) {
      throw std::runtime_error(server.error().message);
    }
    answers.push_back(load((*server)->addresses().front(), Peer::Server));
    ratios.push_back(answers.back() / echoes.back());
  }
  std::printf("udp echo   %12.0f /s\ncached     %12.0f /s, %llu wrong\nratio      %12.3f\n",
              median(echoes), median(answers), static_cast<unsigned long long>(wrong),
              median(ratios));
  return wrong == 0;
}

}  // namespace
}  // namespace waypost::bench

int main(int argc, char** argv) try {
  waypost::bench::Options options;
  CLI::App app("Answers from the cache per second, next to an echo");
  app.add_option("--seconds", options.seconds, "Length of a round")->check(CLI::Range(0.1, 60.0));
  app.add_option("--rounds", options.rounds, "Rounds")->check(CLI::Range(1, 100));
  app.add_option("--names", options.names, "Names in the cache")->check(CLI::Range(10, 200000));
  CLI11_PARSE(app, argc, argv);
  options.load.duration =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000));
  return waypost::bench::run(options) ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench-cached: %s\n", error.what());
  return 1;
}
