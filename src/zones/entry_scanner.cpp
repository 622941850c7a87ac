#include "zones/entry_scanner.h"

#include <algorithm>

namespace waypost::zones {

namespace {

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r';
}

// Ends a field that is not quoted.
bool is_delimiter(char c) noexcept {
  return is_blank(c) || c == '\n' || c == '(' || c == ')' || c == ';';
}

// Octets that no editor writes on purpose; a zero octet would end the text for ldns.
bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 && !is_blank(c) && c != '\n';
}

std::unexpected<ScanError> complain(std::size_t line, std::string_view complaint) {
  return std::unexpected(ScanError{line, complaint});
}

}  // namespace

EntryScanner::EntryScanner(std::string_view text) noexcept : text_(text) {
  if (text_.starts_with("\xef\xbb\xbf")) {
    text_.remove_prefix(3);
  }
}

std::expected<bool, ScanError> EntryScanner::next(Entry& entry) {
  entry.fields.clear();
  std::size_t depth = 0;
  std::size_t opened = 0;  // The line of the outermost parenthesis.
  std::size_t line_start = at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\n') {
      ++at_;
      ++line_;
      line_start = at_;
      if (depth == 0 && !entry.fields.empty()) {
        return true;
      }
    } else if (is_blank(c)) {
      ++at_;
    } else if (c == ';') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '(') {
      opened = depth == 0 ? line_ : opened;
      ++depth;
      ++at_;
    } else if (c == ')') {
      if (depth == 0) {
        return complain(line_, "a \")\", expected \"(\" before it");
      }
      --depth;
      ++at_;
    } else {
      if (entry.fields.empty()) {
        entry.line = line_;
        entry.blank_start = is_blank(text_[line_start]);
      }
      const auto field = take_field();
      if (!field) {
        return std::unexpected(field.error());
      }
      entry.fields.push_back(*field);
    }
  }
  if (depth != 0) {
    return complain(opened, "a \"(\" that is never closed, expected \")\"");
  }
  return !entry.fields.empty();
}

std::expected<std::string_view, ScanError> EntryScanner::take_field() {
  const std::size_t start = at_;
  bool quoted = false;
  for (; at_ < text_.size(); ++at_) {
    const bool escaped = text_[at_] == '\\';
    at_ += escaped ? 1 : 0;
    if (escaped && (at_ == text_.size() || text_[at_] == '\n' || text_[at_] == '\r')) {
      return complain(line_, "a backslash at the end of a line, expected a character behind it");
    }
    const char c = text_[at_];
    if (is_control(c)) {
      return complain(line_, "a control character, expected text");
    }
    if (!escaped && (c == '\n' || (!quoted && is_delimiter(c)))) {
      break;
    }
    if (!escaped && c == '"') {
      quoted = !quoted;
    }
  }
  if (quoted) {
    return complain(line_, "a string without its end, expected '\"' on the same line");
  }
  return text_.substr(start, at_ - start);
}

}  // namespace waypost::zones
