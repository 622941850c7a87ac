// From folders of *.zone files, and the zones built into the program, to a ZoneSet.

#pragma once

#include "base/error.h"
#include "zones/zone_set.h"

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace waypost::zones {

struct LoadedZones {
  std::unique_ptr<const ZoneSet> zones;
  // One for each file that cannot be used: "FILE:LINE: what, and what was expected".  Also for a
  // folder that cannot be listed, for a zone that the same folder holds twice, and for one that
  // other servers were to be asked for.
  std::vector<Error> errors;
};

// Loads every *.zone file right inside `folders`, in order, over the built-in zones (localhost and
// the empty zones of RFC 6303 and RFC 6761) unless `built_in` is false.  A zone from a folder takes
// the place of a built-in one, and a later folder's that of an earlier.  `elsewhere` as ZoneSet has
// it; a folder's zone with such an apex is served, and reported.  A file that cannot be used
// keeps the zone that `previous` had from that very path, if any, and is reported; a folder that
// cannot be listed keeps all of its zones.  The origin of a file named example.org.zone is
// example.org until $ORIGIN says otherwise; the zone's apex is where its SOA is.
LoadedZones load_zones(const std::vector<std::filesystem::path>& folders, bool built_in,
                       const ZoneSet* previous, std::span<const dns::Name> elsewhere = {});

// Reads one master file's text.  `path` names it in errors and is where $INCLUDE is relative to;
// included files lie in the same folder or below (no "..", no absolute path, no symlink out of it),
// eight levels at most.  $GENERATE is not offered.
Result<std::unique_ptr<const Zone>> parse_zone(std::string_view text,
                                               const std::filesystem::path& path,
                                               const dns::Name& origin);

}  // namespace waypost::zones
