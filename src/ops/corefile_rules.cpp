// The table of directives, and those that are not about where answers come from.

#include "base/ip_address.h"
#include "ops/corefile_translator.h"
#include "ops/option_table.h"
#include "ops/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::ops {

using corefile::Line;
using corefile::Word;

std::span<const Translator::Rule> Translator::rules() {
  using enum Fate;
  using T = Translator;
  static constexpr auto Table = std::to_array<Rule>({
      {{"acl", "", Mapped,
        "`access`, for what its server block has of the zones that are given, or for all of the "
        "block's."},
       &T::read_acl},
      {{"acl", "allow", Mapped, "A rule of `access`, as it stands."}, &T::read_acl_rule},
      {{"acl", "block", Mapped, "A rule of `access`, as it stands."}, &T::read_acl_rule},
      {{"acl", "drop", Mapped, "A rule of `access`, as it stands."}, &T::read_acl_rule},
      {{"acl", "filter", Mapped, "A rule of `access`, as it stands."}, &T::read_acl_rule},
      {{"any", "", BuiltIn,
        "What is served here, the cluster's names among it, answers ANY with HINFO (RFC 8482). ANY "
        "for names elsewhere is asked of upstreams, which is logged."},
       &T::read_any},
      {{"auto", "", Refused, "name the folder in staticZones; its files are *.zone"}, nullptr},
      {{"autopath", "", Mapped,
        "`searchCompletion: true`; a file becomes `searchResolvConf`. Whatever it says, Pods alone "
        "are completed, each by its own list."},
       &T::read_autopath},
      {{"azure", "", Refused, "forward the zone to a server that has it"}, nullptr},
      {{"bind", "", Mapped, "`listen`, with the port of the server block. Addresses only."},
       &T::read_bind},
      {{"bind", "except", Refused, "give bind the addresses that are wanted"}, nullptr},
      {{"bufsize", "", Mapped, "`udpSize`; 1232 unless a size is given."}, &T::read_bufsize},
      {{"cache", "", Mapped,
        "Switches the cache on; without it, `cacheSize: 0`. A number is `cacheMaxTtl` and "
        "`cacheMaxNegativeTtl`; without one they are 3600 and 1800, and `cacheMinTtl` is 5. One "
        "cache serves all blocks: of several times, the shortest counts."},
       &T::read_cache},
      {{"cache", "denial", Mapped,
        "`cacheMaxNegativeTtl` and `cacheMinTtl`. Its capacity counts for `cacheSize`, 512 octets "
        "for each answer."},
       &T::read_capacity},
      {{"cache", "disable", BuiltIn,
        "Names of the cluster are never cached, for they are at hand. Other zones are refused."},
       &T::read_disable},
      {{"cache", "keepttl", Refused, "TTLs of cached answers count down"}, nullptr},
      {{"cache", "prefer_positive", Refused,
        "an expired answer is given only when no upstream answers; leave it out"},
       nullptr},
      {{"cache", "prefetch", Mapped, "`prefetch: true`; without it, false. When is built in."},
       &T::read_prefetch},
      {{"cache", "serve_stale", Mapped,
        "`serveStale`; 1h unless a duration is given; without it, 0s. Upstreams are asked first, "
        "as "
        "with verify."},
       &T::read_serve_stale},
      {{"cache", "servfail", Mapped,
        "`failureTtl`, in whole seconds, at least one (RFC 9520); without it, one at first."},
       &T::read_servfail},
      {{"cache", "success", Mapped,
        "`cacheMaxTtl` and `cacheMinTtl`. Its capacity counts for `cacheSize`, 512 octets for each "
        "answer."},
       &T::read_capacity},
      {{"cancel", "", Mapped, "`queryDeadline`; 5001ms unless a duration is given."},
       &T::read_cancel},
      {{"chaos", "", Mapped, "`chaosVersion`, and `chaosId: \"@hostname\"`."}, &T::read_chaos},
      {{"clouddns", "", Refused, "forward the zone to a server that has it"}, nullptr},
      {{"debug", "", Mapped, "`logLevel: debug`."}, &T::read_debug},
      {{"dns64", "", Refused, "forward to a server that synthesizes AAAA records"}, nullptr},
      {{"dnssec", "", Refused, "zones here are not signed"}, nullptr},
      {{"dnstap", "", Refused, "scrape metricsListen instead"}, nullptr},
      {{"errors", "", BuiltIn,
        "Problems are logged when they begin and when they end; each failure is counted. "
        "`queryLog: [error]` has a line for each query that fails."},
       &T::read_errors},
      {{"errors", "consolidate", BuiltIn,
        "A problem that repeats is logged once; of one that comes and goes, no more than 100 "
        "lines at "
        "once and then one every 5 s."},
       &T::read_arguments_only},
      {{"errors", "panicRecoveryStacktrace", Refused, "there are no stack traces; leave it out"},
       nullptr},
      {{"errors", "stacktrace", Refused, "there are no stack traces; leave it out"}, nullptr},
      {{"etcd", "", Refused, "forward the zone to a server that has it"}, nullptr},
      {{"federation", "", Refused, "federations are gone from Kubernetes; use a stub domain"},
       nullptr},
      {{"file", "", Refused, "name the folder in staticZones; its files are *.zone"}, nullptr},
      {{"forward", "", Mapped,
        "`forward` for all names, `stubDomains` for a zone. At most one resolv.conf, for all "
        "names; addresses, dns://, tls://."},
       &T::read_forward},
      {{"forward", "doh_method", Refused, "DNS over HTTPS is not spoken; use tls://"}, nullptr},
      {{"forward", "except", Refused, "give the zone a server of its own with forward ZONE"},
       nullptr},
      {{"forward", "expire", BuiltIn, "Idle connections are closed after 10 s."},
       &T::read_arguments_only},
      {{"forward", "failfast_all_unhealthy_upstreams", Refused,
        "when all upstreams are down they are asked all the same; leave it out"},
       nullptr},
      {{"forward", "failover", BuiltIn,
        "After SERVFAIL or REFUSED the next upstream is asked. Other rcodes are refused."},
       &T::read_failover},
      {{"forward", "force_tcp", Mapped, "tcp:// in front of the addresses."}, &T::read_force_tcp},
      {{"forward", "health_check", BuiltIn,
        "An upstream that is down is probed after pauses that grow up to a minute."},
       &T::read_arguments_only},
      {{"forward", "max_concurrent", Mapped,
        "`maxInFlight`; without it, 1000, where CoreDNS has no limit."},
       &T::read_max_concurrent},
      {{"forward", "max_connect_attempts", BuiltIn, "`queryDeadline` bounds all attempts."},
       &T::read_arguments_only},
      {{"forward", "max_fails", BuiltIn, "Three failures put an upstream down."},
       &T::read_arguments_only},
      {{"forward", "max_idle_conns", BuiltIn, "Connections are shared, up to 64 questions each."},
       &T::read_arguments_only},
      {{"forward", "next", Refused, "an answer is an answer; give each zone its own servers"},
       nullptr},
      {{"forward", "next_on_nodata", Refused,
        "an answer is an answer; give each zone its own servers"},
       nullptr},
      {{"forward", "policy", Mapped, "`forwardPolicy`; without it, ranked."}, &T::read_policy},
      {{"forward", "prefer_udp", BuiltIn, "UDP is tried first, whatever clients use."}, nullptr},
      {{"forward", "resolver", Refused, "upstreams are addresses; write those"}, nullptr},
      {{"forward", "tls", Mapped,
        "`upstreamCaFile`, when one file is given, that of the authorities. A certificate of one's "
        "own is refused."},
       &T::read_tls},
      {{"forward", "tls_servername", Mapped, "#NAME behind the addresses with tls://."},
       &T::read_tls_servername},
      {{"geoip", "", Refused, "answers do not depend on where a client is"}, nullptr},
      {{"grpc", "", Refused, "use forward; upstreams are asked over UDP, TCP and TLS"}, nullptr},
      {{"grpc_server", "", Refused, "queries come over UDP and TCP; put a proxy in front for gRPC"},
       nullptr},
      {{"header", "", Refused, "flags of answers cannot be changed; leave it out"}, nullptr},
      {{"health", "", Mapped, "`healthListen`; port 8080 unless an address is given."},
       &T::read_health},
      {{"health", "lameduck", Mapped, "`lameduck`."}, &T::read_lameduck},
      {{"hosts", "", Mapped,
        "`hostsFiles`, /etc/hosts unless a file is given; lines in it become `hosts`, without "
        "names "
        "that do not come to the block. Zones without fallthrough become `hostsZones`."},
       &T::read_hosts},
      {{"hosts", "fallthrough", Mapped, "Without it, `hostsZones`."}, &T::read_hosts_fallthrough},
      {{"hosts", "no_reverse", Mapped, "`hostsReverse: false`."}, &T::read_hosts_no_reverse},
      {{"hosts", "reload", BuiltIn, "The file is followed."}, &T::read_arguments_only},
      {{"hosts", "ttl", Mapped, "`hostsTtl`."}, &T::read_hosts_ttl},
      {{"https", "", Refused, "queries come over UDP and TCP; put a proxy in front for HTTPS"},
       nullptr},
      {{"https3", "", Refused, "queries come over UDP and TCP; put a proxy in front for HTTPS"},
       nullptr},
      {{"k8s_external", "", Refused, "use an external DNS controller for names outside"}, nullptr},
      {{"kubernetes", "", Mapped,
        "`clusterDomain` and `reverseZones`. Once in a file, one domain besides reverse zones."},
       &T::read_kubernetes},
      {{"kubernetes", "apiserver_burst", BuiltIn,
        "Each kind of objects is one list and one watch; there is no rate to limit."},
       &T::read_arguments_only},
      {{"kubernetes", "apiserver_max_inflight", BuiltIn,
        "Each kind of objects is one list and one watch; there is no rate to limit."},
       &T::read_arguments_only},
      {{"kubernetes", "apiserver_qps", BuiltIn,
        "Each kind of objects is one list and one watch; there is no rate to limit."},
       &T::read_arguments_only},
      {{"kubernetes", "endpoint", Mapped, "`apiServer`; one URL."}, &T::read_endpoint},
      {{"kubernetes", "endpoint_pod_names", Mapped, "`endpointPodNames: true`."},
       &T::read_endpoint_pod_names},
      {{"kubernetes", "fallthrough", Mapped,
        "`fallthroughZones`; all zones unless some are given."},
       &T::read_fallthrough},
      {{"kubernetes", "ignore", Mapped, "`ignoreEmptyServices: true` for empty_service."},
       &T::read_ignore},
      {{"kubernetes", "kubeconfig", Mapped, "`kubeconfig` and `context`."}, &T::read_kubeconfig},
      {{"kubernetes", "labels", Mapped, "`labels`."}, &T::read_labels},
      {{"kubernetes", "multicluster", Refused, "names of other clusters are not served yet"},
       nullptr},
      {{"kubernetes", "namespace_labels", Mapped, "`namespaceLabels`."}, &T::read_namespace_labels},
      {{"kubernetes", "namespaces", Mapped, "`namespaces`."}, &T::read_namespaces},
      {{"kubernetes", "noendpoints", Refused, "endpoints are always served; leave it out"},
       nullptr},
      {{"kubernetes", "pods", Mapped, "`pods`."}, &T::read_pods},
      {{"kubernetes", "resyncperiod", BuiltIn,
        "What a watch tells is compared with a list now and then."},
       &T::read_arguments_only},
      {{"kubernetes", "startup_timeout", BuiltIn,
        "The start does not wait; until the cluster is known its names are SERVFAIL."},
       &T::read_arguments_only},
      {{"kubernetes", "tls", Refused, "put the files into a kubeconfig"}, nullptr},
      {{"kubernetes", "transfer", Refused, "say in transferAllow who may transfer"}, nullptr},
      {{"kubernetes", "ttl", Mapped, "`ttl`."}, &T::read_ttl},
      {{"kubernetes", "upstream", BuiltIn,
        "Targets of ExternalName Services are asked for like any other name. Addresses are "
        "refused."},
       &T::read_upstream},
      {{"kubernetes", "zonal", Refused, "names of a zone's endpoints are not served; leave it out"},
       nullptr},
      {{"loadbalance", "", BuiltIn, "Addresses are rotated. Other policies are refused."},
       &T::read_loadbalance},
      {{"local", "", Mapped, "`builtInZones: true`, the empty zones of RFC 6303 with them."},
       &T::read_local},
      {{"log", "", Mapped,
        "`queryLog`, for the names that are given, or those of its server block; at most "
        "`queryLogRate` lines a second. The format of lines cannot be chosen."},
       &T::read_log},
      {{"log", "class", Mapped, "The classes of `queryLog`; without it, all."}, &T::read_log_class},
      {{"log", "minDuration", Refused,
        "how long an answer takes is in its line, and does not choose it; leave it out"},
       nullptr},
      {{"loop", "", BuiltIn,
        "An upstream that leads back here is found out and not asked any more; the others are."},
       nullptr},
      {{"metadata", "", Refused, "there is nothing that reads it; leave it out"}, nullptr},
      {{"minimal", "", Refused, "answers have no records but those that save a question"}, nullptr},
      {{"multisocket", "", Refused, "set workers; each has its own sockets"}, nullptr},
      {{"nomad", "", Refused, "forward the zone to a server that has it"}, nullptr},
      {{"nsid", "", Mapped, "`nsid`; `\"@hostname\"` unless a text is given."}, &T::read_nsid},
      {{"pprof", "", Refused, "use perf(1)"}, nullptr},
      {{"prometheus", "", Mapped, "`metricsListen`; localhost:9153 unless an address is given."},
       &T::read_prometheus},
      {{"proxy", "", Refused, "use forward"}, nullptr},
      {{"quic", "", Refused, "queries come over UDP and TCP; put a proxy in front for QUIC"},
       nullptr},
      {{"ready", "", Mapped, "`readyListen`; port 8181 unless an address is given."},
       &T::read_ready},
      {{"ready", "monitor", Refused,
        "readiness follows whether the cluster is known, and maxDataAge"},
       nullptr},
      {{"reload", "", BuiltIn,
        "The file and what it imports are followed, and read again at once when they change."},
       &T::read_arguments_only},
      {{"rewrite", "", Mapped,
        "`rewrites`, of names; a block around the rule may hold the answer's rules. Owners in "
        "answers "
        "are always those that were asked for. In a block for a zone, names, suffixes and regular "
        "expressions that end in the zone. Other fields are refused."},
       &T::read_rewrite},
      {{"root", "", Refused, "write absolute paths"}, nullptr},
      {{"route53", "", Refused, "forward the zone to a server that has it"}, nullptr},
      {{"rrl", "", Refused, "use rateLimit, which bounds what each client asks"}, nullptr},
      {{"secondary", "", Refused, "forward the zone to its primary server"}, nullptr},
      {{"shed", "", Refused,
        "bound clients with rateLimit and questions to upstreams with maxInFlight"},
       nullptr},
      {{"sign", "", Refused, "zones here are not signed"}, nullptr},
      {{"template", "", Mapped,
        "`templates`, for what its server block has of the zones that are given, or for all of the "
        "block's. Class IN or ANY."},
       &T::read_template},
      {{"template", "additional", Mapped, "`additional` of the rule."}, &T::read_template_part},
      {{"template", "answer", Mapped, "`answer` of the rule."}, &T::read_template_part},
      {{"template", "authority", Mapped, "`authority` of the rule."}, &T::read_template_part},
      {{"template", "ederror", Refused, "reasons cannot be chosen; leave it out"}, nullptr},
      {{"template", "fallthrough", Mapped, "Without it and with match, `only` of the rule."},
       &T::read_template_fallthrough},
      {{"template", "match", Mapped, "`match` of the rule."}, &T::read_template_match},
      {{"template", "rcode", Mapped, "`rcode` of the rule."}, &T::read_template_part},
      {{"template", "upstream", BuiltIn, "A CNAME is followed like any other."},
       &T::read_arguments_only},
      {{"timeouts", "", Mapped, "Its options."}, nullptr},
      {{"timeouts", "idle", Mapped, "`tcpIdleTimeout`."}, &T::read_timeout_idle},
      {{"timeouts", "read", Mapped, "`tcpIdleTimeout`, which is also until a query is whole."},
       &T::read_timeout_read},
      {{"timeouts", "write", Mapped, "`tcpWriteTimeout`."}, &T::read_timeout_write},
      {{"tls", "", Refused, "queries come over UDP and TCP; put a proxy in front for TLS"},
       nullptr},
      {{"trace", "", Refused, "scrape metricsListen instead"}, nullptr},
      {{"transfer", "", Refused, "say in transferAllow who may transfer"}, nullptr},
      {{"tsig", "", Refused, "say in transferAllow who may transfer"}, nullptr},
      {{"view", "", Refused, "answers do not depend on the client; run one process for each view"},
       nullptr},
      {{"whoami", "", Refused, "it is for trying CoreDNS out; leave it out"}, nullptr},
  });
  return Table;
}

