#include "ops/config.h"

#include "ops/config_reader.h"
#include "ops/flags.h"
#include "ops/host.h"
#include "ops/option_table.h"
#include "support/temporary_folder.h"
#include "unit/ops/problem_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

namespace waypost::ops {
namespace {

// A folder with what the file's paths name: "manifests", "zones", "more-zones", "secret".
class ConfigCase {
 public:
  ConfigCase() {
    for (const char* name : {"manifests", "zones", "more-zones"}) {
      std::filesystem::create_directories(folder_.path() / name);
    }
    folder_.write("secret", "000102030405060708090a0b0c0d0e0f\n");
  }

  const std::filesystem::path& path() const { return folder_.path(); }

  // Loads `yaml` as waypost.yaml, with flags as they stand on a command line.
  std::expected<Config, Problems> load(std::string_view yaml, std::vector<std::string> flags = {}) {
    std::vector<const char*> arguments;
    for (const std::string& flag : flags) {
      arguments.push_back(flag.c_str());
    }
    const auto line = parse_dns_command_line(arguments);
    if (!line) {
      return std::unexpected(line.error());
    }
    REQUIRE(std::holds_alternative<ConfigOrigin>(*line));
    return load_config(folder_.write("waypost.yaml", yaml), std::get<ConfigOrigin>(*line).flags);
  }

  // The same; one problem a line, the folder's path left out.
  std::string problems(std::string_view yaml, std::vector<std::string> flags = {}) {
    std::string text = problems_of(load(yaml, std::move(flags)));
    const std::string prefix = path().string() + "/";
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }

