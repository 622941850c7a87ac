#include "ops/flags.h"
#include "ops/node_facts.h"
#include "ops/node_config.h"
#include "ops/node_options.h"

#include "base/file.h"
#include "ops/config_reader.h"
#include "unit/ops/problem_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace waypost::ops {
namespace {

// The configuration, or the problems as text, one a line.
std::expected<NodeConfig, std::string> read(std::string_view file,
                                            std::vector<const char*> arguments) {
  const auto line = parse_node_command_line(arguments);
  if (!line) {
    return std::unexpected(text_of(line.error()));
  }
  const ReadSettings settings = read_settings(file, "kube-proxy.yaml", NestedMaps::Flattened);
  REQUIRE(settings.problems.empty());
  auto config = interpret_node(settings.settings, std::get<ConfigOrigin>(*line).flags);
  if (!config) {
    return std::unexpected(text_of(config.error()));
  }
  return std::move(*config);
}

std::string problems(std::string_view file, std::vector<const char*> arguments = {}) {
  arguments.push_back("--manifests=/");
  const auto config = read(file, std::move(arguments));
  return config ? "" : config.error();
}

// What kubeadm 1.36 writes.
constexpr std::string_view Kubeadm = R"(
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: ""
  qps: 0
clusterCIDR: 10.244.0.0/16,fd00:244::/48
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
kind: KubeProxyConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""
)";

std::string file_with(std::string_view line) {
  return "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n" +
         std::string(line) + "\n";
}

}  // namespace

TEST_CASE("every default is one that its option accepts") {
  for (const NodeOption& option : node_options()) {
    if (!option.default_value.empty()) {
      NodeConfig config;
      CHECK_MESSAGE(option.put(config, std::string(option.default_value)), option.flag);
    }
  }
}

TEST_CASE("the file that kubeadm writes is taken as it is") {
  const auto config = read(Kubeadm, {"--manifests=/", "--node-name=n1"});
  REQUIRE_MESSAGE(config, (config ? "" : config.error()));
  CHECK(config->proxy.local_detector == proxy::LocalDetector::SourceCidr);
  CHECK(config->proxy.source_cidrs.size() == 2);
  CHECK(config->proxy.masquerade_bit == 14);
  CHECK(config->sync_period == std::chrono::seconds(30));
  CHECK(config->node_ips.empty());
  CHECK(config->manifests.decode.traffic);
  REQUIRE(config->metrics_listen.size() == 1);
  CHECK(config->metrics_listen[0].to_text() == "127.0.0.1:10249");
}

TEST_CASE("settings that apply are applied, from the file and from kube-proxy's flags") {
  const auto config =
      read(file_with("iptables: {masqueradeAll: true, masqueradeBit: 5, "
                     "localhostNodePorts: true, syncPeriod: 1m30s}\n"
                     "nodePortAddresses: [192.168.0.0/16, 'fd00::/8']\n"
                     "detectLocalMode: BridgeInterface\n"
                     "detectLocal: {bridgeInterface: cni0}\n"
                     "hostnameOverride: from-file\nconntrack: {tcpBeLiberal: true}\n"
                     "metricsBindAddress: 127.0.0.1:1"),
           {"--manifests=/", "--hostname-override=from-flag", "--metrics-bind-address=127.0.0.1:2",
            "--healthz-bind-address=0.0.0.0", "--backend=iptables-legacy"});
  REQUIRE_MESSAGE(config, (config ? "" : config.error()));
  CHECK(config->proxy.masquerade_all);
  CHECK(config->proxy.masquerade_bit == 5);
  CHECK(config->proxy.localhost_node_ports);
  CHECK(config->sync_period == std::chrono::seconds(90));
  CHECK(config->proxy.node_port_scope == proxy::NodePortScope::Ranges);
  CHECK(config->proxy.node_port_ranges.size() == 2);
  CHECK(config->proxy.local_detector == proxy::LocalDetector::Bridge);
  CHECK(config->proxy.interface == "cni0");
  CHECK_FALSE(config->proxy.drop_invalid);
  CHECK(config->node_name == "from-flag");
  CHECK(config->metrics_listen[0].to_text() == "127.0.0.1:2");
  CHECK(config->healthz_listen == std::vector<SocketAddress>{{IpAddress::v4(0, 0, 0, 0), 10256},
                                                             {*IpAddress::from_text("::"), 10256}});
  CHECK(config->backend == proxy::Backend::Legacy);
}

