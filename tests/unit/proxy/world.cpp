#include "world.h"

#include "kube/yaml_decoder.h"
#include "proxy/rule_parser.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace waypost::proxy {
namespace {

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    text += text.empty() ? "" : separator;
    text += word;
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

kube::ObjectKey key_of(std::string_view name) {
  const std::size_t slash = name.find('/');
  return {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
}

std::string hints_text(std::string_view field, std::string_view names) {
  std::vector<std::string> out;
  for (const std::string& name : split(names, '/')) {
    out.push_back("{name: " + name + "}");
  }
  return std::string(field) + ": [" + joined(out, ", ") + "]";
}

std::string endpoint_text(std::string_view text) {
  const std::vector<std::string> words = split(text, ' ');
  std::string conditions = "ready: true";
  std::string node;
  std::vector<std::string> hints;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "here" || word == "there") {
      node = ", nodeName: " + word;
    } else if (word == "unready") {
      conditions = "ready: false, serving: false";
    } else if (word == "ending") {
      conditions = "ready: false, serving: true, terminating: true";
    } else if (word == "dead") {
      conditions = "ready: false, serving: false, terminating: true";
    } else if (word.starts_with("zones=")) {
      hints.push_back(hints_text("forZones", word.substr(6)));
    } else if (word.starts_with("nodes=")) {
      hints.push_back(hints_text("forNodes", word.substr(6)));
    } else {
      FAIL("unknown word '" << word << "'");
    }
  }
  return "- {addresses: ['" + words.at(0) + "']" + node + ", conditions: {" + conditions +
         "}, hints: {" + joined(hints, ", ") + "}}\n";
}

Packet parse_packet(std::string_view text) {
  static const std::map<std::string, std::string, std::less<>> Places = {
      {"pod", "10.0.0.2"},          {"node", "192.168.0.2"},    {"ext", "203.0.113.2"},
      {"blocked", "203.0.113.130"}, {"localhost", "127.0.0.1"}, {"pod6", "fd00:10::2"},
      {"node6", "2001:db8::1"},     {"ext6", "2001:db8:2::2"},  {"localhost6", "::1"}};
  const std::size_t arrow = text.find(" > ");
  REQUIRE(arrow != std::string_view::npos);
  const std::string_view from = text.substr(0, arrow);
  std::string_view to = text.substr(arrow + 3);
  const std::size_t slash = to.find('/');
  const auto place = Places.find(from);

  Packet packet;
  packet.source = ip(place == Places.end() ? std::string(from) : place->second);
  if (slash != std::string_view::npos) {
    const std::string_view protocol = to.substr(slash + 1);
    packet.protocol = protocol == "udp"    ? kube::Protocol::Udp
                      : protocol == "sctp" ? kube::Protocol::Sctp
                                           : kube::Protocol::Tcp;
    to = to.substr(0, slash);
  }
  const SocketAddress destination = SocketAddress::from_text(to).value();
  packet.destination = destination.address;
  packet.port = destination.port;
  const NodeFacts facts = test_facts();
  const bool is_own = std::find(facts.addresses.begin(), facts.addresses.end(), packet.source) !=
                      facts.addresses.end();
  packet.origin = is_own ? Origin::Host : Origin::Network;
  packet.in_interface = from.starts_with("pod") ? "cbr0" : "eth0";
  return packet;
}

std::string outcome_text(const Outcome& outcome) {
  switch (outcome.verdict) {
    case Verdict::Dropped:
      return "DROP";
    case Verdict::Rejected:
      return "REJECT";
    case Verdict::Accepted:
      break;
  }
  if (outcome.is_translated) {
    return outcome.destination.to_text();
  }
  const bool is_accepted = std::any_of(outcome.way.begin(), outcome.way.end(), [](const Step& s) {
    return s.rule.ends_with("-j ACCEPT") && s.chain != "KUBE-FORWARD";
  });
  return is_accepted ? "ACCEPT" : "";
}