 private:
  test::TemporaryFolder folder_;
};

std::string shown(const Config& config, std::string_view key) {
  for (const ShownValue& value : config.shown) {
    if (value.key == key) {
      return value.text;
    }
  }
  return "(no such key)";
}

}  // namespace

TEST_CASE("a file with only the manifests' folder gives the documented defaults") {
  ConfigCase test;
  const auto config = test.load("manifests: manifests\n");
  REQUIRE(config);
  CHECK(config->server.listen.size() == 2);
  CHECK(config->server.listen[0].to_text() == "0.0.0.0:53");
  CHECK(config->server.listen[1].to_text() == "[::]:53");
  CHECK(config->server.workers == usable_cores());
  CHECK(config->server.udp_buffer_size == 4194304U);
  CHECK(config->server.max_tcp_connections == 4096U);
  CHECK(config->server.max_tcp_pipeline == 64U);
  CHECK(config->server.tcp_idle_timeout == std::chrono::seconds(10));
  CHECK(config->server.tcp_write_timeout == std::chrono::seconds(5));
  CHECK(config->manifests.folder == test.path() / "manifests");
  CHECK(config->manifests.service_cidrs.size() == 2);
  CHECK(config->static_zones.empty());
  CHECK(config->built_in_zones);
  CHECK(config->records.zone.to_text() == "cluster.local.");
  CHECK(config->records.reverse_zones.size() == 2);
  CHECK(config->records.ttl == 5U);
  CHECK(config->records.negative_ttl == 5U);
  CHECK(config->records.pods == records::PodsMode::Disabled);
  CHECK(config->records.ptr == records::PtrMode::All);
  CHECK_FALSE(config->records.endpoint_pod_names);
  CHECK_FALSE(config->records.ignore_empty_services);
  CHECK(config->records.namespaces.empty());
  CHECK(config->policy.udp_size == 1232);
  CHECK(config->policy.cookies);
  CHECK(config->policy.nsid.empty());
  CHECK(config->policy.transfer_allow.empty());
  CHECK(config->log_level == "info");
}

TEST_CASE("every key of the file reaches the room that it is for") {
  ConfigCase test;
  const auto config = test.load(R"(
listen: ["127.0.0.1:0", "[::1]:1053"]
manifests: manifests
staticZones: [zones, more-zones]
builtInZones: false
clusterDomain: Cluster.Example.
reverseZones: [10.in-addr.arpa, "fd00::/8"]
fallthroughZones: [IP6.arpa]
pods: verified
ttl: 30
negativeTtl: 7
ptr: single
searchCompletion: true
searchDomains: [corp.example., b.example]
endpointPodNames: true
ignoreEmptyServices: true
namespaces: [shop, kube-system]
labels: tier=prod,!hidden
serviceCidrs: [172.20.0.0/16]
workers: 3
udpSize: 4096
cookies: false
cookieSecretFile: secret
nsid: node-1
chaosVersion: waypost
chaosId: a
transferAllow: [127.0.0.0/8, "::1"]
access: [block type ANY, filter net 10.0.0.0/8]
rateLimit: 20
rateLimitAction: drop
rateLimitExempt: [10.1.0.0/16]
rateLimitIpv4Prefix: 24
rateLimitIpv6Prefix: 64
rateLimitClients: 100
families: auto
receiveBuffer: 65536
maxTcpConnections: 10
maxTcpPipeline: 2
tcpIdleTimeout: 1m
tcpWriteTimeout: 250ms
logLevel: debug
)");
  if (!config) {
    FAIL(config.error().front().message);
  }
  CHECK(config->server.listen[1].to_text() == "[::1]:1053");
  CHECK(config->rules.access.size() == 2);
  CHECK(config->rules.access[1].access == policy::Access::Filter);
  CHECK(config->rules.limit == policy::RateLimit{.rate = 20,
                                                 .burst = 40,
                                                 .action = policy::LimitAction::Drop,
                                                 .prefix_v4 = 24,
                                                 .prefix_v6 = 64,
                                                 .clients = 100,
                                                 .exempt = {*IpPrefix::from_text("10.1.0.0/16")}});
  CHECK(shown(*config, "rateLimitBurst") == "40 (twice rateLimit)");
  CHECK(config->families == Families::Auto);
  CHECK(config->static_zones ==
        std::vector<std::filesystem::path>{test.path() / "zones", test.path() / "more-zones"});
  CHECK_FALSE(config->built_in_zones);
  CHECK(config->records.zone.to_text() == "cluster.example.");
  CHECK(config->records.reverse_zones[1].to_text() == "d.f.ip6.arpa.");
  REQUIRE(config->records.fallthrough_zones.size() == 1);
  CHECK(config->records.fallthrough_zones[0].to_text() == "ip6.arpa.");
  CHECK(config->records.is_served);
  CHECK(config->records.pods == records::PodsMode::Verified);
  CHECK(config->records.ttl == 30U);
  CHECK(config->records.negative_ttl == 7U);
  CHECK(config->records.ptr == records::PtrMode::Single);
  CHECK(config->completion.is_on);
  CHECK(config->completion.domains == std::vector<std::string>{"corp.example", "b.example"});
  CHECK(config->completion.resolv_conf == "/etc/resolv.conf");
  CHECK(config->records.endpoint_pod_names);
  CHECK(config->records.ignore_empty_services);
  CHECK(config->records.namespaces == std::vector<std::string>{"shop", "kube-system"});
  CHECK_FALSE(config->records.labels.empty());
  REQUIRE(config->manifests.service_cidrs.size() == 1);
  CHECK(config->manifests.service_cidrs[0].to_text() == "172.20.0.0/16");
  CHECK(config->server.workers == 3U);
  CHECK(config->policy.udp_size == 4096);
  CHECK_FALSE(config->policy.cookies);
  CHECK(config->policy.cookie_secret[15] == 15);
  CHECK(config->policy.nsid == "node-1");
  CHECK(config->policy.chaos_version == "waypost");
  CHECK(config->policy.chaos_id == "a");
  CHECK(config->policy.transfer_allow.size() == 2);
  CHECK(config->server.udp_buffer_size == 65536U);
  CHECK(config->server.max_tcp_connections == 10U);
  CHECK(config->server.max_tcp_pipeline == 2U);
  CHECK(config->server.tcp_idle_timeout == std::chrono::minutes(1));
  CHECK(config->server.tcp_write_timeout == std::chrono::milliseconds(250));
  CHECK(config->log_level == "debug");
  CHECK(config->shown.size() == options().size());
}

TEST_CASE("a problem names file, line, key, what was found and what was expected") {
  const std::string Seconds = "expected a whole number of seconds from 0 to 3600\n";
  // The file has a first line "manifests: manifests".
  for (const auto& [yaml, problems] : std::vector<std::pair<std::string, std::string>>{
           {"ttl: 3601", "waypost.yaml:2: ttl: found '3601', " + Seconds},
           {"ttl: -1", "waypost.yaml:2: ttl: found '-1', " + Seconds},
           {"ttl: 5s", "waypost.yaml:2: ttl: found '5s', " + Seconds},
           {"ttl: \"5\"", "waypost.yaml:2: ttl: found the text \"5\", " + Seconds},
           {"ttl:", "waypost.yaml:2: ttl: found nothing, " + Seconds},
           {"ttl: [5]", "waypost.yaml:2: ttl: found a list, " + Seconds},
           {"ttl: {a: 5}", "waypost.yaml:2: ttl: found a map, " + Seconds},
           {"negativeTtl: 3601", "waypost.yaml:2: negativeTtl: found '3601', " + Seconds},
           {"cookies: yes", "waypost.yaml:2: cookies: found 'yes', expected true or false\n"},
           {"udpSize: 511",
            "waypost.yaml:2: udpSize: found '511', expected a whole number of octets from 512 to "
            "4096\n"},
           {"udpSize: 65536",
            "waypost.yaml:2: udpSize: found '65536', expected a whole number of octets from 512 to "
            "4096\n"},
           {"workers: 0",
            "waypost.yaml:2: workers: found '0', expected a whole number from 1 to 1024\n"},
           {"pods: on",
            "waypost.yaml:2: pods: found 'on', expected disabled, insecure or verified\n"},
           {"ptr: none", "waypost.yaml:2: ptr: found 'none', expected all or single\n"},
           {"logLevel: trace",
            "waypost.yaml:2: logLevel: found 'trace', expected debug, info, warn or error\n"},
           {"tcpIdleTimeout: 10",
            "waypost.yaml:2: tcpIdleTimeout: found '10', expected a duration from 10ms to 1h such "
            "as "
            "500ms or 10s\n"},
           {"tcpIdleTimeout: 61m",
            "waypost.yaml:2: tcpIdleTimeout: found '61m', expected a duration from 10ms to 1h such "
            "as 500ms or 10s\n"},
           {"namespaces: shop",
            "waypost.yaml:2: namespaces: found the single value 'shop', expected a list of "
            "Namespace "
            "names\n"},
           {"namespaces:\n- shop\n- Shop",
            "waypost.yaml:4: namespaces: found 'Shop', expected a list of Namespace names\n"},
           {"namespaces:\n- shop\n- shop",
            "waypost.yaml:4: namespaces: found 'shop' (it is given twice), expected a list of "
            "Namespace names\n"},
           {"listen: []", "waypost.yaml:2: listen: found no address, expected at least one\n"},
           {"listen: ['127.0.0.1:53', '127.0.0.1:53']",
            "waypost.yaml:2: listen: found the text \"127.0.0.1:53\" (it is given twice), expected "
            "a "
            "list of ADDRESS:PORT such as 127.0.0.1:53 or [::1]:53\n"},
           {"listen: [localhost]",
            "waypost.yaml:2: listen: found 'localhost', expected a list of ADDRESS:PORT such as "
            "127.0.0.1:53 or [::1]:53\n"},
           {"serviceCidrs: [10.0.0.0/16, 10.1.0.0/16]",
            "waypost.yaml:2: serviceCidrs: found '10.1.0.0/16' (10.0.0.0/16 is of the same "
            "family), "
            "expected a list of prefixes such as 10.96.0.0/12, at most one of each family\n"},
           {"staticZones: [absent]",
            "waypost.yaml:2: staticZones: found 'absent' (it does not exist), expected a list of "
            "folders of *.zone files\n"},
           {"staticZones: [secret]",
            "waypost.yaml:2: staticZones: found 'secret' (it is not a folder), expected a list of "
            "folders of *.zone files\n"},
           {"cookieSecretFile: waypost.yaml",
            "waypost.yaml:2: cookieSecretFile: found 'waypost.yaml' (its content is not 32 hex "
            "digits), expected a file that holds 32 hex digits\n"},
           {"clusterDomain: .",
            "waypost.yaml:2: clusterDomain: found '.' (the root cannot be the cluster's zone), "
            "expected a domain name such as cluster.local\n"},
           {"clusterDomain: a.10.in-addr.arpa",
            "waypost.yaml:2: clusterDomain: found a.10.in-addr.arpa., which overlaps the reverse "
            "zone in-addr.arpa., expected a domain outside of it\n"},
           {"reverseZones: [10.96.0.0/12, 100.10.in-addr.arpa]",
            "waypost.yaml:2: reverseZones: found '100.10.in-addr.arpa' (100.10.in-addr.arpa. "
            "overlaps 100.10.in-addr.arpa.), expected a list of names below in-addr.arpa or "
            "ip6.arpa, or of prefixes such as 10.96.0.0/12\n"},
           {"namespaces: [shop]\nnamespaceLabels: tier=prod",
            "waypost.yaml:3: namespaceLabels: found together with waypost.yaml:2: namespaces, "
            "expected only one of them\n"},
           {"searchCompletion: true\nsearchDomains: [a.example]\nsearchResolvConf: /a",
            "waypost.yaml:4: searchResolvConf: found together with waypost.yaml:3: searchDomains, "
            "expected only one of them\n"},
           {"searchDomains: [a.example]",
            "waypost.yaml:2: searchDomains: found without searchCompletion: true, expected them "
            "together\n"},
           {"searchCompletion: true\nsearchNode: a",
            "waypost.yaml:3: searchNode: found together with waypost.yaml:1: manifests, expected "
            "only one of them\n"},
           {"searchCompletion: true\nsearchDomains: [a..b]",
            "waypost.yaml:3: searchDomains: found 'a..b', expected a list of domain names such as "
            "corp.example\n"},
           {"stubDomains: [my.cluster.local=10.0.0.1, SVC.cluster.local=10.0.0.1]",
            "waypost.yaml:2: stubDomains: found 'SVC.cluster.local=10.0.0.1', which has the "
            "cluster's own names (clusterDomain), expected a zone outside of cluster.local. or "
            "within it, such as my.cluster.local.\n"},
           {"clusterDomain: a.example\nstubDomains:\n- pod.a.example=10.0.0.1\n- "
            "a.example=10.0.0.1",
            "waypost.yaml:4: stubDomains: found 'pod.a.example=10.0.0.1', which has the cluster's "
            "own names (clusterDomain), expected a zone outside of a.example. or within it, such "
            "as my.a.example.\n"
            "waypost.yaml:5: stubDomains: found 'a.example=10.0.0.1', which has the cluster's own "
            "names (clusterDomain), expected a zone outside of a.example. or within it, such as "
            "my.a.example.\n"},
           {"negativTtl: 5",
            "waypost.yaml:2: negativTtl: found an unknown key, expected perhaps 'negativeTtl'\n"},
           {"negative-ttl: 5",
            "waypost.yaml:2: negative-ttl: found an unknown key, expected perhaps 'negativeTtl'\n"},
           {"frobnicate: x",
            "waypost.yaml:2: frobnicate: found an unknown key, expected one that 'waypost-dns "
            "--help' "
            "lists\n"},
           {"ttl: 5\nttl: 6", "waypost.yaml:3: ttl: given twice, the first time in line 2\n"},
           {"[a]: 5", "waypost.yaml:2: found a key that is not text\n"},
           {"---\nttl: 5", "waypost.yaml:3: found a second YAML document, expected one\n"},
       }) {
    ConfigCase test;
    CAPTURE(yaml);
    CHECK(test.problems("manifests: manifests\n" + yaml + "\n") == problems);
  }
}

TEST_CASE("without a cluster of its own, a server may ask others for a cluster's names") {
  ConfigCase test;
  CHECK(test.problems("kubernetes: false\nstubDomains: [cluster.local=10.0.0.1]\n").empty());
}

TEST_CASE("what is not YAML, or not keys, is refused with its line") {
  ConfigCase test;
  CHECK(test.problems("ttl: 5\nlisten: [\n").starts_with("waypost.yaml:3: not YAML: "));
  CHECK(test.problems("ttl: 5\n\tpods: a\n").find("waypost.yaml:2: not YAML: ") !=
        std::string::npos);
  CHECK(test.problems("just words\n").find("waypost.yaml:1: found no keys") != std::string::npos);
  CHECK(test.problems("[ttl, 5]\n").find("waypost.yaml:1: found no keys") != std::string::npos);
}

TEST_CASE("all problems of a file are reported at once, in its order") {
  ConfigCase test;
  CHECK(test.problems("ttl: x\nnsidd: a\npods: y\n") ==
        "waypost.yaml:1: ttl: found 'x', expected a whole number of seconds from 0 to 3600\n"
        "waypost.yaml:2: nsidd: found an unknown key, expected perhaps 'nsid'\n"
        "waypost.yaml:3: pods: found 'y', expected disabled, insecure or verified\n");
}

TEST_CASE("every truncation of a valid file is either read or refused") {
  ConfigCase test;
  const std::string yaml =
      "manifests: manifests\nlisten: [\"127.0.0.1:53\", '[::1]:53']\nnamespaces:\n  - shop\nttl: "
      "30\n";
  for (std::size_t size = 0; size <= yaml.size(); ++size) {
    CAPTURE(yaml.substr(0, size));
    const auto config = test.load(yaml.substr(0, size));
    CHECK((config || !config.error().empty()));
  }
}

TEST_CASE("a flag wins over the file and the file over the default") {
  ConfigCase test;
  const auto config = test.load("manifests: manifests\nttl: 30\nnamespaces: [a, b]\nnsid: x\n",
                                {"--ttl", "60", "--namespaces", "c", "--pods=insecure"});
  REQUIRE(config);
  CHECK(config->records.ttl == 60U);
  CHECK(config->records.namespaces == std::vector<std::string>{"c"});
  CHECK(config->policy.nsid == "x");
  CHECK(config->records.pods == records::PodsMode::Insecure);
  CHECK(config->policy.udp_size == 1232);
  CHECK(shown(*config, "ttl") == "60");
  CHECK(shown(*config, "namespaces") == "c");
  CHECK(shown(*config, "udpSize") == "1232");
}

TEST_CASE("a flag does not hide a mistake in the file") {
  ConfigCase test;
  CHECK(test.problems("manifests: manifests\nttl: x\n", {"--ttl", "60"}) ==
        "waypost.yaml:2: ttl: found 'x', expected a whole number of seconds from 0 to 3600\n");
}

TEST_CASE("the negative TTL defaults to the smaller of ttl and 5") {
  ConfigCase test;
  for (const auto& [ttl, negative] : {std::pair{"0", 0U}, {"3", 3U}, {"5", 5U}, {"30", 5U}}) {
    CAPTURE(ttl);
    const auto config = test.load("manifests: manifests\n", {"--ttl", ttl});
    REQUIRE(config);
    CHECK(config->records.negative_ttl == negative);
  }
}

TEST_CASE("what is shown is what is in force, also where the default depends on something") {
  ConfigCase test;
  const auto config =
      test.load("manifests: ./manifests/\nttl: 3\nnamespaces: []\nreverseZones: []\nnsid: ''\n");
  REQUIRE(config);
  CHECK(shown(*config, "manifests") == (test.path() / "manifests").string());
  CHECK(shown(*config, "negativeTtl") == "3 (the smaller of ttl and 5)");
  CHECK(shown(*config, "workers") ==
        std::to_string(usable_cores()) + " (the number of usable cores)");
  CHECK(shown(*config, "namespaces") == "all");
  CHECK(shown(*config, "reverseZones") == "none");
  CHECK(shown(*config, "nsid") == "none");
  CHECK(shown(*config, "listen") == "0.0.0.0:53, [::]:53");
}

TEST_CASE("lists on the command line: commas, repetition, and none at all") {
  ConfigCase test;
  for (const auto& flags : std::vector<std::vector<std::string>>{
           {"--listen", "127.0.0.1:1,[::1]:2"},
           {"--listen", "127.0.0.1:1", "--listen", "[::1]:2"},
           {"--listen=127.0.0.1:1, [::1]:2"},
       }) {
    const auto config = test.load("manifests: manifests\n", flags);
    CAPTURE(flags.front());
    REQUIRE(config);
    REQUIRE(config->server.listen.size() == 2);
    CHECK(config->server.listen[1].to_text() == "[::1]:2");
  }
  const auto none = test.load("manifests: manifests\nstaticZones: [zones]\n",
                              {"--static-zones", "", "--reverse-zones="});
  const std::string problem = none ? "" : none.error().front().message;
  REQUIRE(problem == "");
  CHECK(none->static_zones.empty());
  CHECK(none->records.reverse_zones.empty());
  const auto selector = test.load("manifests: manifests\n", {"--labels", "a=b,!c"});
  REQUIRE(selector);
  CHECK(shown(*selector, "labels") == "a=b,!c");
}

TEST_CASE("a boolean flag without value means true") {
  ConfigCase test;
  for (const auto& [flags, value] : std::vector<std::pair<std::vector<std::string>, bool>>{
           {{"--endpoint-pod-names"}, true},
           {{"--endpoint-pod-names", "--ttl", "5"}, true},
           {{"--endpoint-pod-names=true"}, true},
           {{"--endpoint-pod-names", "true"}, true},
           {{"--endpoint-pod-names=false"}, false},
           {{"--endpoint-pod-names", "false"}, false},
       }) {
    CAPTURE(flags.back());
    const auto config = test.load("manifests: manifests\n", flags);
    REQUIRE(config);
    CHECK(config->records.endpoint_pod_names == value);
  }
}

TEST_CASE("problems on the command line name the flag") {
  struct Case {
    std::vector<std::string> flags;
    const char* problems;
  };
  ConfigCase test;
  for (const Case& c : std::vector<Case>{
           {{"--ttl", "x"},
            "--ttl: found 'x', expected a whole number of seconds from 0 to 3600\n"},
           {{"--ttl"}, "--ttl: found no value, expected one\n"},
           {{"--ttl", "1", "--ttl", "2"}, "--ttl: found 2 values, expected one\n"},
           {{"--cookies=on"}, "--cookies: found 'on', expected true or false\n"},
           {{"--negativ-ttl", "5"},
            "--negativ-ttl: found an unknown flag, expected perhaps '--negative-ttl'\n"},
           {{"--negativeTtl=5"},
            "--negativeTtl: found an unknown flag, expected perhaps '--negative-ttl'\n"},
           {{"--frobnicate"},
            "--frobnicate: found an unknown flag, expected one that 'waypost-dns --help' lists\n"},
           {{"serve"}, "found the argument 'serve', expected flags only\n"},
           {{"--namespaces", "a", "--namespace-labels", "b"},
            "--namespace-labels: found together with --namespaces, expected only one of them\n"},
           {{"--kubeconfig", "k"},
            "--kubeconfig: found together with waypost.yaml:1: manifests, expected only one of "
            "them\n"},
           {{"--snapshot", "/tmp/s"},
            "--snapshot: found together with waypost.yaml:1: manifests, expected only one of "
            "them\n"},
           {{"--max-data-age", "5s"},
            "--max-data-age: found '5s', expected a duration of at least 10s, or 0s for never\n"},
           {{"--manifests", "/nonexistent/folder"},
            "--manifests: found '/nonexistent/folder' (it does not exist), expected a folder of "
            "Kubernetes manifests\n"},
       }) {
    CAPTURE(c.flags.front());
    CHECK(test.problems("manifests: manifests\n", c.flags) == c.problems);
  }
}

TEST_CASE("where objects come from is a folder, a kubeconfig, a URL, or the cluster around") {
  ConfigCase test;
  const auto cluster = test.load("ttl: 5\n");
  REQUIRE(cluster);
  CHECK_FALSE(cluster->is_from_manifests());
  CHECK(cluster->api.kubeconfig.empty());
  const auto file =
      test.load("kubeconfig: k\ncontext: c\napiServer: https://h:6443\n", {"--max-data-age", "2m"});
  REQUIRE(file);
  CHECK(file->api.kubeconfig == test.path() / "k");
  CHECK(file->api.context == "c");
  CHECK(file->api.server == "https://h:6443");
  CHECK(file->max_data_age == std::chrono::minutes(2));
  const auto saved = test.load("snapshot: world\n");
  REQUIRE(saved);
  CHECK(saved->snapshot == test.path() / "world");
  CHECK(test.problems("context: c\n") ==
        "waypost.yaml:1: context: found without a kubeconfig, expected them together\n");
  CHECK(test.problems("snapshot: no/such/folder\n").find("its folder does not exist") !=
        std::string::npos);
  CHECK(test.problems("apiServer: ftp://h\n").starts_with("waypost.yaml:1: apiServer: found "));
}

TEST_CASE("a file that is missing is a problem that names it") {
  const auto config = load_config("/nonexistent/waypost.yaml", {});
  REQUIRE_FALSE(config);
  REQUIRE(config.error().size() == 1);
  CHECK(config.error()[0].message.find("/nonexistent/waypost.yaml") != std::string::npos);
}

TEST_CASE("a change is live or waits for a restart, by name") {
  ConfigCase test;
  const auto before = test.load("manifests: manifests\n");
  const auto after =
      test.load("manifests: manifests\nttl: 9\nworkers: 7\nlisten: ['127.0.0.1:5']\n");
  REQUIRE((before && after));
  const ConfigChanges changes = compare(*before, *after);
  CHECK(changes.live == std::vector<std::string_view>{"ttl"});
  CHECK(changes.at_restart == std::vector<std::string_view>{"listen", "workers"});
  CHECK(compare(*after, *after).live.empty());
  CHECK(compare(*after, *after).at_restart.empty());
}

TEST_CASE("the tool takes the file and the server's flags") {
  const auto origin = parse_tool_command_line(
      std::vector<const char*>{"check-config", "a.yaml", "--ttl", "7", "--cookies"});
  REQUIRE(origin);
  REQUIRE(std::holds_alternative<ConfigOrigin>(*origin));
  CHECK(std::get<ConfigOrigin>(*origin).file == "a.yaml");
  REQUIRE(std::get<ConfigOrigin>(*origin).flags.size() == 2);
  CHECK(std::get<ConfigOrigin>(*origin).flags[0].key == "ttl");
  const auto node = parse_tool_command_line(std::vector<const char*>{
      "check-node-config", "--config", "a.yaml", "--proxy", "--logging-format", "json"});
  REQUIRE(node);
  REQUIRE(std::holds_alternative<NodeCheck>(*node));
  CHECK(std::get<NodeCheck>(*node).node.file == "a.yaml");
  REQUIRE(std::get<NodeCheck>(*node).node.flags.size() == 2);
  CHECK(std::get<NodeCheck>(*node).node.flags[1].key == "log-format");
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{},
                                             {"check-node-config", "a.yaml"},
                                             {"check-node-config", "--cleanup"},
                                             {"check-node-config", "--ttl", "5"},
                                             {"check-config"},
                                             {"check"},
                                             {"check-config", "a", "b"},
                                             {"check-config", "a", "--x"}}) {
    CAPTURE(arguments.size());
    CHECK_FALSE(parse_tool_command_line(arguments).has_value());
  }
}

}  // namespace waypost::ops
