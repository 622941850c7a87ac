#include "search/pod_directory.h"

#include "cache/service_cache.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace waypost::test {
namespace {

using search::Identity;
using search::PodDirectory;

IpAddress address(const char* text) {
  return *IpAddress::from_text(text);
}

kube::Pod pod(std::string name_space, std::string name, const std::vector<const char*>& addresses) {
  kube::Pod pod{.key = {std::move(name_space), std::move(name)},
                .phase = kube::PodPhase::Running,
                .search = kube::PodSearch()};
  for (const char* text : addresses) {
    pod.ips.push_back(address(text));
  }
  return pod;
}

struct Fixture {
  cache::ServiceCache cache;
  rcu::RetireList retired;
  PodDirectory directory{
      cache, {*dns::Name::from_text("cluster.local"), {"host.example"}}, retired};

  // "shop 4": the namespace and how long the list is; or why nothing is known.
  std::string find(const char* text) const {
    const search::Caller caller = directory.find(address(text));
    switch (caller.identity) {
      case Identity::Unknown:
        return "unknown";
      case Identity::HostNetwork:
        return "host";
      case Identity::Shared:
        return "shared";
      case Identity::Pod:
        break;
    }
    const auto first = dns::Name::from_wire((*caller.list)[0].wire);
    const std::string domain = first->to_text();
    return domain.substr(0, domain.find('.')) + " " + std::to_string(caller.list->size());
  }
};

}  // namespace

TEST_CASE("a Pod is known by all of its addresses while it has them") {
  Fixture f;
  CHECK(f.find("10.244.1.5") == "unknown");
  f.cache.put(pod("shop", "web", {"10.244.1.5", "fd00::5"}));
  CHECK(f.find("10.244.1.5") == "shop 4");
  CHECK(f.find("fd00::5") == "shop 4");
  CHECK(f.find("10.244.1.6") == "unknown");
  CHECK(f.directory.address_count() == 2);

  f.cache.put(pod("shop", "web", {"10.244.1.6", "fd00::5"}));
  CHECK(f.find("10.244.1.5") == "unknown");
  CHECK(f.find("10.244.1.6") == "shop 4");
  CHECK(f.find("fd00::5") == "shop 4");
  CHECK(f.directory.address_count() == 2);

  f.cache.erase_pod({"shop", "web"});
  CHECK(f.find("10.244.1.6") == "unknown");
  CHECK(f.directory.address_count() == 0);
  CHECK(f.directory.list_count() == 0);
}

TEST_CASE("Pods that were there before are known as well") {
  cache::ServiceCache cache;
  cache.put(pod("shop", "web", {"10.244.1.5"}));
  rcu::RetireList retired;
  const PodDirectory directory(cache, {*dns::Name::from_text("cluster.local"), {}}, retired);
  CHECK(directory.find(address("10.244.1.5")).identity == Identity::Pod);
}

TEST_CASE("an address of several Pods is nobody's, until one of them is left") {
  Fixture f;
  f.cache.put(pod("shop", "a", {"10.0.0.1"}));
  f.cache.put(pod("other", "b", {"10.0.0.1"}));
  CHECK(f.find("10.0.0.1") == "shared");
  f.cache.put(pod("third", "c", {"10.0.0.1"}));
  f.cache.erase_pod({"shop", "a"});
  CHECK(f.find("10.0.0.1") == "shared");
  f.cache.erase_pod({"other", "b"});
  CHECK(f.find("10.0.0.1") == "third 4");
  // Also when they are of one namespace: which of them has what is a guess.
  f.cache.put(pod("third", "d", {"10.0.0.1"}));
  CHECK(f.find("10.0.0.1") == "shared");
  f.cache.erase_pod({"third", "c"});
  CHECK(f.find("10.0.0.1") == "third 4");
  f.cache.erase_pod({"third", "d"});
  CHECK(f.find("10.0.0.1") == "unknown");
  CHECK(f.directory.address_count() == 0);
  CHECK(f.directory.list_count() == 0);
}

TEST_CASE("Pods that have ended do not count, all others do") {
  Fixture f;
  kube::Pod ended = pod("shop", "job", {"10.0.0.1"});
  for (const kube::PodPhase phase : {kube::PodPhase::Succeeded, kube::PodPhase::Failed}) {
    ended.phase = phase;
    f.cache.put(ended);
    CHECK(f.find("10.0.0.1") == "unknown");
  }
  f.cache.put(pod("other", "next", {"10.0.0.1"}));
  CHECK(f.find("10.0.0.1") == "other 4");
  for (const kube::PodPhase phase :
       {kube::PodPhase::Pending, kube::PodPhase::Running, kube::PodPhase::Unknown}) {
    ended.phase = phase;
    f.cache.put(ended);
    CHECK(f.find("10.0.0.1") == "shared");
  }
  ended.phase = kube::PodPhase::Succeeded;
  f.cache.put(ended);
  CHECK(f.find("10.0.0.1") == "other 4");
}

