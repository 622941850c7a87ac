#include "ops/rule_report.h"

#include "cache/service_cache.h"
#include "ops/api_connection.h"
#include "ops/node_facts.h"
#include "ops/node_source.h"
#include "ops/pod_commands.h"
#include "ops/run_to_end.h"
#include "proxy/address_watch.h"
#include "proxy/backend.h"
#include "proxy/chain_name.h"
#include "proxy/compiler.h"
#include "proxy/evaluator.h"
#include "proxy/explanation.h"
#include "proxy/rule_parser.h"
#include "proxy/saved_rules.h"
#include "sources/manifest_source.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <memory>
#include <utility>

namespace waypost::ops {
namespace {

// The world of the question, and the rules of both families for it.
struct Planned {
  cache::ServiceCache cache;
  proxy::Config config;
  proxy::NodeFacts facts;
  bool has_services = true;                                   // False: nothing says where they are.
  std::vector<kube::IpFamily> families;                       // Those that the node has.
  std::array<std::unique_ptr<proxy::Compiler>, 2> compilers;  // By kube::IpFamily.

  proxy::Compiler& compiler(kube::IpFamily family) {
    return *compilers[static_cast<std::size_t>(family)];
  }
};

// ---- The world --------------------------------------------------------------------------------

Result<Problems> read_manifests(const RuleQuestion& question, cache::ServiceCache& cache) {
  sources::ManifestSource source(question.config.manifests, cache);
  Problems found = source.load();
  if (!cache.is_synced()) {
    return std::unexpected(found.empty() ? Error{ErrorKind::System, "no manifests could be read"}
                                         : std::move(found.front()));
  }
  for (Error& problem : found) {
    if (problem.kind !=
        ErrorKind::InvalidInput) {  // A file that cannot be read, not what is in it.
      return std::unexpected(std::move(problem));
    }
  }
  return found;
}

// Reads everything once.  What the source tells meanwhile becomes problems.
class OneReading final : public sources::SourceEvents {
 public:
  void on_bad_object(const std::string& message) override { add(message); }
  // A program that runs for ever tries again; whoever waits for an answer wants to know.
  void on_lost(const sources::KindStatus& status, const std::string& message) override {
    if (!status.is_listed && failure_.empty()) {
      failure_ = message;
    }
  }
  void on_restored(const sources::KindStatus& /*status*/) override {}
  void on_forbidden(const sources::KindStatus& /*status*/, const std::string& message,
                    const std::string& rule) override {
    add(message + "; expected the right to " + rule);
  }
  void on_mismatch(const sources::KindStatus& /*status*/, const std::string& message) override {
    add(message);
  }
  void on_listed(const sources::KindStatus& /*status*/) override {}
  void on_synced() override { is_done_ = true; }

  bool is_done() const noexcept { return is_done_; }
  // Why there is no use in waiting; empty while there is.
  const std::string& failure_reason() const noexcept { return failure_; }
  Problems take_problems() { return std::move(problems_); }

 private:
  void add(const std::string& message) {
    if (problems_.size() < MaxProblems) {
      problems_.push_back({ErrorKind::InvalidInput, message});
    }
  }

