#include "node/pod_dns.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace waypost::node {
namespace {

using Texts = std::vector<std::string>;

const DnsConfig NoConfig;

NodeDns node_with(const std::string& host_file) {
  return {.cluster_dns = {*IpAddress::from_text("10.0.0.10")},
          .cluster_domain = "kubernetes.io",
          .host = *parse_resolver_file(host_file)};
}

NodeDns plain_node() {
  return node_with("nameserver 8.8.8.8\nsearch host.domain\noptions rotate timeout:1\n");
}

NodeDns without_host_file(std::vector<kube::IpFamily> families) {
  NodeDns node = plain_node();
  node.host.reset();
  node.families = std::move(families);
  return node;
}

NodeDns without_cluster_dns(NodeDns node) {
  node.cluster_dns.clear();
  return node;
}

NodeDns without_domain() {
  NodeDns node = plain_node();
  node.cluster_domain.clear();
  return node;
}

// The reason of a warning is what stands in front of ':'.
Texts reasons(const Texts& warnings) {
  Texts found;
  for (const std::string& warning : warnings) {
    found.push_back(warning.substr(0, warning.find(':')));
  }
  return found;
}

struct PodCase {
  std::string what;
  DnsPolicy policy;
  bool host_network;
  std::optional<DnsConfig> config;
  NodeDns node;
  std::string file;
  Texts warnings = {};
};

Texts repeated(std::size_t count, const std::string& text) {
  return Texts(count, text);
}

// "d1", "d2", and so on.
Texts domains(std::size_t from, std::size_t to) {
  Texts names;
  for (std::size_t i = from; i <= to; ++i) {
    names.push_back("d" + std::to_string(i));
  }
  return names;
}

// Sixteen domains, 2048 octets with the blanks between them.
Texts domains_of_2048_octets() {
  Texts names = repeated(16, std::string(127, 'a'));
  names[0] = std::string(128, 'a');
  return names;
}

void expect_limits(const Texts& given, const Texts& kept) {
  ResolverFile file{.nameservers = {}, .searches = given, .options = {}};
  Texts warnings;
  fit_limits(file, warnings);
  CHECK(file.searches == kept);
  CHECK(reasons(warnings) == (given == kept ? Texts() : Texts{"DNSConfigForming"}));
}

}  // namespace