std::string show_way(const Evaluation& evaluation) {
  std::string text;
  for (const Outcome& outcome : evaluation.outcomes) {
    text += "\n  to " + outcome.destination.to_text();
    for (const Step& step : outcome.way) {
      text += "\n    " + std::string(step.chain) + " " + std::string(step.rule);
    }
  }
  return text;
}

}  // namespace

Config test_config() {
  Config config;
  config.local_detector = LocalDetector::SourceCidr;
  config.source_cidrs = {prefix("10.0.0.0/8"), prefix("fd00:10::/64")};
  config.service_cidrs = {prefix("172.30.0.0/16"), prefix("fd00:172:30::/112")};
  config.localhost_node_ports = true;
  return config;
}

NodeFacts test_facts() {
  return {.name = "here",
          .zone = "a",
          .addresses = {ip("127.0.0.1"), ip("::1"), ip("192.168.0.2"), ip("192.168.1.2"),
                        ip("2001:db8::1"), ip("2001:db8:1::2")},
          .node_ips = {ip("192.168.0.2"), ip("2001:db8::1")}};
}

IpAddress ip(std::string_view text) {
  const auto address = IpAddress::from_text(text);
  REQUIRE_MESSAGE(address, std::string(text));
  return *address;
}

IpPrefix prefix(std::string_view text) {
  return IpPrefix::from_text(text).value();
}

std::string service(std::string_view name, std::string_view spec, std::string_view rest) {
  const kube::ObjectKey key = key_of(name);
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + key.name +
         ", namespace: " + key.name_space + "}\nspec: {" + std::string(spec) + "}\n" +
         std::string(rest) + "\n";
}

std::string slice(std::string_view service, std::string_view ports,
                  std::initializer_list<std::string_view> endpoints, std::string_view slice_name) {
  const kube::ObjectKey key = key_of(service);
  const bool is_v6 = endpoints.size() > 0 && endpoints.begin()->find(':') != std::string_view::npos;
  std::string text =
      "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " +
      (slice_name.empty() ? key.name + "-1" : std::string(slice_name)) +
      ", namespace: " + key.name_space + ", labels: {kubernetes.io/service-name: " + key.name +
      "}}\naddressType: " + (is_v6 ? "IPv6" : "IPv4") + "\nports: [" + std::string(ports) +
      "]\nendpoints:\n";
  for (const std::string_view endpoint : endpoints) {
    text += endpoint_text(endpoint);
  }
  return text;
}

// ---- ProxyWorld -------------------------------------------------------------------------------

ProxyWorld::ProxyWorld(std::string_view yaml, const Config& config, const NodeFacts& facts)
    : v4_(kube::IpFamily::V4, config, facts), v6_(kube::IpFamily::V6, config, facts) {
  cache.subscribe(*this);
  put(yaml);
}

ProxyWorld::~ProxyWorld() {
  cache.unsubscribe(*this);
}

void ProxyWorld::on_service(const cache::ServiceDelta& delta) {
  v4_.apply(delta.key, delta.after);
  v6_.apply(delta.key, delta.after);
}

void ProxyWorld::put(std::string_view yaml) {
  kube::Manifests manifests = kube::decode_manifests(yaml, {.traffic = true});
  for (const auto& problem : manifests.problems) {
    FAIL(problem.message);
  }
  for (auto& decoded : manifests.services) {
    cache.put(std::move(decoded.object));
  }
  for (auto& decoded : manifests.slices) {
    cache.put(std::move(decoded.object));
  }
}

void ProxyWorld::erase_service(std::string_view name) {
  REQUIRE(cache.erase_service(key_of(name)) == cache::ServiceCache::Applied::Removed);
}

void ProxyWorld::erase_slice(std::string_view name) {
  REQUIRE(cache.erase_slice(key_of(name)) == cache::ServiceCache::Applied::Removed);
}

Compiler& ProxyWorld::compiler(kube::IpFamily family) {
  return family == kube::IpFamily::V4 ? v4_ : v6_;
}

std::string ProxyWorld::rules(kube::IpFamily family) {
  compiler(family).settle();
  return to_text(compiler(family).rules());
}

