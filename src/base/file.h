// Whole small files: read one, list a folder.

#pragma once

#include "base/error.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace waypost {

// The most that read_file() takes in, in bytes: configuration, manifests and zones are far smaller.
inline constexpr std::size_t MaxFileSize = 64U << 20;

// Returns the file's content.  Fails for a file that is missing, unreadable, not regular, or larger
// than MaxFileSize; the message names it.
Result<std::string> read_file(const std::filesystem::path& path);

// Returns the regular files right inside `folder` whose names end in one of `extensions` (".yaml"),
// in byte order of their names.  Names that start with a dot are left out: editors and ConfigMap
// volumes keep their own state there.  Fails when the folder cannot be read.
Result<std::vector<std::filesystem::path>> list_files(
    const std::filesystem::path& folder, std::initializer_list<std::string_view> extensions);

}  // namespace waypost