//------------------------------------------------------------------ what is built in

void Translator::read_any(const Line& line) {
  if (has_arguments(line, 0, 0)) {
    note(line.place(), "any: ANY for names that are not served here is asked of upstreams", true);
    read_options(line);
  }
}

void Translator::read_arguments_only(const Line& line) {
  if (line.has_block) {
    complain(line.place(), name_of(line) + ": found options, expected none");
  }
}

void Translator::read_errors(const Line& line) {
  if (line.words.size() > 2 || (line.words.size() == 2 && line.words[1].text != "stdout")) {
    complain(line.place(),
             "errors: found '" + line.words[1].text + "', expected no file; the log is on stderr");
  }
  read_options(line);
}

void Translator::read_loadbalance(const Line& line) {
  if (line.words.size() > 1 && line.words[1].text != "round_robin") {
    complain(line.place(),
             "loadbalance: found '" + line.words[1].text + "', expected round_robin or nothing");
  }
  if (line.has_block) {
    complain(line.place(), "loadbalance: found options, expected none");
  }
}

//------------------------------------------------------------------ the server as such

void Translator::read_bind(const Line& line) {
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    const Word& word = line.words[i];
    const auto address = IpAddress::from_text(word.text);
    if (!address) {
      complain(word.place, "bind: found '" + word.text +
                               "', expected an address, not the name of an interface");
      continue;
    }
    block_->addresses.push_back(address->is_v4() ? address->to_text()
                                                 : "[" + address->to_text() + "]");
  }
  read_options(line);
}

