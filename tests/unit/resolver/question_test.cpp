#include "resolver/question.h"

#include "dns/name.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::test {
namespace {

using dns::RecordType;

resolver::Question question(const std::string& name, RecordType type, bool dnssec_ok = false,
                            bool checking_disabled = false) {
  resolver::Question question{
      .type = type, .dnssec_ok = dnssec_ok, .checking_disabled = checking_disabled};
  question.name.assign(dns::Name::from_text(name)->wire());
  return question;
}

}  // namespace

TEST_CASE("questions are one by name without case, type, DO and CD") {
  const resolver::Question base = question("Example.Com", RecordType::A);
  const resolver::QuestionHash hash;
  CHECK(base == question("eXaMPLe.cOm", RecordType::A));
  CHECK(hash(base) == hash(question("example.com", RecordType::A)));
  for (const resolver::Question& other :
       {question("example.org", RecordType::A), question("example.com", RecordType::AAAA),
        question("example.com", RecordType::A, true),
        question("example.com", RecordType::A, false, true)}) {
    CHECK_FALSE(base == other);
    CHECK(hash(base) != hash(other));
  }
}

TEST_CASE("a question is shown as people write it") {
  CHECK(question("Example.Com", RecordType::AAAA).to_text() == "example.com. AAAA");
}

}  // namespace waypost::test
