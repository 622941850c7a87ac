#include "ops/inject_command.h"

#include "kube/names.h"
#include "node/injection.h"
#include "ops/env_command.h"

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::string_view Usage =
    "waypost inject reads manifests from standard input and prints them with dnsPolicy None and a\n"
    "dnsConfig in every Pod and every template of Pods, for those who do not set the kubelet's\n"
    "flags; with --env, with the variables of Services as well.\n"
    "\n"
    "Usage: waypost inject [FLAG VALUE]... < MANIFESTS\n"
    "\n"
    "What is there already stays, and documents without a Pod that is changed stay as they are.\n"
    "Comments in a document that is changed are lost, except in front of it.\n"
    "\n";

constexpr std::array Flags = {
    CommandFlag{"namespace", OptionForm::Text, "NAME", "the name of a namespace", "none",
                "The namespace of Pods whose manifest names none."},
    CommandFlag{"dns", OptionForm::Boolean, "", "true or false", "true",
                "Write dnsPolicy and dnsConfig into Pods that resolve names through the cluster."},
    CommandFlag{"nameserver", OptionForm::List, "ADDRESS", "up to 3 IP addresses", "169.254.20.10",
                "Where these Pods ask: the address that the node answers on."},
    CommandFlag{"cluster-domain", OptionForm::Text, "DOMAIN", "a DNS domain", "cluster.local",
                "The kubelet's clusterDomain."},
    CommandFlag{"search", OptionForm::List, "DOMAIN", "DNS domains", "none",
                "Domains to search behind the cluster's: those of the nodes' own files, which a "
                "kubelet would add."},
    CommandFlag{"env", OptionForm::Boolean, "", "true or false", "false",
                "Write the variables of Services that are there now into every container, those "
                "that it has already excepted."},
    CommandFlag{"manifests", OptionForm::Text, "FOLDER", "a folder", "none",
                "Where Services come from, as for env."},
    CommandFlag{"service-cidrs", OptionForm::List, "PREFIX", "address ranges",
                "10.96.0.0/12,fd00:10:96::/112", "As for env."},
    CommandFlag{"kubeconfig", OptionForm::Text, "FILE", "a file", "none", "As for env."},
    CommandFlag{"context", OptionForm::Text, "NAME", "a context of the kubeconfig",
                "its current one", "As for env."},
    CommandFlag{"api-server", OptionForm::Text, "URL", "a URL with http or https", "none",
                "As for env."},
};

Result<node::NodeDns> dns_of(const GivenFlags& given) {
  node::NodeDns dns;
  auto nameservers = given.addresses("nameserver");
  if (!nameservers) {
    return std::unexpected(std::move(nameservers.error()));
  }
  dns.cluster_dns = std::move(*nameservers);
  if (dns.cluster_dns.empty()) {
    dns.cluster_dns.push_back(IpAddress::v4(169, 254, 20, 10));
  }
  if (dns.cluster_dns.size() > node::MaxNameservers) {
    return std::unexpected(
        refused("nameserver", std::to_string(dns.cluster_dns.size()) + " of them", "at most 3"));
  }
  dns.cluster_domain = given.text("cluster-domain", "cluster.local");
  if (!kube::is_dns_subdomain(dns.cluster_domain)) {
    return std::unexpected(refused("cluster-domain", dns.cluster_domain, kube::DnsSubdomainRule));
  }
  node::ResolverFile host;
  host.searches = given.list("search");
  for (const std::string& text : host.searches) {
    if (!node::is_search_domain(text)) {
      return std::unexpected(refused("search", text, node::SearchDomainRule));
    }
  }
  dns.host = std::move(host);
  return dns;
}

CommandOutput run_with(const GivenFlags& given) {
  CommandOutput output;
  node::InjectOptions options;
  options.name_space = given.text("namespace", "");
  if (!options.name_space.empty() && !kube::is_dns_label(options.name_space)) {
    return failed(refused("namespace", options.name_space, kube::DnsLabelRule));
  }
  const auto with_dns = given.boolean("dns", true);
  const auto with_env = given.boolean("env", false);
  if (!with_dns || !with_env) {
    return failed(with_dns ? with_env.error() : with_dns.error());
  }
  if (!*with_dns && !*with_env) {
    return failed({ErrorKind::InvalidInput, "--dns: found 'false', expected --env then"});
  }
  if (*with_dns) {
    auto dns = dns_of(given);
    if (!dns) {
      return failed(dns.error());
    }
    options.dns = std::move(*dns);
  }
  std::map<std::string, ListedServices> listed;   // By namespace, each read once.
  std::set<std::pair<std::string, bool>> warned;  // What the warnings of were told, with links.
  if (*with_env) {
    options.environment = [&](const std::string& name_space,
                              bool links) -> Result<std::vector<node::Variable>> {
      auto at = listed.find(name_space);
      if (at == listed.end()) {
        auto read = services_of(given, name_space);
        if (!read) {
          return std::unexpected(read.error());
        }
        for (const Error& problem : read->problems) {
          output.messages.push_back(warning(problem.message));
        }
        at = listed.emplace(name_space, std::move(*read)).first;
      }
      auto environment = node::service_environment(name_space, links, at->second.services);
      if (warned.emplace(name_space, links).second) {
        for (const std::string& text : environment.warnings) {
          output.messages.push_back(warning(text));
        }
      }
      return std::move(environment.variables);
    };
  }
  const auto text = read_input("-");
  if (!text) {
    return failed(text.error());
  }
  auto injected = node::inject(*text, options);
  if (!injected) {
    return failed(with_context(std::move(injected.error()), "standard input"));
  }
  output.text = std::move(injected->text);
  for (const std::string& note : injected->notes) {
    output.messages.push_back(warning(note));
  }
  return output;
}

}  // namespace

std::span<const CommandFlag> inject_flags() noexcept {
  return Flags;
}

CommandOutput run_inject(std::span<const char* const> arguments) {
  return run_command(arguments, "inject", Usage, Flags, run_with);
}

}  // namespace waypost::ops
