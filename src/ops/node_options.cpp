#include "ops/node_options.h"

#include "base/ip_address.h"
#include "kube/names.h"
#include "kube/traffic_decoders.h"
#include "ops/node_facts.h"
#include "ops/option_values.h"
#include "ops/text.h"
#include "proxy/local_device.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace waypost::ops {
namespace {

Result<void> put_name(std::string& target, const std::string& text) {
  if (!kube::is_dns_subdomain(text)) {
    return unlike_expected();
  }
  target = text;
  return {};
}

Result<void> put_prefix(std::vector<IpPrefix>& target, const std::string& text) {
  const auto prefix = IpPrefix::from_text(text);
  if (!prefix) {
    return because(prefix.error().message);
  }
  target.push_back(*prefix);
  return {};
}

// As kube-proxy reads them: host bits do not count, nor do leading zeros and blanks around.
Result<void> put_lenient_prefix(std::vector<IpPrefix>& target, const std::string& text) {
  const auto prefix = kube::parse_lenient_prefix(text);
  if (!prefix) {
    return put_prefix(target, text);
  }
  target.push_back(*prefix);
  return {};
}

// Whether the last prefix is the only one of its family.
Result<void> check_last_family(const std::vector<IpPrefix>& target) {
  const auto family = kube::family_of(target.back().base());
  const auto same = std::count_if(target.begin(), target.end(), [&](const IpPrefix& other) {
    return kube::family_of(other.base()) == family;
  });
  return same == 1 ? Result<void>() : because("it is the second of its family");
}

Result<void> put_manifests(NodeConfig& config, const std::string& text) {
  return put_folder(config.manifests.folder, text);
}

Result<void> put_kubeconfig(NodeConfig& config, const std::string& text) {
  config.api.kubeconfig = text;
  return {};
}

Result<void> put_api_server(NodeConfig& config, const std::string& text) {
  config.api.server = text;
  return {};
}

Result<void> put_service_cidrs(NodeConfig& config, const std::string& text) {
  std::vector<IpPrefix>& cidrs = config.manifests.service_cidrs;
  const Result<void> done = put_prefix(cidrs, text);
  return done ? check_last_family(cidrs) : done;
}

Result<void> put_node_name(NodeConfig& config, const std::string& text) {
  return put_name(config.node_name, as_node_name(text));
}

Result<void> put_node_zone(NodeConfig& config, const std::string& text) {
  config.node_zone = text;
  return {};
}

Result<void> add_of_its_family(std::vector<IpAddress>& list, const IpAddress& address) {
  for (const IpAddress& other : list) {
    if (other.is_v4() == address.is_v4()) {
      return because("it is the second of its family");
    }
  }
  list.push_back(address);
  return {};
}

Result<void> put_node_ip(NodeConfig& config, const std::string& text) {
  const auto address = IpAddress::from_text(text);
  if (!address) {
    return unlike_expected();
  }
  if (address->is_unspecified() || *address == IpAddress::v4(0, 0, 0, 0)) {
    return {};  // kube-proxy's bindAddress by default: find out.
  }
  return add_of_its_family(config.node_ips, *address);
}

Result<void> put_cluster_cidr(NodeConfig& config, const std::string& text) {
  std::vector<IpPrefix>& cidrs = config.proxy.source_cidrs;
  const Result<void> done = put_lenient_prefix(cidrs, text);
  return done ? check_last_family(cidrs) : done;
}

Result<void> put_detector(NodeConfig& config, const std::string& text) {
  using proxy::LocalDetector;
  return put_word<LocalDetector>(config.proxy.local_detector, text,
                                 {{"ClusterCIDR", LocalDetector::SourceCidr},
                                  {"NodeCIDR", LocalDetector::NodeCidr},
                                  {"BridgeInterface", LocalDetector::Bridge},
                                  {"InterfaceNamePrefix", LocalDetector::InterfacePrefix}});
}

Result<void> put_interface_name(std::string& target, const std::string& text) {
  if (text.empty() || text.size() > proxy::MaxDeviceName ||
      text.find_first_of(" /+\t\"") != std::string::npos) {
    return unlike_expected();
  }
  target = text;
  return {};
}

Result<void> put_interface(NodeConfig& config, const std::string& text) {
  return put_interface_name(config.proxy.interface, text);
}

Result<void> put_backend(NodeConfig& config, const std::string& text) {
  using proxy::Backend;
  return put_word<std::optional<Backend>>(config.backend, text,
                                          {{"auto", std::nullopt},
                                           {to_text(Backend::Nft), Backend::Nft},
                                           {to_text(Backend::Legacy), Backend::Legacy}});
}

Result<void> put_mode(NodeConfig& /*config*/, const std::string& text) {
  return text == "iptables" ? Result<void>() : unlike_expected();
}

Result<void> put_node_port_addresses(NodeConfig& config, const std::string& text) {
  using proxy::NodePortScope;
  if (text == "all" || text == "primary") {
    if (!config.proxy.node_port_ranges.empty()) {
      return because("it stands for itself, without prefixes");
    }
    config.proxy.node_port_scope = text == "all" ? NodePortScope::All : NodePortScope::Primary;
    return {};
  }
  if (config.proxy.node_port_scope == NodePortScope::Primary) {
    return because("'primary' stands for itself, without prefixes");
  }
  config.proxy.node_port_scope = NodePortScope::Ranges;
  return put_lenient_prefix(config.proxy.node_port_ranges, text);
}

Result<void> put_localhost(NodeConfig& config, const std::string& text) {
  return put_boolean(config.proxy.localhost_node_ports, text);
}

Result<void> put_masquerade_all(NodeConfig& config, const std::string& text) {
  return put_boolean(config.proxy.masquerade_all, text);
}

Result<void> put_masquerade_bit(NodeConfig& config, const std::string& text) {
  return put_number(config.proxy.masquerade_bit, text, 0, 31);
}

Result<void> put_proxy(NodeConfig& config, const std::string& text) {
  return put_boolean(config.programs_services, text);
}

Result<void> put_dns(NodeConfig& config, const std::string& text) {
  return put_boolean(config.dns.is_on, text);
}

// Alone on an interface, so that it is nobody else's.
Result<void> put_dns_address(std::vector<IpAddress>& target, const std::string& text) {
  const auto address = IpAddress::from_text(text);
  if (!address) {
    return unlike_expected();
  }
  if (address->is_unspecified() || address->is_loopback()) {
    return because("it is no address that Pods can reach");
  }
  return add_of_its_family(target, *address);
}

Result<void> put_dns_local(NodeConfig& config, const std::string& text) {
  if (text == "none") {
    config.dns.has_local = false;
    return config.dns.local_addresses.empty() ? Result<void>()
                                              : because("it stands for itself, without addresses");
  }
  return config.dns.has_local ? put_dns_address(config.dns.local_addresses, text)
                              : because("'none' stands for itself, without addresses");
}

Result<void> put_dns_cluster(NodeConfig& config, const std::string& text) {
  return put_dns_address(config.dns.cluster_addresses, text);
}

Result<void> put_dns_interface(NodeConfig& config, const std::string& text) {
  return put_interface_name(config.dns.interface, text);
}

Result<void> put_dns_config(NodeConfig& config, const std::string& text) {
  config.dns.file = text;
  return {};
}

Result<void> put_period(std::chrono::milliseconds& target, const std::string& text,
                        std::chrono::milliseconds low) {
  const auto duration = go_duration_from_text(text);
  if (!duration || *duration < low || *duration > std::chrono::hours(24)) {
    return unlike_expected();
  }
  target = *duration;
  return {};
}

Result<void> put_sync_period(NodeConfig& config, const std::string& text) {
  return put_period(config.sync_period, text, std::chrono::seconds(1));
}

Result<void> put_min_sync_period(NodeConfig& config, const std::string& text) {
  return put_period(config.min_sync_period, text, std::chrono::seconds(0));
}

Result<void> put_be_liberal(NodeConfig& config, const std::string& text) {
  return put_boolean(config.sets_be_liberal, text);
}

Result<void> put_address(std::vector<SocketAddress>& target, const std::string& text,
                         std::uint16_t default_port) {
  auto address = SocketAddress::from_text(text);
  if (!address) {
    const auto bare = IpAddress::from_text(text);  // As kube-proxy's flags allow.
    if (!bare) {
      return unlike_expected();
    }
    address = SocketAddress{*bare, default_port};
  }
  // As for programs in Go, that of either family stands for both.
  if (address->address.is_unspecified()) {
    target = {{IpAddress::v4(0, 0, 0, 0), address->port}, {IpAddress(), address->port}};
  } else {
    target = {*address};
  }
  return {};
}

Result<void> put_metrics(NodeConfig& config, const std::string& text) {
  return put_address(config.metrics_listen, text, 10249);
}

Result<void> put_healthz(NodeConfig& config, const std::string& text) {
  return put_address(config.healthz_listen, text, 10256);
}

Result<void> put_status_page(NodeConfig& config, const std::string& text) {
  const auto access = page_access_from_text(text);
  if (!access) {
    return unlike_expected();
  }
  config.status_page = *access;
  return {};
}

Result<void> put_log_level(NodeConfig& config, const std::string& text) {
  for (const char* level : {"debug", "info", "warn", "error"}) {
    if (text == level) {
      config.log_level = text;
      return {};
    }
  }
  return unlike_expected();
}

Result<void> put_log_format(NodeConfig& config, const std::string& text) {
  using enum log::Format;
  return put_word(config.log_format, text, {{"text", Text}, {"json", Json}});
}

Result<void> put_cleanup(NodeConfig& config, const std::string& text) {
  return put_boolean(config.cleanup, text);
}

constexpr auto Boolean = OptionForm::Boolean;
constexpr auto Number = OptionForm::Number;
constexpr auto Text = OptionForm::Text;
constexpr auto List = OptionForm::List;

constexpr std::array Options = {
    NodeOption{"manifests", "", "", Text, "FOLDER", "an existing folder", "", "",
               "The folder of Kubernetes manifests that the Services come from; followed while the "
               "program runs.",
               put_manifests},
    NodeOption{"kubeconfig", "", "clientConnection.kubeconfig", Text, "FILE", "a kubeconfig file",
               "", "the service account of the Pod around the program",
               "How to reach the API server that Services come from, without --manifests.",
               put_kubeconfig},
    NodeOption{
        "api-server", "master", "", Text, "URL", "a URL", "", "that of the kubeconfig",
        "Where the API server is, instead of the kubeconfig's, or alone without credentials.",
        put_api_server},
    NodeOption{"service-cidrs", "", "", List, "PREFIX", "prefixes, at most one of each family", "",
               "not known; those Services get one from 10.96.0.0/12 and fd00:10:96::/112",
               "Where ClusterIPs are. Packets to other addresses then skip them, and Services of "
               "the manifests that have no clusterIP get one from here.",
               put_service_cidrs},
    NodeOption{"node-name", "hostname-override", "hostnameOverride", Text, "NAME",
               "a DNS subdomain name", "", "the host's name in lower case",
               "The name of this node, as endpoints have it in nodeName. Capitals are made small.",
               put_node_name, false, true},
    NodeOption{"node-zone", "", "", Text, "ZONE", "text", "", "",
               "The zone of this node, for topology hints.", put_node_zone},
    NodeOption{"node-ip", "bind-address", "bindAddress", List, "ADDRESS",
               "addresses, at most one of each family", "",
               "those of the Node object, else of the default routes",
               "The node's own address of each family, for --nodeport-addresses primary.",
               put_node_ip},
    NodeOption{"cluster-cidr", "", "clusterCIDR", List, "PREFIX",
               "prefixes, at most one of each family", "", "",
               "Where Pods are. What comes to a ClusterIP from elsewhere is masqueraded.",
               put_cluster_cidr},
    NodeOption{"detect-local-mode", "", "detectLocalMode", Text, "MODE",
               "ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix", "",
               "ClusterCIDR when --cluster-cidr is given",
               "How packets of Pods are told from those from elsewhere: by --cluster-cidr, by the "
               "spec.podCIDRs of this node's object, or by the interface that they come in by.",
               put_detector, false, true},
    NodeOption{"pod-bridge-interface", "", "detectLocal.bridgeInterface", Text, "NAME",
               "the name of an interface", "", "",
               "The bridge that Pods are behind, for --detect-local-mode BridgeInterface.",
               put_interface, false, true},
    NodeOption{"pod-interface-name-prefix", "", "detectLocal.interfaceNamePrefix", Text, "PREFIX",
               "the beginning of interface names", "", "",
               "What Pods' interfaces are called, for --detect-local-mode InterfaceNamePrefix.",
               put_interface, false, true},
    NodeOption{"backend", "", "", Text, "BACKEND", "auto, iptables-nft or iptables-legacy", "auto",
               "",
               "Which iptables programs to use. auto takes the one in which the kubelet, a Service "
               "proxy or a network plugin has its chains already, and says why.",
               put_backend},
    NodeOption{"proxy-mode", "", "mode", Text, "MODE", "iptables", "iptables", "",
               "Accepted for compatibility.", put_mode, false, true},
    NodeOption{"nodeport-addresses", "", "nodePortAddresses", List, "PREFIX",
               "prefixes, or 'primary', or 'all'", "", "all",
               "Which addresses of this node serve NodePorts. Without a prefix of a family, all "
               "addresses of that family do.",
               put_node_port_addresses},
    NodeOption{"iptables-localhost-nodeports", "", "iptables.localhostNodePorts", Boolean, "BOOL",
               "true or false", "false", "",
               "Serves NodePorts on 127.0.0.1, too; sets route_localnet.", put_localhost},
    NodeOption{"masquerade-all", "", "iptables.masqueradeAll", Boolean, "BOOL", "true or false",
               "false", "", "Masquerades everything that goes to a ClusterIP.", put_masquerade_all},
    NodeOption{"iptables-masquerade-bit", "", "iptables.masqueradeBit", Number, "BIT",
               "a number from 0 to 31", "14", "",
               "The bit of the packet mark that asks for masquerading.", put_masquerade_bit},
    NodeOption{"iptables-sync-period", "", "iptables.syncPeriod", Text, "DURATION",
               "a duration from 1s to 24h", "30s", "",
               "How often all rules are read back and compared at the latest.", put_sync_period,
               true},
    NodeOption{"iptables-min-sync-period", "", "iptables.minSyncPeriod", Text, "DURATION",
               "a duration from 0s to 24h", "0s", "",
               "How long to rest at least after a change of rules. The rest grows with what "
               "changing costs in any case.",
               put_min_sync_period},
    NodeOption{"conntrack-tcp-be-liberal", "", "conntrack.tcpBeLiberal", Boolean, "BOOL",
               "true or false", "false", "",
               "Sets nf_conntrack_tcp_be_liberal, and drops no packet for being INVALID.",
               put_be_liberal},
    NodeOption{"proxy", "", "", Boolean, "BOOL", "true or false", "true", "",
               "Whether Services are programmed. Without, beside another Service proxy, only names "
               "are answered (--dns), and no name waits for its rules.",
               put_proxy},
    NodeOption{"dns", "", "", Boolean, "BOOL", "true or false", "false", "",
               "Answers DNS on this node: the cluster's names from what the rules are made of, "
               "other names from upstreams.",
               put_dns},
    NodeOption{"dns-addresses", "", "", List, "ADDRESS",
               "addresses, at most one of each family, or 'none'", "",
               "169.254.20.10 and fd00:169:254:20::10 with --dns",
               "The node's own addresses for DNS, equal on every node; they are on an interface of "
               "the program's.",
               put_dns_local},
    NodeOption{"dns-cluster-addresses", "", "", List, "ADDRESS",
               "addresses, at most one of each family", "", "",
               "The cluster DNS Service's addresses, which Pods have already. They are answered "
               "here as soon as the cluster's names are known; when the program ends, however it "
               "does, packets go to the cluster's DNS again.",
               put_dns_cluster},
    NodeOption{"dns-interface", "", "", Text, "NAME", "the name of an interface", "waypost-dns", "",
               "The interface that is made for these addresses.", put_dns_interface},
    NodeOption{
        "dns-config", "", "", Text, "FILE", "a file in the words of waypost-dns", "", "",
        "What is answered, who is asked for other names, and whether names of this node's Pods "
        "are completed (searchCompletion), as docs/configuration.md says; followed while the "
        "program runs.",
        put_dns_config},
    NodeOption{"metrics-listen", "metrics-bind-address", "metricsBindAddress", Text, "ADDRESS:PORT",
               "an address and a port", "127.0.0.1:10249", "",
               "Where /metrics and /proxyMode are served; 0.0.0.0 and [::] mean all addresses of "
               "both families.",
               put_metrics},
    NodeOption{"status-page", "", "", Text, "WHO", "off, local or open", "local", "",
               "Who sees the status page, at / where metrics are: nobody, clients on the loopback "
               "address, or everybody.",
               put_status_page},
    NodeOption{"healthz-listen", "healthz-bind-address", "healthzBindAddress", Text, "ADDRESS:PORT",
               "an address and a port", "0.0.0.0:10256", "",
               "Where /healthz and /livez are served; 0.0.0.0 and [::] mean all addresses of both "
               "families.",
               put_healthz},
    NodeOption{"log-level", "", "", Text, "LEVEL", "debug, info, warn or error", "info", "",
               "What is logged.", put_log_level},
    NodeOption{"log-format", "logging-format", "logging.format", Text, "FORMAT", "text or json",
               "text", "",
               "Whether a line, of the log or printed, is text or a JSON object with time, level "
               "and message.",
               put_log_format},
    NodeOption{"cleanup", "", "", Boolean, "BOOL", "true or false", "false", "",
               "Removes all rules and chains of a Service proxy, of both backends, and exits.",
               put_cleanup},
};

struct Foreign {
  std::string_view name;  // Flags begin with it, keys too.
  std::string_view reason;
};

constexpr std::array ForeignNames = {
    Foreign{"ipvs", "there is no IPVS mode"},
    Foreign{"nftables", "there is no nftables mode"},
    Foreign{"winkernel", "this is not for Windows"},
    Foreign{"conntrack", "the host's connection tracking settings are the host's"},
    Foreign{"clientConnection", "requests are few, and their form is fixed"},
    Foreign{"kube-api", "requests are few, and their form is fixed"},
    Foreign{"featureGates", "there are no feature gates"},
    Foreign{"feature-gates", "there are no feature gates"},
    Foreign{"configSyncPeriod", "changes are followed as they come"},
    Foreign{"config-sync-period", "changes are followed as they come"},
    Foreign{"oomScoreAdj", "the OOM score is its container's or unit's to set"},
    Foreign{"oom-score-adj", "the OOM score is its container's or unit's to set"},
    Foreign{"enableProfiling", "there is no profiling handler"},
    Foreign{"profiling", "there is no profiling handler"},
    Foreign{"logging", "--log-level says what is logged"},
    Foreign{"vmodule", "--log-level says what is logged"},
    Foreign{"log-flush-frequency", "every line is written at once"},
    Foreign{"log-json", "--log-format json is all there is to choose"},
    Foreign{"log-text", "--log-format text is all there is to choose"},
    Foreign{"showHiddenMetricsForVersion", "there are no hidden metrics"},
    Foreign{"show-hidden-metrics-for-version", "there are no hidden metrics"},
    Foreign{"bindAddressHardFail", "an address that cannot be bound is always an error"},
    Foreign{"bind-address-hard-fail", "an address that cannot be bound is always an error"},
    Foreign{"init-only", "nothing needs more privileges than NET_ADMIN"},
    Foreign{"write-config-to", "the configuration is what was given"},
    Foreign{"portRange", "there is no userspace mode"},
    Foreign{"udpIdleTimeout", "there is no userspace mode"},
    Foreign{"udp-timeout", "there is no userspace mode"},
    Foreign{"resourceContainer", "the program stays in the container that it is started in"},
    Foreign{"resource-container", "the program stays in the container that it is started in"},
    Foreign{"proxy-port-range", "there is no userspace mode"},
    Foreign{"windowsRunAsService", "this is not for Windows"},
};

}  // namespace

