// From records in any order to a ZoneContent: checks, canonical order, and the indexes of nodes.

#include "zones/zone_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace waypost::zones {

namespace {

using dns::Name;
using dns::Record;
using dns::RecordType;

// A string whose plain octet order is the canonical order of names (RFC 4034, 6.1): labels from the
// root down, in lower case, each closed by a zero octet; 0 and 1 within a label are escaped by a 1.
std::string order_key(const Name& name) {
  std::array<std::uint8_t, dns::MaxLabels> starts{};
  std::size_t labels = 0;
  const Bytes wire = name.wire();
  for (std::size_t at = 0; wire[at] != 0; at += std::size_t{wire[at]} + 1) {
    starts[labels++] = static_cast<std::uint8_t>(at);
  }
  std::string key;
  key.reserve(wire.size());
  while (labels > 0) {
    const std::size_t at = starts[--labels];
    for (const std::uint8_t octet : wire.subspan(at + 1, wire[at])) {
      if (octet <= 1) {
        key += '\1';
      }
      key += static_cast<char>(octet <= 1 ? octet + 1 : ascii_lower(octet));
    }
    key += '\0';
  }
  return key;
}

bool is_wildcard(Bytes name) {
  return name.size() > 1 && name[0] == 1 && name[1] == '*';
}

// Types that ask for something or belong to one message, and so are in no zone (RFC 6895, 3.1).
bool is_query_type(RecordType type) {
  const auto number = std::to_underlying(type);
  return number == 0 || type == RecordType::OPT || (number >= 128 && number <= 255);
}

// True when `rdata` has the shape that its type calls for, as far as this program looks into it.
bool has_good_rdata(RecordType type, Bytes rdata) {
  std::size_t target = 0;
  if (has_target(type, target)) {
    return rdata.size() > target && Name::from_wire(rdata.subspan(target)).has_value();
  }
  switch (type) {
    case RecordType::A:
      return rdata.size() == 4;
    case RecordType::AAAA:
      return rdata.size() == 16;
    case RecordType::CNAME:
    case RecordType::DNAME:
    case RecordType::PTR:
      return Name::from_wire(rdata).has_value();
    case RecordType::SOA: {
      const auto name_size = [](Bytes octets) {
        std::size_t end = 0;
        while (end < octets.size() && octets[end] != 0) {
          end += std::size_t{octets[end]} + 1;
        }
        const std::size_t size = std::min(end + 1, octets.size());
        return Name::from_wire(octets.first(size)).has_value() ? size : std::size_t{0};
      };
      const std::size_t mname = name_size(rdata);
      const std::size_t rname = mname == 0 ? 0 : name_size(rdata.subspan(mname));
      return rname != 0 && rdata.size() == mname + rname + 20;
    }
    default:
      return rdata.size() <= 0xffff;
  }
}

class Builder {
 public:
  Builder(const Name& apex, std::vector<Record> records, const Locator& locate)
      : apex_(apex),
        records_(std::move(records)),
        locate_(locate),
        content_(std::make_unique<ZoneContent>()) {}

  Result<std::unique_ptr<const ZoneContent>> build() {
    for (const auto step :
         {&Builder::check_records, &Builder::sort, &Builder::add_nodes, &Builder::check_nodes}) {
      if (Result<void> done = (this->*step)(); !done) {
        return std::unexpected(done.error());
      }
    }
    fill_slots();
    link_nodes();
    link_targets();
    return std::unique_ptr<const ZoneContent>(std::move(content_));
  }

 private:
  using Node = ZoneContent::Node;
  using RecordSet = ZoneContent::RecordSet;

  // "example.org.zone:12: www.example.org.: " and the complaint about the record at `index`.
  std::unexpected<Error> complain(std::size_t index, std::string_view complaint,
                                  ErrorKind kind = ErrorKind::InvalidInput) const {
    const std::string place = locate_ ? locate_(index) + ": " : "";
    return failure(kind,
                   fmt::format("{}{}: {}", place, records_[index].owner.to_text(), complaint));
  }

