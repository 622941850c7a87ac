#include "resolver/answer_packer.h"

#include "kept_answer.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

namespace waypost::resolver {
namespace {

using Lines = std::vector<std::string>;
using enum dns::RecordType;

// A response as servers send it: 20 name servers below the question's name, each compressed.
std::vector<std::uint8_t> compressed_response() {
  std::vector<std::uint8_t> packet = test::make_query({.name = "zone.example.", .type = NS});
  packet[2] |= 0x80;
  packet[7] = 20;
  for (std::uint8_t i = 0; i < 20; ++i) {
    const std::vector<std::uint8_t> record = {
        0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 5, 2, 'n', static_cast<std::uint8_t>('a' + i),
        0xc0, 12};
    packet.insert(packet.end(), record.begin(), record.end());
  }
  return packet;
}

}  // namespace

TEST_CASE("names are compressed as far as they were in the response") {
  KeptAnswers kept;
  const auto packet = compressed_response();
  const CachedAnswer* const answer = kept.store(make_question("zone.example.", NS), packet);
  CHECK(kept.write(*answer, "zone.example.").size() == packet.size());

  // Nobody compressed these.
  const CachedAnswer* const chain =
      kept.store({.name = "www.example.",
                  .answer = {"www.example. 60 IN CNAME web.cdn.example.",
                             "web.cdn.example. 60 IN CNAME edge.cdn.other.",
                             "edge.cdn.other. 60 IN A 192.0.2.1"}});
  const std::size_t question = 12 + 13 + 4;
  const std::size_t first = 12 + 8 + 2;  // The owner's pointer, head; web, cdn, a pointer.
  const std::size_t second = 12 + 16;    // To all of that; edge, cdn, other and the root.
  CHECK(kept.write(*chain, "www.example.").size() == question + first + second + 12 + 4);
}

TEST_CASE("names in rdata that old readers do not decompress are written out") {
  KeptAnswers kept;
  const CachedAnswer* const answer =
      kept.store({.name = "_sip._tcp.example.",
                  .type = SRV,
                  .answer = {"_sip._tcp.example. 60 IN SRV 0 5 5060 a.example."}});
  const auto message = kept.write(*answer, "_sip._tcp.example.");
  CHECK(message.size() == 12 + 19 + 4 + 12 + 6 + 11);
  CHECK(test::response_text(message).answer ==
        Lines{"_sip._tcp.example. 60 IN SRV 0 5 5060 a.example."});
}

TEST_CASE("an answer is in the case of whoever asks, other names are as they first came") {
  KeptAnswers kept;
  const CachedAnswer* const answer = kept.store(
      {.name = "wWw.eXample.",
       .answer = {"WWW.eXample. 60 IN CNAME Web.exAmple.", "wEB.example. 60 IN CNAME Edge.Other.",
                  "edge.other. 60 IN A 192.0.2.1"}});
  CHECK(test::response_text(kept.write(*answer, "WwW.ExamplE.")).answer ==
        Lines{"Edge.Other. 60 IN A 192.0.2.1", "Web.ExamplE. 60 IN CNAME Edge.Other.",
              "WwW.ExamplE. 60 IN CNAME Web.ExamplE."});
}

TEST_CASE(
    "behind other records and for a name that stands elsewhere, pointers lead where they did") {
  KeptAnswers kept;
  const CachedAnswer* const answer = kept.store(
      {.name = "www.example.",
       .answer = {"www.example. 60 IN CNAME web.example.", "web.example. 60 IN CNAME edge.other.",
                  "edge.other. 60 IN A 192.0.2.1", "edge.other. 60 IN A 192.0.2.2"}});
  const auto request = test::make_query({.name = "alias.shop.svc.cluster.local."});
  const auto query = std::make_unique<dns::Query>();
  REQUIRE(dns::read_query(request, *query) == dns::ReadVerdict::Answer);
  std::vector<std::uint8_t> out(dns::MaxMessageSize);
  dns::MessageWriter writer(out);
  writer.start(*query);
  const auto target = dns::Name::from_text("WWW.Example.");
  REQUIRE(writer.add_name(dns::Section::Answer, dns::NameParts::at(dns::QuestionOffset), CNAME, 5,
                          dns::NameParts::whole(target->wire())));
  dns::Rotation rotation(1);
  CHECK(write_answer(*answer, 0, TtlMode::CountDown, writer.last_target(), rotation, writer));
  CHECK(test::response_text(Bytes(out).first(writer.finish())).answer ==
        Lines{"WWW.Example. 60 IN CNAME web.Example.",
              "alias.shop.svc.cluster.local. 5 IN CNAME WWW.Example.",
              "edge.other. 60 IN A 192.0.2.1", "edge.other. 60 IN A 192.0.2.2",
              "web.Example. 60 IN CNAME edge.other."});
}

TEST_CASE("a message that is too small holds whole RRsets, with TC") {
  KeptAnswers kept;
  ResponseLines lines{.name = "www.example.", .answer = {"www.example. 60 IN CNAME web.example."}};
  for (int i = 1; i <= 10; ++i) {
    lines.answer.push_back("web.example. 60 IN A 192.0.2." + std::to_string(i));
  }
  const CachedAnswer* const answer = kept.store(lines);
  const std::size_t whole = kept.write(*answer, lines.name).size();
  const std::size_t alias = whole - 10 * 16;
  for (std::size_t size = 12 + 13 + 4; size <= whole; ++size) {
    CAPTURE(size);
    const auto text = test::response_text(kept.write(*answer, lines.name, 0, size));
    CHECK(text.answer.size() == (size == whole ? 11 : size >= alias ? 1 : 0));
    CHECK((text.flags.find("tc") != std::string::npos) == (size != whole));
  }
}

TEST_CASE("addresses come in an order of chance: each is the first one about as often") {
  KeptAnswers kept;
  ResponseLines lines{.name = "www.example."};
  for (int i = 1; i <= 4; ++i) {
    lines.answer.push_back("www.example. 60 IN A 192.0.2." + std::to_string(i));
  }
  const CachedAnswer* const answer = kept.store(lines);
  std::map<std::uint8_t, int> first;
  for (int i = 0; i < 4000; ++i) {
    const auto message = kept.write(*answer, lines.name);
    ++first[message[12 + 13 + 4 + 15]];
    REQUIRE(test::response_text(message).answer == lines.answer);
  }
  CHECK(first.size() == 4);
  for (const auto& [address, times] : first) {
    CAPTURE(int{address});
    CHECK(times > 800);
    CHECK(times < 1200);
  }
}

TEST_CASE("an answer that becomes larger than a message is none") {
  // 4000 SRV records whose targets the server compressed, against RFC 2782.
  std::vector<std::uint8_t> packet =
      test::make_query({.name = "a.rather.long.name.of.a.zone.example.", .type = SRV});
  packet[2] |= 0x80;
  store_u16(packet.data() + 6, 2500);
  const std::vector<std::uint8_t> record = {0xc0, 12, 0, 33, 0, 1, 0,  0,    0,    60,
                                            0,    8,  0, 0,  0, 5, 19, 0xc4, 0xc0, 12};
  for (int i = 0; i < 2500; ++i) {
    packet.insert(packet.end(), record.begin(), record.end());
  }
  KeptAnswers kept;
  CHECK(kept.store(make_question("a.rather.long.name.of.a.zone.example.", SRV), packet) == nullptr);
  CHECK(kept.cache.entries() == 0);
}

}  // namespace waypost::resolver
