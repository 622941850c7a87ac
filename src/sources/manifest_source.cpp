#include "sources/manifest_source.h"

#include "base/file.h"
#include "sources/address_allocator.h"
#include "sources/cache_operations.h"
#include "sources/manifest_file.h"
#include "sources/slice_deriver.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace waypost::sources {
namespace {

using kube::ObjectKey;
using FilesByName = std::map<std::string, std::unique_ptr<ManifestFile>>;

template <typename T>
constexpr kube::ObjectKind KindOf = kube::ObjectKind::Service;
template <>
constexpr kube::ObjectKind KindOf<kube::EndpointSlice> = kube::ObjectKind::EndpointSlice;
template <>
constexpr kube::ObjectKind KindOf<kube::Namespace> = kube::ObjectKind::Namespace;
template <>
constexpr kube::ObjectKind KindOf<kube::Pod> = kube::ObjectKind::Pod;
template <>
constexpr kube::ObjectKind KindOf<kube::Node> = kube::ObjectKind::Node;

// The objects of one kind, whichever file they are from.
template <typename T>
struct World {
  // The objects in force: for each key that of the first file by name.
  std::map<ObjectKey, std::shared_ptr<const T>> objects;
  // Who gives an object of that name, in the order of file names; hardly ever more than one.
  std::unordered_map<ObjectKey, std::vector<const ManifestFile*>, kube::ObjectKeyHash> givers;
  std::set<ObjectKey> contested;  // Those with more than one.
};

// What a load changes in one kind.
template <typename T>
struct Change {
  ObjectKey key;
  std::shared_ptr<const T> before;  // Null: was not there.
  std::shared_ptr<const T> after;   // Null: is gone.
};
template <typename T>
using Changes = std::vector<Change<T>>;

// The folder's own modification time: it advances when a file is added, removed or renamed.
std::uint64_t modified_seconds(const std::filesystem::path& path) noexcept {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && status.st_mtim.tv_sec > 0
             ? static_cast<std::uint64_t>(status.st_mtim.tv_sec)
             : 0;
}

kube::Namespace implied_namespace(const std::string& name) {
  kube::Namespace name_space;
  name_space.name = name;
  name_space.labels = {{"kubernetes.io/metadata.name", name}};
  return name_space;
}

}  // namespace

struct ManifestSource::State {
  State(ManifestOptions chosen, cache::ServiceCache& target)
      : options(std::move(chosen)), families(families_of(options.service_cidrs)), cache(target) {
    lived_in = {{"default", 1}, {"kube-system", 1}};
  }

  // The stages of a load, in order.
  Result<void> read_files();
  template <typename T>
  void compare(const ManifestFile& file, const ManifestObjects& before,
               const ManifestObjects& after);
  template <typename T>
  Changes<T> settle();
  void count_lives(const ObjectKey& key, bool was, bool is);
  void derive_namespaces(const Changes<kube::Namespace>& changes, CacheOperations& operations);
  void derive_services(const Changes<kube::Service>& changes, CacheOperations& operations);
  void note_slices(const Changes<kube::EndpointSlice>& changes, CacheOperations& operations);
  static void note_nodes(const Changes<kube::Node>& changes, CacheOperations& operations);
  void note_pods(const Changes<kube::Pod>& changes, CacheOperations& operations);
  void derive_slices_of(const ObjectKey& key, CacheOperations& operations);
  void advance_version();
  void collect_problems(const Result<void>& listing);
  template <typename T>
  void report_contested();

  template <typename T>
  World<T>& world() {
    return std::get<World<T>>(worlds);
  }
  template <typename T>
  std::set<ObjectKey>& touched() {
    return touched_by_kind[static_cast<std::size_t>(KindOf<T>)];
  }

  ManifestOptions options;
  std::vector<kube::IpFamily> families;  // Of the service CIDRs.
  cache::ServiceCache& cache;

  FilesByName files;
  std::tuple<World<kube::Service>, World<kube::EndpointSlice>, World<kube::Namespace>,
             World<kube::Pod>, World<kube::Node>>
      worlds;
  std::array<std::set<ObjectKey>, 5> touched_by_kind;  // By files that were read in this load.

  AddressPlan plan;
  std::unordered_map<std::string, std::size_t>
      lived_in;                            // Objects by namespace, and 1 where always.
  std::set<std::string> fresh_namespaces;  // In lived_in for the first time, or the last.
  PodIndex pods;
  // Declared slices by the Service that they name; a Service with any gets none derived.
  std::map<ObjectKey, std::size_t> declared_slices;
  std::map<ObjectKey, std::vector<kube::EndpointSlice>> derived_slices;
  std::set<ObjectKey> stale_derivations;  // Services whose derived slices may be wrong.

  std::vector<Error> errors;
};

