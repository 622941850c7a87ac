#include "zones/master_file.h"

#include "base/bytes.h"
#include "base/file.h"
#include "zones/entry_scanner.h"
#include "zones/record_text.h"
#include "zones/zone_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace waypost::zones {

namespace {

bool equals(std::string_view left, std::string_view right) noexcept {
  return std::ranges::equal(as_bytes(left), as_bytes(right), {}, ascii_lower, ascii_lower);
}

bool is_class(std::string_view field) noexcept {
  return equals(field, "IN") || equals(field, "CH") || equals(field, "CS") || equals(field, "HS") ||
         equals(field, "NONE") || equals(field, "ANY") ||
         (field.size() > 5 && equals(field.substr(0, 5), "CLASS"));
}

// RFC 3597, 5 has a number for it, too.
bool is_internet_class(std::string_view field) noexcept {
  return equals(field, "IN") || equals(field, "CLASS1");
}

// The name of a file may stand in quotes; backslashes stay, no file name here needs them.
std::string_view without_quotes(std::string_view field) noexcept {
  const bool quoted = field.size() >= 2 && field.starts_with('"') && field.ends_with('"');
  return quoted ? field.substr(1, field.size() - 2) : field;
}

class Reader {
 public:
  Reader(const Includer& includer, MasterFile& out) : includer_(includer), out_(out) {}

  // Reads one file, and those that it includes.
  Result<void> read(std::string_view text, const std::filesystem::path& path,
                    const dns::Name& origin, std::size_t depth);

 private:
  // The file being read: what $INCLUDE puts aside and takes up again.
  struct Current {
    const std::filesystem::path& path;
    std::uint32_t file;
    std::size_t depth;
    dns::Name origin;
    std::optional<dns::Name> owner;  // Of the record before.
  };
  using Fields = std::span<const std::string_view>;

  Result<void> read_entry(const Entry& entry, Current& current);
  Result<void> read_directive(Fields fields, Current& current);
  Result<void> include(Fields fields, Current& current);
  Result<void> read_owned(const Entry& entry, Current& current);
  Result<void> choose_ttl(std::optional<std::uint32_t> stated, dns::Record& record);

