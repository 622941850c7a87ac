#include "ops/corefile_options.h"

#include "base/file.h"
#include "ops/config_origin.h"
#include "ops/config_reader.h"
#include "ops/flags.h"
#include "ops/option_table.h"
#include "ops/peer_flags.h"
#include "support/temporary_folder.h"
#include "unit/ops/problem_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace waypost::ops {
namespace {

const std::filesystem::path Root = WAYPOST_SOURCE_ROOT;

// Reads `text` as the file "Corefile".
CorefileSettings translated(const std::string& text) {
  corefile::Surroundings surroundings = corefile::process_surroundings();
  surroundings.read = [&](const std::filesystem::path&) -> Result<std::string> { return text; };
  const auto corefile = corefile::read_corefile("Corefile", surroundings);
  if (!corefile) {
    FAIL(corefile.error().message);
  }
  return settings_of(*corefile, 53);
}

// What it becomes, without what every file becomes; one setting after the other.
std::string settings(const std::string& text) {
  CorefileSettings read = translated(text);
  std::string out = text_of(read.problems);
  const std::string all = yaml_of(read.settings, {});
  for (std::size_t start = 0; start < all.size();) {
    const std::size_t end = all.find('\n', start) + 1;
    const std::string line = all.substr(start, end - start);
    if (line != "builtInZones: false\n" && line != "kubernetes: false\n" && line != "listen:\n" &&
        line != "  - \"0.0.0.0:53\"\n" && line != "  - \"[::]:53\"\n" && line != "cacheSize: 0\n") {
      out += line;
    }
    start = end;
  }
  return out;
}

std::string problems(const std::string& text) {
  return text_of(translated(text).problems);
}

std::string notes(const std::string& text) {
  std::string out;
  for (const Note& note : translated(text).notes) {
    out += (note.is_differing ? "differs: " : "built in: ") + note.text + "\n";
  }
  return out;
}

// A block for all names with one line more.
std::string in_block(const std::string& lines) {
  return ".:53 {\n" + lines + "\n}\n";
}

// In a block of `kubernetes`.
std::string in_kubernetes(const std::string& lines) {
  return in_block("kubernetes cluster.local {\n" + lines + "\n}");
}

}  // namespace

