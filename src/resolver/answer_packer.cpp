#include "resolver/answer_packer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace waypost::resolver {
namespace {

using dns::RecordType;

// The types whose names every reader decompresses (RFC 3597, 4): those of RFC 1035.
constexpr bool has_compressible_names(RecordType type) noexcept {
  switch (std::to_underlying(type)) {
    case 2:   // NS
    case 3:   // MD
    case 4:   // MF
    case 5:   // CNAME
    case 6:   // SOA
    case 7:   // MB
    case 8:   // MG
    case 9:   // MR
    case 12:  // PTR
    case 14:  // MINFO
    case 15:  // MX
      return true;
    default:
      return false;
  }
}

constexpr bool is_address(RecordType type) noexcept {
  return type == RecordType::A || type == RecordType::AAAA;
}

// A length octet is below 'A', so that whole names can be compared like text.
bool is_same_name(Bytes left, Bytes right) noexcept {
  return std::ranges::equal(
      left, right, [](std::uint8_t a, std::uint8_t b) { return ascii_lower(a) == ascii_lower(b); });
}

void append(std::vector<std::uint8_t>& to, Bytes octets) {
  to.insert(to.end(), octets.begin(), octets.end());
}

void append_u16(std::vector<std::uint8_t>& to, std::uint16_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value & 0xff));
}

// Copies a group of addresses, beginning with one that chance says.
void copy_rotated(std::uint8_t* to, Bytes from, const PackedGroup& group,
                  dns::Rotation& rotation) noexcept {
  const std::size_t first =
      group.stride == 0 ? 0 : rotation.below(group.count) * std::size_t{group.stride};
  std::memcpy(to, from.data() + first, from.size() - first);
  std::memcpy(to + (from.size() - first), from.data(), first);
}

}  // namespace

bool write_records(const PackedRecords& records, std::uint16_t owner, std::uint32_t ttl,
                   dns::Rotation& rotation, dns::MessageWriter& out) noexcept {
  if (owner == 0) {
    return false;  // Ten CNAMEs do not take 16 KB.
  }
  const std::size_t origin = out.size();
  std::uint8_t* base = nullptr;
  std::size_t written = 0;
  bool is_whole = true;
  for (const PackedGroup& group : records.groups) {
    const Bytes octets = records.octets.subspan(written, group.end - written);
    std::uint8_t* const to = out.add_records(group.section, group.count, octets.size());
    if (to == nullptr) {
      is_whole = false;
      break;
    }
    base = base == nullptr ? to : base;
    copy_rotated(to, octets, group, rotation);
    written = group.end;
  }
  for (const std::uint16_t at : records.ttls) {
    if (at >= written) {
      break;
    }
    store_u32(base + at, ttl);
  }
  if (owner == dns::QuestionOffset && origin == records.origin) {
    return is_whole;
  }
  for (const std::uint16_t at : records.pointers) {
    if (at >= written) {
      break;
    }
    const std::size_t target = load_u16(base + at) & 0x3fffU;
    const std::size_t moved = target < records.origin ? target - dns::QuestionOffset + owner
                                                      : target - records.origin + origin;
    assert(moved <= dns::MaxPointer);
    store_u16(base + at, static_cast<std::uint16_t>(0xc000 | moved));
  }
  return is_whole;
}

const PackedRecords* AnswerPacker::pack(const dns::NameKey& name, Bytes packet,
                                        const AnswerContent& content) {
  name_ = &name;
  origin_ = static_cast<std::uint16_t>(dns::HeaderSize + name.size + 4);
  octets_.clear();
  groups_.clear();
  pointers_.clear();
  ttls_.clear();
  target_count_ = 0;
  std::size_t first = 0;
  for (const AnswerContent::Group& group : content.groups) {
    const std::size_t begin = octets_.size();
    for (std::size_t i = first; i < group.end; ++i) {
      if (!add(packet, content.records[i])) {
        return nullptr;
      }
    }
    groups_.push_back({.end = static_cast<std::uint16_t>(octets_.size()),
                       .count = static_cast<std::uint16_t>(group.end - first),
                       .stride = stride_of(content, first, group.end, begin),
                       .section = group.section});
    first = group.end;
  }
  packed_ = {octets_, groups_, pointers_, ttls_, origin_};
  return &packed_;
}