TEST_CASE("what kube-proxy takes is taken, in any of its spellings") {
  const auto lenient =
      read(file_with("iptables: null\ndetectLocal: null\nipvs: null\nconntrack: null\nlogging:\n"
                     "hostnameOverride: ' Node-A.Example '\nclusterCIDR: 10.244.3.1/16,fd00::1/48\n"
                     "nodePortAddresses: [10.0.0.1/8, 192.168.0.0/16]\nudpIdleTimeout: 0s"),
           {"--manifests=/"});
  REQUIRE_MESSAGE(lenient, (lenient ? "" : lenient.error()));
  CHECK(lenient->node_name == "node-a.example");
  const auto texts = [](const std::vector<IpPrefix>& prefixes) {
    std::string text;
    for (const IpPrefix& prefix : prefixes) {
      text += prefix.to_text() + " ";
    }
    return text;
  };
  CHECK(texts(lenient->proxy.source_cidrs) == "10.244.0.0/16 fd00::/48 ");
  CHECK(texts(lenient->proxy.node_port_ranges) == "10.0.0.0/8 192.168.0.0/16 ");
  // Shown is what is in force.
  std::string shown;
  for (const ShownValue& value : lenient->shown) {
    shown += std::string(value.key) + ": " + value.text + "\n";
  }
  for (const char* line :
       {"node-name: node-a.example\n", "cluster-cidr: 10.244.0.0/16, fd00::/48\n",
        "nodeport-addresses: 10.0.0.0/8, 192.168.0.0/16\n"}) {
    CHECK_MESSAGE(shown.find(line) != std::string::npos, line << "in\n" << shown);
  }
  const auto flags = read("", {"--hostname-override=NODE-B", "--nodeport-addresses=10.0.0.1/8"});
  REQUIRE_MESSAGE(flags, (flags ? "" : flags.error()));
  CHECK(flags->node_name == "node-b");
  CHECK(texts(flags->proxy.node_port_ranges) == "10.0.0.0/8 ");
}

TEST_CASE("a flag of kube-proxy that is empty is as if it were not given") {
  const std::vector<const char*> empty = {
      "--proxy-mode=", "--detect-local-mode=", "--hostname-override=", "--pod-bridge-interface=",
      "--pod-interface-name-prefix="};
  const auto none = read("", empty);
  REQUIRE_MESSAGE(none, (none ? "" : none.error()));
  CHECK(none->node_name.empty());
  CHECK(none->proxy.local_detector == proxy::LocalDetector::None);
  const auto file = read(file_with("hostnameOverride: n1\ndetectLocalMode: BridgeInterface\n"
                                   "detectLocal: {bridgeInterface: cni0}"),
                         empty);
  REQUIRE_MESSAGE(file, (file ? "" : file.error()));
  CHECK(file->node_name == "n1");
  CHECK(file->proxy.local_detector == proxy::LocalDetector::Bridge);
  CHECK(file->proxy.interface == "cni0");
  // Of ours an empty one is a mistake.
  CHECK(problems("", {"--backend="}).find("found '', expected auto") != std::string::npos);
}

TEST_CASE("a number that is 0 is one, unless kube-proxy takes it for its default") {
  const auto with = [](std::string_view line) {
    const auto config = read(file_with(line), {"--manifests=/"});
    REQUIRE_MESSAGE(config, line << ": " << (config ? "" : config.error()));
    return *config;
  };
  CHECK(with("iptables: {masqueradeBit: 0}").proxy.masquerade_bit == 0);
  CHECK(with("iptables: {masqueradeBit: null}").proxy.masquerade_bit == 14);
  for (const char* zero : {"0s", "0", "0h0m0s", "0ms"}) {
    const std::string value = zero;
    CHECK(with("iptables: {syncPeriod: " + value + "}").sync_period == std::chrono::seconds(30));
    CHECK(with("iptables: {minSyncPeriod: " + value + "}").min_sync_period ==
          std::chrono::seconds(0));
  }
  // What these leave alone, or default, is not done here in any case.
  for (const char* line :
       {"conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, udpTimeout: 0s}",
        "clientConnection: {qps: 0, burst: 0}", "configSyncPeriod: 0s", "oomScoreAdj: null",
        "nftables: {masqueradeBit: 0}", "ipvs: {syncPeriod: 0s}"}) {
    CHECK_MESSAGE(problems(file_with(line)).empty(), line);
  }
  CHECK(problems(file_with("oomScoreAdj: 0")).find("oomScoreAdj: not offered here") !=
        std::string::npos);
  CHECK_FALSE(with("iptables: {masqueradeAll: false}").proxy.masquerade_all);
  CHECK(problems(file_with("iptables: {masqueradeAll: 0}")).find("expected true or false") !=
        std::string::npos);
  // A flag says what it says.
  CHECK(read("", {"--iptables-masquerade-bit=0"})->proxy.masquerade_bit == 0);
  CHECK(problems("", {"--iptables-sync-period=0"}).find("from 1s") != std::string::npos);
}

