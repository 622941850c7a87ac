#include "ops/families.h"

#include <doctest/doctest.h>

namespace waypost::ops {
namespace {

using dns::RecordType;

TEST_CASE("a family is of no use when it was said, or when there is a sign of the other one only") {
  CHECK(unusable_type(Families::Both, {.v4 = true}) == RecordType{});
  CHECK(unusable_type(Families::Ipv4, {.v6 = true}) == RecordType::AAAA);
  CHECK(unusable_type(Families::Ipv6, {.v4 = true}) == RecordType::A);
  CHECK(unusable_type(Families::Auto, {.v4 = true}) == RecordType::AAAA);
  CHECK(unusable_type(Families::Auto, {.v6 = true}) == RecordType::A);
  CHECK(unusable_type(Families::Auto, {.v4 = true, .v6 = true}) == RecordType{});
  CHECK(unusable_type(Families::Auto, {}) == RecordType{});
}

TEST_CASE("signs of a family are its ClusterIPs and Services that were made for it") {
  cache::ServiceCache cache;
  CHECK(signs_of(cache, {}) == FamilySigns{});
  CHECK(signs_of(cache, {.v6 = true}) == FamilySigns{.v6 = true});
  kube::Service service;
  service.key = {"shop", "web"};
  service.cluster_ips = {IpAddress::v4(10, 96, 0, 7)};
  cache.put(service);
  CHECK(signs_of(cache, {}) == FamilySigns{.v4 = true});
  service.key = {"shop", "headless"};
  service.headless = true;
  service.cluster_ips.clear();
  service.ip_families = {kube::IpFamily::V6};
  cache.put(service);
  CHECK(signs_of(cache, {}) == FamilySigns{.v4 = true, .v6 = true});
}

}  // namespace
}  // namespace waypost::ops
