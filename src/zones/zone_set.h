// Static zones: RFC 1035 master files, loaded with ldns, answered without it.
//
// A ZoneSet is immutable once loaded and is published whole; the control thread builds the next one
// beside it.  Look-ups neither allocate nor lock.  solve() is RFC 1034, 4.3.2 for one zone:
// wildcards (RFC 4592), CNAME, DNAME (RFC 6672), delegations with glue (RFC 9471), empty
// non-terminals.
//
// Not here: reading files and reporting their errors (zones/zone_loader.h), the cluster zone
// (records/).

#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "dns/ldns_bridge.h"
#include "dns/lookup.h"
#include "dns/name.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace waypost::zones {

struct ZoneContent;

// The most records that one zone may hold, equal ones counted once for each time they are written.
inline constexpr std::size_t MaxZoneRecords = 1'000'000;
// The most octets that the rdata of one zone's records, and likewise its names, may take together.
inline constexpr std::size_t MaxZoneOctets = std::size_t{256} << 20;

// Says where the record at this index was written, "example.org.zone:12", for messages.
using Locator = std::function<std::string(std::size_t index)>;

// One zone.  Immutable; any number of threads may read.
class Zone {
 public:
  ~Zone();
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

  // Makes a zone of `records`, all at or below `apex`.  Equal records count once; an RRset whose
  // TTLs differ gets the lowest (RFC 2181, 5.2).  Fails without exactly one SOA, which is at the
  // apex; with a record outside of the zone, of a class other than IN, or of a type that is only
  // for queries; with CNAME beside other data; with a DNAME twice, beside a delegation or above
  // other names (RFC 6672, 2.4); with NS or DNAME at a wildcard below the apex, which nobody
  // defines (RFC 4592, 4); and beyond the two bounds above.  The message starts with `locate` of
  // the record, if given, and names the owner.
  static Result<std::unique_ptr<const Zone>> make(dns::Name apex, std::vector<dns::Record> records,
                                                  const Locator& locate = {});

  const dns::Name& apex() const noexcept { return apex_; }
  std::size_t record_count() const noexcept;

  // Answers for a name within this zone.  Follow fills `next`.  A record set that does not fit is
  // written in part, from a random start, and TC is set; TC is also set when glue from within the
  // delegated zone does not fit (RFC 9471, 3), never for other additional records.
  dns::Outcome solve(const dns::Lookup& lookup, dns::MessageWriter& out,
                     dns::Target& next) const noexcept;

  // Adds the SOA to authority for a negative answer about lookup.name, TTL min(SOA TTL, minimum)
  // (RFC 2308, 3).  False when it does not fit.
  bool add_soa(const dns::Lookup& lookup, dns::MessageWriter& out) const noexcept;

  std::uint32_t serial() const noexcept;

  // Every record, SOA first, in canonical order of owners: the content of a zone transfer without
  // the final SOA.
  void for_each_record(const std::function<void(const dns::Record&)>& visit) const;

 private:
  Zone(dns::Name apex, std::unique_ptr<const ZoneContent> content);

  dns::Name apex_;
  std::unique_ptr<const ZoneContent> content_;
};

// Who has the names at an apex and below it, down to longer apexes: a zone here, or other servers.
struct Owner {
  const Zone* zone = nullptr;  // Null: other servers are asked.
  std::uint8_t labels = 0;     // Of the apex.
  // A built-in zone without names of its own (RFC 6303, 3): it has only what nothing else that is
  // configured has, however short that one's apex is.
  bool gives_way = false;
};

// The zones of a server.  Immutable; any number of threads may read.
class ZoneSet {
 public:
  // A zone and the file that it was read from; none for a zone that was made otherwise.
  struct Loaded {
    std::filesystem::path file;
    std::shared_ptr<const Zone> zone;
    bool is_built_in = false;
  };

  // At most one zone for each apex answers; of two the later does.  Names of the apexes `elsewhere`
  // are other servers', but for zones that are longer or have the same apex.  Built-in zones within
  // them do not answer.  The root is nobody's: no zone here has what is left.
  explicit ZoneSet(std::vector<std::shared_ptr<const Zone>> zones,
                   std::span<const dns::Name> elsewhere = {});
  // The same, remembering for find_file() where each zone came from, also of those that do not
  // answer.
  static std::unique_ptr<const ZoneSet> from_files(std::vector<Loaded> loaded,
                                                   std::span<const dns::Name> elsewhere = {});
  ~ZoneSet();

  // The owner with the longest apex that `name` is within, or nullptr.
  const Owner* closest(const dns::NameKey& name) const noexcept;
  // The zone with this very apex, or nullptr.
  std::shared_ptr<const Zone> find(const dns::Name& apex) const;
  // The zone that was read from this very path, or nullptr.
  std::shared_ptr<const Zone> find_file(const std::filesystem::path& file) const;

  // Those that answer, in canonical order of their apexes.
  std::span<const std::shared_ptr<const Zone>> zones() const noexcept { return zones_; }
  std::span<const Loaded> loaded() const noexcept { return loaded_; }

 private:
  struct Table;
  ZoneSet() = default;
  void build(const std::vector<Loaded>& loaded, std::span<const dns::Name> elsewhere);

  std::vector<std::shared_ptr<const Zone>> zones_;
  std::vector<Loaded> loaded_;
  std::unique_ptr<const Table> table_;
};

}  // namespace waypost::zones
