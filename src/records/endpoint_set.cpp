#include "records/endpoint_set.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

namespace waypost::records {
namespace {

using Change = EndpointChanges::Change;

constexpr std::uint32_t NoIndex = ~std::uint32_t{0};

std::vector<PortList> groups_of(const ServiceData* data) {
  if (data == nullptr) {
    return {};
  }
  std::vector<PortList> groups(data->group_count());
  for (std::uint32_t i = 0; i < groups.size(); ++i) {
    for (const ServiceData::Port& port : data->group(i)) {
      groups[i].push_back({std::string(data->name(port)), port.protocol, port.port});
    }
  }
  return groups;
}

Bytes address_of(const EndpointSet& set, std::uint32_t index) noexcept {
  const std::size_t v4_count = set.v4.size() / 4;
  return index < v4_count ? as_bytes(set.v4).subspan(std::size_t{index} * 4, 4)
                          : as_bytes(set.v6).subspan((index - v4_count) * 16, 16);
}

//------------------------------------------------------------------ the plain form

// True when the label of an address is read as that address; not so for ::10.0.0.1, say.
bool has_plain_label(const IpAddress& address) {
  return address.is_v4() ||
         read_dashed_label(as_bytes(DashedLabel(address).text())) == std::optional(address);
}

// True when `changes` leave a version in the plain form that is in it, or empty.
bool stays_plain(const ServiceData* before, const EndpointChanges& changes) {
  if (before != nullptr && !before->is_plain()) {
    return false;
  }
  if (changes.changes.empty()) {
    return true;
  }
  std::vector<PortList> groups = groups_of(before);
  if (groups.empty()) {
    groups.insert(groups.end(), changes.groups.begin(), changes.groups.end());
  }
  return groups.size() == 1 &&
         std::all_of(changes.changes.begin(), changes.changes.end(), [&](const Change& change) {
           const bool was_there =
               before != nullptr && before->find_address(change.address).has_value();
           return change.label.empty() && changes.groups[change.group] == groups[0] &&
                  change.copies == (was_there ? -1 : 1) && has_plain_label(change.address);
         });
}

// Copies what lies between changes as a whole.  `changes` are in the order of addresses.
std::string merge_plain(Bytes before, std::size_t width, std::span<const Change* const> changes) {
  std::string after;
  after.reserve(before.size() + changes.size() * width);
  std::size_t from = 0;
  for (const Change* change : changes) {
    const Bytes address = change->address.octets();
    // The first address that is not less than the change's.
    std::size_t low = from / width;
    std::size_t high = before.size() / width;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const bool less = std::memcmp(before.data() + middle * width, address.data(), width) < 0;
      (less ? low : high) = less ? middle + 1 : middle;
    }
    after += as_text(before.subspan(from, low * width - from));
    from = low * width;
    if (change->copies > 0) {
      after += as_text(address);
    } else {
      from += width;
    }
  }
  after += as_text(before.subspan(from));
  return after;
}

EndpointSet make_plain(const ServiceData* before, const EndpointChanges& changes) {
  std::vector<const Change*> v4;
  std::vector<const Change*> v6;
  for (const Change& change : changes.changes) {
    (change.address.is_v4() ? v4 : v6).push_back(&change);
  }
  EndpointSet after;
  after.v4 = merge_plain(before == nullptr ? Bytes() : before->endpoint_v4(), 4, v4);
  after.v6 = merge_plain(before == nullptr ? Bytes() : before->endpoint_v6(), 16, v6);
  if (!after.v4.empty() || !after.v6.empty()) {
    after.groups = groups_of(before);
    if (after.groups.empty()) {
      after.groups = changes.groups;
    }
  }
  return after;
}

//------------------------------------------------------------------ the form with labels

// A change whose label is spelled out.
struct LabelChange {
  std::string_view label;
  bool has_hostname;
  IpAddress address;
  std::uint32_t group;  // In the groups of both versions.
  std::int64_t copies;
};

auto order_in_label(const IpAddress& address, std::uint32_t group) noexcept {
  return std::tuple(!address.is_v4(), address, group);
}
bool is_less(const LabelChange& left, const LabelChange& right) noexcept {
  const int order = left.label.compare(right.label);
  return order != 0 ? order < 0
                    : order_in_label(left.address, left.group) <
                          order_in_label(right.address, right.group);
}

// Changes with spelled labels, and with their groups among `groups`, which grow by new ones.  What
// is `before` in the plain form is among them.  `labels` owns what is spelled here.
std::vector<LabelChange> spell(const ServiceData* before, const EndpointChanges& changes,
                               std::vector<PortList>& groups, std::deque<DashedLabel>& labels) {
  std::vector<std::uint32_t> group_of;
  for (const PortList& group : changes.groups) {
    const auto at = std::find(groups.begin(), groups.end(), group);
    group_of.push_back(static_cast<std::uint32_t>(at - groups.begin()));
    if (at == groups.end()) {
      groups.push_back(group);
    }
  }
  std::vector<LabelChange> all;
  all.reserve(changes.changes.size());
  for (const Change& change : changes.changes) {
    const std::string_view label = change.label.empty() ? labels.emplace_back(change.address).text()
                                                        : std::string_view(change.label);
    all.push_back(
        {label, change.has_hostname, change.address, group_of[change.group], change.copies});
  }
  if (before != nullptr && before->is_plain()) {
    for (std::uint32_t i = 0; i < before->address_count(); ++i) {
      const IpAddress address = IpAddress::from_octets(before->address(i));
      all.push_back({labels.emplace_back(address).text(), false, address, 0, 1});
    }
  }
  std::sort(all.begin(), all.end(), is_less);
  // A hostname and another's address may spell the same label.
  std::vector<LabelChange> net;
  net.reserve(all.size());
  for (const LabelChange& change : all) {
    if (!net.empty() && !is_less(net.back(), change)) {
      net.back().copies += change.copies;
      net.back().has_hostname = net.back().has_hostname || change.has_hostname;
    } else {
      net.push_back(change);
    }
  }
  return net;
}

// Writes a version in the form with labels: what is between changes is copied from the one before.
class LabelMerge {
 public:
  // `before` is null or has labels.
  LabelMerge(const ServiceData* before, EndpointSet& set)
      : before_(before),
        old_addresses_(before == nullptr ? 0 : before->address_count()),
        set_(set) {
    if (before != nullptr) {
      constexpr std::size_t New = 64;
      set_.labels.reserve(before->labels().size() + New);
      set_.members.reserve(before->members().size() + New);
      set_.v4.reserve(before->endpoint_v4().size() + New * 4);
      set_.v6.reserve(before->endpoint_v6().size());
    }
  }

