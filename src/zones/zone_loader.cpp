#include "zones/zone_loader.h"

#include "base/file.h"
#include "zones/embedded_zones.h"
#include "zones/master_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace waypost::zones {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view Extension = ".zone";
// No file of a folder has such a path, which is only for messages and ZoneSet::find_file().
constexpr std::string_view BuiltInFolder = "(built in)";

Result<IncludedFile> include_from_disk(const fs::path& including, std::string_view name) {
  const fs::path relative(name);
  if (name.empty() || relative.is_absolute() ||
      std::ranges::find(relative, "..") != relative.end()) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("$INCLUDE \"{}\", expected a path below this file's folder, not "
                               "absolute and without \"..\"",
                               name));
  }
  const fs::path folder = including.has_parent_path() ? including.parent_path() : fs::path(".");
  std::error_code ec;
  const fs::path real_folder = fs::canonical(folder, ec);
  const fs::path real_file = ec ? fs::path() : fs::canonical(folder / relative, ec);
  if (ec) {
    return failure(ErrorKind::NotFound, fmt::format("$INCLUDE \"{}\": {}", name, ec.message()));
  }
  // A symlink may lead to another place within the folder, as ConfigMap volumes have it, not
  // outside.
  if (std::ranges::mismatch(real_folder, real_file).in1 != real_folder.end()) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("$INCLUDE \"{}\" leads to {}, expected a file below {}", name,
                               real_file.string(), real_folder.string()));
  }
  Result<std::string> text = read_file(real_file);
  if (!text) {
    return std::unexpected(with_context(std::move(text.error()), "$INCLUDE"));
  }
  return IncludedFile{.path = folder / relative, .text = *std::move(text)};
}

Result<IncludedFile> include_embedded(const fs::path& including, std::string_view name) {
  const auto file = std::ranges::find(embedded_files(), name, &EmbeddedFile::name);
  if (file == embedded_files().end()) {
    return failure(ErrorKind::NotFound, fmt::format("$INCLUDE \"{}\": no such file", name));
  }
  return IncludedFile{.path = including.parent_path() / name, .text = std::string(file->text)};
}

Result<std::unique_ptr<const Zone>> parse(std::string_view text, const fs::path& path,
                                          const dns::Name& origin, const Includer& includer) {
  Result<MasterFile> file = read_master_file(text, path, origin, includer);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  const auto soa =
      std::ranges::find(file->records, dns::RecordType::SOA, [](const auto& r) { return r.type; });
  if (soa == file->records.end()) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("{}:1: no SOA, expected one at the zone's apex", path.string()));
  }
  dns::Name apex = soa->owner;
  return Zone::make(std::move(apex), std::move(file->records),
                    [&](std::size_t record) { return file->place_of(record); });
}

// The same, with the origin that the file's name says.
Result<std::unique_ptr<const Zone>> parse_named(std::string_view text, const fs::path& path,
                                                const Includer& includer) {
  std::string name = path.filename().string();
  name.resize(name.size() - Extension.size());
  Result<dns::Name> origin = dns::Name::from_text(name);
  if (!origin) {
    return std::unexpected(with_context(
        std::move(origin.error()),
        fmt::format("{}: expected the name of a zone before {}", path.string(), Extension)));
  }
  return parse(text, path, *origin, includer);
}

Result<std::unique_ptr<const Zone>> parse_file(const fs::path& path) {
  const Result<std::string> text = read_file(path);
  if (!text) {
    return std::unexpected(text.error());
  }
  return parse_named(*text, path, include_from_disk);
}

class Loader {
 public:
  Loader(const ZoneSet* previous, std::span<const dns::Name> elsewhere)
      : previous_(previous), elsewhere_(elsewhere) {}

  void load_built_in();
  void load_folder(const fs::path& folder);
  LoadedZones finish() {
    report_elsewhere();
    return {.zones = ZoneSet::from_files(std::move(loaded_), elsewhere_),
            .errors = std::move(errors_)};
  }

 private:
  void load_file(const fs::path& path);
  void keep_previous(const fs::path& path);
  void keep_folder(const fs::path& folder);
  void report_repeated(std::size_t first);
  void report_elsewhere();

