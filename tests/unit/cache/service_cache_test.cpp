#include "cache/service_cache.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::cache {
namespace {

// Writes down every delta as a line: "shop/web: - +service", "shop/web: service +2 slices".
class Recorder final : public Consumer {
 public:
  void on_service(const ServiceDelta& delta) override {
    lines.push_back(delta.key.to_text() + ": " + state(delta.before) + " -> " + state(delta.after));
    shared_slices = 0;
    for (const SlicePointer& slice : delta.after.slices) {
      shared_slices += std::count(delta.before.slices.begin(), delta.before.slices.end(), slice);
    }
  }
  void on_namespace(const ObjectDelta<kube::Namespace>& delta) override {
    lines.push_back("namespace " + presence(delta));
  }
  void on_pod(const ObjectDelta<kube::Pod>& delta) override {
    lines.push_back("pod " + presence(delta));
  }
  void on_synced() override { lines.push_back("synced"); }
  void on_resource_version(std::uint64_t version) override {
    lines.push_back("version " + std::to_string(version));
  }

  std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
  std::ptrdiff_t shared_slices = 0;

 private:
  static std::string state(const ServiceState& state) {
    std::string text = state.service != nullptr ? "service" : "none";
    for (const SlicePointer& slice : state.slices) {
      text += "+" + slice->key.name;
    }
    return text;
  }
  template <typename T>
  static std::string presence(const ObjectDelta<T>& delta) {
    return delta.before == nullptr ? "added" : delta.after == nullptr ? "removed" : "updated";
  }
};

kube::Service service(const std::string& name, std::uint16_t port = 80) {
  kube::Service object;
  object.key = {"shop", name};
  object.ports = {{.name = "http", .port = port}};
  return object;
}

kube::EndpointSlice slice(const std::string& name, const std::string& of, std::uint8_t host = 1) {
  kube::EndpointSlice object;
  object.key = {"shop", name};
  object.service_name = of;
  object.add({.address = IpAddress::v4(10, 0, 0, host)}, "", "");
  return object;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("every observable change is one delta, before and after") {
  ServiceCache cache;
  Recorder recorder;
  cache.subscribe(recorder);

  CHECK(cache.put(service("web")) == ServiceCache::Applied::Added);
  CHECK(recorder.take() == Lines{"shop/web: none -> service"});
  CHECK(cache.put(service("web", 81)) == ServiceCache::Applied::Updated);
  CHECK(recorder.take() == Lines{"shop/web: service -> service"});
  cache.put(slice("web-b", "web"));
  cache.put(slice("web-a", "web"));
  CHECK(recorder.take() == Lines{"shop/web: service -> service+web-b",
                                 "shop/web: service+web-b -> service+web-a+web-b"});
  CHECK(recorder.shared_slices == 1);  // The other slice is the same object in both states.
  CHECK(cache.erase_slice({"shop", "web-b"}) == ServiceCache::Applied::Removed);
  CHECK(cache.erase_service({"shop", "web"}) == ServiceCache::Applied::Removed);
  cache.erase_slice({"shop", "web-a"});
  CHECK(recorder.take() == Lines{"shop/web: service+web-a+web-b -> service+web-a",
                                 "shop/web: service+web-a -> none+web-a",
                                 "shop/web: none+web-a -> none"});
  CHECK(cache.find({"shop", "web"}) == nullptr);
}

TEST_CASE("an equal object is no change") {
  ServiceCache cache;
  cache.put(service("web"));
  cache.put(slice("web-a", "web"));
  cache.put(kube::Namespace{"shop", 0, {}});
  cache.put(kube::Pod{.key = {"shop", "web-0"}});
  Recorder recorder;
  cache.subscribe(recorder);
  recorder.take();
  auto newer = service("web");
  newer.resource_version = 12;  // Nobody can see a version.
  CHECK(cache.put(newer) == ServiceCache::Applied::Nothing);
  CHECK(recorder.take() == Lines{"version 12"});
  CHECK(cache.put(slice("web-a", "web")) == ServiceCache::Applied::Nothing);
  CHECK(cache.put(kube::Namespace{"shop", 0, {}}) == ServiceCache::Applied::Nothing);
  CHECK(cache.put(kube::Pod{.key = {"shop", "web-0"}}) == ServiceCache::Applied::Nothing);
  CHECK(cache.erase_service({"shop", "other"}) == ServiceCache::Applied::Nothing);
  CHECK(cache.erase_slice({"shop", "other"}) == ServiceCache::Applied::Nothing);
  CHECK(cache.erase_namespace("other") == ServiceCache::Applied::Nothing);
  CHECK(cache.erase_pod({"shop", "other"}) == ServiceCache::Applied::Nothing);
  CHECK(recorder.take().empty());
}

TEST_CASE("a slice that changes its Service leaves one and joins the other") {
  ServiceCache cache;
  cache.put(service("web"));
  cache.put(slice("a", "web"));
  Recorder recorder;
  cache.subscribe(recorder);
  recorder.take();
  cache.put(slice("a", "api"));
  CHECK(recorder.take() == Lines{"shop/web: service+a -> service", "shop/api: none -> none+a"});
  cache.put(slice("a", ""));  // The label is gone: it belongs to nobody.
  CHECK(recorder.take() == Lines{"shop/api: none+a -> none"});
  CHECK(cache.counts().slices == 1);
}

TEST_CASE("a late subscriber is told everything that is there, then every change") {
  ServiceCache cache;
  cache.put(service("web"));
  cache.put(slice("a", "web"));
  cache.put(kube::Namespace{"shop", 41, {}});
  cache.put(kube::Pod{.key = {"shop", "web-0"}});
  cache.set_synced();
  cache.set_synced();
  Recorder recorder;
  cache.subscribe(recorder);
  CHECK(recorder.take() == Lines{"version 41", "namespace added", "shop/web: none -> service+a",
                                 "pod added", "synced"});
  cache.unsubscribe(recorder);
  cache.erase_service({"shop", "web"});
  CHECK(recorder.take().empty());
}

TEST_CASE("counts and the newest resourceVersion follow the objects") {
  ServiceCache cache;
  Recorder recorder;
  cache.subscribe(recorder);
  auto one = service("web");
  one.resource_version = 7;
  cache.put(one);
  cache.put(slice("a", "web"));
  auto larger = slice("a", "web");
  larger.add({.address = IpAddress::v4(10, 0, 0, 2)}, "", "");
  larger.resource_version = 5;
  cache.put(larger);
  CHECK(cache.counts().services == 1);
  CHECK(cache.counts().slices == 1);
  CHECK(cache.counts().endpoints == 2);
  CHECK(cache.newest_resource_version() == 7);
  cache.advance_resource_version(9);
  cache.advance_resource_version(8);
  CHECK(cache.newest_resource_version() == 9);
  cache.erase_slice({"shop", "a"});
  CHECK(cache.counts().endpoints == 0);
  CHECK(cache.counts().slices == 0);
}

}  // namespace waypost::cache
