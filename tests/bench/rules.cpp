// What the rules of a large cluster cost to compile: time, memory, and how many there are.
//
//   rules-bench [SERVICES] [ENDPOINTS]

#include "cache/service_cache.h"
#include "proxy/compiler.h"

#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace waypost;

// Tells a compiler of every change in the cache.
class Feed : public cache::Consumer {
 public:
  explicit Feed(proxy::Compiler& compiler) : compiler_(compiler) {}
  void on_service(const cache::ServiceDelta& delta) override {
    compiler_.apply(delta.key, delta.after);
  }
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& /*delta*/) override {}
  void on_pod(const cache::ObjectDelta<kube::Pod>& /*delta*/) override {}
  void on_synced() override {}
  void on_resource_version(std::uint64_t /*version*/) override {}

 private:
  proxy::Compiler& compiler_;
};

IpAddress address(std::uint32_t number) {
  return IpAddress::v4(static_cast<std::uint8_t>(number >> 24),
                       static_cast<std::uint8_t>(number >> 16),
                       static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number));
}

kube::Service make_service(std::uint32_t number) {
  kube::Service service;
  service.key = {"bench", "service-" + std::to_string(number)};
  service.cluster_ips = {address(0x0a600000U + number * 5)};  // Spread over 10.96.0.0/16.
  service.ports = {{.name = "http", .port = 80}};
  service.traffic = kube::SharedPart(kube::ServiceTraffic{.node_ports = {0}});
  return service;
}

// `shift` moves the last endpoint.
kube::EndpointSlice make_slice(std::uint32_t number, std::uint32_t endpoints, std::uint32_t shift) {
  kube::EndpointSlice slice;
  slice.key = {"bench", "service-" + std::to_string(number) + "-slice"};
  slice.service_name = "service-" + std::to_string(number);
  slice.ports = {{.name = "http", .port = 8080}};
  kube::SliceTraffic traffic;
  for (std::uint32_t i = 0; i < endpoints; ++i) {
    const std::uint32_t at = number * endpoints + i + (i + 1 == endpoints ? shift : 0);
    slice.add({.address = address(0x0af40000U + at)}, "", "");
    traffic.placements.add("node-" + std::to_string(at % 100), "", "");
  }
  slice.traffic = kube::SharedPart(std::move(traffic));
  return slice;
}

double used_mb() {
  return static_cast<double>(mallinfo2().uordblks) / 1e6;
}

double since_ms(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, std::uint32_t otherwise) {
    return argc > i ? static_cast<std::uint32_t>(std::strtoul(argv[i], nullptr, 10)) : otherwise;
  };
  const std::uint32_t services = argument(1, 10000);
  const std::uint32_t endpoints = argument(2, 10);

  cache::ServiceCache cache;
  for (std::uint32_t i = 0; i < services; ++i) {
    cache.put(make_service(i));
    cache.put(make_slice(i, endpoints, 0));
  }
  proxy::Config config;
  config.local_detector = proxy::LocalDetector::SourceCidr;
  config.source_cidrs = {IpPrefix::from_text("10.244.0.0/14").value()};
  config.service_cidrs = {IpPrefix::from_text("10.96.0.0/16").value()};
  proxy::Compiler compiler(kube::IpFamily::V4, config, {.name = "node-1"});
  Feed feed(compiler);

  const double before_mb = used_mb();
  auto start = std::chrono::steady_clock::now();
  cache.subscribe(feed);
  compiler.settle();
  const double full_ms = since_ms(start);
  const proxy::RuleSet& rules = compiler.rules();
  const auto count = [&](proxy::Table table) { return rules.rule_count(table); };
  std::printf("%u Services x %u endpoints: %zu rules (%zu nat, %zu filter) in %zu chains\n",
              services, endpoints, count(proxy::Table::Nat) + count(proxy::Table::Filter),
              count(proxy::Table::Nat), count(proxy::Table::Filter),
              rules.chain_count(proxy::Table::Nat) + rules.chain_count(proxy::Table::Filter));
  std::printf("compiled at once in %.0f ms; rules hold %.1f MB, the compiler all in all %.1f MB\n",
              full_ms, static_cast<double>(rules.memory()) / 1e6, used_mb() - before_mb);

  constexpr std::uint32_t Changes = 2000;
  std::size_t chains = 0;
  start = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < Changes; ++i) {
    cache.put(make_slice(i * 7919 % services, endpoints, 1 + i));
    chains += compiler.settle().size();
  }
  std::printf("one endpoint changed: %.1f us, %.2f chains\n", 1000 * since_ms(start) / Changes,
              static_cast<double>(chains) / Changes);
  cache.unsubscribe(feed);
}