  // `changes` in order, each once.
  void merge(std::span<const LabelChange> changes) {
    const std::span<const ServiceData::Label> labels = old_labels();
    for (std::size_t first = 0; first < changes.size();) {
      const std::string_view label = changes[first].label;
      std::size_t end = first + 1;
      while (end < changes.size() && changes[end].label == label) {
        ++end;
      }
      const auto at =
          std::lower_bound(labels.begin() + next_, labels.end(), label,
                           [this](const ServiceData::Label& old, std::string_view text) {
                             return before_->label_text(old) < text;
                           });
      copy_labels(static_cast<std::uint32_t>(at - labels.begin()));
      merge_label(label, changes.subspan(first, end - first));
      first = end;
    }
    copy_labels(static_cast<std::uint32_t>(labels.size()));
  }

  // Numbers addresses and groups as they are in the end.
  void finish(std::vector<PortList> groups) {
    std::vector<std::uint32_t> address_numbers(old_addresses_ + fresh_.size(), NoIndex);
    std::vector<std::uint32_t> group_numbers(groups.size(), NoIndex);
    for (const ServiceData::Member& member : set_.members) {
      address_numbers[member.address] = 0;  // It is used.
      group_numbers[member.group] = 0;
    }
    number_addresses(address_numbers);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (group_numbers[i] != NoIndex) {
        group_numbers[i] = static_cast<std::uint32_t>(set_.groups.size());
        set_.groups.push_back(std::move(groups[i]));
      }
    }
    for (ServiceData::Member& member : set_.members) {
      member.address = address_numbers[member.address];
      member.group = group_numbers[member.group];
    }
  }

 private:
  std::span<const ServiceData::Label> old_labels() const noexcept {
    return before_ == nullptr ? std::span<const ServiceData::Label>() : before_->labels();
  }

  // Copies the labels from the next one up to `until`.
  void copy_labels(std::uint32_t until) {
    if (next_ == until) {
      return;
    }
    const auto labels = old_labels().subspan(next_, until - next_);
    const std::uint32_t first = labels.front().first_member;
    const auto end = until < old_labels().size() ? std::uint32_t{old_labels()[until].first_member}
                                                 : before_->member_count();
    const std::uint32_t text_at = labels.front().text_at;
    const std::size_t text_end =
        labels.back().text_at + 1 + before_->label_text(labels.back()).size();
    const auto to_member = static_cast<std::uint32_t>(set_.members.size()) - first;
    const auto to_text = static_cast<std::uint32_t>(set_.label_text.size()) - text_at;
    for (ServiceData::Label label : labels) {
      label.text_at += to_text;
      label.first_member = (label.first_member + to_member) & MaxMember;
      set_.labels.push_back(label);
    }
    const auto members = before_->members().subspan(first, end - first);
    set_.members.insert(set_.members.end(), members.begin(), members.end());
    set_.label_text += before_->label_texts(text_at, text_end - text_at);
    next_ = until;
  }

