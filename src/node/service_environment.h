// The variables of Services that a container gets when it starts: SHOP_SERVICE_HOST and the like.
//
// Rules of the kubelet (Kubernetes 1.36, pkg/kubelet/kubelet_pods.go and pkg/kubelet/envvars).  The
// values stay as they were when the container started; what a container says itself in `env` or
// `envFrom` comes before them.
//
// Not here: where Services come from (sources/, kube/).

#pragma once

#include "kube/objects.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::node {

struct Variable {
  std::string name;
  std::string value;

  friend bool operator==(const Variable&, const Variable&) = default;
};

struct ServiceEnvironment {
  std::vector<Variable> variables;    // By Service, in byte order of names; each name once.
  std::vector<std::string> warnings;  // Variables that two Services make with different values.
};

// What a container in `name_space` gets of these Services: those of its own namespace if
// `service_links` (spec.enableServiceLinks), and default/kubernetes in any case, unless its own
// namespace has a Service of that name.  Services without a ClusterIP have no variables.
//
// Where two Services make the same variable, that of the later name wins; a kubelet leaves it open.
ServiceEnvironment service_environment(std::string_view name_space, bool service_links,
                                       const std::vector<kube::Service>& services);

enum class EnvironmentFormat : std::uint8_t { Shell, Dotenv, Json };

std::optional<EnvironmentFormat> format_from_text(std::string_view text) noexcept;
inline constexpr std::string_view EnvironmentFormatRule = "shell, dotenv or json";

// Whether a POSIX shell can have a variable of that name: not one that begins with a digit.
bool is_shell_name(std::string_view name) noexcept;

// Shell: "export NAME='value'" for each variable that a shell can have; Dotenv: "NAME=value", as it
// is read by docker run --env-file and by shells' libraries alike, because no value needs quotes;
// Json: one object.
std::string to_text(const std::vector<Variable>& variables, EnvironmentFormat format);

}  // namespace waypost::node
