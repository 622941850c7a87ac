#include "proxy/rule_diff.h"

#include "support/fake_kernel.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace waypost::proxy {
namespace {

using Lines = std::vector<std::string>;

ChainPointer chain(std::string name, const Lines& rules, OwnerId owner = NoOwner) {
  ChainBuilder builder(std::move(name), owner);
  for (const std::string& rule : rules) {
    builder.add(rule);
  }
  return builder.finish();
}

KernelState read(const test::FakeKernel& kernel, const RuleSet* expected = nullptr) {
  KernelState state;
  for (const Table table : {Table::Filter, Table::Nat}) {
    SavedTableReader reader(table, expected);
    reader.take(kernel.text(table));
    auto saved = reader.finish();
    REQUIRE(saved);
    put_table(state, table, std::move(*saved));
  }
  return state;
}

// The jumps that a set of this program has, in the order of proxy/compiler.h.
std::vector<Jump> jumps() {
  return {{Table::Nat, "PREROUTING", "-j KUBE-SERVICES"},
          {Table::Nat, "OUTPUT", "-j KUBE-SERVICES"},
          {Table::Nat, "POSTROUTING", "-j KUBE-POSTROUTING"}};
}

RuleSet small_set() {
  RuleSet rules;
  rules.put(Table::Nat, chain("KUBE-SERVICES", {"-d 10.96.0.1/32 -j KUBE-SVC-A"}));
  rules.put(Table::Nat, chain("KUBE-SVC-A", {"-j RETURN"}, 1));
  rules.put(Table::Nat, chain("KUBE-POSTROUTING", {}));
  rules.set_jumps(jumps());
  return rules;
}

std::string apply(test::FakeKernel& kernel, const RuleSet& desired) {
  const RestoreInput input = make_restore(read(kernel), desired);
  kernel.run(input.text);
  CHECK(input.owners.size() ==
        static_cast<std::size_t>(std::count(input.text.begin(), input.text.end(), '\n')));
  return input.text;
}

void check_is_in_force(const test::FakeKernel& kernel, const RuleSet& desired) {
  const KernelState state = read(kernel, &desired);
  const RestoreInput more = make_restore(state, desired);
  CHECK(more.text == "");
  for (const Table table : {Table::Filter, Table::Nat}) {
    CHECK(state.chains.chain_count(table) == desired.chain_count(table));
    desired.for_each(table, [&](const ChainPointer& wanted) {
      CHECK_MESSAGE(state.chains.find(table, wanted->name()) == wanted, wanted->name());
    });
  }
}

}  // namespace

TEST_CASE("an empty kernel gets chains, rules and jumps in one transaction") {
  test::FakeKernel kernel;
  const std::string text = apply(kernel, small_set());
  CHECK(text ==
        "*nat\n"
        ":KUBE-POSTROUTING - [0:0]\n"
        ":KUBE-SERVICES - [0:0]\n"
        ":KUBE-SVC-A - [0:0]\n"
        "-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-A\n"
        "-A KUBE-SVC-A -j RETURN\n"
        "-I PREROUTING 1 -j KUBE-SERVICES\n"
        "-I OUTPUT 1 -j KUBE-SERVICES\n"
        "-I POSTROUTING 1 -j KUBE-POSTROUTING\n"
        "COMMIT\n");
  check_is_in_force(kernel, small_set());
}

TEST_CASE("what is right already needs no input") {
  test::FakeKernel kernel;
  apply(kernel, small_set());
  CHECK(apply(kernel, small_set()) == "");
}

TEST_CASE("a rule more in a long chain is one -I line, a rule less one -D, another one -R") {
  Lines many;
  for (int i = 0; i < 20; ++i) {
    many.push_back("-d 10.96.0." + std::to_string(i) + "/32 -j RETURN");
  }
  test::FakeKernel kernel;
  RuleSet rules = small_set();
  rules.put(Table::Nat, chain("KUBE-SERVICES", many));
  apply(kernel, rules);
  SUBCASE("more") {
    many.insert(many.begin() + 7, "-d 10.97.0.1/32 -j RETURN");
    rules.put(Table::Nat, chain("KUBE-SERVICES", many));
    CHECK(apply(kernel, rules) == "*nat\n-I KUBE-SERVICES 8 -d 10.97.0.1/32 -j RETURN\nCOMMIT\n");
  }
  SUBCASE("less") {
    many.erase(many.begin() + 7);
    rules.put(Table::Nat, chain("KUBE-SERVICES", many));
    CHECK(apply(kernel, rules) == "*nat\n-D KUBE-SERVICES 8\nCOMMIT\n");
  }
  SUBCASE("another") {
    many[7] = "-d 10.97.0.1/32 -j RETURN";
    rules.put(Table::Nat, chain("KUBE-SERVICES", many));
    CHECK(apply(kernel, rules) == "*nat\n-R KUBE-SERVICES 8 -d 10.97.0.1/32 -j RETURN\nCOMMIT\n");
  }
  check_is_in_force(kernel, rules);
}

