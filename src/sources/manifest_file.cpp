#include "sources/manifest_file.h"

#include "base/file.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

namespace waypost::sources {
namespace {

constexpr std::int64_t NsPerSecond = 1'000'000'000;

// Copies are as large as what is in them; what was decoded has room to grow, and would keep it for
// as long as the file is there.
template <typename T>
std::shared_ptr<const T> compact(const T& object) {
  auto copy = std::make_shared<T>(object);
  if constexpr (requires { copy->traffic; }) {
    if (copy->traffic) {
      copy->traffic =
          kube::SharedPart(std::remove_cvref_t<decltype(*copy->traffic)>(*copy->traffic));
    }
  }
  return copy;
}

bool may_be_about(const kube::ManifestProblem& problem, kube::ObjectKind kind,
                  const kube::ObjectKey& key) {
  return (!problem.kind || *problem.kind == kind) &&
         (problem.key.name.empty() || problem.key == key);
}

}  // namespace

void ManifestFile::report(ErrorKind kind, std::string_view message) {
  problems_.push_back(with_context(Error{kind, std::string(message)}, path_.string()));
}

std::optional<ManifestObjects> ManifestFile::refresh() {
  const auto identity = identify(path_);
  if (identity && identity == identity_) {
    return std::nullopt;
  }
  ManifestObjects before = objects_;
  problems_.clear();
  identity_.reset();
  auto text = read_file(path_);
  if (!text) {
    problems_.push_back(std::move(text.error()));
    return before;
  }
  if (identity && identity->is_settled()) {
    identity_ = identity;
  }
  const std::int64_t seconds = identity ? identity->modified_ns / NsPerSecond : 0;
  take(kube::decode_manifests(*text, options_),
       static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 1)));
  return before;
}

void ManifestFile::take(kube::Manifests manifests, std::uint64_t version) {
  for (const kube::ManifestProblem& problem : manifests.problems) {
    report(ErrorKind::InvalidInput, problem.message);
  }
  if (!manifests.is_complete) {
    return;
  }
  const auto& problems = manifests.problems;
  take_kind(std::move(manifests.services), kube::ObjectKind::Service, problems, version);
  take_kind(std::move(manifests.slices), kube::ObjectKind::EndpointSlice, problems, version);
  take_kind(std::move(manifests.namespaces), kube::ObjectKind::Namespace, problems, version);
  take_kind(std::move(manifests.pods), kube::ObjectKind::Pod, problems, version);
  take_kind(std::move(manifests.nodes), kube::ObjectKind::Node, problems, version);
}

template <typename T>
void ManifestFile::take_kind(std::vector<kube::Decoded<T>> decoded, kube::ObjectKind kind,
                             const std::vector<kube::ManifestProblem>& problems,
                             std::uint64_t version) {
  Claims<T>& old = std::get<Claims<T>>(objects_);
  Claims<T> claims;
  for (kube::Decoded<T>& entry : decoded) {
    T& object = entry.object;
    const auto [at, is_new] = claims.try_emplace(key_of(object));
    if (!is_new) {
      report(ErrorKind::InvalidInput, "line " + std::to_string(entry.line) + ": " +
                                          std::string(to_text(kind)) + " " + at->first.to_text() +
                                          ": is given at line " + std::to_string(at->second.line) +
                                          " already; that one is used");
      continue;
    }
    at->second.line = entry.line;
    const auto known = old.find(at->first);
    const bool has_version = object.resource_version != 0;
    if (!has_version) {
      object.resource_version =
          known == old.end() ? version : known->second.object->resource_version;
    }
    if (known != old.end() && *known->second.object == object) {
      at->second.object = known->second.object;
      continue;
    }
    if (!has_version) {
      object.resource_version = version;
    }
    at->second.object = compact(object);
  }

  for (auto& [key, claim] : old) {
    const bool is_in_doubt =
        std::any_of(problems.begin(), problems.end(),
                    [&](const auto& problem) { return may_be_about(problem, kind, key); });
    if (is_in_doubt) {
      claims.try_emplace(key, std::move(claim));
    }
  }
  old = std::move(claims);
}

}  // namespace waypost::sources