TEST_CASE("a block of each kind becomes keys") {
  CHECK(yaml_of(translated(". {\n}").settings, {}) ==
        "listen:\n  - \"0.0.0.0:53\"\n  - \"[::]:53\"\nkubernetes: false\nbuiltInZones: false\n"
        "cacheSize: 0\n");
  const std::string Cluster = "clusterDomain: \"cluster.local\"\nreverseZones: []\n";
  const auto times = [](const std::string& stale, int min, int max, int negative) {
    return "serveStale: \"" + stale + "\"\ncacheMinTtl: " + std::to_string(min) +
           "\ncacheMaxTtl: " + std::to_string(max) +
           "\ncacheMaxNegativeTtl: " + std::to_string(negative) + "\n";
  };
  const std::string Cached = times("0s", 5, 3600, 1800) + "prefetch: false\n";
  for (
      const auto& [text, yaml] : std::vector<std::pair<std::string, std::string>>{
          {in_block("bufsize"), "udpSize: 1232\n"},
          {in_block("bufsize 4096"), "udpSize: 4096\n"},
          {in_block("chaos"), "chaosVersion: \"waypost\"\nchaosId: \"@hostname\"\n"},
          {in_block("chaos one"), "chaosVersion: \"one\"\nchaosId: \"@hostname\"\n"},
          {in_block("acl {\n block type ANY net 10.1.2.3/8 fd00::/8\n allow net 10.0.0.1\n}"),
           "access:\n  - \"block type ANY net 10.0.0.0/8 fd00::/8\"\n  - \"allow net 10.0.0.1\"\n"},
          {in_block("acl a.example B.example {\n filter type *\n}"),
           "access:\n  - \"filter type * zone a.example b.example\"\n"},
          {"a.example {\nacl {\n drop\n}\n}\n", "access:\n  - \"drop zone a.example\"\n"},
          {"a.example b.example {\nacl . x.a.example example c.example {\n drop\n}\n}\n",
           "access:\n  - \"drop zone a.example b.example x.a.example\"\n"},
          {"a.example {\nacl . {\n drop\n}\nacl c.example {\n block\n}\n}\n",
           "access:\n  - \"drop zone a.example\"\n"},
          {in_block("hosts /etc/none {\n 10.0.0.1 a.example b\n fd00::1 a.example\n ttl 60\n "
                    "no_reverse\n reload 15s\n fallthrough\n}"),
           "hosts:\n  - \"10.0.0.1 a.example b\"\n  - \"fd00::1 a.example\"\nhostsFiles:\n  - "
           "\"/etc/none\"\nhostsTtl: 60\nhostsReverse: false\n"},
          {in_block("hosts"), "hostsFiles:\n  - \"/etc/hosts\"\nhostsZones:\n  - \".\"\n"},
          {in_block("hosts {\n fallthrough in-addr.arpa ip6.arpa\n}"),
           "hostsFiles:\n  - \"/etc/hosts\"\nhostsZones:\n  - \".\"\n"},
          {"10.0.0.0/24 {\n hosts /f\n}", "hostsFiles:\n  - \"/f\"\n"},
          {"10.0.0.0/24 {\n hosts /f {\n 10.0.0.1 a.example\n }\n}",
           "hosts:\n  - \"10.0.0.1 a.example\"\nhostsFiles:\n  - \"/f\"\n"},
          {"a.example {\n hosts /f . {\n 10.0.0.1 c.example x.a.example\n 10.0.0.2 c.example\n}\n}",
           "hosts:\n  - \"10.0.0.1 x.a.example\"\nhostsFiles:\n  - \"/f\"\nhostsReverse: "
           "false\nhostsZones:\n  - \"a.example\"\n"},
          {"a.example {\n hosts /f c.example {\n 10.0.0.1 c.example\n}\n}", ""},
          {in_block("hosts /f a.example b.example {\n fallthrough b.example\n}"),
           "Corefile:2: hosts fallthrough: found zones that are not all of 'a.example', expected "
           "all of it or nothing\nhostsFiles:\n  - \"/f\"\n"},
          {in_block("rewrite name a.example b.example"),
           "rewrites:\n  - \"name a.example b.example\"\n"},
          {in_block("rewrite continue {\n name regex (.*)\\.a\\.example {1}.b.example\n answer "
                    "value (.*)\\.b {1}.a\n}"),
           "rewrites:\n  - \"continue name regex (.*)\\\\.a\\\\.example {1}.b.example answer value "
           "(.*)\\\\.b {1}.a\"\n"},
          {"a.example {\nrewrite name exact x.a.example y.b.example\n}\n",
           "rewrites:\n  - \"name exact x.a.example y.b.example\"\n"},
          {"a.example {\nrewrite name suffix .a.example .b.example\n}\n",
           "rewrites:\n  - \"name suffix .a.example .b.example\"\n"},
          {"a.example {\nrewrite name suffix x.a.example y.b.example\n}\n",
           "rewrites:\n  - \"name suffix x.a.example y.b.example\"\n"},
          {"a.example {\nrewrite stop {\n name regex (.*)\\.a\\.example {1}.b.example\n answer "
           "name (.*)\\.b\\.example {1}.a.example\n}\n}\n",
           "rewrites:\n  - \"stop name regex (.*)\\\\.a\\\\.example\\\\.$ {1}.b.example answer "
           "name (.*)\\\\.b\\\\.example {1}.a.example\"\n"},
          {"a.example {\nrewrite name regex ^(x|y).a.example\\.$ {1}.b.example\n}\n",
           "rewrites:\n  - \"name regex ^(x|y)\\\\.a\\\\.example\\\\.$ {1}.b.example\"\n"},
          {"a.example {\nrewrite name regex ^([a-z|]*)\\.a\\.example {1}.b.example\n}\n",
           "rewrites:\n  - \"name regex ^([a-z|]*)\\\\.a\\\\.example\\\\.$ {1}.b.example\"\n"},
          {"a.example {\nrewrite name suffix a.example b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name suffix .example .b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name c.example b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name prefix x y\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name regex (.*)\\.c\\.example {1}.b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name regex x|y\\.a\\.example z.b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name regex (.*)a\\.example {1}.b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name regex x[](]|y\\.a\\.example z.b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {"a.example {\nrewrite name regex x[[:alpha:](]|y\\.a\\.example z.b.example\n}\n",
           "Corefile:2: rewrite: found a rule that may fit names outside of its server block, "
           "expected a name, or a suffix or a regular expression that ends in the block's zone; "
           "rules are for all names here\n"},
          {in_block("template IN ANY ip.example {\n match ^a b$\n answer \"{{ .Name }} 60 IN A "
                    "1.2.3.4\"\n rcode NOERROR\n}"),
           "templates:\n  - \"* zone ip.example match ^a b$ only answer '{{ .Name }} 60 IN A "
           "1.2.3.4' rcode NOERROR\"\n"},
          {"a.example {\n template IN A . {\n rcode NXDOMAIN\n }\n template IN A c.example {\n "
           "rcode REFUSED\n}\n}",
           "templates:\n  - \"A zone a.example rcode NXDOMAIN\"\n"},
          {"a.example {\n template IN A . {\n match ^a\n fallthrough a.example\n }\n}",
           "templates:\n  - \"A zone a.example match ^a\"\n"},
          {in_block("template ANY AAAA {\n rcode NXDOMAIN\n}"),
           "templates:\n  - \"AAAA rcode NXDOMAIN\"\n"},
          {in_block("template IN A {\n match ^a\n fallthrough\n}"),
           "templates:\n  - \"A match ^a\"\n"},
          {in_block("nsid"), "nsid: \"@hostname\"\n"},
          {in_block("nsid Use The \"Force\""), "nsid: \"Use The Force\"\n"},
          {in_block("autopath @kubernetes"), "searchCompletion: true\n"},
          {in_block("autopath cluster.local /run/resolv.conf"),
           "searchCompletion: true\nsearchResolvConf: \"/run/resolv.conf\"\n"},
          {in_block("debug"), "logLevel: \"debug\"\n"},
          {in_block("local"), "builtInZones: true\n"},
          {in_block("cancel"), "queryDeadline: \"5001ms\"\n"},
          {in_block("cancel 1m30s"), "queryDeadline: \"90s\"\n"},
          {in_block("health"), "healthListen:\n  - \"0.0.0.0:8080\"\n  - \"[::]:8080\"\n"},
          {in_block("health localhost:8091 {\n lameduck 1m5s\n}"),
           "healthListen:\n  - \"127.0.0.1:8091\"\nlameduck: \"65s\"\n"},
          {in_block("health localhost:8091"), "healthListen:\n  - \"127.0.0.1:8091\"\n"},
          {in_block("ready 10.0.0.1:1"), "readyListen:\n  - \"10.0.0.1:1\"\n"},
          {in_block("prometheus"), "metricsListen:\n  - \"127.0.0.1:9153\"\n"},
          {in_block("timeouts {\n read 5s\n write 250ms\n}"),
           "tcpIdleTimeout: \"5s\"\ntcpWriteTimeout: \"250ms\"\n"},
          {in_block("timeouts {\n idle 1m\n}"), "tcpIdleTimeout: \"60s\"\n"},
          {in_block("errors\nloop\nreload 10s 5s\nloadbalance round_robin\nany"), ""},
          {in_block("errors stdout {\n consolidate 5m \".* timeout\" warning\n}"), ""},
          // kubernetes
          {in_block("kubernetes cluster.local"), Cluster},
          {in_block("kubernetes cluster.local Cluster.local. 10.0.0.0/8 10.in-addr.arpa"),
           "clusterDomain: \"cluster.local\"\nreverseZones:\n  - \"10.in-addr.arpa\"\n"},
          {"cluster.local 10.96.0.0/15 {\n kubernetes\n}",
           "clusterDomain: \"cluster.local\"\nreverseZones:\n  - \"96.10.in-addr.arpa\"\n  - "
           "\"97.10.in-addr.arpa\"\n"},
          {in_kubernetes("endpoint https://10.0.0.1:6443"),
           "apiServer: \"https://10.0.0.1:6443\"\n" + Cluster},
          {in_kubernetes("kubeconfig /k/config admin"),
           "kubeconfig: \"/k/config\"\ncontext: \"admin\"\n" + Cluster},
          {in_kubernetes("pods verified"), Cluster + "pods: \"verified\"\n"},
          {in_kubernetes("ttl 30"), Cluster + "ttl: 30\n"},
          {in_kubernetes("endpoint_pod_names\nignore empty_service"),
           Cluster + "endpointPodNames: true\nignoreEmptyServices: true\n"},
          {in_kubernetes("namespaces a b"), Cluster + "namespaces:\n  - \"a\"\n  - \"b\"\n"},
          {in_kubernetes("labels env in (a, b),tier=web\nnamespace_labels x!=y"),
           Cluster + "namespaceLabels: \"x!=y\"\nlabels: \"env in (a, b),tier=web\"\n"},
          {in_kubernetes("upstream\nresyncperiod 5m\nstartup_timeout 5s"), Cluster},
          {in_block("kubernetes cluster.local {\n fallthrough\n}\nforward . 10.0.0.1"),
           "clusterDomain: \"cluster.local\"\nreverseZones: []\nfallthroughZones:\n  - "
           "\"cluster.local\"\nforward:\n  - \"10.0.0.1\"\n"},
          // forward
          {in_block("forward . 10.0.0.1 dns://10.0.0.2:5353 tls://10.0.0.3"),
           "forward:\n  - \"10.0.0.1\"\n  - \"10.0.0.2:5353\"\n  - \"tls://10.0.0.3\"\n"},
          {in_block("forward . 10.0.0.1 {\n force_tcp\n}"), "forward:\n  - \"tcp://10.0.0.1\"\n"},
          {in_block("forward . tls://10.0.0.1 {\n tls_servername dns.example\n tls\n}"),
           "forward:\n  - \"tls://10.0.0.1#dns.example\"\n"},
          {in_block("forward . tls://10.0.0.1 {\n tls /ca.pem\n}"),
           "forward:\n  - \"tls://10.0.0.1\"\nupstreamCaFile: \"/ca.pem\"\n"},
          {in_block("forward . tls://10.0.0.1%dns.example tls://fd00::1%b.example:8853"),
           "forward:\n  - \"tls://10.0.0.1#dns.example\"\n  - "
           "\"tls://[fd00::1]:8853#b.example\"\n"},
          {in_block("forward . __PILLAR__UPSTREAM__SERVERS__"),
           "forward:\n  - \"/etc/resolv.conf\"\n"},
          {in_block("forward . /etc/resolv.conf {\n policy sequential\n max_concurrent 50\n}"),
           "forward:\n  - \"/etc/resolv.conf\"\nforwardPolicy: \"sequential\"\nmaxInFlight: 50\n"},
          {in_block("forward . 10.0.0.1 {\n max_concurrent 0\n failover SERVFAIL REFUSED\n "
                    "expire 20s\n max_fails 3\n health_check 5s no_rec\n prefer_udp\n}"),
           "forward:\n  - \"10.0.0.1\"\nmaxInFlight: 100000\n"},
          {in_block("forward a.example 10.0.0.1\nforward . 10.0.0.2"),
           "forward:\n  - \"10.0.0.2\"\nstubDomains:\n  - \"a.example=10.0.0.1\"\n"},
          {"a.example b.example {\n forward . 10.0.0.1 10.0.0.2\n}",
           "stubDomains:\n  - \"a.example=10.0.0.1\"\n  - \"a.example=10.0.0.2\"\n  - "
           "\"b.example=10.0.0.1\"\n  - \"b.example=10.0.0.2\"\n"},
          {"10.0.0.0/24 {\n forward . 10.0.0.1\n}",
           "stubDomains:\n  - \"0.0.10.in-addr.arpa=10.0.0.1\"\n"},
          // cache
          {in_block("cache"), Cached},
          {in_block("cache {\n prefetch 10 1m 20%\n serve_stale\n}"),
           times("3600s", 5, 3600, 1800) + "prefetch: true\n"},
          {in_block("cache 30"), times("0s", 5, 30, 30) + "prefetch: false\n"},
          {in_block("cache 900 {\n denial 1024 30\n servfail 5s\n}"),
           "cacheSize: 5636096\n" + times("0s", 5, 900, 30) + "failureTtl: 5\nprefetch: false\n"},
          {in_block("cache {\n success 1024 60 7\n denial 1024 20 9\n serve_stale 2h verify\n}"),
           "cacheSize: 1048576\n" + times("7200s", 7, 60, 20) + "prefetch: false\n"},
          {in_block("cache {\n success 5000000\n denial 5000000\n}"),
           "cacheSize: 4294967296\n" + Cached},
          {in_block("cache {\n servfail 0\n}"),
           times("0s", 5, 3600, 1800) + "failureTtl: 1\nprefetch: false\n"},
          {in_block("cache 30\nforward . 10.0.0.1") +
               "a.example {\n forward . 10.0.0.2\n cache 40 {\n  denial 10 20\n }\n}",
           "forward:\n  - \"10.0.0.1\"\nstubDomains:\n  - \"a.example=10.0.0.2\"\ncacheSize: "
           "5116928\n" +
               times("0s", 5, 30, 20) + "prefetch: false\n"},
          {in_block("log . {\n class error\n}"), "queryLog:\n  - \"error\"\n"},
          {in_block("log"), "queryLog:\n  - \"all\"\n"},
          {in_block("log {\n class denial error\n class success\n}"),
           "queryLog:\n  - \"denial\"\n  - \"error\"\n  - \"success\"\n"},
          {in_block("log a.Example 10.0.0.0/8 {combined} {\n class error\n}"),
           "queryLog:\n  - \"a.example=error\"\n  - \"10.in-addr.arpa=error\"\n"},
          {in_block("log . \"{name} {type}\""), "queryLog:\n  - \"all\"\n"},
          {in_block("kubernetes cluster.local\ncache {\n disable success cluster.local\n}"),
           Cluster + Cached}}) {
    CAPTURE(text);
    CHECK(settings(text) == yaml);
  }
}

TEST_CASE("ports and addresses of server blocks become listen") {
  const auto listen = [](const std::string& text) {
    const std::string yaml = yaml_of(translated(text).settings, {});
    const std::size_t start = yaml.find("listen:\n") + 8;
    return problems(text) + yaml.substr(start, yaml.find("kubernetes", start) - start);
  };
  CHECK(listen(".:5300 {\n}") == "  - \"0.0.0.0:5300\"\n  - \"[::]:5300\"\n");
  CHECK(listen("dns://.:5300 {\n}") == "  - \"0.0.0.0:5300\"\n  - \"[::]:5300\"\n");
  CHECK(listen(".:53 .:54 {\n bind 10.0.0.1\n bind fd00::1\n}") ==
        "  - \"10.0.0.1:53\"\n  - \"[fd00::1]:53\"\n  - \"10.0.0.1:54\"\n  - \"[fd00::1]:54\"\n");
  CHECK(listen(". {\n bind 10.0.0.1\n}\na.example {\n bind 10.0.0.1\n forward . 10.0.0.2\n}") ==
        "  - \"10.0.0.1:53\"\n");
}

// The lines of a list's values.
std::string list_of(const std::string& text, const std::string& key) {
  const std::string yaml = "\n" + yaml_of(translated(text).settings, {});
  const std::size_t at = yaml.find("\n" + key + ":\n");
  std::string out = problems(text);
  for (std::size_t line = at == std::string::npos ? at : yaml.find('\n', at + 1);
       line != std::string::npos && yaml.substr(line + 1).starts_with("  - ");
       line = yaml.find('\n', line + 1)) {
    out += yaml.substr(line + 5, yaml.find('\n', line + 1) - line - 4);
  }
  return out;
}

TEST_CASE("rules of a block are not about names of a block with a longer zone") {
  const std::string Inner =
      "secret.example {\n acl {\n allow net 127.0.0.9\n block\n}\n forward . 10.0.0.2\n}\n";
  const std::string Outer =
      ". {\n acl {\n allow net 127.0.0.0/8\n block\n}\n forward . 10.0.0.1\n}\n";
  const std::string InnerRules =
      "\"allow net 127.0.0.9 zone secret.example\"\n\"block zone secret.example\"\n";
  const std::string OuterRules =
      "\"allow net 127.0.0.0/8 except secret.example\"\n\"block except secret.example\"\n";
  CHECK(list_of(Outer + Inner, "access") == OuterRules + InnerRules);
  CHECK(list_of(Inner + Outer, "access") == InnerRules + OuterRules);
  CHECK(notes(Outer + Inner).empty());

  const std::string Open = "sub.org.example {\n forward . 10.0.0.2\n}\n";
  CHECK(
      list_of("org.example a.sub.org.example {\n acl {\n block\n}\n forward . 10.0.0.3\n}\n" + Open,
              "access") == "\"block zone org.example a.sub.org.example except sub.org.example\"\n");
  CHECK(list_of(". a.sub.org.example {\n acl {\n block\n}\n forward . 10.0.0.3\n}\n" + Open,
                "access") == "\"block zone . a.sub.org.example except sub.org.example\"\n");
  CHECK(list_of(". {\n template IN AAAA . {\n rcode NXDOMAIN\n}\n forward . 10.0.0.3\n}\n" + Open,
                "templates") == "\"AAAA except sub.org.example rcode NXDOMAIN\"\n");
  const std::string Hosts =
      " {\n hosts {\n 10.0.0.1 a.org.example a.sub.org.example\n fallthrough\n}\n forward . "
      "10.0.0.3\n}\n";
  CHECK(list_of("org.example" + Hosts + Open, "hosts") == "\"10.0.0.1 a.org.example\"\n");
  // Here its address has both names.
  CHECK(notes("." + Hosts + Open).find("'a.sub.org.example' is answered, too") !=
        std::string::npos);
}

TEST_CASE("names that a block has no answer to are refused, and not those around them asked for") {
  const std::string All = ". {\n forward . 10.0.0.1\n}\n";
  CHECK(list_of(All + "a.example {\n errors\n}", "templates") ==
        "\"* zone a.example rcode REFUSED\"\n");
  CHECK(list_of(All + "a.example {\n template IN A . {\n answer \"a. 5 IN A 10.0.0.9\"\n}\n}\n"
                      "b.a.example {\n forward . 10.0.0.2\n}",
                "templates") ==
        "\"A zone a.example except b.a.example answer 'a. 5 IN A 10.0.0.9'\"\n"
        "\"* zone a.example except b.a.example rcode REFUSED\"\n");
  CHECK(list_of(All + "a.example {\n hosts {\n 10.0.0.9 b.a.example\n}\n}", "templates").empty());
}

TEST_CASE("a block below the cluster's zone becomes a stub domain") {
  for (const std::string zone : {"my.cluster.local", "web.shop.svc.cluster.local"}) {
    const std::string text =
        ". {\n kubernetes cluster.local\n}\n" + zone + " {\n errors\n forward . 10.0.0.1\n}\n";
    CHECK(problems(text).empty());
    CHECK(yaml_of(translated(text).settings, {})
              .find("stubDomains:\n  - \"" + zone + "=10.0.0.1\"\n") != std::string::npos);
  }
}

TEST_CASE("what has no meaning here is refused with its place") {
  const std::string Lists = ", expected one that docs/corefile.md lists\n";
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "found no server block, expected one such as '.:53 { ... }'\n"},
           {in_block("dns64"),
            "Corefile:2: dns64: not offered here: forward to a server that synthesizes AAAA "
            "records\n"},
           {in_block("rewrite type ANY A"),
            "Corefile:2: rewrite: found 'type', expected 'name'; types, classes, TTLs, rcodes, "
            "CNAMEs and EDNS are not rewritten here\n"},
           {in_block("template CH ANY"),
            "Corefile:2: template: found the class 'CH', expected IN or ANY\n"},
           {in_block("template IN A {\n ederror 21\n}"),
            "Corefile:3: template ederror: not offered here: reasons cannot be chosen; leave it "
            "out\n"},
           {in_block("acl {\n deny\n}"), "Corefile:3: acl deny: found an unknown option" + Lists},
           {in_block("fowrard . 10.0.0.1"),
            "Corefile:2: fowrard: found an unknown directive, expected perhaps 'forward'\n"},
           {in_block("rrl . {\n responses-per-second 10\n}"),
            "Corefile:2: rrl: not offered here: use rateLimit, which bounds what each client "
            "asks\n"},
           {in_block("shed"),
            "Corefile:2: shed: not offered here: bound clients with rateLimit and questions to "
            "upstreams with maxInFlight\n"},
           {in_kubernetes("zonal"),
            "Corefile:3: kubernetes zonal: not offered here: names of a zone's endpoints are not "
            "served; leave it out\n"},
           // Variables of manifests.
           {"__PILLAR__DNS__DOMAIN__:53 {\n forward . __PILLAR__CLUSTER__DNS__ {\n x "
            "__PILLAR__X__\n}\n bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__\n health "
            "__PILLAR__LOCAL__DNS__:8080\n}",
            "Corefile:1: found '__PILLAR__DNS__DOMAIN__:53', expected the cluster's domain, such "
            "as cluster.local\n"
            "Corefile:2: found '__PILLAR__CLUSTER__DNS__', expected the address of the Service "
            "kube-dns-upstream, or {$KUBE_DNS_UPSTREAM_SERVICE_HOST}, which is that in a Pod; for "
            "waypost-node leave the block out, for it asks nobody for the cluster's names\n"
            "Corefile:3: found '__PILLAR__X__', expected a value, for it stands for nothing here\n"
            "Corefile:5: found '__PILLAR__LOCAL__DNS__', expected the node's own address for DNS, "
            "such as 169.254.20.10\n"
            "Corefile:5: found '__PILLAR__DNS__SERVER__', expected the address of the Service "
            "kube-dns, or nothing where kube-proxy is in IPVS mode\n"
            "Corefile:6: found '__PILLAR__LOCAL__DNS__:8080', expected the node's own address for "
            "DNS, such as 169.254.20.10\n"},
           {in_block("forward . __PILLAR__UPSTREAM__SERVERS__:53"),
            "Corefile:2: found '__PILLAR__UPSTREAM__SERVERS__:53', expected upstreamNameservers "
            "of the ConfigMap kube-dns, or /etc/resolv.conf\n"},
           {in_block("any more"), "Corefile:2: any: found 1 argument, expected none\n"},
           {in_block("zzyzx"), "Corefile:2: zzyzx: found an unknown directive" + Lists},
           {in_kubernetes("tttl 5"),
            "Corefile:3: kubernetes tttl: found an unknown option, expected perhaps 'ttl'\n"},
           {in_kubernetes("noendpoints"),
            "Corefile:3: kubernetes noendpoints: not offered here: endpoints are always served; "
            "leave it out\n"},
           {in_block("autopath"), "Corefile:2: autopath: found 0 arguments, expected at least 1\n"},
           {in_block("autopath @file"),
            "Corefile:2: autopath: found '@file', expected @kubernetes or the path of a "
            "resolv.conf\n"},
           {in_block("loop now"), "Corefile:2: loop: found 1 argument, expected none\n"},
           {in_block("loop {\n x\n}"), "Corefile:3: loop x: found an unknown option" + Lists},
           {in_block("health {\n lameduck\n}"),
            "Corefile:3: health lameduck: found 0 arguments, expected 1\n"},
           {in_block("health {\n lameduck soon\n}"),
            "Corefile:3: health lameduck: found 'soon', expected a duration such as 500ms, 5s or "
            "1m30s\n"},
           {in_block("loadbalance weighted w.txt"),
            "Corefile:2: loadbalance: found 'weighted', expected round_robin or nothing\n"},
           {in_block("bind eth0"),
            "Corefile:2: bind: found 'eth0', expected an address, not the name of an interface\n"},
           {in_block("ready {\n monitor until-ready\n}"),
            "Corefile:3: ready monitor: not offered here: readiness follows whether the cluster is "
            "known, and maxDataAge\n"},
           // server blocks
           {"tls://. {\n}",
            "Corefile:1: found 'tls://.', expected a zone that is served over UDP and TCP; for "
            "TLS, "
            "HTTPS, QUIC or gRPC put a proxy in front\n"},
           {".:99999 {\n}", "Corefile:1: found the port '99999', expected a number up to 65535\n"},
           {". {\n}\n. {\n}",
            "Corefile:3: found a second server block for the zone '.', the first is at "
            "Corefile:1; expected one, for every address answers all names here; run one process "
            "for each\n"},
           {".:53 .:53 {\n}",
            "Corefile:1: found the zone '.' at 0.0.0.0:53 a second time, the first is at "
            "Corefile:1\n"
            "Corefile:1: found the zone '.' at [::]:53 a second time, the first is at "
            "Corefile:1\n"},
           {".:53 {\n}\n.:54 {\n}\na:53 {\n chaos\n}",
            "Corefile:3: found a second server block for the zone '.', the first is at "
            "Corefile:1; expected one, for every address answers all names here; run one process "
            "for each\n"},
           {". {\n bind 10.0.0.1\n}\n. {\n bind 10.0.0.2\n}",
            "Corefile:4: found a second server block for the zone '.', the first is at "
            "Corefile:1; expected one, for every address answers all names here; run one process "
            "for each\n"},
           {". {\n}\na.example:54 {\n forward . 10.0.0.1\n}",
            "Corefile:3: found the zone 'a.example' at other ports or addresses than '.' "
            "(Corefile:1), expected the same, for every address answers all names here; run one "
            "process for each, or give all blocks the same port and bind\n"},
           {". {\n forward . 10.0.0.1\n}\na.example {\n hosts /f {\n fallthrough\n}\n}",
            "Corefile:4: found no directive that has all names of the zone 'a.example', expected "
            "forward or kubernetes for all of it, or hosts without fallthrough; otherwise its "
            "names go to Corefile:2\n"},
           {"a.example {\n hosts /f\n}\nb.a.example {\n forward . 10.0.0.1\n}",
            "Corefile:2: hosts: found no fallthrough for 'a.example', expected one, for what "
            "'b.a.example' (Corefile:4) has would be denied, too\n"},
           {". {\n kubernetes cluster.local in-addr.arpa {\n fallthrough\n}\n forward . "
            "10.0.0.1\n}\n10.in-addr.arpa {\n errors\n}",
            "Corefile:7: found no directive that has all names of the zone '10.in-addr.arpa', "
            "expected forward or kubernetes for all of it, or hosts without fallthrough; otherwise "
            "its names go to Corefile:5\n"},
           {in_block("forward . {$WAYPOST_TEST_UNSET}"),
            "Corefile:2: forward: found an argument of which its variables leave nothing, expected "
            "a value\n"},
           {in_block("forward . 10.0.0.1 {\n policy {$WAYPOST_TEST_UNSET}\n}"),
            "Corefile:3: forward policy: found an argument of which its variables leave nothing, "
            "expected a value\n"},
           {". {\n forward a.example 10.0.0.1\n}\na.example {\n forward . 10.0.0.2\n}",
            "Corefile:2: forward: found the zone 'a.example', expected one that shares names with "
            "its server block's\n"},
           {". {\n kubernetes cluster.local\n}\nsvc.cluster.local {\n forward . 10.0.0.1\n}",
            "Corefile:4: found a server block for 'svc.cluster.local', which would have names of "
            "the cluster's zone 'cluster.local', expected one block for all names of a zone\n"},
           {". {\n kubernetes cluster.local\n}\nlocal {\n forward . 10.0.0.1\n}",
            "Corefile:4: found a server block for 'local', which would have names of the cluster's "
            "zone 'cluster.local', expected one block for all names of a zone\n"},
           {". {\n kubernetes cluster.local\n}\nmy.cluster.local {\n forward a.my.cluster.local "
            "10.0.0.1\n}",
            "Corefile:4: found a server block for 'my.cluster.local', which would have names of "
            "the cluster's zone 'cluster.local', expected one block for all names of a zone\n"},
           {". {\n kubernetes cluster.local\n forward . /etc/resolv.conf\n}\nmy.cluster.local {\n "
            "forward . /etc/resolv.conf\n}",
            "Corefile:5: found a server block for 'my.cluster.local', which would have names of "
            "the cluster's zone 'cluster.local', expected one block for all names of a zone\n"},
           // kubernetes
           {in_block("kubernetes a\nkubernetes b"),
            "Corefile:3: kubernetes: found a second time, expected one in the file\n"},
           {in_block("kubernetes a.example b.example"),
            "Corefile:2: kubernetes: found a second zone 'b.example', expected one besides the "
            "reverse zones\n"},
           {"a.example {\n kubernetes b.example\n}",
            "Corefile:2: kubernetes: found the zone 'b.example', expected one within a zone of its "
            "server block\n"
            "Corefile:2: kubernetes: found reverse zones only, expected the cluster's domain with "
            "them\n"},
           {in_kubernetes("fallthrough svc.cluster.local"),
            "Corefile:3: kubernetes fallthrough: found 'svc.cluster.local', expected all of the "
            "zone 'cluster.local' or nothing\n"},
           {in_kubernetes("upstream 10.0.0.1"),
            "Corefile:3: kubernetes upstream: found '10.0.0.1', expected nothing; use forward for "
            "the zone of the targets\n"},
           {in_kubernetes("ignore all"),
            "Corefile:3: kubernetes ignore: found 'all', expected empty_service\n"},
           // forward
           {in_block("forward ."), "Corefile:2: forward: found 1 argument, expected at least 2\n"},
           {in_block("forward . https://10.0.0.1"),
            "Corefile:2: forward: found 'https://10.0.0.1', expected an address or tls://, for "
            "this protocol is not spoken\n"},
           {in_block("forward . /etc/resolv.conf {\n force_tcp\n}"),
            "Corefile:2: forward: found '/etc/resolv.conf', expected addresses with force_tcp\n"},
           {in_block("forward . tls://10.0.0.1%a {\n tls_servername b\n}"),
            "Corefile:2: forward: found 'tls://10.0.0.1%a', expected its name there or in "
            "tls_servername, not both\n"},
           {in_block("forward . 10.0.0.1 {\n failover NXDOMAIN\n}"),
            "Corefile:3: forward failover: found 'NXDOMAIN', expected SERVFAIL or REFUSED; with "
            "any other rcode an answer is an answer\n"},
           {in_block("forward . 10.0.0.1\nforward a.example 10.0.0.2"),
            "Corefile:3: forward: found the zone 'a.example' behind the forward of Corefile:2, "
            "which has its names; expected it in front\n"},
           {"a.example {\n forward b.example 10.0.0.1\n}",
            "Corefile:2: forward: found the zone 'b.example', expected one that shares names with "
            "its server block's\n"},
           {"a.example {\n forward . /etc/resolv.conf\n}",
            "Corefile:2: forward: found /etc/resolv.conf for the zone 'a.example', expected "
            "addresses; a resolv.conf is asked for all names only\n"},
           {in_block("forward . 10.0.0.1 {\n tls cert key ca\n}"),
            "Corefile:3: forward tls: found 'cert' and 2 more, expected at most one file, that of "
            "the authorities, for no certificate is shown to upstreams\n"},
           {in_block(
                "forward a.example tls://10.0.0.1 {\n tls /ca.pem\n}\nforward . tls://10.0.0.2"),
            "Corefile:5: forward: found tls:// without the authorities of Corefile:3, expected "
            "them "
            "here, too, for upstreamCaFile is one for all\n"},
           {in_block("log {\n class denials\n}"),
            "Corefile:3: log class: found 'denials', expected success, denial, error or all\n"},
           {in_block("log {\n class\n}"),
            "Corefile:3: log class: found 0 arguments, expected at least 1\n"},
           {in_block("log {\n minDuration 1s\n}"),
            "Corefile:3: log minDuration: not offered here: how long an answer takes is in its "
            "line, and does not choose it; leave it out\n"},
           {"a.example {\n log b.example\n}",
            "Corefile:2: log: found the name 'b.example', expected one that shares names with its "
            "server block's\n"},
           {in_block("errors {\n panicRecoveryStacktrace\n}"),
            "Corefile:3: errors panicRecoveryStacktrace: not offered here: there are no stack "
            "traces; leave it out\n"},
           // cache
           {in_block("cache 30 a.example"),
            "Corefile:2: cache: found the zone 'a.example', expected none; what upstreams answer "
            "is cached for all zones\n"},
           {in_block("cache {\n success many\n}"),
            "Corefile:3: cache success: found 'many', expected a whole number\n"},
           {in_block("cache {\n success 10 soon\n}"),
            "Corefile:3: cache success: found 'soon', expected a whole number\n"},
           {in_block("cache {\n servfail soon\n}"),
            "Corefile:3: cache servfail: found 'soon', expected a duration such as 500ms, 5s or "
            "1m30s\n"},
           {in_block("cache {\n serve_stale 1h later\n}"),
            "Corefile:3: cache serve_stale: found 'later', expected immediate or verify\n"},
           {in_block("cache {\n disable success a.example\n}"),
            "Corefile:3: cache disable: found the zone 'a.example', expected one of the cluster's; "
            "those are never cached, and what upstreams answer is cached for all zones\n"},
           {in_block("bufsize 512\nbufsize 1232"),
            "Corefile:3: bufsize: found a value that means '1232', while Corefile:2 means '512', "
            "expected the same, for udpSize is one for all names here\n"}}) {
    CAPTURE(text);
    CHECK(problems(text) == message);
  }
}

