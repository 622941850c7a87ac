#include "server/query_sampler.h"

#include <algorithm>

namespace waypost::server {
namespace {

constexpr std::uint8_t ResponseFlag = 0x80;  // QR, in the third octet (RFC 1035, 4.1.1).

// Copies the name of the question in lower case; returns its size, 0 when there is none that can
// be read.  A query has no pointer there (RFC 1035, 4.1.4: nothing stands before it).
std::size_t copy_name(Bytes request, std::array<std::uint8_t, dns::MaxNameSize>& into) noexcept {
  if (request.size() <= dns::HeaderSize || (request[2] & ResponseFlag) != 0 ||
      load_u16(&request[4]) == 0) {
    return 0;
  }
  const Bytes from = request.subspan(dns::HeaderSize);
  std::size_t at = 0;
  while (at < from.size() && at < into.size()) {
    const std::size_t label = from[at];
    if (label == 0) {
      into[at] = 0;
      return at + 1;
    }
    if (label > dns::MaxLabelSize || at + 1 + label >= std::min(from.size(), into.size())) {
      return 0;
    }
    into[at] = static_cast<std::uint8_t>(label);
    for (std::size_t i = at + 1; i <= at + label; ++i) {
      into[i] = ascii_lower(from[i]);
    }
    at += 1 + label;
  }
  return 0;
}

}  // namespace

QuerySampler::QuerySampler(bool is_on, std::uint64_t seed)
    : samples_(is_on ? std::make_unique<QuerySample[]>(Capacity) : nullptr),
      sampling_(is_on ? Capacity : 0, seed) {}

void QuerySampler::take(Bytes request, const IpAddress& client) noexcept {
  sampling_.take([&](std::size_t place, std::uint32_t weight) {
    QuerySample& sample = samples_[place];
    sample.client = client;
    sample.weight = weight;
    sample.name_size = static_cast<std::uint16_t>(copy_name(request, sample.octets));
  });
}

}  // namespace waypost::server
