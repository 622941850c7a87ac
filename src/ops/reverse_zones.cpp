#include "ops/reverse_zones.h"

#include "dns/reverse_name.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace waypost::ops {
namespace {

std::string step_text(unsigned step, bool v4) {
  return v4 ? std::to_string(step) : std::string(1, "0123456789abcdef"[step]);
}

}  // namespace

std::vector<dns::Name> reverse_zones_of(const IpPrefix& prefix) {
  const bool v4 = prefix.base().is_v4();
  const unsigned step_bits = v4 ? 8 : 4;  // What one label stands for.
  const std::size_t whole = prefix.length() / step_bits;
  const unsigned rest = prefix.length() % step_bits;
  const dns::Name parent = dns::reverse_name(prefix.base(), whole);
  if (rest == 0) {
    return {parent};
  }
  // The bits of the prefix that the labels of `parent` do not say, with zeros behind.
  const std::uint8_t octet = prefix.base().octets()[prefix.length() / 8];
  const unsigned first = v4 ? octet : whole % 2 == 0 ? octet >> 4U : octet & 0xfU;
  std::vector<dns::Name> zones;
  const unsigned count = 1U << (step_bits - rest);
  zones.reserve(count);
  for (unsigned i = 0; i < count; ++i) {
    zones.push_back(*parent.child(step_text(first + i, v4)));  // Short, and of digits.
  }
  return zones;
}

Result<std::vector<dns::Name>> reverse_zones_from_text(std::string_view text) {
  if (text.find('/') != std::string_view::npos) {
    const auto prefix = IpPrefix::from_text(text);
    if (!prefix) {
      return std::unexpected(prefix.error());
    }
    return reverse_zones_of(*prefix);
  }
  auto name = dns::Name::from_text(text);
  if (!name) {
    return std::unexpected(name.error());
  }
  if (!dns::is_reverse(*name)) {
    return failure(ErrorKind::InvalidInput, "not a name below in-addr.arpa or ip6.arpa");
  }
  return std::vector<dns::Name>{name->lowered()};
}

}  // namespace waypost::ops