TEST_CASE("a Pod gets the file that its policy, its dnsConfig and its node lead to") {
  using enum DnsPolicy;
  const std::string cluster =
      "search shop.svc.kubernetes.io svc.kubernetes.io kubernetes.io "
      "host.domain\nnameserver 10.0.0.10\noptions ndots:5\n";
  const std::string host = "search host.domain\nnameserver 8.8.8.8\noptions rotate timeout:1\n";
  const DnsConfig config{{"10.0.0.11"}, {"my.domain"}, {"ndots:3", "debug", "timeout:1"}};
  const std::string own =
      "search my.domain\nnameserver 10.0.0.11\noptions ndots:3 debug timeout:1\n";
  const std::string cluster_and_own =
      "search shop.svc.kubernetes.io svc.kubernetes.io kubernetes.io host.domain my.domain\n"
      "nameserver 10.0.0.10\nnameserver 10.0.0.11\noptions ndots:3 debug timeout:1\n";
  const std::string host_and_own =
      "search host.domain my.domain\nnameserver 8.8.8.8\nnameserver 10.0.0.11\n"
      "options rotate timeout:1 ndots:3 debug\n";
  const Texts missing = {"MissingClusterDNS"};
  const auto v4 = kube::IpFamily::V4;
  const auto v6 = kube::IpFamily::V6;

  const PodCase cases[] = {
      // Policy and network decide where the file begins.
      {"ClusterFirst", ClusterFirst, false, {}, plain_node(), cluster},
      {"ClusterFirst, host network", ClusterFirst, true, {}, plain_node(), host},
      {"WithHostNet", ClusterFirstWithHostNet, false, {}, plain_node(), cluster},
      {"WithHostNet, host network", ClusterFirstWithHostNet, true, {}, plain_node(), cluster},
      {"Default", Default, false, {}, plain_node(), host},
      {"Default, host network", Default, true, {}, plain_node(), host},
      {"None", None, false, {}, plain_node(), ""},
      {"None, host network", None, true, {}, plain_node(), ""},

      // dnsConfig is merged into each.
      {"ClusterFirst + config", ClusterFirst, false, config, plain_node(), cluster_and_own},
      {"ClusterFirst + config, host network", ClusterFirst, true, config, plain_node(),
       host_and_own},
      {"WithHostNet + config", ClusterFirstWithHostNet, true, config, plain_node(),
       cluster_and_own},
      {"Default + config", Default, false, config, plain_node(), host_and_own},
      {"None + config", None, false, config, plain_node(), own},
      {"None + config, host network", None, true, config, plain_node(), own},
      {"None + empty config", None, false, NoConfig, plain_node(), ""},

      // Without clusterDNS.
      {"ClusterFirst, no clusterDNS",
       ClusterFirst,
       false,
       {},
       without_cluster_dns(plain_node()),
       host,
       missing},
      {"WithHostNet, no clusterDNS", ClusterFirstWithHostNet, true, config,
       without_cluster_dns(plain_node()), host_and_own, missing},
      {"ClusterFirst, host network, no clusterDNS",
       ClusterFirst,
       true,
       {},
       without_cluster_dns(plain_node()),
       host},
      {"Default, no clusterDNS", Default, false, {}, without_cluster_dns(plain_node()), host},
      {"None, no clusterDNS", None, false, config, without_cluster_dns(plain_node()), own},

      // Without a cluster domain only the host's search domains are there, as they are.
      {"no domain",
       ClusterFirst,
       false,
       {},
       without_domain(),
       "search host.domain\nnameserver 10.0.0.10\noptions ndots:5\n"},

      // Without a host's file.
      {"no host file, ClusterFirst",
       ClusterFirst,
       false,
       {},
       without_host_file({v4}),
       "search shop.svc.kubernetes.io svc.kubernetes.io kubernetes.io\nnameserver 10.0.0.10\n"
       "options ndots:5\n"},
      {"no host file, no addresses",
       Default,
       false,
       {},
       without_host_file({}),
       "search .\nnameserver 127.0.0.1\n"},
      {"no host file, IPv4",
       Default,
       false,
       {},
       without_host_file({v4}),
       "search .\nnameserver 127.0.0.1\n"},
      {"no host file, IPv6",
       ClusterFirst,
       true,
       {},
       without_host_file({v6}),
       "search .\nnameserver ::1\n"},
      {"no host file, both", Default, false, config, without_host_file({v6, v4}),
       "search . my.domain\nnameserver ::1\nnameserver 127.0.0.1\nnameserver 10.0.0.11\n"
       "options ndots:3 debug timeout:1\n"},
      {"no host file, no clusterDNS",
       ClusterFirst,
       false,
       {},
       without_cluster_dns(without_host_file({v4})),
       "search .\nnameserver 127.0.0.1\n",
       missing},

      // What is twice.
      {"a host that searches the cluster's domains",
       ClusterFirst,
       false,
       {},
       node_with("search kubernetes.io a svc.kubernetes.io a b"),
       "search shop.svc.kubernetes.io svc.kubernetes.io kubernetes.io a b\n"
       "nameserver 10.0.0.10\noptions ndots:5\n"},
      {"a host's repetitions stay without a dnsConfig",
       Default,
       false,
       {},
       node_with("nameserver 1.1.1.1\nnameserver 1.1.1.1\nsearch a a\noptions ndots:"),
       "search a a\nnameserver 1.1.1.1\nnameserver 1.1.1.1\noptions ndots:\n"},
      {"a dnsConfig, even an empty one, drops them", Default, false, NoConfig,
       node_with("nameserver 1.1.1.1\nnameserver 1.1.1.1\nsearch a a\noptions ndots:"),
       "search a\nnameserver 1.1.1.1\noptions ndots\n"},
      {"what is written in another way is not the same", Default, false,
       DnsConfig{{"0:0::1", "::1"}, {"a.", "a"}, {}}, node_with("nameserver ::1\nsearch a"),
       "search a a.\nnameserver ::1\nnameserver 0:0::1\n"},
      {"options of the Pod win by name", Default, false,
       DnsConfig{{}, {}, {"timeout", "rotate:2", "edns0"}}, plain_node(),
       "search host.domain\nnameserver 8.8.8.8\noptions rotate:2 timeout edns0\n"},

      // Limits hold for the merged file.
      {"four nameservers",
       Default,
       false,
       DnsConfig{{"2.2.2.2", "3.3.3.3", "4.4.4.4"}, {}, {}},
       node_with("nameserver 1.1.1.1"),
       "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n",
       {"DNSConfigForming"}},
      {"four of the host",
       Default,
       false,
       {},
       node_with("nameserver 1.1.1.1\nnameserver 1.1.1.1\nnameserver 1.1.1.1\nnameserver 2.2.2.2"),
       "nameserver 1.1.1.1\nnameserver 1.1.1.1\nnameserver 1.1.1.1\n",
       {"DNSConfigForming"}},
      {"the address of a node is written in its shortest form",
       ClusterFirst,
       false,
       {},
       {.cluster_dns = {*IpAddress::from_text("FD00:0::000A")}, .cluster_domain = "", .host = {}},
       "nameserver fd00::a\noptions ndots:5\n"},
  };
  for (const PodCase& one : cases) {
    CAPTURE(one.what);
    const PodDns pod{"shop", one.policy, one.host_network, one.config};
    const PodResolver got = resolver_of(pod, one.node);
    CHECK(to_text(got.file) == one.file);
    CHECK(reasons(got.warnings) == one.warnings);
  }
}

