#include "proxy/applier.h"

#include "proxy/dns_rules.h"
#include "support/fake_kernel.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::proxy {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// An applier over a kernel in memory, with everything that it told.
struct Bench {
  explicit Bench(ApplierOptions options = quick())
      : applier(context.get_executor(), kernel, std::move(options), events()) {
    asio::co_spawn(context, applier.run(), asio::detached);
    asio::co_spawn(context, applier.watch(), asio::detached);
  }

  static ApplierOptions quick() {
    ApplierOptions options;
    options.label = "test";
    options.probe_interval = 2ms;
    options.first_retry = 1ms;
    options.last_retry = 4ms;
    return options;
  }

  ApplierEvents events() {
    return {.on_sync = [this](const SyncReport& report) { syncs.push_back(report); },
            .on_drift = [this](const DriftReport& report) { drift.push_back(report); },
            .on_quarantine = [this](const QuarantineReport& q) { quarantined.push_back(q.owner); },
            .on_lock_busy = [this] { ++busy; },
            .on_read_back = [this](std::chrono::nanoseconds) { ++read_backs; },
            .on_read =
                [this](const SavedTable& saved) {
                  invalid = saved.packets[0] ? saved.packets[0] : invalid;
                },
            .lock_holder = [] { return "process 7 (other)"; }};
  }

  // Runs until `done` holds; false when it does not within two seconds.
  template <typename Condition>
  bool run_until(Condition done) {
    const auto end = std::chrono::steady_clock::now() + 2s;
    while (!done() && std::chrono::steady_clock::now() < end) {
      context.run_for(1ms);
    }
    return done();
  }
  bool settle() {
    return run_until([&] { return applier.is_settled(); });
  }

  asio::io_context context{1};
  test::FakeKernel kernel;
  std::vector<SyncReport> syncs;
  std::vector<DriftReport> drift;
  std::vector<OwnerId> quarantined;
  unsigned busy = 0;
  unsigned read_backs = 0;
  std::optional<std::uint64_t> invalid;
  Applier applier;
};

// `services` Services with a chain each; owners are their numbers.
RuleSet services(std::initializer_list<OwnerId> numbers) {
  RuleSet rules;
  ChainBuilder dispatch("KUBE-SERVICES");
  for (const OwnerId number : numbers) {
    const std::string name = "KUBE-SVC-" + std::to_string(number);
    ChainBuilder builder(name, number);
    builder.add("-p tcp -j DNAT --to-destination 10.0.0." + std::to_string(number) + ":80");
    rules.put(Table::Nat, builder.finish());
    dispatch.add("-d 10.96.0." + std::to_string(number) + "/32 -j " + name, number);
  }
  rules.put(Table::Nat, dispatch.finish());
  ChainBuilder filter("KUBE-FORWARD");
  filter.add("-m mark --mark 0x4000/0x4000 -j ACCEPT");
  rules.put(Table::Filter, filter.finish());
  rules.set_jumps({{Table::Filter, "FORWARD", "-j KUBE-FORWARD"},
                   {Table::Nat, "PREROUTING", "-j KUBE-SERVICES"}});
  return rules;
}

bool has(const test::FakeKernel& kernel, std::string_view text) {
  return kernel.text().find(text) != std::string::npos;
}

Removal removed_from(test::FakeKernel& kernel, std::vector<Table> tables) {
  asio::io_context context{1};
  Removal removal;
  asio::co_spawn(context, remove_everything(kernel, std::move(tables)),
                 [&](const std::exception_ptr&, Result<Removal> done) {
                   REQUIRE(done);
                   removal = *done;
                 });
  context.run();
  return removal;
}

}  // namespace

