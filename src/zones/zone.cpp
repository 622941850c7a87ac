#include "zones/zone_content.h"
#include "zones/zone_set.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::zones {

namespace {

using dns::NameParts;
using dns::Outcome;
using dns::RecordType;
using dns::Section;
using Node = ZoneContent::Node;
using RecordSet = ZoneContent::RecordSet;

// How much of a record set was written.
enum class Fit : std::uint8_t { All, Part, None };

// The targets of a record set as they stand in the message, for owners of additional records. Those
// beyond are written out in full.
struct TargetPlaces {
  std::array<std::uint16_t, 32> at{};
  std::size_t count = 0;
  std::uint32_t start = 0;  // The record that was written first.
};

// RFC 8482, 4.2: one HINFO with this content stands for all records of a name.
constexpr std::array<std::uint8_t, 9> MinimalAnyRdata = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
constexpr std::uint32_t MinimalAnyTtl = 8482;

// One step of RFC 1034, 4.3.2: what solve() needs at hand for the duration of a call.
class Solver {
 public:
  Solver(const ZoneContent& zone, const dns::Lookup& lookup, dns::MessageWriter& out,
         dns::Target& next) noexcept
      : zone_(zone), lookup_(lookup), out_(out), next_(next) {}

  Outcome solve() noexcept {
    const dns::NameKey& name = lookup_.name;
    if (const Node* node = zone_.find(name.hash, name.wire())) {
      return at_node(*node);
    }
    const Node& encloser = zone_.closest_encloser(name);
    if (encloser.cut != ZoneContent::None) {
      return refer(zone_.nodes[encloser.cut]);
    }
    if (const RecordSet* dname = zone_.find_set(encloser, RecordType::DNAME)) {
      return substitute(encloser, *dname);
    }
    // The closest encloser's wildcard is the only one that may match (RFC 4592, 3.3.1).
    if (encloser.wildcard != ZoneContent::None) {
      return answer(zone_.nodes[encloser.wildcard]);
    }
    return Outcome::NoName;
  }

 private:
  Outcome at_node(const Node& node) noexcept;
  Outcome answer(const Node& node) noexcept;
  Outcome minimal_any() noexcept;
  Outcome follow(const RecordSet& cname) noexcept;
  Outcome substitute(const Node& owner, const RecordSet& dname) noexcept;
  Outcome refer(const Node& cut) noexcept;

  Fit write_set(Section section, const NameParts& owner, const RecordSet& set,
                TargetPlaces* places) noexcept;
  bool write_record(Section section, const NameParts& owner, const RecordSet& set,
                    std::size_t record) noexcept;
  Fit write_addresses(const NameParts& owner, const Node& node) noexcept;
  void add_target_addresses(const RecordSet& set, const TargetPlaces& places) noexcept;
  void add_glue(const Node& cut, const RecordSet& servers, const TargetPlaces& places) noexcept;
  bool is_below_cut(std::uint32_t node, const Node& cut) const noexcept {
    return node != ZoneContent::None && zone_.nodes[node].cut == index_of(cut);
  }
  std::uint32_t index_of(const Node& node) const noexcept {
    return static_cast<std::uint32_t>(&node - zone_.nodes.data());
  }
  // The name of a node that encloses the name that is asked for, as an owner.
  NameParts enclosing_name(const Node& node) const noexcept {
    return lookup_.suffix_name(std::size_t{lookup_.name.label_count} - node.labels);
  }
  Outcome truncated() noexcept {
    out_.set_truncated(true);
    return Outcome::Truncated;
  }