  static constexpr std::size_t MaxProblems = 1000;
  Problems problems_;
  std::string failure_;
  bool is_done_ = false;
};

Result<Problems> read_api(const RuleQuestion& question, kube::ApiAccess access,
                          cache::ServiceCache& cache) {
  boost::asio::io_context context{1};
  OneReading reading;
  const std::string server = access.endpoint.to_text();
  auto source = open_node_source(context, std::move(access), node_name(question.config), {},
                                 "waypost", cache, reading);
  if (!source) {
    return std::unexpected(std::move(source.error()));
  }
  const auto deadline = std::chrono::steady_clock::now() + ApiPatience;
  while (!reading.is_done() && reading.failure_reason().empty() &&
         context.run_one_until(deadline) != 0) {
  }
  if (reading.is_done()) {
    return reading.take_problems();
  }
  return failure(ErrorKind::System, !reading.failure_reason().empty()
                                        ? reading.failure_reason()
                                        : server +
                                              " has not given every Service and endpoint within " +
                                              std::to_string(ApiPatience.count()) + " s");
}

// Whether the rules that a packet is to meet are there already.
bool has_rules(const RuleQuestion& question) {
  return question.packet && (question.packet->is_through_kernel || question.packet->saved_rules);
}

Result<Problems> read_world(const RuleQuestion& question, Planned& planned) {
  const sources::ManifestOptions& manifests = question.config.manifests;
  if (!manifests.files.empty() || !manifests.folder.empty()) {
    return read_manifests(question, planned.cache);
  }
  auto access = api_access(question.config.api);
  if (access) {
    return read_api(question, std::move(*access), planned.cache);
  }
  if (has_rules(question) && access.error().kind == ErrorKind::NotFound) {
    planned.has_services = false;
    return Problems();
  }
  return std::unexpected(std::move(access.error()));
}

// ---- Rules ------------------------------------------------------------------------------------

// As waypost-node finds them out on its host, or as they are given.
Result<void> find_facts(const RuleQuestion& question, Planned& planned) {
  const NodeConfig& config = question.config;
  const kube::Node* known = planned.cache.find_node(node_name(config));
  const auto node = known != nullptr ? std::optional(*known) : std::nullopt;
  if (question.node_addresses.empty()) {
    auto addresses = proxy::own_addresses();
    if (!addresses) {
      return std::unexpected(std::move(addresses.error()));
    }
    planned.facts = node_facts(config, std::move(*addresses), default_addresses(), node);
    planned.config = rules_on_host(config);
    planned.families = {kube::IpFamily::V4};
    if (has_ipv6()) {
      planned.families.push_back(kube::IpFamily::V6);
    }
    return {};
  }
  std::vector<IpAddress> addresses = question.node_addresses;
  for (const char* loopback : {"127.0.0.1", "::1"}) {
    addresses.push_back(*IpAddress::from_text(loopback));
  }
  planned.facts = node_facts(config, std::move(addresses), question.node_addresses, node);
  planned.config = config.proxy;
  planned.families = {kube::IpFamily::V4, kube::IpFamily::V6};
  return {};
}

Result<std::unique_ptr<Planned>> plan(const RuleQuestion& question, Problems& problems) {
  auto planned = std::make_unique<Planned>();
  auto found = read_world(question, *planned);
  if (!found) {
    return std::unexpected(std::move(found.error()));
  }
  problems = std::move(*found);
  if (const Result<void> known = find_facts(question, *planned); !known) {
    return std::unexpected(known.error());
  }
  if (!is_complete(planned->config, planned->facts) && !has_rules(question)) {
    return failure(ErrorKind::NotFound, "detect-local-mode: found no spec.podCIDRs of the node " +
                                            planned->facts.name +
                                            "; waypost-node programs nothing until they are known");
  }
  for (const kube::IpFamily family : {kube::IpFamily::V4, kube::IpFamily::V6}) {
    auto compiler = std::make_unique<proxy::Compiler>(family, planned->config, planned->facts);
    planned->cache.for_each_service(
        [&](const kube::ObjectKey& key, const cache::ServiceState& state) {
          compiler->apply(key, state);
        });
    compiler->settle();
    for (const auto& [key, reason] : compiler->quarantined()) {
      problems.push_back(
          {ErrorKind::InvalidInput, "Service " + key.to_text() + " is left out: " + reason});
    }
    planned->compilers[static_cast<std::size_t>(family)] = std::move(compiler);
  }
  return planned;
}

std::string plan_text(Planned& planned) {
  std::string text;
  for (const kube::IpFamily family : planned.families) {
    const proxy::Compiler& compiler = planned.compiler(family);
    const proxy::RuleSet& rules = compiler.rules();
    text += "# Input of ";
    text += family == kube::IpFamily::V4 ? "iptables" : "ip6tables";
    text += "-restore --noflush: " + std::to_string(compiler.counts().services) + " Services, " +
            std::to_string(rules.rule_count(proxy::Table::Nat) +
                           rules.rule_count(proxy::Table::Filter)) +
            " rules.\n";
    text += to_text(rules);
  }
  return text;
}

// ---- A packet ---------------------------------------------------------------------------------

Result<proxy::Packet> parse_packet(const PacketQuestion& question, const proxy::NodeFacts& facts) {
  proxy::Packet packet;
  const auto source = IpAddress::from_text(question.source);
  if (!source) {
    return failure(ErrorKind::InvalidInput,
                   "found the source '" + question.source + "', expected an IP address");
  }
  const std::size_t slash = question.destination.rfind('/');
  const std::string protocol =
      slash == std::string::npos ? "tcp" : question.destination.substr(slash + 1);
  const auto destination = SocketAddress::from_text(question.destination.substr(0, slash));
  if (!destination || (protocol != "tcp" && protocol != "udp" && protocol != "sctp")) {
    return failure(ErrorKind::InvalidInput,
                   "found the destination '" + question.destination +
                       "', expected ADDRESS:PORT/PROTOCOL such as 10.96.0.10:53/udp");
  }
  if (destination->address.is_v4() != source->is_v4()) {
    return failure(ErrorKind::InvalidInput,
                   "source and destination are of different address families");
  }
  packet.source = *source;
  packet.destination = destination->address;
  packet.port = destination->port;
  packet.protocol = protocol == "tcp"   ? kube::Protocol::Tcp
                    : protocol == "udp" ? kube::Protocol::Udp
                                        : kube::Protocol::Sctp;
  packet.in_interface = question.interface;
  const bool is_own =
      std::find(facts.addresses.begin(), facts.addresses.end(), *source) != facts.addresses.end();
  packet.origin = is_own || source->is_loopback() ? proxy::Origin::Host : proxy::Origin::Network;
  return packet;
}

Result<proxy::SavedRules> read_saved_rules(const std::filesystem::path& path) {
  auto text = read_input(path.string());
  if (!text) {
    return std::unexpected(std::move(text.error()));
  }
  auto saved = proxy::parse_saved_rules(*text);
  if (!saved) {
    return std::unexpected(with_context(std::move(saved.error()), path.string()));
  }
  return saved;
}

// Whether this process may ask for the kernel's rules: CAP_NET_ADMIN is among its effective
// capabilities (capabilities(7), proc(5)).  Where that cannot be found out, asking will tell.
bool may_ask_kernel() {
  constexpr unsigned NetAdmin = 12;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:\t")) {
      std::uint64_t effective = 0;
      std::from_chars(line.data() + 8, line.data() + line.size(), effective, 16);
      return (effective >> NetAdmin & 1U) != 0;
    }
  }
  return true;
}

