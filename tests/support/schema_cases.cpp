#include "support/schema_cases.h"

#include "support/cluster.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

namespace waypost::test {
namespace {

std::string expand(std::string text) {
  for (std::size_t at = text.find('~'); at != std::string::npos; at = text.find('~', at)) {
    text.replace(at, 1, "cluster.local.");
  }
  return text;
}

std::vector<std::string> expand(std::vector<std::string> lines) {
  std::transform(lines.begin(), lines.end(), lines.begin(),
                 [](auto& line) { return expand(line); });
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += "\n    " + line;
  }
  return lines.empty() ? " (none)" : text;
}

dns::RecordType type_from_text(std::string_view text) {
  using enum dns::RecordType;
  for (const dns::RecordType type :
       {A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, SRV, SVCB, HTTPS, ANY, CAA, AXFR, IXFR}) {
    if (dns::to_text(type) == text) {
      return type;
    }
  }
  FAIL("no such type: " << text);
  return {};
}

SchemaCase no_name(std::string asks, std::string soa_of = "~") {
  return {.asks = std::move(asks), .rcode = "NXDOMAIN", .soa_of = std::move(soa_of)};
}

SchemaCase no_data(std::string asks, std::string soa_of = "~") {
  return {.asks = std::move(asks), .soa_of = std::move(soa_of)};
}

SchemaTable cluster_ips() {
  return {"A Service with cluster IPs has its addresses, whatever its endpoints do",
          default_options(),
          {
              {.asks = "web.shop.svc.~ A", .answer = {"web.shop.svc.~ 5 IN A 10.96.0.7"}},
              {.asks = "web.shop.svc.~ AAAA", .answer = {"web.shop.svc.~ 5 IN AAAA fd00:10:96::7"}},
              {.asks = "six.shop.svc.~ AAAA", .answer = {"six.shop.svc.~ 5 IN AAAA fd00:10:96::9"}},
              {.asks = "lonely.shop.svc.~ A", .answer = {"lonely.shop.svc.~ 5 IN A 10.96.0.11"}},
              {.asks = "games.shop.svc.~ A", .answer = {"games.shop.svc.~ 5 IN A 10.96.0.9"}},
              {.asks = "kubernetes.default.svc.~ A",
               .answer = {"kubernetes.default.svc.~ 5 IN A 10.96.0.1"}},
              no_data("six.shop.svc.~ A"),
              no_data("games.shop.svc.~ AAAA"),
              no_data("web.shop.svc.~ TXT"),
              no_data("web.shop.svc.~ MX"),
              no_data("web.shop.svc.~ CAA"),
              no_data("web.shop.svc.~ HTTPS"),
              no_data("web.shop.svc.~ SVCB"),
              no_data("web.shop.svc.~ SOA"),
              no_data("web.shop.svc.~ NS"),
              no_data("web.shop.svc.~ PTR"),
              no_data("web.shop.svc.~ CNAME"),
              {.asks = "web.shop.svc.~ ANY",
               .answer = {"web.shop.svc.~ 8482 IN HINFO \"RFC8482\" \"\""}},
          }};
}

SchemaTable absent_names() {
  return {"What does not exist is NXDOMAIN for every type, with the SOA",
          default_options(),
          {
              no_name("nobody.shop.svc.~ A"),
              no_name("nobody.shop.svc.~ AAAA"),
              no_name("nobody.shop.svc.~ SRV"),
              no_name("nobody.shop.svc.~ TXT"),
              no_name("nobody.shop.svc.~ ANY"),
              no_name("web.nowhere.svc.~ A"),
              no_name("nowhere.svc.~ A"),
              // The Service is there, its Namespace is not.
              no_name("ghost.nowhere.svc.~ A"),
              no_name("foo.~ A"),
              no_name("web.shop.foo.~ A"),
              no_name("shop.~ A"),
              no_name("web.shop.~ A"),
              // Wildcards are gone from the schema.
              no_name("*.shop.svc.~ A"),
              no_name("*.*.svc.~ A"),
              no_name("_http._tcp.*.shop.svc.~ SRV"),
              // Not in the schema: ports without underscores, too many labels.
              no_name("http.tcp.web.shop.svc.~ SRV"),
              no_name("_http.tcp.web.shop.svc.~ SRV"),
              no_name("a.b.web.shop.svc.~ A"),
              no_name("x._http._tcp.web.shop.svc.~ SRV"),
              no_name("_nope._tcp.web.shop.svc.~ SRV"),
              no_name("_http._udp.web.shop.svc.~ SRV"),
              no_name("x.dns-version.~ TXT"),
              no_name("x.ns.dns.~ A"),
              // The search path of a pod makes these.
              no_name("www.example.org.shop.svc.~ A"),
              no_name("www.example.org.svc.~ A"),
              no_name("www.example.org.~ A"),
              no_name("web.shop.svc.~cluster.local. A"),
          }};
}

SchemaTable non_terminals() {
  return {"A name with names below it exists (RFC 8020)",
          default_options(),
          {
              no_data("svc.~ A"),
              no_data("pod.~ A"),
              no_data("shop.svc.~ A"),
              no_data("shop.svc.~ AAAA"),
              no_data("empty.svc.~ A"),
              no_data("dns.~ A"),
              no_data("_tcp.web.shop.svc.~ SRV"),
              no_data("_tcp.web.shop.svc.~ A"),
              no_data("_udp.games.shop.svc.~ A"),
              no_data("_sctp.games.shop.svc.~ A"),
              no_data("_tcp.db.shop.svc.~ A"),
              no_data("_http._tcp.web.shop.svc.~ A"),
              no_data("_http._tcp.web.shop.svc.~ AAAA"),
              no_name("_udp.web.shop.svc.~ SRV"),
              no_name("_tcp.plain.shop.svc.~ SRV"),
              no_name("_http.web.shop.svc.~ SRV"),
              {.asks = "shop.svc.~ ANY", .answer = {"shop.svc.~ 8482 IN HINFO \"RFC8482\" \"\""}},
          }};
}

SchemaTable apex() {
  return {
      "The apex, its name servers and the schema's version",
      default_options(),
      {
          {.asks = "~ SOA", .answer = {"~ 5 IN SOA ns.dns.~ hostmaster.~ 4711 7200 1800 86400 5"}},
          {.asks = "~ NS",
           .answer = {"~ 5 IN NS kube-dns.kube-system.svc.~"},
           .additional = {"kube-dns.kube-system.svc.~ 5 IN A 10.96.0.10"}},
          {.asks = "CLUSTER.LocaL. NS",
           .answer = {"CLUSTER.LocaL. 5 IN NS kube-dns.kube-system.svc.~"},
           .additional = {"kube-dns.kube-system.svc.~ 5 IN A 10.96.0.10"}},
          {.asks = "ns.dns.~ A", .answer = {"ns.dns.~ 5 IN A 10.96.0.10"}},
          {.asks = "NS.dns.Cluster.Local. A",
           .answer = {"NS.dns.Cluster.Local. 5 IN A 10.96.0.10"}},
          no_data("ns.dns.~ AAAA"),
          no_data("~ A"),
          no_data("~ AAAA"),
          no_data("~ SRV"),
          no_data("~ TXT"),
          {.asks = "~ ANY", .answer = {"~ 8482 IN HINFO \"RFC8482\" \"\""}},
          {.asks = "dns-version.~ TXT", .answer = {"dns-version.~ 28800 IN TXT \"1.1.0\""}},
          no_data("dns-version.~ A"),
      }};
}

SchemaTable srv_of_cluster_ips() {
  return {"SRV of a Service with cluster IPs leads to its own name",
          default_options(),
          {
              {.asks = "_http._tcp.web.shop.svc.~ SRV",
               .answer = {"_http._tcp.web.shop.svc.~ 5 IN SRV 0 50 80 web.shop.svc.~"},
               .additional = {"web.shop.svc.~ 5 IN A 10.96.0.7",
                              "web.shop.svc.~ 5 IN AAAA fd00:10:96::7"}},
              {.asks = "_play._udp.games.shop.svc.~ SRV",
               .answer = {"_play._udp.games.shop.svc.~ 5 IN SRV 0 100 7000 games.shop.svc.~"},
               .additional = {"games.shop.svc.~ 5 IN A 10.96.0.9"}},
              {.asks = "_voice._sctp.games.shop.svc.~ SRV",
               .answer = {"_voice._sctp.games.shop.svc.~ 5 IN SRV 0 100 9000 games.shop.svc.~"},
               .additional = {"games.shop.svc.~ 5 IN A 10.96.0.9"}},
              {.asks = "_sip._tcp.talk.shop.svc.~ SRV",
               .answer = {"_sip._tcp.talk.shop.svc.~ 5 IN SRV 0 100 5060 talk.shop.svc.~"},
               .additional = {"talk.shop.svc.~ 5 IN A 10.96.0.12"}},
              {.asks = "_sip._udp.talk.shop.svc.~ SRV",
               .answer = {"_sip._udp.talk.shop.svc.~ 5 IN SRV 0 100 5061 talk.shop.svc.~"},
               .additional = {"talk.shop.svc.~ 5 IN A 10.96.0.12"}},
              no_name("_sip._sctp.talk.shop.svc.~ SRV"),
              // At the bare name: every port, unnamed ones too, each number once.
              {.asks = "web.shop.svc.~ SRV",
               .answer = {"web.shop.svc.~ 5 IN SRV 0 25 80 web.shop.svc.~",
                          "web.shop.svc.~ 5 IN SRV 0 25 443 web.shop.svc.~"},
               .additional = {"web.shop.svc.~ 5 IN A 10.96.0.7",
                              "web.shop.svc.~ 5 IN AAAA fd00:10:96::7"}},
              {.asks = "games.shop.svc.~ SRV",
               .answer = {"games.shop.svc.~ 5 IN SRV 0 33 7000 games.shop.svc.~",
                          "games.shop.svc.~ 5 IN SRV 0 33 9000 games.shop.svc.~"},
               .additional = {"games.shop.svc.~ 5 IN A 10.96.0.9"}},
              {.asks = "plain.shop.svc.~ SRV",
               .answer = {"plain.shop.svc.~ 5 IN SRV 0 100 8080 plain.shop.svc.~"},
               .additional = {"plain.shop.svc.~ 5 IN A 10.96.0.8"}},
          }};
}

SchemaTable headless() {
  return {
      "A headless Service is its ready endpoints",
      default_options(),
      {
          {.asks = "db.shop.svc.~ A",
           .answer = {"db.shop.svc.~ 5 IN A 10.244.2.1", "db.shop.svc.~ 5 IN A 10.244.2.3"}},
          {.asks = "db.shop.svc.~ AAAA", .answer = {"db.shop.svc.~ 5 IN AAAA fd00:10:244::21"}},
          {.asks = "peers.shop.svc.~ A",
           .answer = {"peers.shop.svc.~ 5 IN A 10.244.2.1", "peers.shop.svc.~ 5 IN A 10.244.3.1",
                      "peers.shop.svc.~ 5 IN A 10.244.3.2"}},
          no_data("peers.shop.svc.~ AAAA"),
          no_data("peers.shop.svc.~ SRV"),
          {.asks = "_mysql._tcp.db.shop.svc.~ SRV",
           .answer = {"_mysql._tcp.db.shop.svc.~ 5 IN SRV 0 33 13306 db-0.db.shop.svc.~",
                      "_mysql._tcp.db.shop.svc.~ 5 IN SRV 0 33 13306 db-2.db.shop.svc.~"},
           .additional = {"db-0.db.shop.svc.~ 5 IN A 10.244.2.1",
                          "db-0.db.shop.svc.~ 5 IN AAAA fd00:10:244::21",
                          "db-2.db.shop.svc.~ 5 IN A 10.244.2.3"}},
          {.asks = "db.shop.svc.~ SRV",
           .answer = {"db.shop.svc.~ 5 IN SRV 0 33 13306 db-0.db.shop.svc.~",
                      "db.shop.svc.~ 5 IN SRV 0 33 13306 db-2.db.shop.svc.~"},
           .additional = {"db-0.db.shop.svc.~ 5 IN A 10.244.2.1",
                          "db-0.db.shop.svc.~ 5 IN AAAA fd00:10:244::21",
                          "db-2.db.shop.svc.~ 5 IN A 10.244.2.3"}},
          {.asks = "_http._tcp.mixed.shop.svc.~ SRV",
           .answer = {"_http._tcp.mixed.shop.svc.~ 5 IN SRV 0 33 8080 10-244-4-1.mixed.shop.svc.~",
                      "_http._tcp.mixed.shop.svc.~ 5 IN SRV 0 33 8080 10-244-4-2.mixed.shop.svc.~",
                      "_http._tcp.mixed.shop.svc.~ 5 IN SRV 0 33 9090 10-244-4-2.mixed.shop.svc.~"},
           .additional = {"10-244-4-1.mixed.shop.svc.~ 5 IN A 10.244.4.1",
                          "10-244-4-2.mixed.shop.svc.~ 5 IN A 10.244.4.2"}},
          {.asks = "mixed.shop.svc.~ A",
           .answer = {"mixed.shop.svc.~ 5 IN A 10.244.4.1", "mixed.shop.svc.~ 5 IN A 10.244.4.2"}},
          // A record is written once, but weighs as often as slices have it.
          {.asks = "_http._tcp.moving.shop.svc.~ SRV",
           .answer =
               {"_http._tcp.moving.shop.svc.~ 5 IN SRV 0 33 8080 10-244-6-1.moving.shop.svc.~",
                "_http._tcp.moving.shop.svc.~ 5 IN SRV 0 33 8080 "
                "10-244-6-2.moving.shop.svc.~"},
           .additional = {"10-244-6-1.moving.shop.svc.~ 5 IN A 10.244.6.1",
                          "10-244-6-2.moving.shop.svc.~ 5 IN A 10.244.6.2"}},
          {.asks = "moving.shop.svc.~ SRV",
           .answer = {"moving.shop.svc.~ 5 IN SRV 0 25 8080 10-244-6-1.moving.shop.svc.~",
                      "moving.shop.svc.~ 5 IN SRV 0 25 8080 10-244-6-2.moving.shop.svc.~"},
           .additional = {"10-244-6-1.moving.shop.svc.~ 5 IN A 10.244.6.1",
                          "10-244-6-2.moving.shop.svc.~ 5 IN A 10.244.6.2"}},
          {.asks = "10-244-6-1.moving.shop.svc.~ SRV",
           .answer = {"10-244-6-1.moving.shop.svc.~ 5 IN SRV 0 50 8080 "
                      "10-244-6-1.moving.shop.svc.~"},
           .additional = {"10-244-6-1.moving.shop.svc.~ 5 IN A 10.244.6.1"}},
          {.asks = "moving.shop.svc.~ A",
           .answer = {"moving.shop.svc.~ 5 IN A 10.244.6.1",
                      "moving.shop.svc.~ 5 IN A 10.244.6.2"}},
          // Of a shared hostname's addresses, those that have the port.
          {.asks = "_admin._tcp.pair.shop.svc.~ SRV",
           .answer = {"_admin._tcp.pair.shop.svc.~ 5 IN SRV 0 100 81 one.pair.shop.svc.~"},
           .additional = {"one.pair.shop.svc.~ 5 IN A 10.244.6.11"}},
          {.asks = "_http._tcp.pair.shop.svc.~ SRV",
           .answer = {"_http._tcp.pair.shop.svc.~ 5 IN SRV 0 50 80 one.pair.shop.svc.~"},
           .additional = {"one.pair.shop.svc.~ 5 IN A 10.244.6.11",
                          "one.pair.shop.svc.~ 5 IN A 10.244.6.12"}},
          // Nobody ready: no name at all, of any type (specification 1.1.0, 2.4.1).
          no_name("idle.shop.svc.~ A"),
          no_name("idle.shop.svc.~ SRV"),
          no_name("_http._tcp.idle.shop.svc.~ SRV"),
          no_name("_tcp.idle.shop.svc.~ A"),
          no_name("10-244-5-1.idle.shop.svc.~ A"),
      }};
}

SchemaTable endpoint_names() {
  return {"Endpoints have names: the hostname, or the address with dashes",
          default_options(),
          {
              {.asks = "db-0.db.shop.svc.~ A", .answer = {"db-0.db.shop.svc.~ 5 IN A 10.244.2.1"}},
              {.asks = "db-0.db.shop.svc.~ AAAA",
               .answer = {"db-0.db.shop.svc.~ 5 IN AAAA fd00:10:244::21"}},
              no_data("db-2.db.shop.svc.~ AAAA"),
              no_name("db-1.db.shop.svc.~ A"),
              // A hostname replaces the dashed address.
              no_name("10-244-2-1.db.shop.svc.~ A"),
              {.asks = "db-0.db.shop.svc.~ SRV",
               .answer = {"db-0.db.shop.svc.~ 5 IN SRV 0 50 13306 db-0.db.shop.svc.~"},
               .additional = {"db-0.db.shop.svc.~ 5 IN A 10.244.2.1",
                              "db-0.db.shop.svc.~ 5 IN AAAA fd00:10:244::21"}},
              {.asks = "10-244-3-1.peers.shop.svc.~ A",
               .answer = {"10-244-3-1.peers.shop.svc.~ 5 IN A 10.244.3.1"}},
              // Services with cluster IPs have them too.
              {.asks = "10-244-1-5.web.shop.svc.~ A",
               .answer = {"10-244-1-5.web.shop.svc.~ 5 IN A 10.244.1.5"}},
              {.asks = "fd00-10-244--5.web.shop.svc.~ AAAA",
               .answer = {"fd00-10-244--5.web.shop.svc.~ 5 IN AAAA fd00:10:244::5"}},
              // A label must not end in a dash.
              {.asks = "fd00-10-244-1--0.web.shop.svc.~ AAAA",
               .answer = {"fd00-10-244-1--0.web.shop.svc.~ 5 IN AAAA fd00:10:244:1::"}},
              no_data("10-244-1-5.web.shop.svc.~ AAAA"),
              {.asks = "10-244-1-5.web.shop.svc.~ SRV",
               .answer = {"10-244-1-5.web.shop.svc.~ 5 IN SRV 0 50 8080 10-244-1-5.web.shop.svc.~",
                          "10-244-1-5.web.shop.svc.~ 5 IN SRV 0 50 8443 10-244-1-5.web.shop.svc.~"},
               .additional = {"10-244-1-5.web.shop.svc.~ 5 IN A 10.244.1.5"}},
              {.asks = "10-244-6-21.talk.shop.svc.~ SRV",
               .answer = {"10-244-6-21.talk.shop.svc.~ 5 IN SRV 0 50 6060 "
                          "10-244-6-21.talk.shop.svc.~",
                          "10-244-6-21.talk.shop.svc.~ 5 IN SRV 0 50 6061 "
                          "10-244-6-21.talk.shop.svc.~"},
               .additional = {"10-244-6-21.talk.shop.svc.~ 5 IN A 10.244.6.21"}},
              // Terminating: not ready, although still serving.
              no_name("10-244-1-6.web.shop.svc.~ A"),
              no_name("web-abc.web.shop.svc.~ A"),
              no_name("10-244-1-5.lonely.shop.svc.~ A"),
          }};
}

SchemaTable endpoint_pod_names() {
  records::Options options = default_options();
  options.endpoint_pod_names = true;
  return {"endpointPodNames names endpoints without a hostname after their Pods",
          options,
          {
              {.asks = "web-abc.web.shop.svc.~ A",
               .answer = {"web-abc.web.shop.svc.~ 5 IN A 10.244.1.5"}},
              {.asks = "web-abc.web.shop.svc.~ AAAA",
               .answer = {"web-abc.web.shop.svc.~ 5 IN AAAA fd00:10:244::5"}},
              no_name("10-244-1-5.web.shop.svc.~ A"),
              // A Pod whose name is no label goes by its address.
              {.asks = "10-244-1-7.web.shop.svc.~ A",
               .answer = {"10-244-1-7.web.shop.svc.~ 5 IN A 10.244.1.7"}},
              {.asks = "db-0.db.shop.svc.~ A", .answer = {"db-0.db.shop.svc.~ 5 IN A 10.244.2.1"}},
          }};
}

SchemaTable external_names() {
  return {
      "An ExternalName is a CNAME, followed where this server knows the way",
      default_options(),
      {
          {.asks = "ext.shop.svc.~ A", .answer = {"ext.shop.svc.~ 5 IN CNAME www.example.org."}},
          {.asks = "ext.shop.svc.~ AAAA", .answer = {"ext.shop.svc.~ 5 IN CNAME www.example.org."}},
          {.asks = "ext.shop.svc.~ CNAME",
           .answer = {"ext.shop.svc.~ 5 IN CNAME www.example.org."}},
          no_data("ext.shop.svc.~ SRV"),
          no_data("ext.shop.svc.~ TXT"),
          no_name("_http._tcp.ext.shop.svc.~ SRV"),
          no_name("_tcp.ext.shop.svc.~ SRV"),
          no_name("x.ext.shop.svc.~ A"),
          {.asks = "alias.shop.svc.~ A",
           .answer = {"alias.shop.svc.~ 5 IN CNAME web.shop.svc.~",
                      "web.shop.svc.~ 5 IN A 10.96.0.7"}},
          {.asks = "far.shop.svc.~ AAAA",
           .answer = {"far.shop.svc.~ 5 IN CNAME alias.shop.svc.~",
                      "alias.shop.svc.~ 5 IN CNAME web.shop.svc.~",
                      "web.shop.svc.~ 5 IN AAAA fd00:10:96::7"}},
          {.asks = "loop-a.shop.svc.~ A",
           .answer = {"loop-a.shop.svc.~ 5 IN CNAME loop-b.shop.svc.~",
                      "loop-b.shop.svc.~ 5 IN CNAME loop-a.shop.svc.~"}},
          {.asks = "literal.shop.svc.~ A", .answer = {"literal.shop.svc.~ 5 IN A 192.0.2.7"}},
          no_data("literal.shop.svc.~ AAAA"),
          no_data("literal.shop.svc.~ CNAME"),
      }};
}

SchemaTable reverse() {
  return {
      "PTR leads from addresses back to names",
      default_options(),
      {
          {.asks = "7.0.96.10.in-addr.arpa. PTR",
           .answer = {"7.0.96.10.in-addr.arpa. 5 IN PTR web.shop.svc.~"}},
          {.asks = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa. PTR",
           .answer = {"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa. "
                      "5 IN PTR web.shop.svc.~"}},
          {.asks = "5.1.244.10.in-addr.arpa. PTR",
           .answer = {"5.1.244.10.in-addr.arpa. 5 IN PTR 10-244-1-5.web.shop.svc.~"}},
          // One address, two Services.
          {.asks = "1.2.244.10.in-addr.arpa. PTR",
           .answer = {"1.2.244.10.in-addr.arpa. 5 IN PTR db-0.db.shop.svc.~",
                      "1.2.244.10.in-addr.arpa. 5 IN PTR 10-244-2-1.peers.shop.svc.~"}},
          no_data("7.0.96.10.in-addr.arpa. A", "in-addr.arpa."),
          no_name("99.0.96.10.in-addr.arpa. PTR", "in-addr.arpa."),  // Its namespace is unknown.
          no_name("200.0.96.10.in-addr.arpa. PTR", "in-addr.arpa."),
          no_name("6.1.244.10.in-addr.arpa. PTR", "in-addr.arpa."),  // Terminating.
          no_data("0.96.10.in-addr.arpa. PTR", "in-addr.arpa."),
          no_data("10.in-addr.arpa. PTR", "in-addr.arpa."),
          no_name("11.in-addr.arpa. PTR", "in-addr.arpa."),
          no_name("x.7.0.96.10.in-addr.arpa. PTR", "in-addr.arpa."),
          no_name("07.0.96.10.in-addr.arpa. PTR", "in-addr.arpa."),
          no_data("d.f.ip6.arpa. PTR", "ip6.arpa."),
          no_data("in-addr.arpa. A", "in-addr.arpa."),
          {.asks = "in-addr.arpa. SOA",
           .answer = {"in-addr.arpa. 5 IN SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. 4711 "
                      "7200 1800 86400 5"}},
      }};
}

SchemaTable single_ptr() {
  records::Options options = default_options();
  options.ptr = records::PtrMode::Single;
  return {"ptr: single keeps the first PTR record: the hostname of a headless Service",
          options,
          {{.asks = "1.2.244.10.in-addr.arpa. PTR",
            .answer = {"1.2.244.10.in-addr.arpa. 5 IN PTR db-0.db.shop.svc.~"}}}};
}

SchemaTable insecure_pods() {
  records::Options options = default_options();
  options.pods = records::PodsMode::Insecure;
  return {
      "pods: insecure echoes addresses under every namespace there is",
      options,
      {
          {.asks = "10-1-2-3.shop.pod.~ A", .answer = {"10-1-2-3.shop.pod.~ 5 IN A 10.1.2.3"}},
          {.asks = "fd00--1.empty.pod.~ AAAA", .answer = {"fd00--1.empty.pod.~ 5 IN AAAA fd00::1"}},
          no_data("10-1-2-3.shop.pod.~ AAAA"),
          no_data("fd00--1.shop.pod.~ A"),
          no_data("10-1-2-3.shop.pod.~ SRV"),
          {.asks = "10-1-2-3.shop.pod.~ ANY",
           .answer = {"10-1-2-3.shop.pod.~ 8482 IN HINFO \"RFC8482\" \"\""}},
          no_data("shop.pod.~ A"),
          no_data("pod.~ A"),
          no_name("nowhere.pod.~ A"),
          no_name("10-1-2-3.nowhere.pod.~ A"),
          no_name("10-1-2.shop.pod.~ A"),
          no_name("10-1-2-256.shop.pod.~ A"),
          no_name("web.shop.pod.~ A"),
          // Differs from CoreDNS: labels in front of a pod's name are not ignored.
          no_name("a.10-1-2-3.shop.pod.~ A"),
          no_name("a.b.10-1-2-3.shop.pod.~ A"),
      }};
}

SchemaTable verified_pods() {
  records::Options options = default_options();
  options.pods = records::PodsMode::Verified;
  return {"pods: verified knows the addresses of the namespace's running Pods, all of them",
          options,
          {
              {.asks = "10-244-1-5.shop.pod.~ A",
               .answer = {"10-244-1-5.shop.pod.~ 5 IN A 10.244.1.5"}},
              {.asks = "fd00-10-244--5.shop.pod.~ AAAA",
               .answer = {"fd00-10-244--5.shop.pod.~ 5 IN AAAA fd00:10:244::5"}},
              no_data("10-244-1-5.shop.pod.~ AAAA"),
              no_data("shop.pod.~ A"),
              no_name("10-244-1-5.empty.pod.~ A"),
              no_name("10-1-2-3.shop.pod.~ A"),
              no_name("10-244-9-9.shop.pod.~ A"),  // Has ended.
          }};
}

SchemaTable disabled_pods() {
  return {"pods: disabled has no Pod's name",
          default_options(),
          {no_name("10-244-1-5.shop.pod.~ A"), no_name("shop.pod.~ A"), no_data("pod.~ A")}};
}

SchemaTable namespace_filter() {
  records::Options options = default_options();
  options.namespaces = {"kube-system"};
  return {"Only the namespaces that are asked for are there",
          options,
          {
              no_name("web.shop.svc.~ A"),
              no_name("shop.svc.~ A"),
              no_name("7.0.96.10.in-addr.arpa. PTR", "in-addr.arpa."),
              {.asks = "kube-dns.kube-system.svc.~ A",
               .answer = {"kube-dns.kube-system.svc.~ 5 IN A 10.96.0.10"}},
          }};
}

SchemaTable label_filters() {
  records::Options options = default_options();
  options.labels = *kube::Selector::from_text("app=web");
  options.namespace_labels = *kube::Selector::from_text("tier in (front, back)");
  return {"Label selectors choose Services and namespaces",
          options,
          {
              {.asks = "web.shop.svc.~ A", .answer = {"web.shop.svc.~ 5 IN A 10.96.0.7"}},
              no_name("plain.shop.svc.~ A"),
              no_name("kube-dns.kube-system.svc.~ A"),
              no_name("1.2.244.10.in-addr.arpa. PTR", "in-addr.arpa."),
          }};
}

SchemaTable empty_services() {
  records::Options options = default_options();
  options.ignore_empty_services = true;
  return {
      "ignoreEmptyServices denies cluster IPs without a ready endpoint, and nothing else",
      options,
      {
          no_name("lonely.shop.svc.~ A"),
          no_name("_http._tcp.lonely.shop.svc.~ SRV"),
          {.asks = "web.shop.svc.~ A", .answer = {"web.shop.svc.~ 5 IN A 10.96.0.7"}},
          {.asks = "ext.shop.svc.~ A", .answer = {"ext.shop.svc.~ 5 IN CNAME www.example.org."}},
      }};
}

SchemaTable ttls() {
  records::Options options = default_options();
  options.ttl = 600;
  options.negative_ttl = 2;
  return {"TTLs are the operator's, the SOA's is at most 300, negative ones their own",
          options,
          {
              {.asks = "web.shop.svc.~ A", .answer = {"web.shop.svc.~ 600 IN A 10.96.0.7"}},
              {.asks = "~ SOA",
               .answer = {"~ 300 IN SOA ns.dns.~ hostmaster.~ 4711 7200 1800 86400 2"}},
              no_name("nobody.shop.svc.~ A"),
          }};
}

SchemaTable own_name_servers() {
  records::Options options = default_options();
  options.own_addresses = {IpAddress::v4(10, 244, 2, 3)};
  return {"NS names the Services that lead to this very server",
          options,
          {
              {.asks = "~ NS",
               .answer = {"~ 5 IN NS db-0.db.shop.svc.~", "~ 5 IN NS db-2.db.shop.svc.~"},
               .additional = {"db-0.db.shop.svc.~ 5 IN A 10.244.2.1",
                              "db-0.db.shop.svc.~ 5 IN AAAA fd00:10:244::21",
                              "db-2.db.shop.svc.~ 5 IN A 10.244.2.3"}},
              {.asks = "ns.dns.~ A",
               .answer = {"ns.dns.~ 5 IN A 10.244.2.1", "ns.dns.~ 5 IN A 10.244.2.3"}},
          }};
}

SchemaTable letter_case() {
  return {"Owner names come back as they were asked (0x20)",
          default_options(),
          {
              {.asks = "WeB.sHoP.SvC.ClUsTeR.lOcAl. A",
               .answer = {"WeB.sHoP.SvC.ClUsTeR.lOcAl. 5 IN A 10.96.0.7"}},
              {.asks = "DB-0.db.SHOP.svc.cluster.LOCAL. A",
               .answer = {"DB-0.db.SHOP.svc.cluster.LOCAL. 5 IN A 10.244.2.1"}},
              {.asks = "_HTTP._Tcp.Games.shop.svc.~ SRV", .rcode = "NXDOMAIN"},
              {.asks = "_PLAY._Udp.Games.shop.svc.~ SRV",
               .answer = {"_PLAY._Udp.Games.shop.svc.~ 5 IN SRV 0 100 7000 games.shop.svc.~"},
               .additional = {"Games.shop.svc.~ 5 IN A 10.96.0.9"}},
              no_name("Nobody.Shop.svc.Cluster.Local. A", "Cluster.Local."),
          }};
}

SchemaTable dangling_aliases() {
  return {"An ExternalName into nothing: the CNAME, then the target's own verdict",
          default_options(),
          {
              {.asks = "dangling.shop.svc.~ A",
               .answer = {"dangling.shop.svc.~ 5 IN CNAME nobody.shop.svc.~"},
               .rcode = "NXDOMAIN"},
          }};
}

}  // namespace

