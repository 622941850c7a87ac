// Every option there is: its key in the file, its flag, what it accepts, its default, what it does.
//
// The table drives the reading of the file and of the command line, --help, the defaults themselves
// and docs/configuration.md (a test compares), so that none of them can say something else than the
// others.

#pragma once

#include "ops/config.h"

#include <span>
#include <string>
#include <string_view>

namespace waypost::ops {

enum class OptionForm : std::uint8_t { Boolean, Number, Text, List };

struct Option {
  std::string_view key;   // In the file: "negativeTtl".
  std::string_view flag;  // On the command line, without dashes: "negative-ttl".
  OptionForm form;
  std::string_view value_name;  // For --help: "SECONDS".
  std::string_view expected;    // Completes "found X, expected …".
  std::string_view
      default_value;  // Read like a value from the file; a list's are separated by commas.
  std::string_view
      default_words;      // Says the default where `default_value` cannot; otherwise empty.
  bool live;              // A change takes effect without a restart.
  std::string_view help;  // One sentence or two.

  // Puts one value into the Config; a list's values come one by one.  A failure's message says what
  // is special about the value, or is empty when `expected` says it all.
  Result<void> (*put)(Config& config, const std::string& text);
  // Values are paths, relative to the file's folder or the working directory.
  bool is_path = false;

  // What --help and the documentation print.
  std::string_view shown_default() const noexcept {
    return default_words.empty() ? default_value : default_words;
  }
};

// In the order of documentation.
std::span<const Option> options() noexcept;

// The option with this key, or nullptr.
const Option* find_option(std::string_view key) noexcept;

// The candidate that `typed` most likely means, or empty when none is near.  Case, dashes and
// underscores do not count.
std::string_view nearest(std::string_view typed, std::span<const std::string_view> candidates);

}  // namespace waypost::ops
