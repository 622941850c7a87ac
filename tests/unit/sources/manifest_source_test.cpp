#include "sources/manifest_source.h"

#include "world.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace waypost::sources {
namespace {

using Lines = std::vector<std::string>;

std::string plain(std::string_view name, std::string_view address) {
  return service_text(name, "{clusterIP: " + std::string(address) + ", ports: [{port: 80}]}");
}

}  // namespace

TEST_CASE("the first load delivers everything and then says so") {
  World world;
  world.folder.write("a.yaml", plain("web", "10.96.0.5"));
  world.folder.write("b.yml", namespace_text("other"));
  world.folder.write(
      "c.json", R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {}})");
  world.folder.write("README.md", "nothing: [");
  world.folder.write(".hidden.yaml", "nothing: [");
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"+namespace default", "+namespace kube-system",
                                       "+namespace other", "+namespace shop", "+service shop/web",
                                       "+pod default/p", "synced"});
  CHECK(world.cache.is_synced());
  CHECK(world.load().empty());
  CHECK(world.recorder.take().empty());
}

TEST_CASE("an empty folder is a world with the namespaces that are always there") {
  World world;
  CHECK(world.load().empty());
  CHECK(world.namespaces() == Lines{"default", "kube-system"});
  CHECK(world.cache.is_synced());
}

TEST_CASE("a missing folder is a problem, and nothing is synced before it is there") {
  World world;
  std::filesystem::remove(world.folder.path());
  Lines problems = world.load();
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].starts_with(world.folder.path().string() + ": "));
  CHECK_FALSE(world.cache.is_synced());
  CHECK(world.load().empty());  // Told once.
  CHECK(world.source.errors().size() == 1);

  std::filesystem::create_directory(world.folder.path());
  world.folder.write("a.yaml", plain("web", "10.96.0.5"));
  CHECK(world.load().empty());
  CHECK(world.source.errors().empty());
  CHECK(world.cache.is_synced());

  std::filesystem::remove_all(world.folder.path());
  CHECK(world.load().size() == 1);
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");
}

TEST_CASE("an edit makes deltas for what it changes and nothing else") {
  World world;
  world.folder.write_at("a.yaml", plain("web", "10.96.0.5") + plain("db", "10.96.0.6"), 1000);
  world.folder.write_at("b.yaml", plain("cart", "10.96.0.7"), 1000);
  world.load();
  world.recorder.take();

  world.folder.write_at("a.yaml", plain("web", "10.96.0.8") + plain("db", "10.96.0.6"), 2000);
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"~service shop/web"});
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.8");

  world.folder.write_at(
      "a.yaml", "# Only a comment.\n" + plain("db", "10.96.0.6") + plain("web", "10.96.0.8"), 3000);
  CHECK(world.load().empty());
  CHECK(world.recorder.take().empty());

  world.folder.write_at("a.yaml", plain("db", "10.96.0.6"), 4000);
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"-service shop/web"});
}

TEST_CASE("files come, go and change their names") {
  World world;
  world.folder.write("a.yaml", plain("web", "10.96.0.5"));
  world.load();
  world.recorder.take();

  world.folder.write("b.yaml", plain("db", "10.96.0.6"));
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"+service shop/db"});

  world.folder.rename("b.yaml", "c.yaml");
  CHECK(world.load().empty());
  for (const std::string& line : world.recorder.take()) {
    CHECK(line == "~service shop/db");  // Perhaps a new version; never gone in between.
  }

  world.folder.rename("c.yaml", "c.yaml.off");
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"-service shop/db"});

  world.folder.remove("a.yaml");
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"-service shop/web", "-namespace shop"});
}

TEST_CASE("Nodes are carried as they stand in the manifests") {
  World world;
  world.folder.write("a.yaml",
                     "apiVersion: v1\nkind: Node\nmetadata: {name: node-a}\n"
                     "spec: {podCIDR: 10.244.0.0/24}\n");
  CHECK(world.load().empty());
  const kube::Node* node = world.cache.find_node("node-a");
  REQUIRE(node != nullptr);
  CHECK(node->pod_cidrs.at(0).to_text() == "10.244.0.0/24");
  world.recorder.take();
  world.folder.write("a.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: node-b}\n");
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"+node node-b", "-node node-a"});
}

TEST_CASE("a file that is no YAML keeps all objects that it had") {
  World world;
  const std::string good = plain("web", "10.96.0.5") + plain("db", "10.96.0.6");
  world.folder.write("a.yaml", good);
  world.load();
  world.recorder.take();

  world.folder.write("a.yaml", plain("web", "10.96.0.9") + "---\nmetadata: [\n");
  const Lines problems = world.load();
  REQUIRE(problems.size() == 1);
  CAPTURE(problems[0]);
  CHECK(problems[0].starts_with("a.yaml: line 7, column 12: not YAML: "));
  CHECK(world.recorder.take().empty());
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");
  CHECK(world.load().empty());
  CHECK(world.source.errors().size() == 1);

  world.folder.write("a.yaml", good);
  CHECK(world.load().empty());
  CHECK(world.source.errors().empty());
  CHECK(world.recorder.take().empty());

  world.folder.write("a.yaml", "metadata: [\n");
  world.load();
  world.folder.remove("a.yaml");
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"-service shop/db", "-service shop/web", "-namespace shop"});
}