TEST_CASE("a chain that goes is emptied first and removed last") {
  test::FakeKernel kernel;
  RuleSet rules = small_set();
  apply(kernel, rules);
  rules.erase(Table::Nat, "KUBE-SVC-A");
  rules.put(Table::Nat, chain("KUBE-SERVICES", {}));
  CHECK(apply(kernel, rules) ==
        "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n-X KUBE-SVC-A\nCOMMIT\n");
  check_is_in_force(kernel, rules);
}

TEST_CASE("rules and chains of others stay, also those that lead to a chain that goes") {
  test::FakeKernel kernel;
  kernel.run(
      "*nat\n:KUBE-SVC-OLD - [0:0]\n:KUBE-ROUTER-X - [0:0]\n:OTHER - [0:0]\n"
      "-A KUBE-SVC-OLD -j RETURN\n-A OTHER -j KUBE-SVC-OLD\n-A PREROUTING -j OTHER\n"
      "-A KUBE-ROUTER-X -j RETURN\nCOMMIT\n");
  apply(kernel, small_set());
  const std::string text = kernel.text(Table::Nat);
  CHECK(text.find("-A OTHER -j KUBE-SVC-OLD\n") != std::string::npos);
  CHECK(text.find("-A KUBE-ROUTER-X -j RETURN\n") != std::string::npos);
  CHECK(text.find("-A KUBE-SVC-OLD") == std::string::npos);
  CHECK(text.find("-A PREROUTING -j KUBE-SERVICES\n-A PREROUTING -j OTHER\n") != std::string::npos);
  CHECK(apply(kernel, small_set()) == "");
}

TEST_CASE("jumps that kube-proxy made otherwise are exchanged, and stay where they were") {
  test::FakeKernel kernel;
  kernel.run(
      "*nat\n:KUBE-SERVICES - [0:0]\n:CNI - [0:0]\n"
      "-A PREROUTING -j CNI\n"
      "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
      "-A OUTPUT -j CNI\n-A OUTPUT -j KUBE-SERVICES\nCOMMIT\n");
  apply(kernel, small_set());
  const std::string text = kernel.text(Table::Nat);
  CHECK(text.find("comment") == std::string::npos);
  CHECK(text.find("-A PREROUTING -j KUBE-SERVICES\n-A PREROUTING -j CNI\n") != std::string::npos);
  // The right one does not move, although another program stands ahead of it.
  CHECK(text.find("-A OUTPUT -j CNI\n-A OUTPUT -j KUBE-SERVICES\n") != std::string::npos);
}

TEST_CASE("the kubelet's chain gets what it lacks and keeps the rest") {
  test::FakeKernel kernel;
  kernel.run(
      "*filter\n:KUBE-FIREWALL - [0:0]\n-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP\n"
      "-A INPUT -j KUBE-FIREWALL\nCOMMIT\n");
  RuleSet rules = small_set();
  rules.put(Table::Filter, chain("KUBE-FIREWALL", {"-d 127.0.0.0/8 -j DROP"}));
  std::vector<Jump> all = jumps();
  all.push_back({Table::Filter, "INPUT", "-j KUBE-FIREWALL"});
  rules.set_jumps(all);
  CHECK(apply(kernel, rules)
            .starts_with("*filter\n-I KUBE-FIREWALL 2 -d 127.0.0.0/8 -j DROP\nCOMMIT\n*nat\n"));
  CHECK(apply(kernel, rules) == "");
  apply(kernel, RuleSet());  // Everything of ours goes.
  CHECK(kernel.text(Table::Filter).find("-A KUBE-FIREWALL -m mark") != std::string::npos);
  CHECK(kernel.text(Table::Filter).find("-A INPUT -j KUBE-FIREWALL") != std::string::npos);
  CHECK(kernel.text(Table::Nat).find("KUBE-") == std::string::npos);
}

TEST_CASE("an empty set leaves a kernel as it was before") {
  test::FakeKernel kernel;
  kernel.run("*nat\n:MINE - [0:0]\n-A MINE -j RETURN\n-A PREROUTING -j MINE\nCOMMIT\n");
  const std::string before = kernel.text();
  apply(kernel, small_set());
  CHECK(kernel.text() != before);
  apply(kernel, RuleSet());
  CHECK(kernel.text() == before);
}

