#include "records/publisher.h"

#include "base/file.h"
#include "dns/ldns_bridge.h"
#include "support/cluster.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace waypost::test {
namespace {

using dns::RecordType;

std::vector<std::string> transfer_of(const records::Publisher& publisher) {
  std::vector<std::string> records;
  publisher.for_each_record([&](const dns::Record& record) {
    if (record.type != RecordType::SOA) {
      records.push_back(dns::to_text(record));
    }
  });
  std::sort(records.begin(), records.end());
  return records;
}

// Answers to PTR questions about every address that a test's world can have.
std::vector<std::string> reverse_of(TestCluster& cluster) {
  std::vector<std::string> lines;
  for (int net = 0; net < 3; ++net) {
    for (int host = 0; host < 12; ++host) {
      const std::string name =
          std::to_string(host) + "." + std::to_string(net) + ".244.10.in-addr.arpa.";
      const auto got =
          response_text(cluster.ask(make_query({.name = name, .type = RecordType::PTR})));
      lines.push_back(name + " " + got.rcode);
      const auto packet = cluster.ask(make_query({.name = name, .type = RecordType::PTR}));
      // PTR records come in a fixed order: compare it, not just the set.
      for (const dns::Record& record : dns::parse_message(packet)->answer) {
        lines.push_back(dns::to_text(record));
      }
    }
    const std::string branch = std::to_string(net) + ".244.10.in-addr.arpa.";
    lines.push_back(
        branch + " " +
        response_text(cluster.ask(make_query({.name = branch, .type = RecordType::A}))).rcode);
  }
  return lines;
}

// A small world that changes at random: Services of every kind, slices that come, go, move and
// overlap, namespaces that appear late and vanish.
class RandomWorld {
 public:
  explicit RandomWorld(unsigned seed) : random_(seed) {}

  // One change, to `cache`.
  void step(cache::ServiceCache& cache) {
    const std::string name_space = "ns" + std::to_string(pick(3));
    const kube::ObjectKey service{name_space, "svc" + std::to_string(pick(4))};
    const kube::ObjectKey slice{name_space, "slice" + std::to_string(pick(6))};
    const kube::ObjectKey pod{name_space, "pod" + std::to_string(pick(5))};
    switch (pick(12)) {
      case 0:
        cache.erase_service(service);
        break;
      case 1:
        cache.erase_slice(slice);
        break;
      case 2:
        cache.erase_namespace(name_space);
        break;
      case 3:
        cache.put(kube::Namespace{name_space, 0, {}});
        break;
      case 4:
        cache.erase_pod(pod);
        break;
      case 5:
        cache.put(random_pod(pod));
        break;
      case 6:
      case 7:
      case 8:
        cache.put(random_service(service));
        break;
      default:
        cache.put(random_slice(slice));
    }
  }

