#include "node/injection.h"

#include "kube/yaml_tree.h"
#include "node/pod_manifest.h"
#include "node/yaml_text.h"

#include <doctest/doctest.h>

namespace waypost::node {
namespace {

InjectOptions dns_options() {
  InjectOptions options;
  options.dns = NodeDns{.cluster_dns = {*IpAddress::from_text("169.254.20.10")},
                        .cluster_domain = "cluster.local",
                        .host = ResolverFile{{}, {"corp.example"}, {}}};
  return options;
}

InjectOptions env_options() {
  InjectOptions options;
  options.environment = [](const std::string& name_space,
                           bool links) -> Result<std::vector<Variable>> {
    return std::vector<Variable>{{"A_SERVICE_HOST", "10.96.0.7"},
                                 {"NAMESPACE_IS", name_space + (links ? "" : " without links")},
                                 {"1ST_SERVICE_HOST", "10.96.0.8"}};
  };
  return options;
}

Injection expect_injected(const std::string& text, const InjectOptions& options) {
  CAPTURE(text);
  auto injected = inject(text, options);
  if (!injected) {
    FAIL(injected.error().message);
  }
  // Again: nothing changes any more.
  const auto again = inject(injected->text, options);
  REQUIRE(again);
  CHECK(again->text == injected->text);
  CHECK(again->changed == 0);
  return std::move(*injected);
}

void expect_unchanged(const std::string& text, const InjectOptions& options) {
  const Injection injected = expect_injected(text, options);
  CHECK(injected.text == text);
  CHECK(injected.changed == 0);
}

// The same tree, spelled out so that it can be compared.
std::string spelled(const kube::TreeNode& node) {
  std::string text = std::to_string(static_cast<int>(node.type())) + "<";
  text += node.type() == kube::TreeType::Null ? "" : node.text();
  for (kube::TreeNode at = node.first_child(); at.type() != kube::TreeType::Absent;
       at = at.next_sibling()) {
    text += spelled(at) + ",";
  }
  return text + ">";
}

std::string tree_of(const std::string& text) {
  kube::YamlStream stream(text);
  kube::Tree tree;
  CAPTURE(text);
  const auto next = stream.next(tree);
  if (!next) {
    FAIL(next.error().message);
  }
  REQUIRE(*next);
  return spelled(tree.root());
}

const std::string Pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n";

}  // namespace

TEST_CASE("a Pod gets dnsPolicy None and a dnsConfig that says what its kubelet would") {
  const Injection injected = expect_injected(
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  containers:\n"
      "  - name: web\n    image: web:1\n",
      dns_options());
  CHECK(injected.changed == 1);
  CHECK(injected.notes.empty());
  CHECK(
      injected.text ==
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  containers:\n"
      "  - name: web\n    image: web:1\n"
      "  dnsPolicy: None\n"
      "  dnsConfig:\n"
      "    nameservers:\n"
      "    - \"169.254.20.10\"\n"
      "    searches:\n"
      "    - shop.svc.cluster.local\n"
      "    - svc.cluster.local\n"
      "    - cluster.local\n"
      "    - corp.example\n"
      "    options:\n"
      "    - name: ndots\n"
      "      value: \"5\"\n");
}

TEST_CASE("the resolver file of an injected Pod is the one of the Pod before") {
  const NodeDns node = *dns_options().dns;
  for (const char* spec :
       {"{}", "{dnsPolicy: ClusterFirst}",
        "{dnsPolicy: ClusterFirstWithHostNet, hostNetwork: true}", "{dnsConfig: {}}",
        ("{dnsConfig: {nameservers: [1.1.1.1], searches: [a.b, svc.cluster.local], options: "
         "[{name: "
         "ndots, value: \"2\"}, {name: debug}, {name: timeout, value: \"\"}]}}"),
        "{dnsConfig: {nameservers: [1.1.1.1, 2.2.2.2, 3.3.3.3]}}"}) {
    const std::string text = Pod + "spec: " + spec + "\n";
    const Injection injected = expect_injected(text, dns_options());
    CHECK(injected.changed == 1);
    const auto before = read_pod(text);
    const auto after = read_pod(injected.text);
    REQUIRE(before);
    REQUIRE(after);
    CHECK(after->dns.policy == DnsPolicy::None);
    CHECK(resolver_of(after->dns, node).file == resolver_of(before->dns, node).file);
    CHECK(after->dns.host_network == before->dns.host_network);
  }
}

TEST_CASE("a Pod that does not resolve through the cluster stays, and a note says so") {
  for (const char* spec : {"{dnsPolicy: Default}", "{hostNetwork: true}",
                           "{dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1]}}"}) {
    CAPTURE(spec);
    const std::string text = Pod + "spec: " + spec + "\n";
    expect_unchanged(text, dns_options());
    const auto injected = inject(text, dns_options());
    REQUIRE(injected);
    REQUIRE(injected->notes.size() == 1);
    CHECK(injected->notes[0].starts_with("Pod shop/web: "));
  }
}

TEST_CASE("what is cut to the limits is told") {
  const auto injected = expect_injected(
      Pod + "spec: {dnsConfig: {nameservers: [1.1.1.1, 2.2.2.2, 3.3.3.3]}}\n", dns_options());
  REQUIRE(injected.notes.size() == 1);
  CHECK(injected.notes[0].starts_with("Pod shop/web: DNSConfigForming: "));
}

TEST_CASE("every kind with a template is changed there, in lists too") {
  const struct {
    const char* version;
    const char* kind;
    std::string before;
    std::string after;
  } cases[] = {
      {"apps/v1", "Deployment", "spec: {template: {spec: ", "}}"},
      {"apps/v1", "StatefulSet", "spec: {template: {spec: ", "}}"},
      {"apps/v1", "DaemonSet", "spec: {template: {spec: ", "}}"},
      {"apps/v1", "ReplicaSet", "spec: {template: {spec: ", "}}"},
      {"batch/v1", "Job", "spec: {template: {spec: ", "}}"},
      {"batch/v1", "CronJob", "spec: {jobTemplate: {spec: {template: {spec: ", "}}}}"},
      {"v1", "Pod", "spec: ", ""},
  };
  for (const auto& one : cases) {
    CAPTURE(one.kind);
    const std::string head = "apiVersion: " + std::string(one.version) +
                             ", kind: " + std::string(one.kind) +
                             ", metadata: {name: web, namespace: shop}, ";
    const std::string object = "{" + head + one.before + "{replicas: 1}" + one.after + "}\n";
    const auto injected = expect_injected(object, dns_options());
    CHECK(injected.changed == 1);
    const auto pod = read_pod(injected.text);
    REQUIRE(pod);
    CHECK(pod->dns.policy == DnsPolicy::None);
    const std::string inner = object.substr(0, object.size() - 1);
    const auto listed = expect_injected(
        "{apiVersion: v1, kind: List, items: [{kind: Service, apiVersion: v1}, " + inner + "]}\n",
        dns_options());
    CHECK(listed.changed == 1);
    CHECK(read_pod(listed.text)->dns == pod->dns);
  }
}

TEST_CASE("documents without a Pod stay octet by octet, comments in front of a changed one too") {
  const std::string before =
      "# A license.\n\n---\n# odd   spacing\nkind:   Service  # here\n"
      "apiVersion: v1\ndata: 'single'\n...\n";
  const std::string after =
      "---\n{kind: ConfigMap, apiVersion: v1, text: \"a\\n---b\"}\n--- # end\n";
  const auto injected = expect_injected(
      before + "---\n# The Pod.\n" + Pod + "spec: {} # lost\n" + after, dns_options());
  CHECK(injected.changed == 1);
  CHECK(injected.text.starts_with(before + "---\n# The Pod.\napiVersion: v1\n"));
  CHECK(injected.text.ends_with(after));
  CHECK(injected.text.find("lost") == std::string::npos);
  for (const char* text :
       {"", "\n", "# only\n", "---\n", "---\n---\n", "kind: Service", "[]\n",
        "%YAML 1.2\n---\nkind: Service\n", "kind: Service\r\n---\r\nkind: A\r\n"}) {
    expect_unchanged(text, dns_options());
  }
}

TEST_CASE("values of every kind survive being written again") {
  const std::string texts[] = {
      "a: {b: [], c: {}, d: [[1, 2], [{x: y, z: [q]}]], e: [[], {}]}\n",
      "a: [~, null, true, yes, 'yes', \"on\", 1, 1.5, 0x1f, '1', '', ' ', 'a ', ' a', 0o17, -1]\n",
      "a: ['a: b', 'a #b', 'a:', '- a', '?', '*a', '&a', '!a', '%a', '@a', '`a', '{a', '[a']\n",
      "a: ['>', '\"', ',a', '#a', '\\']\n",
      "a: ['~', 'null', '=', '<<', '---', '...', '.5', '1:30', '2001-01-01', '|', \"it's\"]\n",
      "'yes': 1\n'1': 2\n'': 3\n'a: b': 4\n\"x\\ny\": 5\n",
      "a: |\n  one\n   two\n\n  three\nb: |-\n  one\n  two\nc: |+\n  one\n\n\n",
      "a: \"\\n\"\nb: \" lead\\nx\"\nc: \"\\nx\"\nd: \"x\\ty\\r\\n\"\ne: \"\\x01\\e\"\n",
      "f: \"x \\ny\"\n",
      ("script: |\n  #!/bin/sh\n  # comment\n  echo \"$1: %\"\n  ---\n\nlist:\n- |\n  in a list\n  "
       "x\n- - |-\n"
       "    deep\n    y\n"),
      "a: &x {b: c}\nd: *x\ne: {<<: *x, f: g}\n",
      "a: \xc3\xa4\xe2\x82\xac\n",
      "\"scalar\"\n",
      "- 1\n- - 2\n- a: b\n  c: d\n",
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    kube::YamlStream stream(text);
    kube::Tree tree;
    REQUIRE(stream.next(tree));
    const std::string written = to_yaml(Value::from_tree(tree.root()));
    CAPTURE(written);
    CHECK(tree_of(written) == spelled(tree.root()));
  }
}

TEST_CASE("a text at the end of a document keeps its line ends") {
  const auto injected =
      expect_injected("---\n" + Pod + "spec: {}\nstatus:\n  text: |+\n    one\n\n", dns_options());
  CHECK(injected.text.ends_with("status:\n  text: \"one\\n\\n\"\n"));
}

TEST_CASE("containers get the variables that they have not got") {
  const auto injected = expect_injected(
      Pod +
          "spec:\n  enableServiceLinks: false\n  initContainers: [{name: i}]\n  containers:\n"
          "  - name: a\n    env: [{name: A_SERVICE_HOST, value: own}, {name: X, valueFrom: {}}]\n"
          "  - {name: b, envFrom: []}\n",
      env_options());
  CHECK(injected.changed == 1);
  CHECK(injected.text.find("  - name: i\n"
                           "    env:\n"
                           "    - name: A_SERVICE_HOST\n"
                           "      value: \"10.96.0.7\"\n"
                           "    - name: NAMESPACE_IS\n"
                           "      value: shop without links\n") != std::string::npos);
  CHECK(injected.text.find("  - name: a\n"
                           "    env:\n"
                           "    - name: A_SERVICE_HOST\n"
                           "      value: own\n"
                           "    - name: X\n"
                           "      valueFrom: {}\n"
                           "    - name: NAMESPACE_IS\n") != std::string::npos);
  CHECK(injected.text.find("1ST") == std::string::npos);
  CHECK(injected.text.find("dnsPolicy") == std::string::npos);
  REQUIRE(injected.notes.size() == 1);
  CHECK(injected.notes[0].starts_with("Pod shop/web: container b has envFrom; "));
}

TEST_CASE("what cannot be used fails with document, line, object and field") {
  const auto refused = [](const std::string& text) {
    const auto injected = inject(text, dns_options());
    return injected ? std::string("accepted") : injected.error().message;
  };
  CHECK(refused("kind: Service\n---\n" + Pod + "spec: {dnsPolicy: Any}\n") ==
        "document 2, which begins at line 2: line 5: Pod shop/web: dnsPolicy: 'Any' is not "
        "ClusterFirst, ClusterFirstWithHostNet, Default or None");
  CHECK(refused("apiVersion: v1\nkind: Pod\nspec: {}\n") ==
        "document 1, which begins at line 1: line 1: Pod without a name: found no namespace, "
        "expected one there or by --namespace");
  CHECK(refused("a: [\n") ==
        "document 1, which begins at line 1: line 2, column 1: not YAML: end of sequence flow not "
        "found");
  CHECK(refused(Pod + "spec: {}\n...\nkind: Service\n") ==
        "document 1, which begins at line 1: found something behind the end of the document, "
        "expected '---' before it");
  InjectOptions options = dns_options();
  options.name_space = "given";
  CHECK(inject("apiVersion: v1\nkind: Pod\nspec: {}\n", options)->text.find("given.svc.cluster") !=
        std::string::npos);
}

}  // namespace waypost::node
