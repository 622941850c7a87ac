// A world as Kubernetes manifests, for servers that are processes of their own.

#pragma once

#include "bench/world.h"

#include <filesystem>

namespace waypost::bench {

// Writes the world and the large Services into an existing folder: NAMESPACE.json for each
// namespace, a List of its objects.  Throws std::runtime_error when a file cannot be written.
void write_manifests(const World& world, const std::filesystem::path& folder);

}  // namespace waypost::bench