 private:
  unsigned pick(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
  IpAddress address() {
    return IpAddress::v4(10, 244, static_cast<std::uint8_t>(pick(3)),
                         static_cast<std::uint8_t>(pick(12)));
  }
  kube::Service random_service(const kube::ObjectKey& key) {
    kube::Service service;
    service.key = key;
    const unsigned kind = pick(5);
    service.headless = kind == 0 || kind == 1;
    if (kind == 2) {
      service.type = kube::ServiceType::ExternalName;
      service.external_name = pick(2) == 0 ? "svc0.ns0.svc.cluster.local" : "192.0.2.1";
    } else if (!service.headless) {
      service.cluster_ips = {address()};
    }
    for (unsigned port = 0; port < pick(3); ++port) {
      service.ports.push_back({.name = "p" + std::to_string(port),
                               .protocol = pick(2) == 0 ? kube::Protocol::Tcp : kube::Protocol::Udp,
                               .port = static_cast<std::uint16_t>(80 + pick(2))});
    }
    return service;
  }
  kube::EndpointSlice random_slice(const kube::ObjectKey& key) {
    kube::EndpointSlice slice;
    slice.key = key;
    slice.service_name = "svc" + std::to_string(pick(4));
    for (unsigned port = 0; port < pick(3); ++port) {
      slice.ports.push_back({"p" + std::to_string(port), kube::Protocol::Tcp,
                             static_cast<std::uint16_t>(8080 + pick(2))});
    }
    for (unsigned i = 0; i < pick(6); ++i) {
      kube::Endpoint endpoint;
      endpoint.address = address();
      endpoint.ready = pick(4) != 0;
      slice.add(endpoint, pick(2) == 0 ? "host" + std::to_string(pick(3)) : "", "");
    }
    return slice;
  }
  kube::Pod random_pod(const kube::ObjectKey& key) {
    kube::Pod pod;
    pod.key = key;
    pod.phase = pick(4) == 0 ? kube::PodPhase::Failed : kube::PodPhase::Running;
    pod.ips = {address()};
    return pod;
  }

  std::minstd_rand random_;
};

// Takes out whatever a RandomWorld may have put in.
void empty(cache::ServiceCache& cache) {
  for (int i = 0; i < 12; ++i) {
    for (int net = 0; net < 3; ++net) {
      const std::string name_space = "ns" + std::to_string(net);
      cache.erase_service({name_space, "svc" + std::to_string(i)});
      cache.erase_slice({name_space, "slice" + std::to_string(i)});
      cache.erase_pod({name_space, "pod" + std::to_string(i)});
      cache.erase_namespace(name_space);
    }
  }
}

records::Options verified_options() {
  records::Options options = default_options();
  options.pods = records::PodsMode::Verified;
  return options;
}

}  // namespace

TEST_CASE("an index that followed every change equals one made from the world at the end") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    TestCluster followed(verified_options());
    RandomWorld world(seed);
    rcu::RetireList retired;
    std::optional<records::Publisher> late;  // Made from a filled world, follows it from then on.
    for (int step = 0; step < 120; ++step) {
      world.step(followed.cache);
      if (step == 50) {
        late.emplace(verified_options(), followed.cache, retired);
      }
      if (step % 30 != 29) {
        continue;
      }
      if (late) {
        REQUIRE(transfer_of(followed.publisher()) == transfer_of(*late));
        REQUIRE(followed.publisher().index().name_count() == late->index().name_count());
      }
      TestCluster fresh(verified_options());
      followed.cache.for_each_namespace([&](const auto& one) { fresh.cache.put(one); });
      followed.cache.for_each_pod([&](const auto& pod) { fresh.cache.put(pod); });
      followed.cache.for_each_service([&](const auto&, const cache::ServiceState& state) {
        if (state.service != nullptr) {
          fresh.cache.put(*state.service);
        }
        for (const auto& slice : state.slices) {
          fresh.cache.put(*slice);
        }
      });
      REQUIRE(transfer_of(followed.publisher()) == transfer_of(fresh.publisher()));
      REQUIRE(reverse_of(followed) == reverse_of(fresh));
      REQUIRE(followed.publisher().index().name_count() == fresh.publisher().index().name_count());
    }
  }
}

TEST_CASE("an index made from a world counts each endpoint once") {
  TestCluster cluster;
  cluster.cache.put(kube::Namespace{"shop", 0, {}});
  kube::Service service;
  service.key = {"shop", "db"};
  service.headless = true;
  cluster.cache.put(service);
  const auto slice = [](std::uint8_t last) {
    kube::EndpointSlice object;
    object.key = {"shop", "db-1"};
    object.service_name = "db";
    object.ports = {{"sql", kube::Protocol::Tcp, 5432}};
    for (std::uint8_t host = 1; host <= last; ++host) {
      object.add({.address = IpAddress::v4(10, 244, 0, host)}, "", "");
    }
    return object;
  };
  cluster.cache.put(slice(4));
  rcu::RetireList retired;
  records::Publisher late(default_options(), cluster.cache, retired);
  CHECK(transfer_of(late) == transfer_of(cluster.publisher()));
  const auto with_weight = [&](const std::string& weight) {
    const auto records = transfer_of(late);
    return std::count_if(records.begin(), records.end(), [&](const std::string& text) {
      return text.starts_with("_sql._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 " + weight + " ");
    });
  };
  CHECK(with_weight("25") == 4);
  // Endpoints that go are gone, however often they were told of.
  cluster.cache.put(slice(1));
  CHECK(transfer_of(late) == transfer_of(cluster.publisher()));
  CHECK(with_weight("100") == 1);
}