std::span<const NodeOption> node_options() noexcept {
  return Options;
}

const NodeOption* find_node_option(std::string_view name, bool is_key) noexcept {
  const auto at = std::find_if(Options.begin(), Options.end(), [&](const NodeOption& option) {
    return is_key ? !option.key.empty() && option.key == name : option.flag == name;
  });
  return at == Options.end() ? nullptr : &*at;
}

bool is_group_of_keys(std::string_view key) noexcept {
  return std::any_of(Options.begin(), Options.end(), [&](const NodeOption& option) {
    return option.key.size() > key.size() && option.key.starts_with(key) &&
           option.key[key.size()] == '.';
  });
}

// The others say "leave it alone" by 0 (conntrack.*), or have a default instead of it (durations,
// clientConnection.qps and burst), or are of modes that are not there.
bool is_zero_asked(std::string_view key) noexcept {
  return key == "oomScoreAdj";
}

std::string_view why_not_here(std::string_view name) noexcept {
  if (name == "v") {
    return "--log-level says what is logged";
  }
  const auto at =
      std::find_if(ForeignNames.begin(), ForeignNames.end(),
                   [&](const Foreign& foreign) { return name.starts_with(foreign.name); });
  return at == ForeignNames.end() ? std::string_view() : at->reason;
}

}  // namespace waypost::ops
