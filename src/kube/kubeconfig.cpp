#include "kube/kubeconfig.h"

#include "base/file.h"
#include "kube/base64.h"
#include "kube/exec_info.h"
#include "kube/field_reader.h"
#include "kube/yaml_tree.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::string_view ExecExtension = "client.authentication.k8s.io/exec";
constexpr std::array<std::string_view, 2> ExecVersions{"client.authentication.k8s.io/v1",
                                                       "client.authentication.k8s.io/v1beta1"};

bool is_filled(const Field& field) noexcept {
  const TreeType type = field.node().type();
  const bool is_container = type == TreeType::Sequence || type == TreeType::Mapping;
  return field.is_present() && (is_container ? field.node().first_child().type() != TreeType::Absent
                                             : !field.node().text().empty());
}

// Follows one context through the file.  Every value that may be a secret is read by secret().
class KubeconfigReader {
 public:
  KubeconfigReader(const Tree& tree, const std::filesystem::path& file)
      : folder_(file.parent_path()), root_(tree.root()) {}

  ApiAccess read(std::string_view context_name);
  const std::optional<FieldProblem>& problem() const noexcept { return reader_.problem(); }

 private:
  void read_cluster(const Field& entry);
  void read_user(const Field& entry);
  void read_tokens(const Field& user);
  void read_exec(const Field& exec);
  void read_exec_environment(const Field& list);
  // What the plugin is told of the cluster.
  ExecCluster exec_cluster();

  // The element of `list` whose name is `name`; a problem with `asked_by` when there is none.
  std::optional<Field> find(const Field& list, std::string_view name, const Field& asked_by,
                            std::string_view what);
  void refuse_given(const Field& mapping, std::string_view name, std::string_view why);
  std::string secret(const Field& field);
  // A file, relative to the kubeconfig's folder.
  std::filesystem::path path(const Field& field);
  // What is given inline in base64 as `inline_name`, or as the file `file_name`.
  TextOrFile text_or_file(const Field& mapping, std::string_view file_name,
                          std::string_view inline_name);

  std::filesystem::path folder_;
  Field root_;
  FieldReader reader_;
  ApiAccess access_;
  std::optional<Field> cluster_;
};

// "'a', 'b'": the names of the elements of `list`.
std::string names_in(const Field& list) {
  constexpr std::size_t MaxNames = 10;
  std::string text;
  std::size_t count = 0;
  for (TreeNode at = list.node().first_child(); at.type() != TreeType::Absent;
       at = at.next_sibling()) {
    if (++count > MaxNames) {
      return text + ", ...";
    }
    text += (text.empty() ? "" : ", ") + describe(at.find("name"));
  }
  return text.empty() ? "none" : text;
}

std::optional<Field> KubeconfigReader::find(const Field& list, std::string_view name,
                                            const Field& asked_by, std::string_view what) {
  std::optional<Field> found;
  reader_.each(list, [&](const Field& entry) {
    if (entry.node().find("name").text() != name) {
      return;
    }
    if (found) {
      reader_.complain(entry, std::string(what) + " '" + std::string(name) +
                                  "' is given twice; expected it once");
    }
    found = entry;
  });
  if (!found) {
    reader_.complain(asked_by, "there is no " + std::string(what) + " '" + std::string(name) +
                                   "'; expected one of " + names_in(list));
  }
  return found;
}

void KubeconfigReader::refuse_given(const Field& mapping, std::string_view name,
                                    std::string_view why) {
  const Field field = mapping.at(name);
  if (is_filled(field)) {
    reader_.complain(field, "is not supported; " + std::string(why));
  }
}

std::string KubeconfigReader::secret(const Field& field) {
  if (field.is_present() && field.node().type() != TreeType::String) {
    reader_.complain(field, "is not a string; put it in quotes");
  }
  return std::string(field.node().text());
}

std::filesystem::path KubeconfigReader::path(const Field& field) {
  const std::string_view text = reader_.text(field);
  return text.empty() ? std::filesystem::path() : folder_ / text;
}

TextOrFile KubeconfigReader::text_or_file(const Field& mapping, std::string_view file_name,
                                          std::string_view inline_name) {
  const Field file = mapping.at(file_name);
  const Field text = mapping.at(inline_name);
  if (is_filled(file) && is_filled(text)) {
    reader_.complain(text,
                     "is given, and so is " + std::string(file_name) + "; expected one of them");
  }
  auto decoded = decode_base64(secret(text));
  if (!decoded) {
    reader_.complain(text, "is not base64");
  }
  return {std::move(decoded).value_or(""), path(file)};
}