// Reads what is new, and notes in `touched_by_kind` what that may change.
Result<void> ManifestSource::State::read_files() {
  auto listing = options.files.empty() ? list_files(options.folder, {".yaml", ".yml", ".json"})
                                       : Result<std::vector<std::filesystem::path>>(options.files);
  if (!listing) {
    return std::unexpected(std::move(listing.error()));
  }
  const auto compare_all = [&](const ManifestFile& file, const ManifestObjects& before,
                               const ManifestObjects& after) {
    compare<kube::Service>(file, before, after);
    compare<kube::EndpointSlice>(file, before, after);
    compare<kube::Namespace>(file, before, after);
    compare<kube::Pod>(file, before, after);
    compare<kube::Node>(file, before, after);
  };
  static const ManifestObjects nothing;
  std::set<std::string> present;
  for (std::filesystem::path& path : *listing) {
    const std::string name = path.string();
    present.insert(name);
    std::unique_ptr<ManifestFile>& file = files[name];
    if (file == nullptr) {
      file = std::make_unique<ManifestFile>(std::move(path), options.decode);
    }
    if (const auto before = file->refresh()) {
      compare_all(*file, *before, file->objects());
    }
  }
  std::erase_if(files, [&](const auto& entry) {
    if (present.contains(entry.first)) {
      return false;
    }
    compare_all(*entry.second, entry.second->objects(), nothing);
    return true;
  });
  return {};
}

template <typename T>
void ManifestSource::State::compare(const ManifestFile& file, const ManifestObjects& before,
                                    const ManifestObjects& after) {
  const Claims<T>& old = std::get<Claims<T>>(before);
  const Claims<T>& now = std::get<Claims<T>>(after);
  auto& givers = world<T>().givers;
  for (const auto& [key, claim] : now) {
    const auto known = old.find(key);
    if (known == old.end()) {
      std::vector<const ManifestFile*>& list = givers[key];
      list.insert(std::upper_bound(list.begin(), list.end(), &file,
                                   [](const ManifestFile* left, const ManifestFile* right) {
                                     return left->path() < right->path();
                                   }),
                  &file);
    }
    if (known == old.end() || known->second.object != claim.object) {
      touched<T>().insert(key);
    }
  }
  for (const auto& [key, claim] : old) {
    if (now.contains(key)) {
      continue;
    }
    const auto list = givers.find(key);
    std::erase(list->second, &file);
    if (list->second.empty()) {
      givers.erase(list);
    }
    touched<T>().insert(key);
  }
}

// Decides which object is in force for every touched key.
template <typename T>
Changes<T> ManifestSource::State::settle() {
  World<T>& kind = world<T>();
  Changes<T> changes;
  for (const ObjectKey& key : touched<T>()) {
    const auto givers = kind.givers.find(key);
    std::shared_ptr<const T> winner;
    if (givers != kind.givers.end()) {
      winner = std::get<Claims<T>>(givers->second.front()->objects()).at(key).object;
    }
    if (givers != kind.givers.end() && givers->second.size() > 1) {
      kind.contested.insert(key);
    } else {
      kind.contested.erase(key);
    }
    const auto at = kind.objects.find(key);
    std::shared_ptr<const T> before = at == kind.objects.end() ? nullptr : at->second;
    if (before == winner) {
      continue;
    }
    if (winner == nullptr) {
      kind.objects.erase(at);
    } else {
      kind.objects.insert_or_assign(key, winner);
    }
    count_lives(key, before != nullptr, winner != nullptr);
    changes.push_back({key, std::move(before), std::move(winner)});
  }
  touched<T>().clear();
  return changes;
}

void ManifestSource::State::count_lives(const ObjectKey& key, bool was, bool is) {
  if (key.name_space.empty() || was == is) {
    return;
  }
  std::size_t& count = lived_in[key.name_space];
  count = is ? count + 1 : count - 1;
  if (count <= 1) {
    fresh_namespaces.insert(key.name_space);
  }
}

// A Namespace is there when a manifest declares it, when something lives in it, and when every
// cluster has it.
void ManifestSource::State::derive_namespaces(const Changes<kube::Namespace>& changes,
                                              CacheOperations& operations) {
  for (const auto& change : changes) {
    fresh_namespaces.insert(change.key.name);
  }
  for (const std::string& name : fresh_namespaces) {
    const auto& declared = world<kube::Namespace>().objects;
    const auto at = declared.find({{}, name});
    if (at != declared.end()) {
      operations.namespaces.push_back(*at->second);
    } else if (lived_in[name] > 0) {
      operations.namespaces.push_back(implied_namespace(name));
    } else {
      lived_in.erase(name);
      operations.erased_namespaces.insert(name);
    }
  }
  fresh_namespaces.clear();
  std::erase_if(operations.namespaces, [&](const kube::Namespace& name_space) {
    const kube::Namespace* known = cache.find_namespace(name_space.name);
    return known != nullptr && *known == name_space;
  });
}

