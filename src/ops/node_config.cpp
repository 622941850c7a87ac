#include "ops/node_config.h"

#include "base/file.h"
#include "ops/config_reader.h"
#include "ops/node_options.h"
#include "ops/option_values.h"
#include "ops/text.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace waypost::ops {
namespace {

using Shape = Setting::Shape;

constexpr std::string_view ApiVersion = "kubeproxy.config.k8s.io/v1alpha1";
constexpr std::string_view Kind = "KubeProxyConfiguration";

Error problem(const std::string& where, std::string what) {
  return with_context({ErrorKind::InvalidInput, std::move(what)}, where);
}

bool is_each(const Setting& setting, auto&& is) {
  return std::all_of(setting.values.begin(), setting.values.end(),
                     [&](const SettingValue& value) { return is(value.text); });
}

// Whether a key that has no meaning here asks for nothing.
bool asks_for_nothing(const Setting& setting) {
  return is_each(setting, [&](const std::string& text) {
    return text.empty() || text == "false" || text == "null" || text == "{...}" ||
           ((text == "0" || text == "0s") && !is_zero_asked(setting.key));
  });
}

// Whether a key of ours is not set: its default is meant.
bool is_unset(const NodeOption& option, const Setting& setting) {
  return is_each(setting, [&](const std::string& text) {
    return text.empty() ||
           (option.is_zero_unset && go_duration_from_text(text) == std::chrono::milliseconds(0));
  });
}

class NodeInterpreter {
 public:
  void put_defaults() {
    for (const NodeOption& option : node_options()) {
      config_.shown.push_back({option.flag, std::string(option.shown_default())});
      std::string_view rest = option.default_value;
      while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(", "), rest.size());
        (void)option.put(config_, std::string(rest.substr(0, end)));  // A test puts them all.
        rest.remove_prefix(std::min(end + 2, rest.size()));
      }
    }
  }

  void put_file(const std::vector<Setting>& file, const std::vector<Setting>& flags) {
    for (const Setting& setting : file) {
      const NodeOption* option = find_node_option(setting.key, true);
      if (setting.key == "apiVersion" || setting.key == "kind") {
        const std::string_view wanted = setting.key == "kind" ? Kind : ApiVersion;
        if (setting.values.size() != 1 || setting.values[0].text != wanted) {
          add(problem(setting.where, "expected " + std::string(wanted)));
        }
        has_kind_ = true;
      } else if (option == nullptr) {
        refuse(setting);
      } else if (!is_unset(*option, setting) && !has_flag(flags, *option)) {
        put(*option, setting);
      }
    }
    if (!file.empty() && !has_kind_) {
      add({ErrorKind::InvalidInput,
           "found neither apiVersion nor kind in the file, expected a " + std::string(Kind)});
    }
  }

  void put_flags(const std::vector<Setting>& flags) {
    for (const Setting& setting : flags) {
      put(*find_node_option(setting.key, false), setting);
    }
  }

  std::expected<NodeConfig, Problems> finish() {
    if (config_.proxy.local_detector == proxy::LocalDetector::None &&
        !config_.proxy.source_cidrs.empty()) {
      config_.proxy.local_detector = proxy::LocalDetector::SourceCidr;
    }
    using proxy::LocalDetector;
    const LocalDetector detector = config_.proxy.local_detector;
    if (detector == LocalDetector::SourceCidr && config_.proxy.source_cidrs.empty()) {
      add({ErrorKind::InvalidInput,
           "detect-local-mode: found no --cluster-cidr, expected the prefixes of Pods"});
    }
    const bool needs_interface =
        detector == LocalDetector::Bridge || detector == LocalDetector::InterfacePrefix;
    if (needs_interface && config_.proxy.interface.empty()) {
      add({ErrorKind::InvalidInput,
           "detect-local-mode: found no interface, expected --pod-bridge-interface or "
           "--pod-interface-name-prefix"});
    }
    if (!config_.manifests.folder.empty() &&
        (!config_.api.kubeconfig.empty() || !config_.api.server.empty())) {
      add({ErrorKind::InvalidInput,
           "manifests: found together with --kubeconfig or --api-server, expected only one of "
           "them"});
    }
    check_dns();
    config_.manifests.decode.traffic = true;
    config_.proxy.service_cidrs = config_.manifests.service_cidrs;
    if (config_.manifests.service_cidrs.empty()) {
      config_.manifests.service_cidrs = default_service_cidrs();
    }
    if (config_.sets_be_liberal) {
      config_.proxy.drop_invalid = false;
    }
    if (!problems_.empty()) {
      return std::unexpected(std::move(problems_));
    }
    show_as_read();
    return std::move(config_);
  }

 private:
  void check_dns() {
    NodeDnsConfig& dns = config_.dns;
    if (!dns.is_on) {
      if (!dns.has_local || !dns.local_addresses.empty() || !dns.cluster_addresses.empty() ||
          dns.file) {
        add({ErrorKind::InvalidInput, "dns: found its addresses or its file, expected --dns"});
      }
      if (!config_.programs_services) {
        add({ErrorKind::InvalidInput,
             "proxy: found false without --dns, expected something to do"});
      }
      return;
    }
    if (dns.has_local && dns.local_addresses.empty()) {
      dns.local_addresses = default_dns_addresses();
    }
    if (dns.local_addresses.empty() && dns.cluster_addresses.empty()) {
      add({ErrorKind::InvalidInput,
           "dns-addresses: found none and no --dns-cluster-addresses, expected an address"});
    }
    for (const IpAddress& address : dns.cluster_addresses) {
      if (std::find(dns.local_addresses.begin(), dns.local_addresses.end(), address) !=
          dns.local_addresses.end()) {
        add({ErrorKind::InvalidInput, "dns-cluster-addresses: found " + address.to_text() +
                                          ", which is one of --dns-addresses"});
      }
    }
  }

  static bool has_flag(const std::vector<Setting>& flags, const NodeOption& option) {
    return std::any_of(flags.begin(), flags.end(),
                       [&](const Setting& flag) { return flag.key == option.flag; });
  }

  void add(Error error) { problems_.push_back(std::move(error)); }

  // In place of what was given, which may have been lenient.
  void show(std::string_view flag, std::string text) {
    const NodeOption* option = find_node_option(flag, false);
    config_.shown[static_cast<std::size_t>(option - node_options().data())].text = std::move(text);
  }
  void show(std::string_view flag, const std::vector<IpPrefix>& prefixes) {
    std::string text;
    for (const IpPrefix& prefix : prefixes) {
      text.append(text.empty() ? "" : ", ").append(prefix.to_text());
    }
    show(flag, std::move(text));
  }
  void show_as_read() {
    if (!config_.node_name.empty()) {
      show("node-name", config_.node_name);
    }
    if (!config_.proxy.source_cidrs.empty()) {
      show("cluster-cidr", config_.proxy.source_cidrs);
    }
    if (!config_.proxy.node_port_ranges.empty()) {
      show("nodeport-addresses", config_.proxy.node_port_ranges);
    }
  }

  void refuse(const Setting& setting) {
    if (is_group_of_keys(setting.key)) {
      if (setting.shape != Shape::Nothing) {
        add(problem(setting.where, "found no map, expected one of keys, or null"));
      }
      return;
    }
    const std::string_view reason = why_not_here(setting.key);
    if (reason.empty()) {
      add(problem(setting.where, "found an unknown key, expected one of a " + std::string(Kind) +
                                     " that 'waypost-node --help' lists"));
    } else if (!asks_for_nothing(setting)) {
      add(problem(setting.where, "not offered here: " + std::string(reason)));
    }
  }

  void put(const NodeOption& option, const Setting& setting) {
    // clusterCIDR is one text with a comma in a KubeProxyConfiguration.
    std::vector<SettingValue> values;
    for (const SettingValue& value : setting.values) {
      std::string_view rest = value.text;
      do {
        const std::size_t end =
            option.form == OptionForm::List ? std::min(rest.find(','), rest.size()) : rest.size();
        values.push_back({std::string(rest.substr(0, end)), value.where, value.quoted});
        rest.remove_prefix(std::min(end + 1, rest.size()));
      } while (!rest.empty());
    }
    if (setting.shape == Shape::Map ||
        (setting.shape == Shape::List && option.form != OptionForm::List)) {
      add(problem(setting.where, "expected " + std::string(option.expected)));
      return;
    }
    std::string shown;
    for (const SettingValue& value : values) {
      if (const Result<void> done = option.put(config_, value.text); !done) {
        const std::string& reason = done.error().message;
        add(problem(setting.where, "found '" + value.text + "'" +
                                       (reason.empty() ? "" : " (" + reason + ")") + ", expected " +
                                       std::string(option.expected)));
      }
      shown.append(shown.empty() ? "" : ", ").append(value.text);
    }
    config_.shown[static_cast<std::size_t>(&option - node_options().data())].text =
        shown.empty() ? "none" : std::move(shown);
  }

  NodeConfig config_;
  Problems problems_;
  bool has_kind_ = false;
};

}  // namespace

