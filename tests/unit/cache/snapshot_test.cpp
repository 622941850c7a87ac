#include "cache/snapshot.h"

#include "cache/snapshot_fields.h"
#include "support/snapshot_bytes.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

namespace waypost::cache {
namespace {

using test::load;
using test::save;

// No field has its default.
kube::Service full_service() {
  return {
      .key = {"shop", "web"},
      .resource_version = 300,
      .type = kube::ServiceType::LoadBalancer,
      .headless = true,
      .cluster_ips = {IpAddress::v4(10, 96, 0, 7), *IpAddress::from_text("fd00::7")},
      .external_name = "db.example.org",
      .ports = {{"http", kube::Protocol::Udp, 80, std::string("web")},
                {"https", kube::Protocol::Sctp, 65535, std::uint16_t{8443}}},
      .labels = {{"app", "web"}, {"example.org/tier", ""}},
      .selector = {{"app", "web"}},
      .publish_not_ready_addresses = true,
      .ip_families = {kube::IpFamily::V6, kube::IpFamily::V4},
      .ip_family_policy = kube::IpFamilyPolicy::RequireDualStack,
      .traffic = kube::SharedPart(kube::ServiceTraffic{
          .node_ports = {30080, 0},
          .external_ips = {IpAddress::v4(192, 0, 2, 1)},
          .load_balancer_ips = {*IpAddress::from_text("2001:db8::7")},
          .source_ranges = {*IpPrefix::from_text("203.0.113.0/25"), *IpPrefix::from_text("::/0")},
          .external_policy = kube::TrafficPolicy::Local,
          .internal_policy = kube::TrafficPolicy::Local,
          .affinity_seconds = 10800,
          .health_check_node_port = 31000,
          .has_other_proxy = true})};
}

kube::EndpointSlice full_slice() {
  kube::EndpointSlice slice;
  slice.key = {"shop", "web-x7k2p"};
  slice.resource_version = 0xffffffffffffffff;
  slice.service_name = "web";
  slice.ports = {{"http", kube::Protocol::Udp, 8080}, {"", kube::Protocol::Tcp, 1}};
  slice.add({.address = IpAddress::v4(10, 244, 1, 5),
             .ready = false,
             .serving = true,
             .terminating = true},
            "web-0", "web-6d4cf56db6-abcde.x");
  slice.add({.address = *IpAddress::from_text("2001:db8::1"), .serving = false}, "", "");
  kube::SliceTraffic traffic{.trigger_time_ms = 1767225600123};
  traffic.placements.add("node-1", "zone-a,zone-b", "node-1,node-2");
  traffic.placements.add("", "", "", true);
  slice.traffic = kube::SharedPart(std::move(traffic));
  return slice;
}

kube::Namespace full_namespace() {
  return {"shop", 41, {{"kubernetes.io/metadata.name", "shop"}, {"tier", "prod"}}};
}

kube::Pod full_pod() {
  return {.key = {"shop", "web-0"},
          .resource_version = 128,
          .labels = {{"app", "web"}},
          .ips = {IpAddress::v4(10, 244, 1, 5), *IpAddress::from_text("2001:db8::1")},
          .phase = kube::PodPhase::Failed,
          .ready = true,
          .terminating = true,
          .hostname = "web-0",
          .subdomain = "web",
          .node_name = "node-1",
          .ports = {{"metrics", kube::Protocol::Sctp, 9090}},
          .search = kube::PodSearch{.policy = kube::DnsPolicy::None,
                                    .host_network = true,
                                    .searches = {"a.example", "b.example"},
                                    .ndots = "2"}};
}

kube::Node full_node() {
  return {.name = "node-1.example",
          .resource_version = 9,
          .labels = {{"topology.kubernetes.io/zone", "a"}},
          .addresses = {{kube::NodeAddressType::ExternalIp, IpAddress::v4(192, 0, 2, 9)},
                        {kube::NodeAddressType::InternalIp, *IpAddress::from_text("fd00::9")}},
          .pod_cidrs = {*IpPrefix::from_text("10.244.1.0/24")},
          .taint_keys = {"example.org/dedicated"},
          .is_deleting = true};
}

void put_full_world(ServiceCache& cache) {
  cache.put(full_namespace());
  cache.put(full_service());
  cache.put(full_slice());
  cache.put(full_pod());
  cache.put(full_node());
}

void put_service(ServiceCache& cache, const std::string& name, int slices = 0, int endpoints = 0) {
  cache.put(kube::Service{.key = {"shop", name}, .ports = {{.name = "http", .port = 80}}});
  for (int i = 0; i < slices; ++i) {
    kube::EndpointSlice slice;
    slice.key = {"shop", name + "-" + std::to_string(1000 + i)};
    slice.service_name = name;
    for (int host = 0; host < endpoints; ++host) {
      slice.add({.address = IpAddress::v4(10, 0, static_cast<std::uint8_t>(i),
                                          static_cast<std::uint8_t>(host))},
                "", name + "-pod-" + std::to_string(host));
    }
    cache.put(std::move(slice));
  }
}

// "web: 3 slices" for each Service, to compare caches as a whole.
std::map<std::string, std::string> shape(const ServiceCache& cache) {
  std::map<std::string, std::string> shape;
  cache.for_each_service([&](const kube::ObjectKey& key, const ServiceState& state) {
    std::string text = state.service != nullptr ? "service" : "none";
    for (const SlicePointer& slice : state.slices) {
      text += " " + slice->key.name + ":" + std::to_string(slice->endpoints.size());
    }
    shape[key.to_text()] = text;
  });
  return shape;
}

std::string hex(std::string_view octets) {
  std::string text;
  for (const std::uint8_t octet : as_bytes(octets)) {
    text += "0123456789abcdef"[octet >> 4U];
    text += "0123456789abcdef"[octet & 0xfU];
  }
  return text;
}

std::string message(const Result<LoadedSnapshot>& loaded) {
  return loaded ? "loaded" : loaded.error().message;
}

}  // namespace

TEST_CASE("what is saved is what is loaded, every field of every kind") {
  ServiceCache saved;
  put_full_world(saved);
  ServiceCache cache;
  const auto loaded = load(save(saved), cache);
  REQUIRE_MESSAGE(loaded, message(loaded));
  const auto web = cache.find({"shop", "web"});
  REQUIRE(web);
  CHECK(*web->service == full_service());
  REQUIRE(web->slices.size() == 1);
  CHECK(*web->slices[0] == full_slice());
  REQUIRE(cache.find_namespace("shop") != nullptr);
  CHECK(*cache.find_namespace("shop") == full_namespace());
  REQUIRE(cache.find_pod({"shop", "web-0"}));
  CHECK(*cache.find_pod({"shop", "web-0"}) == full_pod());

  REQUIRE(cache.find_node("node-1.example") != nullptr);
  CHECK(*cache.find_node("node-1.example") == full_node());

  CHECK(loaded->origin == test::origin());
  CHECK(loaded->counts.services == 1);
  CHECK(loaded->counts.slices == 1);
  CHECK(loaded->counts.endpoints == 2);
  CHECK(loaded->counts.namespaces == 1);
  CHECK(loaded->counts.pods == 1);
  CHECK(loaded->counts.nodes == 1);
  CHECK_FALSE(cache.is_synced());  // The source decides that.
}

TEST_CASE("objects with nothing but a name come back as they were") {
  ServiceCache saved;
  saved.put(kube::Namespace{"a", 0, {}});
  saved.put(kube::Service{.key = {"a", "b"}});
  saved.put(kube::EndpointSlice{.key = {"a", "c"}, .service_name = "unknown"});
  saved.put(kube::Pod{.key = {"a", "d"}});
  ServiceCache cache;
  REQUIRE(load(save(saved), cache));
  CHECK(shape(cache) == shape(saved));
  CHECK(*cache.find({"a", "b"})->service == kube::Service{.key = {"a", "b"}});
  CHECK(*cache.find_pod({"a", "d"}) == kube::Pod{.key = {"a", "d"}});
}

TEST_CASE("the newest resourceVersion is what the source had seen when writing began") {
  ServiceCache saved;
  put_service(saved, "web");
  ServiceCache cache;
  REQUIRE(load(save(saved), cache));
  CHECK(cache.newest_resource_version() == 4711);
}

TEST_CASE("a file is, octet by octet, what docs/snapshot-format.md says") {
  ServiceCache cache;
  cache.put(full_namespace());
  cache.put(kube::Service{.key = {"a", "b"},
                          .resource_version = 300,
                          .cluster_ips = {IpAddress::v4(10, 96, 0, 7)},
                          .ports = {{"p", kube::Protocol::Udp, 53, std::uint16_t{5353}}}});
  SnapshotWriter writer(cache, {"id", 1, 2});
  std::string body;
  while (writer.step(body)) {
  }
  const std::string expected =
      // Origin: "id", created 1, version 2, nothing lacking.
      "0106"
      "026964010200"
      // Namespace shop, version 41, two labels.
      "0232"
      "0473686f702902"
      "1b6b756265726e657465732e696f2f6d657461646174612e6e616d650473686f70"
      "04746965720470726f64"
      // Service a/b, version 300, ClusterIP, no flags, one address, no external name, one port
      // (p, UDP, 53, no target name, 5353), no labels, selector or families, SingleStack, no
      // traffic.
      "031d"
      "01610162ac020000"
      "01040a60000700"
      "01070170013500e929"
      "0000000000";
  CHECK(hex(body) == expected);
  const std::string prelude = hex(as_text(writer.prelude()));
  CHECK(prelude.substr(0, 48) == "895750530d0a1a0a0000000100000000000000000000007b");
  CHECK(prelude.substr(48) == "23543228e805e560");
  CHECK(writer.size() == SnapshotPreludeSize + body.size());
}

TEST_CASE("a file that is cut off anywhere is refused, and the cache stays as it was") {
  ServiceCache saved;
  put_full_world(saved);
  const std::string file = save(saved);
  ServiceCache cache;
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    const auto loaded = load(std::string_view(file).substr(0, size), cache);
    REQUIRE_FALSE(loaded);
    const std::string expected =
        size < SnapshotPreludeSize
            ? "not a snapshot: it has only " + std::to_string(size) + " octets"
            : "damaged: it has " + std::to_string(size) + " octets, expected " +
                  std::to_string(file.size());
    CHECK(loaded.error().message == expected);
  }
  CHECK(message(load(file + "x", cache)) == "damaged: it has " + std::to_string(file.size() + 1) +
                                                " octets, expected " + std::to_string(file.size()));
  CHECK(shape(cache).empty());
  CHECK(cache.newest_resource_version() == 0);
}