// False when it does not fit into a message any more.
bool AnswerPacker::add(Bytes packet, const dns::ResponseRecord& record) {
  std::array<std::uint8_t, dns::MaxNameSize> owner;
  add_name(Bytes(owner).first(dns::expand_name(packet, record.owner, std::span(owner))));
  append_u16(octets_, std::to_underlying(record.type));
  append_u16(octets_, std::to_underlying(record.record_class));
  ttls_.push_back(static_cast<std::uint16_t>(octets_.size()));
  octets_.insert(octets_.end(), 6, 0);  // TTL and size of the rdata.
  const std::size_t rdata_at = octets_.size();
  add_rdata(packet, record);
  const std::size_t rdata_size = octets_.size() - rdata_at;
  if (origin_ + octets_.size() > dns::MaxMessageSize) {
    return false;
  }
  store_u16(octets_.data() + rdata_at - 2, static_cast<std::uint16_t>(rdata_size));
  return true;
}

void AnswerPacker::add_rdata(Bytes packet, const dns::ResponseRecord& record) {
  const std::size_t end = std::size_t{record.rdata_at} + record.rdata_size;
  std::size_t at = record.name_count == 0 ? end : record.names_at;
  append(octets_, packet.subspan(record.rdata_at, at - record.rdata_at));
  std::array<std::uint8_t, dns::MaxNameSize> name;
  for (std::uint8_t i = 0; i < record.name_count; ++i) {
    const Bytes wire = Bytes(name).first(dns::expand_name(packet, at, std::span(name)));
    if (has_compressible_names(record.type)) {
      add_name(wire);
    } else {
      append(octets_, wire);
    }
    at = dns::name_end(packet, at);
  }
  append(octets_, packet.subspan(at, end - at));
}

// Writes labels up to the first suffix that stands somewhere already.
void AnswerPacker::add_name(Bytes wire) {
  while (wire.size() > 1) {
    if (const std::uint16_t target = find_target(wire); target != 0) {
      pointers_.push_back(static_cast<std::uint16_t>(octets_.size()));
      append_u16(octets_, static_cast<std::uint16_t>(0xc000 | target));
      return;
    }
    const std::size_t offset = origin_ + octets_.size();
    if (offset < MaxTargetOffset && target_count_ < MaxTargets) {
      targets_[target_count_++] = {static_cast<std::uint16_t>(offset),
                                   static_cast<std::uint16_t>(wire.size())};
    }
    append(octets_, wire.first(1U + wire.front()));
    wire = wire.subspan(1U + wire.front());
  }
  octets_.push_back(0);
}

// Where the name stands; 0 when nowhere.
std::uint16_t AnswerPacker::find_target(Bytes suffix) const noexcept {
  for (std::size_t i = 0; i < name_->label_count; ++i) {
    const Bytes asked = name_->suffix(i);
    if (asked.size() == suffix.size()) {
      return is_same_name(suffix, asked)
                 ? static_cast<std::uint16_t>(dns::QuestionOffset + name_->offset_of(i))
                 : find_written(suffix);
    }
  }
  return find_written(suffix);
}

std::uint16_t AnswerPacker::find_written(Bytes suffix) const noexcept {
  for (std::size_t i = 0; i < target_count_; ++i) {
    if (targets_[i].size == suffix.size() && is_at(suffix, targets_[i].at)) {
      return targets_[i].at;
    }
  }
  return 0;
}

// Whether the name at `offset` of the message, which was written by add_name(), is `name`.
bool AnswerPacker::is_at(Bytes name, std::size_t offset) const noexcept {
  for (;;) {
    if (offset < origin_) {
      return is_same_name(name, name_->wire().subspan(offset - dns::QuestionOffset));
    }
    const std::uint8_t* const at = octets_.data() + (offset - origin_);
    if (*at > dns::MaxLabelSize) {
      offset = load_u16(at) & 0x3fffU;
      continue;
    }
    if (*at != name.front() || !is_same_name({at, 1U + *at}, name.first(1U + *at))) {
      return false;
    }
    if (*at == 0) {
      return true;
    }
    offset += 1U + *at;
    name = name.subspan(1U + *at);
  }
}

// The size of each record of a group of addresses that all begin with a pointer; 0 for other
// groups.
std::uint16_t AnswerPacker::stride_of(const AnswerContent& content, std::size_t first,
                                      std::size_t end, std::size_t begin) const noexcept {
  const dns::ResponseRecord& record = content.records[first];
  const std::size_t stride = 2 + 10 + std::size_t{record.rdata_size};
  const bool is_regular =
      is_address(record.type) && octets_.size() - begin == (end - first) * stride &&
      std::all_of(content.records.begin() + static_cast<std::ptrdiff_t>(first),
                  content.records.begin() + static_cast<std::ptrdiff_t>(end),
                  [&](const dns::ResponseRecord& each) { return each.type == record.type; });
  return is_regular ? static_cast<std::uint16_t>(stride) : std::uint16_t{0};
}

}  // namespace waypost::resolver
