#include "ops/rule_flags.h"

#include <array>

namespace waypost::ops {
namespace {

using Form = RuleFlag::Form;

std::unexpected<Error> unexpected_value(const std::string& text, std::string_view expected) {
  return failure(ErrorKind::InvalidInput,
                 "found '" + text + "', expected " + std::string(expected));
}

Result<void> put_prefix(std::vector<IpPrefix>& to, const std::string& text) {
  const auto prefix = IpPrefix::from_text(text);
  if (!prefix) {
    return unexpected_value(text, "an address range such as 10.96.0.0/12");
  }
  to.push_back(*prefix);
  return {};
}

Result<void> put_address(std::vector<IpAddress>& to, const std::string& text) {
  const auto address = IpAddress::from_text(text);
  if (!address) {
    return unexpected_value(text, "an IP address");
  }
  to.push_back(*address);
  return {};
}

Result<void> put_switch(bool& to, const std::string& text) {
  if (text != "true" && text != "false") {
    return unexpected_value(text, "true or false");
  }
  to = text == "true";
  return {};
}

Result<void> put_node_ports(RuleQuestion& question, const std::string& text) {
  if (text == "primary") {
    question.config.node_port_scope = proxy::NodePortScope::Primary;
    return {};
  }
  question.config.node_port_scope = proxy::NodePortScope::Ranges;
  return put_prefix(question.config.node_port_ranges, text);
}

constexpr std::array Flags = {
    RuleFlag{"manifests", Form::Text, "FOLDER",
             "A folder of manifests, in place of files named one by one.", false,
             [](RuleQuestion& question, const std::string& text) -> Result<void> {
               question.manifests.folder = text;
               return {};
             }},
    RuleFlag{"node-name", Form::Text, "NAME",
             "The node that the rules are for: which endpoints are local.", false,
             [](RuleQuestion& question, const std::string& text) -> Result<void> {
               question.facts.name = text;
               return {};
             }},
    RuleFlag{"node-zone", Form::Text, "ZONE", "The node's zone, for topology hints.", false,
             [](RuleQuestion& question, const std::string& text) -> Result<void> {
               question.facts.zone = text;
               return {};
             }},
    RuleFlag{"node-ip", Form::List, "ADDRESS",
             "The node's addresses; the first of each family is its primary one.", false,
             [](RuleQuestion& question, const std::string& text) -> Result<void> {
               auto put = put_address(question.facts.addresses, text);
               bool is_first = put.has_value();
               for (const IpAddress& known : question.facts.node_ips) {
                 is_first = is_first && known.is_v4() != question.facts.addresses.back().is_v4();
               }
               if (is_first) {
                 question.facts.node_ips.push_back(question.facts.addresses.back());
               }
               return put;
             }},
    RuleFlag{
        "cluster-cidr", Form::List, "PREFIX",
        "Where Pods have their addresses; traffic to ClusterIPs from elsewhere is masqueraded.",
        false,
        [](RuleQuestion& question, const std::string& text) {
          question.config.local_detector = proxy::LocalDetector::SourceCidr;
          return put_prefix(question.config.source_cidrs, text);
        }},
    RuleFlag{"service-cidrs", Form::List, "PREFIX",
             "Where ClusterIPs are; a guard in the rules. Services without clusterIP get one from "
             "there, "
             "or from 10.96.0.0/12 and fd00:10:96::/112.",
             false,
             [](RuleQuestion& question, const std::string& text) {
               auto put = put_prefix(question.config.service_cidrs, text);
               question.manifests.service_cidrs = question.config.service_cidrs;
               return put;
             }},
    RuleFlag{"nodeport-addresses", Form::List, "PREFIX",
             "Which of the node's addresses have NodePorts: ranges, or 'primary'. All by default.",
             false, put_node_ports},
    RuleFlag{"iptables-localhost-nodeports", Form::Switch, "",
             "NodePorts are on 127.0.0.0/8 as well.", false,
             [](RuleQuestion& question, const std::string& text) {
               return put_switch(question.config.localhost_node_ports, text);
             }},
    RuleFlag{"masquerade-all", Form::Switch, "", "Everything to a ClusterIP is masqueraded.", false,
             [](RuleQuestion& question, const std::string& text) {
               return put_switch(question.config.masquerade_all, text);
             }},
    RuleFlag{
        "rules", Form::Text, "FILE",
        "Walk the packet through this output of iptables-save (ip6tables-save for IPv6) instead "
        "of the rules that the manifests lead to; '-' is standard input.",
        true,
        [](RuleQuestion& question, const std::string& text) -> Result<void> {
          question.packet->saved_rules = text;
          return {};
        }},
    RuleFlag{"kernel", Form::Switch, "",
             "Walk the packet through the rules that are in force on this host, instead of those "
             "that the manifests lead to. Needs CAP_NET_ADMIN.",
             true,
             [](RuleQuestion& question, const std::string& text) {
               return put_switch(question.packet->is_through_kernel, text);
             }},
    RuleFlag{"backend", Form::Text, "BACKEND",
             "Whose rules --kernel is about: iptables-nft, iptables-legacy, or auto: those of the "
             "backend that waypost-node would use.",
             true,
             [](RuleQuestion& question, const std::string& text) -> Result<void> {
               for (const proxy::Backend backend : {proxy::Backend::Nft, proxy::Backend::Legacy}) {
                 if (text == proxy::to_text(backend)) {
                   question.packet->backend = backend;
                   return {};
                 }
               }
               if (text != "auto") {
                 return unexpected_value(text, "auto, iptables-nft or iptables-legacy");
               }
               return {};
             }},
    RuleFlag{"interface", Form::Text, "NAME", "The interface that the packet comes in by.", true,
             [](RuleQuestion& question, const std::string& text) -> Result<void> {
               question.packet->interface = text;
               return {};
             }},
};

}  // namespace

std::span<const RuleFlag> rule_flags() noexcept {
  return Flags;
}

}  // namespace waypost::ops
