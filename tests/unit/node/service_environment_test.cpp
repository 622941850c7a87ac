#include "node/service_environment.h"

#include <doctest/doctest.h>

namespace waypost::node {
namespace {

using kube::Protocol;
using kube::Service;

Service service(const std::string& name_space, const std::string& name,
                const std::vector<std::string>& addresses,
                std::vector<kube::ServicePort> ports = {{"", Protocol::Tcp, 80, {}}}) {
  Service made;
  made.key = {name_space, name};
  for (const std::string& address : addresses) {
    made.cluster_ips.push_back(*IpAddress::from_text(address));
  }
  made.ports = std::move(ports);
  return made;
}

std::string dotenv(const std::string& name_space, bool links,
                   const std::vector<Service>& services) {
  const ServiceEnvironment made = service_environment(name_space, links, services);
  CHECK(made.warnings.empty());
  return to_text(made.variables, EnvironmentFormat::Dotenv);
}

// The names of the hosts' variables.
std::vector<std::string> hosts(const std::string& name_space, bool links,
                               const std::vector<Service>& services) {
  std::vector<std::string> found;
  for (const Variable& variable : service_environment(name_space, links, services).variables) {
    if (variable.name.ends_with("_SERVICE_HOST")) {
      found.push_back(variable.name + "=" + variable.value);
    }
  }
  return found;
}

using Hosts = std::vector<std::string>;

}  // namespace

TEST_CASE("a Service has its host, its ports, and what Docker's links were") {
  CHECK(dotenv("shop", true, {service("shop", "web-front", {"10.96.0.7"})}) ==
        "WEB_FRONT_SERVICE_HOST=10.96.0.7\n"
        "WEB_FRONT_SERVICE_PORT=80\n"
        "WEB_FRONT_PORT=tcp://10.96.0.7:80\n"
        "WEB_FRONT_PORT_80_TCP=tcp://10.96.0.7:80\n"
        "WEB_FRONT_PORT_80_TCP_PROTO=tcp\n"
        "WEB_FRONT_PORT_80_TCP_PORT=80\n"
        "WEB_FRONT_PORT_80_TCP_ADDR=10.96.0.7\n");
}

TEST_CASE("every named port has a variable, the first port the ones without a name, too") {
  CHECK(dotenv("shop", true,
               {service("shop", "dns", {"fd00::a", "10.96.0.10"},
                        {{"dns-udp", Protocol::Udp, 53, {}},
                         {"dns-tcp", Protocol::Tcp, 53, {}},
                         {"signal", Protocol::Sctp, 5353, {}}})}) ==
        "DNS_SERVICE_HOST=fd00::a\n"
        "DNS_SERVICE_PORT=53\n"
        "DNS_SERVICE_PORT_DNS_UDP=53\n"
        "DNS_SERVICE_PORT_DNS_TCP=53\n"
        "DNS_SERVICE_PORT_SIGNAL=5353\n"
        "DNS_PORT=udp://[fd00::a]:53\n"
        "DNS_PORT_53_UDP=udp://[fd00::a]:53\n"
        "DNS_PORT_53_UDP_PROTO=udp\n"
        "DNS_PORT_53_UDP_PORT=53\n"
        "DNS_PORT_53_UDP_ADDR=fd00::a\n"
        "DNS_PORT_53_TCP=tcp://[fd00::a]:53\n"
        "DNS_PORT_53_TCP_PROTO=tcp\n"
        "DNS_PORT_53_TCP_PORT=53\n"
        "DNS_PORT_53_TCP_ADDR=fd00::a\n"
        "DNS_PORT_5353_SCTP=sctp://[fd00::a]:5353\n"
        "DNS_PORT_5353_SCTP_PROTO=sctp\n"
        "DNS_PORT_5353_SCTP_PORT=5353\n"
        "DNS_PORT_5353_SCTP_ADDR=fd00::a\n");
}

TEST_CASE("a container sees its namespace's Services and default/kubernetes") {
  const std::vector<Service> services = {
      service("shop", "web", {"10.96.0.7"}),
      service("shop", "headless", {}),
      service("other", "web", {"10.96.0.8"}),
      service("default", "db", {"10.96.0.9"}),
      service("default", "kubernetes", {"10.96.0.1"}),
      service("other", "kubernetes", {"10.96.0.2"}),
  };
  CHECK(hosts("shop", true, services) ==
        Hosts{"KUBERNETES_SERVICE_HOST=10.96.0.1", "WEB_SERVICE_HOST=10.96.0.7"});
  CHECK(hosts("shop", false, services) == Hosts{"KUBERNETES_SERVICE_HOST=10.96.0.1"});
  CHECK(hosts("none", true, services) == Hosts{"KUBERNETES_SERVICE_HOST=10.96.0.1"});
  CHECK(hosts("default", true, services) ==
        Hosts{"DB_SERVICE_HOST=10.96.0.9", "KUBERNETES_SERVICE_HOST=10.96.0.1"});
  CHECK(hosts("default", false, services) == Hosts{"KUBERNETES_SERVICE_HOST=10.96.0.1"});
  // A namespace's own Service of that name takes its place, in whatever order they come.
  CHECK(hosts("other", true, services) ==
        Hosts{"KUBERNETES_SERVICE_HOST=10.96.0.2", "WEB_SERVICE_HOST=10.96.0.8"});
  CHECK(hosts("other", true, {services[5], services[4]}) ==
        Hosts{"KUBERNETES_SERVICE_HOST=10.96.0.2"});
  CHECK(hosts("other", false, services) == Hosts{"KUBERNETES_SERVICE_HOST=10.96.0.1"});
  CHECK(hosts("shop", true, {}).empty());
  // One that has no address is not there.
  CHECK(hosts("shop", true, {service("default", "kubernetes", {})}).empty());
}

TEST_CASE("a leading digit stays, except for a shell, which has no such variable") {
  const ServiceEnvironment made =
      service_environment("shop", true, {service("shop", "1st", {"10.96.0.7"})});
  CHECK(to_text(made.variables, EnvironmentFormat::Dotenv)
            .starts_with("1ST_SERVICE_HOST=10.96.0.7\n"));
  CHECK(to_text(made.variables, EnvironmentFormat::Shell).empty());
  CHECK(is_shell_name("A1"));
  CHECK_FALSE(is_shell_name("1A"));
  CHECK_FALSE(is_shell_name(""));
}

TEST_CASE("a variable that two Services make is told, and there once") {
  const ServiceEnvironment made = service_environment(
      "shop", true,
      {service("shop", "web", {"10.96.0.7"}), service("shop", "web-service", {"10.96.0.8"})});
  CHECK(made.warnings ==
        std::vector<std::string>{"WEB_SERVICE_PORT is made by the Services web and web-service; a "
                                 "kubelet may choose either"});
  std::size_t count = 0;
  for (const Variable& variable : made.variables) {
    if (variable.name == "WEB_SERVICE_PORT") {
      ++count;
      CHECK(variable.value == "tcp://10.96.0.8:80");
    }
  }
  CHECK(count == 1);
}

TEST_CASE("formats quote what needs it") {
  const std::vector<Variable> variables = {{"A", "x"}, {"B", "it's \"$(rm)\" \\ \n"}};
  CHECK(to_text(variables, EnvironmentFormat::Shell) ==
        "export A='x'\nexport B='it'\\''s \"$(rm)\" \\ \n'\n");
  CHECK(to_text(variables, EnvironmentFormat::Json) ==
        "{\n  \"A\": \"x\",\n  \"B\": \"it's \\\"$(rm)\\\" \\\\ \\u000a\"\n}\n");
  CHECK(to_text({}, EnvironmentFormat::Json) == "{}\n");
  CHECK(to_text({}, EnvironmentFormat::Shell).empty());
  CHECK(format_from_text("json") == EnvironmentFormat::Json);
  CHECK(format_from_text("dotenv") == EnvironmentFormat::Dotenv);
  CHECK(format_from_text("shell") == EnvironmentFormat::Shell);
  CHECK_FALSE(format_from_text("yaml"));
}

}  // namespace waypost::node
