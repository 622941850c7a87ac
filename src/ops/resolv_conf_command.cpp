#include "ops/resolv_conf_command.h"

#include "base/file.h"
#include "base/file_edit.h"
#include "kube/names.h"
#include "node/pod_dns.h"
#include "node/pod_manifest.h"
#include "node/resolver_file.h"

#include <array>
#include <system_error>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::string_view Usage =
    "waypost resolv-conf prints the resolv.conf that a Pod gets from its kubelet, or puts it in "
    "its\n"
    "place.\n"
    "\n"
    "Usage: waypost resolv-conf [FLAG VALUE]...\n"
    "       waypost resolv-conf --write PATH [FLAG VALUE]...\n"
    "       waypost resolv-conf --write PATH --revert\n"
    "\n"
    "The Pod is that of a manifest (--pod), or what --namespace, --dns-policy, --host-network,\n"
    "--nameserver, --search and --option say of it; the node is what --cluster-dns,\n"
    "--cluster-domain, --host-file and --node-ip say. What a kubelet would tell in events goes to\n"
    "standard error. A list is written as VALUE,VALUE or by giving its flag several times.\n"
    "\n";

constexpr std::array Flags = {
    CommandFlag{"pod", OptionForm::Text, "FILE", "a file in YAML or JSON, or - for standard input",
                "none",
                "A manifest with one Pod, or one object that has a template of Pods: its "
                "dnsPolicy, dnsConfig, hostNetwork and namespace count."},
    CommandFlag{"namespace", OptionForm::Text, "NAME", "the name of a namespace", "default",
                "The Pod's namespace, where a manifest does not say it."},
    CommandFlag{"dns-policy", OptionForm::Text, "POLICY", node::DnsPolicyRule, "ClusterFirst",
                "The Pod's spec.dnsPolicy."},
    CommandFlag{"host-network", OptionForm::Boolean, "", "true or false", "false",
                "The Pod's spec.hostNetwork."},
    CommandFlag{"nameserver", OptionForm::List, "ADDRESS", "up to 3 IP addresses", "none",
                "The Pod's spec.dnsConfig.nameservers."},
    CommandFlag{"search", OptionForm::List, "DOMAIN", "up to 32 DNS domains", "none",
                "The Pod's spec.dnsConfig.searches."},
    CommandFlag{"option", OptionForm::List, "NAME[:VALUE]", "options of resolv.conf(5)", "none",
                "The Pod's spec.dnsConfig.options."},
    CommandFlag{"cluster-dns", OptionForm::List, "ADDRESS", "IP addresses", "none",
                "The kubelet's clusterDNS: where the cluster's names are asked for. Without it "
                "every policy but None is Default."},
    CommandFlag{"cluster-domain", OptionForm::Text, "DOMAIN", "a DNS domain, or nothing",
                "cluster.local", "The kubelet's clusterDomain."},
    CommandFlag{"host-file", OptionForm::Text, "FILE", "a file, or nothing", "/etc/resolv.conf",
                "The kubelet's resolvConf, the node's own resolver file. With nothing (\"\"), a "
                "Pod that would get it asks the loopback address. Where this command wrote the "
                "file itself, its backup is read."},
    CommandFlag{"node-ip", OptionForm::List, "ADDRESS", "IP addresses", "none",
                "The node's addresses; their families matter when --host-file is nothing."},
    CommandFlag{"write", OptionForm::Text, "PATH", "a file", "none",
                "Put the file there instead of printing it, after what is there went to the "
                "backup. No symbolic link is followed. A file that is so already is not touched."},
    CommandFlag{"backup", OptionForm::Text, "PATH", "a file",
                "the path of --write with .waypost-backup behind it", "Where the backup is."},
    CommandFlag{"revert", OptionForm::Boolean, "", "true or false", "false",
                "Put back what was there before --write, and remove the file when that was "
                "nothing, unless somebody else has changed it since."},
};

constexpr std::array<std::string_view, 5> FlagsOfAPod = {"dns-policy", "host-network", "nameserver",
                                                         "search", "option"};

Result<std::vector<std::string>> checked_list(const GivenFlags& given, std::string_view flag,
                                              bool (*check)(std::string_view) noexcept,
                                              std::string_view rule) {
  std::vector<std::string> values = given.list(flag);
  for (const std::string& value : values) {
    if (!check(value)) {
      return std::unexpected(refused(flag, value, rule));
    }
  }
  return values;
}