TEST_CASE("what rules count is told with every reading") {
  const std::string rule = "-m conntrack --ctstate INVALID -j DROP";
  auto options = Bench::quick();
  options.sweep_interval = std::chrono::seconds(0);
  options.read_back_rest_factor = 0;
  Bench bench(std::move(options));
  RuleSet rules = services({1});
  bench.applier.want(rules, 1);
  REQUIRE(bench.run_until([&] { return bench.read_backs > 1; }));
  CHECK_FALSE(bench.invalid);
  ChainBuilder filter("KUBE-FORWARD");
  filter.add(rule);
  rules.put(Table::Filter, filter.finish());
  bench.applier.want(rules, 2);
  CHECK(bench.run_until([&] { return bench.invalid == 0U; }));
  bench.kernel.packets[rule] = 7;
  CHECK(bench.run_until([&] { return bench.invalid == 7U; }));
}

TEST_CASE("the first set is compared with what is there, later ones with what was committed") {
  Bench bench;
  bench.applier.want(services({1, 2}), 1);
  REQUIRE(bench.settle());
  CHECK(bench.kernel.inputs.size() == 1);
  CHECK(bench.syncs.back().is_full);
  CHECK(bench.syncs.back().generation == 1);
  CHECK(bench.syncs.back().rules_in_force[1] == 4);
  bench.applier.want(services({1, 2, 3}), 2);
  REQUIRE(bench.settle());
  REQUIRE(bench.kernel.inputs.size() == 2);
  CHECK(bench.kernel.inputs[1] ==
        "*nat\n:KUBE-SVC-3 - [0:0]\n"
        "-A KUBE-SVC-3 -p tcp -j DNAT --to-destination 10.0.0.3:80\n"
        "-I KUBE-SERVICES 3 -d 10.96.0.3/32 -j KUBE-SVC-3\nCOMMIT\n");
  CHECK_FALSE(bench.syncs.back().is_full);
}

TEST_CASE("a restart changes nothing that is right, and removes what is left over") {
  Bench first;
  first.applier.want(services({1, 2}), 1);
  REQUIRE(first.settle());
  Bench second;
  second.kernel.run(first.kernel.inputs[0]);
  SUBCASE("all is right") {
    second.applier.want(services({1, 2}), 1);
    REQUIRE(second.settle());
    CHECK(second.kernel.inputs.empty());
    CHECK(second.syncs.size() == 1);
  }
  SUBCASE("a Service has gone meanwhile") {
    second.applier.want(services({2}), 1);
    REQUIRE(second.settle());
    CHECK_FALSE(has(second.kernel, "KUBE-SVC-1"));
    CHECK(second.kernel.inputs[0].find("KUBE-SVC-2 - ") == std::string::npos);
  }
}

TEST_CASE("a busy lock is waited for, and nothing is lost") {
  Bench bench;
  for (int i = 0; i < 5; ++i) {
    bench.kernel.failures.push_back({RestoreFailure::Kind::LockBusy, 0, "busy"});
  }
  bench.applier.want(services({1}), 1);
  REQUIRE(bench.settle());
  CHECK(bench.busy == 5);
  CHECK(has(bench.kernel, "KUBE-SVC-1"));
  CHECK(bench.quarantined.empty());
}

TEST_CASE("a program that cannot be run is run again") {
  Bench bench;
  bench.kernel.failures.push_back({RestoreFailure::Kind::System, 0, "no program"});
  bench.applier.want(services({1}), 1);
  REQUIRE(bench.settle());
  CHECK(bench.syncs[0].failure == "no program");
  CHECK(bench.syncs.back().failure.empty());
}

