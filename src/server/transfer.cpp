#include "server/transfer.h"

#include "dns/ldns_bridge.h"
#include "dns/message_writer.h"
#include "dns/query.h"
#include "records/publisher.h"
#include "zones/zone_set.h"

#include <array>
#include <functional>
#include <memory>
#include <optional>

namespace waypost::server {
namespace {

using dns::Record;
using dns::RecordType;
using dns::Section;

// Packs records into as few messages as hold them.
class TransferWriter {
 public:
  explicit TransferWriter(const dns::Query& query) : query_(query) {}

  void add(const Record& record) {
    if (!writer_) {
      open();
    }
    if (!put(record)) {
      close();
      open();
      put(record);
    }
  }

  TransferMessages finish() {
    if (writer_) {
      close();
    }
    return std::move(messages_);
  }

 private:
  void open() {
    writer_.emplace(buffer_);
    writer_->start(query_);
    writer_->set_authoritative(true);
  }
  void close() {
    const std::size_t size = writer_->finish();
    messages_.emplace_back(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    writer_.reset();
  }
  bool put(const Record& record) noexcept {
    return writer_->add_record(Section::Answer, dns::NameParts::whole(record.owner.wire()),
                               record.type, record.record_class, record.ttl, record.rdata);
  }

  const dns::Query& query_;
  // A record's rdata is at most 65535 octets and only TXT comes near; such a record goes alone into
  // a message of full size.
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(dns::MaxMessageSize);
  std::optional<dns::MessageWriter> writer_;
  TransferMessages messages_;
};

std::uint32_t serial_of(const Record& soa) {
  return load_u32(soa.rdata.data() + soa.rdata.size() -
                  20);  // RFC 1035, 3.3.13: five 32-bit values.
}

// RFC 1982, 3.2.  Serials that are half the space apart, which have no order, are both older.
bool is_older(std::uint32_t serial, std::uint32_t than) noexcept {
  return serial != than && than - serial <= std::uint32_t{1} << 31;
}

}  // namespace

TransferMessages make_transfer(Bytes request, const records::Publisher& publisher,
                               const zones::ZoneSet& zones) {
  const auto query = std::make_unique<dns::Query>();
  if (dns::read_query(request, *query) != dns::ReadVerdict::Answer) {
    return {};
  }
  const auto name = dns::Name::from_wire(query->name.wire());
  if (!name) {
    return {};
  }
  std::function<void(const std::function<void(const Record&)>&)> for_each;
  const std::shared_ptr<const zones::Zone> zone = zones.find(*name);
  if (*name == publisher.index().options().zone) {
    for_each = [&](const auto& visit) { publisher.for_each_record(visit); };
  } else if (zone != nullptr) {
    for_each = [&](const auto& visit) { zone->for_each_record(visit); };
  } else {
    return {};
  }

  TransferWriter writer(*query);
  std::optional<Record> soa;
  bool unchanged = false;
  for_each([&](const Record& record) {
    if (!soa) {
      soa = record;
      unchanged = query->type == RecordType::IXFR && query->has_ixfr_serial &&
                  !is_older(query->ixfr_serial, serial_of(record));
    } else if (unchanged) {
      return;
    }
    writer.add(record);
  });
  if (soa && !unchanged) {
    writer.add(*soa);
  }
  return writer.finish();
}

}  // namespace waypost::server
