#include "proxy/rule_set.h"

#include <doctest/doctest.h>

using namespace waypost::proxy;

namespace {

ChainPointer chain(std::string name, std::initializer_list<std::string_view> rules,
                   OwnerId owner = NoOwner) {
  ChainBuilder builder(std::move(name), owner);
  for (const std::string_view rule : rules) {
    builder.add(rule);
  }
  return builder.finish();
}

}  // namespace

TEST_CASE("a chain gives its rules back one by one") {
  const ChainPointer two = chain("KUBE-A", {"-j KUBE-B", "-p tcp -j RETURN"}, 7);
  REQUIRE(two->size() == 2);
  CHECK(two->rule(0) == "-j KUBE-B");
  CHECK(two->rule(1) == "-p tcp -j RETURN");
  CHECK(two->owner(0) == 7);
  CHECK(two->owner(1) == 7);
  CHECK(chain("KUBE-A", {})->size() == 0);
}

TEST_CASE("rules of one chain may belong to different Services") {
  ChainBuilder builder("KUBE-A");
  builder.add("-j A", 1);
  builder.add("-j B");
  builder.add("-j C", 2);
  const ChainPointer built = builder.finish();
  CHECK(built->owner(0) == 1);
  CHECK(built->owner(1) == NoOwner);
  CHECK(built->owner(2) == 2);
}

TEST_CASE("chains are equal when their rules are, whatever their names") {
  const ChainPointer one = chain("KUBE-A", {"-j B", "-j C"});
  CHECK(one->has_same_rules(*chain("KUBE-Z", {"-j B", "-j C"})));
  CHECK(one->hash() == chain("KUBE-Z", {"-j B", "-j C"})->hash());
  CHECK_FALSE(one->has_same_rules(*chain("KUBE-A", {"-j C", "-j B"})));
  // The same octets, cut differently.
  CHECK_FALSE(one->has_same_rules(*chain("KUBE-A", {"-j B-j C"})));
  CHECK_FALSE(one->has_same_rules(*chain("KUBE-A", {"-j B-", "j C"})));
}

TEST_CASE("a set counts what it holds, also when chains are replaced and erased") {
  RuleSet rules;
  rules.put(Table::Nat, chain("KUBE-A", {"-j B", "-j C"}));
  rules.put(Table::Nat, chain("KUBE-B", {"-j C"}));
  CHECK(rules.chain_count(Table::Nat) == 2);
  CHECK(rules.rule_count(Table::Nat) == 3);
  CHECK(rules.chain_count(Table::Filter) == 0);

  rules.put(Table::Nat, chain("KUBE-A", {"-j D"}));
  CHECK(rules.rule_count(Table::Nat) == 2);
  CHECK(rules.find(Table::Nat, "KUBE-A")->rule(0) == "-j D");
  CHECK(rules.find(Table::Filter, "KUBE-A") == nullptr);

  CHECK(rules.erase(Table::Nat, rules.find(Table::Nat, "KUBE-A")->name()));
  CHECK_FALSE(rules.erase(Table::Nat, "KUBE-A"));
  CHECK(rules.find(Table::Nat, "KUBE-A") == nullptr);
  CHECK(rules.rule_count(Table::Nat) == 1);
}

TEST_CASE("a copy of a set shares its chains and then goes its own way") {
  RuleSet desired;
  desired.put(Table::Nat, chain("KUBE-A", {"-j B"}));
  RuleSet committed = desired;
  CHECK(committed.find(Table::Nat, "KUBE-A") == desired.find(Table::Nat, "KUBE-A"));
  desired.put(Table::Nat, chain("KUBE-A", {"-j C"}));
  CHECK(committed.find(Table::Nat, "KUBE-A")->rule(0) == "-j B");
}

TEST_CASE("a set prints as input of iptables-restore, chains in the order of names") {
  RuleSet rules;
  rules.put(Table::Nat, chain("KUBE-B", {"-j KUBE-A"}));
  rules.put(Table::Nat, chain("KUBE-A", {}));
  rules.set_jumps({{Table::Nat, "OUTPUT", "-j KUBE-B"}});
  CHECK(to_text(rules) ==
        "*filter\nCOMMIT\n"
        "*nat\n:KUBE-A - [0:0]\n:KUBE-B - [0:0]\n"
        "-A OUTPUT -j KUBE-B\n-A KUBE-B -j KUBE-A\nCOMMIT\n");
}
