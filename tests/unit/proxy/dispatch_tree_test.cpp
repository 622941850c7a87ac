#include "proxy/dispatch_tree.h"

#include "proxy/rule_parser.h"
#include "world.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <string>

namespace waypost::proxy {
namespace {

DispatchRulePointer rule(const IpAddress& address, std::uint16_t port, OwnerId owner = 1,
                         kube::Protocol protocol = kube::Protocol::Tcp) {
  const std::string name(kube::to_text(protocol));
  std::string text = address.is_unspecified()
                         ? std::string()
                         : "-d " + IpPrefix::around(address, 128).to_text() + " ";
  text += "-p " + name + " -m " + name + " --dport " + std::to_string(port) + " -j ACCEPT";
  return std::make_shared<const DispatchRule>(
      DispatchRule{{address, protocol, port}, std::move(text), owner});
}

// A tree and the chains that it has told of.
struct Watched {
  explicit Watched(DispatchTree::KeyedBy keyed_by) : tree(keyed_by, "T-") {}

  void render() {
    made_count = 0;
    tree.render(
        [&](const std::string& name) {
          INFO(name);
          CHECK(chains.erase(name) == 1);
        },
        [&](ChainPointer chain) {
          ++made_count;
          const std::string name = chain->name();
          chains.insert_or_assign(name, std::move(chain));
        });
  }
  std::string text() const {
    std::string out;
    for (const auto& [name, chain] : chains) {
      for (std::size_t i = 0; i < chain->size(); ++i) {
        out += name + " " + std::string(chain->rule(i)) + "\n";
      }
    }
    return out;
  }
  // How many chains lie below the deepest.
  std::size_t depth(const std::string& name) const {
    std::size_t deepest = 0;
    const ChainPointer& chain = chains.at(name);
    for (std::size_t i = 0; i < chain->size(); ++i) {
      const std::string_view text = chain->rule(i);
      const std::string target(text.substr(text.rfind(' ') + 1));
      if (target != "ACCEPT") {
        deepest = std::max(deepest, 1 + depth(target));
      }
    }
    return deepest;
  }
  // The rules that a packet for the key is compared with, and whether its own is among them.
  std::size_t rules_on_the_way(const DispatchRule& wanted, bool& is_found) const {
    RuleSet set;
    for (const auto& [name, chain] : chains) {
      set.put(Table::Nat, chain);
    }
    std::size_t count = 0;
    std::vector<std::string> open{"T"};
    while (!open.empty()) {
      const ChainPointer chain = set.find(Table::Nat, open.back());
      open.pop_back();
      for (std::size_t i = 0; i < chain->size(); ++i) {
        ++count;
        const ParsedRule parsed = parse_rule(chain->rule(i)).value();
        const auto within = [&](const auto& condition, auto test) {
          return !condition || test(condition->value);
        };
        if (within(parsed.destination,
                   [&](const IpPrefix& p) { return p.contains(wanted.key.address); }) &&
            within(parsed.protocol,
                   [&](const std::string& p) { return p == kube::to_text(wanted.key.protocol); }) &&
            within(parsed.destination_port, [&](const PortRange& p) {
              return wanted.key.port >= p.low && wanted.key.port <= p.high;
            })) {
          is_found = is_found || chain->rule(i) == wanted.text;
          if (parsed.target == TargetKind::Jump) {
            open.push_back(parsed.chain);
          }
        }
      }
    }
    return count;
  }

  DispatchTree tree;
  std::map<std::string, ChainPointer> chains;
  std::size_t made_count = 0;
};

IpAddress address(std::uint32_t number) {
  return IpAddress::v4(static_cast<std::uint8_t>(number >> 24),
                       static_cast<std::uint8_t>(number >> 16),
                       static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number));
}

}  // namespace

TEST_CASE("few rules stand in one chain, by address and port") {
  Watched watched(DispatchTree::KeyedBy::Ipv4);
  watched.render();
  CHECK(watched.chains.empty());
  watched.tree.add(rule(ip("10.0.0.2"), 80));
  watched.tree.add(rule(ip("10.0.0.1"), 443));
  watched.tree.add(rule(ip("10.0.0.1"), 80));
  watched.render();
  CHECK(watched.text() ==
        "T -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT\n"
        "T -d 10.0.0.1/32 -p tcp -m tcp --dport 443 -j ACCEPT\n"
        "T -d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT\n");
}

TEST_CASE("a change renders its own way only") {
  Watched watched(DispatchTree::KeyedBy::Ipv4);
  for (std::uint32_t i = 0; i < 10000; ++i) {
    watched.tree.add(rule(address(0x0a600000 + i), 80));
  }
  watched.render();
  CHECK(watched.chains.size() > 100);
  CHECK(watched.made_count == watched.chains.size());
  watched.render();
  CHECK(watched.made_count == 0);
  watched.tree.add(rule(ip("10.96.16.16"), 443));
  watched.render();
  CHECK(watched.made_count <= 4);
}

