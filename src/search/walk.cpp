#include "search/walk.h"

#include "dns/types.h"
#include "node/pod_dns.h"

#include <algorithm>

namespace waypost::search {
namespace {

constexpr std::array<std::uint8_t, 1> Root = {0};

}  // namespace

// The domains, and the name as it was given.
static_assert(node::MaxSearches + 1 < Walk::MaxSteps);

Walk::Walk(const dns::NameKey& asked, Bytes sent, const SearchList& list) noexcept : list_(list) {
  const SearchList::Domain first = list[0];
  if (asked.label_count <= first.labels || !asked.is_within(first.wire, first.labels)) {
    start_ = Start::OtherName;
    return;
  }
  const std::size_t labels = asked.label_count - std::size_t{first.labels};
  // A label that holds a dot does not count as two, and is not found in the names of programs.
  if (labels - 1 >= list.ndots()) {
    start_ = Start::Dotted;
    return;
  }
  base_ = sent.first(asked.offset_of(labels));
  const Bytes zone = list.zone().wire();
  // The name as it was given, in lower case, ends where the first domain begins.
  const Bytes lower = asked.wire().first(base_.size());
  const std::size_t zone_labels = list.zone().label_count();
  if (labels > zone_labels) {
    const std::size_t at = asked.offset_of(labels - zone_labels);
    base_is_in_zone_ = std::ranges::equal(lower.subspan(at), zone.first(zone.size() - 1));
  }
}

bool Walk::next() noexcept {
  for (;;) {
    const bool has_domain = next_domain_ < list_.size();
    const SearchList::Domain domain = has_domain ? list_[next_domain_] : SearchList::Domain();
    const bool is_turn = base_is_in_zone_ && !domain.is_in_zone;
    if (!has_given_ && (!has_domain || is_turn)) {
      has_given_ = true;
      is_as_given_ = true;
      is_in_cluster_ = false;
      ++step_;
      put(Root);
      return true;
    }
    if (!has_domain) {
      return false;
    }
    is_as_given_ = false;
    is_in_cluster_ = domain.is_in_zone;
    ++next_domain_;
    ++step_;
    if (put(domain.wire)) {
      return true;
    }
  }
}

// False when it becomes too long: no resolver asks for it either.
bool Walk::put(Bytes tail) noexcept {
  if (base_.size() + tail.size() > dns::MaxNameSize) {
    return false;
  }
  std::uint8_t* const end = std::copy(base_.begin(), base_.end(), octets_.data());
  std::copy(tail.begin(), tail.end(), end);
  size_ = base_.size() + tail.size();
  return true;
}

}  // namespace waypost::search
