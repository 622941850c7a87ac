#include "node/pod_manifest.h"

#include <doctest/doctest.h>

namespace waypost::node {
namespace {

ManifestPod expect_pod(const std::string& text) {
  CAPTURE(text);
  auto pod = read_pod(text);
  if (!pod) {
    FAIL(pod.error().message);
  }
  return std::move(*pod);
}

void expect_refused(const std::string& text, const std::string& message) {
  CAPTURE(text);
  const auto pod = read_pod(text);
  REQUIRE_FALSE(pod);
  CHECK(pod.error().message == message);
}

// A Pod with this spec, in flow style.
std::string pod_with(const std::string& spec) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec:\n  " + spec +
         "\n";
}

const std::string Spec = "{dnsPolicy: Default, hostNetwork: true}";

}  // namespace

TEST_CASE("a Pod is found wherever an object keeps one") {
  const struct {
    const char* version;
    const char* kind;
    std::string spec;
  } cases[] = {
      {"v1", "Pod", "spec: " + Spec},
      {"v1", "PodTemplate", "template: {spec: " + Spec + "}"},
      {"v1", "ReplicationController", "spec: {template: {spec: " + Spec + "}}"},
      {"apps/v1", "ReplicaSet", "spec: {template: {spec: " + Spec + "}}"},
      {"apps/v1", "Deployment", "spec: {template: {spec: " + Spec + "}}"},
      {"apps/v1", "StatefulSet", "spec: {template: {spec: " + Spec + "}}"},
      {"apps/v1", "DaemonSet", "spec: {template: {spec: " + Spec + "}}"},
      {"batch/v1", "Job", "spec: {template: {spec: " + Spec + "}}"},
      {"batch/v1", "CronJob", "spec: {jobTemplate: {spec: {template: {spec: " + Spec + "}}}}"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.kind);
    const std::string object = "apiVersion: " + std::string(one.version) +
                               "\nkind: " + std::string(one.kind) +
                               "\nmetadata: {name: web, namespace: shop}\n" + one.spec + "\n";
    const ManifestPod pod = expect_pod(object);
    CHECK(pod.what == std::string(one.kind) + " shop/web");
    CHECK(pod.dns == PodDns{"shop", DnsPolicy::Default, true, {}});
    // Between others, and in a list.
    CHECK(expect_pod("kind: Service\napiVersion: v1\n---\n" + object + "---\n").what == pod.what);
  }
}

TEST_CASE("lists are looked into, also nested and typed ones") {
  const std::string pod = "{apiVersion: v1, kind: Pod, metadata: {name: web}}";
  CHECK(expect_pod("apiVersion: v1\nkind: List\nitems: [{kind: Service}, " + pod + "]").what ==
        "Pod web");
  CHECK(
      expect_pod("kind: List\napiVersion: v1\nitems: [{kind: List, items: [" + pod + "]}]").what ==
      "Pod web");
  CHECK(expect_pod("apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: web}}]")
            .what == "Deployment web");
}

TEST_CASE("a kind of another group keeps no Pod that is known") {
  expect_refused("apiVersion: batch.example.org/v1\nkind: Job\nmetadata: {name: a}",
                 "found no Pod and nothing with a template of one, expected one");
  expect_refused("apiVersion: apps/v1\nkind: Pod",
                 "found no Pod and nothing with a template of one, expected one");
}

TEST_CASE("one Pod is expected") {
  expect_refused("", "found no Pod and nothing with a template of one, expected one");
  expect_refused("[]", "found no Pod and nothing with a template of one, expected one");
  expect_refused(pod_with("{}") + "---\napiVersion: apps/v1\nkind: Deployment\n",
                 "found several: Pod shop/web, Deployment without a name; expected one");
  expect_refused("a: [", "line 1, column 5: not YAML: end of sequence flow not found");
}

TEST_CASE("what is not said has the API server's defaults") {
  const ManifestPod pod = expect_pod("apiVersion: v1\nkind: Pod");
  CHECK(pod.what == "Pod without a name");
  CHECK(pod.dns == PodDns{"", DnsPolicy::ClusterFirst, false, {}});
  CHECK_FALSE(expect_pod(pod_with("{dnsConfig: null}")).dns.config);
  CHECK(expect_pod(pod_with("{dnsConfig: {}}")).dns.config == DnsConfig());
}

TEST_CASE("a dnsConfig is read with its lists and its options") {
  const auto dns =
      expect_pod(pod_with("{dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1, '::1'], "
                          "searches: [a.b, ., _c], options: [{name: ndots, value: "
                          "\"2\"}, {name: debug}, {name: ndots, value: \"3\"}, {name: "
                          "empty, value: \"\"}]}}"))
          .dns;
  CHECK(dns.policy == DnsPolicy::None);
  CHECK(dns.config ==
        DnsConfig{{"1.1.1.1", "::1"}, {"a.b", ".", "_c"}, {"ndots:3", "debug", "empty"}});
}

TEST_CASE("what the API server would refuse is refused with line, object and field") {
  const struct {
    std::string spec;
    std::string message;
  } cases[] = {
      {"{dnsPolicy: None}",
       "spec: dnsConfig.nameservers: found none, expected at least one with dnsPolicy None"},
      {"{dnsPolicy: Cluster}",
       "spec.dnsPolicy: 'Cluster' is not ClusterFirst, "
       "ClusterFirstWithHostNet, Default or None"},
      {"{hostNetwork: 'yes'}", "spec.hostNetwork: 'yes' is not true or false"},
      {"{dnsConfig: []}", "spec.dnsConfig: a sequence is not a mapping"},
      {"{dnsConfig: {nameservers: [a]}}",
       "spec.dnsConfig.nameservers[0]: 'a' is not an IP address"},
      {"{dnsConfig: {nameservers: ['']}}",
       "spec.dnsConfig.nameservers[0]: '' is not an IP address"},
      {"{dnsConfig: {searches: [a, b c]}}",
       "spec.dnsConfig.searches[1]: 'b c' is not " + std::string(SearchDomainRule)},
      {"{dnsConfig: {options: [{value: \"2\"}]}}",
       "spec.dnsConfig.options[0].name: is missing; expected " + std::string(OptionPartRule)},
      {"{dnsConfig: {options: [{name: ndots, value: 2}]}}",
       "spec.dnsConfig.options[0].value: the number '2' is not a string; put it in quotes"},
      {"{dnsConfig: {options: [{name: ndots, value: \"2\\nnameserver 6.6.6.6\"}]}}",
       "spec.dnsConfig.options[0].value: '2\nnameserver 6.6.6.6' is not " +
           std::string(OptionPartRule)},
  };
  for (const auto& one : cases) {
    expect_refused(pod_with(one.spec), "line 5: Pod shop/web: " + one.message);
  }
}

}  // namespace waypost::node
