#include "zones/zone_set.h"

#include "support/dns_text.h"
#include "unit/zones/zone_expect.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace waypost;

namespace {

std::shared_ptr<const zones::Zone> zone(const std::string& apex, std::uint32_t serial = 1) {
  const auto soa =
      dns::record_from_text(apex + " 60 IN SOA . . " + std::to_string(serial) + " 2 3 4 60");
  return *zones::Zone::make(*dns::Name::from_text(apex), {*soa});
}

std::string closest(const zones::ZoneSet& set, const std::string& name) {
  dns::NameKey key;
  key.assign(dns::Name::from_text(name)->wire());
  const zones::Owner* found = set.closest(key);
  return found == nullptr         ? "none"
         : found->zone == nullptr ? "elsewhere " + std::to_string(found->labels)
                                  : found->zone->apex().to_text();
}

}  // namespace

TEST_CASE("a name belongs to the zone with the longest apex above it") {
  const zones::ZoneSet set({zone("example."), zone("Shop.example."), zone("a.b.c.shop.example."),
                            zone("10.in-addr.arpa.")});
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"example.", "example."},
      {"www.EXAMPLE.", "example."},
      {"shop.example.", "Shop.example."},
      {"c.shop.example.", "Shop.example."},
      {"x.a.b.c.shop.example.", "a.b.c.shop.example."},
      {"x.b.c.shop.example.", "Shop.example."},
      {"1.2.3.10.in-addr.arpa.", "10.in-addr.arpa."},
      {"in-addr.arpa.", "none"},
      {"notexample.", "none"},
      {"example.net.", "none"},
      {".", "none"},
  };
  for (const auto& [name, apex] : cases) {
    CAPTURE(name);
    CHECK(closest(set, name) == apex);
  }
}

TEST_CASE("a root zone is the closest of all other names") {
  const zones::ZoneSet set({zone("."), zone("example.")});
  CHECK(closest(set, ".") == ".");
  CHECK(closest(set, "org.") == ".");
  CHECK(closest(set, "www.example.") == "example.");
}

TEST_CASE("an empty set has no zone for any name") {
  const zones::ZoneSet set(std::vector<std::shared_ptr<const zones::Zone>>{});
  CHECK(closest(set, ".") == "none");
  CHECK(closest(set, "www.example.") == "none");
  CHECK(set.zones().empty());
}

TEST_CASE("names below a longer apex that other servers have are theirs, but for zones with it") {
  const std::vector<dns::Name> elsewhere = {
      *dns::Name::from_text("Sub.example."), *dns::Name::from_text("org."),
      *dns::Name::from_text("here."), *dns::Name::from_text(".")};
  const zones::ZoneSet set(
      {zone("example."), zone("a.sub.example."), zone("here."), zone("in.org.")}, elsewhere);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"www.example.", "example."},
      {"sub.example.", "elsewhere 2"},
      {"b.sub.example.", "elsewhere 2"},
      {"x.a.sub.example.", "a.sub.example."},
      {"www.org.", "elsewhere 1"},
      {"www.in.org.", "in.org."},
      {"www.here.", "here."},
      {"net.", "none"},
      {".", "none"},
  };
  for (const auto& [name, owner] : cases) {
    CAPTURE(name);
    CHECK(closest(set, name) == owner);
  }
  CHECK(set.zones().size() == 4);
}

TEST_CASE("of two zones with one apex the later answers, and both are remembered by file") {
  const auto first = zone("example.", 1);
  const auto second = zone("EXAMPLE.", 2);
  const auto set = zones::ZoneSet::from_files(
      {{"one/example.zone", first}, {"two/example.zone", second}, {"a.zone", zone("a.")}});
  CHECK(set->zones().size() == 2);
  CHECK(set->find(*dns::Name::from_text("example.")) == second);
  CHECK(set->find_file("one/example.zone") == first);
  CHECK(set->find_file("two/example.zone") == second);
  CHECK(set->find_file("example.zone") == nullptr);
  CHECK(set->find(*dns::Name::from_text("www.example.")) == nullptr);
}

TEST_CASE("zones are told in canonical order of their apexes") {
  const zones::ZoneSet set({zone("b.a."), zone("c."), zone("a."), zone("z.a.")});
  std::vector<std::string> apexes;
  for (const auto& one : set.zones()) {
    apexes.push_back(one->apex().to_text());
  }
  CHECK(apexes == std::vector<std::string>{"a.", "b.a.", "z.a.", "c."});
}