TEST_CASE("a value that an option refuses names the line of the Corefile") {
  const test::TemporaryFolder folder;
  const auto file = folder.write("Corefile", in_kubernetes("ttl 9999\npods some"));
  const auto config = load_config({.file = file, .form = ConfigForm::Corefile});
  REQUIRE_FALSE(config);
  REQUIRE(config.error().size() == 2);
  CHECK(config.error()[0].message ==
        file.string() +
            ":4: kubernetes pods: found 'some', expected disabled, insecure or verified");
  CHECK(config.error()[1].message ==
        file.string() +
            ":3: kubernetes ttl: found '9999', expected a whole number of seconds from 0 to 3600");
}

TEST_CASE("a number that is none stays one scalar in YAML, for the reader to refuse") {
  using namespace std::string_literals;
  for (const std::string& word : {"1\x17\0"s, "-"s, "1:"s, "[1"s, "1,2"s}) {
    CAPTURE(word);
    const auto read = read_settings(
        yaml_of(translated(". {\n bufsize " + word + "\n}").settings, {}), "waypost.yaml");
    CHECK(read.problems.empty());
    const auto size = std::ranges::find(read.settings, "udpSize", &Setting::key);
    REQUIRE(size != read.settings.end());
    CHECK(size->values.front().text == word);
  }
}