  Result<void> check_records();
  Result<void> sort();
  Result<void> add_nodes();
  Result<void> check_nodes();
  Result<void> check_node(const Node& node, std::size_t index) const;
  void add_path(const Name& owner);
  void push_node(Bytes name, std::size_t labels);
  bool add_record(std::size_t index);
  void fill_slots();
  void link_nodes();
  void link_targets();

  const Name& apex_;
  std::vector<Record> records_;
  const Locator& locate_;
  std::unique_ptr<ZoneContent> content_;
  std::vector<std::uint32_t> order_;           // Of records_, sorted.
  std::vector<std::uint32_t> first_of_;        // For each RRset, the index of its first record.
  std::vector<std::uint32_t> parent_;          // For each node; the apex is its own.
  std::vector<std::uint32_t> path_;            // The nodes from the apex down to the latest.
  std::unordered_set<std::string_view> seen_;  // Rdata of the latest RRset.
};

Result<void> Builder::check_records() {
  if (records_.size() > MaxZoneRecords) {
    return complain(MaxZoneRecords,
                    fmt::format("more than the {} records that a zone may hold", MaxZoneRecords),
                    ErrorKind::Exhausted);
  }
  std::size_t soa = records_.size();
  std::size_t octets = 0;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const Record& record = records_[i];
    if (!record.owner.is_within(apex_)) {
      return complain(
          i, fmt::format("outside of the zone, expected {} or a name below it", apex_.to_text()));
    }
    if (record.record_class != dns::RecordClass::IN) {
      return complain(
          i, fmt::format("class {}, expected IN", std::to_underlying(record.record_class)));
    }
    if (is_query_type(record.type)) {
      return complain(i, fmt::format("{} is a type for queries, expected one for data",
                                     dns::to_text(record.type)));
    }
    if (!has_good_rdata(record.type, record.rdata)) {
      return complain(i, fmt::format("malformed {} data", dns::to_text(record.type)));
    }
    octets += record.rdata.size();
    if (octets > MaxZoneOctets) {
      return complain(i, fmt::format("the zone's data exceeds {} MiB", MaxZoneOctets >> 20),
                      ErrorKind::Exhausted);
    }
    if (record.type == RecordType::SOA) {
      if (record.owner != apex_) {
        return complain(
            i, fmt::format("a SOA below {}, expected one SOA at the zone's apex", apex_.to_text()));
      }
      if (soa != records_.size() && records_[soa].rdata != record.rdata) {
        return complain(i, "a second SOA, expected one");
      }
      soa = i;
    }
  }
  if (soa == records_.size()) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("{}: no SOA, expected one at the zone's apex", apex_.to_text()));
  }
  return {};
}

// By owner in canonical order, then by type with the SOA first, then as they were given.
Result<void> Builder::sort() {
  std::vector<std::string> keys;
  keys.reserve(records_.size());
  std::ranges::transform(records_, std::back_inserter(keys),
                         [](const Record& record) { return order_key(record.owner); });
  const auto rank = [this](std::uint32_t i) {
    const RecordType type = records_[i].type;
    return type == RecordType::SOA ? 0U : std::uint32_t{std::to_underlying(type)};
  };
  order_.resize(records_.size());
  std::iota(order_.begin(), order_.end(), 0U);
  std::ranges::sort(order_, [&](std::uint32_t left, std::uint32_t right) {
    if (const int owners = keys[left].compare(keys[right]); owners != 0) {
      return owners < 0;
    }
    return std::tuple(rank(left), left) < std::tuple(rank(right), right);
  });
  return {};
}