TEST_CASE("any set becomes any other") {
  std::minstd_rand random(7);
  const auto number = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  const auto random_set = [&] {
    RuleSet rules;
    std::vector<std::string> names;
    for (unsigned i = 0; i < 12; ++i) {
      if (number(3) != 0) {
        names.push_back("KUBE-SVC-" + std::to_string(i));
      }
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      Lines lines;
      for (unsigned j = number(9); j > 0; --j) {
        // Chains lead to later ones only.
        const bool jumps = number(2) == 0 && i + 1 < names.size();
        lines.push_back("-s 10.0.0." + std::to_string(number(6)) + "/32 -j " +
                        (jumps ? names[i + 1 + number(static_cast<unsigned>(names.size() - i - 1))]
                               : std::string("RETURN")));
      }
      rules.put(Table::Nat, chain(names[i], lines));
    }
    rules.put(Table::Nat, chain("KUBE-SERVICES", {}));
    rules.put(Table::Nat, chain("KUBE-POSTROUTING", {}));
    std::vector<Jump> some;
    for (const Jump& jump : jumps()) {
      if (number(4) != 0) {
        some.push_back(jump);
      }
    }
    rules.set_jumps(some);
    return rules;
  };
  test::FakeKernel kernel;
  kernel.run("*nat\n:CNI - [0:0]\n-A PREROUTING -j CNI\n-A OUTPUT -j CNI\nCOMMIT\n");
  KernelState believed;
  for (int round = 0; round < 300; ++round) {
    const RuleSet desired = random_set();
    // From what was read, and from what is believed after the last commit.
    const bool reads = number(2) == 0;
    RestoreInput input = make_restore(reads ? read(kernel) : believed, desired);
    REQUIRE_NOTHROW(kernel.run(input.text));
    believed = std::move(input.after);
    check_is_in_force(kernel, desired);
    const KernelState actual = read(kernel);
    CHECK(find_drift(believed, actual, Table::Nat).empty());
  }
}

TEST_CASE("edits turn one list into the other, and are few") {
  struct Row {
    Lines from, to;
    std::size_t edits;
  };
  for (const Row& row : std::vector<Row>{{{}, {}, 0},
                                         {{"a"}, {"a"}, 0},
                                         {{}, {"a", "b"}, 2},
                                         {{"a", "b"}, {}, 2},
                                         {{"a", "b", "c"}, {"a", "x", "c"}, 1},
                                         {{"a", "b", "c"}, {"c", "a", "b"}, 2},
                                         {{"a", "a", "b"}, {"a", "b", "a"}, 2}}) {
    const std::vector<std::string_view> from(row.from.begin(), row.from.end());
    const std::vector<std::string_view> to(row.to.begin(), row.to.end());
    Lines list = row.from;
    const auto edits = edits_between(from, to);
    CHECK(edits.size() == row.edits);
    for (const RuleEdit& edit : edits) {
      const auto at = list.begin() + (static_cast<std::ptrdiff_t>(edit.position) - 1);
      if (edit.kind == RuleEdit::Kind::Delete) {
        list.erase(at);
      } else if (edit.kind == RuleEdit::Kind::Replace) {
        *at = row.to[edit.rule];
      } else {
        list.insert(at, row.to[edit.rule]);
      }
    }
    CHECK(list == row.to);
  }
}

TEST_CASE("drift is told chain by chain") {
  test::FakeKernel kernel;
  const RuleSet rules = small_set();
  apply(kernel, rules);
  const KernelState expected = read(kernel);
  CHECK(find_drift(expected, read(kernel), Table::Nat).empty());
  kernel.run(
      "*nat\n-A KUBE-SVC-A -j ACCEPT\n-D OUTPUT -j KUBE-SERVICES\n:KUBE-SVC-B - [0:0]\nCOMMIT\n");
  const auto drift = find_drift(expected, read(kernel), Table::Nat);
  REQUIRE(drift.size() == 3);
  CHECK(drift[0].chain.name == "KUBE-SVC-A");
  CHECK(drift[0].what == "has 2 rules, expected 1");
  CHECK(drift[1].chain.name == "KUBE-SVC-B");
  CHECK(drift[2].chain.name == "OUTPUT");
  // A foreign rule in a hook is nobody's drift.
  test::FakeKernel other;
  apply(other, rules);
  other.run("*nat\n-I PREROUTING 1 -j RETURN\nCOMMIT\n");
  CHECK(find_drift(expected, read(other), Table::Nat).empty());
}

TEST_CASE("the reader takes text in any pieces, and finds out when it is cut") {
  test::FakeKernel kernel;
  apply(kernel, small_set());
  const std::string text = kernel.text(Table::Nat);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    SavedTableReader whole(Table::Nat, nullptr);
    whole.take(text.substr(0, cut));
    whole.take(text.substr(cut));
    const auto saved = whole.finish();
    REQUIRE(saved);
    CHECK(saved->chains.size() == 3);
    CHECK(saved->jumps.size() == 3);
    SavedTableReader part(Table::Nat, nullptr);
    part.take(text.substr(0, cut));
    const bool begun = cut > text.find("*nat");
    const bool ended = cut >= text.find("COMMIT") + 6;
    CHECK(part.finish().has_value() == (!begun || ended));
  }
}

TEST_CASE("the target of a rule is found behind quoted comments") {
  CHECK(target_of("-m comment --comment \"has -j in it\" -j KUBE-SEP-A") == "KUBE-SEP-A");
  CHECK(target_of("-m comment --comment \"a \\\" -j B\" -g C") == "C");
  CHECK(target_of("-p tcp -j DNAT --to-destination 10.0.0.1:80") == "DNAT");
  CHECK(target_of("-p tcp") == "");
}

}  // namespace waypost::proxy