  const ZoneContent& zone_;
  const dns::Lookup& lookup_;
  dns::MessageWriter& out_;
  dns::Target& next_;
};

Outcome Solver::at_node(const Node& node) noexcept {
  // Of all data at a delegation, the parent is the authority for DS alone (RFC 4035, 3.1.4.1).
  const bool parent_side = node.cut == index_of(node) && lookup_.type == RecordType::DS;
  if (node.cut != ZoneContent::None && !parent_side) {
    return refer(zone_.nodes[node.cut]);
  }
  return answer(node);
}

// What the records of `node` say about the name that is asked for: `node` has that name, or is the
// wildcard that matches it.
Outcome Solver::answer(const Node& node) noexcept {
  const RecordSet* cname = zone_.find_set(node, RecordType::CNAME);
  if (lookup_.type == RecordType::ANY && cname == nullptr) {
    return minimal_any();
  }
  if (const RecordSet* set = zone_.find_set(node, lookup_.type)) {
    TargetPlaces places;
    switch (write_set(Section::Answer, lookup_.owner_name(), *set, &places)) {
      case Fit::All:
        add_target_addresses(*set, places);
        return Outcome::Hit;
      case Fit::Part:
        out_.set_truncated(true);
        return Outcome::Hit;
      case Fit::None:
        return truncated();
    }
  }
  return cname != nullptr ? follow(*cname) : Outcome::NoData;
}

Outcome Solver::minimal_any() noexcept {
  const bool fits = out_.add_record(Section::Answer, lookup_.owner_name(), RecordType::HINFO,
                                    dns::RecordClass::IN, MinimalAnyTtl, MinimalAnyRdata);
  return fits ? Outcome::Hit : truncated();
}

Outcome Solver::follow(const RecordSet& cname) noexcept {
  const Bytes target = zone_.rdata_of(cname.first);
  // Written in full: the next step's owner names point into it.
  if (!out_.add_name(Section::Answer, lookup_.owner_name(), RecordType::CNAME, cname.ttl,
                     NameParts::whole(target))) {
    return truncated();
  }
  // RFC 8482, 4.2 leaves the CNAME of a name that is asked for ANY as its answer.
  if (lookup_.type == RecordType::ANY) {
    return Outcome::Hit;
  }
  next_.owner = out_.last_target();
  next_.name.assign(target);
  return Outcome::Follow;
}

// RFC 6672, 3.1: the DNAME, then a CNAME with its TTL from the name asked for to the new name.
Outcome Solver::substitute(const Node& owner, const RecordSet& dname) noexcept {
  const Bytes target = zone_.rdata_of(dname.first);
  const std::size_t kept_labels = std::size_t{lookup_.name.label_count} - owner.labels;
  const Bytes prefix = lookup_.name.wire().first(lookup_.name.offset_of(kept_labels));
  const std::size_t size = prefix.size() + target.size();
  if (size > dns::MaxNameSize) {
    // Differs from RFC 6672, 2.2: the answer is SERVFAIL and not YXDOMAIN, because an Outcome has
    // no word for it and clients treat both as a name that cannot be resolved.
    return Outcome::Failed;
  }
  std::array<std::uint8_t, dns::MaxNameSize> octets;
  std::ranges::copy(prefix, octets.begin());
  std::ranges::copy(target, octets.begin() + static_cast<std::ptrdiff_t>(prefix.size()));
  const Bytes substituted = Bytes(octets).first(size);

  const dns::MessageWriter::Mark before = out_.mark();
  if (!out_.add_name(Section::Answer, enclosing_name(owner), RecordType::DNAME, dname.ttl,
                     NameParts::whole(target)) ||
      !out_.add_name(Section::Answer, lookup_.owner_name(), RecordType::CNAME, dname.ttl,
                     NameParts::whole(substituted))) {
    out_.rollback(before);
    return truncated();
  }
  if (lookup_.type == RecordType::CNAME || lookup_.type == RecordType::ANY) {
    return Outcome::Hit;
  }
  next_.owner = out_.last_target();
  next_.name.assign(substituted);
  return Outcome::Follow;
}

Outcome Solver::refer(const Node& cut) noexcept {
  const RecordSet* servers = zone_.find_set(cut, RecordType::NS);
  TargetPlaces places;
  if (write_set(Section::Authority, enclosing_name(cut), *servers, &places) != Fit::All) {
    out_.set_truncated(true);
    return Outcome::Referral;
  }
  add_glue(cut, *servers, places);
  return Outcome::Referral;
}

// Writes `set` from a random record on.  `places`, if wanted, learns where the targets stand.
Fit Solver::write_set(Section section, const NameParts& owner, const RecordSet& set,
                      TargetPlaces* places) noexcept {
  const std::uint32_t start = lookup_.rotation.below(set.count);
  std::size_t offset = 0;
  const bool targets = places != nullptr && has_target(set.type, offset);
  if (places != nullptr) {
    places->start = start;
  }
  for (std::uint32_t i = 0; i < set.count; ++i) {
    const std::uint32_t turned = start + i;  // Below 2 * MaxZoneRecords.
    const std::size_t record = set.first + (turned < set.count ? turned : turned - set.count);
    if (!write_record(section, owner, set, record)) {
      return i == 0 ? Fit::None : Fit::Part;
    }
    if (targets && places->count < places->at.size()) {
      const std::size_t at = out_.size() - (zone_.rdata_of(record).size() - offset);
      places->at[places->count++] = at <= dns::MaxPointer ? static_cast<std::uint16_t>(at) : 0;
    }
  }
  return Fit::All;
}

bool Solver::write_record(Section section, const NameParts& owner, const RecordSet& set,
                          std::size_t record) noexcept {
  return out_.add_record(section, owner, set.type, dns::RecordClass::IN, set.ttl,
                         zone_.rdata_of(record));
}

// Adds A, then AAAA of `node` to additional.  A set that fits in part only counts as such and
// stays.
Fit Solver::write_addresses(const NameParts& owner, const Node& node) noexcept {
  for (const RecordType type : {RecordType::A, RecordType::AAAA}) {
    const RecordSet* set = zone_.find_set(node, type);
    if (set != nullptr && write_set(Section::Additional, owner, *set, nullptr) != Fit::All) {
      return Fit::Part;
    }
  }
  return Fit::All;
}

// Best effort: who needs these addresses can ask for them (RFC 2181, 9).
void Solver::add_target_addresses(const RecordSet& set, const TargetPlaces& places) noexcept {
  for (std::uint32_t i = 0; i < places.count; ++i) {
    const std::uint32_t target = zone_.targets[set.first + (places.start + i) % set.count];
    if (target == ZoneContent::None) {
      continue;
    }
    const Node& node = zone_.nodes[target];
    const NameParts owner =
        places.at[i] != 0 ? NameParts::at(places.at[i]) : NameParts::whole(zone_.name_of(node));
    const dns::MessageWriter::Mark before = out_.mark();
    if (write_addresses(owner, node) != Fit::All) {
      out_.rollback(before);
      return;
    }
  }
}

// Glue from within the delegated zone is what the delegation works by: TC tells when it is not all
// there (RFC 9471, 3.1).  Addresses of other servers in this zone follow as space allows.
void Solver::add_glue(const Node& cut, const RecordSet& servers,
                      const TargetPlaces& places) noexcept {
  for (const bool needed : {true, false}) {
    for (std::uint32_t i = 0; i < servers.count; ++i) {
      const std::uint32_t target =
          zone_.targets[servers.first + (places.start + i) % servers.count];
      if (target == ZoneContent::None || is_below_cut(target, cut) != needed) {
        continue;
      }
      const Node& node = zone_.nodes[target];
      const NameParts owner = i < places.count && places.at[i] != 0
                                  ? NameParts::at(places.at[i])
                                  : NameParts::whole(zone_.name_of(node));
      const dns::MessageWriter::Mark before = out_.mark();
      if (write_addresses(owner, node) != Fit::All) {
        if (needed) {
          out_.set_truncated(true);
        } else {
          out_.rollback(before);
        }
        return;
      }
    }
  }
}

// `name` for rdata, compressed against `apex` when it is that name or below it.
NameParts under_apex(Bytes name, Bytes apex, const NameParts& apex_in_message) noexcept {
  std::size_t at = 0;
  while (name.size() - at > apex.size()) {
    at += std::size_t{name[at]} + 1;
  }
  const bool within = std::ranges::equal(name.subspan(at), apex, {}, ascii_lower, ascii_lower);
  if (!within || apex_in_message.pointer == 0) {
    return NameParts::whole(name);
  }
  return {.head = name.first(at), .tail = {}, .pointer = apex_in_message.pointer};
}

}  // namespace