TEST_CASE("a block without log keeps its names out of what the blocks around it log") {
  const auto logs_of = [](const std::string& text) {
    const std::string yaml = yaml_of(translated(text).settings, {});
    const std::size_t at = yaml.find("queryLog:");
    return at == std::string::npos ? "" : yaml.substr(at);
  };
  const std::string Corp = "corp.example {\n forward . 10.0.0.1\n}\n";
  const std::string All = ".:53 {\n log\n forward . 10.0.0.2\n}\n";
  CHECK(logs_of(Corp + All) == "queryLog:\n  - \"all\"\n  - \"corp.example=none\"\n");
  CHECK(logs_of(All + "corp.example {\n log a.corp.example {\n class error\n }\n forward . "
                      "10.0.0.1\n}\n") ==
        "queryLog:\n  - \"all\"\n  - \"a.corp.example=error\"\n  - \"corp.example=none\"\n");
  CHECK(logs_of(".:53 {\n forward . 10.0.0.2\n}\ncorp.example {\n log\n forward . 10.0.0.1\n}\n") ==
        "queryLog:\n  - \"corp.example=all\"\n");
  CHECK(logs_of(Corp).empty());
}

TEST_CASE("what is built in and what differs is noted") {
  CHECK(notes(in_block("log {\n class error\n}")).empty());
  CHECK(notes(in_block("log . \"{remote} {name}\"")) ==
        "differs: Corefile:2: log: lines are not written as '{remote} {name}' says, but as "
        "docs/query-log.md\n"
        "differs: Corefile:2: log: no more lines are written than queryLogRate says, 100 a second "
        "unless it is set; while there are more queries, each line stands for several\n");
  CHECK(notes(in_block("forward . __PILLAR__UPSTREAM__SERVERS__")) ==
        "differs: Corefile:2: __PILLAR__UPSTREAM__SERVERS__ is /etc/resolv.conf here; write "
        "upstreamNameservers of the ConfigMap kube-dns instead, where there are some\n");
  CHECK(notes(in_block("any"))
            .ends_with("differs: Corefile:2: any: ANY for names that are not served here is asked "
                       "of upstreams\n"));
  CHECK(notes(in_block("loop")) ==
        "built in: Corefile:2: loop: built in. An upstream that leads back here is found out and "
        "not asked any more; the others are.\n");
  CHECK(notes(in_block("autopath /run/resolv.conf")) ==
        "differs: Corefile:2: autopath: /run/resolv.conf is taken for the nodes' resolver file; "
        "its domains follow the cluster's, and only Pods are completed\n");
  CHECK(notes(in_block("kubernetes cluster.local {\n fallthrough\n}")) ==
        "differs: Corefile:2: kubernetes fallthrough: leads nowhere, for its server block has no "
        "forward\n");
  CHECK(notes(in_block("forward a.example 10.0.0.1 10.0.0.2 {\n policy random\n}\nforward . "
                       "10.0.0.3 {\n policy sequential\n}")) ==
        "differs: Corefile:2: forward policy: the policy is one for all, sequential of "
        "Corefile:5\n");
  CHECK(notes(in_block("cache") + "a.example {\n forward . 10.0.0.1\n}") ==
        "differs: Corefile:4: the block has no cache; the others' cache holds the answers to its "
        "names, too\n");
  CHECK(
      notes(in_block("cache 30 {\n success 10\n denial 20 30 9\n}")) ==
      "differs: Corefile:2: cache success: of several times the shortest counts, 5 s for "
      "cacheMinTtl\n"
      "differs: Corefile:4: cache: the capacity is one in octets for answers of both kinds, 15360 "
      "for 30 answers\n");
  CHECK(notes(in_block("cache {\n prefetch 10 1m 20%\n serve_stale\n servfail 1500ms\n}")) ==
        "differs: Corefile:3: cache prefetch: how popular an answer has to be is built in, and "
        "when\n"
        "differs: Corefile:4: cache serve_stale: an expired answer is given when no upstream "
        "answers in time, as with verify, not immediately\n"
        "differs: Corefile:5: cache servfail: failures are remembered for 2 s, for whole seconds, "
        "at least one (RFC 9520)\n");
  CHECK(notes(in_block("cache 30 {\n serve_stale 1h verify\n servfail 5s\n}")).empty());
  CHECK(notes(in_block("cache 30") + "a.example {\n cache 20\n}") ==
        "differs: Corefile:5: cache: of several times the shortest counts, 20 s for "
        "cacheMaxNegativeTtl\n"
        "differs: Corefile:5: cache: of several times the shortest counts, 20 s for "
        "cacheMaxTtl\n");
  CHECK(notes(in_block("kubernetes cluster.local in-addr.arpa {\n fallthrough in-addr.arpa\n}\n"
                       "forward . 10.0.0.1") +
              "10.in-addr.arpa {\n forward . 10.0.0.2\n}") ==
        "differs: Corefile:7: the addresses of the cluster's Services below '10.in-addr.arpa' have "
        "the cluster's names; the block has the others\n");
}