void KubeconfigReader::read_cluster(const Field& entry) {
  cluster_ = reader_.mapping(entry.at("cluster"));
  const Field& cluster = *cluster_;
  const Field server = cluster.at("server");
  const std::string_view url = reader_.text(server);
  if (auto endpoint = ApiEndpoint::from_text(url); endpoint) {
    access_.endpoint = std::move(*endpoint);
  } else {
    reader_.complain(server, endpoint.error().message);
  }
  refuse_given(cluster, "proxy-url", "the API server is reached directly; leave it out");
  access_.certificate_authority =
      text_or_file(cluster, "certificate-authority", "certificate-authority-data");
  const Field insecure = cluster.at("insecure-skip-tls-verify");
  access_.insecure_skip_tls_verify = reader_.boolean(insecure, false);
  if (access_.insecure_skip_tls_verify && access_.certificate_authority.is_given()) {
    reader_.complain(insecure,
                     "is true, and a certificate authority is given; expected one of them");
  }
  access_.tls_server_name = reader_.text(cluster.at("tls-server-name"));
  access_.accepts_gzip = !reader_.boolean(cluster.at("disable-compression"), false);
}

void KubeconfigReader::read_tokens(const Field& user) {
  access_.token.text = secret(user.at("token"));
  access_.token.file = path(user.at("tokenFile"));
  access_.username = secret(user.at("username"));
  access_.password = secret(user.at("password"));
  const Field exec = reader_.mapping(user.at("exec"));
  if (exec.is_present()) {
    read_exec(exec);
  }
  const bool has_password = !access_.username.empty() || !access_.password.empty();
  const int methods =
      int{access_.token.is_given()} + int{has_password} + int{access_.exec.has_value()};
  if (methods > 1) {
    reader_.complain(user, "has more than one of token, username and exec; expected one of them");
  }
}

void KubeconfigReader::read_user(const Field& entry) {
  const Field user = reader_.mapping(entry.at("user"));
  refuse_given(user, "auth-provider", "use an exec plugin, which has replaced it");
  for (const std::string_view name : {"as", "as-uid", "as-groups", "as-user-extra"}) {
    refuse_given(user, name, "nobody is impersonated; leave it out");
  }
  read_tokens(user);
  access_.client_certificate = text_or_file(user, "client-certificate", "client-certificate-data");
  access_.client_key = text_or_file(user, "client-key", "client-key-data");
  if (access_.client_certificate.is_given() != access_.client_key.is_given()) {
    reader_.complain(user, "has only one of client-certificate and client-key; expected both");
  }
  if (access_.exec && access_.client_certificate.is_given()) {
    reader_.complain(user, "has both a client certificate and exec; expected one of them");
  }
}

ExecCluster KubeconfigReader::exec_cluster() {
  const Field& cluster = *cluster_;
  ExecCluster info;
  info.server = reader_.text(cluster.at("server"));
  info.tls_server_name = access_.tls_server_name;
  info.insecure_skip_tls_verify = access_.insecure_skip_tls_verify;
  info.certificate_authority = access_.certificate_authority.text;
  info.disable_compression = !access_.accepts_gzip;
  if (const auto& file = access_.certificate_authority.file; !file.empty()) {
    auto content = read_file(file);
    if (content) {
      info.certificate_authority = std::move(*content);
    } else {
      reader_.complain(cluster.at("certificate-authority"), content.error().message);
    }
  }
  const Field extensions = cluster.at("extensions");
  reader_.each(extensions, [&](const Field& extension) {
    if (extension.node().find("name").text() == ExecExtension) {
      info.config = extension.node().find("extension");
    }
  });
  return info;
}

void KubeconfigReader::read_exec_environment(const Field& list) {
  constexpr std::string_view NameRule = "the name of an environment variable";
  reader_.each(list, [&](const Field& entry) {
    const Field variable = reader_.mapping(entry);
    const Field name_field = variable.at("name");
    const std::string_view name = reader_.text(name_field);
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string_view::npos) {
      reader_.refuse(name_field, NameRule);
    }
    access_.exec->environment.emplace_back(name, secret(variable.at("value")));
  });
}