TEST_CASE("a world that is emptied leaves nothing but the zone itself") {
  TestCluster cluster(verified_options());
  const std::size_t names = cluster.publisher().index().name_count();
  RandomWorld world(7);
  for (int step = 0; step < 300; ++step) {
    world.step(cluster.cache);
  }
  CHECK(cluster.publisher().index().name_count() > names);
  empty(cluster.cache);
  CHECK(cluster.publisher().index().name_count() == names);
}

TEST_CASE("an index that is made over a full world equals one that followed it, and follows it") {
  TestCluster cluster(verified_options());
  const std::size_t names = cluster.publisher().index().name_count();
  RandomWorld world(11);
  for (int step = 0; step < 300; ++step) {
    world.step(cluster.cache);
  }
  rcu::RetireList retired;
  records::Publisher late(verified_options(), cluster.cache, retired);
  CHECK(transfer_of(late) == transfer_of(cluster.publisher()));
  for (int step = 0; step < 300; ++step) {
    world.step(cluster.cache);
  }
  CHECK(transfer_of(late) == transfer_of(cluster.publisher()));
  empty(cluster.cache);
  CHECK(late.index().name_count() == names);
}

TEST_CASE("a zone transfer says of every name what a query says") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  TestCluster cluster(verified_options());
  load_world(cluster.cache, *world);

  std::map<std::pair<std::string, RecordType>, std::vector<std::string>> sets;
  cluster.publisher().for_each_record([&](const dns::Record& record) {
    sets[{record.owner.to_text(), record.type}].push_back(dns::to_text(record));
  });
  CHECK(sets.size() > 40);
  for (auto& [key, records] : sets) {
    const auto got = response_text(
        cluster.ask(make_query({.name = key.first, .type = key.second}), server::Transport::Tcp));
    // A CNAME is asked for as such: its target's records are not of this owner.
    std::sort(records.begin(), records.end());
    CHECK(got.answer == records);
  }
}

TEST_CASE("the serial follows the newest resourceVersion and never goes back") {
  TestCluster cluster;
  const auto serial = [&] { return cluster.publisher().index().serial(); };
  cluster.cache.put(kube::Namespace{"shop", 100, {}});
  CHECK(serial() == 100);
  cluster.cache.put(kube::Namespace{"other", 90, {}});
  CHECK(serial() == 100);
  cluster.cache.advance_resource_version(101);
  CHECK(serial() == 101);
  cluster.cache.advance_resource_version((std::uint64_t{1} << 32) + 5);
  CHECK(serial() == 5);  // 5 is after 101 - 2^32 (RFC 1982).
}

TEST_CASE("a name that would be too long is left out, counted, and harms nobody") {
  TestCluster cluster([] {
    records::Options options = default_options();
    const std::string label(60, 'x');
    options.zone = *dns::Name::from_text(label + "." + label + "." + label);
    return options;
  }());
  cluster.cache.put(kube::Namespace{"shop", 1, {}});
  const auto put = [&](const std::string& name) {
    kube::Service service;
    service.key = {"shop", name};
    service.cluster_ips = {IpAddress::v4(10, 0, 0, 1)};
    service.ports = {{.name = "http", .port = 80}};
    cluster.cache.put(service);
  };
  put(std::string(63, 'y'));
  put("ok");
  CHECK(cluster.publisher().oversized_names() == 1);
  const std::string zone = cluster.publisher().index().options().zone.to_text();
  const auto got = response_text(cluster.ask(make_query({.name = "ok.shop.svc." + zone})));
  CHECK(got.answer.size() == 1);
  cluster.cache.erase_service({"shop", std::string(63, 'y')});
  cluster.cache.erase_service({"shop", "ok"});
}