  const ZoneSet* previous_;
  std::span<const dns::Name> elsewhere_;
  std::vector<ZoneSet::Loaded> loaded_;
  std::vector<Error> errors_;
};

// What is built in never changes, so that a reload takes it over as it is.
void Loader::load_built_in() {
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.name.ends_with(Extension)) {
      continue;
    }
    const fs::path path = fs::path(BuiltInFolder) / file.name;
    if (auto zone = previous_ != nullptr ? previous_->find_file(path) : nullptr) {
      loaded_.push_back({path, std::move(zone), true});
      continue;
    }
    Result<std::unique_ptr<const Zone>> zone = parse_named(file.text, path, include_embedded);
    if (zone) {
      loaded_.push_back({path, *std::move(zone), true});
    } else {
      errors_.push_back(std::move(zone.error()));
    }
  }
}

void Loader::load_folder(const fs::path& folder) {
  const Result<std::vector<fs::path>> files = list_files(folder, {Extension});
  if (!files) {
    errors_.push_back(files.error());
    keep_folder(folder);
    return;
  }
  const std::size_t first = loaded_.size();
  for (const fs::path& path : *files) {
    load_file(path);
  }
  report_repeated(first);
}

void Loader::load_file(const fs::path& path) {
  Result<std::unique_ptr<const Zone>> zone = parse_file(path);
  if (zone) {
    loaded_.push_back({path, *std::move(zone)});
    return;
  }
  errors_.push_back(std::move(zone.error()));
  keep_previous(path);
}

void Loader::keep_previous(const fs::path& path) {
  if (auto zone = previous_ != nullptr ? previous_->find_file(path) : nullptr) {
    loaded_.push_back({path, std::move(zone)});
  }
}

// A folder that cannot be listed says nothing about its files: all stay as they were.
void Loader::keep_folder(const fs::path& folder) {
  if (previous_ == nullptr) {
    return;
  }
  for (const ZoneSet::Loaded& loaded : previous_->loaded()) {
    if (loaded.file.parent_path() == folder) {
      loaded_.push_back(loaded);
    }
  }
}

// One folder with the same zone twice is a mistake, other than a later folder that overrides.
void Loader::report_repeated(std::size_t first) {
  for (std::size_t later = first; later < loaded_.size(); ++later) {
    for (std::size_t earlier = first; earlier < later; ++earlier) {
      if (loaded_[earlier].zone->apex() == loaded_[later].zone->apex()) {
        errors_.push_back(
            {ErrorKind::InvalidInput,
             fmt::format("{}: not served, because {} holds the same zone {}, expected one file for "
                         "each zone",
                         loaded_[earlier].file.string(), loaded_[later].file.string(),
                         loaded_[later].zone->apex().to_text())});
      }
    }
  }
}

// The zone here wins, so that what was meant to be asked elsewhere never is.
void Loader::report_elsewhere() {
  for (const ZoneSet::Loaded& loaded : loaded_) {
    if (!loaded.is_built_in &&
        std::ranges::find(elsewhere_, loaded.zone->apex()) != elsewhere_.end()) {
      errors_.push_back({ErrorKind::InvalidInput,
                         fmt::format("{}: the zone {} is served from here, and the upstreams that "
                                     "stubDomains has for it are not asked, expected one of both",
                                     loaded.file.string(), loaded.zone->apex().to_text())});
    }
  }
}

}  // namespace

LoadedZones load_zones(const std::vector<std::filesystem::path>& folders, bool built_in,
                       const ZoneSet* previous, std::span<const dns::Name> elsewhere) {
  Loader loader(previous, elsewhere);
  if (built_in) {
    loader.load_built_in();
  }
  for (const fs::path& folder : folders) {
    loader.load_folder(folder);
  }
  return loader.finish();
}

Result<std::unique_ptr<const Zone>> parse_zone(std::string_view text,
                                               const std::filesystem::path& path,
                                               const dns::Name& origin) {
  return parse(text, path, origin, include_from_disk);
}

}  // namespace waypost::zones