TEST_CASE("search domains are cut to their number, their length, and their length together") {
  expect_limits(domains(1, 3), domains(1, 3));
  expect_limits(domains(1, 32), domains(1, 32));
  expect_limits(domains(1, 33), domains(1, 32));
  expect_limits(domains(1, 60), domains(1, 32));

  const std::string longest(253, 'b');
  expect_limits({"a", longest, "c"}, {"a", longest, "c"});
  expect_limits({"a", longest + "b", "c"}, {"a", "c"});

  const Texts full = domains_of_2048_octets();
  expect_limits(full, full);
  Texts more = full;
  more.emplace_back("b");
  expect_limits(more, full);
  more.insert(more.end(), {"c", "d"});
  expect_limits(more, full);

  // In this order: a domain that is too long takes a place among the 32, and none in the length.
  Texts both = domains(1, 33);
  both[0] = longest + "b";
  expect_limits(both, domains(2, 32));
  Texts long_and_full = full;
  long_and_full.insert(long_and_full.begin(), std::string(300, 'z'));
  expect_limits(long_and_full, full);
}

TEST_CASE("a cut names what is left") {
  ResolverFile file{{"1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"}, domains(1, 33), {}};
  Texts warnings;
  fit_limits(file, warnings);
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].ends_with("are used: 1.1.1.1 2.2.2.2 3.3.3.3"));
  CHECK(warnings[1].ends_with(" d31 d32"));
}