TEST_CASE("what a rule says of names that do not come to its server block is noted") {
  CHECK(notes("a.example {\n acl c.example . {\n drop\n }\n}") ==
        "differs: Corefile:2: acl: the zone 'c.example' is left out, for none of its names reaches "
        "the server block\n");
  const std::string Hosts = " hosts /f {\n 10.0.0.1 c.example\n}\n}\n";
  const std::string File =
      "differs: Corefile:2: hosts: names of /f outside of its zones are answered, too\n";
  CHECK(notes("a.example {\n" + Hosts) ==
        File +
            "differs: Corefile:3: hosts: 'c.example' is left out, for it is outside of its "
            "zones\n");
  CHECK(notes("10.0.0.0/24 {\n" + Hosts) ==
        File +
            "differs: Corefile:3: hosts: 'c.example' is answered, too, although it is outside of "
            "its zones\n");
  CHECK(notes("a.example {\n hosts /f\n}\n10.0.0.0/24 {\n hosts /f\n}\n") ==
        File +
            "differs: Corefile:5: hosts: names of /f outside of its zones are answered, too\n"
            "differs: Corefile:2: hosts: its addresses have names, too, although its server block "
            "has no reverse zone\n");
}

TEST_CASE("a shipped Corefile and the YAML that it is converted to have the same values") {
  const test::TemporaryFolder folder;
  for (const char* name : {"kubeadm", "rke2", "addon-manager", "nodelocal", "openshift"}) {
    CAPTURE(name);
    // Written for a Pod, where /etc/resolv.conf is.
    std::string text = *read_file(Root / "tests/data/corefile" / (std::string(name) + ".corefile"));
    const std::string upstreams = folder.write("resolv.conf", "nameserver 10.0.0.1\n").string();
    for (std::size_t at = text.find("/etc/resolv.conf"); at != std::string::npos;
         at = text.find("/etc/resolv.conf")) {
      text.replace(at, 16, upstreams);
    }
    const auto file = folder.write("Corefile", text);
    const auto direct = load_config({.file = file, .form = ConfigForm::Corefile});
    const auto yaml = convert_corefile(file);
    REQUIRE(direct);
    REQUIRE(yaml);
    const auto converted = load_config(folder.write("waypost.yaml", *yaml), {});
    REQUIRE(converted);
    CHECK(direct->config.shown == converted->shown);
    const bool is_cluster = std::string_view(name) != "nodelocal";
    CHECK(direct->config.records.is_served == is_cluster);
    CHECK(direct->config.records.fallthrough_zones.size() == (is_cluster ? 2U : 0U));
    const std::size_t zones = !is_cluster ? 3 : std::string_view(name) == "openshift" ? 1 : 0;
    CHECK(direct->config.forward.stub_domains.size() == zones);
  }
}

