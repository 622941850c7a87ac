#include "records/service_data.h"

#include <algorithm>
#include <cstring>

namespace waypost::records {
namespace {

// Finds `address` among sorted addresses of its size.
std::optional<std::uint32_t> find_in(Bytes sorted, Bytes address) noexcept {
  std::size_t low = 0;
  std::size_t high = sorted.size() / address.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const int order =
        std::memcmp(sorted.data() + middle * address.size(), address.data(), address.size());
    if (order == 0) {
      return static_cast<std::uint32_t>(middle);
    }
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return std::nullopt;
}

}  // namespace

const ServiceData::NamedPort* ServiceData::find_port(Bytes name_text,
                                                     std::string_view protocol) const noexcept {
  for (const NamedPort& port : ports()) {
    if (name(port) == as_text(name_text) && kube::to_text(port.protocol) == protocol) {
      return &port;
    }
  }
  return nullptr;
}

bool ServiceData::has_protocol(std::string_view protocol) const noexcept {
  const auto all = ports();
  return std::any_of(all.begin(), all.end(), [&](const NamedPort& port) {
    return kube::to_text(port.protocol) == protocol;
  });
}

std::optional<std::uint32_t> ServiceData::find_address(const IpAddress& address) const noexcept {
  if (address.is_v4()) {
    return find_in(endpoint_v4(), address.octets());
  }
  const auto found = find_in(endpoint_v6(), address.octets());
  return found ? std::optional(static_cast<std::uint32_t>(endpoint_v4().size() / 4) + *found)
               : std::nullopt;
}

bool ServiceData::has_cluster_ip(const IpAddress& address) const noexcept {
  if (kind_ != Kind::ClusterIp) {
    return false;
  }
  const Bytes octets = address.octets();
  const Bytes all = address.is_v4() ? v4() : v6();
  for (std::size_t at = 0; at < all.size(); at += octets.size()) {
    if (std::memcmp(all.data() + at, octets.data(), octets.size()) == 0) {
      return true;
    }
  }
  return false;
}

ServiceData::Endpoint ServiceData::endpoint(std::uint32_t index) const noexcept {
  if (plain_) {
    return {index, index, 1};
  }
  const auto all = labels();
  const std::uint32_t first = all[index].first_member;
  const std::uint32_t end = index + 1 < all.size() ? all[index + 1].first_member : member_count();
  return {index, first, end - first};
}

std::optional<ServiceData::Endpoint> ServiceData::find_endpoint(Bytes label) const noexcept {
  if (plain_) {
    const auto address = read_dashed_label(label);
    const auto index = address ? find_address(*address) : std::nullopt;
    return index ? std::optional(endpoint(*index)) : std::nullopt;
  }
  const auto all = labels();
  const auto at = std::lower_bound(
      all.begin(), all.end(), as_text(label),
      [this](const Label& each, std::string_view wanted) { return label_text(each) < wanted; });
  if (at == all.end() || label_text(*at) != as_text(label)) {
    return std::nullopt;
  }
  return endpoint(static_cast<std::uint32_t>(at - all.begin()));
}

std::optional<ServiceData::Endpoint> ServiceData::endpoint_with(
    const IpAddress& address) const noexcept {
  const auto index = find_address(address);
  if (!index || plain_) {
    return index ? std::optional(endpoint(*index)) : std::nullopt;
  }
  const auto every = members();
  const auto at = std::find_if(every.begin(), every.end(),
                               [&](const Member& member) { return member.address == *index; });
  const auto all = labels();
  const auto behind =
      std::upper_bound(all.begin(), all.end(), static_cast<std::uint32_t>(at - every.begin()),
                       [](std::uint32_t i, const Label& label) { return i < label.first_member; });
  return endpoint(static_cast<std::uint32_t>(behind - all.begin()) - 1);
}

Bytes ServiceData::label_wire(const Endpoint& endpoint, LabelBuffer& buffer) const noexcept {
  if (plain_) {
    return buffer.emplace(IpAddress::from_octets(address(endpoint.label))).wire();
  }
  const std::uint8_t* at = section<std::uint8_t>(Text).data() + labels()[endpoint.label].text_at;
  return {at, *at + std::size_t{1}};
}

}  // namespace waypost::records
