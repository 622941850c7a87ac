#include "unit/zones/zone_expect.h"

#include "support/dns_text.h"
#include "zones/zone_loader.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace waypost::test {

namespace {

using dns::Outcome;

std::vector<std::string> normalized_all(const std::vector<std::string>& records) {
  std::vector<std::string> lines;
  std::ranges::transform(records, std::back_inserter(lines), normalized);
  std::ranges::sort(lines);
  return lines;
}

// The SOA as a negative answer has it (RFC 2308, 3).
std::string negative_soa(const zones::Zone& zone) {
  dns::Record soa;
  zone.for_each_record([&](const dns::Record& record) {
    if (record.type == dns::RecordType::SOA) {
      soa = record;
    }
  });
  soa.ttl = std::min(soa.ttl, load_u32(soa.rdata.data() + soa.rdata.size() - 4));
  return dns::to_text(soa);
}

std::string to_text(const ZoneAnswer& answer) {
  return fmt::format("{}{}{}\n;answer\n{}\n;authority\n{}\n;additional\n{}\n",
                     test::to_text(answer.outcome), answer.truncated ? " TC" : "",
                     answer.next.empty() ? "" : " -> " + answer.next,
                     fmt::join(answer.answer, "\n"), fmt::join(answer.authority, "\n"),
                     fmt::join(answer.additional, "\n"));
}

}  // namespace

ZoneUnderTest::ZoneUnderTest(std::string_view apex, std::string_view text) {
  Result<dns::Name> origin = dns::Name::from_text(apex);
  if (!origin) {
    throw std::runtime_error(origin.error().message);
  }
  Result<std::unique_ptr<const zones::Zone>> zone = zones::parse_zone(text, "test.zone", *origin);
  if (!zone) {
    throw std::runtime_error(zone.error().message);
  }
  zone_ = *std::move(zone);
}

ZoneUnderTest::ZoneUnderTest(std::shared_ptr<const zones::Zone> zone) : zone_(std::move(zone)) {}

ZoneAnswer ZoneUnderTest::ask(const ZoneCase& question) {
  const std::size_t blank = question.asks.find(' ');
  const std::vector<std::uint8_t> packet =
      make_query({.name = question.asks.substr(0, blank),
                  .type = type_from_text(std::string_view(question.asks).substr(blank + 1))});
  dns::Query query;
  if (dns::read_query(packet, query) != dns::ReadVerdict::Answer) {
    throw std::runtime_error("not a query: " + question.asks);
  }
  std::vector<std::uint8_t> buffer(question.size);
  dns::MessageWriter writer(buffer);
  writer.start(query);

  const dns::Name apex = zone_->apex().lowered();
  dns::Target at{.name = query.name, .owner = dns::QuestionOffset};
  dns::Target next;
  ZoneAnswer answer;
  for (int hops = 0;; ++hops) {
    const dns::Lookup lookup{at.name, query.type, at.owner, rotation_};
    answer.outcome = zone_->solve(lookup, writer, next);
    if (answer.outcome == Outcome::Follow && question.follow && hops < 8 &&
        next.name.is_within(apex.wire(), apex.label_count())) {
      at = next;
      continue;
    }
    if (answer.outcome == Outcome::Follow) {
      answer.next = dns::Name::from_wire(next.name.wire())->to_text();
    }
    if (answer.outcome == Outcome::NoName || answer.outcome == Outcome::NoData) {
      REQUIRE(zone_->add_soa(lookup, writer));
    }
    break;
  }
  answer.truncated = writer.is_truncated();
  answer.size = writer.finish();
  const ResponseText response = response_text(Bytes(buffer).first(answer.size));
  answer.answer = response.answer;
  answer.authority = response.authority;
  answer.additional = response.additional;
  return answer;
}

void ZoneUnderTest::expect(const ZoneCase& expected) {
  ZoneAnswer wanted{.outcome = expected.outcome,
                    .answer = normalized_all(expected.answer),
                    .authority = normalized_all(expected.authority),
                    .additional = normalized_all(expected.additional),
                    .next = expected.next,
                    .truncated = expected.truncated};
  if (expected.outcome == Outcome::NoName || expected.outcome == Outcome::NoData) {
    wanted.authority.push_back(negative_soa(*zone_));
  }
  const ZoneAnswer got = ask(expected);
  INFO("asks: ", expected.asks);
  INFO("expected: ", to_text(wanted));
  INFO("got: ", to_text(got));
  CHECK(to_text(wanted) == to_text(got));
}

std::string to_text(Outcome outcome) {
  static constexpr std::string_view Words[] = {"Hit",      "NoData", "NoName",   "Follow",
                                               "Referral", "Failed", "Truncated"};
  return std::string(Words[static_cast<std::size_t>(outcome)]);
}

std::string normalized(std::string_view record) {
  const Result<dns::Record> read = dns::record_from_text(record);
  if (!read) {
    throw std::runtime_error(read.error().message);
  }
  return dns::to_text(*read);
}

dns::RecordType type_from_text(std::string_view word) {
  for (std::uint16_t number = 1; number < 300; ++number) {
    if (dns::to_text(static_cast<dns::RecordType>(number)) == word) {
      return static_cast<dns::RecordType>(number);
    }
  }
  throw std::runtime_error(fmt::format("no record type: {}", word));
}

std::string with_soa(std::string_view records) {
  return fmt::format(
      "@ 3600 SOA ns hostmaster 7 2 3 4 60\n@ 3600 NS ns\nns 3600 A 192.0.2.53\n{}\n", records);
}

}  // namespace waypost::test