// ---- The Pod ------------------------------------------------------------------------------------

Result<node::PodDns> pod_of_manifest(const GivenFlags& given) {
  if (const std::string_view flag = given.first_of(FlagsOfAPod); !flag.empty()) {
    return failure(ErrorKind::InvalidInput, "--" + std::string(flag) +
                                                ": cannot be given with --pod, whose manifest says "
                                                "it");
  }
  const std::string path = given.text("pod", "");
  const auto text = read_input(path);
  if (!text) {
    return std::unexpected(text.error());
  }
  auto pod = node::read_pod(*text);
  if (!pod) {
    return std::unexpected(
        with_context(std::move(pod.error()), path == "-" ? "standard input" : path));
  }
  const std::string name_space = given.text("namespace", "");
  if (pod->dns.name_space.empty()) {
    pod->dns.name_space = name_space.empty() ? "default" : name_space;
  } else if (!name_space.empty() && name_space != pod->dns.name_space) {
    return failure(ErrorKind::InvalidInput, "--namespace: found '" + name_space + "', but " +
                                                pod->what + " is in another namespace");
  }
  return std::move(pod->dns);
}

Result<node::DnsConfig> config_of_flags(const GivenFlags& given) {
  node::DnsConfig config;
  auto nameservers = checked_list(given, "nameserver", node::is_nameserver, node::NameserverRule);
  if (!nameservers) {
    return std::unexpected(std::move(nameservers.error()));
  }
  auto searches = checked_list(given, "search", node::is_search_domain, node::SearchDomainRule);
  if (!searches) {
    return std::unexpected(std::move(searches.error()));
  }
  auto options = checked_list(given, "option", node::is_option_part, node::OptionPartRule);
  if (!options) {
    return std::unexpected(std::move(options.error()));
  }
  config.nameservers = std::move(*nameservers);
  config.searches = std::move(*searches);
  for (std::string& option : *options) {
    node::put_option(config.options, std::move(option));
  }
  return config;
}

Result<node::PodDns> pod_of_flags(const GivenFlags& given) {
  node::PodDns pod;
  pod.name_space = given.text("namespace", "default");
  const std::string policy_text = given.text("dns-policy", "ClusterFirst");
  const auto policy = node::policy_from_text(policy_text);
  if (!policy) {
    return std::unexpected(refused("dns-policy", policy_text, node::DnsPolicyRule));
  }
  pod.policy = *policy;
  const auto host_network = given.boolean("host-network");
  if (!host_network) {
    return std::unexpected(host_network.error());
  }
  pod.host_network = *host_network;
  auto config = config_of_flags(given);
  if (!config) {
    return std::unexpected(std::move(config.error()));
  }
  if (const auto reason = node::why_refused(pod.policy, *config)) {
    return failure(ErrorKind::InvalidInput, *reason);
  }
  if (*config != node::DnsConfig()) {
    pod.config = std::move(*config);
  }
  return pod;
}

Result<node::PodDns> pod_of(const GivenFlags& given) {
  if (const std::string name = given.text("namespace", "default"); !kube::is_dns_label(name)) {
    return std::unexpected(refused("namespace", name, kube::DnsLabelRule));
  }
  return given.has("pod") ? pod_of_manifest(given) : pod_of_flags(given);
}

// ---- The node -----------------------------------------------------------------------------------

bool is_same_path(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code ec;  // Of an empty path, which is none.
  return std::filesystem::absolute(one, ec).lexically_normal() ==
         std::filesystem::absolute(other, ec).lexically_normal();
}

std::string backup_of(const GivenFlags& given, const std::string& path) {
  return is_same_path(path, given.text("write", ""))
             ? given.text("backup", path + ".waypost-backup")
             : path + ".waypost-backup";
}

Result<node::ResolverFile> read_host_file(const GivenFlags& given, const std::string& path,
                                          Problems& messages) {
  auto text = read_file(path);
  if (!text) {
    return std::unexpected(with_context(std::move(text.error()), "--host-file"));
  }
  if (node::is_own(*text)) {
    const std::string backup = backup_of(given, path);
    auto before = read_file(backup);
    if (before) {
      text = std::move(before);
    } else {
      messages.push_back(warning(path + " was written by this command and has no backup at " +
                                 backup + "; it is taken for the host's own file"));
    }
  }
  auto file = node::parse_resolver_file(*text);
  if (!file) {
    return std::unexpected(with_context(std::move(file.error()), path));
  }
  return file;
}

