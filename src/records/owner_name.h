// The names under which nodes stand in the index, put together from what the nodes hold.
//
// Private to the room: the writer's side of what Index::is_at() checks.

#pragma once

#include "base/bytes.h"
#include "dns/types.h"
#include "records/name_table.h"
#include "records/nodes.h"
#include "records/service_data.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace waypost::records {

// A lower-case name in wire form, built in place by appending labels and a tail.
class OwnerName {
 public:
  // `prefix` goes in front of the label's text within the same label: "_" for ports.
  OwnerName& label(std::string_view text, std::string_view prefix = {}) noexcept {
    octets_[size_++] = static_cast<std::uint8_t>(prefix.size() + text.size());
    return append(as_bytes(prefix)).append(as_bytes(text));
  }
  // Whole labels, or the rest of the name with its root.
  OwnerName& append(Bytes wire) noexcept {
    const std::size_t room = std::min(wire.size(), octets_.size() - 1 - size_);
    std::copy_n(wire.begin(), room, octets_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += room;
    return *this;
  }

  Bytes wire() const noexcept { return {octets_.data(), size_}; }
  // False when the parts made more than a name can hold; such an object gets no name (and is
  // counted).
  bool is_valid() const noexcept { return size_ <= dns::MaxNameSize; }

 private:
  std::array<std::uint8_t, 3 * dns::MaxNameSize> octets_{};
  std::size_t size_ = 0;
};

// The name of `entry` in the zone whose wire form is `zone`.  REQUIRES: it is neither
// ClusterAddress nor EndpointAddress, which have as many names as the Service has addresses.
OwnerName owner_of(const Entry& entry, Bytes zone) noexcept;

OwnerName owner_of_endpoint(const ServiceNode& service, const ServiceData& data,
                            const ServiceData::Endpoint& endpoint) noexcept;
OwnerName owner_of_port(const ServiceNode& service, std::string_view port,
                        kube::Protocol protocol) noexcept;
OwnerName owner_of_pod(const IpAddress& address, std::string_view name_space, Bytes zone) noexcept;
// The reverse name of the first `labels` octets or nibbles of `address`, or of all.
OwnerName owner_of_address(const IpAddress& address, std::size_t labels) noexcept;
OwnerName owner_of_address(const IpAddress& address) noexcept;

}  // namespace waypost::records
