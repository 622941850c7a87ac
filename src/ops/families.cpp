#include "ops/families.h"

#include "ops/host.h"

namespace waypost::ops {
namespace {

void note(const IpAddress& address, FamilySigns& signs) {
  (address.is_v4() ? signs.v4 : signs.v6) = true;
}

}  // namespace

FamilySigns own_signs() {
  FamilySigns signs;
  const SocketAddress any_v4{IpAddress::v4(0, 0, 0, 0), 0};
  for (const SocketAddress& any : {any_v4, SocketAddress{}}) {
    for (const IpAddress& address : own_addresses({any})) {
      if (!address.is_loopback()) {
        note(address, signs);
      }
    }
  }
  return signs;
}

FamilySigns signs_of(const cache::ServiceCache& cache, FamilySigns own) {
  cache.for_each_service([&own](const kube::ObjectKey&, const cache::ServiceState& state) {
    if (!state.service || (own.v4 && own.v6)) {
      return;
    }
    const kube::Service& service = *state.service;
    for (const IpAddress& address : service.cluster_ips) {
      note(address, own);
    }
    for (const kube::IpFamily family : service.ip_families) {
      (family == kube::IpFamily::V4 ? own.v4 : own.v6) = true;
    }
  });
  return own;
}

dns::RecordType unusable_type(Families families, const FamilySigns& signs) noexcept {
  switch (families) {
    case Families::Both:
      break;
    case Families::Ipv4:
      return dns::RecordType::AAAA;
    case Families::Ipv6:
      return dns::RecordType::A;
    case Families::Auto:
      if (signs.v4 != signs.v6) {
        return signs.v4 ? dns::RecordType::AAAA : dns::RecordType::A;
      }
      break;
  }
  return dns::RecordType{};
}

}  // namespace waypost::ops
