#include "ops/env_command.h"

#include "kube/names.h"
#include "node/service_environment.h"
#include "ops/option_values.h"

#include <array>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::string_view Usage =
    "waypost env prints the variables of Services that a container gets when it starts now.\n"
    "\n"
    "Usage: waypost env [FLAG VALUE]...\n"
    "\n"
    "Services come from a folder (--manifests), from the API server of a kubeconfig or of a URL, "
    "or,\n"
    "without any of these, from the cluster around this process.\n"
    "\n";

constexpr std::array Flags = {
    CommandFlag{"namespace", OptionForm::Text, "NAME", "the name of a namespace", "default",
                "The Pod's namespace. Its Services count, and default/kubernetes."},
    CommandFlag{"service-links", OptionForm::Boolean, "", "true or false", "true",
                "The Pod's spec.enableServiceLinks. With false, default/kubernetes alone counts."},
    CommandFlag{"format", OptionForm::Text, "FORMAT", node::EnvironmentFormatRule, "shell",
                "Lines for a shell to read, lines for docker's --env-file and the like, or a JSON "
                "object. A shell cannot have variables that begin with a digit; they are left out "
                "with a warning."},
    CommandFlag{"manifests", OptionForm::Text, "FOLDER", "a folder", "none",
                "A folder of manifests, as waypost-dns reads it."},
    CommandFlag{"service-cidrs", OptionForm::List, "PREFIX", "address ranges",
                "10.96.0.0/12,fd00:10:96::/112",
                "Where Services of manifests without clusterIP get one from, as from waypost-dns."},
    CommandFlag{"kubeconfig", OptionForm::Text, "FILE", "a file", "none",
                "A kubeconfig that says where the API server is, and as whom to read."},
    CommandFlag{"context", OptionForm::Text, "NAME", "a context of the kubeconfig",
                "its current one", "Which context of the kubeconfig counts."},
    CommandFlag{"api-server", OptionForm::Text, "URL", "a URL with http or https", "none",
                "The API server, instead of the kubeconfig's, or alone and without credentials."},
};

CommandOutput run_with(const GivenFlags& given) {
  const std::string name_space = given.text("namespace", "default");
  if (!kube::is_dns_label(name_space)) {
    return failed(refused("namespace", name_space, kube::DnsLabelRule));
  }
  const auto links = given.boolean("service-links", true);
  if (!links) {
    return failed(links.error());
  }
  const std::string format_text = given.text("format", "shell");
  const auto format = node::format_from_text(format_text);
  if (!format) {
    return failed(refused("format", format_text, node::EnvironmentFormatRule));
  }
  const auto listed = services_of(given, name_space);
  if (!listed) {
    return failed(listed.error());
  }
  CommandOutput output;
  for (const Error& problem : listed->problems) {
    output.messages.push_back(warning(problem.message));
  }
  const node::ServiceEnvironment environment =
      node::service_environment(name_space, *links, listed->services);
  for (const std::string& text : environment.warnings) {
    output.messages.push_back(warning(text));
  }
  if (*format == node::EnvironmentFormat::Shell) {
    for (const node::Variable& variable : environment.variables) {
      if (!node::is_shell_name(variable.name)) {
        output.messages.push_back(warning(variable.name + " is left out: no shell has it"));
      }
    }
  }
  output.text = node::to_text(environment.variables, *format);
  return output;
}

}  // namespace

Result<ListedServices> services_of(const GivenFlags& given, const std::string& name_space) {
  constexpr std::array<std::string_view, 3> OfApi = {"kubeconfig", "context", "api-server"};
  if (!given.has("manifests")) {
    if (given.has("context") && !given.has("kubeconfig")) {
      return failure(ErrorKind::InvalidInput, "--context: expected --kubeconfig FILE as well");
    }
    return services_of_api({.kubeconfig = given.text("kubeconfig", ""),
                            .context = given.text("context", ""),
                            .server = given.text("api-server", "")},
                           name_space);
  }
  if (const std::string_view flag = given.first_of(OfApi); !flag.empty()) {
    return failure(ErrorKind::InvalidInput,
                   "--" + std::string(flag) + ": cannot be given with --manifests");
  }
  sources::ManifestOptions options{.folder = given.text("manifests", "")};
  if (!given.has("service-cidrs")) {
    options.service_cidrs = default_service_cidrs();
  }
  for (const std::string& text : given.list("service-cidrs")) {
    auto prefix = IpPrefix::from_text(text);
    if (!prefix) {
      return std::unexpected(with_context(std::move(prefix.error()), "--service-cidrs"));
    }
    options.service_cidrs.push_back(*prefix);
  }
  return services_of_folder(options, name_space);
}

std::span<const CommandFlag> env_flags() noexcept {
  return Flags;
}

CommandOutput run_env(std::span<const char* const> arguments) {
  return run_command(arguments, "env", Usage, Flags, run_with);
}

}  // namespace waypost::ops
