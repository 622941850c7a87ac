#include "kube/kubeconfig.h"

#include "kube/base64.h"
#include "support/temporary_folder.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace waypost::kube {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

// What no message may repeat.
const std::string Secret = "s3cr3t";

// One context, whose cluster and user have these fields.  The cluster's begin in line 8, the
// user's in the line behind the cluster's and two others.
std::string config(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n"
         "- {name: here, context: {cluster: c, user: u}}\nclusters:\n- name: c\n  cluster: " +
         cluster + "\nusers:\n- name: u\n  user: " + user + "\n";
}
std::string cluster(const std::string& more) {
  return config("{server: https://a, " + more + "}", "{}");
}
std::string user(const std::string& fields) {
  return config("{server: https://a}", fields);
}

Result<ApiAccess> parse(const std::string& text, std::string_view context = "") {
  return parse_kubeconfig(text, "/home/k/config", context);
}

ApiAccess parsed(const std::string& text, std::string_view context = "") {
  auto access = parse(text, context);
  if (!access) {
    FAIL(access.error().message);
  }
  return std::move(*access);
}

}  // namespace

TEST_CASE("the fields of a kubeconfig become an access") {
  const ApiAccess access = parsed(
      config("{server: 'https://10.0.0.1:6443/k8s', certificate-authority-data: Q0E=, "
             "tls-server-name: kubernetes, disable-compression: true}",
             "{client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: " + Secret + "}"));
  CHECK(access.endpoint.to_text() == "https://10.0.0.1:6443");
  CHECK(access.endpoint.prefix == "/k8s");
  CHECK(access.certificate_authority.text == "CA");
  CHECK(access.tls_server_name == "kubernetes");
  CHECK(!access.insecure_skip_tls_verify);
  CHECK(!access.accepts_gzip);
  CHECK(access.client_certificate.text == "CERT");
  CHECK(access.client_key.text == "KEY");
  CHECK(access.token.text == Secret);
  CHECK(access.origin == "kubeconfig /home/k/config, context 'here'");
  CHECK(!access.exec);

  const ApiAccess other = parsed(cluster("insecure-skip-tls-verify: true"));
  CHECK(other.insecure_skip_tls_verify);
  CHECK(other.accepts_gzip);
  CHECK(!other.token.is_given());
  const ApiAccess named = parsed(user("{username: admin, password: " + Secret + "}"));
  CHECK(named.username == "admin");
  CHECK(named.password == Secret);
}

TEST_CASE("files are relative to the kubeconfig's folder") {
  const ApiAccess access =
      parsed(config("{server: https://a, certificate-authority: pki/ca.crt}",
                    "{client-certificate: c.crt, client-key: /etc/c.key, tokenFile: ../token}"));
  CHECK(access.certificate_authority.file == "/home/k/pki/ca.crt");
  CHECK(access.client_certificate.file == "/home/k/c.crt");
  CHECK(access.client_key.file == "/etc/c.key");
  CHECK(access.token.file == "/home/k/../token");
}

TEST_CASE("a context is chosen by its name, otherwise by the file") {
  const std::string text =
      "contexts:\n- {name: a, context: {cluster: a, user: a}}\n"
      "- {name: b, context: {cluster: b, user: \"\"}}\ncurrent-context: a\n"
      "clusters:\n- {name: a, cluster: {server: 'https://a'}}\n"
      "- {name: b, cluster: {server: 'http://b:80'}}\n- {name: unused, cluster: {server: "
      "nonsense}}\n"
      "users:\n- {name: a, user: {token: t}}\n- {name: unused, user: {as: someone}}\n";
  CHECK(parsed(text).endpoint.host == "a");
  CHECK(parsed(text).token.text == "t");
  CHECK(parsed(text, "b").endpoint.host == "b");
  CHECK(!parsed(text, "b").token.is_given());
  CHECK(parsed(text, "a").endpoint.host == "a");
}

TEST_CASE("a kubeconfig may be JSON and has fields that nobody needs") {
  const ApiAccess access = parsed(
      R"({"contexts":[{"name":"here","context":{"cluster":"c","namespace":"n","extensions":[]}}],)"
      R"("preferences":{},"current-context":"here",)"
      R"("clusters":[{"name":"c","cluster":{"server":"https:\/\/a","proxy-url":""}}],"users":null})");
  CHECK(access.endpoint.host == "a");
}