void Translator::read_bufsize(const Line& line) {
  if (has_arguments(line, 0, 1)) {
    set("udpSize", line.words.size() > 1 ? line.words[1].text : "1232", line);
  }
}

void Translator::read_cancel(const Line& line) {
  if (!has_arguments(line, 0, 1)) {
    return;
  }
  if (line.words.size() > 1) {
    set_duration("queryDeadline", line, 1);
  } else {
    set("queryDeadline", "5001ms", line);
  }
}

void Translator::read_chaos(const Line& line) {
  block_->has_chaos = true;
  if (line.words.size() > 2) {
    note(line.place(), "chaos: authors.bind is not answered", true);
  }
  set("chaosVersion", line.words.size() > 1 ? line.words[1].text : "waypost", line);
  set("chaosId", "@hostname", line);
}

void Translator::read_nsid(const Line& line) {
  std::string text;
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    text += (i == 1 ? "" : " ") + line.words[i].text;
  }
  set("nsid", text.empty() ? "@hostname" : text, line);
}

void Translator::read_debug(const Line& line) {
  if (has_arguments(line, 0, 0)) {
    set("logLevel", "debug", line);
  }
}

// Zones in front of the last word: the cluster's, because there is no other that Pods' lists begin
// with.
void Translator::read_autopath(const Line& line) {
  if (!has_arguments(line, 1, SIZE_MAX)) {
    return;
  }
  const Word& from = line.words.back();
  if (from.text.starts_with('@') && from.text != "@kubernetes") {
    return complain(from.place, "autopath: found '" + from.text +
                                    "', expected @kubernetes or the path of a resolv.conf");
  }
  set("searchCompletion", "true", line);
  if (!from.text.starts_with('@')) {
    set("searchResolvConf", from.text, line);
    note(line.place(),
         "autopath: " + from.text +
             " is taken for the nodes' resolver file; its domains follow the "
             "cluster's, and only Pods are completed",
         true);
  }
}

