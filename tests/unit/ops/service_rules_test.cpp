#include "ops/page/service_rules.h"

#include "support/cluster.h"
#include "support/coroutine.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace waypost::ops {
namespace {

// Prints what a test says, and fails when it says nothing.
class PrintedTables final : public proxy::KernelTables {
 public:
  std::string nat;
  std::string problem;
  std::size_t saves = 0;

  boost::asio::awaitable<std::expected<void, proxy::RestoreFailure>> restore(
      std::shared_ptr<const std::string> /*input*/) override {
    FAIL("a page changes nothing");
    co_return std::expected<void, proxy::RestoreFailure>();
  }
  boost::asio::awaitable<Result<void>> save(proxy::Table table,
                                            std::function<void(std::string_view)> take) override {
    ++saves;
    if (!problem.empty()) {
      co_return failure(ErrorKind::System, problem);
    }
    CHECK(table == proxy::Table::Nat);
    const std::string_view text = nat;
    for (std::size_t i = 0; i < text.size(); i += 7) {
      take(text.substr(i, 7));
    }
    co_return Result<void>();
  }
  std::uint64_t fingerprint(proxy::Table /*table*/) override { return 0; }
};

struct World {
  World() {
    proxy::NodeFacts facts;
    facts.name = "here";
    facts.addresses = {*IpAddress::from_text("192.168.0.2")};
    compiler.emplace(kube::IpFamily::V4, proxy::Config{}, facts);
    for (const auto& [name, address, endpoint] :
         {std::tuple{"web", "10.96.0.7", 1}, std::tuple{"cart", "10.96.0.8", 2}}) {
      kube::Service service;
      service.key = {"shop", name};
      service.cluster_ips = {*IpAddress::from_text(address)};
      service.ports = {{.name = "http", .port = 80, .target_port = std::uint16_t{8080}}};
      kube::EndpointSlice slice;
      slice.key = {"shop", std::string(name) + "-1"};
      slice.service_name = name;
      slice.ports = {{.name = "http", .port = 8080}};
      slice.add({.address = IpAddress::v4(10, 244, 1, static_cast<std::uint8_t>(endpoint))}, "",
                "");
      cache.put(service);
      cache.put(slice);
    }
    cache.for_each_service([&](const kube::ObjectKey& key, const cache::ServiceState& state) {
      compiler->apply(key, state);
    });
    compiler->settle();
  }

  cache::ServiceCache cache;
  std::optional<proxy::Compiler> compiler;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the rules of a Service are those that are for it, with the kernel's counts") {
  World world;
  ServiceRules rules = wanted_rules(*world.compiler, {"shop", "web"});
  REQUIRE(rules.rules.size() >= 2);
  const auto endpoint = std::ranges::find_if(rules.rules, [](const ServiceRule& rule) {
    return has(rule.rule, "--to-destination 10.244.1.1:8080");
  });
  REQUIRE(endpoint != rules.rules.end());
  CHECK(endpoint->chain.starts_with("KUBE-SVC-"));
  for (const ServiceRule& rule : rules.rules) {
    CHECK(!has(rule.rule, "10.244.1.2"));
    CHECK(!has(rule.rule, "10.96.0.8"));
  }

  PrintedTables tables;
  tables.nat = "*nat\n:KUBE-OTHER - [0:0]\n[9:9] -A KUBE-OTHER " + endpoint->rule +
               "\n:" + endpoint->chain + " - [0:0]\n[1234:5] -A " + endpoint->chain + " " +
               endpoint->rule + "\nCOMMIT\n";
  boost::asio::io_context context;
  REQUIRE(test::run(context, count_rules(tables, rules)));
  CHECK(tables.saves == 1);  // It has no rules in filter.
  CHECK(endpoint->packets == 1234);
  const std::string text = rules_table("IPv4", rules, "").to_text();
  CHECK(has(text, "<caption>IPv4 rules</caption>"));
  CHECK(has(text, "<td>nat</td><td class=\"number\">1234</td>"));
  CHECK(has(text, "not in the kernel"));  // The rule of the dispatch tree was not printed.
}

TEST_CASE("a Service that has no rules, and counts that cannot be read, are said") {
  World world;
  CHECK(wanted_rules(*world.compiler, {"shop", "none"}).rules.empty());
  CHECK(has(rules_table("IPv6", {}, "").to_text(), "there are none"));

  ServiceRules rules = wanted_rules(*world.compiler, {"shop", "cart"});
  PrintedTables tables;
  tables.problem = "<exit status 4>";
  boost::asio::io_context context;
  const Result<void> counted = test::run(context, count_rules(tables, rules));
  REQUIRE(!counted);
  const std::string text = rules_table("IPv4", rules, counted.error().message).to_text();
  CHECK(has(text, "could not be read: &lt;exit status 4&gt;"));
  CHECK(!has(text, "not in the kernel"));
}

TEST_CASE("no more rules are shown than fit") {
  World world;
  kube::Service service;
  service.key = {"shop", "large"};
  service.cluster_ips = {*IpAddress::from_text("10.96.0.9")};
  service.ports = {{.name = "http", .port = 80, .target_port = std::uint16_t{8080}}};
  kube::EndpointSlice slice;
  slice.key = {"shop", "large-1"};
  slice.service_name = "large";
  slice.ports = {{.name = "http", .port = 8080}};
  for (unsigned i = 0; i < 1000; ++i) {
    slice.add({.address = IpAddress::v4(10, 1, static_cast<std::uint8_t>(i / 256),
                                        static_cast<std::uint8_t>(i % 256))},
              "", "");
  }
  world.cache.put(service);
  world.cache.put(slice);
  world.compiler->apply(service.key, *world.cache.find(service.key));
  world.compiler->settle();
  const ServiceRules rules = wanted_rules(*world.compiler, service.key);
  CHECK(rules.rules.size() == MaxShownRules);
  CHECK(rules.left_out >= 1000 - MaxShownRules);
  CHECK(has(rules_table("IPv4", rules, "").to_text(), "And "));
}

}  // namespace waypost::ops