TEST_CASE("a credential plugin is read with what it is told") {
  test::TemporaryFolder folder;
  folder.write("ca.crt", "CA");
  const std::string text = config(
      "\n    server: https://a:1\n    certificate-authority: ca.crt\n    tls-server-name: name\n"
      "    extensions:\n    - name: client.authentication.k8s.io/exec\n"
      "      extension: {audience: \"a\\\"b\\n\", number: 7, hex: 0x10, on: yes, list: [1.5, null, "
      "{}]}",
      "\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: bin/login\n"
      "      args: [--for, a]\n      env:\n      - {name: A, value: b}\n      - {name: C, value: "
      "''}\n"
      "      installHint: get it\n      interactiveMode: IfAvailable\n"
      "      provideClusterInfo: true");
  const auto access = parse_kubeconfig(text, folder.path() / "config", "");
  if (!access) {
    FAIL(access.error().message);
  }
  REQUIRE(access->exec);
  const ExecPlugin& plugin = *access->exec;
  CHECK(plugin.api_version == "client.authentication.k8s.io/v1");
  CHECK(plugin.command == (folder.path() / "bin/login").string());
  CHECK(plugin.arguments == std::vector<std::string>{"--for", "a"});
  CHECK(plugin.environment == Variables{{"A", "b"}, {"C", ""}});
  CHECK(plugin.install_hint == "get it");
  CHECK(plugin.exec_info ==
        R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{)"
        R"("cluster":{"server":"https://a:1","tls-server-name":"name",)"
        R"("certificate-authority-data":"Q0E=","config":{"audience":"a\"b\u000a","number":7,)"
        R"("hex":"0x10","on":true,"list":[1.5,null,{}]}},"interactive":false}})");

  const ApiAccess plain =
      parsed(user("{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: login}}"));
  CHECK(plain.exec->command == "login");
  CHECK(plain.exec->exec_info ==
        R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1",)"
        R"("spec":{"interactive":false}})");
}

TEST_CASE("a bad kubeconfig is refused with file, line, field and expectation, without secrets") {
  const std::string exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: c";
  struct Case {
    std::string text;
    std::string context;
    std::string message;  // Behind the file's name.
  };
  const auto of_cluster = [](const std::string& fields, const std::string& message) {
    return Case{cluster(fields), "", "line 8: clusters[0].cluster" + message};
  };
  const auto of_user = [](const std::string& fields, const std::string& message) {
    return Case{user(fields), "", "line 11: users[0].user" + message};
  };
  for (const Case& c : std::vector<Case>{
           {"", "", "not a kubeconfig; expected a mapping"},
           {"- a", "", "not a kubeconfig; expected a mapping"},
           {"a: [", "", "line 1, column"},
           {"apiVersion: v2\n", "", "line 1: apiVersion: 'v2' is not v1"},
           {"kind: Pod\n", "", "line 1: kind: 'Pod' is not Config"},
           {"kind: Config\n", "",
            "line 1: current-context: is missing; expected the name of a context, one of none"},
           {"contexts: [{name: a}, {name: b}]\n", "",
            "line 1: current-context: is missing; expected the name of a context, one of 'a', 'b'"},
           {"current-context: x\ncontexts: [{name: a}]\n", "",
            "line 1: current-context: there is no context 'x'; expected one of 'a'"},
           {"contexts: [{name: a}]\n", "x",
            "line 1: current-context: there is no context 'x'; expected one of 'a'"},
           {"contexts: {}\n", "x", "line 1: contexts: a mapping is not a sequence"},
           {"current-context: a\ncontexts:\n- {name: a}\n- {name: a}\n", "",
            "line 4: contexts[1]: context 'a' is given twice; expected it once"},
           {"current-context: a\ncontexts:\n- {name: a}\n", "",
            "line 3: contexts[0].context.cluster: there is no cluster ''; expected one of none"},
           {"current-context: a\ncontexts:\n- {name: a, context: {cluster: c}}\n"
            "clusters:\n- {name: d}\n",
            "",
            "line 3: contexts[0].context.cluster: there is no cluster 'c'; expected one of 'd'"},
           {"current-context: a\ncontexts:\n- {name: a, context: {cluster: c, user: u}}\n"
            "clusters:\n- {name: c, cluster: {server: 'https://a'}}\n",
            "", "line 3: contexts[0].context.user: there is no user 'u'; expected one of none"},
           {config("{}", "{}"), "",
            "line 8: clusters[0].cluster.server: not a URL; expected https"},
           {config("{server: 'a:1'}", "{}"), "",
            "line 8: clusters[0].cluster.server: not a URL; expected https"},
           {config("{server: 'https://x:" + Secret + "@a'}", "{}"), "",
            "line 8: clusters[0].cluster.server: a user or a password has no place in the URL"},
           of_cluster("proxy-url: http://p",
                      ".proxy-url: is not supported; the API server is reached directly"),
           of_cluster("certificate-authority: a, certificate-authority-data: Q0E=",
                      ".certificate-authority-data: is given, and so is certificate-authority; "
                      "expected one of them"),
           of_cluster("certificate-authority-data: '" + Secret + "!'",
                      ".certificate-authority-data: is not base64"),
           of_cluster("certificate-authority: a, insecure-skip-tls-verify: true",
                      ".insecure-skip-tls-verify: is true, and a certificate authority is given"),
           of_cluster("insecure-skip-tls-verify: 'yes'",
                      ".insecure-skip-tls-verify: 'yes' is not true or false"),
           of_cluster("tls-server-name: [a]", ".tls-server-name: a sequence is not a string"),
           of_user("{auth-provider: {name: gcp}}", ".auth-provider: is not supported; use an exec"),
           of_user("{as: admin}", ".as: is not supported; nobody is impersonated"),
           of_user("{as-uid: '7'}", ".as-uid: is not supported"),
           of_user("{as-groups: [a]}", ".as-groups: is not supported"),
           of_user("{as-user-extra: {a: [b]}}", ".as-user-extra: is not supported"),
           of_user("{token: 123456}", ".token: is not a string; put it in quotes"),
           of_user("{token: [" + Secret + "]}", ".token: is not a string"),
           of_user("{password: 123456}", ".password: is not a string"),
           of_user("{token: " + Secret + ", username: a}",
                   ": has more than one of token, username and exec; expected one of them"),
           of_user("{client-certificate: a}",
                   ": has only one of client-certificate and client-key"),
           of_user("{client-key-data: " + Secret + "aa}", ": has only one of client-certificate"),
           of_user("{client-key-data: " + Secret + "}", ".client-key-data: is not base64"),
           of_user("{client-key-data: 12345678}", ".client-key-data: is not a string"),
           of_user("{" + exec + "}, token: " + Secret + "}", ": has more than one of token"),
           of_user("{" + exec + "}, client-key: a, client-certificate: b}",
                   ": has both a client certificate and exec"),
           of_user("{exec: {command: c}}",
                   ".exec.apiVersion: is missing; expected client.authentication.k8s.io/v1 or"),
           of_user("{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: c}}",
                   ".exec.apiVersion: 'client.authentication.k8s.io/v1alpha1' is not client."),
           of_user("{exec: {apiVersion: client.authentication.k8s.io/v1}}",
                   ".exec.command: is missing; expected the program to run"),
           of_user("{" + exec + ", interactiveMode: Always}}",
                   ".exec.interactiveMode: 'Always' needs a terminal"),
           of_user("{" + exec + ", interactiveMode: never}}",
                   ".exec.interactiveMode: 'never' is not Never or IfAvailable"),
           of_user("{" + exec + ", env: [{name: 'A=" + Secret.substr(0, 1) + "', value: b}]}}",
                   ".exec.env[0].name: 'A=s' is not the name of an environment variable"),
           of_user("{" + exec + ", env: [{name: A, value: 123456}]}}",
                   ".exec.env[0].value: is not a string"),
           of_user("{" + exec + ", args: [123456]}}", ".exec.args[0]: is not a string"),
       }) {
    CAPTURE(c.text);
    const auto access = parse(c.text, c.context);
    REQUIRE(!access);
    const std::string& got = access.error().message;
    const std::string expected = "/home/k/config: " + c.message;
    CAPTURE(got);
    CAPTURE(expected);
    CHECK(got.starts_with(expected));
    CHECK(got.find(Secret) == std::string::npos);
    CHECK(got.find("123456") == std::string::npos);
  }
}