void KubeconfigReader::read_exec(const Field& exec) {
  ExecPlugin& plugin = access_.exec.emplace();
  const Field version = exec.at("apiVersion");
  plugin.api_version = reader_.text(version);
  if (std::ranges::find(ExecVersions, plugin.api_version) == ExecVersions.end()) {
    reader_.refuse(version, std::string(ExecVersions[0]) + " or " + std::string(ExecVersions[1]));
  }
  const Field command = exec.at("command");
  plugin.command = reader_.text(command);
  if (plugin.command.empty()) {
    reader_.refuse(command, "the program to run");
  } else if (plugin.command.find('/') != std::string::npos) {
    plugin.command = (folder_ / plugin.command).string();
  }
  const Field arguments = exec.at("args");
  reader_.each(arguments,
               [&](const Field& argument) { plugin.arguments.push_back(secret(argument)); });
  const Field environment = exec.at("env");
  read_exec_environment(environment);
  plugin.install_hint = reader_.text(exec.at("installHint"));
  const Field mode = exec.at("interactiveMode");
  const std::string_view mode_text = reader_.text(mode);
  if (mode_text == "Always") {
    reader_.complain(mode, "'Always' needs a terminal; expected Never or IfAvailable");
  } else if (!mode_text.empty() && mode_text != "Never" && mode_text != "IfAvailable") {
    reader_.refuse(mode, "Never or IfAvailable");
  }
  const bool provides_cluster = reader_.boolean(exec.at("provideClusterInfo"), false);
  std::optional<ExecCluster> cluster;
  if (provides_cluster) {
    cluster = exec_cluster();
  }
  plugin.exec_info = exec_info(plugin.api_version, cluster ? &*cluster : nullptr);
}

ApiAccess KubeconfigReader::read(std::string_view context_name) {
  const Field root = reader_.mapping(root_);
  const Field version = root.at("apiVersion");
  if (const auto text = reader_.text(version); !text.empty() && text != "v1") {
    reader_.refuse(version, "v1");
  }
  const Field kind = root.at("kind");
  if (const auto text = reader_.text(kind); !text.empty() && text != "Config") {
    reader_.refuse(kind, "Config");
  }
  const Field contexts = root.at("contexts");
  const Field current = root.at("current-context");
  if (context_name.empty()) {
    context_name = reader_.text(current);
  }
  if (context_name.empty()) {
    reader_.refuse(current, "the name of a context, one of " + names_in(contexts));
    return {};
  }
  access_.origin = "context '" + std::string(context_name) + "'";
  const auto entry = find(contexts, context_name, current, "context");
  if (!entry) {
    return {};
  }
  const Field context = reader_.mapping(entry->at("context"));
  const Field cluster_name = context.at("cluster");
  const Field clusters = root.at("clusters");
  const auto cluster = find(clusters, reader_.text(cluster_name), cluster_name, "cluster");
  if (!cluster) {
    return {};
  }
  read_cluster(*cluster);
  const Field user_name = context.at("user");
  const Field users = root.at("users");
  if (const std::string_view name = reader_.text(user_name); !name.empty()) {
    if (const auto user = find(users, name, user_name, "user")) {
      read_user(*user);
    }
  }
  return std::move(access_);
}

}  // namespace

Result<ApiAccess> parse_kubeconfig(std::string_view text, const std::filesystem::path& file,
                                   std::string_view context_name) {
  YamlStream stream(text);
  Tree tree;
  const auto has_document = stream.next(tree);
  if (!has_document) {
    return std::unexpected(with_context(has_document.error(), file.string()));
  }
  if (!*has_document || tree.root().type() != TreeType::Mapping) {
    return failure(ErrorKind::InvalidInput,
                   file.string() + ": not a kubeconfig; expected a mapping");
  }
  KubeconfigReader reader(tree, file);
  ApiAccess access = reader.read(context_name);
  if (const auto& problem = reader.problem()) {
    return failure(
        ErrorKind::InvalidInput,
        file.string() + ": line " + std::to_string(problem->line) + ": " + problem->message);
  }
  access.origin = "kubeconfig " + file.string() + ", " + access.origin;
  return access;
}

Result<ApiAccess> read_kubeconfig(const std::filesystem::path& file,
                                  std::string_view context_name) {
  const auto text = read_file(file);
  if (!text) {
    return std::unexpected(text.error());
  }
  return parse_kubeconfig(*text, file, context_name);
}

}  // namespace waypost::kube