Zone::Zone(dns::Name apex, std::unique_ptr<const ZoneContent> content)
    : apex_(std::move(apex)), content_(std::move(content)) {}

Zone::~Zone() = default;

Result<std::unique_ptr<const Zone>> Zone::make(dns::Name apex, std::vector<dns::Record> records,
                                               const Locator& locate) {
  Result<std::unique_ptr<const ZoneContent>> content =
      build_content(apex, std::move(records), locate);
  if (!content) {
    return std::unexpected(std::move(content.error()));
  }
  return std::unique_ptr<const Zone>(new Zone(std::move(apex), *std::move(content)));
}

std::size_t Zone::record_count() const noexcept {
  return content_->record_count();
}

Outcome Zone::solve(const dns::Lookup& lookup, dns::MessageWriter& out,
                    dns::Target& next) const noexcept {
  return Solver(*content_, lookup, out, next).solve();
}

bool Zone::add_soa(const dns::Lookup& lookup, dns::MessageWriter& out) const noexcept {
  const RecordSet& soa = content_->sets.front();
  const Bytes rdata = content_->rdata_of(soa.first);
  const dns::SoaTimes times = soa_times(rdata);
  const NameParts apex =
      lookup.suffix_name(std::size_t{lookup.name.label_count} - content_->apex_labels);
  return out.add_soa(Section::Authority, apex, std::min(soa.ttl, times.minimum),
                     under_apex(soa_mname(rdata), apex_.wire(), apex),
                     under_apex(soa_rname(rdata), apex_.wire(), apex), times);
}

std::uint32_t Zone::serial() const noexcept {
  return soa_times(content_->rdata_of(content_->sets.front().first)).serial;
}

void Zone::for_each_record(const std::function<void(const dns::Record&)>& visit) const {
  for (const Node& node : content_->nodes) {
    const Result<dns::Name> owner = dns::Name::from_wire(content_->name_of(node));
    for (std::uint32_t i = 0; owner && i < node.set_count; ++i) {
      const RecordSet& set = content_->sets[node.first_set + i];
      for (std::uint32_t record = set.first; record < set.first + set.count; ++record) {
        const Bytes rdata = content_->rdata_of(record);
        visit({.owner = *owner,
               .type = set.type,
               .ttl = set.ttl,
               .rdata = {rdata.begin(), rdata.end()}});
      }
    }
  }
}

}  // namespace waypost::zones
