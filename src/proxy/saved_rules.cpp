#include "proxy/saved_rules.h"

#include "proxy/chain_name.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace waypost::proxy {
namespace {

// The end of the word that begins at `at`; a quoted text is one word.
std::size_t word_end(std::string_view text, std::size_t at) noexcept {
  if (at < text.size() && text[at] == '"') {
    for (++at; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\') {
        ++at;
      }
    }
  }
  return std::min(text.find(' ', std::min(at, text.size())), text.size());
}

}  // namespace

bool is_removable_chain(Table table, std::string_view name) noexcept {
  return is_own_chain(table, name) && name != FirewallChain;
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

void SavedTableReader::take(std::string_view piece) {
  for (;;) {
    const std::size_t end = piece.find('\n');
    if (end == std::string_view::npos) {
      rest_ += piece;
      return;
    }
    if (rest_.empty()) {
      take_line(piece.substr(0, end));
    } else {
      rest_ += piece.substr(0, end);
      take_line(rest_);
      rest_.clear();
    }
    piece.remove_prefix(end + 1);
  }
}

void SavedTableReader::take_line(std::string_view line) {
  if (line.starts_with('*')) {
    in_table_ = line.substr(1) == to_text(table_);
  } else if (!in_table_ || line.empty() || line.starts_with('#')) {
    return;
  } else if (line == "COMMIT") {
    end_chain();
    in_table_ = false;
  } else if (line.starts_with(':')) {
    const std::string_view name = line.substr(1, line.find(' ') - 1);
    if (is_own_chain(table_, name)) {
      declared_.emplace_back(name);
    }
  } else if (line.starts_with("-A ")) {
    const std::size_t end = word_end(line, 3);
    take_rule(line.substr(3, end - 3), end < line.size() ? line.substr(end + 1) : "");
  }
}

void SavedTableReader::take_rule(std::string_view chain, std::string_view rule) {
  if (is_own_chain(table_, chain)) {
    if (!open_ || open_name_ != chain) {
      end_chain();
      open_name_ = chain;
      open_.emplace(open_name_);
    }
    open_->add(rule);
    return;
  }
  if (foreign_name_ != chain) {
    foreign_name_ = chain;
    foreign_position_ = 0;
  }
  ++foreign_position_;
  if (is_own_chain(table_, target_of(rule))) {
    saved_.jumps.push_back({std::string(chain), foreign_position_, std::string(rule)});
  }
}

void SavedTableReader::end_chain() {
  if (!open_) {
    return;
  }
  ChainPointer chain = open_->finish();
  open_.reset();
  if (expected_ != nullptr) {
    const ChainPointer& known = expected_->find(table_, chain->name());
    if (known != nullptr && known->has_same_rules(*chain)) {
      chain = known;
    }
  }
  saved_.chains.push_back(std::move(chain));
}

Result<SavedTable> SavedTableReader::finish() {
  if (!rest_.empty()) {
    take_line(std::exchange(rest_, {}));
  }
  if (in_table_) {
    return failure(ErrorKind::System,
                   "the text of table " + std::string(to_text(table_)) + " ends before its COMMIT");
  }
  // iptables-save declares every chain and then says nothing more of an empty one.
  std::unordered_set<std::string_view> filled;
  for (const ChainPointer& chain : saved_.chains) {
    filled.insert(chain->name());
  }
  for (std::string& name : declared_) {
    if (!filled.contains(name)) {
      open_.emplace(std::move(name));
      end_chain();
    }
  }
  return std::move(saved_);
}

}  // namespace waypost::proxy
