#include "world.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace waypost::sources {
namespace {

ManifestOptions options(const std::filesystem::path& folder,
                        const std::vector<std::string_view>& cidrs) {
  ManifestOptions options{folder, {}};
  for (const std::string_view cidr : cidrs) {
    options.service_cidrs.push_back(IpPrefix::from_text(cidr).value());
  }
  return options;
}

template <typename T>
std::string sign(const cache::ObjectDelta<T>& delta) {
  return delta.before == nullptr ? "+" : delta.after == nullptr ? "-" : "~";
}

}  // namespace

std::string show(const kube::Service& service) {
  std::string text = service.key.to_text();
  for (const IpAddress& address : service.cluster_ips) {
    text += " " + address.to_text();
  }
  return text;
}

std::string show(const kube::EndpointSlice& slice) {
  std::string text = slice.key.name + ":";
  for (const kube::EndpointPort& port : slice.ports) {
    text += " " + port.name + ":" + std::to_string(port.port) + "/" +
            std::string(to_text(port.protocol));
  }
  for (const kube::Endpoint& endpoint : slice.endpoints) {
    text += " " + endpoint.address.to_text() + "(" + (endpoint.ready ? "r" : "-") +
            (endpoint.serving ? "s" : "-") + (endpoint.terminating ? "t" : "-") + ")";
    text += slice.hostname(endpoint).empty() ? "" : "=" + std::string(slice.hostname(endpoint));
    text += slice.pod_name(endpoint).empty() ? "" : "~" + std::string(slice.pod_name(endpoint));
  }
  return text;
}

void Recorder::on_service(const cache::ServiceDelta& delta) {
  const bool same = delta.before.service == delta.after.service;
  lines_.push_back((same                              ? "*service "
                    : delta.before.service == nullptr ? "+service "
                    : delta.after.service == nullptr  ? "-service "
                                                      : "~service ") +
                   delta.key.to_text());
}

void Recorder::on_namespace(const cache::ObjectDelta<kube::Namespace>& delta) {
  const kube::Namespace& any = delta.after == nullptr ? *delta.before : *delta.after;
  lines_.push_back(sign(delta) + "namespace " + any.name);
}

void Recorder::on_pod(const cache::ObjectDelta<kube::Pod>& delta) {
  const kube::Pod& any = delta.after == nullptr ? *delta.before : *delta.after;
  lines_.push_back(sign(delta) + "pod " + any.key.to_text());
}

void Recorder::on_node(const cache::ObjectDelta<kube::Node>& delta) {
  const kube::Node& any = delta.after == nullptr ? *delta.before : *delta.after;
  lines_.push_back(sign(delta) + "node " + any.name);
}

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "waypost-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ec;
  std::filesystem::remove_all(path_, ec);
}

void Folder::write(const std::string& name, std::string_view text) const {
  std::ofstream(path_ / name, std::ios::binary | std::ios::trunc) << text;
}

void Folder::write_at(const std::string& name, std::string_view text, long seconds) const {
  write(name, text);
  touch(name, seconds);
}

void Folder::touch(const std::string& name, long seconds) const {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  REQUIRE(utimensat(AT_FDCWD, (path_ / name).c_str(), times, 0) == 0);
}

void Folder::rename(const std::string& from, const std::string& to) const {
  std::filesystem::rename(path_ / from, path_ / to);
}

void Folder::remove(const std::string& name) const {
  std::filesystem::remove(path_ / name);
}

World::World(const std::vector<std::string_view>& cidrs)
    : loaded_folder(folder.path()), source(options(loaded_folder, cidrs), cache) {
  cache.subscribe(recorder);
}

World::World(const std::filesystem::path& other, const std::vector<std::string_view>& cidrs)
    : loaded_folder(other), source(options(other, cidrs), cache) {
  cache.subscribe(recorder);
}

std::vector<std::string> World::load() {
  std::vector<std::string> messages;
  const std::string prefix = loaded_folder.string() + "/";
  for (const Error& error : source.load()) {
    messages.push_back(error.message.starts_with(prefix) ? error.message.substr(prefix.size())
                                                         : error.message);
  }
  return messages;
}

std::string World::cluster_ips(std::string_view name_space, std::string_view name) const {
  const auto state = cache.find({std::string(name_space), std::string(name)});
  if (!state || !state->service) {
    return "absent";
  }
  std::string text;
  for (const IpAddress& address : state->service->cluster_ips) {
    text += (text.empty() ? "" : " ") + address.to_text();
  }
  return text;
}

std::string World::slices(std::string_view name_space, std::string_view name) const {
  const auto state = cache.find({std::string(name_space), std::string(name)});
  std::string text;
  if (state) {
    for (const cache::SlicePointer& slice : state->slices) {
      text += show(*slice) + "\n";
    }
  }
  return text;
}

std::vector<std::string> World::namespaces() const {
  std::vector<std::string> names;
  cache.for_each_namespace([&](const kube::Namespace& found) { names.push_back(found.name); });
  std::sort(names.begin(), names.end());
  return names;
}

std::string namespace_text(std::string_view name) {
  return "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + std::string(name) + "}\n";
}

std::string service_text(std::string_view name, std::string_view spec) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + std::string(name) +
         ", namespace: shop}\nspec: " + std::string(spec) + "\n";
}

std::string pod_text(std::string_view name, std::string_view rest) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + std::string(name) +
         ", namespace: shop, labels: {app: web}}\n" + std::string(rest) + "\n";
}

}  // namespace waypost::sources
