#include "proxy/saved_text.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace waypost::proxy {
namespace {

// "[3:180] -A X" to "-A X" and 3.
std::string_view without_counters(std::string_view line, std::uint64_t& packets) noexcept {
  if (!line.starts_with('[')) {
    return line;
  }
  const std::size_t end = line.find("] ");
  if (end == std::string_view::npos) {
    return line;
  }
  const auto [at, ec] = std::from_chars(line.data() + 1, line.data() + end, packets);
  if (ec != std::errc() || *at != ':') {
    packets = 0;
    return line;
  }
  return line.substr(end + 2);
}

}  // namespace

std::size_t word_end(std::string_view rule, std::size_t at) noexcept {
  if (at < rule.size() && rule[at] == '"') {
    for (++at; at < rule.size() && rule[at] != '"'; ++at) {
      if (rule[at] == '\\') {
        ++at;
      }
    }
  }
  return std::min(rule.find(' ', std::min(at, rule.size())), rule.size());
}

std::string_view target_of(std::string_view rule) noexcept {
  bool is_target = false;
  for (std::size_t at = 0; at < rule.size();) {
    const std::size_t end = word_end(rule, at);
    const std::string_view word = rule.substr(at, end - at);
    if (is_target) {
      return word;
    }
    is_target = word == "-j" || word == "-g";
    at = end + 1;
  }
  return {};
}

void SavedTextReader::keep(std::string_view part) {
  const std::size_t room = MaxSavedLine + 1 - std::min(rest_.size(), MaxSavedLine + 1);
  rest_.append(part.substr(0, room));
}

void SavedTextReader::take(std::string_view piece) {
  for (;;) {
    const std::size_t end = piece.find('\n');
    if (end == std::string_view::npos) {
      keep(piece);
      return;
    }
    if (rest_.empty()) {
      take_line(piece.substr(0, end));
    } else {
      keep(piece.substr(0, end));
      take_line(rest_);
      rest_.clear();
    }
    piece.remove_prefix(end + 1);
  }
}

void SavedTextReader::take_line(std::string_view line) {
  using Kind = SavedLine::Kind;
  ++number_;
  if (line.empty() || line.starts_with('#')) {
    return;
  }
  SavedLine read;
  read.number = number_;
  read.text = line.substr(0, MaxSavedLine);
  if (line.size() > MaxSavedLine) {
    read.table = table_;
    take_(read);
    return;
  }
  line = without_counters(line, read.packets);
  if (line.starts_with('*') && !is_in_table_) {
    const std::string_view name = line.substr(1);
    is_in_table_ = true;
    table_.reset();
    for (const Table table : AllTables) {
      if (name == to_text(table)) {
        table_ = table;
      }
    }
    read.kind = Kind::Table;
  } else if (line == "COMMIT" && is_in_table_) {
    read.kind = Kind::Commit;
    read.table = table_;
    is_in_table_ = false;
    table_.reset();
    take_(read);
    return;
  } else if (line.starts_with(':') && is_in_table_) {
    const std::size_t blank = line.find(' ');
    if (blank != std::string_view::npos) {
      read.kind = Kind::Chain;
      read.chain = line.substr(1, blank - 1);
      read.policy = line.substr(blank + 1, line.find(' ', blank + 1) - blank - 1);
    }
  } else if (line.starts_with("-A ") && is_in_table_) {
    const std::size_t end = word_end(line, 3);
    read.kind = Kind::Rule;
    read.chain = line.substr(3, end - 3);
    read.rule = end < line.size() ? line.substr(end + 1) : std::string_view();
  }
  read.table = table_;
  take_(read);
}

Result<void> SavedTextReader::finish() {
  if (!rest_.empty()) {
    take_line(std::exchange(rest_, {}));
  }
  if (is_in_table_) {
    return failure(ErrorKind::InvalidInput,
                   "line " + std::to_string(number_ + 1) + ": COMMIT is missing");
  }
  return {};
}

}  // namespace waypost::proxy
