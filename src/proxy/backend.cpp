#include "proxy/backend.h"

#include "proxy/chain_name.h"
#include "proxy/saved_rules.h"

#include <utility>

namespace waypost::proxy {
namespace {

namespace asio = boost::asio;

constexpr std::array<Backend, 2> Backends = {Backend::Nft, Backend::Legacy};

const BackendFinding& of(const std::array<BackendFinding, 2>& found, Backend backend) {
  return found[static_cast<std::size_t>(backend)];
}

Backend other(Backend backend) noexcept {
  return backend == Backend::Nft ? Backend::Legacy : Backend::Nft;
}

constexpr std::string_view HintReason = "the kubelet's hint chains are there";
constexpr std::string_view ProxyReason = "chains of a Service proxy are there";

// Why a backend is the one to use, strongest first: the kubelet knows how its host is set up
// (KEP-3178), a proxy before us chose already, and a network plugin has to share hooks with us.
std::string reason_for(const BackendFinding& finding) {
  if (finding.hint_chains != 0) {
    return std::string(HintReason);
  }
  if (finding.own_chains != 0) {
    return std::string(ProxyReason);
  }
  if (finding.other_chains + finding.other_rules != 0) {
    return "it has " + std::to_string(finding.other_chains) + " chains and " +
           std::to_string(finding.other_rules) + " rules of others";
  }
  return {};
}

std::unexpected<Error> would_mix(Backend backend, std::string_view why, std::string_view rival_has,
                                 std::string_view advice) {
  return failure(ErrorKind::InvalidInput,
                 std::string(to_text(backend))
                     .append(" ")
                     .append(why)
                     .append(", but ")
                     .append(rival_has)
                     .append(" in ")
                     .append(to_text(other(backend)))
                     .append(", and rules in both would both be in force; ")
                     .append(advice)
                     .append("remove them (waypost-node --cleanup removes a Service proxy's)"));
}

}  // namespace

void BackendProbe::take_line(const SavedLine& line) {
  if (line.kind == SavedLine::Kind::Table) {
    is_in_mangle_ = line.text == "*mangle";
  } else if (is_in_mangle_ && line.kind == SavedLine::Kind::Rule &&
             (line.chain == CanaryChain || target_of(line.rule) == CanaryChain)) {
    finding_.has_mangle_canary = false;
  }
  if (line.kind == SavedLine::Kind::Chain) {
    if (is_in_mangle_ && line.chain == CanaryChain) {
      finding_.has_mangle_canary = true;  // Rules come after chains.
    } else if (line.chain == "KUBE-IPTABLES-HINT" || line.chain == "KUBE-KUBELET-CANARY") {
      ++finding_.hint_chains;
    } else if (line.table && is_removable_chain(*line.table, line.chain)) {
      ++finding_.own_chains;
      finding_.has_raw_chains = finding_.has_raw_chains || *line.table == Table::Raw;
    } else if (line.policy == "-" && line.chain != FirewallChain) {
      ++finding_.other_chains;
    }
  } else if (line.kind == SavedLine::Kind::Rule) {
    const auto is_ours = [&](std::string_view name) {
      return name == FirewallChain || (line.table && is_own_chain(*line.table, name));
    };
    if (!is_ours(line.chain) && !is_ours(target_of(line.rule))) {
      ++finding_.other_rules;
    }
  }
}

Result<BackendChoice> choose_backend(const std::array<BackendFinding, 2>& found,
                                     std::optional<Backend> wanted) {
  if (wanted) {
    if (!of(found, *wanted).is_installed) {
      return failure(ErrorKind::NotFound,
                     std::string(to_text(*wanted)) + ": " + of(found, *wanted).problem);
    }
    const BackendFinding& rival = of(found, other(*wanted));
    if (rival.own_chains != 0) {
      return would_mix(*wanted, "is asked for", ProxyReason, "use that, or ");
    }
    if (rival.hint_chains != 0 && of(found, *wanted).hint_chains == 0) {
      return would_mix(*wanted, "is asked for", HintReason, "use that, or ");
    }
    return BackendChoice{*wanted, "it was asked for"};
  }
  std::optional<Backend> usable;
  for (const Backend backend : Backends) {
    if (of(found, backend).is_installed && !usable) {
      usable = backend;
    }
  }
  if (!usable) {
    return failure(ErrorKind::NotFound, "neither backend of iptables can be used: " +
                                            found[0].problem + "; " + found[1].problem);
  }
  for (const auto count : {&BackendFinding::hint_chains, &BackendFinding::own_chains}) {
    const std::size_t nft = of(found, Backend::Nft).*count;
    const std::size_t legacy = of(found, Backend::Legacy).*count;
    if (nft != 0 && legacy != 0 && count == &BackendFinding::own_chains) {
      return failure(ErrorKind::InvalidInput,
                     "chains of a Service proxy are in both iptables-nft and iptables-legacy; "
                     "remove those of one (waypost-node --cleanup removes both)");
    }
    if ((nft != 0) != (legacy != 0)) {
      const Backend backend = nft != 0 ? Backend::Nft : Backend::Legacy;
      if (of(found, other(backend)).own_chains != 0) {
        return would_mix(backend, "is what the kubelet uses", ProxyReason, "");
      }
      return BackendChoice{backend, reason_for(of(found, backend))};
    }
  }
  const auto weight = [&](Backend backend) {
    return of(found, backend).other_chains + of(found, backend).other_rules;
  };
  if (weight(Backend::Nft) != weight(Backend::Legacy)) {
    const Backend backend =
        weight(Backend::Nft) > weight(Backend::Legacy) ? Backend::Nft : Backend::Legacy;
    return BackendChoice{backend, reason_for(of(found, backend)) + ", more than the other"};
  }
  return BackendChoice{*usable, "neither has rules of others"};
}

asio::awaitable<Result<BackendChoice>> detect_backend(std::optional<Backend> wanted) {
  std::array<BackendFinding, 2> found;
  for (const Backend backend : Backends) {
    BackendProbe probe;
    const Result<void> v4 = co_await save_all(backend, kube::IpFamily::V4,
                                              [&](std::string_view piece) { probe.take(piece); });
    // A node without IPv6 has no IPv6 tables; that is no reason against the backend.
    (void)co_await save_all(backend, kube::IpFamily::V6,
                            [&](std::string_view piece) { probe.take(piece); });
    probe.finding().is_installed = v4.has_value();
    probe.finding().problem = v4 ? std::string() : v4.error().message;
    found[static_cast<std::size_t>(backend)] = probe.finding();
  }
  co_return choose_backend(found, wanted);
}

}  // namespace waypost::proxy
