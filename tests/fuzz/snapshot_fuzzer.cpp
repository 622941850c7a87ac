// Any octets behind a valid prelude: they are refused with a message and an untouched cache, or
// loaded, and what was loaded is saved and loaded again as the same.
//
// A file whose first octet is not the magic's gets a prelude here, for no fuzzer finds a checksum.

#include "cache/snapshot.h"
#include "cache/snapshot_format.h"
#include "support/snapshot_bytes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace waypost;
using namespace waypost::cache;
namespace format = waypost::cache::snapshot_format;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

Result<LoadedSnapshot> load(std::string_view file, ServiceCache& cache) {
  static const int fd = ::memfd_create("snapshot", MFD_CLOEXEC);
  expect(::ftruncate(fd, 0) == 0, "a memory file is emptied");
  expect(::pwrite(fd, file.data(), file.size(), 0) == static_cast<ssize_t>(file.size()),
         "a memory file takes everything");
  return load_snapshot(fd, "fuzz", cache);
}

std::string save(const ServiceCache& cache, const SnapshotOrigin& origin) {
  SnapshotWriter writer(cache, origin);
  std::string body;
  while (writer.step(body)) {
  }
  expect(writer.left_out() == 0, "what was in a file fits into a file");
  return std::string(as_text(writer.prelude())) + body;
}

// Everything that can be seen of a cache, each object in the form of its own record.
std::multiset<std::string> content(const ServiceCache& cache) {
  std::multiset<std::string> content;
  cache.for_each_service([&](const kube::ObjectKey& key, const ServiceState& state) {
    std::string text = key.to_text() + " ";
    if (state.service != nullptr) {
      text += std::to_string(state.service->resource_version) + state.service->external_name +
              std::to_string(state.service->ports.size()) +
              std::to_string(state.service->labels.size());
    }
    for (const SlicePointer& slice : state.slices) {
      text += " " + slice->key.to_text() + std::to_string(slice->resource_version);
      for (const kube::Endpoint& endpoint : slice->endpoints) {
        text += " " + endpoint.address.to_text() + std::string(slice->hostname(endpoint)) + "/" +
                std::string(slice->pod_name(endpoint));
      }
    }
    content.insert(std::move(text));
  });
  cache.for_each_namespace([&](const kube::Namespace& each) { content.insert(each.name); });
  cache.for_each_node([&](const kube::Node& node) {
    content.insert(node.name + std::to_string(node.addresses.size()));
  });
  cache.for_each_pod([&](const kube::Pod& pod) {
    std::string text = pod.key.to_text() + pod.hostname + std::to_string(pod.ports.size());
    for (const IpAddress& ip : pod.ips) {
      text += " " + ip.to_text();
    }
    content.insert(std::move(text));
  });
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(input), size);
  const bool is_file = octets.starts_with(format::Magic.front());
  ServiceCache cache;
  const auto loaded = load(is_file ? std::string(octets) : test::file_of(octets), cache);
  if (!loaded) {
    expect(!loaded.error().message.empty(), "a refusal says why");
    expect(content(cache).empty(), "a refused file changes nothing");
    return 0;
  }
  ServiceCache again;
  const auto reloaded = load(save(cache, loaded->origin), again);
  expect(reloaded.has_value(), "what was loaded is saved and loaded");
  expect(reloaded->origin == loaded->origin, "from the same origin");
  expect(content(again) == content(cache), "as the same objects");
  return 0;
}