TEST_CASE("a file with any bit flipped is refused, and the cache stays as it was") {
  ServiceCache saved;
  put_full_world(saved);
  std::string file = save(saved);
  ServiceCache cache;
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    CAPTURE(bit);
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    const auto loaded = load(file, cache);
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE_FALSE(loaded);
    const std::string& found = loaded.error().message;
    const char* expected = bit / 8 < 8    ? "not a snapshot: it begins with other octets"
                           : bit / 8 < 12 ? "a snapshot of version "
                           : bit / 8 < 16 ? "damaged: its checksum does not match"
                           : bit / 8 < 24 ? "damaged: it has "
                                          : "damaged: its checksum does not match";
    CHECK_MESSAGE(found.starts_with(expected), found);
  }
  CHECK(shape(cache).empty());
  REQUIRE(load(file, cache));
}

TEST_CASE("a file of another cluster is refused by name") {
  ServiceCache saved;
  put_service(saved, "web");
  ServiceCache cache;
  const auto loaded = load(save(saved), cache, "https://other cluster.local");
  CHECK(message(loaded) ==
        "of another cluster: 'https://api.example.org:6443 cluster.local', expected "
        "'https://other cluster.local'");
  CHECK(loaded.error().kind == ErrorKind::InvalidInput);
  CHECK(shape(cache).empty());
}

