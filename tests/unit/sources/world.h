// A folder of manifests, the cache that it fills, and the cache's content as text.

#pragma once

#include "cache/service_cache.h"
#include "sources/manifest_source.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
      text += "\n    " + line;
    }
    return text.c_str();
  }
};

namespace waypost::sources {

std::string show(const kube::Service& service);
std::string show(const kube::EndpointSlice& slice);

// Writes down every delta as one line, in order: "+service shop/web", "~namespace a", "-pod a/b".
// A change of slices alone is "*service".
class Recorder : public cache::Consumer {
 public:
  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& delta) override;
  void on_pod(const cache::ObjectDelta<kube::Pod>& delta) override;
  void on_node(const cache::ObjectDelta<kube::Node>& delta) override;
  void on_synced() override { lines_.push_back("synced"); }
  void on_resource_version(std::uint64_t version) override {
    CHECK(version > version_);
    version_ = version;
  }

  // The lines since the last call.
  std::vector<std::string> take() { return std::exchange(lines_, {}); }

 private:
  std::vector<std::string> lines_;
  std::uint64_t version_ = 0;
};

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  void write(const std::string& name, std::string_view text) const;
  // The modification time is set to `seconds` after 1970.
  void write_at(const std::string& name, std::string_view text, long seconds) const;
  void touch(const std::string& name, long seconds) const;
  void rename(const std::string& from, const std::string& to) const;
  void remove(const std::string& name) const;

 private:
  std::filesystem::path path_;
};

struct World {
  explicit World(const std::vector<std::string_view>& cidrs = {"10.96.0.0/24", "fd00:96::/120"});
  explicit World(const std::filesystem::path& folder, const std::vector<std::string_view>& cidrs);
  ~World() { cache.unsubscribe(recorder); }

  // Loads, and returns the new problems without the folder's name.
  std::vector<std::string> load();
  // The cluster IPs of a Service, or "absent".
  std::string cluster_ips(std::string_view name_space, std::string_view name) const;
  // The slices of a Service, one a line, without their versions.
  std::string slices(std::string_view name_space, std::string_view name) const;
  std::vector<std::string> namespaces() const;

  Folder folder;
  cache::ServiceCache cache;
  Recorder recorder;
  std::filesystem::path loaded_folder;
  ManifestSource source;
};

// Texts of manifests.
std::string namespace_text(std::string_view name);
std::string service_text(std::string_view name, std::string_view spec);
std::string pod_text(std::string_view name, std::string_view rest);

}  // namespace waypost::sources