TEST_CASE("what has no meaning here is refused by name, and nothing is ignored") {
  struct Row {
    const char* line;
    const char* named;
  };
  for (const Row& row :
       {Row{"ipvs: {scheduler: rr}", "ipvs.scheduler: not offered here"},
        Row{"conntrack: {maxPerCore: 32768}", "conntrack.maxPerCore"},
        Row{"featureGates: {AllAlpha: true}", "featureGates.AllAlpha"},
        Row{"clientConnection: {kubeconfig: /k}", "only one of them"},
        Row{"clientConnection: {burst: 5}", "clientConnection.burst"},
        Row{"mode: ipvs", "found 'ipvs', expected iptables"},
        Row{"mode: nftables", "found 'nftables', expected iptables"},
        Row{"iptables: {masqueradeBits: 3}", "iptables.masqueradeBits: found an unknown"},
        Row{"colour: red", "colour: found an unknown key"},
        Row{"colour: false", "colour: found an unknown key"},
        Row{"iptable: null", "iptable: found an unknown key"},
        Row{"iptables: true", "iptables: found no map, expected one of keys"},
        Row{"detectLocal: []", "detectLocal: found no map, expected one of keys"},
        Row{"udpIdleTimeout: 250ms",
            "udpIdleTimeout: not offered here: there is no userspace mode"},
        Row{"resourceContainer: /kube-proxy", "resourceContainer: not offered here"},
        Row{"hostnameOverride: ' '", "found ' ', expected a DNS subdomain name"},
        Row{"clusterCIDR: 10.0.0.1/33", "found '10.0.0.1/33'"},
        Row{"clusterCIDR: 10.0.0.1/8,10.0.0.2/8", "the second of its family"},
        Row{"iptables: {masqueradeBit: 32}", "expected a number from 0 to 31"},
        Row{"clusterCIDR: 10.0.0.0/8,11.0.0.0/8", "the second of its family"},
        Row{"nodePortAddresses: [primary, 10.0.0.0/8]", "stands for itself"},
        Row{"detectLocalMode: NodeCIDRs", "found 'NodeCIDRs', expected ClusterCIDR, NodeCIDR"},
        Row{"detectLocalMode: ClusterCIDR", "found no --cluster-cidr"},
        Row{"detectLocalMode: BridgeInterface", "found no interface"}}) {
    CHECK_MESSAGE(problems(file_with(row.line)).find(row.named) != std::string::npos,
                  row.line << "\n"
                           << problems(file_with(row.line)));
  }
  CHECK(problems("mode: iptables\n").find("neither apiVersion nor kind") != std::string::npos);
  CHECK(problems("apiVersion: v1\nkind: Pod\n").find("expected KubeProxyConfiguration") !=
        std::string::npos);
}

TEST_CASE("flags of kube-proxy that have no meaning here are refused by name, with the reason") {
  for (const char* flag : {"--ipvs-scheduler=rr", "--feature-gates=A=true", "--v=2", "--profiling",
                           "--log-json-split-stream", "--log-text-info-buffer-size=0",
                           "--kube-api-qps=5", "--conntrack-max-per-core=1", "--oom-score-adj=1"}) {
    CHECK_MESSAGE(problems("", {flag}).find("not offered here: ") != std::string::npos,
                  flag << ": " << problems("", {flag}));
  }
  CHECK(problems("", {"--clustercidr=10.0.0.0/8"}).find("perhaps '--cluster-cidr'") !=
        std::string::npos);
  CHECK(read("", {})->manifests.folder.empty());
  CHECK(read("", {"--kubeconfig=/k", "--master=http://127.0.0.1:1"})->api.server ==
        "http://127.0.0.1:1");
  CHECK(read("", {"--cleanup"}).has_value());
}