TEST_CASE("an address in the host's network is nobody's, however many Pods are there") {
  Fixture f;
  kube::Pod host = pod("kube-system", "proxy", {"192.0.2.1"});
  host.search->host_network = true;
  f.cache.put(host);
  CHECK(f.find("192.0.2.1") == "host");
  f.cache.put(pod("shop", "odd", {"192.0.2.1"}));
  CHECK(f.find("192.0.2.1") == "host");
  f.cache.erase_pod({"kube-system", "proxy"});
  CHECK(f.find("192.0.2.1") == "shop 4");
}

TEST_CASE("a Pod of which it is not known how it finds names makes its address doubtful") {
  Fixture f;
  kube::Pod bare = pod("shop", "web", {"10.0.0.1"});
  bare.search.reset();
  f.cache.put(bare);
  CHECK(f.find("10.0.0.1") == "unknown");
  f.cache.put(pod("other", "b", {"10.0.0.1"}));
  CHECK(f.find("10.0.0.1") == "shared");
  f.cache.put(pod("shop", "web", {"10.0.0.2"}));
  CHECK(f.find("10.0.0.1") == "other 4");
  CHECK(f.find("10.0.0.2") == "shop 4");
}

TEST_CASE("Pods share a list when they say the same, and follow what all have in common") {
  Fixture f;
  f.cache.put(pod("shop", "a", {"10.0.0.1"}));
  f.cache.put(pod("shop", "b", {"10.0.0.2"}));
  CHECK(f.directory.list_count() == 1);
  CHECK(f.directory.find(address("10.0.0.1")).list == f.directory.find(address("10.0.0.2")).list);
  kube::Pod own = pod("shop", "c", {"10.0.0.3"});
  own.search->searches = {"more.example"};
  f.cache.put(own);
  CHECK(f.directory.list_count() == 2);
  CHECK(f.find("10.0.0.3") == "shop 5");

  f.directory.set_surroundings(
      {*dns::Name::from_text("cluster.local"), {"x.example", "y.example"}});
  CHECK(f.find("10.0.0.1") == "shop 5");
  CHECK(f.find("10.0.0.3") == "shop 6");
  f.cache.put(pod("late", "d", {"10.0.0.4"}));
  CHECK(f.find("10.0.0.4") == "late 5");
}

TEST_CASE("addresses come and go while others look") {
  Fixture f;
  f.cache.put(pod("stays", "p", {"10.1.1.1"}));
  std::atomic<bool> is_over{false};
  std::atomic<std::size_t> wrong{0};
  std::thread reader([&] {
    const rcu::ReaderThread registered;
    while (!is_over.load(std::memory_order_relaxed)) {
      const rcu::ReadSection section;
      for (std::uint8_t i = 0; i < 100; ++i) {
        const search::Caller caller = f.directory.find(IpAddress::v4(10, 0, 0, i));
        const bool is_known = caller.identity == Identity::Pod;
        wrong += is_known && caller.list->size() < 4 ? 1 : 0;
      }
      wrong += f.directory.find(address("10.1.1.1")).identity == Identity::Pod ? 0 : 1;
    }
  });
  for (unsigned round = 0; round < 2000; ++round) {
    const auto low = static_cast<std::uint8_t>(round % 100);
    kube::Pod one = pod("ns" + std::to_string(round % 7), "p" + std::to_string(round % 150), {});
    one.ips = {IpAddress::v4(10, 0, 0, low),
               IpAddress::v4(10, 2, static_cast<std::uint8_t>(round >> 8), low)};
    f.cache.put(one);
    f.cache.erase_pod(
        {"ns" + std::to_string((round + 3) % 7), "p" + std::to_string((round + 50) % 150)});
    if (round % 50 == 0) {
      f.directory.set_surroundings(
          {*dns::Name::from_text("cluster.local"), {round % 100 == 0 ? "x.example" : "y.example"}});
      f.retired.reclaim();
    }
  }
  is_over = true;
  reader.join();
  CHECK(wrong == 0);

  // What is left is exact.
  std::map<IpAddress, std::size_t> owners;
  f.cache.for_each_pod([&](const kube::Pod& each) {
    for (const IpAddress& ip : each.ips) {
      ++owners[ip];
    }
  });
  CHECK(f.directory.address_count() == owners.size());
  for (const auto& [ip, count] : owners) {
    CHECK(f.directory.find(ip).identity == (count == 1 ? Identity::Pod : Identity::Shared));
  }
}

}  // namespace waypost::test
