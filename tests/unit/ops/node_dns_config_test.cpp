#include "ops/node_dns_config.h"

#include "ops/flags.h"
#include "ops/node_config.h"
#include "support/temporary_folder.h"
#include "unit/ops/problem_text.h"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

namespace waypost::ops {
namespace {

std::expected<NodeConfig, std::string> load(std::vector<const char*> arguments) {
  arguments.push_back("--manifests=/");
  const auto line = parse_node_command_line(arguments);
  if (!line) {
    return std::unexpected(text_of(line.error()));
  }
  auto config = load_node_config({}, std::get<ConfigOrigin>(*line).flags);
  if (!config) {
    return std::unexpected(text_of(config.error()));
  }
  return std::move(*config);
}

std::string problems(std::vector<const char*> arguments) {
  const auto config = load(std::move(arguments));
  return config ? "" : config.error();
}

std::vector<std::string> texts(const std::vector<IpAddress>& addresses) {
  std::vector<std::string> out;
  for (const IpAddress& address : addresses) {
    out.push_back(address.to_text());
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("DNS on the node is off unless asked for") {
  const auto config = load({});
  REQUIRE(config);
  CHECK_FALSE(config->dns.is_on);
  CHECK(config->programs_services);
  CHECK(problems({"--dns-cluster-addresses=10.96.0.10"}) ==
        "dns: found its addresses or its file, expected --dns\n");
  CHECK(problems({"--dns-addresses=none"}) ==
        "dns: found its addresses or its file, expected --dns\n");
  CHECK(problems({"--proxy=false"}) ==
        "proxy: found false without --dns, expected something to do\n");
}

TEST_CASE("it has addresses of its own, those of the cluster's DNS, or both") {
  auto config = load({"--dns=true"});
  REQUIRE(config);
  CHECK(texts(config->dns.local_addresses) == Texts{"169.254.20.10", "fd00:169:254:20::10"});
  CHECK(config->dns.cluster_addresses.empty());
  CHECK(config->dns.interface == "waypost-dns");

  config = load({"--dns=true", "--dns-addresses=169.254.25.10", "--dns-interface=dns0",
                 "--dns-cluster-addresses=10.96.0.10,fd00:10:96::a"});
  REQUIRE(config);
  CHECK(texts(config->dns.local_addresses) == Texts{"169.254.25.10"});
  CHECK(texts(config->dns.cluster_addresses) == Texts{"10.96.0.10", "fd00:10:96::a"});
  CHECK(config->dns.interface == "dns0");

  config = load({"--dns=true", "--dns-addresses=none", "--dns-cluster-addresses=10.96.0.10"});
  REQUIRE(config);
  CHECK(config->dns.local_addresses.empty());

  CHECK(problems({"--dns=true", "--dns-addresses=none"}) ==
        "dns-addresses: found none and no --dns-cluster-addresses, expected an address\n");
  CHECK(problems({"--dns=true", "--dns-addresses=10.0.0.1,10.0.0.2"})
            .starts_with("--dns-addresses: found '10.0.0.2' (it is the second of its family)"));
  CHECK(problems({"--dns=true", "--dns-addresses=127.0.0.1"})
            .starts_with("--dns-addresses: found '127.0.0.1' (it is no address that Pods can"));
  CHECK(problems({"--dns=true", "--dns-addresses=none,10.0.0.1"})
            .starts_with("--dns-addresses: found '10.0.0.1' ('none' stands for itself"));
  CHECK(problems({"--dns=true", "--dns-addresses=10.0.0.1,none"})
            .starts_with("--dns-addresses: found 'none' (it stands for itself"));
  CHECK(problems({"--dns=true", "--dns-addresses=10.0.0.1", "--dns-cluster-addresses=10.0.0.1"}) ==
        "dns-cluster-addresses: found 10.0.0.1, which is one of --dns-addresses\n");
  CHECK(problems({"--dns=true", "--dns-interface=a-name-that-is-too-long"})
            .starts_with("--dns-interface: found 'a-name-that-is-too-long', expected the name"));
}

TEST_CASE("a node answers with one thread and asks who its resolv.conf names") {
  const auto config = load({"--dns=true"});
  REQUIRE(config);
  CHECK(config->dns.answers.server.workers == 1);
  REQUIRE(config->dns.answers.forward.resolv_confs.size() == 1);
  CHECK(config->dns.answers.forward.resolv_confs.front() == "/etc/resolv.conf");
  CHECK(config->dns.answers.records.zone.to_text() == "cluster.local.");
}

TEST_CASE("names of Pods are completed where the file says so") {
  const test::TemporaryFolder folder;
  const std::string flag = "--dns-config=" + (folder.path() / "dns.yaml").string();
  const auto completion = [&](const char* text) {
    folder.write("dns.yaml", text);
    const auto config = load({"--dns=true", flag.c_str()});
    REQUIRE(config);
    return config->dns.answers.completion;
  };
  CHECK_FALSE(completion("ttl: 5\n").is_on);
  CHECK(completion("searchCompletion: true\n").is_on);
  CHECK(completion("searchCompletion: true\n").resolv_conf == "/etc/resolv.conf");
  CHECK(completion("searchCompletion: true\nsearchResolvConf: host.conf\n").resolv_conf ==
        folder.path() / "host.conf");
  CHECK(completion("searchCompletion: true\nsearchDomains: [a.example]\n").domains ==
        Texts{"a.example"});
  folder.write("dns.yaml", "searchDomains: [a.example]\n");
  CHECK(problems({"--dns=true", flag.c_str()}).find("found without searchCompletion: true") !=
        std::string::npos);
}

TEST_CASE("a file says how a node answers, in the words of waypost-dns") {
  const test::TemporaryFolder folder;
  folder.write("dns.yaml",
               "clusterDomain: k8s.example\nttl: 30\nworkers: 2\nforward: [10.0.0.53]\n");
  const std::string flag = "--dns-config=" + (folder.path() / "dns.yaml").string();
  auto config = load({"--dns=true", flag.c_str()});
  REQUIRE(config);
  CHECK(config->dns.answers.records.zone.to_text() == "k8s.example.");
  CHECK(config->dns.answers.records.ttl == 30);
  CHECK(config->dns.answers.server.workers == 2);
  CHECK(config->dns.answers.forward.resolv_confs.empty());
  CHECK(config->dns.answers.forward.upstreams.size() == 1);

  folder.write("dns.yaml", "listen: [0.0.0.0:53]\npods: verified\nttl: 99999\nfoo: 1\n");
  const std::string told = problems({"--dns=true", flag.c_str()});
  CHECK(told.find(
            "dns.yaml:1: listen: not for a node: --dns-addresses and --dns-cluster-addresses") !=
        std::string::npos);
  CHECK(told.find("dns.yaml:2: pods: found 'verified', expected disabled or insecure") !=
        std::string::npos);
  CHECK(told.find("dns.yaml:3: ttl: found '99999'") != std::string::npos);
  CHECK(told.find("dns.yaml:4: foo: found an unknown key") != std::string::npos);

  folder.write("dns.yaml", "searchCompletion: true\nsearchNode: a\n");
  CHECK(problems({"--dns=true", flag.c_str()})
            .find("dns.yaml:2: searchNode: not for a node: --node-name says whose Pods") !=
        std::string::npos);
  folder.write("dns.yaml", "takeoverSocket: /run/waypost\n");
  CHECK(
      problems({"--dns=true", flag.c_str()}).find("dns.yaml:1: takeoverSocket: not for a node: ") !=
      std::string::npos);

  CHECK(problems({"--dns=true", "--dns-config=/nowhere/dns.yaml"}).find("/nowhere/dns.yaml") !=
        std::string::npos);
}

}  // namespace waypost::ops
