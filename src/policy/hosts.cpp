#include "policy/hosts.h"

#include "dns/reverse_name.h"

#include <algorithm>
#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace waypost::policy {
namespace {

using dns::Outcome;
using dns::RecordType;
using dns::Section;

// A place in Table::octets.
struct Piece {
  std::uint32_t at = 0;
  std::uint8_t size = 0;
};

constexpr std::array<std::uint8_t, 2> Wildcard = {1, '*'};

bool is_wildcard(const dns::Name& name) noexcept {
  return std::ranges::equal(name.wire().first(Wildcard.size()), Wildcard);
}

// Nothing for names that are no address's.
std::optional<IpAddress> address_of(const dns::NameKey& name) noexcept {
  const std::optional<dns::ReverseName> reverse = dns::read_reverse_name(name);
  // All nibbles may say an IPv4 address, too.
  return reverse && (reverse->is_whole() || reverse->labels == dns::ReverseLabelsV6)
             ? std::optional(reverse->address)
             : std::nullopt;
}

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view Blanks = " \t\r\f\v";
  line.remove_prefix(std::min(line.find_first_not_of(Blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(Blanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

Result<std::vector<HostLines::Entry>> host_line_from_text(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<HostLines::Entry> entries;
  const std::string_view first = take_word(line);
  if (first.empty()) {
    return entries;
  }
  // A zone index means something on one host only.
  const auto address = IpAddress::from_text(first.substr(0, first.find('%')));
  if (!address) {
    return failure(ErrorKind::InvalidInput,
                   "found '" + std::string(first) + "', expected an address and its names");
  }
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
    auto name = dns::Name::from_text(word);
    if (!name || name->is_root()) {
      return failure(ErrorKind::InvalidInput, "found '" + std::string(word) + "', expected a name");
    }
    entries.push_back({*address, std::move(*name)});
  }
  if (entries.empty()) {
    return failure(ErrorKind::InvalidInput,
                   "found '" + std::string(first) + "' alone, expected names behind the address");
  }
  return entries;
}

void HostLines::read(std::string_view text, const std::string& where) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    auto found = host_line_from_text(line);
    if (found && found->size() > MaxNames - entries.size()) {
      found = failure(ErrorKind::InvalidInput, "found more than " + std::to_string(MaxNames) +
                                                   " names in all, which are too many");
    }
    if (!found) {
      ++bad_lines;
      if (problems.size() < MaxProblems) {
        problems.push_back(with_context(found.error(), where + ":" + std::to_string(number)));
      }
      continue;
    }
    std::move(found->begin(), found->end(), std::back_inserter(entries));
  }
}

struct Hosts::Table {
  struct Named {
    std::uint64_t hash = 0;
    std::uint32_t order = 0;
    Piece name;  // Lower case.
    IpAddress address;

    auto key() const noexcept { return std::pair(hash, order); }
  };
  struct Addressed {
    IpAddress address;
    std::uint32_t order = 0;
    Piece name;  // As it was written.

    auto key() const noexcept { return std::pair(address, order); }
  };

  std::vector<std::uint8_t> octets;
  std::vector<Named> by_name;         // In the order of key(), without an address twice.
  std::vector<Addressed> by_address;  // Likewise, without a name twice.
  bool has_wildcards = false;

  Bytes at(const Piece& piece) const noexcept {
    return Bytes(octets).subspan(piece.at, piece.size);
  }
  Piece add(const dns::Name& name) {
    const Piece piece{static_cast<std::uint32_t>(octets.size()),
                      static_cast<std::uint8_t>(name.size())};
    octets.insert(octets.end(), name.wire().begin(), name.wire().end());
    return piece;
  }
  // What several lines or files say is said once, where it is said first.
  void drop_repetitions();

  // Calls `use` for each address of the name until it returns false; true if there is one.
  template <typename Use>
  bool each_address(std::uint64_t hash, Bytes wire, const Use& use) const noexcept;
  // The same, with the wildcard in the place of the first label if the name is not there.
  template <typename Use>
  bool each_address(const dns::NameKey& name, const Use& use) const noexcept;
};

void Hosts::Table::drop_repetitions() {
  std::ranges::sort(by_name, {}, [](const Named& each) {
    return std::tuple(each.hash, each.address, each.order);
  });
  const auto rest = std::ranges::unique(by_name, [&](const Named& one, const Named& other) {
    return one.hash == other.hash && one.address == other.address &&
           std::ranges::equal(at(one.name), at(other.name));
  });
  by_name.erase(rest.begin(), rest.end());
  std::ranges::sort(by_name, {}, &Named::key);
}

template <typename Use>
bool Hosts::Table::each_address(std::uint64_t hash, Bytes wire, const Use& use) const noexcept {
  bool is_here = false;
  const auto named = std::ranges::equal_range(by_name, hash, {}, &Named::hash);
  for (const Named& entry : named) {
    if (std::ranges::equal(at(entry.name), wire)) {
      is_here = true;
      if (!use(entry.address)) {
        break;
      }
    }
  }
  return is_here;
}

template <typename Use>
bool Hosts::Table::each_address(const dns::NameKey& name, const Use& use) const noexcept {
  if (each_address(name.hash, name.wire(), use)) {
    return true;
  }
  if (!has_wildcards || name.label_count < 2) {
    return false;
  }
  std::array<std::uint8_t, dns::MaxNameSize + Wildcard.size()> wire;
  const Bytes parent = name.suffix(1);
  std::ranges::copy(Wildcard, wire.begin());
  std::ranges::copy(parent, wire.begin() + Wildcard.size());
  const Bytes wildcard = Bytes(wire).first(Wildcard.size() + parent.size());
  return each_address(dns::hash_name(wildcard), wildcard, use);
}

Hosts::Hosts(const HostLines& lines, HostOptions options) : options_(std::move(options)) {
  auto table = std::make_unique<Table>();
  for (std::size_t i = 0; i < lines.entries.size(); ++i) {
    const HostLines::Entry& entry = lines.entries[i];
    const dns::Name lowered = entry.name.lowered();
    table->by_name.push_back({dns::hash_name(lowered.wire()), static_cast<std::uint32_t>(i),
                              table->add(lowered), entry.address});
  }
  table->drop_repetitions();
  for (const Table::Named& named : table->by_name) {
    const dns::Name& name = lines.entries[named.order].name;
    if (is_wildcard(name)) {
      table->has_wildcards = true;
    } else if (options_.has_reverse) {
      table->by_address.push_back({named.address, named.order, table->add(name)});
    }
  }
  std::ranges::sort(table->by_address, {}, &Table::Addressed::key);
  table_ = std::move(table);
}

Hosts::~Hosts() = default;

std::size_t Hosts::entry_count() const noexcept {
  return table_->by_name.size();
}

Hosts::Answer Hosts::solve(const dns::Lookup& lookup, dns::MessageWriter& out) const noexcept {
  Answer answer;
  const dns::NameKey& name = lookup.name;
  const dns::NameParts owner = lookup.owner_name();
  const auto write = [&](bool fits) {
    answer.is_here = true;
    answer.outcome = fits ? Outcome::Hit : Outcome::Truncated;
    return fits;
  };
  bool exists = table_->each_address(name, [&](const IpAddress& address) {
    const RecordType type = address.is_v4() ? RecordType::A : RecordType::AAAA;
    return type != lookup.type ||
           write(out.add_address(Section::Answer, owner, options_.ttl, address.octets()));
  });
  if (const auto address = exists ? std::nullopt : address_of(name)) {
    const auto addressed =
        std::ranges::equal_range(table_->by_address, *address, {}, &Table::Addressed::address);
    exists = !addressed.empty();
    // There may be very many.
    auto entry = lookup.type == RecordType::PTR ? addressed.begin() : addressed.end();
    while (entry != addressed.end() &&
           write(out.add_name(Section::Answer, owner, RecordType::PTR, options_.ttl,
                              dns::NameParts::whole(table_->at(entry->name))))) {
      ++entry;
    }
  }
  if (answer.is_here) {
    return answer;
  }
  const dns::Name* const zone = denying_zone(name);
  answer.zone_labels = zone != nullptr ? zone->label_count() : 0;
  answer.is_here = exists || zone != nullptr;
  answer.outcome = exists ? Outcome::NoData : Outcome::NoName;
  return answer;
}

bool Hosts::decides(const dns::NameKey& name) const noexcept {
  if (table_->each_address(name, [](const IpAddress&) { return false; })) {
    return true;
  }
  const auto address = address_of(name);
  return denying_zone(name) != nullptr ||
         (address &&
          std::ranges::binary_search(table_->by_address, *address, {}, &Table::Addressed::address));
}

const dns::Name* Hosts::denying_zone(const dns::NameKey& name) const noexcept {
  const std::size_t least_labels = dns::is_reverse(name) ? 2 : 0;
  const auto zone = std::ranges::find_if(options_.zones, [&](const dns::Name& each) {
    return each.label_count() >= least_labels && name.is_within(each.wire(), each.label_count());
  });
  return zone == options_.zones.end() ? nullptr : &*zone;
}

}  // namespace waypost::policy
