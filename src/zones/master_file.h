// The text of a master file (RFC 1035, 5), read entry by entry: comments, parentheses and quotes,
// $ORIGIN, $TTL and $INCLUDE.
//
// Not here: what a single record's fields mean (zones/record_text.h), what makes a zone of records
// (zones/zone_set.h).

#pragma once

#include "base/error.h"
#include "dns/ldns_bridge.h"
#include "dns/name.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::zones {

inline constexpr std::size_t MaxIncludeDepth = 8;
inline constexpr std::size_t MaxIncludes = 1000;

// A file that $INCLUDE named.
struct IncludedFile {
  std::filesystem::path path;  // For messages, and where its own $INCLUDEs are relative to.
  std::string text;
};

// Finds the file that `including` calls `name`.
using Includer = std::function<Result<IncludedFile>(const std::filesystem::path& including,
                                                    std::string_view name)>;

// Records in the order of their text.
struct MasterFile {
  struct Place {
    std::uint32_t file = 0;  // Into `files`.
    std::uint32_t line = 0;
  };

  std::vector<dns::Record> records;
  std::vector<Place> places;  // Of each record.
  std::vector<std::string> files;

  // "example.org.zone:12"
  std::string place_of(std::size_t record) const;
};

// Reads `text`, which `path` names in errors and includes.  TTL: the record's own, else $TTL
// (RFC 2308, 4), else that of the record before, else a SOA's minimum (RFC 1035, 3.3.13).  Fails
// with "FILE:LINE: what, and what was expected"; beyond MaxZoneRecords, MaxIncludeDepth,
// MaxIncludes; and when all texts together exceed MaxFileSize.  $GENERATE is not offered.
Result<MasterFile> read_master_file(std::string_view text, const std::filesystem::path& path,
                                    const dns::Name& origin, const Includer& includer);

}  // namespace waypost::zones