Result<node::NodeDns> node_of(const GivenFlags& given, Problems& messages) {
  node::NodeDns result;
  auto cluster_dns = given.addresses("cluster-dns");
  if (!cluster_dns) {
    return std::unexpected(std::move(cluster_dns.error()));
  }
  result.cluster_dns = std::move(*cluster_dns);
  result.cluster_domain = given.text("cluster-domain", "cluster.local");
  if (!result.cluster_domain.empty() && !kube::is_dns_subdomain(result.cluster_domain)) {
    return std::unexpected(
        refused("cluster-domain", result.cluster_domain, kube::DnsSubdomainRule));
  }
  if (const std::string path = given.text("host-file", "/etc/resolv.conf"); !path.empty()) {
    auto host = read_host_file(given, path, messages);
    if (!host) {
      return std::unexpected(std::move(host.error()));
    }
    result.host = std::move(*host);
  }
  const auto node_ips = given.addresses("node-ip");
  if (!node_ips) {
    return std::unexpected(node_ips.error());
  }
  for (const IpAddress& address : *node_ips) {
    result.families.push_back(kube::family_of(address));
  }
  return result;
}

// ---- Putting it in its place --------------------------------------------------------------------

CommandOutput outcome(const FileEdit& edit, const Result<FileEditOutcome>& done, bool is_revert) {
  if (!done) {
    return failed(done.error());
  }
  CommandOutput output;
  output.text = edit.path.string();
  switch (*done) {
    case FileEditOutcome::Unchanged:
      output.text += is_revert ? ": nothing to revert" : ": is so already";
      break;
    case FileEditOutcome::Created:
      output.text += is_revert ? ": is there again" : ": made; there was no file before";
      break;
    case FileEditOutcome::Replaced:
      output.text += is_revert ? ": as it was before" : ": replaced";
      break;
    case FileEditOutcome::WrittenInPlace:
      output.text += is_revert ? ": as it was before, written in place because it is a mount"
                               : ": written in place because it is a mount";
      break;
    case FileEditOutcome::Removed:
      output.text += ": removed; there was no file before";
      break;
  }
  output.text += "\n";
  return output;
}

FileEdit edit_of(const GivenFlags& given) {
  const std::string path = given.text("write", "");
  return {.path = path,
          .backup = given.text("backup", path + ".waypost-backup"),
          .is_own = node::is_own};
}

CommandOutput run_with(const GivenFlags& given) {
  const auto revert = given.boolean("revert");
  if (!revert) {
    return failed(revert.error());
  }
  if ((*revert || given.has("backup")) && !given.has("write")) {
    return failed({ErrorKind::InvalidInput, std::string(*revert ? "--revert" : "--backup") +
                                                ": expected --write PATH as well"});
  }
  const FileEdit edit = edit_of(given);
  if (is_same_path(edit.backup, edit.path)) {
    return failed(refused("backup", edit.backup.string(), "another file than that of --write"));
  }
  if (*revert) {
    FileCalls calls;
    return outcome(edit, revert_file(calls, edit), true);
  }
  CommandOutput output;
  const auto pod = pod_of(given);
  if (!pod) {
    return failed(pod.error());
  }
  const auto host = node_of(given, output.messages);
  if (!host) {
    return failed(host.error());
  }
  const node::PodResolver resolver = node::resolver_of(*pod, *host);
  for (const std::string& text : resolver.warnings) {
    output.messages.push_back(warning(text));
  }
  output.text = node::to_text(resolver.file);
  if (given.has("write")) {
    FileCalls calls;
    CommandOutput done =
        outcome(edit, edit_file(calls, edit, node::mark_as_own(output.text)), false);
    done.messages.insert(done.messages.begin(), output.messages.begin(), output.messages.end());
    return done;
  }
  return output;
}

}  // namespace

std::span<const CommandFlag> resolv_conf_flags() noexcept {
  return Flags;
}

CommandOutput run_resolv_conf(std::span<const char* const> arguments) {
  return run_command(arguments, "resolv-conf", Usage, Flags, run_with);
}

}  // namespace waypost::ops
