#include "ops/peer_flags.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::string_view NoInterface =
    "waypost-node --dns=true answers on addresses of the node's own";

constexpr auto Table = std::to_array<PeerFlag>({
    {"conf", "CoreDNS", "conf", "The Corefile."},
    {"dns.port", "CoreDNS", "dns-port", "The port of server blocks that name none."},
    {"p", "CoreDNS", "dns-port", "The same."},
    {"quiet", "CoreDNS", "quiet", "Nothing is printed on stdout."},
    {"version", "CoreDNS", "version", "Prints the version."},
    {"plugins", "CoreDNS", "plugins", "Prints the directives that a Corefile may have."},
    {"pidfile", "CoreDNS", "", "who starts the program knows its process"},
    {"domain", "kube-dns", "cluster-domain", "The zone of the cluster."},
    {"dns-port", "kube-dns", "dns-port", "The port to answer on."},
    {"kubecfg-file", "kube-dns", "kubeconfig", "How to reach the API server."},
    {"kube-master-url", "kube-dns", "api-server", "Where the API server is."},
    {"nameservers", "kube-dns", "forward", "Who is asked for all other names."},
    {"config-dir", "kube-dns", "config-dir",
     "The folder with the files stubDomains and upstreamNameservers, which is followed. What "
     "kube-dns "
     "does without being told holds, and GET /readiness answers at port 8081 unless --ready-listen "
     "is "
     "given."},
    {"config-map", "kube-dns", "",
     "'waypost convert-corefile' makes a configuration file of the ConfigMap"},
    {"config-map-namespace", "kube-dns", "",
     "'waypost convert-corefile' makes a configuration file of the ConfigMap"},
    {"config-period", "kube-dns", "", "a changed file is read at once"},
    {"dns-bind-address", "kube-dns", "", "use --listen ADDRESS:PORT"},
    {"federations", "kube-dns", "", "federations are gone from Kubernetes; use --stub-domains"},
    {"healthz-port", "kube-dns", "", "use --health-listen and --ready-listen"},
    {"initial-sync-timeout", "kube-dns", "",
     "the start does not wait; until the cluster is known its names are SERVFAIL"},
    {"alsologtostderr", "kube-dns", "", "the log is on stderr; leave it out"},
    {"log_dir", "kube-dns", "", "the log is on stderr; leave it out"},
    {"logtostderr", "kube-dns", "", "the log is on stderr; leave it out", "true"},
    {"profiling", "kube-dns", "", "use perf(1)", "false"},
    {"stderrthreshold", "kube-dns", "", "use --log-level"},
    {"v", "kube-dns", "v", "From 4 on `logLevel: debug`, unless --log-level is given."},
    {"vmodule", "kube-dns", "", "use --log-level"},
    {"basecorefile", "node-cache", "", "put the addresses into the file and use -conf"},
    {"corefile", "node-cache", "", "use -conf"},
    {"health-port", "node-cache", "", "use --health-listen"},
    {"interfacename", "node-cache", "", NoInterface},
    {"kubednscm", "node-cache", "",
     "'waypost convert-corefile' makes a configuration file of the ConfigMap"},
    {"localip", "node-cache", "", NoInterface},
    {"metrics-listen-address", "node-cache", "metrics-listen", "Where GET /metrics answers."},
    {"reloadwithsignal", "node-cache", "", "a changed file is read at once; leave it out"},
    {"setupebtables", "node-cache", "", NoInterface, "false"},
    {"setupinterface", "node-cache", "", NoInterface, "false"},
    {"setupiptables", "node-cache", "", NoInterface, "false"},
    {"skipteardown", "node-cache", "", "there is nothing to tear down; leave it out"},
    {"syncinterval", "node-cache", "", "there is nothing to set up again; leave it out"},
    {"upstreamsvc", "node-cache", "", "name the address of the Service in forward"},
});

const PeerFlag* find_peer_flag(std::string_view name) {
  const auto found = std::find_if(Table.begin(), Table.end(),
                                  [&](const PeerFlag& each) { return each.flag == name; });
  return found == Table.end() ? nullptr : &*found;
}

