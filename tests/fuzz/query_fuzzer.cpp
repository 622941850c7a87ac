// Any octets as a query: the reader stays inside them, agrees with ldns on what it accepts, and
// what the writer makes of it is a message for ldns too.

#include "dns/edns.h"
#include "dns/ldns_bridge.h"
#include "dns/message_writer.h"
#include "dns/query.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using waypost::Bytes;
using namespace waypost::dns;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

void compare_with_ldns(Bytes packet, const Query& query) {
  const waypost::Result<Message> message = parse_message(packet);
  if (!message) {
    // What is passed over, an additional record other than OPT, is not checked.
    const unsigned read = query.edns.present ? 1 : 0;
    expect(waypost::load_u16(packet.data() + 10) > read, "ldns accepts what is answered");
    return;
  }
  expect(message->id == query.id, "same id");
  expect(std::ranges::equal(message->question_name.lowered().wire(), query.name.wire()),
         "same name");
  expect(std::ranges::equal(message->question_name.wire(), query.question.first(query.name.size)),
         "same case of the name");
  expect(message->question_type == query.type, "same type");
  expect(message->question_class == query.record_class, "same class");
  expect(message->edns == query.edns.present, "same presence of EDNS");
  expect(message->edns_udp_size == query.edns.udp_size, "same size in EDNS");
  expect(message->edns_dnssec_ok == query.edns.dnssec_ok, "same DO");
  expect(hash_name(query.name.wire()) == query.name.hash, "same hash");
}

// A response of every shape of owner and target, cut where the first octet of the id says.
void write_response(Bytes packet, const Query& query) {
  static constexpr std::array<std::uint8_t, 16> Address{0xfd};
  static constexpr std::array<std::uint8_t, 3> Label{2, 'e', 'p'};
  std::vector<std::uint8_t> buffer(HeaderSize + 4U * packet[0]);
  MessageWriter writer(buffer);
  writer.start(query);
  const bool with_opt = query.edns.present && writer.reserve(opt_size(0, false, false, 0));
  if (writer.size() > HeaderSize) {
    const NameParts owner = NameParts::at(QuestionOffset);
    const Section answer = Section::Answer;
    for (const std::size_t size : {4U, 16U}) {
      writer.add_address(answer, owner, query.id, Bytes(Address).first(size));
    }
    for (std::size_t i = 0; i <= query.name.label_count; ++i) {
      const auto at = static_cast<std::uint16_t>(QuestionOffset + query.name.offset_of(i));
      writer.add_name(answer, NameParts::at(at), RecordType::CNAME, 5, owner);
      writer.add_srv(answer, owner, 5, 1, 2, 3, NameParts::whole(query.name.suffix(i)));
      if (writer.last_target() != 0) {
        writer.add_address(answer, NameParts::at(writer.last_target()), 5, Address);
      }
    }
    if (query.name.size + Label.size() <= MaxNameSize) {
      writer.add_soa(Section::Authority, {Label, {}, QuestionOffset}, 5, owner,
                     {Label, query.name.wire(), 0}, {});
    }
  }
  if (with_opt) {
    std::array<std::uint8_t, opt_size(0, false, false, 0)> opt{};
    expect(write_opt({.dnssec_ok = query.edns.dnssec_ok}, opt) == opt.size(), "OPT fits");
    expect(writer.add_reserved(opt), "what was reserved is there");
  }
  const std::size_t size = writer.finish();
  expect(size <= buffer.size(), "within its limit");
  const waypost::Result<Message> message = parse_message(Bytes(buffer).first(size));
  expect(message.has_value(), "ldns accepts what is written");
  expect(message->answer.size() == writer.count(Section::Answer), "every answer is read");
  expect(message->authority.size() == writer.count(Section::Authority), "authority is read");
  expect(message->edns == with_opt, "EDNS is read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const Bytes packet(input, std::min(size, MaxMessageSize));
  static Query query;  // Reused, as a worker does: nothing of an earlier query may show.
  const ReadVerdict verdict = read_query(packet, query);
  if (verdict == ReadVerdict::Drop) {
    return 0;
  }
  if (verdict == ReadVerdict::Answer) {
    compare_with_ldns(packet, query);
  }
  write_response(packet, query);
  return 0;
}
