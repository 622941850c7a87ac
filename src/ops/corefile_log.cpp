// The queries that have a line in the log.

#include "ops/corefile_translator.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {

using corefile::Line;
using corefile::Place;

// What stands behind the names is a format if it has a brace, or is not alone and has a blank.
void Translator::read_log(const Line& line) {
  std::size_t names_end = line.words.size();
  const std::string& last = line.words.back().text;
  if (names_end > 1 && last.find_first_of("{ ") != std::string::npos) {
    --names_end;
    note(line.place(),
         "log: lines are not written as '" + last + "' says, but as docs/query-log.md", true);
  }
  log_classes_.clear();
  read_options(line);
  if (log_classes_.empty()) {
    log_classes_.push_back("all");
  }
  if (log_classes_ != std::vector<std::string>{"error"}) {
    note(line.place(),
         "log: no more lines are written than queryLogRate says, 100 a second unless it is set; "
         "while there are more queries, each line stands for several",
         true);
  }
  std::vector<Zone> names;
  for (std::size_t i = 1; i < names_end; ++i) {
    for (Zone& name : zones_of(line.words[i], line.words[i].text)) {
      names.push_back(std::move(name));
    }
  }
  add_log(names, line.place());
}

void Translator::read_log_class(const Line& line) {
  if (!has_arguments(line, 1, SIZE_MAX)) {
    return;
  }
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    const std::string& text = line.words[i].text;
    if (text != "success" && text != "denial" && text != "error" && text != "all") {
      complain(line.words[i].place,
               name_of(line) + ": found '" + text + "', expected success, denial, error or all");
      continue;
    }
    log_classes_.push_back(text);
  }
}

// No names: those of the server block.
void Translator::add_log(const std::vector<Zone>& names, const Place& place) {
  std::vector<Zone> zones;
  for (const Zone& name : names) {
    const std::vector<Zone> within = within_block(name);
    for (const Zone& zone : within) {
      add_zone(zone, zones);
    }
    if (within.empty()) {
      complain(place, "log: found the name '" + name.text +
                          "', expected one that shares names with its server block's");
    }
  }
  if (names.empty()) {
    zones = block_->zones;
  }
  for (const Zone& zone : zones) {
    for (const std::string& queries : log_classes_) {
      block_->logs.push_back({zone, queries, place});
    }
  }
}

// Of a name, the entries with the longest zone count.  So the zones of a block that logs nothing of
// them are entries, too, where names around them are logged.
void Translator::combine_logs() {
  for (const Block& block : blocks_) {
    for (const LogEntry& entry : block.logs) {
      add("queryLog",
          entry.zone.name.is_root() ? entry.queries : entry.zone.text + "=" + entry.queries,
          entry.place, "log");
    }
  }
  for (const Block& block : blocks_) {
    for (const Zone& zone : block.zones) {
      bool is_around = false;
      bool is_entry = false;
      for (const Block& other : blocks_) {
        for (const LogEntry& entry : other.logs) {
          is_entry = is_entry || entry.zone.name == zone.name;
          is_around = is_around || zone.name.is_within(entry.zone.name);
        }
      }
      if (is_around && !is_entry) {
        add("queryLog", zone.text + "=none", block.place, "log");
      }
    }
  }
}

}  // namespace waypost::ops