TEST_CASE("the host's own file is looked at as the kubelet does at its start") {
  const auto warnings_for = [](const Texts& searches, const std::string& domain) {
    NodeDns node = plain_node();
    node.host->searches = searches;
    node.cluster_domain = domain;
    Texts found = resolver_of({"shop", DnsPolicy::None, false, {}}, node).warnings;
    return reasons(found);
  };
  const Texts said = {"CheckLimitsForResolvConf"};
  CHECK(warnings_for(domains(1, 29), "kubernetes.io").empty());
  CHECK(warnings_for(domains(1, 30), "kubernetes.io") == said);
  CHECK(warnings_for(domains(1, 32), "").empty());
  CHECK(warnings_for(domains(1, 33), "") == said);
  CHECK(warnings_for({std::string(253, 'a')}, "").empty());
  CHECK(warnings_for({std::string(254, 'a')}, "") == said);
  Texts full = domains_of_2048_octets();
  CHECK(warnings_for(full, "").empty());
  full.emplace_back("b");
  CHECK(warnings_for(full, "") == said);
}

TEST_CASE("what the API server refuses of a dnsConfig is refused") {
  const auto refused = [](DnsPolicy policy, const DnsConfig& config) {
    return why_refused(policy, config).value_or("admitted");
  };
  const DnsConfig one{{"1.1.1.1"}, {}, {}};
  CHECK(refused(DnsPolicy::None, one) == "admitted");
  CHECK(refused(DnsPolicy::ClusterFirst, {}) == "admitted");
  CHECK(refused(DnsPolicy::Default, {}) == "admitted");
  CHECK(refused(DnsPolicy::None, {}) ==
        "dnsConfig.nameservers: found none, expected at least one with dnsPolicy None");
  CHECK(refused(DnsPolicy::None, {{}, {"a"}, {"ndots:2"}}).find("found none") != std::string::npos);
  CHECK(refused(DnsPolicy::Default, {{"1.1.1.1", "2.2.2.2", "3.3.3.3"}, {}, {}}) == "admitted");
  CHECK(refused(DnsPolicy::Default, {{"1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"}, {}, {}}) ==
        "dnsConfig.nameservers: found 4, expected at most 3");
  CHECK(refused(DnsPolicy::Default, {{}, domains(1, 32), {}}) == "admitted");
  CHECK(refused(DnsPolicy::Default, {{}, domains(1, 33), {}}) ==
        "dnsConfig.searches: found 33, expected at most 32");
  Texts full = domains_of_2048_octets();
  CHECK(refused(DnsPolicy::Default, {{}, full, {}}) == "admitted");
  full.emplace_back("b");
  CHECK(refused(DnsPolicy::Default, {{}, full, {}}) ==
        "dnsConfig.searches: found 2050 characters together, expected at most 2048");
}

TEST_CASE("search domains are those that the API server admits") {
  for (const char* good : {"a", "a.b", "a.", ".", "_tcp.example.org", "a_b.c", "1.2", "a-b",
                           "xn--bcher-kva.example"}) {
    CAPTURE(good);
    CHECK(is_search_domain(good));
  }
  for (const char* bad : {"", "..", ".a", "a..b", "A.b", "a.b_", "-a", "a-", "__a", "_", "a b",
                          "a\nnameserver 6.6.6.6", "a/b", "*.a"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_search_domain(bad));
  }
  CHECK(is_search_domain(std::string(253, 'a')));
  CHECK(is_search_domain(std::string(253, 'a') + "."));
  CHECK_FALSE(is_search_domain(std::string(254, 'a')));
}

TEST_CASE("nothing in an option becomes another option or another line") {
  for (const char* good : {"ndots", "5", "ndots:5", "single-request-reopen", "a/b"}) {
    CAPTURE(good);
    CHECK(is_option_part(good));
  }
  for (const char* bad : {"", "a b", "5\nnameserver 6.6.6.6", "a\t", "\x7f", "#a", "\xc3\xa4"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_option_part(bad));
  }
}

TEST_CASE("policies are named as in the API, and nothing else is one") {
  for (const char* name : {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"}) {
    CAPTURE(name);
    const auto policy = policy_from_text(name);
    REQUIRE(policy);
    CHECK(to_text(*policy) == name);
  }
  CHECK_FALSE(policy_from_text("clusterFirst"));
  CHECK_FALSE(policy_from_text(""));
  CHECK_FALSE(policy_from_text("Cluster"));
}

}  // namespace waypost::node
