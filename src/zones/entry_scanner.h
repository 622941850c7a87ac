// Cuts the text of a master file into entries and these into fields (RFC 1035, 5.1).

#pragma once

#include <cstddef>
#include <expected>
#include <string_view>
#include <vector>

namespace waypost::zones {

// A directive or a record: a line, or several by parentheses.  Fields are as written, quotes and
// backslashes included; parentheses and comments are gone.  Views point into the text.
struct Entry {
  std::size_t line = 0;      // Where it starts, from 1.
  bool blank_start = false;  // The first field is not at the line's start: the owner is left out.
  std::vector<std::string_view> fields;  // At least one.
};

// What is wrong with the text, and where.
struct ScanError {
  std::size_t line = 0;
  std::string_view complaint;
};

class EntryScanner {
 public:
  // `text` is borrowed.  A byte order mark at its start is skipped.
  explicit EntryScanner(std::string_view text) noexcept;

  // Reads the next entry into `entry`.  False at the end of the text.  On error: what, and where;
  // scanning is over then.
  std::expected<bool, ScanError> next(Entry& entry);

 private:
  // Past one field; fails for a quote that its line does not close.
  std::expected<std::string_view, ScanError> take_field();

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace waypost::zones