  const Includer& includer_;
  MasterFile& out_;
  std::optional<std::uint32_t> default_ttl_;  // $TTL
  std::optional<std::uint32_t> last_ttl_;     // Of the record before.
  std::size_t octets_ = 0;
  std::size_t includes_ = 0;
};

Result<void> complain(std::string message, ErrorKind kind = ErrorKind::InvalidInput) {
  return failure(kind, std::move(message));
}

Result<void> Reader::read(std::string_view text, const std::filesystem::path& path,
                          const dns::Name& origin, std::size_t depth) {
  octets_ += text.size();
  if (octets_ > MaxFileSize) {
    return complain(fmt::format("{}: a zone's text with all it includes exceeds {} MiB",
                                path.string(), MaxFileSize >> 20),
                    ErrorKind::Exhausted);
  }
  Current current{.path = path,
                  .file = static_cast<std::uint32_t>(out_.files.size()),
                  .depth = depth,
                  .origin = origin,
                  .owner = std::nullopt};
  out_.files.push_back(path.string());
  EntryScanner scanner(text);
  for (Entry entry;;) {
    const auto found = scanner.next(entry);
    if (!found) {
      return complain(
          fmt::format("{}:{}: {}", path.string(), found.error().line, found.error().complaint));
    }
    if (!*found) {
      return {};
    }
    if (Result<void> done = read_entry(entry, current); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
}

Result<void> Reader::read_entry(const Entry& entry, Current& current) {
  const bool directive = !entry.blank_start && entry.fields.front().starts_with('$');
  const bool included = directive && equals(entry.fields.front(), "$INCLUDE");
  const std::string place = fmt::format("{}:{}", current.path.string(), entry.line);
  const std::size_t before = out_.files.size();
  Result<void> done = included    ? include(entry.fields, current)
                      : directive ? read_directive(entry.fields, current)
                                  : read_owned(entry, current);
  if (done) {
    out_.places.resize(out_.records.size(), {current.file, static_cast<std::uint32_t>(entry.line)});
    return done;
  }
  // What is wrong inside of an included file has its place already.
  if (included && out_.files.size() > before) {
    done.error().message += fmt::format(" (included at {})", place);
    return done;
  }
  return std::unexpected(with_context(std::move(done.error()), place));
}

Result<void> Reader::read_directive(Fields fields, Current& current) {
  const std::string_view name = fields.front();
  if (equals(name, "$ORIGIN") && fields.size() == 2) {
    Result<dns::Name> origin = read_name(fields[1], current.origin);
    if (!origin) {
      return std::unexpected(with_context(std::move(origin.error()), "$ORIGIN"));
    }
    current.origin = *std::move(origin);
    return {};
  }
  if (equals(name, "$TTL") && fields.size() == 2) {
    default_ttl_ = read_period(fields[1]);
    if (!default_ttl_) {
      return complain(fmt::format(
          "bad TTL \"{}\", expected seconds up to 2147483647 or a time like 1h30m", fields[1]));
    }
    return {};
  }
  if (equals(name, "$ORIGIN") || equals(name, "$TTL")) {
    return complain(fmt::format("{} with {} values, expected one", name, fields.size() - 1));
  }
  if (equals(name, "$GENERATE")) {
    return complain("$GENERATE is not offered, expected the records themselves",
                    ErrorKind::Unsupported);
  }
  return complain(
      fmt::format("unknown directive \"{}\", expected $ORIGIN, $TTL or $INCLUDE", name));
}

// RFC 1035, 5.1: "$INCLUDE file [origin]"; the origin of the including file stays what it was.
Result<void> Reader::include(Fields fields, Current& current) {
  if (fields.size() < 2 || fields.size() > 3) {
    return complain("$INCLUDE takes a file and perhaps an origin");
  }
  if (current.depth == MaxIncludeDepth) {
    return complain(fmt::format("$INCLUDE more than {} levels deep", MaxIncludeDepth),
                    ErrorKind::Exhausted);
  }
  if (++includes_ > MaxIncludes) {
    return complain(fmt::format("more than {} $INCLUDEs in one zone", MaxIncludes),
                    ErrorKind::Exhausted);
  }
  Result<dns::Name> origin =
      fields.size() == 3 ? read_name(fields[2], current.origin) : current.origin;
  if (!origin) {
    return std::unexpected(with_context(std::move(origin.error()), "$INCLUDE"));
  }
  const Result<IncludedFile> file = includer_(current.path, without_quotes(fields[1]));
  if (!file) {
    return std::unexpected(file.error());
  }
  return read(file->text, file->path, *origin, current.depth + 1);
}

// "[owner] [ttl] [class] type rdata", ttl and class in either order.
Result<void> Reader::read_owned(const Entry& entry, Current& current) {
  Fields fields = entry.fields;
  if (!entry.blank_start) {
    Result<dns::Name> owner = read_name(fields.front(), current.origin);
    if (!owner) {
      return std::unexpected(std::move(owner.error()));
    }
    current.owner = *std::move(owner);
    fields = fields.subspan(1);
  } else if (!current.owner) {
    return complain("a record without owner, expected one for the first record of a file");
  }
  std::optional<std::uint32_t> ttl;
  bool has_class = false;
  for (; !fields.empty(); fields = fields.subspan(1)) {
    const std::string_view field = fields.front();
    if (!has_class && is_class(field)) {
      if (!is_internet_class(field)) {
        return complain(fmt::format("class {}, expected IN", field));
      }
      has_class = true;
    } else if (!ttl && field.front() >= '0' && field.front() <= '9') {
      ttl = read_period(field);
      if (!ttl) {
        return complain(fmt::format(
            "bad TTL \"{}\", expected seconds up to 2147483647 or a time like 1h30m", field));
      }
    } else {
      break;
    }
  }
  if (fields.empty()) {
    return complain("no type, expected \"owner [ttl] [class] type data\"");
  }
  if (out_.records.size() == MaxZoneRecords) {
    return complain(fmt::format("more than the {} records that a zone may hold", MaxZoneRecords),
                    ErrorKind::Exhausted);
  }
  Result<dns::Record> record =
      read_record(*current.owner, fields.front(), fields.subspan(1), current.origin);
  if (!record) {
    return std::unexpected(std::move(record.error()));
  }
  if (Result<void> chosen = choose_ttl(ttl, *record); !chosen) {
    return chosen;
  }
  out_.records.push_back(*std::move(record));
  return {};
}

Result<void> Reader::choose_ttl(std::optional<std::uint32_t> stated, dns::Record& record) {
  if (!stated) {
    stated = default_ttl_ ? default_ttl_ : last_ttl_;
  }
  if (!stated && record.type == dns::RecordType::SOA && record.rdata.size() >= 4) {
    stated = std::min(load_u32(record.rdata.data() + record.rdata.size() - 4), 0x7fffffffU);
  }
  if (!stated) {
    return complain("no TTL, expected one here, in a record before, or by $TTL");
  }
  record.ttl = *stated;
  last_ttl_ = stated;
  return {};
}

}  // namespace

std::string MasterFile::place_of(std::size_t record) const {
  return fmt::format("{}:{}", files[places[record].file], places[record].line);
}

Result<MasterFile> read_master_file(std::string_view text, const std::filesystem::path& path,
                                    const dns::Name& origin, const Includer& includer) {
  MasterFile file;
  if (Result<void> done = Reader(includer, file).read(text, path, origin, 0); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return file;
}

}  // namespace waypost::zones