const std::vector<SchemaTable>& schema_tables() {
  static const std::vector<SchemaTable> tables = {
      cluster_ips(),        absent_names(),     non_terminals(),  apex(),
      srv_of_cluster_ips(), headless(),         endpoint_names(), endpoint_pod_names(),
      external_names(),     dangling_aliases(), reverse(),        single_ptr(),
      insecure_pods(),      verified_pods(),    disabled_pods(),  namespace_filter(),
      label_filters(),      empty_services(),   ttls(),           own_name_servers(),
      letter_case(),
  };
  return tables;
}

void check_schema(const SchemaTable& table,
                  const std::function<std::vector<std::uint8_t>(Bytes request)>& ask) {
  for (const SchemaCase& c : table.cases) {
    const std::size_t blank = c.asks.find(' ');
    const std::string name = expand(c.asks.substr(0, blank));
    const auto request =
        make_query({.name = name, .type = type_from_text(c.asks.substr(blank + 1))});
    const ResponseText got = response_text(ask(request));

    const std::vector<std::string> answer = expand(c.answer);
    const std::vector<std::string> additional = expand(c.additional);
    std::vector<std::string> authority;
    const bool is_negative = c.rcode == "NXDOMAIN" || (c.rcode == "NOERROR" && answer.empty());
    if (is_negative && c.soa_of != "-") {
      // MNAME and RNAME point into the owner, and so share its case.
      const std::string zone = expand(c.soa_of);
      const std::uint32_t negative = table.options.negative_ttl;
      authority.push_back(zone + " " + std::to_string(std::min(table.options.ttl, negative)) +
                          " IN SOA ns.dns." + zone + " hostmaster." + zone +
                          " 4711 7200 1800 86400 " + std::to_string(negative));
    }
    const bool equal = got.rcode == c.rcode && got.flags == c.flags && got.answer == answer &&
                       got.authority == authority && got.additional == additional;
    CHECK_MESSAGE(equal, table.title << "\n  asked: " << c.asks << "\n  expected: " << c.rcode
                                     << " [" << c.flags << "]\n   answer:" << joined(answer)
                                     << "\n   authority:" << joined(authority) << "\n   additional:"
                                     << joined(additional) << "\n  got: " << to_text(got));
  }
}

}  // namespace waypost::test
