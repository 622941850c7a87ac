// What answering costs in instructions, kind by kind: answers a fixed number of questions about the
// benchmark's cluster, through the same code as a worker and without sockets.
//
// Run under callgrind by tests/bench/instructions.py, which reads the counts: only what stands
// between begin_batch() and end_batch() is collected, and each kind is dumped under its name.  Run
// alone, it only checks the answers.  The same questions, the same keys and no clock: every run
// counts the same.

#include "base/rcu.h"
#include "bench/questions.h"
#include "bench/world.h"
#include "dns/name.h"
#include "dns/reverse_name.h"
#include "records/publisher.h"
#include "server/query_sampler.h"
#include "server/responder.h"
#include "zones/zone_loader.h"
#include "zones/zone_set.h"

#include <valgrind/callgrind.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::bench {
namespace {

constexpr std::size_t MixSize = 8192;  // Questions.
constexpr std::size_t AddressNames = 1024;
constexpr std::size_t BatchSize = 64;  // As a worker receives them.
constexpr std::size_t AnswerSize = 4096;

struct Kind {
  const char* name;
  std::vector<Question> questions;
};

bool is_srv(const Question& question) {
  const std::uint16_t type = load_u16(question.request.data() + question.question_end - 4);
  return static_cast<dns::RecordType>(type) == dns::RecordType::SRV;
}

bool is_endpoint(const Question& question) {
  constexpr std::string_view Prefix = "pod-";
  return as_text(Bytes(question.request).subspan(dns::HeaderSize + 1, Prefix.size())) == Prefix;
}

// The reverse names of cluster IPs and of endpoints' addresses, in turns.
std::vector<Question> make_reverse_questions(const World& world) {
  std::vector<Question> questions;
  for (std::uint32_t i = 0; questions.size() < AddressNames; ++i) {
    const std::uint32_t service = (i * 7919 + 1) % world.size().services;
    if (world.is_headless(service)) {
      continue;
    }
    const kube::Service object = world.service(service);
    const kube::EndpointSlice slice = world.slice(service, 0);
    for (const IpAddress& address : {object.cluster_ips.front(), slice.endpoints[0].address}) {
      questions.push_back(make_question(dns::reverse_name(address).to_text(), dns::RecordType::PTR,
                                        false, dns::Rcode::NoError, 1));
    }
  }
  return questions;
}

std::vector<Kind> make_kinds(const World& world) {
  std::vector<Kind> kinds = {{"mix", make_questions(world, Mix::Cluster, Edns::AsMix, MixSize)},
                             {"hit", {}},
                             {"NXDOMAIN", {}},
                             {"SRV", {}},
                             {"endpoint", {}},
                             {"PTR", make_reverse_questions(world)}};
  for (const Question& question : kinds[0].questions) {
    const std::size_t kind = question.rcode == dns::Rcode::NxDomain ? 2
                             : is_srv(question)                     ? 3
                             : is_endpoint(question)                ? 4
                                                                    : 1;
    kinds[kind].questions.push_back(question);
  }
  return kinds;
}

class Driver {
 public:
  explicit Driver(const server::Views& views)
      : responder_(views, counters_, 1), answers_(BatchSize * AnswerSize) {}

  // Throws std::runtime_error when an answer is not what was expected.
  void answer(std::span<const Question> questions) {
    while (!questions.empty()) {
      const auto batch = questions.first(std::min(questions.size(), BatchSize));
      for (std::size_t i = 0; i < batch.size(); ++i) {
        requests_[i] = batch[i].request;
      }
      CALLGRIND_TOGGLE_COLLECT;
      answer_batch(batch.size());
      CALLGRIND_TOGGLE_COLLECT;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        check(batch[i], Bytes(answers_).subspan(i * AnswerSize, sizes_[i]));
      }
      questions = questions.subspan(batch.size());
    }
  }

 private:
  // As server::UdpWorker does it.
  [[gnu::noinline]] void answer_batch(std::size_t count) noexcept {
    constexpr std::size_t GroupSize = server::Responder::MaxRequests;
    const rcu::ReadSection section;
    const server::Client client{.address = IpAddress::v4(127, 0, 0, 1), .time = {1, 1}};
    for (std::size_t first = 0; first < count; first += GroupSize) {
      const std::size_t size = std::min(GroupSize, count - first);
      responder_.read(std::span(requests_).subspan(first, size));
      for (std::size_t i = 0; i < size; ++i) {
        const MutableBytes out =
            MutableBytes(answers_).subspan((first + i) * AnswerSize, AnswerSize);
        if (sampler_.is_due()) {
          sampler_.take(requests_[first + i], client.address);
        }
        sizes_[first + i] = responder_.answer(i, client, out).size;
      }
    }
  }

  static void check(const Question& question, Bytes answer) {
    if (answer.size() < question.question_end ||
        (answer[3] & 0x0f) != static_cast<std::uint8_t>(question.rcode) ||
        load_u16(answer.data() + 6) != question.answers) {
      throw std::runtime_error("an answer is not what was expected");
    }
  }

  server::Counters counters_;
  server::Responder responder_;
  // Nobody reads it: as under load, where the next one to be taken is far away.
  server::QuerySampler sampler_{true, 1};
  std::array<Bytes, BatchSize> requests_;
  std::array<std::size_t, BatchSize> sizes_{};
  std::vector<std::uint8_t> answers_;
};

void run() {
  dns::set_hash_key_for_test(1);
  const World world(WorldSize{});
  rcu::RetireList retired;
  cache::ServiceCache cache;
  const records::Publisher publisher(world.options(), cache, retired);
  world.put_namespaces(cache);
  world.put_services(cache);
  world.put_slices(cache);
  cache.set_synced();
  retired.reclaim();

  const zones::LoadedZones zones = zones::load_zones({}, true, nullptr);
  const server::AnswerPolicy policy;
  server::Views views;
  views.index = &publisher.index();
  views.zones = zones.zones.get();
  views.policy = &policy;

  const std::vector<Kind> kinds = make_kinds(world);
  const rcu::ReaderThread reader;
  Driver driver(views);
  CALLGRIND_START_INSTRUMENTATION;
  for (const Kind& kind : kinds) {
    driver.answer(kind.questions);
    CALLGRIND_DUMP_STATS_AT(kind.name);
    std::printf("%s %zu\n", kind.name, kind.questions.size());
  }
  CALLGRIND_STOP_INSTRUMENTATION;
}

}  // namespace
}  // namespace waypost::bench

int main() try {
  waypost::bench::run();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "instructions: %s\n", error.what());
  return 1;
}