TEST_CASE("a bad object keeps its last good version, the others change") {
  World world;
  world.folder.write(
      "a.yaml", plain("web", "10.96.0.5") + plain("db", "10.96.0.6") + plain("gone", "10.96.0.7"));
  world.load();
  world.recorder.take();

  world.folder.write("a.yaml", plain("web", "nonsense") + plain("db", "10.96.0.8"));
  CHECK(world.load() ==
        Lines{"a.yaml: line 5: Service shop/web: spec.clusterIP: 'nonsense' is not an "
              "IP address"});
  CHECK(world.recorder.take() == Lines{"~service shop/db", "-service shop/gone"});
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");

  // The same problem somewhere else is a new one.
  world.folder.write("a.yaml", "\n" + plain("web", "nonsense") + plain("db", "10.96.0.8"));
  CHECK(world.load().size() == 1);

  world.folder.write("a.yaml", plain("web", "10.96.0.9") + plain("db", "10.96.0.8"));
  CHECK(world.load().empty());
  CHECK(world.recorder.take() == Lines{"~service shop/web"});
}

TEST_CASE("an object whose name cannot be read leaves the others of its kind as they were") {
  World world;
  world.folder.write("a.yaml", namespace_text("zone") + plain("web", "10.96.0.5"));
  world.load();
  world.recorder.take();

  world.folder.write("a.yaml", plain("''", "10.96.0.5"));
  CHECK(world.load().size() == 1);
  CHECK(world.recorder.take() == Lines{"-namespace zone"});
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");
}

TEST_CASE("of one object in two files the first by name wins") {
  World world;
  world.folder.write("b.yaml", namespace_text("x") + plain("web", "10.96.0.5"));
  world.load();
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");

  world.folder.write("c.yaml", plain("web", "10.96.0.6"));
  CHECK(world.load() ==
        Lines{"c.yaml: line 2: Service shop/web: is given in b.yaml already; that one is used"});
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");

  world.folder.write("a.yaml", plain("web", "10.96.0.7"));
  CHECK(world.load() ==
        Lines{"b.yaml: line 6: Service shop/web: is given in a.yaml already; that one is used",
              "c.yaml: line 2: Service shop/web: is given in a.yaml already; that one is used"});
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.7");

  world.folder.remove("a.yaml");
  CHECK(world.load() ==
        Lines{"c.yaml: line 2: Service shop/web: is given in b.yaml already; that one is used"});
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");

  world.folder.write("b.yaml", namespace_text("x"));
  CHECK(world.load().empty());
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.6");
  CHECK(world.source.errors().empty());
}

TEST_CASE("of one object twice in a file the first is used") {
  World world;
  world.folder.write("a.yaml", plain("web", "10.96.0.5") + plain("web", "10.96.0.6"));
  CHECK(world.load() ==
        Lines{"a.yaml: line 7: Service shop/web: is given at line 2 already; that one is used"});
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");
}

TEST_CASE("a file that cannot be read keeps its objects until it is gone") {
  World world;
  world.folder.write("a.yaml", plain("web", "10.96.0.5"));
  world.load();
  world.folder.write("a.yaml", "");
  std::filesystem::resize_file(world.folder.path() / "a.yaml", (std::size_t{64} << 20) + 1);
  const Lines problems = world.load();
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].starts_with("a.yaml: larger than 64 MiB"));
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");
  CHECK(world.load().empty());
  world.folder.write("a.yaml", "");
  CHECK(world.load().empty());
  CHECK(world.cluster_ips("shop", "web") == "absent");
}

TEST_CASE("an object's version is its own or the file's time") {
  World world;
  world.folder.write_at(
      "a.yaml",
      plain("web", "10.96.0.5") +
          "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop, "
          "resourceVersion: '77'}\nspec: {clusterIP: None}\n",
      1000);
  world.load();
  const auto version = [&](const char* name) {
    return world.cache.find({"shop", name})->service->resource_version;
  };
  CHECK(version("web") == 1000);
  CHECK(version("db") == 77);

  // A new time alone changes nothing, a new content gets it.
  world.folder.touch("a.yaml", 2000);
  world.recorder.take();
  world.load();
  CHECK(world.recorder.take().empty());
  CHECK(version("web") == 1000);
  world.folder.write_at("a.yaml", plain("web", "10.96.0.6"), 3000);
  world.load();
  CHECK(version("web") == 3000);
}

