#include "sources/address_allocator.h"

#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace waypost::sources {
namespace {

// FNV-1a, 64 bits: the same on every machine and in every build, which std::hash does not promise.
std::uint64_t stable_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash ^ (hash >> 32);
}

std::string_view to_text(kube::IpFamily family) noexcept {
  return family == kube::IpFamily::V4 ? "IPv4" : "IPv6";
}

bool has_cluster_ips(const kube::Service& service) noexcept {
  return !service.headless && service.type != kube::ServiceType::ExternalName;
}

template <typename T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

AddressRange::AddressRange(const IpPrefix& prefix) noexcept : prefix_(prefix) {
  const bool is_v4 = prefix.base().is_v4();
  // 2^32 addresses are more than any cluster's Services, so that offsets fit 64 bits.
  const unsigned host_bits = std::min((is_v4 ? 32U : 128U) - prefix.length(), 32U);
  const std::uint64_t size = std::uint64_t{1} << host_bits;
  first_ = 1;
  last_ = size - 1;
  if (is_v4 && last_ > 0) {
    --last_;
  }
  const std::uint64_t low_end = std::clamp<std::uint64_t>(size / 16, 16, 256);
  dynamic_ = first_ + low_end <= last_ ? first_ + low_end : first_;
}

IpAddress AddressRange::at(std::uint64_t offset) const noexcept {
  const Bytes base = prefix_.base().octets();
  std::array<std::uint8_t, 16> octets{};
  std::copy(base.begin(), base.end(), octets.begin());
  for (std::size_t i = base.size(); offset != 0; offset >>= 8) {
    octets[--i] |= static_cast<std::uint8_t>(offset & 0xff);
  }
  return IpAddress::from_octets(Bytes(octets).first(base.size()));
}

std::optional<IpAddress> AddressRange::take(std::string_view name) {
  if (first_ > last_) {
    return std::nullopt;
  }
  const std::uint64_t start = dynamic_ + stable_hash(name) % (last_ - dynamic_ + 1);
  // Three stretches in turn; each step on is due to one taken address.
  const std::array<std::pair<std::uint64_t, std::uint64_t>, 3> stretches = {
      {{start, last_ + 1}, {dynamic_, start}, {first_, dynamic_}}};
  for (const auto& [begin, end] : stretches) {
    for (std::uint64_t offset = begin; offset < end; ++offset) {
      const IpAddress address = at(offset);
      if (taken_.insert(address).second) {
        return address;
      }
    }
  }
  return std::nullopt;
}

std::vector<kube::IpFamily> families_of(const std::vector<IpPrefix>& cidrs) {
  std::vector<kube::IpFamily> families;
  for (const IpPrefix& cidr : cidrs) {
    const kube::IpFamily family = kube::family_of(cidr.base());
    if (!contains(families, family)) {
      families.push_back(family);
    }
  }
  return families;
}

std::vector<kube::IpFamily> wanted_families(const kube::Service& service,
                                            const std::vector<kube::IpFamily>& available) {
  std::vector<kube::IpFamily> wanted;
  const auto add = [&](kube::IpFamily family) {
    if (!contains(wanted, family)) {
      wanted.push_back(family);
    }
  };
  for (const IpAddress& address : service.cluster_ips) {
    add(kube::family_of(address));
  }
  const std::size_t given = wanted.size();
  std::for_each(service.ip_families.begin(), service.ip_families.end(), add);
  if (service.ip_family_policy == kube::IpFamilyPolicy::SingleStack) {
    if (wanted.empty() && !available.empty()) {
      add(available.front());
    }
    wanted.resize(std::min<std::size_t>(wanted.size(), 1));
    return wanted;
  }
  std::for_each(available.begin(), available.end(), add);
  add(kube::IpFamily::V4);
  add(kube::IpFamily::V6);
  if (service.ip_family_policy == kube::IpFamilyPolicy::PreferDualStack) {
    for (std::size_t i = wanted.size(); i-- > given && wanted.size() > 1;) {
      if (!contains(available, wanted[i])) {
        wanted.erase(wanted.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  return wanted;
}

AddressPlan plan_addresses(
    const std::map<kube::ObjectKey, std::shared_ptr<const kube::Service>>& services,
    const std::vector<IpPrefix>& cidrs) {
  AddressPlan plan;
  std::vector<AddressRange> ranges(cidrs.begin(), cidrs.end());
  std::unordered_map<IpAddress, const kube::ObjectKey*, IpAddressHash> owners;
  for (const auto& [key, service] : services) {
    for (const IpAddress& address : service->cluster_ips) {
      const auto [owner, is_new] = owners.try_emplace(address, &key);
      if (!is_new) {
        plan.problems.push_back({key, "spec.clusterIP: " + address.to_text() +
                                          " is used by Service " + owner->second->to_text() +
                                          " too"});
      }
      for (AddressRange& range : ranges) {
        range.reserve(address);
      }
    }
  }

  const std::vector<kube::IpFamily> available = families_of(cidrs);
  for (const auto& [key, service] : services) {
    if (!has_cluster_ips(*service)) {
      continue;
    }
    std::vector<kube::IpFamily> wanted = wanted_families(*service, available);
    if (wanted.empty()) {
      plan.problems.push_back(
          {key, "spec.clusterIP: is missing; expected one as long as no service CIDR is set"});
    }
    wanted.erase(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                      wanted.size(), service->cluster_ips.size())));
    std::vector<IpAddress> addresses = service->cluster_ips;
    for (const kube::IpFamily family : wanted) {
      const auto range = std::find_if(ranges.begin(), ranges.end(), [&](const AddressRange& r) {
        return kube::family_of(r.prefix().base()) == family;
      });
      if (range == ranges.end()) {
        plan.problems.push_back(
            {key, "spec.clusterIPs: no " + std::string(to_text(family)) +
                      " address; expected one, or a service CIDR of that family"});
        continue;
      }
      if (const auto address = range->take(key.to_text())) {
        addresses.push_back(*address);
      } else {
        plan.problems.push_back({key, "spec.clusterIP: no address is free in " +
                                          range->prefix().to_text() +
                                          "; expected a larger service CIDR"});
      }
    }
    if (addresses.size() > service->cluster_ips.size()) {
      plan.addresses.emplace(key, std::move(addresses));
    }
  }
  return plan;
}

}  // namespace waypost::sources
