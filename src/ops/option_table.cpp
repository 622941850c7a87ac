#include "ops/option_table.h"

#include "base/ip_address.h"
#include "kube/api_endpoint.h"
#include "kube/selector.h"
#include "ops/forward_options.h"
#include "ops/node_facts.h"
#include "ops/option_values.h"
#include "ops/policy_options.h"
#include "ops/query_log_options.h"
#include "ops/reverse_zones.h"
#include "ops/search_options.h"
#include "ops/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

namespace waypost::ops {
namespace {

namespace fs = std::filesystem;

// Bounds that keep a typing mistake from making the server useless or its connections immortal.
Result<void> put_timeout(std::chrono::milliseconds& target, const std::string& text) {
  const auto duration = duration_from_text(text);
  if (!duration || *duration < std::chrono::milliseconds(10) || *duration > std::chrono::hours(1)) {
    return unlike_expected();
  }
  target = *duration;
  return {};
}

// An NSID or a TXT string: what fits into one character-string (RFC 1035, 3.3).
Result<void> put_short_text(std::string& target, const std::string& text) {
  if (text == "@hostname") {
    target = host_name();
    return {};
  }
  if (text.size() > 255 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    return unlike_expected();
  }
  target = text;
  return {};
}

Result<void> put_listen(Config& config, const std::string& text) {
  const auto address = SocketAddress::from_text(text);
  return address ? add_once(config.server.listen, *address) : unlike_expected();
}

template <std::vector<SocketAddress> StatusListen::* List>
Result<void> put_status_listen(Config& config, const std::string& text) {
  const auto address = SocketAddress::from_text(text);
  return address ? add_once(config.status.*List, *address) : unlike_expected();
}

Result<void> put_status_page(Config& config, const std::string& text) {
  const auto access = page_access_from_text(text);
  if (!access) {
    return unlike_expected();
  }
  config.status.page = *access;
  return {};
}

// Whoever reaches it may have things done.
Result<void> put_control_listen(Config& config, const std::string& text) {
  const auto address = SocketAddress::from_text(text);
  if (!address) {
    return unlike_expected();
  }
  if (!address->address.is_loopback()) {
    return because("it is not an address of the loopback");
  }
  return add_once(config.status.control, *address);
}

Result<void> put_manifests(Config& config, const std::string& text) {
  return put_folder(config.manifests.folder, text);
}

Result<void> put_static_zones(Config& config, const std::string& text) {
  fs::path folder;
  const auto found = put_folder(folder, text);
  return found ? add_once(config.static_zones, std::move(folder)) : found;
}

Result<void> put_cluster_domain(Config& config, const std::string& text) {
  auto name = dns::Name::from_text(text);
  if (!name) {
    return because(name.error().message);
  }
  if (name->is_root()) {
    return because("the root cannot be the cluster's zone");
  }
  config.records.zone = name->lowered();
  return {};
}

Result<void> put_reverse_zones(Config& config, const std::string& text) {
  auto zones = reverse_zones_from_text(text);
  if (!zones) {
    return std::unexpected(zones.error());
  }
  auto& list = config.records.reverse_zones;
  for (const dns::Name& zone : *zones) {
    for (const dns::Name& other : list) {
      if (zone.is_within(other) || other.is_within(zone)) {
        return because(zone.to_text() + " overlaps " + other.to_text());
      }
    }
  }
  list.insert(list.end(), zones->begin(), zones->end());
  return {};
}

Result<void> put_fallthrough_zone(Config& config, const std::string& text) {
  const auto name = dns::Name::from_text(text);
  return name ? add_once(config.records.fallthrough_zones, name->lowered())
              : because(name.error().message);
}

Result<void> put_pods(Config& config, const std::string& text) {
  using enum records::PodsMode;
  return put_word(config.records.pods, text,
                  {{"disabled", Disabled}, {"insecure", Insecure}, {"verified", Verified}});
}

Result<void> put_ptr(Config& config, const std::string& text) {
  using enum records::PtrMode;
  return put_word(config.records.ptr, text, {{"all", All}, {"single", Single}});
}

Result<void> put_namespace(Config& config, const std::string& text) {
  // A DNS label as the API admits it for Namespaces (RFC 1123, 2.1).
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool valid =
      !text.empty() && text.size() <= dns::MaxLabelSize && is_plain(text.front()) &&
      is_plain(text.back()) &&
      std::all_of(text.begin(), text.end(), [&](char c) { return is_plain(c) || c == '-'; });
  return valid ? add_once(config.records.namespaces, text) : unlike_expected();
}

Result<void> put_selector(kube::Selector& target, const std::string& text) {
  auto selector = kube::Selector::from_text(text);
  if (!selector) {
    return std::unexpected(selector.error());
  }
  target = std::move(*selector);
  return {};
}

Result<void> put_service_cidr(Config& config, const std::string& text) {
  const auto prefix = IpPrefix::from_text(text);
  if (!prefix) {
    return because(prefix.error().message);
  }
  for (const IpPrefix& other : config.manifests.service_cidrs) {
    if (other.base().is_v4() == prefix->base().is_v4()) {
      return because(other.to_text() + " is of the same family");
    }
  }
  config.manifests.service_cidrs.push_back(*prefix);
  config.records.service_cidrs.push_back(*prefix);
  return {};
}

Result<void> put_cookie_secret_file(Config& config, const std::string& text) {
  auto secret = secret_from_file(text);
  if (!secret) {
    return because(secret.error().message);
  }
  config.cookie_secret_file = text;
  config.policy.cookie_secret = *secret;
  return {};
}

Result<void> put_transfer_allow(Config& config, const std::string& text) {
  const auto prefix = IpPrefix::from_text(text);
  return prefix ? add_once(config.policy.transfer_allow, *prefix) : because(prefix.error().message);
}

Result<void> put_log_level(Config& config, const std::string& text) {
  if (text != "debug" && text != "info" && text != "warn" && text != "error") {
    return unlike_expected();
  }
  config.log_level = text;
  return {};
}

Result<void> put_api_server(Config& config, const std::string& text) {
  const auto endpoint = kube::ApiEndpoint::from_text(text);
  if (!endpoint) {
    return because(endpoint.error().message);
  }
  config.api.server = text;
  return {};
}

Result<void> put_snapshot(Config& config, const std::string& text) {
  std::error_code ec;
  if (!fs::is_directory(fs::path(text).parent_path(), ec)) {
    return because("its folder does not exist");
  }
  config.snapshot = text;
  return {};
}

// What a sockaddr_un holds, less what a process number takes that stands behind it for a moment.
constexpr std::size_t MaxSocketPath = 96;

Result<void> put_takeover_socket(Config& config, const std::string& text) {
  std::error_code ec;
  if (text.size() > MaxSocketPath) {
    return because("it is longer than 96 octets");
  }
  if (!fs::is_directory(fs::path(text).parent_path(), ec)) {
    return because("its folder does not exist");
  }
  config.takeover_socket = text;
  return {};
}

Result<void> put_max_data_age(Config& config, const std::string& text) {
  const auto age = duration_from_text(text);
  if (!age || (age->count() != 0 && *age < std::chrono::seconds(10)) ||
      *age > std::chrono::hours(24 * 365)) {
    return unlike_expected();
  }
  config.max_data_age = *age;
  return {};
}

Result<void> put_lameduck(Config& config, const std::string& text) {
  const auto duration = duration_from_text(text);
  if (!duration || *duration > std::chrono::minutes(10)) {
    return unlike_expected();
  }
  config.lameduck = *duration;
  return {};
}

Result<void> put_log_format(Config& config, const std::string& text) {
  using enum log::Format;
  return put_word(config.log_format, text, {{"text", Text}, {"json", Json}});
}

constexpr bool Live = true;
constexpr bool AtRestart = false;
using enum OptionForm;

constexpr auto Table = std::to_array<Option>({
    {"listen", "listen", List, "ADDR:PORT",
     "a list of ADDRESS:PORT such as 127.0.0.1:53 or [::1]:53", "0.0.0.0:53, [::]:53", "",
     AtRestart,
     "The addresses to answer on, each over UDP and TCP. Port 0 lets the kernel choose one. A "
     "kernel "
     "without IPv6 has no [::]; it is left out where 0.0.0.0 is there with the same port.",
     put_listen},
    {"kubernetes", "kubernetes", Boolean, "BOOL", "true or false", "true", "", AtRestart,
     "Whether the names of a cluster are served. Without them this is a cache in front of others "
     "(forward, stubDomains) and a server of static zones.",
     [](Config& c, const std::string& t) { return put_boolean(c.records.is_served, t); }},
    {"manifests", "manifests", Text, "FOLDER", "a folder of Kubernetes manifests", "",
     "none; the objects come from the API server", Live,
     "The folder of Kubernetes manifests (*.yaml, *.yml, *.json) whose Services are served.",
     put_manifests, true},
    {"kubeconfig", "kubeconfig", Text, "FILE", "a kubeconfig file", "",
     "none; as a Pod of the cluster, with its service account", AtRestart,
     "How to reach the API server, and as whom. Not together with manifests.",
     [](Config& c, const std::string& t) {
       c.api.kubeconfig = t;
       return Result<void>();
     },
     true},
    {"context", "context", Text, "NAME", "the name of a context of the kubeconfig", "",
     "the kubeconfig's current one", AtRestart, "The context of the kubeconfig to use.",
     [](Config& c, const std::string& t) {
       c.api.context = t;
       return Result<void>();
     }},
    {"apiServer", "api-server", Text, "URL",
     "a URL such as https://10.96.0.1:443, http://127.0.0.1:8001 or unix:///run/api.sock", "",
     "the kubeconfig's, or the cluster's", AtRestart,
     "Where the API server is, instead of what the kubeconfig says, or without one and without "
     "credentials.",
     put_api_server},
    {"snapshot", "snapshot", Text, "FILE", "a path whose folder exists", "", "none", AtRestart,
     "Where the world is saved, so that a restart while the API server is down answers at once. "
     "Answers from it are marked as stale (EDE 3).",
     put_snapshot, true},
    {"maxDataAge", "max-data-age", Text, "DURATION", "a duration of at least 10s, or 0s for never",
     "0s", "", Live,
     "How long the API server may be out of reach until answers are marked as stale (EDE 3) and "
     "/ready fails. Mind that an outage concerns all replicas at once.",
     put_max_data_age},
    {"staticZones", "static-zones", List, "FOLDER", "a list of folders of *.zone files", "", "none",
     Live,
     "Folders of RFC 1035 zone files (*.zone). A zone in a later folder replaces one of the same "
     "name.",
     put_static_zones, true},
    {"builtInZones", "built-in-zones", Boolean, "BOOL", "true or false", "true", "", Live,
     "Whether localhost and the empty zones of RFC 6303 and RFC 6761 are served. What else is "
     "configured comes first: zones of staticZones with the same name, those of stubDomains with "
     "all "
     "names in them, and, where fallthroughZones has reverse names asked elsewhere, these past the "
     "empty zones.",
     [](Config& c, const std::string& t) { return put_boolean(c.built_in_zones, t); }},
    {"clusterDomain", "cluster-domain", Text, "NAME", "a domain name such as cluster.local",
     "cluster.local", "", Live, "The zone that the cluster's names live in.", put_cluster_domain},
    {"reverseZones", "reverse-zones", List, "ZONE",
     "a list of names below in-addr.arpa or ip6.arpa, or of prefixes such as 10.96.0.0/12",
     "in-addr.arpa, ip6.arpa", "", Live,
     "Where PTR records live. A prefix stands for the reverse zones that cover it.",
     put_reverse_zones},
    {"fallthroughZones", "fallthrough-zones", List, "ZONE",
     "a list of domain names such as in-addr.arpa", "", "none; what the cluster lacks is NXDOMAIN",
     Live,
     "Zones of the cluster, or names above or below them, of which names that the cluster does not "
     "have are asked elsewhere (forward, stubDomains).",
     put_fallthrough_zone},
    {"pods", "pods", Text, "MODE", "disabled, insecure or verified", "disabled", "", Live,
     "Names such as 10-244-1-5.shop.pod.cluster.local: disabled, none; insecure, for every address "
     "in "
     "every namespace; verified, for the addresses of that namespace's running Pods.",
     put_pods},
    {"ttl", "ttl", Number, "SECONDS", "a whole number of seconds from 0 to 3600", "5", "", Live,
     "The TTL of positive answers from the cluster's zones.",
     [](Config& c, const std::string& t) { return put_number(c.records.ttl, t, 0, 3600); }},
    {"negativeTtl", "negative-ttl", Number, "SECONDS", "a whole number of seconds from 0 to 3600",
     "", "the smaller of ttl and 5", Live,
     "How long resolvers may remember that a cluster name does not exist (the SOA's minimum).",
     [](Config& c, const std::string& t) {
       return put_number(c.records.negative_ttl, t, 0, 3600);
     }},
    {"ptr", "ptr", Text, "MODE", "all or single", "all", "", Live,
     "Whether an endpoint address that several Services share has all of their PTR records, or the "
     "first.",
     put_ptr},
    {"endpointPodNames", "endpoint-pod-names", Boolean, "BOOL", "true or false", "false", "", Live,
     "Whether an endpoint without hostname is named after its Pod instead of its address.",
     [](Config& c, const std::string& t) { return put_boolean(c.records.endpoint_pod_names, t); }},
    {"ignoreEmptyServices", "ignore-empty-services", Boolean, "BOOL", "true or false", "false", "",
     Live, "Whether the name of a ClusterIP Service without ready endpoints does not exist.",
     [](Config& c, const std::string& t) {
       return put_boolean(c.records.ignore_empty_services, t);
     }},
    {"namespaces", "namespaces", List, "NAME", "a list of Namespace names", "", "all", Live,
     "Only these Namespaces are served. Not together with namespaceLabels.", put_namespace},
    {"namespaceLabels", "namespace-labels", Text, "SELECTOR",
     "a label selector such as tier=prod,!hidden", "", "all", Live,
     "Only Namespaces whose labels match are served. Not together with namespaces.",
     [](Config& c, const std::string& t) { return put_selector(c.records.namespace_labels, t); }},
    {"labels", "labels", Text, "SELECTOR", "a label selector such as tier=prod,!hidden", "", "all",
     Live, "Only Services whose labels match are served.",
     [](Config& c, const std::string& t) { return put_selector(c.records.labels, t); }},
    {"serviceCidrs", "service-cidrs", List, "PREFIX",
     "a list of prefixes such as 10.96.0.0/12, at most one of each family",
     "10.96.0.0/12, fd00:10:96::/112", "", Live,
     "Where Services whose manifest leaves out clusterIP get theirs. As long as the cluster is not "
     "known, nobody else is asked for the names of these addresses.",
     put_service_cidr},
    {"forward", "forward", List, "UPSTREAM",
     "a list of ADDRESS[:PORT], tcp://ADDRESS, tls://ADDRESS#NAME, or the absolute path of a "
     "resolv.conf",
     "", "none; names that no zone here has are refused", Live,
     "Who is asked for names that no zone here has: servers over UDP with TCP on truncation, TCP, "
     "or TLS (verified as NAME), or the servers of a resolv.conf, which is followed and may come "
     "later.",
     put_forward},
    {"stubDomains", "stub-domains", List, "ZONE=UPSTREAM",
     "a list of ZONE=UPSTREAM such as corp.example=10.0.0.10", "", "none", Live,
     "Who is asked for the names of a zone instead of forward. A zone may be given several times, "
     "once for each upstream; the longest zone wins. It may lie within a zone that is served here, "
     "of "
     "the cluster or of staticZones: the longer one has a name, but reverse names that the cluster "
     "has are the cluster's. The cluster's zone itself, and svc and pod below it, are refused.",
     put_stub_domain},
    {"searchCompletion", "search-completion", Boolean, "BOOL", "true or false", "false", "",
     AtRestart,
     "Whether a name that does not exist and is the first that a Pod's resolver makes of a shorter "
     "one is answered with the name that the others would lead to. Takes a watch of Pods; on "
     "waypost-node, of those of its node.",
     [](Config& c, const std::string& t) { return put_boolean(c.completion.is_on, t); }},
    {"searchDomains", "search-domains", List, "DOMAIN",
     "a list of domain names such as corp.example", "", "those of searchResolvConf", Live,
     "The search domains that Pods have from their nodes, behind the cluster's own.",
     put_search_domain},
    {"searchResolvConf", "search-resolv-conf", Text, "FILE",
     "the path of a resolv.conf such as the kubelet's resolvConf", "/etc/resolv.conf", "", Live,
     "Where these domains are read, and followed.", put_search_resolv_conf, true},
    {"searchNode", "search-node", Text, "NODE", "the name of a Node", "",
     "none; all Pods are watched", AtRestart,
     "The node whose Pods alone are watched for searchCompletion, where each node has a server of "
     "its own.",
     put_search_node},
    {"forwardPolicy", "forward-policy", Text, "POLICY", "ranked, random, sequential or round_robin",
     "ranked", "", Live,
     "Which upstream is asked first: the one with the best latency and the least loss of late, a "
     "random one, the first listed, or each in turn.",
     put_forward_policy},
    {"queryCase", "query-case", Boolean, "BOOL", "true or false", "true", "", Live,
     "Whether questions go out in random case, which answers must repeat (0x20).",
     [](Config& c, const std::string& t) { return put_boolean(c.forward.options.query_case, t); }},
    {"upstreamTimeout", "upstream-timeout", Text, "DURATION",
     "a duration from 10ms to 1h such as 500ms or 10s", "2s", "", Live,
     "How long one upstream is waited for.",
     [](Config& c, const std::string& t) {
       return put_timeout(c.forward.options.upstream_timeout, t);
     }},
    {"upstreamCaFile", "upstream-ca-file", Text, "FILE", "a file of certificates in PEM", "",
     "the system's authorities", Live,
     "The certificates of the authorities that vouch for tls:// upstreams.", put_upstream_ca_file,
     true},
    {"queryDeadline", "query-deadline", Text, "DURATION", "a duration from 100ms to 30s", "4s", "",
     Live,
     "After which a question that no upstream has answered fails (SERVFAIL), before clients give "
     "up.",
     put_query_deadline},
    {"maxInFlight", "max-in-flight", Number, "N", "a whole number from 1 to 100000", "1000", "",
     Live, "Questions that upstreams are asked at one time; further ones fail at once (SERVFAIL).",
     [](Config& c, const std::string& t) {
       const auto done = put_number(c.forward.resolver.max_in_flight, t, 1, 100000);
       c.forward.options.max_in_flight = c.forward.resolver.max_in_flight;
       return done;
     }},
    {"cacheSize", "cache-size", Number, "OCTETS", "a whole number of octets up to 4294967296",
     "16777216", "", AtRestart, "What the answers of upstreams may take in memory; 0 keeps none.",
     [](Config& c, const std::string& t) {
       return put_number(c.forward.cache_size, t, 0, std::uint64_t{1} << 32U);
     }},
    {"serveStale", "serve-stale", Text, "DURATION", "a duration up to 168h, or 0s for never", "1h",
     "", Live,
     "For how long after it has expired an answer is given when no upstream answers in time (RFC "
     "8767), with TTL 30 and EDE 3.",
     put_serve_stale},
    {"cacheMinTtl", "cache-min-ttl", Number, "SECONDS", "a whole number of seconds from 0 to 3600",
     "0", "", Live,
     "The shortest time that an upstream's answer is kept. What has TTL 0 is never kept.",
     [](Config& c, const std::string& t) {
       return put_number(c.forward.cache_times.min_ttl, t, 0, 3600);
     }},
    {"cacheMaxTtl", "cache-max-ttl", Number, "SECONDS",
     "a whole number of seconds from 1 to 604800", "86400", "", Live,
     "The longest time that an upstream's answer is kept and told.",
     [](Config& c, const std::string& t) {
       return put_number(c.forward.cache_times.max_ttl, t, 1, 604800);
     }},
    {"cacheMaxNegativeTtl", "cache-max-negative-ttl", Number, "SECONDS",
     "a whole number of seconds from 1 to 86400", "3600", "", Live,
     "The longest time that it is kept that a name or a type does not exist. Without a SOA in the "
     "upstream's answer, which says for how long, it is not kept (RFC 2308), and neither is a "
     "CNAME "
     "that leads there: what its target has must be asked for again anyway.",
     [](Config& c, const std::string& t) {
       return put_number(c.forward.cache_times.max_negative_ttl, t, 1, 86400);
     }},
    {"failureTtl", "failure-ttl", Number, "SECONDS", "a whole number of seconds from 1 to 300", "1",
     "", Live,
     "For how long a question that failed is not asked again (RFC 9520), at first; twice as long "
     "each further time, up to five seconds or this, whichever is longer.",
     [](Config& c, const std::string& t) {
       std::uint32_t seconds = 0;
       const auto done = put_number(seconds, t, 1, 300);
       c.forward.resolver.failure_pause = std::chrono::seconds(seconds);
       return done;
     }},
    {"prefetch", "prefetch", Boolean, "BOOL", "true or false", "true", "", Live,
     "Whether popular answers are asked for again before they expire.",
     [](Config& c, const std::string& t) { return put_boolean(c.forward.resolver.prefetch, t); }},
    {"workers", "workers", Number, "N", "a whole number from 1 to 1024", "",
     "the number of usable cores", AtRestart,
     "Threads that answer. Usable are the cores of the process' affinity, within its CPU quota.",
     [](Config& c, const std::string& t) { return put_number(c.server.workers, t, 1, 1024); }},
    {"receiveBuffer", "receive-buffer", Number, "OCTETS",
     "a whole number of octets from 4096 to 1073741824", "4194304", "", AtRestart,
     "What each UDP socket may hold while its worker is busy; a query takes some 800 octets of the "
     "kernel's memory. If the kernel grants less, that is logged.",
     [](Config& c, const std::string& t) {
       return put_number(c.server.udp_buffer_size, t, 4096, std::uint64_t{1} << 30U);
     }},
    {"udpSize", "udp-size", Number, "OCTETS", "a whole number of octets from 512 to 4096", "1232",
     "", Live, "The largest UDP answer, for clients that take as much (EDNS).",
     [](Config& c, const std::string& t) { return put_number(c.policy.udp_size, t, 512, 4096); }},
    {"cookies", "cookies", Boolean, "BOOL", "true or false", "true", "", Live,
     "Whether DNS cookies (RFC 7873) are answered.",
     [](Config& c, const std::string& t) { return put_boolean(c.policy.cookies, t); }},
    {"cookieSecretFile", "cookie-secret-file", Text, "FILE", "a file that holds 32 hex digits", "",
     "a random secret for each process", Live,
     "The secret behind server cookies; replicas behind one address share it.",
     put_cookie_secret_file, true},
    {"nsid", "nsid", Text, "TEXT",
     "at most 255 printable ASCII characters, or @hostname for the host's name", "", "none", Live,
     "The server identifier (RFC 5001) for clients that ask for it.",
     [](Config& c, const std::string& t) { return put_short_text(c.policy.nsid, t); }},
    {"chaosVersion", "chaos-version", Text, "TEXT",
     "at most 255 printable ASCII characters, or @hostname for the host's name", "",
     "none; the question is refused", Live, "The answer to version.bind TXT of class CH.",
     [](Config& c, const std::string& t) { return put_short_text(c.policy.chaos_version, t); }},
    {"chaosId", "chaos-id", Text, "TEXT",
     "at most 255 printable ASCII characters, or @hostname for the host's name", "",
     "none; the question is refused", Live, "The answer to id.server TXT of class CH.",
     [](Config& c, const std::string& t) { return put_short_text(c.policy.chaos_id, t); }},
    {"transferAllow", "transfer-allow", List, "PREFIX",
     "a list of addresses or prefixes such as 10.0.0.0/8", "", "nobody", Live,
     "Who may ask for a zone transfer (AXFR, IXFR).", put_transfer_allow},
    {"maxTcpConnections", "max-tcp-connections", Number, "N", "a whole number from 1 to 1000000",
     "4096", "", AtRestart, "TCP connections at one time; more are closed at once.",
     [](Config& c, const std::string& t) {
       return put_number(c.server.max_tcp_connections, t, 1, 1000000);
     }},
    {"maxTcpPipeline", "max-tcp-pipeline", Number, "N", "a whole number from 1 to 65535", "64", "",
     AtRestart, "Queries in flight on one TCP connection; reading waits beyond that.",
     [](Config& c, const std::string& t) {
       return put_number(c.server.max_tcp_pipeline, t, 1, 65535);
     }},
    {"tcpIdleTimeout", "tcp-idle-timeout", Text, "DURATION",
     "a duration from 10ms to 1h such as 500ms or 10s", "10s", "", AtRestart,
     "How long a TCP connection may stay without a complete query.",
     [](Config& c, const std::string& t) { return put_timeout(c.server.tcp_idle_timeout, t); }},
    {"tcpWriteTimeout", "tcp-write-timeout", Text, "DURATION",
     "a duration from 10ms to 1h such as 500ms or 10s", "5s", "", AtRestart,
     "How long a client may take to accept an answer over TCP.",
     [](Config& c, const std::string& t) { return put_timeout(c.server.tcp_write_timeout, t); }},
    {"healthListen", "health-listen", List, "ADDR:PORT",
     "a list of ADDRESS:PORT such as 127.0.0.1:8080 or [::]:8080", "", "none", AtRestart,
     "Where GET /health answers 200 as long as the process lives. Options of this kind may share "
     "an "
     "address.",
     put_status_listen<&StatusListen::health>},
    {"readyListen", "ready-listen", List, "ADDR:PORT",
     "a list of ADDRESS:PORT such as 127.0.0.1:8181 or [::]:8181", "", "none", AtRestart,
     "Where GET /ready answers 200, or 503 with what is not ready yet; so does /readiness, as of "
     "kube-dns.",
     put_status_listen<&StatusListen::ready>},
    {"metricsListen", "metrics-listen", List, "ADDR:PORT",
     "a list of ADDRESS:PORT such as 127.0.0.1:9153 or [::]:9153", "", "none", AtRestart,
     "Where GET /metrics answers with docs/metrics.md, for Prometheus.",
     put_status_listen<&StatusListen::metrics>},
    {"statusPage", "status-page", Text, "WHO", "off, local or open", "local", "", AtRestart,
     "Who sees the status page, at / where metricsListen is: nobody, clients on the loopback "
     "address "
     "(as kubectl port-forward makes them), or everybody.",
     put_status_page},
    {"statusTops", "status-tops", Boolean, "BOOL", "true or false", "true", "", AtRestart,
     "Whether the status page has the names that are asked for most, and the clients that ask "
     "most.",
     [](Config& c, const std::string& t) { return put_boolean(c.status.tops, t); }},
    {"lameduck", "lameduck", Text, "DURATION", "a duration from 0s to 10m such as 5s", "",
     "5s; 0s with manifests", Live,
     "How long queries are answered after SIGTERM, while /ready fails; less when none has come for "
     "two seconds.",
     put_lameduck},
    {"takeoverSocket", "takeover-socket", Text, "FILE", "a path whose folder exists", "", "none",
     AtRestart,
     "Where a process that is started with --takeover takes over from this one, without losing a "
     "query. Only this user and root can connect to it. SIGUSR2 starts such a process.",
     put_takeover_socket, true},
    {"controlListen", "control-listen", List, "ADDR:PORT",
     "a list of addresses of the loopback with a port, such as 127.0.0.1:9154", "", "none",
     AtRestart, "Where an operator's requests are taken: POST /flush, which 'waypost flush' sends.",
     put_control_listen},
    {"logLevel", "log-level", Text, "LEVEL", "debug, info, warn or error", "info", "", Live,
     "The least important lines that are logged, on stderr.", put_log_level},
    {"logFormat", "log-format", Text, "FORMAT", "text or json", "text", "", Live,
     "Whether a line, of the log or printed, is text or a JSON object with time, level and "
     "message.",
     put_log_format},
    {"queryLog", "query-log", List, "[ZONE=]CLASS",
     "a list of success, denial, error, all or none, each with a zone and '=' in front if it is "
     "about the names there, such as corp.example=all",
     "", "none; no query is logged", Live,
     "The queries that have a line in the log: success has records, denial is NXDOMAIN or has "
     "none, "
     "error is any other rcode or no answer. Of a name, the entries with the longest zone count.",
     put_query_log},
    {"queryLogRate", "query-log-rate", Number, "LINES", "a number from 1 to 2000", "100", "", Live,
     "How many lines queryLog writes a second, at most. While more queries would have one, some of "
     "them are chosen by chance and stand for the others.",
     put_query_log_rate},
});

// Lower case without dashes and underscores.
std::string folded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != '-' && c != '_') {
      result.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
  }
  return result;
}