struct NodeCacheFlag {
  std::string_view flag;
  std::string_view instead;
};

constexpr std::string_view AlwaysDone = "it is always done, verified, and undone; leave it out";
constexpr std::string_view Converted =
    "use --dns-config; 'waypost convert-corefile' prints what the file has to say";

constexpr auto OfNodeCache = std::to_array<NodeCacheFlag>({
    {"localip",
     "use --dns=true, --dns-addresses for addresses such as 169.254.20.10, and "
     "--dns-cluster-addresses for that of the Service kube-dns"},
    {"conf", Converted},
    {"corefile", Converted},
    {"basecorefile", Converted},
    {"kubednscm", Converted},
    {"upstreamsvc", "nobody is asked for the cluster's names; leave it out"},
    {"interfacename", "use --dns-interface"},
    {"metrics-listen-address", "use --metrics-listen"},
    {"health-port", "use --healthz-listen"},
    {"setupebtables", AlwaysDone},
    {"setupinterface", AlwaysDone},
    {"setupiptables", AlwaysDone},
    {"skipteardown", AlwaysDone},
    {"syncinterval", AlwaysDone},
    {"reloadwithsignal", "a changed file is read at once; leave it out"},
    {"dns.port", "the port is 53; leave it out"},
    {"pidfile", "who starts the program knows its process; leave it out"},
});

// The name of a flag with one dash or two; empty: it is none.
std::string_view flag_name(std::string_view argument) {
  const std::size_t start = std::min(argument.find_first_not_of('-'), argument.size());
  return start == 0 || start > 2 ? std::string_view()
                                 : argument.substr(start, argument.find('=') - start);
}

}  // namespace

std::span<const PeerFlag> peer_flags() noexcept {
  return Table;
}

std::vector<std::string> with_own_flags(std::span<const char* const> arguments,
                                        Problems& problems) {
  std::vector<std::string> out;
  bool skips_value = false;  // Of a flag that was refused.
  for (const char* const argument : arguments) {
    const std::string_view text = argument;
    const std::string_view name = flag_name(text);
    if (name.empty()) {
      if (!skips_value) {
        out.emplace_back(text);
      }
      skips_value = false;
      continue;
    }
    skips_value = false;
    const std::size_t equals = std::min(text.find('='), text.size());
    const PeerFlag* peer = find_peer_flag(name);
    if (peer == nullptr) {
      out.emplace_back(text);
      continue;
    }
    if (!peer->own.empty()) {
      out.push_back("--" + std::string(peer->own) + std::string(text.substr(equals)));
    } else if (peer->always.empty() ||
               (equals == text.size() ? "true" : text.substr(equals + 1)) != peer->always) {
      problems.push_back(
          {ErrorKind::InvalidInput, std::string(text.substr(0, equals)) + ": a flag of " +
                                        std::string(peer->program) +
                                        ", not offered here: " + std::string(peer->text)});
      skips_value = equals == text.size();
    }
  }
  return out;
}

std::vector<const char*> without_node_cache_flags(std::span<const char* const> arguments,
                                                  Problems& problems) {
  std::vector<const char*> out;
  bool skips_value = false;
  for (const char* const argument : arguments) {
    const std::string_view text = argument;
    const std::string_view name = flag_name(text);
    const auto found = std::find_if(OfNodeCache.begin(), OfNodeCache.end(),
                                    [&](const NodeCacheFlag& each) { return each.flag == name; });
    if (!name.empty() && found != OfNodeCache.end()) {
      problems.push_back(
          {ErrorKind::InvalidInput, std::string(text.substr(0, text.find('='))) +
                                        ": a flag of node-cache: " + std::string(found->instead)});
      skips_value = text.find('=') == std::string_view::npos;
    } else if (!std::exchange(skips_value, false) || !name.empty()) {
      out.push_back(argument);
    }
  }
  return out;
}

}  // namespace waypost::ops
