// How a zone lies in memory: flat arrays, filled once by build_content(), then only read.
//
// Every name that exists is a node, empty non-terminals too, in canonical order (RFC 4034, 6.1): a
// parent stands before its children and the apex is node 0.  What a query would have to work out by
// walking up or down the tree (the covering delegation, the wildcard child, the node of a target)
// is an index in the node or beside the record.

#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "dns/ldns_bridge.h"
#include "dns/name.h"
#include "dns/query.h"
#include "dns/types.h"
#include "zones/zone_set.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace waypost::zones {

struct ZoneContent {
  static constexpr std::uint32_t None = 0xffffffff;

  struct Node {
    std::uint64_t hash = 0;         // hash_name() of the lower-case name.
    std::uint32_t name_at = 0;      // Into `names`; the name keeps the case it was written in.
    std::uint32_t first_set = 0;    // Into `sets`.
    std::uint32_t set_count = 0;    // 0: an empty non-terminal.
    std::uint32_t cut = None;       // The topmost delegation at or above this node.
    std::uint32_t wildcard = None;  // The child named "*".
    std::uint8_t name_size = 0;
    std::uint8_t labels = 0;  // Root not counted.
  };

  struct RecordSet {
    dns::RecordType type{};
    std::uint32_t ttl = 0;    // Seconds.
    std::uint32_t first = 0;  // Into `rdata_at` and `targets`.
    std::uint32_t count = 0;  // At least 1.
  };

  std::vector<Node> nodes;
  std::vector<RecordSet> sets;  // Of a node together; the SOA is sets[0].
  std::vector<std::uint32_t>
      rdata_at;                        // Where each record's rdata starts, and the end of the last.
  std::vector<std::uint32_t> targets;  // The node that NS, MX and SRV point to, or None.
  std::vector<std::uint8_t> names;
  std::vector<std::uint8_t> rdata;
  std::vector<std::uint32_t> slots;  // Node index + 1 by hash, 0 for free; a power of two.
  std::uint8_t apex_labels = 0;
  std::uint8_t deepest = 0;  // Labels of the deepest node.

  Bytes name_of(const Node& node) const noexcept {
    return Bytes(names).subspan(node.name_at, node.name_size);
  }
  Bytes rdata_of(std::size_t record) const noexcept {
    return Bytes(rdata).subspan(rdata_at[record], rdata_at[record + 1] - rdata_at[record]);
  }
  std::size_t record_count() const noexcept { return targets.size(); }

  // The node of this name, or nullptr.
  const Node* find(std::uint64_t hash, Bytes lower_wire) const noexcept;
  // The deepest node above `name`, which is within the zone and no node itself (RFC 4592, 3.3.1).
  const Node& closest_encloser(const dns::NameKey& name) const noexcept;
  // The node's set of this type, or nullptr.
  const RecordSet* find_set(const Node& node, dns::RecordType type) const noexcept;
};

// Where in rdata of `type` the one name stands that additional records are looked up for: NS 0, MX
// 2, SRV 6.  False for every other type.
bool has_target(dns::RecordType type, std::size_t& offset) noexcept;

// Fields of a SOA's rdata, which is at least 22 octets.
Bytes soa_mname(Bytes rdata) noexcept;
Bytes soa_rname(Bytes rdata) noexcept;
dns::SoaTimes soa_times(Bytes rdata) noexcept;

// Checks and arranges; Zone::make() states what fails.
Result<std::unique_ptr<const ZoneContent>> build_content(const dns::Name& apex,
                                                         std::vector<dns::Record> records,
                                                         const Locator& locate);

}  // namespace waypost::zones