void ManifestSource::State::derive_services(const Changes<kube::Service>& changes,
                                            CacheOperations& operations) {
  if (changes.empty()) {
    return;
  }
  const auto& services = world<kube::Service>().objects;
  AddressPlan next = plan_addresses(services, options.service_cidrs);
  std::set<ObjectKey> keys;
  for (const auto& change : changes) {
    keys.insert(change.key);
  }
  // A new Service may take the address that another one had so far.
  for (const auto& [key, addresses] : next.addresses) {
    const auto known = plan.addresses.find(key);
    if (known == plan.addresses.end() || known->second != addresses) {
      keys.insert(key);
    }
  }
  for (const auto& [key, addresses] : plan.addresses) {
    if (!next.addresses.contains(key)) {
      keys.insert(key);
    }
  }
  plan = std::move(next);

  for (const ObjectKey& key : keys) {
    stale_derivations.insert(key);
    const auto at = services.find(key);
    if (at == services.end()) {
      operations.erased_services.push_back(key);
      continue;
    }
    kube::Service service = *at->second;
    const auto planned = plan.addresses.find(key);
    if (planned != plan.addresses.end()) {
      service.cluster_ips = planned->second;
    }
    operations.services.push_back(std::move(service));
  }
}

void ManifestSource::State::note_slices(const Changes<kube::EndpointSlice>& changes,
                                        CacheOperations& operations) {
  const auto count = [&](const std::shared_ptr<const kube::EndpointSlice>& slice, bool is_new) {
    if (slice == nullptr || slice->service_name.empty()) {
      return;
    }
    const ObjectKey service{slice->key.name_space, slice->service_name};
    std::size_t& slices = declared_slices[service];
    slices = is_new ? slices + 1 : slices - 1;
    if (slices == 0) {
      declared_slices.erase(service);
    }
    stale_derivations.insert(service);
  };
  for (const auto& change : changes) {
    count(change.after, true);
    count(change.before, false);
    if (change.after != nullptr) {
      operations.slices.push_back(*change.after);
    } else {
      operations.erased_slices.insert(change.key);
    }
  }
}

void ManifestSource::State::note_nodes(const Changes<kube::Node>& changes,
                                       CacheOperations& operations) {
  for (const auto& change : changes) {
    if (change.after != nullptr) {
      operations.nodes.push_back(*change.after);
    } else {
      operations.erased_nodes.push_back(change.key.name);
    }
  }
}

void ManifestSource::State::note_pods(const Changes<kube::Pod>& changes,
                                      CacheOperations& operations) {
  const auto is_wanted = [this](const std::shared_ptr<const kube::Pod>& pod) {
    return pod != nullptr &&
           (options.pods_of_node.empty() || pod->node_name == options.pods_of_node);
  };
  std::set<std::string> name_spaces;
  for (const auto& change : changes) {
    if (change.before != nullptr) {
      pods.remove(*change.before);
    }
    if (change.after != nullptr) {
      pods.add(*change.after);
    }
    if (is_wanted(change.after)) {
      operations.pods.push_back(*change.after);
    } else if (is_wanted(change.before)) {
      operations.erased_pods.push_back(change.key);
    }
    name_spaces.insert(change.key.name_space);
  }
  const auto& services = world<kube::Service>().objects;
  for (const std::string& name_space : name_spaces) {
    for (auto at = services.lower_bound({name_space, {}});
         at != services.end() && at->first.name_space == name_space; ++at) {
      const kube::Labels& selector = at->second->selector;
      const auto is_selected = [&](const std::shared_ptr<const kube::Pod>& pod) {
        return pod != nullptr && kube::matches(pod->labels, selector);
      };
      // Few Pods are compared one by one; after many it is cheaper to derive again.
      constexpr std::size_t Few = 100;
      if (!selector.empty() &&
          (changes.size() > Few || std::any_of(changes.begin(), changes.end(), [&](const auto& c) {
             return c.key.name_space == name_space &&
                    (is_selected(c.before) || is_selected(c.after));
           }))) {
        stale_derivations.insert(at->first);
      }
    }
  }
}

