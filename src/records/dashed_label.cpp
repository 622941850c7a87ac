#include "records/dashed_label.h"

#include "dns/types.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace waypost::records {

DashedLabel::DashedLabel(const IpAddress& address) noexcept {
  char* const text = reinterpret_cast<char*>(octets_.data()) + 1;
  char* end = text;
  if (address.is_v4()) {
    for (const std::uint8_t octet : address.octets()) {
      if (end != text) {
        *end++ = '-';
      }
      end = std::to_chars(end, end + 3, octet).ptr;
    }
  } else {
    inet_ntop(AF_INET6, address.octets().data(), text, INET6_ADDRSTRLEN);
    for (; *end != '\0'; ++end) {
      if (*end == ':' || *end == '.') {
        *end = '-';
      }
    }
    // A label must not end in a dash: fd00:: becomes fd00--0, as with CoreDNS.
    if (end[-1] == '-') {
      *end++ = '0';
    }
  }
  octets_[0] = static_cast<std::uint8_t>(end - text);
}

std::optional<IpAddress> read_dashed_address(Bytes label) noexcept {
  std::array<char, dns::MaxLabelSize> text{};
  const auto dashes = std::count(label.begin(), label.end(), '-');
  const bool v4 = dashes == 3 && as_text(label).find("--") == std::string_view::npos;
  std::transform(label.begin(), label.end(), text.begin(), [&](std::uint8_t c) {
    return c == '-' ? (v4 ? '.' : ':') : static_cast<char>(c);
  });
  return IpAddress::from_text({text.data(), label.size()});
}

std::optional<IpAddress> read_dashed_label(Bytes label) noexcept {
  const auto address = read_dashed_address(label);
  return address && DashedLabel(*address).text() == as_text(label) ? address : std::nullopt;
}

}  // namespace waypost::records
