#include "bench/manifests.h"

#include <fmt/format.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::bench {
namespace {

// Every text here is a name, an address or a number: nothing in it has to be escaped.
std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}\"", text);
}

std::string list_of(const std::vector<std::string>& values) {
  return fmt::format("[{}]", fmt::join(values, ","));
}

std::string metadata(const kube::ObjectKey& key, std::uint64_t version,
                     const kube::Labels& labels) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : labels) {
    pairs.push_back(in_quotes(name) + ":" + in_quotes(value));
  }
  const std::string name_space =
      key.name_space.empty() ? "" : fmt::format("\"namespace\":\"{}\",", key.name_space);
  return fmt::format(R"("metadata":{{{}"name":"{}","resourceVersion":"{}","labels":{{{}}}}})",
                     name_space, key.name, version, fmt::join(pairs, ","));
}

std::string to_json(const kube::Namespace& name_space) {
  return fmt::format(R"({{"apiVersion":"v1","kind":"Namespace",{}}})",
                     metadata({{}, name_space.name}, name_space.resource_version, {}));
}

// Without a selector, so that its slice is not taken for one that has to be derived.
std::string to_json(const kube::Service& service) {
  std::vector<std::string> addresses;
  std::vector<std::string> families;
  for (const IpAddress& address : service.cluster_ips) {
    addresses.push_back(in_quotes(address.to_text()));
    families.emplace_back(address.is_v4() ? R"("IPv4")" : R"("IPv6")");
  }
  if (service.headless) {
    addresses.emplace_back(R"("None")");
    families.emplace_back(R"("IPv4")");
  }
  std::vector<std::string> ports;
  for (const kube::ServicePort& port : service.ports) {
    ports.push_back(fmt::format(R"({{"name":"{}","protocol":"TCP","port":{},"targetPort":{}}})",
                                port.name, port.port, std::get<std::uint16_t>(port.target_port)));
  }
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Service",{},"spec":{{"type":"ClusterIP","clusterIP":{},)"
      R"("clusterIPs":{},"ipFamilies":{},"ipFamilyPolicy":"{}","ports":{}}}}})",
      metadata(service.key, service.resource_version, service.labels), addresses.front(),
      list_of(addresses), list_of(families),
      families.size() > 1 ? "RequireDualStack" : "SingleStack", list_of(ports));
}

std::string to_json(const kube::EndpointSlice& slice) {
  std::vector<std::string> endpoints;
  for (const kube::Endpoint& endpoint : slice.endpoints) {
    std::string text = fmt::format(
        R"({{"addresses":["{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}})",
        endpoint.address.to_text());
    if (const auto hostname = slice.hostname(endpoint); !hostname.empty()) {
      text += fmt::format(R"(,"hostname":"{}")", hostname);
    }
    if (const auto pod = slice.pod_name(endpoint); !pod.empty()) {
      text += fmt::format(R"(,"targetRef":{{"kind":"Pod","namespace":"{}","name":"{}"}})",
                          slice.key.name_space, pod);
    }
    endpoints.push_back(text + "}");
  }
  std::vector<std::string> ports;
  for (const kube::EndpointPort& port : slice.ports) {
    ports.push_back(
        fmt::format(R"({{"name":"{}","protocol":"TCP","port":{}}})", port.name, port.port));
  }
  return fmt::format(
      R"({{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice",{},"addressType":"IPv4",)"
      R"("ports":{},"endpoints":{}}})",
      metadata(slice.key, slice.resource_version,
               {{"kubernetes.io/service-name", slice.service_name}}),
      list_of(ports), list_of(endpoints));
}

void write_list(const std::filesystem::path& file, const std::vector<std::string>& objects) {
  std::ofstream out(file);
  out << fmt::format(R"({{"apiVersion":"v1","kind":"List","items":[{}]}})",
                     "\n" + fmt::format("{}", fmt::join(objects, ",\n")) + "\n")
      << "\n";
  out.close();
  if (!out) {
    throw std::runtime_error(file.string() + " cannot be written");
  }
}

}  // namespace

void write_manifests(const World& world, const std::filesystem::path& folder) {
  const WorldSize& size = world.size();
  for (std::uint32_t i = 0; i < size.namespaces; ++i) {
    std::vector<std::string> objects = {to_json(world.name_space(i))};
    for (std::uint32_t service = i; service < size.services; service += size.namespaces) {
      objects.push_back(to_json(world.service(service)));
      objects.push_back(to_json(world.slice(service, 0)));
    }
    write_list(folder / (world.namespace_name(i) + ".json"), objects);
  }
  std::vector<std::string> objects = {to_json(World::large_namespace())};
  for (const std::uint32_t endpoints : World::LargeSizes) {
    objects.push_back(to_json(World::large_service(endpoints)));
    objects.push_back(to_json(World::large_slice(endpoints)));
  }
  write_list(folder / (World::large_namespace().name + ".json"), objects);
}

}  // namespace waypost::bench