TEST_CASE("whose line is refused is quarantined, the others are in force") {
  Bench bench;
  bench.kernel.poison = "-p tcp -j DNAT --to-destination 10.0.0.3:80";
  SUBCASE("the kernel names the line") {}
  SUBCASE("the kernel blames COMMIT") {
    bench.kernel.blames_commit = true;
  }
  bench.applier.want(services({1, 2, 3, 4, 5, 6, 7}), 1);
  REQUIRE(bench.settle());
  CHECK(bench.quarantined == std::vector<OwnerId>{3});
  CHECK_FALSE(has(bench.kernel, "KUBE-SVC-3"));
  for (const char* other : {"-j KUBE-SVC-1\n", "-j KUBE-SVC-2\n", "-j KUBE-SVC-7\n"}) {
    CHECK(has(bench.kernel, other));
  }
  // Whoever makes the sets leaves it out from now on, until its object has changed.
  bench.kernel.inputs.clear();
  bench.applier.want(services({1, 4, 5, 6, 7, 8}), 2);
  REQUIRE(bench.settle());
  CHECK(bench.kernel.inputs.size() == 1);
  CHECK(has(bench.kernel, "KUBE-SVC-8"));
  bench.kernel.poison.clear();
  bench.applier.want(services({1, 3, 4, 5, 6, 7, 8}), 3);
  REQUIRE(bench.settle());
  CHECK(has(bench.kernel, "KUBE-SVC-3"));
  CHECK(bench.quarantined.size() == 1);
}

TEST_CASE("several bad ones are all found when the kernel blames COMMIT") {
  Bench bench;
  bench.kernel.poison = "0.0.3";  // 10.0.0.3, 10.96.0.3, and those of 30 and 31.
  bench.kernel.blames_commit = true;
  bench.applier.want(services({1, 2, 3, 4, 5, 30, 6, 31, 7}), 1);
  REQUIRE(bench.settle());
  std::sort(bench.quarantined.begin(), bench.quarantined.end());
  CHECK(bench.quarantined == std::vector<OwnerId>{3, 30, 31});
  CHECK(has(bench.kernel, "KUBE-SVC-7"));
}

TEST_CASE("what is refused and no Service's makes no Service suffer") {
  Bench bench;
  bench.kernel.poison = "0x4000/0x4000";
  bench.kernel.blames_commit = true;
  bench.applier.want(services({1, 2}), 1);
  bench.run_until([&] { return bench.syncs.size() > 6; });
  CHECK(bench.quarantined.empty());
  CHECK_FALSE(bench.applier.is_settled());
  bench.kernel.poison.clear();
  REQUIRE(bench.settle());
  CHECK(has(bench.kernel, "KUBE-SVC-2"));
}

TEST_CASE("rules that others change are repaired, chain by chain, and told") {
  Bench bench;
  bench.applier.want(services({1, 2}), 1);
  REQUIRE(bench.settle());
  REQUIRE(bench.run_until([&] { return bench.read_backs > 0; }));
  const std::string before = bench.kernel.text();
  bench.kernel.inputs.clear();
  SUBCASE("one rule is gone") {
    bench.kernel.run("*nat\n-D KUBE-SVC-2 1\nCOMMIT\n");
  }
  SUBCASE("a jump is gone") {
    bench.kernel.run("*nat\n-D PREROUTING -j KUBE-SERVICES\nCOMMIT\n");
  }
  SUBCASE("a rule was put in") {
    bench.kernel.run("*nat\n-I KUBE-SERVICES 1 -j ACCEPT\nCOMMIT\n");
  }
  SUBCASE("the table was flushed") {
    bench.kernel.run(
        "*nat\n:KUBE-SVC-1 - [0:0]\n:KUBE-SVC-2 - [0:0]\n:KUBE-SERVICES - [0:0]\n"
        ":PREROUTING ACCEPT [0:0]\nCOMMIT\n");
  }
  REQUIRE(bench.kernel.text() != before);
  REQUIRE(bench.run_until([&] { return bench.kernel.text() == before; }));
  CHECK(bench.drift.size() == 1);
  CHECK(bench.drift[0].table == Table::Nat);
  CHECK(bench.kernel.inputs.size() == 1);
  CHECK(bench.kernel.inputs[0].find("*filter") == std::string::npos);
}

TEST_CASE("what the kernel has is read again when it is not what was believed") {
  Bench bench;
  bench.applier.want(services({1, 2, 3}), 1);
  REQUIRE(bench.settle());
  // The next difference has an index that is too big.
  bench.kernel.run("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n");
  bench.applier.want(services({1, 2, 3, 4}), 2);
  REQUIRE(bench.settle());
  CHECK(has(bench.kernel, "-j KUBE-SVC-1\n"));
  CHECK(has(bench.kernel, "-j KUBE-SVC-4\n"));
  CHECK(bench.quarantined.empty());
}