struct KernelRules {
  proxy::SavedRules saved;
  std::string origin;  // Which they are, in a line.
};

bool has_own_chain(const proxy::RuleSet& rules) {
  bool has = false;
  for (const proxy::Table table : {proxy::Table::Nat, proxy::Table::Filter}) {
    rules.for_each(table, [&](const proxy::ChainPointer& chain) {
      has = has || proxy::is_removable_chain(table, chain->name());
    });
  }
  return has;
}

Result<KernelRules> read_kernel_rules(std::optional<proxy::Backend> wanted, kube::IpFamily family) {
  if (!may_ask_kernel()) {
    return failure(ErrorKind::System,
                   "--kernel: this process may not read the kernel's rules, expected one with "
                   "CAP_NET_ADMIN, such as root's");
  }
  boost::asio::io_context context{1};
  const auto choice = run_to_end(context, proxy::detect_backend(wanted));
  if (!choice) {
    return std::unexpected(with_context(choice.error(), "--kernel"));
  }
  const std::string program = proxy::program_name(choice->backend, family, "save");
  std::string text;
  const Result<void> done =
      run_to_end(context, proxy::save_all(choice->backend, family,
                                          [&](std::string_view piece) { text.append(piece); }));
  if (!done) {
    return std::unexpected(with_context(done.error(), "--kernel"));
  }
  auto saved = proxy::parse_saved_rules(text);
  if (!saved) {
    return std::unexpected(with_context(std::move(saved.error()), "--kernel: " + program));
  }
  if (!has_own_chain(saved->rules)) {
    return failure(ErrorKind::NotFound,
                   "--kernel: " + program +
                       " has no chains of a Service proxy; is waypost-node running in this network "
                       "namespace?");
  }
  return KernelRules{std::move(*saved),
                     "in the kernel, by " + program + " (" + choice->reason + "):"};
}

Result<std::string> packet_text(Planned& planned, const RuleQuestion& question) {
  const auto packet = parse_packet(*question.packet, planned.facts);
  if (!packet) {
    return std::unexpected(packet.error());
  }
  std::vector<std::string> lines;
  if (planned.has_services) {
    lines = proxy::explain_services(planned.cache, planned.config, planned.facts, *packet);
  } else {
    lines.emplace_back(
        "nothing says where Services come from; of the packet's only the way is known");
  }
  const auto add = [&](std::vector<std::string> more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  if (question.packet->saved_rules) {
    const auto saved = read_saved_rules(*question.packet->saved_rules);
    if (!saved) {
      return std::unexpected(saved.error());
    }
    add(proxy::explain_ways(saved->rules, planned.facts, *packet, saved->dropping));
  } else if (question.packet->is_through_kernel) {
    const auto kernel =
        read_kernel_rules(question.config.backend, kube::family_of(packet->destination));
    if (!kernel) {
      return std::unexpected(kernel.error());
    }
    lines.push_back(kernel->origin);
    add(proxy::explain_ways(kernel->saved.rules, planned.facts, *packet, kernel->saved.dropping));
  } else {
    add(proxy::explain_ways(planned.compiler(kube::family_of(packet->destination)).rules(),
                            planned.facts, *packet));
  }
  std::string text;
  for (const std::string& line : lines) {
    text.append(line).push_back('\n');
  }
  return text;
}

}  // namespace

Result<RuleReport> answer(const RuleQuestion& question) {
  RuleReport report;
  auto planned = plan(question, report.problems);
  if (!planned) {
    return std::unexpected(std::move(planned.error()));
  }
  if (!question.packet) {
    report.text = plan_text(**planned);
    return report;
  }
  auto text = packet_text(**planned, question);
  if (!text) {
    return std::unexpected(std::move(text.error()));
  }
  report.text = std::move(*text);
  return report;
}

}  // namespace waypost::ops
