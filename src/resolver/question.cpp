#include "resolver/question.h"

#include "dns/name.h"

#include <algorithm>
#include <utility>

namespace waypost::resolver {

bool operator==(const CacheKey& left, const CacheKey& right) noexcept {
  return left.type == right.type && left.dnssec_ok == right.dnssec_ok &&
         left.checking_disabled == right.checking_disabled && left.name.hash == right.name.hash &&
         std::ranges::equal(left.name.wire(), right.name.wire());
}

std::string Question::to_text() const {
  const auto text = dns::Name::from_wire(name.wire());
  return (text ? text->to_text() : "?") + " " + dns::to_text(type);
}

bool is_within(Bytes name, Bytes zone) noexcept {
  while (name.size() > zone.size()) {
    name = name.subspan(1U + name.front());
  }
  return std::ranges::equal(name, zone);
}

std::size_t QuestionHash::operator()(const Question& question) const noexcept {
  const std::uint64_t kind = (std::uint64_t{std::to_underlying(question.type)} << 2) |
                             (question.dnssec_ok ? 2U : 0U) |
                             (question.checking_disabled ? 1U : 0U);
  return static_cast<std::size_t>(question.name.hash ^ (kind * 0x9e3779b97f4a7c15ULL));
}

}  // namespace waypost::resolver