  // Writes the label of `changes`, with what it has so far if it is the next one.
  void merge_label(std::string_view text, std::span<const LabelChange> changes) {
    ServiceData::Endpoint old{};
    bool has_hostname = false;
    if (next_ < old_labels().size() && before_->label_text(old_labels()[next_]) == text) {
      old = before_->endpoint(next_);
      has_hostname = before_->has_hostname(old);
      ++next_;
    }
    const auto first = static_cast<std::uint32_t>(set_.members.size());
    const auto add = [&](std::uint32_t address, std::uint32_t group, std::int64_t copies) {
      if (copies > 0) {
        set_.members.push_back({address, group, static_cast<std::uint32_t>(copies)});
      }
    };
    std::uint32_t i = 0;
    for (const LabelChange& change : changes) {
      has_hostname = has_hostname || change.has_hostname;
      const auto wanted = order_in_label(change.address, change.group);
      std::int64_t copies = change.copies;
      for (; i < old.member_count; ++i) {
        const ServiceData::Member member = before_->member(old.first_member + i);
        const IpAddress address = IpAddress::from_octets(before_->address(member.address));
        const auto order = order_in_label(address, member.group);
        if (order > wanted) {
          break;
        }
        if (order == wanted) {
          copies += member.copies;
        } else {
          add(member.address, member.group, member.copies);
        }
      }
      if (copies > 0) {
        add(number_of(change.address), change.group, copies);
      }
    }
    for (; i < old.member_count; ++i) {
      const ServiceData::Member member = before_->member(old.first_member + i);
      add(member.address, member.group, member.copies);
    }
    if (set_.members.size() != first) {
      set_.labels.push_back({static_cast<std::uint32_t>(set_.label_text.size()), first & MaxMember,
                             has_hostname ? 1U : 0U});
      set_.label_text += static_cast<char>(text.size());
      set_.label_text += text;
    }
  }

  // The number by which an address goes until finish(): as before, or behind all of those.
  std::uint32_t number_of(const IpAddress& address) {
    if (const auto known = before_ == nullptr ? std::nullopt : before_->find_address(address)) {
      return *known;
    }
    const auto number = static_cast<std::uint32_t>(old_addresses_ + fresh_.size());
    return fresh_.try_emplace(address, number).first->second;
  }

  // Fills the arrays of addresses with those whose number is not NoIndex, and gives each its place.
  void number_addresses(std::vector<std::uint32_t>& numbers) {
    std::vector<std::pair<IpAddress, std::uint32_t>> fresh(fresh_.begin(), fresh_.end());
    std::sort(fresh.begin(), fresh.end(), [](const auto& left, const auto& right) {
      return order_in_label(left.first, 0) < order_in_label(right.first, 0);
    });
    std::uint32_t count = 0;
    auto next = fresh.begin();
    const auto add = [&](Bytes octets, std::uint32_t number) {
      if (numbers[number] != NoIndex) {
        numbers[number] = count++;
        (octets.size() == 4 ? set_.v4 : set_.v6) += as_text(octets);
      }
    };
    const auto comes_first = [](Bytes left, Bytes right) {
      return left.size() != right.size() ? left.size() < right.size()
                                         : std::memcmp(left.data(), right.data(), left.size()) < 0;
    };
    for (std::uint32_t i = 0; i < old_addresses_; ++i) {
      const Bytes old = before_->address(i);
      for (; next != fresh.end() && comes_first(next->first.octets(), old); ++next) {
        add(next->first.octets(), next->second);
      }
      add(old, i);
    }
    for (; next != fresh.end(); ++next) {
      add(next->first.octets(), next->second);
    }
  }

  static constexpr std::uint32_t MaxMember = 0x7fffffff;

  const ServiceData* before_;
  std::uint32_t old_addresses_;
  EndpointSet& set_;
  std::uint32_t next_ = 0;  // Among the labels before.
  std::map<IpAddress, std::uint32_t> fresh_;
};

// True when the plain form says the same.
bool is_plain(const EndpointSet& set) {
  if (set.groups.size() > 1) {
    return false;
  }
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    const ServiceData::Label& label = set.labels[i];
    const std::size_t end =
        i + 1 < set.labels.size() ? set.labels[i + 1].first_member : set.members.size();
    const ServiceData::Member& member = set.members[label.first_member];
    const Bytes text = as_bytes(set.label_text).subspan(label.text_at);
    const auto address = read_dashed_label(text.subspan(1, text[0]));
    if (label.has_hostname || end - label.first_member != 1 || member.copies != 1 || !address ||
        !std::ranges::equal(address->octets(), address_of(set, member.address))) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::size_t EndpointSet::copies_of_group(std::size_t group) const noexcept {
  if (labels.empty()) {
    return v4.size() / 4 + v6.size() / 16;
  }
  std::size_t copies = 0;
  for (const ServiceData::Member& member : members) {
    copies += member.group == group ? member.copies : 0;
  }
  return copies;
}

EndpointSet merge_endpoints(const ServiceData* before, const EndpointChanges& changes) {
  if (stays_plain(before, changes)) {
    return make_plain(before, changes);
  }
  std::vector<PortList> groups = groups_of(before);
  std::deque<DashedLabel> labels;
  const std::vector<LabelChange> spelled = spell(before, changes, groups, labels);
  EndpointSet set;
  LabelMerge merge(before != nullptr && before->is_plain() ? nullptr : before, set);
  merge.merge(spelled);
  merge.finish(std::move(groups));
  if (is_plain(set)) {
    set.labels.clear();
    set.members.clear();
    set.label_text.clear();
  }
  return set;
}

}  // namespace waypost::records
