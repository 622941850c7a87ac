// Folders of zone files, with what people and ConfigMap volumes do to them.

#include "zones/zone_loader.h"

#include "unit/zones/zone_expect.h"

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace waypost;
namespace fs = std::filesystem;

namespace {

// A folder of its own for each test, gone with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "waypost-zones-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ec;
    fs::remove_all(path_, ec);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const fs::path& path() const { return path_; }
  fs::path operator/(const fs::path& name) const { return path_ / name; }

  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  void link(const fs::path& name, const fs::path& target) const {
    fs::create_symlink(target, path_ / name);
  }

 private:
  fs::path path_;
};

std::string soa(int serial) {
  return "@ 60 SOA ns h " + std::to_string(serial) + " 2 3 4 60\n";
}

// "a. 1, b. 2": apexes and serials.
std::string zones_of(const zones::LoadedZones& loaded) {
  std::vector<std::string> text;
  for (const auto& zone : loaded.zones->zones()) {
    text.push_back(zone->apex().to_text() + " " + std::to_string(zone->serial()));
  }
  return fmt::format("{}", fmt::join(text, ", "));
}

// Messages without the folder's own path.
std::vector<std::string> errors_of(const zones::LoadedZones& loaded,
                                   const TemporaryFolder& folder) {
  std::vector<std::string> messages;
  for (const Error& error : loaded.errors) {
    std::string message = error.message;
    for (std::size_t at; (at = message.find(folder.path().string())) != std::string::npos;) {
      message.replace(at, folder.path().string().size(), "DIR");
    }
    messages.push_back(message);
  }
  return messages;
}

