#include "ops/peer_flags.h"

#include <algorithm>
#include <array>

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
    {"config-dir", "kube-dns", "",
     "'waypost convert-corefile' makes a configuration file of the ConfigMap"},
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
    {"logtostderr", "kube-dns", "", "the log is on stderr; leave it out"},
    {"profiling", "kube-dns", "", "use perf(1)", true},
    {"v", "kube-dns", "", "use --log-level"},
    {"basecorefile", "node-cache", "", "put the addresses into the file and use -conf"},
    {"health-port", "node-cache", "", "use --health-listen"},
    {"interfacename", "node-cache", "", NoInterface},
    {"localip", "node-cache", "", NoInterface},
    {"metrics-listen-address", "node-cache", "metrics-listen", "Where GET /metrics answers."},
    {"setupebtables", "node-cache", "", NoInterface, true},
    {"setupinterface", "node-cache", "", NoInterface, true},
    {"setupiptables", "node-cache", "", NoInterface, true},
    {"skipteardown", "node-cache", "", "there is nothing to tear down; leave it out"},
    {"syncinterval", "node-cache", "", "there is nothing to set up again; leave it out"},
    {"upstreamsvc", "node-cache", "", "name the address of the Service in forward"},
});

const PeerFlag* find_peer_flag(std::string_view name) {
  const auto found = std::find_if(Table.begin(), Table.end(),
                                  [&](const PeerFlag& each) { return each.flag == name; });
  return found == Table.end() ? nullptr : &*found;
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
    const std::size_t start = std::min(text.find_first_not_of('-'), text.size());
    if (start == 0 || start > 2) {
      if (!skips_value) {
        out.emplace_back(text);
      }
      skips_value = false;
      continue;
    }
    skips_value = false;
    const std::size_t equals = std::min(text.find('='), text.size());
    const PeerFlag* peer = find_peer_flag(text.substr(start, equals - start));
    if (peer == nullptr) {
      out.emplace_back(text);
      continue;
    }
    if (!peer->own.empty()) {
      out.push_back("--" + std::string(peer->own) + std::string(text.substr(equals)));
    } else if (!peer->may_be_false || text.substr(equals) != "=false") {
      problems.push_back(
          {ErrorKind::InvalidInput, std::string(text.substr(0, equals)) + ": a flag of " +
                                        std::string(peer->program) +
                                        ", not offered here: " + std::string(peer->text)});
      skips_value = equals == text.size();
    }
  }
  return out;
}

}  // namespace waypost::ops
