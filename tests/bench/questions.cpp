#include "bench/questions.h"

#include "dns/name.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>

namespace waypost::bench {
namespace {

using dns::RecordType;

constexpr std::size_t OptSize = 11;
constexpr std::uint16_t EdnsSize = 1232;
constexpr std::size_t PlainSize = 512;  // Without EDNS (RFC 1035, 4.2.1).
// RFC 6891, 6.1.2.
constexpr std::array<std::uint8_t, OptSize> Opt = {
    0, 0, 41, EdnsSize >> 8, EdnsSize & 0xff, 0, 0, 0, 0, 0, 0};

constexpr std::size_t RecordSize = 12;  // A compressed owner, type, class, TTL, size of the data.
constexpr std::size_t AddressSize = RecordSize + 4;
constexpr std::size_t SrvSize = RecordSize + 6;  // Without the target.

// Names that programs in pods look up outside the cluster.
constexpr std::array<const char*, 4> Elsewhere = {"api.example.com", "registry.example.org",
                                                  "db.eu-west.example.net", "www.example.com"};

// Draws the questions of one cluster.
class QuestionMaker {
 public:
  QuestionMaker(const World& world, Edns edns) : world_(world), edns_(edns) {}

  Question next(Mix mix) {
    switch (mix) {
      case Mix::Cluster:
        return cluster();
      case Mix::Hits:
        return below(2) == 0 ? address() : v6_address();
      case Mix::NxDomain:
        return search();
      case Mix::Headless10:
        return large(10);
      case Mix::Headless100:
        return large(100);
      case Mix::Headless1000:
        return large(1000);
    }
    return cluster();
  }

 private:
  std::uint32_t below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  std::uint16_t endpoints() const { return static_cast<std::uint16_t>(world_.size().endpoints); }
  std::uint32_t headless() {
    const std::uint32_t every = world_.size().headless_every;
    return below((world_.size().services + every - 1) / every) * every;
  }

  Question make(const std::string& name, RecordType type, bool edns_in_mix, dns::Rcode rcode,
                std::uint16_t answers, AnswerSize size = {}) const {
    const bool edns = edns_ == Edns::AsMix ? edns_in_mix : edns_ == Edns::All;
    return make_question(name, type, edns, rcode, answers, size);
  }
  Question make_addresses(const std::string& name, bool edns_in_mix, std::uint32_t count) {
    const std::size_t size = count * AddressSize;
    return make(name, RecordType::A, edns_in_mix, dns::Rcode::NoError,
                static_cast<std::uint16_t>(count), {size, size});
  }

  Question cluster() {
    const std::uint32_t draw = below(100);
    return draw < 30   ? address()
           : draw < 60 ? v6_address()
           : draw < 92 ? search()
           : draw < 97 ? srv()
                       : endpoint();
  }
  Question address() {
    const std::uint32_t service = below(world_.size().services);
    return make_addresses(world_.full_name(service), false,
                          world_.is_headless(service) ? endpoints() : 1);
  }
  Question v6_address() {
    std::uint32_t service = below(world_.size().services);
    while (world_.is_headless(service)) {  // Their endpoints have no IPv6 address.
      service = below(world_.size().services);
    }
    return make(world_.full_name(service), RecordType::AAAA, false, dns::Rcode::NoError, 1);
  }
  // What glibc tries with ndots:5 and the search path of a pod.
  Question search() {
    const std::string name = Elsewhere[below(Elsewhere.size())];
    const std::array<std::string, 3> suffixes = {
        "." + world_.namespace_name(below(world_.size().namespaces)) + ".svc.cluster.local.",
        ".svc.cluster.local.", ".cluster.local."};
    return make(name + suffixes[below(3)], below(2) == 0 ? RecordType::A : RecordType::AAAA, false,
                dns::Rcode::NxDomain, 0);
  }
  Question srv() {
    const std::uint32_t service = below(world_.size().services);
    const std::string name = world_.full_name(service);
    // pod-N. and a pointer to the Service's name, or all of it.
    constexpr std::size_t TargetLeast = 8;
    const std::size_t target_most = std::string_view("pod-10.").size() + name.size() + 1;
    const std::uint16_t count = world_.is_headless(service) ? endpoints() : 1;
    return make("_http._tcp." + name, RecordType::SRV, true, dns::Rcode::NoError, count,
                {count * (SrvSize + TargetLeast), count * (SrvSize + target_most)});
  }
  Question endpoint() {
    return make_addresses("pod-" + std::to_string(below(world_.size().endpoints)) + "." +
                              world_.full_name(headless()),
                          false, 1);
  }
  Question large(std::uint32_t count) {
    return make_addresses(World::large_name(count), true, count);
  }

  const World& world_;
  Edns edns_;
  std::mt19937 random_{1};
};

}  // namespace

Question make_question(const std::string& name, RecordType type, bool edns, dns::Rcode rcode,
                       std::uint16_t answers, AnswerSize size) {
  Question question{
      .request = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns ? std::uint8_t{1} : std::uint8_t{0}},
      .rcode = rcode,
      .answers = answers};
  const dns::Name qname = *dns::Name::from_text(name);
  auto& request = question.request;
  request.insert(request.end(), qname.wire().begin(), qname.wire().end());
  std::array<std::uint8_t, 4> tail{};
  store_u16(tail.data(), static_cast<std::uint16_t>(type));
  store_u16(tail.data() + 2, 1);
  request.insert(request.end(), tail.begin(), tail.end());
  question.question_end = request.size();
  if (edns) {
    request.insert(request.end(), Opt.begin(), Opt.end());
  }
  const std::size_t limit = edns ? EdnsSize : PlainSize;
  question.truncation = request.size() + size.most <= limit   ? Truncation::Never
                        : request.size() + size.least > limit ? Truncation::Always
                                                              : Truncation::Possible;
  return question;
}

std::vector<Question> make_questions(const World& world, Mix mix, Edns edns, std::size_t count) {
  QuestionMaker maker(world, edns);
  std::vector<Question> questions;
  questions.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    questions.push_back(maker.next(mix));
  }
  return questions;
}

bool is_right(const Question& question, Bytes answer, Transport transport) noexcept {
  constexpr std::uint8_t Response = 0x80;
  constexpr std::uint8_t TruncatedBit = 0x02;
  if (answer.size() < question.question_end || (answer[2] & Response) == 0 ||
      (answer[3] & 0x0f) != static_cast<std::uint8_t>(question.rcode) ||
      load_u16(answer.data() + 4) != 1) {
    return false;
  }
  const bool is_truncated = (answer[2] & TruncatedBit) != 0;
  const Truncation expected = transport == Transport::Tcp ? Truncation::Never : question.truncation;
  const std::uint16_t answers = load_u16(answer.data() + 6);
  if (is_truncated ? expected == Truncation::Never || answers > question.answers
                   : expected == Truncation::Always || answers != question.answers) {
    return false;
  }
  const std::size_t size = question.question_end - dns::HeaderSize;
  return std::ranges::equal(answer.subspan(dns::HeaderSize, size),
                            Bytes(question.request).subspan(dns::HeaderSize, size));
}

}  // namespace waypost::bench