zones::LoadedZones load(const std::vector<fs::path>& folders,
                        const zones::ZoneSet* previous = nullptr) {
  return zones::load_zones(folders, false, previous);
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("every zone file of a folder is a zone named after it") {
  TemporaryFolder folder;
  folder.write("example.org.zone", soa(1));
  folder.write("Example.NET.zone", soa(2));
  folder.write("other.zone", "$ORIGIN example.com.\n" + soa(3));
  folder.write("hosts.inc", "not a zone");
  folder.write("notes.txt", "not a zone");
  folder.write(".hidden.zone", "not a zone");
  folder.write("sub/example.zone", soa(4));
  const auto loaded = load({folder.path()});
  CHECK(errors_of(loaded, folder) == Lines{});
  CHECK(zones_of(loaded) == "example.com. 3, Example.NET. 2, example.org. 1");
}

TEST_CASE("a bad file is reported with its line and keeps no other zone from being served") {
  TemporaryFolder folder;
  folder.write("a.zone", soa(1));
  folder.write("b.zone", soa(1) + "www 60 A nonsense\n");
  folder.write("c.zone", "");
  folder.write("d..e.zone", soa(1));
  folder.write("f.zone", soa(1));
  fs::create_directory(folder / "g.zone");
  const auto loaded = load({folder.path()});
  REQUIRE(loaded.errors.size() == 3);
  const Lines errors = errors_of(loaded, folder);
  CHECK(errors[0] ==
        "DIR/b.zone:2: Syntax error, could not parse the RR's rdata, expected A IPV4-ADDRESS");
  CHECK(errors[1] == "DIR/c.zone:1: no SOA, expected one at the zone's apex");
  CHECK(errors[2].starts_with("DIR/d..e.zone: expected the name of a zone before .zone: "));
  CHECK(zones_of(loaded) == "a. 1, f. 1");
}

TEST_CASE(
    "a file that turns bad keeps its zone until it is mended, a file that goes takes it along") {
  TemporaryFolder folder;
  folder.write("a.zone", soa(1));
  folder.write("b.zone", soa(1));
  const auto first = load({folder.path()});
  folder.write("a.zone", "nonsense");
  fs::remove(folder / "b.zone");
  const auto second = load({folder.path()}, first.zones.get());
  CHECK(second.errors.size() == 1);
  CHECK(zones_of(second) == "a. 1");
  const auto third = load({folder.path()}, second.zones.get());
  CHECK(third.errors.size() == 1);
  CHECK(zones_of(third) == "a. 1");
  folder.write("a.zone", soa(2));
  const auto fourth = load({folder.path()}, third.zones.get());
  CHECK(fourth.errors.empty());
  CHECK(zones_of(fourth) == "a. 2");
}

TEST_CASE("another file's zone is not kept for a bad file") {
  TemporaryFolder folder;
  folder.write("one/a.zone", soa(1));
  const auto first = load({folder / "one"});
  folder.write("two/a.zone", "nonsense");
  const auto second = load({folder / "two"}, first.zones.get());
  CHECK(second.errors.size() == 1);
  CHECK(zones_of(second) == "");
}

TEST_CASE("a folder that cannot be listed keeps all of its zones") {
  TemporaryFolder folder;
  folder.write("one/a.zone", soa(1));
  folder.write("one/b.zone", soa(1));
  folder.write("two/c.zone", soa(1));
  const auto first = load({folder / "one", folder / "two"});
  fs::remove_all(folder / "one");
  const auto second = load({folder / "one", folder / "two"}, first.zones.get());
  CHECK(second.errors.size() == 1);
  CHECK(zones_of(second) == "a. 1, b. 1, c. 1");
  CHECK(zones_of(load({folder / "two"}, second.zones.get())) == "c. 1");
  CHECK(zones_of(load({folder / "one"}, second.zones.get())) == "a. 1, b. 1");
}

TEST_CASE("a later folder's zone takes the place of an earlier's, also while it is bad") {
  TemporaryFolder folder;
  folder.write("one/a.zone", soa(1));
  folder.write("two/a.zone", soa(2));
  const auto first = load({folder / "one", folder / "two"});
  CHECK(first.errors.empty());
  CHECK(zones_of(first) == "a. 2");
  folder.write("two/a.zone", "nonsense");
  CHECK(zones_of(load({folder / "one", folder / "two"}, first.zones.get())) == "a. 2");
  fs::remove(folder / "two/a.zone");
  CHECK(zones_of(load({folder / "one", folder / "two"}, first.zones.get())) == "a. 1");
}

TEST_CASE("one zone in two files of one folder is reported") {
  TemporaryFolder folder;
  folder.write("a.zone", soa(1));
  folder.write("b.zone", "$ORIGIN A.\n" + soa(2));
  const auto loaded = load({folder.path()});
  CHECK(zones_of(loaded) == "A. 2");
  CHECK(
      errors_of(loaded, folder) ==
      Lines{"DIR/a.zone: not served, because DIR/b.zone holds the same zone A., expected one file "
            "for each zone"});
}

TEST_CASE("files are included from the same folder and from below") {
  TemporaryFolder folder;
  folder.write("a.zone", soa(1) + "$INCLUDE hosts.inc\n$INCLUDE sub/more.inc sub\n");
  folder.write("hosts.inc", "www 60 A 192.0.2.1\n");
  folder.write("sub/more.inc", "www 60 A 192.0.2.2\n$INCLUDE most.inc\n");
  folder.write("sub/most.inc", "ftp 60 A 192.0.2.3\n");
  const auto loaded = load({folder.path()});
  REQUIRE(errors_of(loaded, folder) == Lines{});
  test::ZoneUnderTest zone(loaded.zones->zones().front());
  zone.expect({.asks = "www.a. A", .answer = {"www.a. 60 A 192.0.2.1"}});
  zone.expect({.asks = "www.sub.a. A", .answer = {"www.sub.a. 60 A 192.0.2.2"}});
  zone.expect({.asks = "ftp.sub.a. A", .answer = {"ftp.sub.a. 60 A 192.0.2.3"}});
}

TEST_CASE("nothing is included from outside of the folder") {
  TemporaryFolder folder;
  const std::string secret = "www 60 A 192.0.2.1\n";
  folder.write("outside.inc", secret);
  folder.write("zones/inside.inc", secret);
  folder.write("zones/sub/up.inc", "$INCLUDE ../inside.inc\n");
  folder.link("zones/link.inc", "../outside.inc");
  folder.link("zones/absolute.inc", folder / "outside.inc");
  folder.link("zones/up", "..");
  folder.link("zones/inner.inc", "inside.inc");
  struct Case {
    std::string name;
    bool allowed = false;
  };
  const std::vector<Case> cases = {
      {"inside.inc", true},
      {"./inside.inc", true},
      {"inner.inc", true},
      {"../outside.inc"},
      {"sub/../../outside.inc"},
      {(folder / "outside.inc").string()},
      {(folder / "zones/inside.inc").string()},
      {"link.inc"},
      {"absolute.inc"},
      {"up/outside.inc"},
      {"sub/../inside.inc"},
      {"sub/up.inc"},
      {"missing.inc"},
      {"sub"},
      {"."},
      {"\"\""},
  };
  for (const Case& one : cases) {
    folder.write("zones/a.zone", soa(1) + "$INCLUDE " + one.name + "\n");
    const auto loaded = load({folder / "zones"});
    CAPTURE(one.name);
    CAPTURE(errors_of(loaded, folder));
    CHECK(loaded.errors.empty() == one.allowed);
    CHECK(loaded.zones->zones().size() == (one.allowed ? 1 : 0));
  }
}

TEST_CASE("a folder laid out as a ConfigMap volume is read, and read anew after its switch") {
  TemporaryFolder folder;
  for (const int version : {1, 2}) {
    const std::string state = "..2024_0" + std::to_string(version);
    folder.write(state + "/example.org.zone", soa(version) + "$INCLUDE hosts.inc\n");
    folder.write(state + "/hosts.inc", "www 60 A 192.0.2." + std::to_string(version) + "\n");
  }
  folder.link("..data", "..2024_01");
  folder.link("example.org.zone", "..data/example.org.zone");
  folder.link("hosts.inc", "..data/hosts.inc");

  const auto first = load({folder.path()});
  CHECK(errors_of(first, folder) == Lines{});
  CHECK(zones_of(first) == "example.org. 1");

  folder.link("..data_tmp", "..2024_02");
  fs::rename(folder / "..data_tmp", folder / "..data");
  const auto second = load({folder.path()}, first.zones.get());
  CHECK(errors_of(second, folder) == Lines{});
  test::ZoneUnderTest zone(second.zones->zones().front());
  zone.expect({.asks = "www.example.org. A", .answer = {"www.example.org. 60 A 192.0.2.2"}});
}

TEST_CASE("built-in zones make room for names that other servers are asked for") {
  TemporaryFolder folder;
  folder.write("corp.test.zone", soa(77));
  const auto name = [](const char* text) { return *dns::Name::from_text(text); };
  const std::vector<dns::Name> elsewhere = {name("LOCALHOST"), name("1.10.in-addr.arpa"),
                                            name("ip6.arpa"), name("corp.test"), name("b.test")};
  const auto loaded = zones::load_zones({folder.path()}, true, nullptr, elsewhere);
  CHECK(errors_of(loaded, folder) ==
        Lines{"DIR/corp.test.zone: the zone corp.test. is served from here, and the upstreams that "
              "stubDomains has for it are not asked, expected one of both"});
  // "elsewhere", "here", or "here, gives way".
  const auto owner = [&](const zones::ZoneSet& zones, const char* text) -> std::string {
    dns::NameKey key;
    key.assign(name(text).wire());
    const zones::Owner* found = zones.closest(key);
    REQUIRE(found != nullptr);
    return found->zone == nullptr ? "elsewhere" : found->gives_way ? "here, gives way" : "here";
  };
  for (const auto& [text, expected] :
       std::vector<std::pair<const char*, const char*>>{{"a.localhost", "elsewhere"},
                                                        {"9.1.10.in-addr.arpa", "elsewhere"},
                                                        {"9.2.10.in-addr.arpa", "here, gives way"},
                                                        {"1.0.0.127.in-addr.arpa", "here"},
                                                        {"d.f.ip6.arpa", "elsewhere"},
                                                        {"www.corp.test", "here"},
                                                        {"www.b.test", "elsewhere"},
                                                        {"www.test", "here, gives way"}}) {
    CAPTURE(text);
    CHECK(owner(*loaded.zones, text) == expected);
  }
  CHECK(loaded.zones->find(name("localhost")) == nullptr);

  const auto again = zones::load_zones({folder.path()}, true, loaded.zones.get());
  CHECK(errors_of(again, folder) == Lines{});
  CHECK(owner(*again.zones, "a.localhost") == "here");
  CHECK(owner(*again.zones, "d.f.ip6.arpa") == "here, gives way");
}

TEST_CASE("an operator's zone takes the place of a built-in one") {
  TemporaryFolder folder;
  folder.write("10.in-addr.arpa.zone", soa(77) + "1.0.0 60 PTR gw.example.\n");
  const auto loaded = zones::load_zones({folder.path()}, true, nullptr);
  CHECK(errors_of(loaded, folder) == Lines{});
  const auto ten = loaded.zones->find(*dns::Name::from_text("10.in-addr.arpa"));
  REQUIRE(ten != nullptr);
  CHECK(ten->serial() == 77);
  CHECK(loaded.zones->find(*dns::Name::from_text("localhost")) != nullptr);

  fs::remove(folder / "10.in-addr.arpa.zone");
  const auto again = zones::load_zones({folder.path()}, true, loaded.zones.get());
  CHECK(again.zones->find(*dns::Name::from_text("10.in-addr.arpa"))->serial() == 1);
  CHECK(again.zones->zones().size() == loaded.zones->zones().size());
  // What cannot have changed is not read again.
  const dns::Name localhost = *dns::Name::from_text("localhost");
  CHECK(again.zones->find(localhost) == loaded.zones->find(localhost));
}