TEST_CASE("a file without fields that are needed now is refused") {
  const auto world = [](const Kept& kept) {
    ServiceCache cache(kept);
    cache.put(kube::Service{.key = {"shop", "web"}});
    return save(cache);
  };
  for (const Kept& less :
       {Kept{.labels = false}, Kept{.selectors = false}, Kept{.pod_names = false}}) {
    ServiceCache same(less);
    CHECK(load(world(less), same));
    CHECK(load(world({}), same));
    ServiceCache all;
    CHECK(message(load(world(less), all)) ==
          "saved without labels, selectors or Pod names, which are needed now");
  }
}

TEST_CASE("a newer major version is refused by number") {
  ServiceCache cache;
  std::string file = test::file_of("");
  file[11] = 2;
  const auto loaded = load(file, cache);
  CHECK(message(loaded) == "a snapshot of version 2, expected version 1");
  CHECK(loaded.error().kind == ErrorKind::Unsupported);
}

TEST_CASE("what a newer minor version adds is skipped") {
  // An origin and a Namespace with more fields, a kind of objects that is not known.
  const std::string identity(test::Identity);
  const auto length = static_cast<char>(identity.size());
  const std::string body = std::string("\x01") + static_cast<char>(identity.size() + 7) + length +
                           identity + std::string("\x01\x02\0", 3) + "new" +  //
                           "\x63\x03" + "xyz" +                               //
                           std::string(
                               "\x02\x06\x01"
                               "a\0\0zz",
                               8);
  ServiceCache cache;
  const auto loaded = load(test::file_of(body), cache);
  REQUIRE_MESSAGE(loaded, message(loaded));
  CHECK(loaded->counts.namespaces == 1);
  CHECK(cache.find_namespace("a") != nullptr);
  CHECK(cache.newest_resource_version() == 2);
}

