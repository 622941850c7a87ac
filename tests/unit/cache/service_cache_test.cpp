#include "cache/service_cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
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
  void on_node(const ObjectDelta<kube::Node>& delta) override {
    lines.push_back("node " + presence(delta));
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
  CHECK(!cache.find({"shop", "web"}));
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
  CHECK(recorder.take() == Lines{"version 41", "shop/web: none -> service+a", "pod added",
                                 "namespace added", "synced"});
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

TEST_CASE("a new complete list erases what it does not have, and nothing else") {
  using kube::ObjectKind;
  ServiceCache cache;
  const auto put_all = [&] {
    cache.put(kube::Namespace{"shop", 1, {}});
    cache.put(kube::Namespace{"gone", 1, {}});
    for (const std::string name : {"a", "b", "c"}) {
      cache.put(service(name));
      cache.put(slice(name + "-1", name));
      cache.put(kube::Pod{.key = {"shop", name}});
    }
  };
  put_all();
  Recorder recorder;
  cache.subscribe(recorder);
  recorder.take();

  cache.begin_relist(ObjectKind::Service);
  CHECK(cache.put(service("a")) == ServiceCache::Applied::Nothing);
  CHECK(cache.keep_in_relist(ObjectKind::Service, {"shop", "b"}));
  CHECK(!cache.keep_in_relist(ObjectKind::Service, {"shop", "other"}));
  cache.end_relist(ObjectKind::Service, 20);
  CHECK(recorder.take() == Lines{"version 20", "shop/c: service+c-1 -> none+c-1"});
  cache.begin_relist(ObjectKind::Service);
  cache.put(service("a"));
  cache.put(service("b"));
  cache.end_relist(ObjectKind::Service, 30);
  CHECK(recorder.take().empty());  // Nothing is gone: the version says nothing either.

  cache.begin_relist(ObjectKind::EndpointSlice);
  CHECK(cache.keep_in_relist(ObjectKind::EndpointSlice, {"shop", "a-1"}));
  cache.put(slice("b-1", "b", 9));
  cache.end_relist(ObjectKind::EndpointSlice, 0);
  CHECK(recorder.take() == Lines{"shop/b: service+b-1 -> service+b-1", "shop/c: none+c-1 -> none"});

  cache.begin_relist(ObjectKind::Namespace);
  CHECK(cache.keep_in_relist(ObjectKind::Namespace, {"", "shop"}));
  cache.end_relist(ObjectKind::Namespace, 0);
  cache.begin_relist(ObjectKind::Pod);
  CHECK(cache.keep_in_relist(ObjectKind::Pod, {"shop", "b"}));
  cache.put(kube::Pod{.key = {"shop", "c"}});
  cache.end_relist(ObjectKind::Pod, 0);
  CHECK(recorder.take() == Lines{"namespace removed", "pod removed"});
  CHECK(cache.find_namespace("shop") != nullptr);
  CHECK(!cache.find_pod({"shop", "a"}));
}

TEST_CASE("a list that breaks off erases nothing, then or in the next one") {
  ServiceCache cache;
  cache.put(service("a"));
  cache.put(service("b"));
  cache.begin_relist(kube::ObjectKind::Service);
  cache.put(service("a"));
  cache.abandon_relist(kube::ObjectKind::Service);
  cache.end_relist(kube::ObjectKind::Service, 9);
  CHECK(cache.counts().services == 2);
  cache.begin_relist(kube::ObjectKind::Service);
  cache.put(service("b"));
  cache.end_relist(kube::ObjectKind::Service, 9);
  CHECK(cache.counts().services == 1);  // What the first list had does not count for the second.
  CHECK(cache.find({"shop", "b"}));
}

TEST_CASE("objects of one namespace are found without a look at the others") {
  ServiceCache cache;
  cache.put(service("a"));
  cache.put(slice("b-1", "b"));
  cache.put(kube::Pod{.key = {"shop", "c"}});
  cache.put(kube::Pod{.key = {"other", "d"}});
  auto elsewhere = service("e");
  elsewhere.key.name_space = "other";
  cache.put(elsewhere);
  const auto names_in = [&](const std::string& name_space) {
    std::set<std::string> names;
    cache.for_each_service_in(name_space, [&](const kube::ObjectKey& key, const ServiceState&) {
      names.insert(key.to_text());
    });
    cache.for_each_pod_in(name_space,
                          [&](const kube::Pod& pod) { names.insert(pod.key.to_text()); });
    return names;
  };
  CHECK(names_in("shop") == std::set<std::string>{"shop/a", "shop/b", "shop/c"});
  CHECK(names_in("other") == std::set<std::string>{"other/d", "other/e"});
  cache.erase_service({"shop", "a"});
  cache.erase_pod({"shop", "c"});
  CHECK(names_in("shop") == std::set<std::string>{"shop/b"});
  cache.erase_slice({"shop", "b-1"});
  CHECK(names_in("shop").empty());
}

TEST_CASE("the keys are those of the objects, also where only slices are known") {
  ServiceCache cache;
  cache.put(service("a"));
  cache.put(slice("b-1", "b"));
  cache.put(kube::Pod{.key = {"other", "c"}});
  std::set<std::string> services;
  std::set<std::string> pods;
  const auto into = [](std::set<std::string>& keys) {
    return [&keys](std::string_view name_space, std::string_view name) {
      keys.insert(std::string(name_space) + "/" + std::string(name));
    };
  };
  cache.for_each_service_key(into(services));
  cache.for_each_pod_key(into(pods));
  CHECK(services == std::set<std::string>{"shop/a", "shop/b"});
  CHECK(pods == std::set<std::string>{"other/c"});
}

TEST_CASE("what no reader wants is not kept, and then makes no difference") {
  ServiceCache cache(Kept{.labels = false, .selectors = false, .pod_names = false});
  auto labelled = service("web");
  labelled.labels = {{"app", "web"}};
  labelled.selector = labelled.labels;
  cache.put(labelled);
  CHECK(cache.find({"shop", "web"})->service->labels.empty());
  CHECK(cache.find({"shop", "web"})->service->selector.empty());
  labelled.labels = {{"app", "other"}};
  CHECK(cache.put(labelled) == ServiceCache::Applied::Nothing);
  kube::EndpointSlice with_pod = slice("web-a", "web");
  with_pod.add({.address = IpAddress::v4(10, 0, 0, 2)}, "host", "pod");
  cache.put(with_pod);
  const auto state = cache.find({"shop", "web"});
  const kube::EndpointSlice& kept = *state->slices.at(0);
  CHECK(kept.hostname(kept.endpoints.at(1)) == "host");
  CHECK(kept.pod_name(kept.endpoints.at(1)).empty());
  cache.put(kube::Namespace{"shop", 0, {{"team", "a"}}});
  CHECK(cache.find_namespace("shop")->labels.empty());
}

TEST_CASE("Nodes come, change, go, and are found missing by a relist") {
  ServiceCache cache;
  Recorder recorder;
  cache.subscribe(recorder);
  const auto node = [](const std::string& name, bool deleting = false) {
    kube::Node object;
    object.name = name;
    object.is_deleting = deleting;
    return object;
  };
  cache.put(node("a"));
  cache.put(node("b"));
  cache.put(node("a", true));
  CHECK(cache.put(node("a", true)) == ServiceCache::Applied::Nothing);
  CHECK(recorder.take() == Lines{"node added", "node added", "node updated"});
  cache.begin_relist(kube::ObjectKind::Node);
  CHECK(cache.keep_in_relist(kube::ObjectKind::Node, {{}, "a"}));
  cache.end_relist(kube::ObjectKind::Node, 0);
  CHECK(recorder.take() == Lines{"node removed"});
  CHECK(cache.counts().nodes == 1);
  REQUIRE(cache.find_node("a") != nullptr);
  CHECK(cache.find_node("a")->is_deleting);
  CHECK(cache.erase(kube::ObjectKind::Node, {{}, "a"}) == ServiceCache::Applied::Removed);
  CHECK(cache.find_node("a") == nullptr);
}

}  // namespace waypost::cache