Result<void> Builder::add_nodes() {
  content_->apex_labels = static_cast<std::uint8_t>(apex_.label_count());
  const Name* owner = nullptr;
  for (const std::uint32_t index : order_) {
    const Record& record = records_[index];
    const bool new_owner = owner == nullptr || record.owner != *owner;
    if (new_owner) {
      add_path(record.owner);
      owner = &record.owner;
      // Deep names bring their empty non-terminals, so that records alone do not bound the nodes.
      if (content_->names.size() > MaxZoneOctets) {
        return complain(index, fmt::format("the zone's names exceed {} MiB", MaxZoneOctets >> 20),
                        ErrorKind::Exhausted);
      }
    }
    Node& node = content_->nodes.back();
    if (node.set_count == 0 || content_->sets.back().type != record.type) {
      ++node.set_count;
      content_->sets.push_back({.type = record.type,
                                .ttl = record.ttl,
                                .first = static_cast<std::uint32_t>(content_->rdata_at.size())});
      seen_.clear();
      first_of_.push_back(index);
    }
    if (!add_record(index)) {
      return complain(index, fmt::format("a second {}, expected one", dns::to_text(record.type)));
    }
  }
  content_->rdata_at.push_back(static_cast<std::uint32_t>(content_->rdata.size()));
  content_->targets.assign(content_->rdata_at.size() - 1, ZoneContent::None);
  return {};
}

// Adds nodes down to `owner`, which is new: what is missing between it and the deepest node above
// it are empty non-terminals.
void Builder::add_path(const Name& owner) {
  const Bytes wire = owner.wire();
  const std::size_t labels = owner.label_count();
  std::array<std::size_t, dns::MaxLabels + 1> starts{};  // Where the name with i labels starts.
  for (std::size_t at = 0, left = labels;; at += std::size_t{wire[at]} + 1, --left) {
    starts[left] = at;
    if (left == 0) {
      break;
    }
  }
  const Name lowered = owner.lowered();
  const auto is_above = [&](const Node& node) {
    const Bytes name = content_->name_of(node);
    const Bytes suffix = lowered.wire().subspan(starts[node.labels]);
    return std::ranges::equal(name, suffix, [](std::uint8_t left, std::uint8_t right) {
      return ascii_lower(left) == right;
    });
  };
  while (!path_.empty() && (content_->nodes[path_.back()].labels > labels ||
                            !is_above(content_->nodes[path_.back()]))) {
    path_.pop_back();
  }
  const std::size_t above =
      path_.empty() ? content_->apex_labels : std::size_t{content_->nodes[path_.back()].labels} + 1;
  for (std::size_t depth = above; depth <= labels; ++depth) {
    push_node(wire.subspan(starts[depth]), depth);
  }
}

void Builder::push_node(Bytes name, std::size_t labels) {
  const auto index = static_cast<std::uint32_t>(content_->nodes.size());
  parent_.push_back(path_.empty() ? index : path_.back());
  path_.push_back(index);
  content_->nodes.push_back({.name_at = static_cast<std::uint32_t>(content_->names.size()),
                             .first_set = static_cast<std::uint32_t>(content_->sets.size()),
                             .name_size = static_cast<std::uint8_t>(name.size()),
                             .labels = static_cast<std::uint8_t>(labels)});
  content_->names.insert(content_->names.end(), name.begin(), name.end());
  content_->deepest = std::max(content_->deepest, static_cast<std::uint8_t>(labels));
}

// Adds the record to the last set, unless an equal one is there.  False for a second record of a
// type that is single.
bool Builder::add_record(std::size_t index) {
  const Record& record = records_[index];
  RecordSet& set = content_->sets.back();
  set.ttl = std::min(set.ttl, record.ttl);
  if (!seen_.insert(as_text(record.rdata)).second) {
    return true;
  }
  const bool single = record.type == RecordType::CNAME || record.type == RecordType::DNAME ||
                      record.type == RecordType::SOA;
  if (single && set.count != 0) {
    return false;
  }
  ++set.count;
  content_->rdata_at.push_back(static_cast<std::uint32_t>(content_->rdata.size()));
  content_->rdata.insert(content_->rdata.end(), record.rdata.begin(), record.rdata.end());
  return true;
}

Result<void> Builder::check_nodes() {
  for (std::size_t i = 0; i < content_->nodes.size(); ++i) {
    if (Result<void> checked = check_node(content_->nodes[i], i); !checked) {
      return checked;
    }
  }
  return {};
}

