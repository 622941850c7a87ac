#include "ops/node_dns_config.h"

#include "base/file.h"
#include "ops/config_reader.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::string_view ResolvConf = "/etc/resolv.conf";

struct Foreign {
  std::string_view key;
  std::string_view reason;
};

constexpr auto ForeignKeys = std::to_array<Foreign>({
    {"listen", "--dns-addresses and --dns-cluster-addresses say where"},
    {"kubernetes", "the cluster's names are what a node answers"},
    {"manifests", "--manifests says where Services come from"},
    {"kubeconfig", "--kubeconfig says where Services come from"},
    {"context", "--kubeconfig says where Services come from, in its current context"},
    {"apiServer", "--api-server says where Services come from"},
    {"serviceCidrs", "--service-cidrs says where ClusterIPs are"},
    {"snapshot", "a node keeps no saved world"},
    {"maxDataAge", "a node keeps no saved world"},
    {"healthListen", "--healthz-listen says where probes are answered"},
    {"readyListen", "--healthz-listen says where probes are answered"},
    {"metricsListen", "--metrics-listen says where metrics are served"},
    {"statusPage", "--status-page says who sees the status page"},
    {"statusTops", "a node's status page counts no names and no clients"},
    {"searchNode", "--node-name says whose Pods are watched"},
    {"takeoverSocket", "a node's program is replaced with its Pod"},
    {"lameduck", "the cluster's DNS takes over when the node's goes"},
    {"logLevel", "--log-level says what is logged"},
    {"logFormat", "--log-format says how"},
});

bool has(const std::vector<Setting>& settings, std::string_view key) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting& setting) { return setting.key == key; });
}

Setting own_default(std::string_view key, Setting::Shape shape, std::string_view value) {
  Setting setting;
  setting.key = key;
  setting.where = "the node's " + std::string(key);
  setting.shape = shape;
  setting.values.push_back({std::string(value), "", false});
  return setting;
}

}  // namespace

std::vector<IpAddress> default_dns_addresses() {
  return {IpAddress::v4(169, 254, 20, 10), *IpAddress::from_text("fd00:169:254:20::10")};
}

std::expected<LoadedConfig, Problems> load_node_dns_config(const ConfigOrigin& origin) {
  ReadSettings read;
  if (origin.file) {
    const auto text = read_file(*origin.file);
    if (!text) {
      return std::unexpected(Problems{text.error()});
    }
    read = read_settings(*text, *origin.file);
  }
  Problems problems = std::move(read.problems);
  for (const Setting& setting : read.settings) {
    const auto* foreign =
        std::find_if(ForeignKeys.begin(), ForeignKeys.end(),
                     [&](const Foreign& each) { return each.key == setting.key; });
    if (foreign != ForeignKeys.end()) {
      problems.push_back({ErrorKind::InvalidInput,
                          setting.where + ": not for a node: " + std::string(foreign->reason)});
    } else if (setting.key == "families" && !setting.values.empty() &&
               setting.values.front().text == "auto") {
      problems.push_back({ErrorKind::InvalidInput,
                          setting.where + ": found 'auto', expected both, ipv4 or ipv6: what "
                                          "addresses a node has says nothing about its Pods"});
    } else if (setting.key == "pods" && !setting.values.empty() &&
               setting.values.front().text == "verified") {
      problems.push_back({ErrorKind::InvalidInput,
                          setting.where + ": found 'verified', expected disabled or insecure: a "
                                          "node watches no Pods but its own"});
    }
  }
  std::vector<Setting> settings = read.settings;
  if (!has(settings, "workers")) {
    settings.push_back(own_default("workers", Setting::Shape::Scalar, "1"));
  }
  if (!has(settings, "forward")) {
    settings.push_back(own_default("forward", Setting::Shape::List, ResolvConf));
  }
  auto config = interpret(settings, origin.flags);
  if (!config) {
    problems.insert(problems.end(), config.error().begin(), config.error().end());
  }
  if (!problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  LoadedConfig loaded;
  loaded.config = std::move(*config);
  return loaded;
}

}  // namespace waypost::ops