// Insertions, deletions and replacements that make one text of the other (Levenshtein).
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j < row.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::span<const Option> options() noexcept {
  static const std::vector<Option> all = [] {
    std::vector<Option> rows(Table.begin(), Table.end());
    const auto behind = std::find_if(rows.begin(), rows.end(), [](const Option& option) {
      return option.key == "transferAllow";
    });
    const std::span<const Option> policy = policy_options();
    rows.insert(behind, policy.begin(), policy.end());
    return rows;
  }();
  return all;
}

const Option* find_option(std::string_view key) noexcept {
  const std::span<const Option> all = options();
  const auto found =
      std::find_if(all.begin(), all.end(), [key](const Option& o) { return o.key == key; });
  return found == all.end() ? nullptr : &*found;
}

std::string_view nearest(std::string_view typed, std::span<const std::string_view> candidates) {
  // Quadratic in length, and no name here is long.
  const std::string wanted = folded(typed.substr(0, 64));
  const std::size_t limit = std::max<std::size_t>(2, wanted.size() / 3);
  std::string_view best;
  std::size_t best_distance = limit + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t here = distance(wanted, folded(candidate));
    if (here < best_distance && here < wanted.size()) {
      best = candidate;
      best_distance = here;
    }
  }
  return best;
}

}  // namespace waypost::ops
