// Any octets as an upstream's answer, and as text about upstreams: the readers stay inside them,
// and what they accept holds what they promise.

#include "dns/name.h"
#include "dns/response.h"
#include "resolver/answer_outline.h"
#include "resolver/outgoing_question.h"
#include "resolver/upstream_address.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace {

using waypost::Bytes;
using namespace waypost::resolver;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

class NoRandom final : public waypost::Random {
 public:
  std::uint64_t next() override { return 0; }
};

// The question "a. A" with the id 0.
void read_answer(Bytes octets) {
  static const OutgoingQuestion sent = [] {
    NoRandom random;
    Question question;
    question.name.assign(waypost::dns::Name::from_text("a.")->wire());
    question.type = waypost::dns::RecordType::A;
    OutgoingQuestion outgoing;
    outgoing.write(question, {}, random);
    return outgoing;
  }();
  const AnswerMatch match = sent.match(octets);
  if (match != AnswerMatch::Answer && match != AnswerMatch::WrongCase) {
    return;
  }
  constexpr std::size_t QuestionEnd = 12 + 3 + 4;
  expect(octets.size() >= QuestionEnd, "an answer has the question");
  expect((match == AnswerMatch::Answer) ==
             std::ranges::equal(octets.subspan(12, 7), sent.octets().subspan(12, 7)),
         "the case tells a wrong case");
  static const auto response = std::make_unique<waypost::dns::Response>();
  if (!waypost::dns::read_response(octets, *response) || response->truncated) {
    return;
  }
  const AnswerOutline outline = AnswerOutline::of(*response);
  expect(!outline.is_lame || outline.rcode == waypost::dns::Rcode::NoError, "an error is not lame");
}

void read_text(std::string_view text) {
  if (const auto address = UpstreamAddress::from_text(text)) {
    const auto again = UpstreamAddress::from_text(address->to_text());
    expect(again && again->is_same(*address), "an upstream's text is read back");
  }
  const ResolvConf conf = read_resolv_conf(text, "f");
  expect(conf.upstreams.size() <= ResolvConf::MaxServers,
         "a resolv.conf has three servers at most");
  for (const UpstreamAddress& upstream : conf.upstreams) {
    expect(upstream.transport == Transport::Udp && upstream.socket.port == 53,
           "a resolv.conf has addresses alone");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes octets(data, size);
  read_answer(octets);
  read_text(waypost::as_text(octets));
  return 0;
}