TEST_CASE("ConfigMaps of coredns and kube-dns are converted") {
  const test::TemporaryFolder folder;
  const auto convert = [&](const std::string& text) {
    const auto yaml = convert_corefile(folder.write("map.yaml", text));
    std::string out = yaml.value_or("") + problems_of(yaml);
    const std::string prefix = folder.path().string() + "/";
    for (std::size_t at = out.find(prefix); at != std::string::npos; at = out.find(prefix)) {
      out.erase(at, prefix.size());
    }
    return out;
  };
  const std::string Map = "kind: ConfigMap\nmetadata: {name: x}\ndata:\n";
  CHECK(convert(Map + "  Corefile: |\n    . {\n      bufsize 512\n    }\n") ==
        "listen:\n  - \"0.0.0.0:53\"\n  - \"[::]:53\"\nkubernetes: false\nbuiltInZones: false\n"
        "cacheSize: 0\nudpSize: 512\n");
  CHECK(
      convert(Map + "  Corefile: |\n    . {\n      zzyzx\n    }\n") ==
      "map.yaml(Corefile):2: zzyzx: found an unknown directive, expected one that docs/corefile.md "
      "lists\n");
  const std::string Always =
      "fallthroughZones:\n  - \"in-addr.arpa\"\n  - \"ip6.arpa\"\npods: \"insecure\"\nttl: 30\n";
  CHECK(convert(Map + "  stubDomains: '{\"acme.local\": [\"1.2.3.4\", \"1.2.3.5:5353\"]}'\n"
                      "  upstreamNameservers: '[\"8.8.8.8\", \"8.8.4.4:53\"]'\n") ==
        Always +
            "forward:\n  - \"8.8.8.8\"\n  - \"8.8.4.4:53\"\nstubDomains:\n  - "
            "\"acme.local=1.2.3.4\"\n  - \"acme.local=1.2.3.5:5353\"\n");
  for (const auto& [data, message] : std::vector<std::pair<std::string, std::string>>{
           {"  stubDomains: '{'\n", "map.yaml:4: data.stubDomains: found no JSON ("},
           {"  stubDomains: '{\"a\": \"1.2.3.4\"}'\n",
            "map.yaml:4: data.stubDomains: found no list of servers for 'a'\n"},
           {"  stubDomains: '{\"a\": [\"x.example\"]}'\n",
            "map.yaml:4: data.stubDomains: found 'a=x.example' ("},
           {"  upstreamNameservers: '{}'\n",
            "map.yaml:4: data.upstreamNameservers: found no list of servers\n"},
           {"  upstreamNameservers: '[\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\"]'\n",
            "map.yaml:4: data.upstreamNameservers: found 4 servers, expected at most 3\n"},
           {"  federations: a=b\n",
            "map.yaml:4: data.federations: not offered here: federations are gone from Kubernetes; "
            "use stubDomains\n"},
           {"  quux: a\n",
            "map.yaml:4: data.quux: found an unknown key, expected stubDomains or "
            "upstreamNameservers\n"}}) {
    CAPTURE(data);
    const std::string got = convert(Map + data);
    CAPTURE(got);
    CHECK(got.starts_with(message));
  }
  CHECK(convert("kind: Secret\ndata: {a: b}\n") ==
        "map.yaml: found no ConfigMap with data, expected that of coredns or kube-dns\n");
}

