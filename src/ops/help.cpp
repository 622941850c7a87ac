#include "ops/help.h"

#include "ops/node_options.h"
#include "ops/option_table.h"

#include <algorithm>
#include <array>

namespace waypost::ops {
namespace {

constexpr std::size_t HelpWidth = 100;  // Columns.
constexpr std::size_t HelpIndent = 10;

constexpr std::string_view DnsUsage =
    "waypost-dns answers the names of a Kubernetes cluster.\n"
    "\n"
    "Usage: waypost-dns [--config FILE] [FLAG VALUE]...\n"
    "       waypost-dns -conf COREFILE [FLAG VALUE]...\n"
    "\n"
    "Every flag is also a key of the configuration file, named in brackets; a flag wins over the "
    "file,\n"
    "the file over the default. A list is written as VALUE,VALUE or by giving its flag several "
    "times.\n"
    "SIGHUP and edits of the file reload it; SIGINT and SIGTERM stop the program. With "
    "takeoverSocket,\n"
    "SIGUSR2 has another process take over.\n"
    "\n"
    "  --config FILE\n"
    "          The configuration file, in YAML.\n"
    "  -conf FILE\n"
    "          The configuration file of CoreDNS, instead. What it says that has no meaning here "
    "is\n"
    "          refused by name and line; 'waypost convert-corefile' shows what becomes of it.\n"
    "  -dns.port N\n"
    "          The port of a Corefile's server blocks that name none, or of all addresses when "
    "neither a\n"
    "          file nor --listen is given. Default: 53.\n"
    "  -plugins\n"
    "          Print the directives that a Corefile may have, and exit.\n"
    "  -quiet\n"
    "          Print nothing on stdout while the program runs.\n"
    "  --takeover\n"
    "          Take the place of the process that listens at takeoverSocket, without losing a "
    "query: get\n"
    "          its sockets and connections, and have it end once this one answers.\n"
    "  --help, --version\n"
    "          Print this text, or the version, and exit.\n";

constexpr std::string_view NodeUsage =
    "waypost-node makes the virtual addresses of Kubernetes Services reach their endpoints, by "
    "programming\n"
    "iptables on its node as kube-proxy does.\n"
    "\n"
    "Usage: waypost-node --node-name NAME [--config FILE] [FLAG VALUE]...\n"
    "       waypost-node --cleanup\n"
    "\n"
    "Keys in brackets are those of a KubeProxyConfiguration file that --config names; a flag wins "
    "over the\n"
    "file. What such a file or a kube-proxy flag says that has no meaning here is refused by name. "
    "A list is\n"
    "written as VALUE,VALUE or by giving its flag several times. SIGINT and SIGTERM stop the "
    "program; its\n"
    "rules stay in force.\n"
    "\n"
    "  --config FILE\n"
    "          A KubeProxyConfiguration file (kubeproxy.config.k8s.io/v1alpha1).\n"
    "  --help, --version\n"
    "          Print this text, or the version, and exit.\n";

constexpr std::string_view ToolUsage =
    "waypost looks at what waypost-dns and waypost-node would do.\n"
    "\n"
    "Usage: waypost check-config FILE [FLAG VALUE]...\n"
    "       waypost check-node-config [FLAG VALUE]...\n"
    "       waypost convert-corefile FILE\n"
    "       waypost plan [FLAG VALUE]... [FILE...]\n"
    "       waypost explain [FLAG VALUE]... SOURCE ADDRESS:PORT/PROTOCOL [FILE...]\n"
    "       waypost resolv-conf [FLAG VALUE]...\n"
    "       waypost env [FLAG VALUE]...\n"
    "       waypost inject [FLAG VALUE]... < MANIFESTS\n"
    "       waypost flush [--control ADDRESS:PORT] NAME | --zone ZONE\n"
    "       waypost --help | --version\n"
    "\n"
    "  check-config FILE\n"
    "          Read a configuration file as waypost-dns does, together with the flags that it "
    "would be\n"
    "          given ('waypost-dns --help' lists them). Prints what is in force and exits with 0, "
    "or\n"
    "          prints every problem and exits with 1.\n"
    "  check-node-config\n"
    "          Read the flags of waypost-node as it does, with the file that --config names and "
    "the "
    "one\n"
    "          that --dns-config names. Prints what is in force and exits with 0, or prints every\n"
    "          problem and exits with 1.\n"
    "  convert-corefile FILE\n"
    "          Print the configuration file that says what this Corefile of CoreDNS says, or this\n"
    "          ConfigMap of coredns or kube-dns (FILE.yaml, FILE.json), with notes as comments on\n"
    "          top; or print every problem and exit with 1.\n"
    "  plan [FILE...]\n"
    "          Print the iptables rules that waypost-node would program with these flags, as\n"
    "          iptables-restore reads them. Nothing is changed. Services come from the files, or "
    "from\n"
    "          where waypost-node would take them.\n"
    "  explain SOURCE ADDRESS:PORT/PROTOCOL [FILE...]\n"
    "          Print where the first packet of a connection goes, and why: the Service and its "
    "policies,\n"
    "          each endpoint and why it is used or not, the rules on the way. A SOURCE that is an "
    "address\n"
    "          of the node sends from the node itself.\n"
    "  resolv-conf\n"
    "          Print the resolv.conf that a Pod gets, or put it in its place; 'waypost\n"
    "          resolv-conf --help' says how.\n"
    "  env\n"
    "          Print the variables of Services that a container gets; 'waypost env --help' says\n"
    "          how.\n"
    "  inject\n"
    "          Write either into the Pods of manifests; 'waypost inject --help' says how.\n"
    "\n"
    "  flush NAME, flush --zone ZONE\n"
    "          Have a running waypost-dns forget what upstreams said of a name, or of all names of "
    "a zone\n"
    "          ('.' for everything). --control is an address of its controlListen, by default\n"
    "          127.0.0.1:9154.\n"
    "\n"
    "check-node-config, plan and explain take the flags of waypost-node ('waypost-node --help' "
    "lists\n"
    "them), its --config FILE included. What rules do not depend on is only checked by the last "
    "two.\n"
    "\n"
    "Flags of plan and explain besides those:\n"
    "\n";

// Breaks `text` at blanks into lines that start with `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  const std::size_t width = HelpWidth - indent;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > width) {
      const std::size_t blank = text.rfind(' ', width);
      end = blank == std::string_view::npos ? width : blank;
    }
    out.append(indent, ' ').append(text.substr(0, end)).push_back('\n');
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return out;
}