TEST_CASE("every address of a large Service leads back, whatever comes and goes and grows") {
  // Slots of one Service's addresses look alike; with so many, some fall together.
  TestCluster cluster;
  cluster.cache.put(kube::Namespace{"shop", 1, {}});
  kube::Service service;
  service.key = {"shop", "large"};
  service.cluster_ips = {IpAddress::v4(10, 96, 0, 1), *IpAddress::from_text("fd00::1")};
  cluster.cache.put(service);
  const auto address_of = [](unsigned i, unsigned move) {
    return IpAddress::v4(static_cast<std::uint8_t>(100 + move), static_cast<std::uint8_t>(i >> 16),
                         static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i));
  };
  const auto slice_of = [&](unsigned number, unsigned move) {
    kube::EndpointSlice slice;
    slice.key = {"shop", "large-" + std::to_string(number)};
    slice.service_name = "large";
    for (unsigned i = number * 100; i < number * 100 + 100; ++i) {
      slice.add({.address = address_of(i, i % 2 == 0 ? move : 0)}, "", "");
    }
    return slice;
  };
  constexpr unsigned Slices = 300;
  for (unsigned move = 0; move < 4; ++move) {
    for (unsigned number = 0; number < Slices; ++number) {
      cluster.cache.put(slice_of(number, move));
    }
  }
  std::size_t wrong = 0;
  for (unsigned i = 0; i < Slices * 100; ++i) {
    for (const unsigned move : {0U, 1U, 3U}) {
      const IpAddress address = address_of(i, move);
      const Bytes octets = address.octets();
      std::string name;
      for (std::size_t at = 4; at-- > 0;) {
        name += std::to_string(octets[at]) + ".";
      }
      const auto packet =
          cluster.ask(make_query({.name = name + "in-addr.arpa.", .type = RecordType::PTR}));
      const bool is_there = move == (i % 2 == 0 ? 3U : 0U);
      wrong += dns::parse_message(packet)->answer.size() == (is_there ? 1U : 0U) ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
  for (unsigned number = 0; number < Slices; ++number) {
    cluster.cache.erase_slice({"shop", "large-" + std::to_string(number)});
  }
  const std::size_t names = cluster.publisher().index().name_count();
  cluster.cache.erase_service({"shop", "large"});
  // The Service, two cluster IPs, and the branches above them.
  CHECK(cluster.publisher().index().name_count() == names - 1 - 2 - 3 - 31);
}

TEST_CASE("readers see whole answers while the world changes under them") {
  TestCluster cluster;
  cluster.cache.put(kube::Namespace{"shop", 1, {}});
  kube::Service service;
  service.key = {"shop", "db"};
  service.headless = true;
  cluster.cache.put(service);
  // Versions of one slice: in each, all addresses share the third octet.
  const auto slice_of = [](std::uint8_t version) {
    kube::EndpointSlice slice;
    slice.key = {"shop", "db-a"};
    slice.service_name = "db";
    slice.ports = {{"mysql", kube::Protocol::Tcp, 3306}};
    for (std::uint8_t host = 1; host <= 8; ++host) {
      slice.add({.address = IpAddress::v4(10, 244, version, host)}, "db-" + std::to_string(host),
                "");
    }
    return slice;
  };
  cluster.cache.put(slice_of(0));

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> answers{0};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    readers.emplace_back([&, seed] {
      const rcu::ReaderThread registered;
      server::Counters counters;
      server::Responder responder(cluster.views(), counters, seed);
      std::vector<std::uint8_t> out(1232);
      const auto address_query = make_query({.name = "db.shop.svc.cluster.local.", .edns = true});
      const auto srv_query = make_query({.name = "_mysql._tcp.db.shop.svc.cluster.local.",
                                         .type = RecordType::SRV,
                                         .edns = true});
      while (!stop.load(std::memory_order_relaxed)) {
        for (const auto* query : {&address_query, &srv_query}) {
          std::size_t size = 0;
          {
            const rcu::ReadSection section;
            size = responder.respond(*query, {.address = IpAddress::v4(127, 0, 0, 1)}, out).size;
          }
          const auto message = dns::parse_message(Bytes(out).first(size));
          const bool is_whole = message && message->answer.size() == 8;
          std::set<std::uint8_t> versions;
          if (message && query == &address_query) {
            for (const dns::Record& record : message->answer) {
              versions.insert(record.rdata.at(2));
            }
          }
          wrong += !is_whole || versions.size() > 1 ? 1 : 0;
          ++answers;
        }
      }
    });
  }
  for (int change = 1; change < 400 || answers.load() < 500; ++change) {
    cluster.cache.put(slice_of(static_cast<std::uint8_t>(change % 200)));
  }
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  CHECK(wrong.load() == 0);
}

}  // namespace waypost::test
