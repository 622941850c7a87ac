#include "ops/reverse_zones.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace waypost::ops {
namespace {

// The digits of an address in the steps that reverse names take: octets or nibbles.
std::vector<unsigned> steps_of(const IpAddress& address) {
  std::vector<unsigned> steps;
  for (const std::uint8_t octet : address.octets()) {
    if (address.is_v4()) {
      steps.push_back(octet);
    } else {
      steps.push_back(octet >> 4U);
      steps.push_back(octet & 0xfU);
    }
  }
  return steps;
}

std::string step_text(unsigned step, bool v4) {
  return v4 ? std::to_string(step) : std::string(1, "0123456789abcdef"[step]);
}

// Names made here are short and of digits: they are always valid.
dns::Name known_name(const std::string& text) {
  return dns::Name::from_text(text).value_or(dns::Name());
}

}  // namespace

std::vector<dns::Name> reverse_zones_of(const IpPrefix& prefix) {
  const bool v4 = prefix.base().is_v4();
  const unsigned step_bits = v4 ? 8 : 4;
  const std::vector<unsigned> steps = steps_of(prefix.base());
  const std::size_t whole = prefix.length() / step_bits;
  const unsigned rest = prefix.length() % step_bits;

  std::string parent = v4 ? "in-addr.arpa." : "ip6.arpa.";
  for (std::size_t i = 0; i < whole; ++i) {
    parent.insert(0, step_text(steps[i], v4) + ".");
  }
  if (rest == 0) {
    return {known_name(parent)};
  }
  std::vector<dns::Name> zones;
  const unsigned count = 1U << (step_bits - rest);
  zones.reserve(count);
  for (unsigned i = 0; i < count; ++i) {
    zones.push_back(known_name(step_text(steps[whole] + i, v4) + "." + parent));
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
  if (!name->is_within(known_name("in-addr.arpa.")) && !name->is_within(known_name("ip6.arpa."))) {
    return failure(ErrorKind::InvalidInput, "not a name below in-addr.arpa or ip6.arpa");
  }
  return std::vector<dns::Name>{name->lowered()};
}

}  // namespace waypost::ops