void ManifestSource::State::derive_slices_of(const ObjectKey& key, CacheOperations& operations) {
  const auto& services = world<kube::Service>().objects;
  const auto at = services.find(key);
  std::vector<kube::EndpointSlice> slices;
  if (at != services.end() && at->second->type != kube::ServiceType::ExternalName &&
      !at->second->selector.empty() && !declared_slices.contains(key)) {
    const kube::Service& service = *at->second;
    // A headless Service whose manifest leaves the families open serves every address of its Pods
    // that the cluster has Services for.
    const bool is_open = service.headless && service.ip_families.empty();
    const std::vector<kube::IpFamily> wanted =
        families.empty() ? std::vector{kube::IpFamily::V4, kube::IpFamily::V6}
        : is_open        ? families
                         : wanted_families(service, families);
    slices = sources::derive_slices(service, pods.find(key.name_space, service.selector), wanted);
  }

  const auto known = derived_slices.find(key);
  static const std::vector<kube::EndpointSlice> none;
  const auto& before = known == derived_slices.end() ? none : known->second;
  if (before == slices) {
    return;
  }
  for (const kube::EndpointSlice& slice : slices) {
    if (std::find(before.begin(), before.end(), slice) == before.end()) {
      operations.erased_slices.erase(slice.key);
      operations.slices.push_back(slice);
    }
  }
  for (const kube::EndpointSlice& slice : before) {
    if (std::none_of(slices.begin(), slices.end(),
                     [&](const kube::EndpointSlice& other) { return other.key == slice.key; }) &&
        !world<kube::EndpointSlice>().objects.contains(slice.key)) {
      operations.erased_slices.insert(slice.key);
    }
  }
  if (slices.empty()) {
    derived_slices.erase(known);
  } else {
    derived_slices.insert_or_assign(key, std::move(slices));
  }
}

// Every change has to show in the newest version, also one that no object's version tells of: a
// deletion, or an edit that leaves resourceVersion as it was.
void ManifestSource::State::advance_version() {
  const std::uint64_t before = cache.newest_resource_version();
  cache.advance_resource_version(std::max(before + 1, modified_seconds(options.folder)));
}

template <typename T>
void ManifestSource::State::report_contested() {
  const World<T>& kind = world<T>();
  for (const ObjectKey& key : kind.contested) {
    const auto& givers = kind.givers.at(key);
    for (std::size_t i = 1; i < givers.size(); ++i) {
      const std::size_t line = std::get<Claims<T>>(givers[i]->objects()).at(key).line;
      errors.push_back({ErrorKind::InvalidInput,
                        givers[i]->path().string() + ": line " + std::to_string(line) + ": " +
                            std::string(to_text(KindOf<T>)) + " " + key.to_text() +
                            ": is given in " + givers[0]->path().filename().string() +
                            " already; that one is used"});
    }
  }
}

void ManifestSource::State::collect_problems(const Result<void>& listing) {
  errors.clear();
  if (!listing) {
    errors.push_back(listing.error());
  }
  for (const auto& [name, file] : files) {
    errors.insert(errors.end(), file->problems().begin(), file->problems().end());
  }
  report_contested<kube::Service>();
  report_contested<kube::EndpointSlice>();
  report_contested<kube::Namespace>();
  report_contested<kube::Pod>();
  report_contested<kube::Node>();
  for (const AddressPlan::Problem& problem : plan.problems) {
    const ManifestFile* file = world<kube::Service>().givers.at(problem.service).front();
    const std::size_t line =
        std::get<Claims<kube::Service>>(file->objects()).at(problem.service).line;
    errors.push_back({ErrorKind::InvalidInput,
                      file->path().string() + ": line " + std::to_string(line) + ": Service " +
                          problem.service.to_text() + ": " + problem.message});
  }
}

ManifestSource::ManifestSource(ManifestOptions options, cache::ServiceCache& cache)
    : state_(std::make_unique<State>(std::move(options), cache)) {}

ManifestSource::~ManifestSource() = default;

std::vector<Error> ManifestSource::load() {
  State& state = *state_;
  const Result<void> listing = state.read_files();
  if (listing) {
    if (!state.cache.is_synced()) {
      state.fresh_namespaces = {"default", "kube-system"};
    }
    CacheOperations operations;
    const auto namespaces = state.settle<kube::Namespace>();
    const auto services = state.settle<kube::Service>();
    const auto slices = state.settle<kube::EndpointSlice>();
    const auto pods = state.settle<kube::Pod>();
    const auto nodes = state.settle<kube::Node>();
    state.derive_namespaces(namespaces, operations);
    state.derive_services(services, operations);
    state.note_slices(slices, operations);
    state.note_pods(pods, operations);
    State::note_nodes(nodes, operations);
    for (const ObjectKey& key : std::exchange(state.stale_derivations, {})) {
      state.derive_slices_of(key, operations);
    }
    if (!operations.empty()) {
      state.advance_version();
      operations.apply(state.cache);
    }
    state.cache.set_synced();
  }

  std::set<std::string> known;
  for (Error& error : state.errors) {
    known.insert(std::move(error.message));
  }
  state.collect_problems(listing);
  std::vector<Error> fresh;
  for (const Error& error : state.errors) {
    if (!known.contains(error.message)) {
      fresh.push_back(error);
    }
  }
  return fresh;
}

const std::vector<Error>& ManifestSource::errors() const noexcept {
  return state_->errors;
}

}  // namespace waypost::sources
