// Any octets as a response of another server: the reader stays inside them, and what it accepts can
// be kept and written again, for whoever asks, as a message that holds the same answer for ldns.

#include "dns/ldns_bridge.h"
#include "dns/message_writer.h"
#include "dns/query.h"
#include "dns/response.h"
#include "resolver/answer_cache.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

using waypost::Bytes;
using namespace waypost::dns;
using namespace waypost::resolver;

constexpr std::uint32_t Now = 100;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

// Every part that is said to be there can be taken out.
void expand_all(Bytes packet, const Response& response) {
  std::array<std::uint8_t, MaxNameSize> name;
  std::vector<std::uint8_t> rdata(MaxMessageSize);
  for (const auto& section : {response.answer(), response.authority(), response.additional()}) {
    for (const ResponseRecord& record : section) {
      const std::size_t size = expand_name(packet, record.owner, name);
      expect(size >= 1 && size <= name.size(), "an owner is a name");
      (void)expand_rdata(packet, record, rdata);
    }
  }
}

void keep_and_write(Bytes packet, const Response& response) {
  std::vector<std::uint8_t> request(HeaderSize);
  request[5] = 1;  // QDCOUNT
  request.insert(request.end(), response.question.begin(), response.question.end());
  const auto query = std::make_unique<Query>();
  expect(read_query(request, *query) == ReadVerdict::Answer, "its question can be asked");

  const auto cache = std::make_unique<AnswerCache>(std::size_t{1} << 16);
  const Question question{query->name, query->type};
  const CachedAnswer* answer = cache->store(question, packet, response, Now);
  if (answer == nullptr) {
    return;
  }
  const auto found = cache->find(question.key(), Now);
  expect(found.answer == nullptr || found.answer == answer, "what is found is what was kept");

  static Rotation rotation(1);
  std::vector<std::uint8_t> out(MaxMessageSize);
  MessageWriter writer(out);
  writer.start(*query);
  writer.set_rcode(answer->rcode());
  const bool is_whole =
      write_answer(*answer, Now, TtlMode::CountDown, QuestionOffset, rotation, writer);
  const std::size_t size = writer.finish();
  const auto before = parse_message(packet);
  if (!is_whole || !before) {
    return;
  }
  const auto after = parse_message(Bytes(out).first(size));
  expect(after.has_value(), "ldns accepts what is written");
  for (const Record& record : after->answer) {
    const bool is_known = std::ranges::any_of(before->answer, [&](const Record& other) {
      return other.type == record.type && other.record_class == record.record_class &&
             std::ranges::equal(other.owner.lowered().wire(), record.owner.lowered().wire());
    });
    expect(is_known, "no answer is added");
    expect(record.record_class == RecordClass::IN, "all answers are of the class");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const Bytes packet(input, std::min(size, MaxMessageSize));
  static const auto response = std::make_unique<Response>();  // Reused, as the resolver does.
  if (!read_response(packet, *response)) {
    return 0;
  }
  expand_all(packet, *response);
  if (!response->question.empty() && !response->truncated) {
    keep_and_write(packet, *response);
  }
  return 0;
}
