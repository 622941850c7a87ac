#include "zones/zone_content.h"

#include <algorithm>

namespace waypost::zones {

namespace {

// Length octets are below 64 and so never taken for letters.
bool equals_lowered(Bytes name, Bytes lower) noexcept {
  return std::ranges::equal(name, lower, [](std::uint8_t left, std::uint8_t right) {
    return ascii_lower(left) == right;
  });
}

// The name that starts `octets`, root included.
Bytes leading_name(Bytes octets) noexcept {
  std::size_t end = 0;
  while (octets[end] != 0) {
    end += std::size_t{octets[end]} + 1;
  }
  return octets.first(end + 1);
}

}  // namespace

const ZoneContent::Node* ZoneContent::find(std::uint64_t hash, Bytes lower_wire) const noexcept {
  const std::size_t mask = slots.size() - 1;
  for (std::size_t at = hash & mask; slots[at] != 0; at = (at + 1) & mask) {
    const Node& node = nodes[slots[at] - 1];
    if (node.hash == hash && equals_lowered(name_of(node), lower_wire)) {
      return &node;
    }
  }
  return nullptr;
}

const ZoneContent::Node& ZoneContent::closest_encloser(const dns::NameKey& name) const noexcept {
  // No name exists below the deepest node, so that a long query costs no more hashes than the zone
  // has levels.  The full name is known not to exist.
  const std::size_t above_apex = std::size_t{name.label_count} - apex_labels;
  const std::size_t start = name.label_count > deepest ? name.label_count - deepest : 1;
  for (std::size_t i = start; i < above_apex; ++i) {
    const Bytes suffix = name.suffix(i);
    if (const Node* node = find(dns::hash_name(suffix), suffix)) {
      return *node;
    }
  }
  return nodes.front();
}

const ZoneContent::RecordSet* ZoneContent::find_set(const Node& node,
                                                    dns::RecordType type) const noexcept {
  for (std::size_t i = 0; i < node.set_count; ++i) {
    const RecordSet& set = sets[node.first_set + i];
    if (set.type == type) {
      return &set;
    }
  }
  return nullptr;
}

bool has_target(dns::RecordType type, std::size_t& offset) noexcept {
  switch (type) {
    case dns::RecordType::NS:
      offset = 0;
      return true;
    case dns::RecordType::MX:
      offset = 2;  // Behind the preference.
      return true;
    case dns::RecordType::SRV:
      offset = 6;  // Behind priority, weight and port.
      return true;
    default:
      return false;
  }
}

Bytes soa_mname(Bytes rdata) noexcept {
  return leading_name(rdata);
}

Bytes soa_rname(Bytes rdata) noexcept {
  return leading_name(rdata.subspan(leading_name(rdata).size()));
}

dns::SoaTimes soa_times(Bytes rdata) noexcept {
  const std::uint8_t* at = rdata.data() + rdata.size() - 20;
  return {.serial = load_u32(at),
          .refresh = load_u32(at + 4),
          .retry = load_u32(at + 8),
          .expire = load_u32(at + 12),
          .minimum = load_u32(at + 16)};
}

}  // namespace waypost::zones
