// Any text as a master file: it is read or refused with its place, a zone that comes of it tells
// the same records again, and whatever is asked of it gives a message that ldns can read.

#include "dns/ldns_bridge.h"
#include "dns/lookup.h"
#include "dns/message_writer.h"
#include "dns/query.h"
#include "zones/master_file.h"
#include "zones/zone_set.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace waypost;

// What one run may cost: the rest of a large zone is more of the same.
constexpr std::size_t MaxAsked = 64;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

std::vector<dns::Record> records_of(const zones::Zone& zone) {
  std::vector<dns::Record> records;
  zone.for_each_record([&](const dns::Record& record) { records.push_back(record); });
  return records;
}

// A query as read_query() leaves it.
std::vector<std::uint8_t> packet_for(const dns::Name& name, dns::RecordType type) {
  std::vector<std::uint8_t> packet = {0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  packet.insert(packet.end(), name.wire().begin(), name.wire().end());
  const auto number = static_cast<std::uint16_t>(type);
  packet.insert(packet.end(), {static_cast<std::uint8_t>(number >> 8),
                               static_cast<std::uint8_t>(number & 0xff), 0, 1});
  return packet;
}

dns::Outcome ask(const zones::Zone& zone, const dns::Name& name, dns::RecordType type,
                 std::size_t size) {
  const std::vector<std::uint8_t> packet = packet_for(name, type);
  dns::Query query;
  expect(dns::read_query(packet, query) == dns::ReadVerdict::Answer, "a name makes a query");
  static std::array<std::uint8_t, dns::MaxMessageSize> buffer;
  dns::MessageWriter writer(MutableBytes(buffer).first(size));
  writer.start(query);
  static dns::Rotation rotation(1);
  const dns::Name apex = zone.apex().lowered();
  dns::Target at{.name = query.name, .owner = dns::QuestionOffset};
  dns::Target next;
  dns::Outcome outcome = dns::Outcome::Follow;
  for (int hops = 0; outcome == dns::Outcome::Follow && hops < 10 &&
                     at.name.is_within(apex.wire(), apex.label_count());
       ++hops) {
    const dns::Lookup lookup{at.name, type, at.owner, rotation};
    outcome = zone.solve(lookup, writer, next);
    if (outcome == dns::Outcome::NoName || outcome == dns::Outcome::NoData) {
      zone.add_soa(lookup, writer);
    }
    at = next;
  }
  const Result<dns::Message> message = dns::parse_message(Bytes(buffer).first(writer.finish()));
  expect(message.has_value(), "ldns reads what is written");
  expect(message->answer.size() == writer.count(dns::Section::Answer), "all answers are read");
  return outcome;
}

void ask_all(const zones::Zone& zone, const std::vector<dns::Record>& records) {
  for (std::size_t i = 0; i < std::min(records.size(), MaxAsked); ++i) {
    const dns::Record& record = records[i];
    const dns::Outcome whole = ask(zone, record.owner, record.type, dns::MaxMessageSize);
    expect(whole != dns::Outcome::NoName && whole != dns::Outcome::NoData,
           "what is written is answered, or referred");
    ask(zone, record.owner, dns::RecordType::ANY, dns::PlainUdpSize);
    const std::size_t tight = dns::HeaderSize + record.owner.size() + 4 + i * 7;
    ask(zone, record.owner, record.type, std::min(tight, dns::MaxMessageSize));
    if (const Result<dns::Name> below = record.owner.child("x")) {
      ask(zone, *below, record.type, dns::PlainUdpSize);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(input), size);
  // Behind the first zero octet is the file that every $INCLUDE finds.
  const std::size_t end = std::min(all.find('\0'), all.size());
  const std::string_view text = all.substr(0, end);
  const std::string_view included = all.substr(std::min(end + 1, all.size()));
  const auto includer = [&](const std::filesystem::path&,
                            std::string_view) -> Result<zones::IncludedFile> {
    return zones::IncludedFile{.path = "included", .text = std::string(included)};
  };
  Result<zones::MasterFile> file =
      zones::read_master_file(text, "zone", *dns::Name::from_text("example."), includer);
  if (!file) {
    const std::string& message = file.error().message;
    expect(message.starts_with("zone:") || message.starts_with("included:"), "errors have a place");
    return 0;
  }
  const auto soa = std::ranges::find(file->records, dns::RecordType::SOA, &dns::Record::type);
  if (soa == file->records.end()) {
    return 0;
  }
  const dns::Name apex = soa->owner;
  const auto zone = zones::Zone::make(apex, file->records);
  if (!zone) {
    return 0;
  }
  const std::vector<dns::Record> records = records_of(**zone);
  expect(records.size() == (*zone)->record_count(), "every record is told");
  expect(records.front().type == dns::RecordType::SOA, "the SOA comes first");
  const auto again = zones::Zone::make(apex, records);
  expect(again.has_value() && records_of(**again) == records, "the same zone again");
  ask_all(**zone, records);
  return 0;
}