TEST_CASE("fields that an older minor version did not have are empty") {
  std::string body;
  GroupWriter to(body);
  to.octet(1);
  to.group([&] { to.text(test::Identity); });
  to.octet(5);
  to.group([&] {
    to.text("shop");
    to.text("web-0");
  });
  ServiceCache cache;
  const auto loaded = load(test::file_of(body), cache);
  REQUIRE_MESSAGE(loaded, message(loaded));
  CHECK(*cache.find_pod({"shop", "web-0"}) == kube::Pod{.key = {"shop", "web-0"}});
}

TEST_CASE("octets that are whole and yet no snapshot are refused with their place") {
  std::string origin;
  GroupWriter to_origin(origin);
  to_origin.octet(1);
  to_origin.group([&] { to_origin.text(test::Identity); });
  const std::size_t first = SnapshotPreludeSize + origin.size();
  const std::string place = "the record at octet " + std::to_string(first);

  using Write = void (*)(GroupWriter&);
  struct Case {
    std::uint8_t kind;
    Write write;
    std::string expected;
  };
  const auto key = [](GroupWriter& to) {
    to.text("shop");
    to.text("web");
    to.number(1);
  };
  static const auto write_key = key;
  const std::vector<Case> cases = {
      {2, [](GroupWriter&) {}, ", Namespace '': the name is not a DNS label"},
      {2, [](GroupWriter& to) { to.text("Shop"); },
       ", Namespace 'Shop': the name is not a DNS label"},
      {2,
       [](GroupWriter& to) {
         to.text("shop");
         to.octet(0x80);
       },
       ", Namespace 'shop': a number is cut off"},
      {2,
       [](GroupWriter& to) {
         to.text("shop");
         for (int i = 0; i < 9; ++i) {
           to.octet(0xff);
         }
         to.octet(2);
       },
       ", Namespace 'shop': a number is larger than 64 bits"},
      {2,
       [](GroupWriter& to) {
         to.text("shop");
         to.number(1);
         to.number(5);
       },
       ", Namespace 'shop': a list has more elements than octets are left"},
      {2,
       [](GroupWriter& to) {
         to.text("shop");
         to.number(1);
         to.number(2);
         to.text("app");
         to.text("web");
       },
       ", Namespace 'shop': a list ends before its last element"},
      {2,
       [](GroupWriter& to) {
         to.text("shop");
         to.number(1);
         to.number(2);
         for (const char* label : {"b", "1", "a", "2"}) {
           to.text(label);
         }
       },
       ", Namespace 'shop': labels are not in order"},
      {2,
       [](GroupWriter& to) {
         to.text("shop");
         to.number(1);
         to.number(1);
         to.text("app");
         to.text("-");
       },
       ", Namespace 'shop': a label has no valid value"},
      {3,
       [](GroupWriter& to) {
         write_key(to);
         to.octet(4);
       },
       ", Service 'shop/web': a word is not known"},
      {3,
       [](GroupWriter& to) {
         write_key(to);
         to.octet(0);
         to.octet(0);
         to.number(1);
         to.text("12345");
       },
       ", Service 'shop/web': an address has neither 4 nor 16 octets"},
      {3,
       [](GroupWriter& to) {
         write_key(to);
         to.octet(3);
         to.octet(0);
         to.number(0);
         to.text("not a name");
       },
       ", Service 'shop/web': the external name is neither a DNS name nor an address"},
      {3,
       [](GroupWriter& to) {
         write_key(to);
         to.octet(0);
         to.octet(0);
         to.number(0);
         to.text("");
         to.number(1);
         to.group([&] {
           to.text("http");
           to.octet(0);
           to.number(65536);
         });
       },
       ", Service 'shop/web': a port is larger than 65535"},
      {3,
       [](GroupWriter& to) {
         write_key(to);
         for (int field = 0; field < 9; ++field) {
           to.octet(0);
         }
         to.group([&] {
           to.number(1);
           to.number(30080);
         });
       },
       ", Service 'shop/web': there is not one node port for each port"},
      {4, [](GroupWriter& to) { to.text("shop"); },
       ", EndpointSlice 'shop/': the name is not one that the API admits"},
      {4,
       [](GroupWriter& to) {
         write_key(to);
         to.text("web");
         to.number(0);
         to.number(1);
         to.group([&] {
           to.address(IpAddress::v4(10, 0, 0, 1));
           to.octet(0);
           to.text(std::string(64, 'a'));
         });
       },
       ", EndpointSlice 'shop/web': an endpoint has no valid hostname"},
      {4,
       [](GroupWriter& to) {
         write_key(to);
         to.text("web");
         to.number(0);
         to.number(1);
         to.number(9);
       },
       ", EndpointSlice 'shop/web': a field is longer than what is left"},
      {5,
       [](GroupWriter& to) {
         write_key(to);
         to.number(0);
         to.number(0);
         to.octet(5);
       },
       ", Pod 'shop/web': a word is not known"},
      {6,
       [](GroupWriter& to) {
         to.text("node-1");
         to.number(1);
         to.number(0);
         to.number(0);
         to.number(1);
         to.address(IpAddress::v4(10, 244, 1, 0));
         to.number(33);
       },
       ", Node 'node-1': a prefix is longer than its address"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.expected);
    std::string body = origin;
    GroupWriter to(body);
    to.octet(one.kind);
    to.group([&] { one.write(to); });
    ServiceCache cache;
    CHECK(message(load(test::file_of(body), cache)) == place + one.expected);
  }

  ServiceCache cache;
  CHECK(message(load(test::file_of(""), cache)) ==
        "its first record does not say where it is from");
  // A length that is missing is 0, as any field.
  CHECK(message(load(test::file_of(origin + "\x02"), cache)) ==
        place + ", Namespace '': the name is not a DNS label");
  CHECK(message(load(test::file_of(origin + "\x02\x7f"), cache)) == place + " has no valid length");
  CHECK(message(load(test::file_of(origin + "\x02\xff\xff\xff\xff\xff"), cache)) ==
        place + " has no valid length");
  // A length within the rest of the file only if its own octets are not counted.
  CHECK(message(load(test::file_of(origin + "\x02\x02"
                                            "a"),
                     cache)) == place + " is longer than the file");
}