std::string ProxyWorld::chain(std::string_view name, Table table) {
  v4_.settle();
  const ChainPointer& found = v4_.rules().find(table, name);
  if (found == nullptr) {
    return "absent";
  }
  std::string text;
  for (std::size_t i = 0; i < found->size(); ++i) {
    text += std::string(found->rule(i)) + "\n";
  }
  return text;
}

std::string ProxyWorld::flow(std::string_view text) {
  const Packet packet = parse_packet(text);
  Compiler& rules = compiler(kube::family_of(packet.destination));
  rules.settle();
  const Evaluation evaluation = evaluate(rules.rules(), rules.node(), packet);
  INFO(show_way(evaluation));
  CHECK(evaluation.fault.empty());
  CHECK(evaluation.unjudged.empty());
  // Endpoints that are reached alike are one outcome.
  std::vector<std::string> alike[2];
  std::vector<std::string> out;
  for (const Outcome& outcome : evaluation.outcomes) {
    if (outcome.is_translated && outcome.verdict == Verdict::Accepted) {
      alike[outcome.is_masqueraded ? 1 : 0].push_back(outcome_text(outcome));
    } else {
      out.push_back(outcome_text(outcome));
    }
  }
  for (const bool is_masqueraded : {false, true}) {
    std::vector<std::string>& endpoints = alike[is_masqueraded ? 1 : 0];
    if (!endpoints.empty()) {
      std::sort(endpoints.begin(), endpoints.end());
      out.push_back(joined(endpoints, ", ") + (is_masqueraded ? " masq" : ""));
    }
  }
  return joined(out, " | ");
}

void check_flows(ProxyWorld& world, std::initializer_list<FlowCase> flows) {
  for (const FlowCase& flow : flows) {
    INFO(flow.packet);
    CHECK(world.flow(flow.packet) == flow.expected);
  }
}

std::vector<std::string> find_inconsistencies(const RuleSet& rules) {
  constexpr std::size_t MaxNftNesting = 15;
  std::vector<std::string> found;
  for (const Table table : {Table::Filter, Table::Nat}) {
    std::map<std::string, std::vector<std::string>> edges;  // Chain to chains.
    std::set<std::string> reached;
    const auto note = [&](const std::string& from, std::string_view text) {
      const auto rule = parse_rule(text);
      if (!rule) {
        found.push_back(from + ": cannot read '" + std::string(text) + "'");
      } else if (rule->target == TargetKind::Jump) {
        edges[from].push_back(rule->chain);
        reached.insert(rule->chain);
        if (rules.find(table, rule->chain) == nullptr) {
          found.push_back(from + " jumps to " + rule->chain + ", which is missing");
        }
      }
    };
    rules.for_each(table, [&](const ChainPointer& chain) {
      if (chain->name().size() > MaxChainName) {
        found.push_back(chain->name() + " has too long a name");
      }
      for (std::size_t i = 0; i < chain->size(); ++i) {
        note(chain->name(), chain->rule(i));
      }
    });
    for (const Jump& jump : rules.jumps()) {
      if (jump.table == table) {
        note(jump.hook, jump.rule);
      }
    }
    rules.for_each(table, [&](const ChainPointer& chain) {
      if (!reached.contains(chain->name())) {
        found.push_back("nothing leads to " + chain->name());
      }
    });
    std::map<std::string, std::size_t> depths;
    const std::function<std::size_t(const std::string&)> depth = [&](const std::string& name) {
      if (const auto known = depths.find(name); known != depths.end()) {
        return known->second;
      }
      std::size_t deepest = 0;
      for (const std::string& next : edges[name]) {
        deepest = std::max(deepest, 1 + depth(next));
      }
      return depths[name] = deepest;
    };
    for (const Jump& jump : rules.jumps()) {
      if (jump.table == table && depth(jump.hook) > MaxNftNesting) {
        found.push_back(jump.hook + " has " + std::to_string(depth(jump.hook)) + " levels");
      }
    }
  }
  return found;
}

}  // namespace waypost::proxy