TEST_CASE("appliers of different tables leave each other's rules alone") {
  Bench services_bench;
  services_bench.applier.want(services({1}), 1);
  REQUIRE(services_bench.settle());
  test::FakeKernel& kernel = services_bench.kernel;
  const std::string before = kernel.text();
  const std::size_t saves = kernel.saves;

  asio::io_context context{1};
  ApplierOptions options = Bench::quick();
  options.tables = {Table::Raw};
  Applier raw(context.get_executor(), kernel, std::move(options), {});
  asio::co_spawn(context, raw.run(), asio::detached);
  const std::vector<IpAddress> addresses = {IpAddress::v4(169, 254, 20, 10)};
  raw.want(dns_rules(addresses, kube::IpFamily::V4, 53), 1);
  const auto end = std::chrono::steady_clock::now() + 2s;
  while (!raw.is_settled() && std::chrono::steady_clock::now() < end) {
    context.run_for(1ms);
  }
  REQUIRE(raw.is_settled());
  CHECK(kernel.saves == saves + 1);
  CHECK(kernel.text(Table::Raw).find("-d 169.254.20.10/32") != std::string::npos);
  CHECK(kernel.text() == before);

  CHECK(removed_from(kernel, {Table::Raw}).removed == 2);
  CHECK(kernel.text(Table::Raw).find("WAYPOST") == std::string::npos);
  CHECK(kernel.text() == before);
}

TEST_CASE("everything of ours is removed, and nothing else") {
  Bench bench;
  bench.kernel.run("*nat\n:MINE - [0:0]\n-A MINE -j RETURN\n-A PREROUTING -j MINE\nCOMMIT\n");
  const std::string before = bench.kernel.text();
  bench.applier.want(services({1, 2, 3}), 1);
  REQUIRE(bench.settle());
  const Removal removal = removed_from(bench.kernel, {Table::Filter, Table::Nat});
  CHECK(removal.removed == 5);
  CHECK(removal.kept == 0);
  CHECK(bench.kernel.text() == before);
}

TEST_CASE("a chain that others lead to is counted as one that stays, at every removal") {
  Bench bench;
  bench.kernel.run(
      "*nat\n:KUBE-SEP-A - [0:0]\n:KUBE-SEP-B - [0:0]\n:MINE - [0:0]\n-A KUBE-SEP-A -j RETURN\n"
      "-A KUBE-SEP-B -j RETURN\n-A MINE -j KUBE-SEP-A\nCOMMIT\n"
      "*filter\n:KUBE-FIREWALL - [0:0]\n-A KUBE-FIREWALL -j RETURN\nCOMMIT\n");
  for (const std::size_t removed : {1U, 0U, 0U}) {
    const Removal removal = removed_from(bench.kernel, {Table::Filter, Table::Nat});
    CHECK(removal.removed == removed);
    CHECK(removal.kept == 1);
  }
  CHECK(bench.kernel.text(Table::Nat).find("-A KUBE-SEP-A") == std::string::npos);
  CHECK(bench.kernel.text(Table::Filter).find("-A KUBE-FIREWALL -j RETURN") != std::string::npos);
}

TEST_CASE("a set without some owners has neither their rules nor their chains") {
  const RuleSet all = services({1, 2, 3});
  const RuleSet left = without(all, {2});
  CHECK(left.find(Table::Nat, "KUBE-SVC-2") == nullptr);
  CHECK(left.find(Table::Nat, "KUBE-SVC-1") == all.find(Table::Nat, "KUBE-SVC-1"));
  CHECK(left.find(Table::Nat, "KUBE-SERVICES")->size() == 2);
  CHECK(left.find(Table::Nat, "KUBE-SERVICES")->owner(1) == 3);
  CHECK(without(all, {1, 2, 3}).find(Table::Nat, "KUBE-SERVICES")->size() == 0);
}

}  // namespace waypost::proxy