TEST_CASE("flags of CoreDNS, kube-dns and node-cache become our own or are refused by name") {
  const auto origin = [](std::vector<const char*> arguments) {
    const auto line = parse_dns_command_line(arguments);
    REQUIRE(line);
    REQUIRE(std::holds_alternative<ConfigOrigin>(*line));
    return std::get<ConfigOrigin>(*line);
  };
  const auto refusal = [](std::vector<const char*> arguments) {
    return problems_of(parse_dns_command_line(arguments));
  };
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{"-conf", "/c", "-dns.port", "1053", "-quiet"},
                                             {"-conf=/c", "-dns.port=1053", "-quiet"},
                                             {"--conf", "/c", "-p", "1053", "--quiet"}}) {
    const ConfigOrigin got = origin(arguments);
    CHECK(got.file == "/c");
    CHECK(got.form == ConfigForm::Corefile);
    CHECK(got.port == 1053);
    CHECK(got.is_quiet);
    CHECK(got.flags.empty());
  }
  const ConfigOrigin plain = origin({"-dns.port", "1053"});
  REQUIRE(plain.flags.size() == 1);
  CHECK(plain.flags[0].values[1].text == "[::]:1053");
  const ConfigOrigin kube_dns =
      origin({"--domain=cluster.local.", "--kube-master-url=http://a:1", "--profiling=false"});
  REQUIRE(kube_dns.flags.size() == 2);
  CHECK(kube_dns.flags[0].key == "apiServer");
  CHECK(kube_dns.flags[1].key == "clusterDomain");

  const auto kube_dns_in_place =
      origin({"--domain=cluster.local.", "--dns-port=10053", "--config-dir=/kube-dns-config",
              "--v=2", "--logtostderr"});
  CHECK(kube_dns_in_place.file == "/kube-dns-config");
  CHECK(kube_dns_in_place.form == ConfigForm::KubeDns);
  REQUIRE(kube_dns_in_place.flags.size() == 2);
  CHECK(kube_dns_in_place.flags[0].key == "clusterDomain");
  CHECK(kube_dns_in_place.flags[1].values[0].text == "0.0.0.0:10053");
  const auto verbose = origin({"-v", "4"});
  REQUIRE(verbose.flags.size() == 1);
  CHECK(verbose.flags[0].values[0].text == "debug");
  const auto told = origin({"-v=9", "--log-level", "warn"});
  REQUIRE(told.flags.size() == 1);
  CHECK(told.flags[0].values[0].text == "warn");
  CHECK(refusal({"-v", "much"}) == "-v: found 'much', expected a whole number\n");
  CHECK(refusal({"--logtostderr=false"}) ==
        "--logtostderr: a flag of kube-dns, not offered here: the log is on stderr; leave it "
        "out\n");
  CHECK(refusal({"--config-dir", "/d", "-conf", "/c"}) ==
        "-config-dir: found together with --config or -conf, expected one of them\n");

  CHECK(refusal({"-pidfile", "/x"}) ==
        "-pidfile: a flag of CoreDNS, not offered here: who starts the program knows its "
        "process\n");
  CHECK(refusal({"--profiling", "-localip=169.254.20.10"}) ==
        "--profiling: a flag of kube-dns, not offered here: use perf(1)\n"
        "-localip: a flag of node-cache, not offered here: waypost-node --dns=true answers on "
        "addresses of the node's own\n");
  CHECK(refusal({"-conf", "/c", "--config", "/d"}) ==
        "-conf: found together with --config, expected one of them\n");
  CHECK(refusal({"-conf", "/c", "-conf", "/d"}) == "-conf: found 2 values, expected one\n");
  CHECK(refusal({"-p", "1", "-dns.port=2", "--dns-port=3"}) ==
        "-dns.port: found 3 values, expected one\n");
  CHECK(refusal({"--config", "/c", "--config=/d"}) == "--config: found 2 values, expected one\n");
  CHECK(refusal({"-conf"}) == "--conf: found no value, expected one\n");
  CHECK(refusal({"-dns.port", "x"}) ==
        "-dns.port: found 'x', expected a port number up to 65535\n");
  CHECK(refusal({"-dns.port", "1", "--listen", "127.0.0.1:0"}) ==
        "-dns.port: found together with --listen or --config, expected the port there\n");
}