Result<void> Builder::check_node(const Node& node, std::size_t index) const {
  if (node.set_count == 0) {
    return {};
  }
  const auto first_record = [&](const RecordSet* set) {
    return first_of_[static_cast<std::size_t>(set - content_->sets.data())];
  };
  const RecordSet* cname = content_->find_set(node, RecordType::CNAME);
  for (std::size_t i = 0; cname != nullptr && i < node.set_count; ++i) {
    const RecordType other = content_->sets[node.first_set + i].type;
    // DNSSEC's own records are the exception (RFC 4034, 3 and 4).
    if (other != RecordType::CNAME && other != RecordType::RRSIG && other != RecordType::NSEC) {
      return complain(first_record(cname), fmt::format("CNAME and {} at one name, expected CNAME "
                                                       "alone (RFC 1034, 3.6.2)",
                                                       dns::to_text(other)));
    }
  }
  const RecordSet* dname = content_->find_set(node, RecordType::DNAME);
  const RecordSet* ns = index == 0 ? nullptr : content_->find_set(node, RecordType::NS);
  if (dname != nullptr && ns != nullptr) {
    return complain(first_record(dname),
                    "DNAME beside a delegation, expected it in the child zone (RFC 6672, 2.3)");
  }
  if (index != 0 && is_wildcard(content_->name_of(node)) && (dname != nullptr || ns != nullptr)) {
    return complain(first_record(dname != nullptr ? dname : ns),
                    fmt::format("{} at a wildcard has no defined meaning (RFC 4592, 4)",
                                dname != nullptr ? "DNAME" : "NS"));
  }
  // In canonical order the first name below a node is the next one.
  if (dname != nullptr && index + 1 < parent_.size() && parent_[index + 1] == index) {
    return complain(first_record(dname),
                    "DNAME above other names, expected none below it (RFC 6672, 2.4)");
  }
  return {};
}

void Builder::fill_slots() {
  content_->slots.assign(std::bit_ceil(content_->nodes.size() * 2), 0);
  const std::size_t mask = content_->slots.size() - 1;
  std::uint32_t number = 0;
  for (Node& node : content_->nodes) {
    std::array<std::uint8_t, dns::MaxNameSize> lower{};
    const Bytes name = content_->name_of(node);
    std::ranges::transform(name, lower.begin(), ascii_lower);
    node.hash = dns::hash_name(Bytes(lower).first(name.size()));
    std::size_t at = node.hash & mask;
    while (content_->slots[at] != 0) {
      at = (at + 1) & mask;
    }
    content_->slots[at] = ++number;
  }
}

void Builder::link_nodes() {
  for (std::uint32_t i = 1; i < content_->nodes.size(); ++i) {
    Node& node = content_->nodes[i];
    Node& parent = content_->nodes[parent_[i]];
    if (parent.cut != ZoneContent::None) {
      node.cut = parent.cut;
    } else if (content_->find_set(node, RecordType::NS) != nullptr) {
      node.cut = i;
    }
    if (is_wildcard(content_->name_of(node))) {
      parent.wildcard = i;
    }
  }
}

void Builder::link_targets() {
  for (const RecordSet& set : content_->sets) {
    std::size_t offset = 0;
    if (!has_target(set.type, offset)) {
      continue;
    }
    for (std::uint32_t i = set.first; i < set.first + set.count; ++i) {
      const Result<Name> target = Name::from_wire(content_->rdata_of(i).subspan(offset));
      const Name lowered = target ? target->lowered() : Name();
      const Node* node = content_->find(dns::hash_name(lowered.wire()), lowered.wire());
      if (node != nullptr) {
        content_->targets[i] = static_cast<std::uint32_t>(node - content_->nodes.data());
      }
    }
  }
}

}  // namespace

Result<std::unique_ptr<const ZoneContent>> build_content(const dns::Name& apex,
                                                         std::vector<dns::Record> records,
                                                         const Locator& locate) {
  return Builder(apex, std::move(records), locate).build();
}

}  // namespace waypost::zones
