#include "resolver/answer_outline.h"

#include "resolver/outgoing_question.h"
#include "forwarder_fixture.h"

#include "dns/response.h"

#include <memory>

namespace waypost::resolver {
namespace {

// Of octets that are a response.
std::optional<AnswerOutline> outline_of(Bytes octets) {
  const auto response = std::make_unique<dns::Response>();
  return dns::read_response(octets, *response) ? std::optional(AnswerOutline::of(*response))
                                               : std::nullopt;
}

// A question as an upstream reads it.
DnsQuestion question_to(const char* name, bool edns) {
  SeededRandom random;
  OutgoingQuestion outgoing;
  outgoing.write(question_of(name), {.edns = edns}, random);
  DnsQuestion question;
  question.message.assign(outgoing.octets().begin(), outgoing.octets().end());
  question.has_edns = edns;
  return question;
}

TEST_CASE("an answer's outline: rcode, TC, EDNS") {
  const DnsQuestion question = question_to("example.com.", true);
  const DnsQuestion plain = question_to("example.com.", false);
  CHECK(outline_of(test::answer_to(question))->rcode == dns::Rcode::NoError);
  CHECK(outline_of(test::answer_to(question))->has_edns);
  CHECK(!outline_of(test::answer_to(plain))->has_edns);
  CHECK(!outline_of(test::answer_to(question))->is_truncated);
  CHECK(outline_of(test::truncated(question))->is_truncated);
  CHECK(outline_of(test::no_name(question))->rcode == dns::Rcode::NxDomain);
  CHECK(outline_of(test::error_to(question, 5))->rcode == dns::Rcode::Refused);
  Octets extended = test::error_to(question, 7);
  extended[extended.size() - 6] = 1;
  CHECK(outline_of(extended)->rcode == dns::Rcode::BadCookie);
}

TEST_CASE("a referral, and nothing from a server that does not recurse, are lame") {
  const DnsQuestion question = question_to("example.com.", true);
  CHECK(outline_of(test::referral(question))->is_lame);
  CHECK(!outline_of(test::answer_to(question))->is_lame);
  CHECK(!outline_of(test::no_name(question))->is_lame);
  CHECK(!outline_of(test::error_to(question, 0))->is_lame);  // RA: it has nothing.
  Octets nothing = test::error_to(question, 0);
  nothing[3] = 0;
  CHECK(outline_of(nothing)->is_lame);
  nothing[2] |= 0x04;  // AA: it knows that there is nothing.
  CHECK(!outline_of(nothing)->is_lame);
  Octets no_data = test::no_name(question);
  no_data[3] = 0;
  CHECK(!outline_of(no_data)->is_lame);
}

TEST_CASE("no part of an answer is an answer") {
  for (const bool edns : {false, true}) {
    const DnsQuestion question = question_to("a.rather.long.name.example.com.", edns);
    for (const Octets& whole : {test::answer_to(question), test::no_name(question)}) {
      CHECK(outline_of(whole));
      for (std::size_t size = dns::HeaderSize; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(!outline_of(Bytes(whole).first(size)));
      }
    }
  }
}

TEST_CASE("names that are none make no answer") {
  const DnsQuestion question = question_to("example.com.", false);
  const std::size_t owner = test::error_to(question, 0).size();
  for (const std::uint8_t octet : Octets{0x40, 0x80, 0xbf}) {
    Octets bad = test::answer_to(question);
    bad[owner] = octet;  // Neither a length nor a pointer.
    CHECK(!outline_of(bad));
  }
  // More than 255 octets of labels.
  Octets bad = test::error_to(question, 0);
  bad[7] = 1;
  for (int i = 0; i < 130; ++i) {
    bad.insert(bad.end(), {1, 'a'});
  }
  bad.insert(bad.end(), {0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1});
  CHECK(!outline_of(bad));
}

TEST_CASE("a question is padded to 128 octets, whatever its name") {
  SeededRandom random;
  for (std::size_t length = 1; length <= 60; ++length) {
    const std::string label(length, 'a');
    OutgoingQuestion outgoing;
    outgoing.write(question_of(label + "." + label + "." + label + "." + label + "."),
                   {.padded = true}, random);
    CAPTURE(length);
    CHECK(outgoing.octets().size() % 128 == 0);
    CHECK(outgoing.octets().size() <= 384);
  }
}

}  // namespace
}  // namespace waypost::resolver