void Translator::read_local(const Line& line) {
  if (has_arguments(line, 0, 0)) {
    set("builtInZones", "true", line);
  }
}

// Names are resolved by nobody here but localhost's.
void Translator::read_status(std::string_view key, const Line& line, std::string address) {
  const std::string& name = line.name();
  if (address.starts_with("localhost:")) {
    address.replace(0, 9, "127.0.0.1");
  }
  if (address.starts_with(':')) {
    add(key, "0.0.0.0" + address, line.place(), name);
    add(key, "[::]" + address, line.place(), name);
  } else {
    add(key, address, line.place(), name);
  }
}

void Translator::read_health(const Line& line) {
  if (has_arguments(line, 0, 1)) {
    read_status("healthListen", line, line.words.size() > 1 ? line.words[1].text : ":8080");
    read_options(line);
  }
}

void Translator::read_lameduck(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    set_duration("lameduck", line, 1);
  }
}

void Translator::read_ready(const Line& line) {
  if (has_arguments(line, 0, 1)) {
    read_status("readyListen", line, line.words.size() > 1 ? line.words[1].text : ":8181");
    read_options(line);
  }
}

void Translator::read_prometheus(const Line& line) {
  if (has_arguments(line, 0, 1)) {
    read_status("metricsListen", line,
                line.words.size() > 1 ? line.words[1].text : "localhost:9153");
    read_options(line);
  }
}

void Translator::read_timeout_read(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    set_duration("tcpIdleTimeout", line, 1);
  }
}

void Translator::read_timeout_idle(const Line& line) {
  read_timeout_read(line);
}

void Translator::read_timeout_write(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    set_duration("tcpWriteTimeout", line, 1);
  }
}

}  // namespace waypost::ops