TEST_CASE("waypost-node names flags of node-cache and what to use instead") {
  const auto refusal = [](std::vector<const char*> arguments) {
    return problems_of(parse_node_command_line(arguments));
  };
  CHECK(refusal({"-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile", "-upstreamsvc",
                 "kube-dns-upstream", "--health-port=8080"}) ==
        "-localip: a flag of node-cache: use --dns=true, --dns-addresses for addresses such as "
        "169.254.20.10, and --dns-cluster-addresses for that of the Service kube-dns\n"
        "-conf: a flag of node-cache: use --dns-config; 'waypost convert-corefile' prints what the "
        "file has to say\n"
        "-upstreamsvc: a flag of node-cache: nobody is asked for the cluster's names; leave it "
        "out\n"
        "--health-port: a flag of node-cache: use --healthz-listen\n");
  CHECK(refusal({"-setupiptables", "--quux"}) ==
        "-setupiptables: a flag of node-cache: it is always done, verified, and undone; leave it "
        "out\n");
}

TEST_CASE("the folder of kube-dns' ConfigMap is a configuration") {
  const test::TemporaryFolder folder;
  folder.write("dir/..data/stubDomains", "not looked at");
  const auto file = folder.path() / "dir";
  const ConfigOrigin origin{.file = file, .form = ConfigForm::KubeDns};
  folder.write("dir/upstreamNameservers", "[\"10.0.0.2\"]\n");
  const auto alone = load_config(origin);
  REQUIRE(alone);
  CHECK(alone->config.forward.stub_domains.empty());
  CHECK(alone->config.records.ttl == 30);
  const ConfigText before = read_config_text(origin);
  CHECK(std::ranges::find(before.folders, file) != before.folders.end());
  folder.write("dir/stubDomains", "{\"acme.local\": [\"1.2.3.4\"]}");
  CHECK(read_config_text(origin) != before);
  const auto both = load_config(origin);
  REQUIRE(both);
  CHECK(both->config.forward.stub_domains.size() == 1);
  folder.write("dir/federations", "a=b");
  folder.write("dir/quux", "a");
  const auto refused = load_config(origin);
  REQUIRE_FALSE(refused);
  REQUIRE(refused.error().size() == 2);
  CHECK(refused.error()[0].message ==
        (file / "federations").string() +
            ": not offered here: federations are gone from Kubernetes; use stubDomains");
  CHECK(refused.error()[1].message ==
        (file / "quux").string() +
            ": found an unknown key, expected stubDomains or upstreamNameservers");
  CHECK_FALSE(load_config({.file = folder.path() / "none", .form = ConfigForm::KubeDns}));
}

TEST_CASE("-plugins lists what a Corefile may have") {
  const auto line = parse_dns_command_line(std::vector<const char*>{"-plugins"});
  REQUIRE(line);
  const std::string text = std::get<PrintText>(*line).text;
  CHECK(text.find("\nkubernetes\n") != std::string::npos);
  CHECK(text.find("\n  pods\n") != std::string::npos);
  CHECK(text.find("rewrite") != std::string::npos);
  CHECK(text.find("dns64") == std::string::npos);
}

TEST_CASE("docs/corefile.md says of every directive and flag what the program does") {
  const std::string page = *read_file(Root / "docs/corefile.md");
  std::string directives_expected;
  std::set<std::string> names;
  for (const Directive& directive : directives()) {
    std::string row = "| `" + std::string(directive.name);
    row += directive.option.empty() ? "` | " : " " + std::string(directive.option) + "` | ";
    CHECK_MESSAGE(names.insert(row).second, "twice in the table: ", row);
    row += directive.fate == Fate::Mapped    ? ""
           : directive.fate == Fate::BuiltIn ? "Built in. "
                                             : "Refused: ";
    row += std::string(directive.text) + (directive.fate == Fate::Refused ? ". |\n" : " |\n");
    directives_expected += row;
  }
  CHECK_MESSAGE(page.find("| directive | what becomes of it |\n|---|---|\n" + directives_expected +
                          "\n") != std::string::npos,
                "docs/corefile.md lacks exactly these rows:\n", directives_expected);
  std::string flags_expected;
  for (const PeerFlag& flag : peer_flags()) {
    flags_expected += "| `-" + std::string(flag.flag) + "` | " + std::string(flag.program) + " | ";
    flags_expected +=
        flag.own.empty()
            ? "Refused: " + std::string(flag.text) + "." +
                  (flag.always.empty() ? "" : " `=" + std::string(flag.always) + "` is accepted.")
            : std::string(flag.text);
    flags_expected += " |\n";
  }
  CHECK_MESSAGE(page.find("| flag | of | what becomes of it |\n|---|---|---|\n" + flags_expected +
                          "\n") != std::string::npos,
                "docs/corefile.md lacks exactly these rows:\n", flags_expected);
}

}  // namespace waypost::ops