std::optional<std::chrono::milliseconds> go_duration_from_text(std::string_view text) noexcept {
  if (text == "0") {
    return std::chrono::milliseconds(0);
  }
  std::chrono::milliseconds sum{0};
  while (!text.empty()) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    if (digits == std::string_view::npos || digits == 0) {
      return std::nullopt;
    }
    const std::size_t end = std::min(text.find_first_of("0123456789", digits), text.size());
    const auto part = duration_from_text(text.substr(0, end));
    if (!part) {
      return std::nullopt;
    }
    sum += *part;
    text.remove_prefix(end);
    if (text.empty()) {
      return sum;
    }
  }
  return std::nullopt;
}

std::expected<NodeConfig, Problems> interpret_node(const std::vector<Setting>& file,
                                                   const std::vector<Setting>& flags) {
  std::vector<Setting> given;
  std::copy_if(flags.begin(), flags.end(), std::back_inserter(given), [](const Setting& flag) {
    return !find_node_option(flag.key, false)->is_empty_flag_unset ||
           !is_each(flag, [](const std::string& text) { return text.empty(); });
  });
  NodeInterpreter interpreter;
  interpreter.put_defaults();
  interpreter.put_file(file, given);
  interpreter.put_flags(given);
  return interpreter.finish();
}

std::expected<NodeConfig, Problems> load_node_config(
    const std::optional<std::filesystem::path>& file, const std::vector<Setting>& flags) {
  ReadSettings read;
  if (file) {
    const auto text = read_file(*file);
    if (!text) {
      return std::unexpected(Problems{text.error()});
    }
    read = read_settings(*text, *file, NestedMaps::Flattened);
    if (!read.problems.empty()) {
      return std::unexpected(std::move(read.problems));
    }
  }
  auto config = interpret_node(read.settings, flags);
  if (config && config->dns.is_on) {
    auto answers = load_node_dns_config({.file = config->dns.file});
    if (!answers) {
      return std::unexpected(std::move(answers.error()));
    }
    config->dns.answers = std::move(answers->config);
  }
  return config;
}

}  // namespace waypost::ops
