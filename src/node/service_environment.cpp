#include "node/service_environment.h"

#include "base/json_string.h"

#include <algorithm>
#include <map>
#include <utility>

namespace waypost::node {
namespace {

// "my-shop" as "MY_SHOP"; a leading digit stays.
std::string variable_name(std::string_view name) {
  std::string text(name);
  for (char& c : text) {
    if (c == '-') {
      c = '_';
    } else if (c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    }
  }
  return text;
}

std::string upper_protocol(kube::Protocol protocol) {
  return variable_name(kube::to_text(protocol));
}

void append_ports(const kube::Service& service, const std::string& prefix,
                  std::vector<Variable>& to) {
  const kube::ServicePort& first = service.ports.front();
  to.push_back({prefix + "_SERVICE_PORT", std::to_string(first.port)});
  for (const kube::ServicePort& port : service.ports) {
    if (!port.name.empty()) {
      to.push_back(
          {prefix + "_SERVICE_PORT_" + variable_name(port.name), std::to_string(port.port)});
    }
  }
  // What Docker's links were.
  const IpAddress& address = service.cluster_ips.front();
  for (const kube::ServicePort& port : service.ports) {
    const std::string number = std::to_string(port.port);
    const std::string protocol(kube::to_text(port.protocol));
    const std::string url = protocol + "://" + SocketAddress{address, port.port}.to_text();
    if (&port == &first) {
      to.push_back({prefix + "_PORT", url});
    }
    std::string port_prefix = prefix;
    port_prefix.append("_PORT_").append(number).append("_").append(upper_protocol(port.protocol));
    to.push_back({port_prefix, url});
    to.push_back({port_prefix + "_PROTO", protocol});
    to.push_back({port_prefix + "_PORT", number});
    to.push_back({port_prefix + "_ADDR", address.to_text()});
  }
}

std::vector<Variable> variables_of(const kube::Service& service) {
  const std::string prefix = variable_name(service.key.name);
  std::vector<Variable> variables;
  variables.push_back({prefix + "_SERVICE_HOST", service.cluster_ips.front().to_text()});
  if (!service.ports.empty()) {
    append_ports(service, prefix, variables);
  }
  return variables;
}

// By name; what a container of the namespace sees.
std::map<std::string_view, const kube::Service*> choose(
    std::string_view name_space, bool service_links, const std::vector<kube::Service>& services) {
  std::map<std::string_view, const kube::Service*> chosen;
  for (const kube::Service& service : services) {
    if (service.cluster_ips.empty()) {
      continue;
    }
    if (service.key.name_space == "default" && service.key.name == "kubernetes") {
      chosen.try_emplace(service.key.name, &service);
    } else if (service_links && service.key.name_space == name_space) {
      chosen.insert_or_assign(service.key.name, &service);
    }
  }
  return chosen;
}

// Between single quotes nothing but the quote itself has a meaning (POSIX.1-2017, XCU 2.2.2).
std::string shell_string(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted.append(c == '\'' ? "'\\''" : std::string(1, c));
  }
  return quoted.append(1, '\'');
}

}  // namespace

ServiceEnvironment service_environment(std::string_view name_space, bool service_links,
                                       const std::vector<kube::Service>& services) {
  ServiceEnvironment environment;
  std::map<std::string, std::pair<std::size_t, std::string_view>, std::less<>> known;
  for (const auto& [name, service] : choose(name_space, service_links, services)) {
    for (Variable& variable : variables_of(*service)) {
      const auto [at, is_new] =
          known.try_emplace(variable.name, environment.variables.size(), name);
      if (is_new) {
        environment.variables.push_back(std::move(variable));
        continue;
      }
      auto& [index, owner] = at->second;
      Variable& before = environment.variables[index];
      if (before.value != variable.value) {
        environment.warnings.push_back(variable.name + " is made by the Services " +
                                       std::string(owner) + " and " + std::string(name) +
                                       "; a kubelet may choose either");
      }
      before.value = std::move(variable.value);
      owner = name;
    }
  }
  return environment;
}

std::optional<EnvironmentFormat> format_from_text(std::string_view text) noexcept {
  if (text == "shell") {
    return EnvironmentFormat::Shell;
  }
  if (text == "dotenv") {
    return EnvironmentFormat::Dotenv;
  }
  return text == "json" ? std::optional(EnvironmentFormat::Json) : std::nullopt;
}

bool is_shell_name(std::string_view name) noexcept {
  return !name.empty() && (name.front() < '0' || name.front() > '9');
}

std::string to_text(const std::vector<Variable>& variables, EnvironmentFormat format) {
  std::string text;
  switch (format) {
    case EnvironmentFormat::Shell:
      for (const Variable& variable : variables) {
        if (is_shell_name(variable.name)) {
          text.append("export ").append(variable.name).append("=");
          text.append(shell_string(variable.value)).append("\n");
        }
      }
      return text;
    case EnvironmentFormat::Dotenv:
      for (const Variable& variable : variables) {
        text.append(variable.name).append("=").append(variable.value).append("\n");
      }
      return text;
    case EnvironmentFormat::Json:
      for (const Variable& variable : variables) {
        text.append(text.empty() ? "{\n  " : ",\n  ").append(json_string(variable.name));
        text.append(": ").append(json_string(variable.value));
      }
      return text.empty() ? "{}\n" : text.append("\n}\n");
  }
  return text;
}

}  // namespace waypost::node