constexpr std::array RuleFlags = {
    RuleFlag{
        "node-addresses", "ADDRESS", false,
        "The addresses of the node's interfaces, when the rules are for another host than this "
        "one. The first of each family is the node's own, unless its object or --node-ip says "
        "otherwise. Without this flag this host is the node."},
    RuleFlag{
        "kernel", "", true,
        "Walk the packet through the rules that are in force on this host, of the backend that "
        "--backend means to waypost-node, instead of those that should be. Needs "
        "CAP_NET_ADMIN."},
    RuleFlag{
        "rules", "FILE", true,
        "Walk the packet through this output of iptables-save (ip6tables-save for IPv6); '-' is "
        "standard input."},
    RuleFlag{"interface", "NAME", true, "The interface that the packet comes in by."},
};

}  // namespace

std::span<const RuleFlag> rule_flag_table() noexcept {
  return RuleFlags;
}

std::string dns_help() {
  std::string help(DnsUsage);
  for (const Option& option : options()) {
    help.append("  --").append(option.flag).append(" ").append(option.value_name);
    help.append("  [").append(option.key).append("]\n");
    help += wrapped(option.help, HelpIndent);
    std::string facts = "Accepts " + std::string(option.expected) +
                        ". Default: " + std::string(option.shown_default()) + ".";
    if (!option.live) {
      facts += " A change takes effect at restart.";
    }
    help += wrapped(facts, HelpIndent);
  }
  return help;
}

std::string node_help() {
  std::string help(NodeUsage);
  for (const NodeOption& option : node_options()) {
    help.append("  --").append(option.flag);
    if (!option.alias.empty()) {
      help.append(", --").append(option.alias);
    }
    help.append(" ").append(option.value_name);
    if (!option.key.empty()) {
      help.append("  [").append(option.key).append("]");
    }
    help += "\n";
    help += wrapped(option.help, HelpIndent);
    help += wrapped("Accepts " + std::string(option.expected) +
                        ". Default: " + std::string(option.shown_default()) + ".",
                    HelpIndent);
  }
  return help;
}

std::string tool_help() {
  std::string help(ToolUsage);
  for (const RuleFlag& flag : RuleFlags) {
    help.append("  --").append(flag.flag);
    help.append(flag.value_name.empty() ? "" : " ").append(flag.value_name);
    help.append(flag.is_for_explain ? "  (explain)\n" : "\n");
    help += wrapped(flag.help, HelpIndent);
  }
  return help;
}

std::string command_help(std::string_view usage, std::span<const CommandFlag> flags) {
  std::string help(usage);
  for (const CommandFlag& flag : flags) {
    help.append("  --").append(flag.flag);
    help.append(flag.value_name.empty() ? "" : " ").append(flag.value_name).append("\n");
    help += wrapped(flag.help, HelpIndent);
    help += wrapped("Accepts " + std::string(flag.expected) +
                        ". Default: " + std::string(flag.shown_default) + ".",
                    HelpIndent);
  }
  return help;
}

}  // namespace waypost::ops
