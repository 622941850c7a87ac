// The door to yaml-cpp for configuration: the text of a file to settings.

#pragma once

#include "ops/config.h"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace waypost::ops {

struct ReadSettings {
  std::vector<Setting> settings;  // In the order of the file, also those beside problems.
  Problems problems;              // What is wrong with the YAML itself, or a key given twice.
};

// What becomes of a map within the map: one setting that no option accepts, or its own keys, each
// behind the map's and a dot ("iptables.masqueradeBit").
enum class NestedMaps : std::uint8_t { AsOne, Flattened };

// Takes one YAML document that is a map, or nothing at all (an empty file, or comments only).  Keys
// and values are not judged here.  `path` is what messages name; relative paths in values start
// from its folder.
ReadSettings read_settings(std::string_view text, const std::filesystem::path& path,
                           NestedMaps nested = NestedMaps::AsOne);

}  // namespace waypost::ops