TEST_CASE("the log's format is kube-proxy's, by flag and by key") {
  CHECK(read("", {})->log_format == log::Format::Text);
  CHECK(read("", {"--logging-format=json"})->log_format == log::Format::Json);
  CHECK(read(file_with("logging: {format: json}"), {})->log_format == log::Format::Json);
  CHECK(read(file_with("logging: {format: json}"), {"--log-format=text"})->log_format ==
        log::Format::Text);
  CHECK(problems(file_with("logging: {verbosity: 3}")).find("--log-level says") !=
        std::string::npos);
}

TEST_CASE("what is in force is shown for every option, in the table's order") {
  const auto config =
      read(file_with("hostnameOverride: a\nmode: iptables"),
           {"--node-name=b", "--node-zone=", "--service-cidrs=10.96.0.0/12,fd00::/112"});
  REQUIRE_MESSAGE(config, (config ? "" : config.error()));
  REQUIRE(config->shown.size() == node_options().size());
  std::string text;
  for (std::size_t i = 0; i < config->shown.size(); ++i) {
    CHECK(config->shown[i].key == node_options()[i].flag);
    text += std::string(config->shown[i].key) + ": " + config->shown[i].text + "\n";
  }
  for (const char* line :
       {"node-name: b\n", "node-zone: none\n", "service-cidrs: 10.96.0.0/12, fd00::/112\n",
        "proxy-mode: iptables\n", "node-ip: those of the Node object, else of the default routes\n",
        "dns: false\n"}) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line << "in\n" << text);
  }
}

TEST_CASE("podCIDRs come from the node's object, where they tell which packets are Pods'") {
  kube::Node node;
  node.name = "n1";
  node.pod_cidrs = {*IpPrefix::from_text("10.244.1.0/24")};
  const auto by_node =
      read(file_with("detectLocalMode: NodeCIDR\nclusterCIDR: 10.0.0.0/8"), {"--manifests=/"});
  REQUIRE_MESSAGE(by_node, (by_node ? "" : by_node.error()));
  CHECK(by_node->proxy.local_detector == proxy::LocalDetector::NodeCidr);
  CHECK(node_facts(*by_node, {}, {}, node).pod_cidrs == node.pod_cidrs);
  CHECK(node_facts(*by_node, {}, {}, std::nullopt).pod_cidrs.empty());
  const auto by_cluster = read(file_with("clusterCIDR: 10.0.0.0/8"), {"--manifests=/"});
  REQUIRE(by_cluster);
  CHECK(node_facts(*by_cluster, {}, {}, node).pod_cidrs.empty());
}

// Runs of blanks and line ends are one blank, so that wrapping does not matter.
std::string unwrapped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_blank = c == ' ' || c == '\n';
    if (!is_blank || (!out.empty() && out.back() != ' ')) {
      out.push_back(is_blank ? ' ' : c);
    }
  }
  return out;
}

TEST_CASE("docs/waypost-node.md says what the option table says") {
  const auto page = read_file(std::filesystem::path(WAYPOST_SOURCE_ROOT) / "docs/waypost-node.md");
  REQUIRE(page);
  const std::string text = unwrapped(*page);
  std::string wanted;
  for (const NodeOption& option : node_options()) {
    std::string section =
        "### `--" + std::string(option.flag) + "`\n\n" + std::string(option.help) + "\n\n";
    if (!option.alias.empty()) {
      section += "- Also: `--" + std::string(option.alias) + "`\n";
    }
    if (!option.key.empty()) {
      section += "- Key: `" + std::string(option.key) + "`\n";
    }
    section += "- Accepts: " + std::string(option.expected) +
               "\n- Default: " + std::string(option.shown_default()) + "\n\n";
    wanted += section;
    CHECK_MESSAGE(text.find(unwrapped(section)) != std::string::npos, section);
  }
  CHECK(text.find(unwrapped(wanted)) != std::string::npos);  // In the table's order.
}

TEST_CASE("durations are read as Go writes them") {
  using std::chrono::milliseconds;
  CHECK(go_duration_from_text("0") == milliseconds(0));
  CHECK(go_duration_from_text("0s") == milliseconds(0));
  CHECK(go_duration_from_text("1m30s") == milliseconds(90'000));
  CHECK(go_duration_from_text("1h0m0s") == milliseconds(3'600'000));
  CHECK(go_duration_from_text("250ms") == milliseconds(250));
  for (const char* bad : {"", "5", "s", "-1s", "1.5s", "1s 2s", "1y"}) {
    CHECK_MESSAGE(!go_duration_from_text(bad), bad);
  }
}

}  // namespace waypost::ops