TEST_CASE("a kubeconfig that is not there or cannot tell the cluster to a plugin is refused") {
  test::TemporaryFolder folder;
  const auto missing = read_kubeconfig(folder.path() / "config", "");
  REQUIRE(!missing);
  CHECK(missing.error().kind == ErrorKind::NotFound);
  const auto file = folder.write(
      "config", config("{server: https://a, certificate-authority: ca.crt}",
                       "{exec: {apiVersion: client.authentication.k8s.io/v1, command: c, "
                       "provideClusterInfo: true}}"));
  const auto blind = read_kubeconfig(file, "");
  REQUIRE(!blind);
  CHECK(blind.error().message == file.string() +
                                     ": line 8: clusters[0].cluster.certificate-authority: " +
                                     (folder.path() / "ca.crt").string() + ": no such file");
  folder.write("ca.crt", "CA");
  CHECK(read_kubeconfig(file, ""));
}

TEST_CASE("base64 is read strictly and written with its padding") {
  const std::string octets("\0\xff\x10 text", 8);
  for (std::size_t size = 0; size <= octets.size(); ++size) {
    CHECK(decode_base64(encode_base64(octets.substr(0, size))) == octets.substr(0, size));
  }
  CHECK(encode_base64("a") == "YQ==");
  CHECK(decode_base64("Y Q=\r\n=\n") == "a");
  for (const char* text : {"Y", "YQ", "YQ=", "YQ==YQ==", "=YQ=", "Y===", "YQ=*", "YQ-_"}) {
    CAPTURE(text);
    CHECK(!decode_base64(text));
  }
}

}  // namespace waypost::kube