TEST_CASE("a packet meets few rules, and its own among them") {
  struct Shape {
    DispatchTree::KeyedBy keyed_by;
    std::size_t most;
  };
  std::mt19937 random(7);
  for (const Shape shape :
       {Shape{DispatchTree::KeyedBy::Ipv4, 120}, Shape{DispatchTree::KeyedBy::Ipv6, 120},
        Shape{DispatchTree::KeyedBy::Port, 130}}) {
    Watched watched(shape.keyed_by);
    std::vector<DispatchRulePointer> rules;
    for (std::uint32_t i = 0; i < 3000; ++i) {
      std::array<std::uint8_t, 16> octets{0xfd, 0, 0, 0x96};
      octets[14] = static_cast<std::uint8_t>(random());
      octets[15] = static_cast<std::uint8_t>(random());
      switch (shape.keyed_by) {
        case DispatchTree::KeyedBy::Ipv4:
          rules.push_back(rule(address(0x0a600000 + random() % 65536), 80));
          break;
        case DispatchTree::KeyedBy::Ipv6:
          rules.push_back(rule(IpAddress::from_octets(octets), 80));
          break;
        case DispatchTree::KeyedBy::Port:
          rules.push_back(rule(IpAddress(), static_cast<std::uint16_t>(30000 + i % 2768), 1,
                               i % 2 == 0 ? kube::Protocol::Tcp : kube::Protocol::Udp));
          break;
      }
      watched.tree.add(rules.back());
    }
    watched.render();
    for (std::size_t i = 0; i < rules.size(); i += 500) {
      bool is_found = false;
      CHECK(watched.rules_on_the_way(*rules[i], is_found) <= shape.most);
      CHECK(is_found);
    }
  }
}

TEST_CASE("one address with many ports is told apart by port") {
  Watched watched(DispatchTree::KeyedBy::Ipv4);
  for (std::uint16_t port = 1; port <= 2000; ++port) {
    watched.tree.add(
        rule(ip("192.0.2.1"), port, 1, port % 2 == 0 ? kube::Protocol::Udp : kube::Protocol::Tcp));
  }
  watched.render();
  bool is_found = false;
  CHECK(watched.rules_on_the_way(*rule(ip("192.0.2.1"), 1999), is_found) <= 150);
  CHECK(is_found);
}

TEST_CASE("no set of addresses makes a tree too deep") {
  // Every level has one address beside the way down: the worst that anybody can ask for.
  Watched watched(DispatchTree::KeyedBy::Ipv6);
  std::array<std::uint8_t, 16> octets{};
  for (unsigned i = 0; i < 200; ++i) {
    watched.tree.add(rule(IpAddress::from_octets(octets), static_cast<std::uint16_t>(i + 1)));
  }
  for (unsigned nibble = 0; nibble < 32; ++nibble) {
    for (std::uint16_t port = 1; port < 4; ++port) {  // More than are put in line.
      auto other = octets;
      other[nibble / 2] = nibble % 2 == 0 ? 0x10 : 0x01;
      watched.tree.add(rule(IpAddress::from_octets(other), port));
    }
  }
  watched.render();
  CHECK(watched.depth("T") == DispatchTree::MaxDepth);
}

TEST_CASE("equal rules of two Services are there until both are gone") {
  Watched watched(DispatchTree::KeyedBy::Ipv4);
  const auto first = rule(ip("10.0.0.1"), 80, 1);
  const auto second = rule(ip("10.0.0.1"), 80, 2);
  watched.tree.add(first);
  watched.tree.add(second);
  watched.render();
  CHECK(watched.chains.at("T")->size() == 1);
  watched.tree.erase(first);
  watched.render();
  CHECK(watched.chains.at("T")->size() == 1);
  CHECK(watched.chains.at("T")->owner(0) == 2);
  watched.tree.erase(second);
  watched.render();
  CHECK(watched.chains.empty());
}

TEST_CASE("a tree is the same however it came about") {
  std::mt19937 random(42);
  for (const auto keyed_by : {DispatchTree::KeyedBy::Ipv4, DispatchTree::KeyedBy::Port}) {
    Watched grown(keyed_by);
    std::vector<DispatchRulePointer> present;
    for (int round = 0; round < 120; ++round) {
      // The size swings, so that chains branch and close again.
      const std::size_t target = round % 3 == 0 ? 20 : round % 3 == 1 ? 200 : 900;
      while (present.size() < target) {
        const std::uint32_t number = round % 2 == 0 ? random() % 4096 : (random() % 8) * 977;
        present.push_back(rule(keyed_by == DispatchTree::KeyedBy::Port
                                   ? IpAddress()
                                   : address(0x0a000000 + number * (round % 5 == 0 ? 4099 : 1)),
                               static_cast<std::uint16_t>(random() % 40 * 1601 + 1),
                               static_cast<OwnerId>(random() % 3)));
        grown.tree.add(present.back());
      }
      while (present.size() > target) {
        std::swap(present[random() % present.size()], present.back());
        grown.tree.erase(present.back());
        present.pop_back();
      }
      grown.render();
      Watched fresh(keyed_by);
      for (const DispatchRulePointer& one : present) {
        fresh.tree.add(one);
      }
      fresh.render();
      REQUIRE(grown.text() == fresh.text());
      REQUIRE(grown.chains.size() == fresh.chains.size());
    }
  }
}

}  // namespace waypost::proxy
