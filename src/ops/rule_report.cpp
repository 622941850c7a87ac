#include "ops/rule_report.h"

#include "base/file.h"
#include "cache/service_cache.h"
#include "ops/run_to_end.h"
#include "proxy/address_watch.h"
#include "proxy/backend.h"
#include "proxy/chain_name.h"
#include "proxy/compiler.h"
#include "proxy/evaluator.h"
#include "proxy/explanation.h"
#include "proxy/rule_parser.h"
#include "proxy/saved_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>

namespace waypost::ops {
namespace {

// The world of the question, and the rules of both families for it.
struct Planned {
  cache::ServiceCache cache;
  proxy::NodeFacts facts;
  std::array<std::unique_ptr<proxy::Compiler>, 2> compilers;  // By kube::IpFamily.

  proxy::Compiler& compiler(kube::IpFamily family) {
    return *compilers[static_cast<std::size_t>(family)];
  }
};

Result<void> add_addresses(const RuleQuestion& question, proxy::NodeFacts& facts) {
  for (const char* loopback : {"127.0.0.1", "::1"}) {
    facts.addresses.push_back(*IpAddress::from_text(loopback));
  }
  if (question.packet && question.packet->is_through_kernel) {
    const auto own = proxy::own_addresses();
    if (!own) {
      return std::unexpected(own.error());
    }
    facts.addresses.insert(facts.addresses.end(), own->begin(), own->end());
  }
  return {};
}

Result<std::unique_ptr<Planned>> plan(const RuleQuestion& question, Problems& problems) {
  auto planned = std::make_unique<Planned>();
  sources::ManifestOptions options = question.manifests;
  options.decode.traffic = true;
  sources::ManifestSource source(options, planned->cache);
  Problems found = source.load();
  if (!planned->cache.is_synced()) {
    return std::unexpected(found.empty() ? Error{ErrorKind::System, "no manifests could be read"}
                                         : std::move(found.front()));
  }
  for (Error& problem : found) {
    if (problem.kind !=
        ErrorKind::InvalidInput) {  // A file that cannot be read, not what is in it.
      return std::unexpected(std::move(problem));
    }
  }
  problems = std::move(found);

  planned->facts = question.facts;
  if (const Result<void> added = add_addresses(question, planned->facts); !added) {
    return std::unexpected(added.error());
  }
  for (const kube::IpFamily family : {kube::IpFamily::V4, kube::IpFamily::V6}) {
    auto compiler = std::make_unique<proxy::Compiler>(family, question.config, planned->facts);
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
  for (const kube::IpFamily family : {kube::IpFamily::V4, kube::IpFamily::V6}) {
    const proxy::Compiler& compiler = planned.compiler(family);
    if (family == kube::IpFamily::V6 && compiler.counts().services == 0) {
      continue;
    }
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

Result<std::string> read_standard_input() {
  std::string text;
  std::array<char, 65536> piece{};
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), stdin)) {
    text.append(piece.data(), size);
    if (text.size() > MaxFileSize) {
      return failure(ErrorKind::Exhausted,
                     "standard input is larger than " + std::to_string(MaxFileSize >> 20) + " MiB");
    }
  }
  return text;
}

Result<proxy::SavedRules> read_saved_rules(const std::filesystem::path& path) {
  auto text = path == "-" ? read_standard_input() : read_file(path);
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

Result<KernelRules> read_kernel_rules(const PacketQuestion& question, kube::IpFamily family) {
  if (!may_ask_kernel()) {
    return failure(ErrorKind::System,
                   "--kernel: this process may not read the kernel's rules, expected one with "
                   "CAP_NET_ADMIN, such as root's");
  }
  boost::asio::io_context context{1};
  const auto choice = run_to_end(context, proxy::detect_backend(question.backend));
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
  std::vector<std::string> lines =
      proxy::explain_services(planned.cache, question.config, planned.facts, *packet);
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
    const auto kernel = read_kernel_rules(*question.packet, kube::family_of(packet->destination));
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