TEST_CASE("every change advances the newest version, and nothing else does") {
  World world;
  const auto newest = [&] { return world.cache.newest_resource_version(); };
  world.folder.write_at("a.yaml", plain("web", "10.96.0.5") + plain("db", "10.96.0.6"), 1000);
  world.load();
  std::uint64_t before = newest();
  const auto expect_rise = [&](const char* what, bool rises) {
    CAPTURE(what);
    CHECK(world.load().empty());
    CHECK((newest() > before) == rises);
    CHECK(newest() >= before);
    before = newest();
  };
  expect_rise("no change", false);
  world.folder.write_at("a.yaml", plain("web", "10.96.0.7") + plain("db", "10.96.0.6"), 1000);
  expect_rise("an edit within the same second", true);
  world.folder.write_at("a.yaml", plain("web", "10.96.0.5") + plain("db", "10.96.0.6"), 500);
  expect_rise("an edit with an older time", true);
  world.folder.touch("a.yaml", 1500);
  expect_rise("a new time", false);
  world.folder.write_at("a.yaml", plain("web", "10.96.0.5"), 1500);
  expect_rise("a deletion", true);
  world.folder.remove("a.yaml");
  expect_rise("a deleted file", true);
  const long future = 4'000'000'000;
  world.folder.write_at("a.yaml", plain("web", "10.96.0.5"), future);
  expect_rise("a file of tomorrow", true);
  CHECK(before == static_cast<std::uint64_t>(future));
  world.folder.remove("a.yaml");
  expect_rise("its deletion", true);
  CHECK(before == static_cast<std::uint64_t>(future) + 1);
}

TEST_CASE("a change is seen whatever the file's time says") {
  World world;
  world.folder.write_at("a.yaml", plain("web", "10.96.0.5"), 1000);
  world.load();
  world.folder.write_at("a.yaml", plain("web", "10.96.0.6"), 1000);  // The same size, too.
  world.load();
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.6");
}

TEST_CASE("files swapped in as a ConfigMap volume does are read again") {
  World world;
  const auto& folder = world.folder.path();
  const auto version = [&](const char* name, const char* address) {
    std::filesystem::create_directory(folder / name);
    world.folder.write(std::string(name) + "/a.yaml", plain("web", address));
  };
  version("..1", "10.96.0.5");
  std::filesystem::create_directory_symlink("..1", folder / "..data");
  std::filesystem::create_symlink("..data/a.yaml", folder / "a.yaml");
  CHECK(world.load().empty());
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.5");

  version("..2", "10.96.0.6");
  std::filesystem::create_directory_symlink("..2", folder / "..data_tmp");
  std::filesystem::rename(folder / "..data_tmp", folder / "..data");
  std::filesystem::remove_all(folder / "..1");
  CHECK(world.load().empty());
  CHECK(world.cluster_ips("shop", "web") == "10.96.0.6");
}

TEST_CASE("one edit among ten thousand Services costs little") {
  World world(std::vector<std::string_view>{"10.96.0.0/12"});
  constexpr int Files = 100;
  constexpr int Each = 100;
  const auto text = [](int file, int changed) {
    std::string yaml;
    for (int i = 0; i < Each; ++i) {
      const std::string name = std::to_string(file * Each + i);
      yaml += service_text("service-" + name, "{selector: {app: a" + name + "}, ports: [{port: " +
                                                  (i == changed ? "81" : "80") + "}]}");
      yaml += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p" + name +
              ", namespace: shop, labels: {app: a" + name +
              "}}\nstatus: {phase: Running, podIP: 10." + std::to_string(file) + ".0." +
              std::to_string(i) + "}\n";
    }
    return yaml;
  };
  for (int file = 0; file < Files; ++file) {
    world.folder.write_at(std::to_string(file) + ".yaml", text(file, -1), 1000);
  }
  const auto timed_load = [&] {
    const auto start = std::chrono::steady_clock::now();
    CHECK(world.load().empty());
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 start)
        .count();
  };
  const auto first = timed_load();
  CHECK(world.cache.counts().services == Files * Each);
  CHECK(world.cache.counts().slices == Files * Each);
  world.recorder.take();
  std::this_thread::sleep_for(
      std::chrono::milliseconds(60));  // Until the files' times are settled.
  timed_load();

  world.folder.write_at("7.yaml", text(7, 3), 2000);
  const auto edit = timed_load();
  const std::string service = "service shop/service-703";
  // The slice's name tells its port, so that another one takes its place.
  CHECK(world.recorder.take() == Lines{"~" + service, "*" + service, "*" + service});
  MESSAGE("first load " << first << " ms, one edit " << edit << " ms");
  CHECK(edit * 5 < first);
}

}  // namespace waypost::sources