TEST_CASE("a bad record at the end keeps the good ones before it out of the cache") {
  ServiceCache saved;
  put_full_world(saved);
  const std::string file = save(saved);
  ServiceCache cache;
  const std::string body = file.substr(SnapshotPreludeSize) + std::string("\x02\x01\x00", 3);
  CHECK_FALSE(load(test::file_of(body), cache));
  CHECK(shape(cache).empty());
}

TEST_CASE("records larger than the buffer, and across its end, are read whole") {
  ServiceCache saved;
  for (int i = 0; i < 40; ++i) {
    put_service(saved, "web-" + std::to_string(i), 3, 10 + i * 5);
  }
  kube::EndpointSlice large;
  large.key = {"shop", "large"};
  large.service_name = "large";
  for (int i = 0; i < 4000; ++i) {
    large.add({.address = IpAddress::v4(10, 1, static_cast<std::uint8_t>(i / 256),
                                        static_cast<std::uint8_t>(i % 256))},
              "", "pod-" + std::to_string(i));
  }
  saved.put(std::move(large));
  ServiceCache cache;
  const std::string file = save(saved);
  REQUIRE(file.size() > 200'000);
  const auto loaded = load(file, cache);
  REQUIRE_MESSAGE(loaded, message(loaded));
  CHECK(shape(cache) == shape(saved));
}

TEST_CASE("a step is bounded, also within one Service") {
  ServiceCache cache;
  put_service(cache, "large", 100, 100);  // About 4 KiB in each slice.
  SnapshotWriter writer(cache, test::origin());
  int steps = 0;
  for (bool more = true; more; ++steps) {
    std::string part;
    more = writer.step(part);
    CHECK(part.size() < 40 * 1024);
  }
  CHECK(steps > 8);
}

TEST_CASE("an object above the bound of a record is left out and counted") {
  ServiceCache saved;
  put_service(saved, "web");
  kube::Service huge{.key = {"shop", "huge"}};
  for (int i = 0; i < 20'000; ++i) {
    std::string key = std::to_string(100'000 + i) + std::string(57, 'k');
    huge.labels.emplace_back(std::move(key), std::string(63, 'v'));
  }
  saved.put(std::move(huge));
  SnapshotWriter writer(saved, test::origin());
  std::string body;
  while (writer.step(body)) {
  }
  CHECK(writer.left_out() == 1);
  ServiceCache cache;
  REQUIRE(load(std::string(as_text(writer.prelude())) + body, cache));
  CHECK(shape(cache) == std::map<std::string, std::string>{{"shop/web", "service"}});
}

TEST_CASE("whatever changes between two steps, each Service is written once and whole") {
  // The world takes several steps; the change happens after each of them in turn.
  const auto fill = [](ServiceCache& cache) {
    cache.put(kube::Namespace{"shop", 0, {}});
    for (int i = 0; i < 300; ++i) {
      put_service(cache, "web-" + std::to_string(i), 2, 10);
    }
    put_service(cache, "large", 40, 60);
    cache.put(kube::Pod{.key = {"shop", "web-0"}});
  };
  using Change = void (*)(ServiceCache&);
  const std::vector<std::pair<const char*, Change>> changes = {
      {"Services go",
       [](ServiceCache& cache) {
         for (int i = 0; i < 300; i += 2) {
           cache.erase_service({"shop", "web-" + std::to_string(i)});
         }
       }},
      {"Services go with everything",
       [](ServiceCache& cache) {
         for (int i = 0; i < 300; i += 2) {
           const std::string name = "web-" + std::to_string(i);
           cache.erase_service({"shop", name});
           cache.erase_slice({"shop", name + "-1000"});
           cache.erase_slice({"shop", name + "-1001"});
         }
       }},
      {"Services come, so that the table grows",
       [](ServiceCache& cache) {
         for (int i = 0; i < 3000; ++i) {
           put_service(cache, "new-" + std::to_string(i));
         }
       }},
      {"Services go and come again",
       [](ServiceCache& cache) {
         for (int i = 0; i < 300; ++i) {
           cache.erase_service({"shop", "web-" + std::to_string(i)});
           put_service(cache, "web-" + std::to_string(i), 2, 10);
         }
       }},
      {"the slices of a large Service go",
       [](ServiceCache& cache) {
         for (int i = 0; i < 40; i += 2) {
           cache.erase_slice({"shop", "large-" + std::to_string(1000 + i)});
         }
       }},
      {"the large Service goes with everything",
       [](ServiceCache& cache) {
         cache.erase_service({"shop", "large"});
         for (int i = 0; i < 40; ++i) {
           cache.erase_slice({"shop", "large-" + std::to_string(1000 + i)});
         }
       }},
      {"Pods and Namespaces go",
       [](ServiceCache& cache) {
         cache.erase_pod({"shop", "web-0"});
         cache.erase_namespace("shop");
       }},
  };
  for (const auto& [name, change] : changes) {
    CAPTURE(std::string(name));
    int steps = 1000;
    for (int changed_after = 0; changed_after < steps; ++changed_after) {
      CAPTURE(changed_after);
      ServiceCache saved;
      fill(saved);
      const auto before = shape(saved);
      SnapshotWriter writer(saved, test::origin());
      std::string body;
      steps = 0;
      for (bool more = true; more; ++steps) {
        more = writer.step(body);
        if (steps == changed_after) {
          change(saved);
        }
      }
      const auto after = shape(saved);

      // Each Service's record is there once at most; its group begins with its key.
      std::map<std::string, int> written;
      GroupReader records(as_bytes(body));
      while (records.left() > 0) {
        const std::uint8_t kind = records.octet();
        records.group([&](GroupReader& group) {
          if (kind == snapshot_format::ServiceKind) {
            const std::string name_space(group.text());
            ++written[name_space + "/" + std::string(group.text())];
          }
        });
      }
      CHECK(records.problem() == "");
      for (const auto& [key, times] : written) {
        CHECK_MESSAGE(times == 1, key);
      }

      ServiceCache cache;
      const auto loaded = load(std::string(as_text(writer.prelude())) + body, cache);
      REQUIRE_MESSAGE(loaded, message(loaded));
      // What did not change is there; what did is as before or as after.
      const auto found = shape(cache);
      for (const auto& [key, state] : before) {
        const auto now = after.find(key);
        if (now != after.end() && now->second == state) {
          CHECK_MESSAGE((found.contains(key) && found.at(key) == state), key);
        }
      }
      if (changed_after == 0 || changed_after == steps - 1) {
        CHECK(found == (changed_after == 0 ? after : before));
      }
    }
    CHECK(steps > 4);
  }
}

}  // namespace waypost::cache
