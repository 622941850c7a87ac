#include "node/pod_dns.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::node {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text.append(text.empty() ? "" : " ").append(word);
  }
  return text;
}

std::size_t joined_length(const std::vector<std::string>& words) {
  std::size_t length = words.empty() ? 0 : words.size() - 1;
  for (const std::string& word : words) {
    length += word.size();
  }
  return length;
}

// Adds the texts that are not there yet; those that were there twice stay so no longer.
void append_unique(std::vector<std::string>& to, const std::vector<std::string>& more) {
  std::vector<std::string> all;
  for (const std::vector<std::string>* list : {&std::as_const(to), &more}) {
    for (const std::string& text : *list) {
      if (std::find(all.begin(), all.end(), text) == all.end()) {
        all.push_back(text);
      }
    }
  }
  to = std::move(all);
}

// The kubelet's own look at the host's file, at its start.
void check_host(const ResolverFile& host, std::size_t max_searches,
                std::vector<std::string>& warnings) {
  const auto too_long = [](const std::string& search) { return search.size() > MaxSearchLength; };
  if (host.searches.size() > max_searches) {
    warnings.push_back("CheckLimitsForResolvConf: the host's file has " +
                       std::to_string(host.searches.size()) + " search domains, expected at most " +
                       std::to_string(max_searches));
  } else if (std::any_of(host.searches.begin(), host.searches.end(), too_long)) {
    warnings.push_back(
        "CheckLimitsForResolvConf: the host's file has a search domain of more than " +
        std::to_string(MaxSearchLength) + " characters");
  } else if (joined_length(host.searches) > MaxSearchListLength) {
    warnings.push_back("CheckLimitsForResolvConf: the host's file has search domains of " +
                       std::to_string(joined_length(host.searches)) +
                       " characters together, expected at most " +
                       std::to_string(MaxSearchListLength));
  }
}

ResolverFile host_file(const NodeDns& node) {
  if (node.host) {
    return *node.host;
  }
  // Without a file, containers would ask servers that a runtime chooses; the loopback address and
  // the root as search domain keep them from it.
  ResolverFile file;
  for (const kube::IpFamily family : node.families) {
    file.nameservers.emplace_back(family == kube::IpFamily::V4 ? "127.0.0.1" : "::1");
  }
  if (file.nameservers.empty()) {
    file.nameservers.emplace_back("127.0.0.1");
  }
  file.searches = {"."};
  return file;
}

ResolverFile cluster_file(const PodDns& pod, const NodeDns& node) {
  ResolverFile file;
  for (const IpAddress& address : node.cluster_dns) {
    file.nameservers.push_back(address.to_text());
  }
  const std::vector<std::string> host =
      node.host ? node.host->searches : std::vector<std::string>();
  if (node.cluster_domain.empty()) {
    file.searches = host;
  } else {
    file.searches = {pod.name_space + ".svc." + node.cluster_domain, "svc." + node.cluster_domain,
                     node.cluster_domain};
    append_unique(file.searches, host);
  }
  file.options = {"ndots:5"};
  return file;
}

bool wants_cluster(const PodDns& pod) noexcept {
  return pod.policy == DnsPolicy::ClusterFirstWithHostNet ||
         (pod.policy == DnsPolicy::ClusterFirst && !pod.host_network);
}

bool is_lower_alphanumeric(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
bool is_search_label(std::string_view label) noexcept {
  label.remove_prefix(label.starts_with('_') ? 1 : 0);
  return !label.empty() && is_lower_alphanumeric(label.front()) &&
         is_lower_alphanumeric(label.back()) && std::all_of(label.begin(), label.end(), [](char c) {
           return is_lower_alphanumeric(c) || c == '-' || c == '_';
         });
}

}  // namespace

bool is_nameserver(std::string_view text) noexcept {
  return IpAddress::from_text(text).has_value();
}

bool is_search_domain(std::string_view text) noexcept {
  if (text == ".") {
    return true;
  }
  text.remove_suffix(text.ends_with('.') ? 1 : 0);
  if (text.empty() || text.size() > MaxSearchLength) {
    return false;
  }
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_search_label(text.substr(0, dot))) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return true;
    }
    text.remove_prefix(dot + 1);
  }
}

bool is_option_part(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

std::optional<std::string> why_refused(DnsPolicy policy, const DnsConfig& config) {
  const auto too_many = [](std::string_view what, std::size_t found, std::size_t most) {
    return "dnsConfig." + std::string(what) + ": found " + std::to_string(found) +
           ", expected at most " + std::to_string(most);
  };
  if (config.nameservers.size() > MaxNameservers) {
    return too_many("nameservers", config.nameservers.size(), MaxNameservers);
  }
  if (policy == DnsPolicy::None && config.nameservers.empty()) {
    return "dnsConfig.nameservers: found none, expected at least one with dnsPolicy None";
  }
  if (config.searches.size() > MaxSearches) {
    return too_many("searches", config.searches.size(), MaxSearches);
  }
  if (joined_length(config.searches) > MaxSearchListLength) {
    return "dnsConfig.searches: found " + std::to_string(joined_length(config.searches)) +
           " characters together, expected at most " + std::to_string(MaxSearchListLength);
  }
  return std::nullopt;
}

PodResolver resolver_of(const PodDns& pod, const NodeDns& node) {
  PodResolver result;
  if (node.host) {
    check_host(*node.host, MaxSearches - (node.cluster_domain.empty() ? 0 : 3), result.warnings);
  }
  if (pod.policy == DnsPolicy::None) {
    result.file = {};
  } else if (wants_cluster(pod) && !node.cluster_dns.empty()) {
    result.file = cluster_file(pod, node);
  } else {
    if (wants_cluster(pod)) {
      result.warnings.push_back("MissingClusterDNS: the kubelet has no clusterDNS; dnsPolicy " +
                                std::string(to_text(pod.policy)) + " falls back to Default");
    }
    result.file = host_file(node);
  }
  if (pod.config) {
    append_unique(result.file.nameservers, pod.config->nameservers);
    append_unique(result.file.searches, pod.config->searches);
    for (std::string& option : result.file.options) {  // Merging loses a colon without a value.
      option.resize(option.size() - (option.find(':') == option.size() - 1 ? 1 : 0));
    }
    for (const std::string& option : pod.config->options) {
      put_option(result.file.options, option);
    }
  }
  fit_limits(result.file, result.warnings);
  return result;
}

void fit_limits(ResolverFile& file, std::vector<std::string>& warnings) {
  if (file.nameservers.size() > MaxNameservers) {
    file.nameservers.resize(MaxNameservers);
    warnings.push_back("DNSConfigForming: more than " + std::to_string(MaxNameservers) +
                       " nameservers, the first are used: " + joined(file.nameservers));
  }
  const std::size_t before = file.searches.size();
  if (before > MaxSearches) {
    file.searches.resize(MaxSearches);
  }
  // glibc 2.28 aborts at a search domain of more than 255 octets.
  std::erase_if(file.searches,
                [](const std::string& search) { return search.size() > MaxSearchLength; });
  while (joined_length(file.searches) > MaxSearchListLength) {
    file.searches.pop_back();
  }
  if (file.searches.size() != before) {
    warnings.push_back("DNSConfigForming: more than " + std::to_string(MaxSearches) +
                       " search domains, one of more than " + std::to_string(MaxSearchLength) +
                       " characters, or more than " + std::to_string(MaxSearchListLength) +
                       " characters together; these are used: " + joined(file.searches));
  }
}

}  // namespace waypost::node
