// Regular expressions on names: the door to PCRE2.
//
// A pattern is compiled once, to machine code where the system lets it, and matched with memory
// that is there before: nothing is allocated while matching.  What a match may cost is bounded; a
// pattern that needs more on some name gives up on it.

#pragma once

#include "base/error.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace waypost::policy {

// What one thread matches with, about 130 KiB.  Holds the groups of the last match.
class PatternRoom {
 public:
  PatternRoom();
  ~PatternRoom();
  PatternRoom(const PatternRoom&) = delete;
  PatternRoom& operator=(const PatternRoom&) = delete;

  // A group of the last match, which was of `subject`: 0 is the match itself.  Empty when the group
  // took no part in it.
  std::string_view group(std::string_view subject, std::size_t number) const noexcept;

 private:
  friend class Pattern;
  struct State;
  std::unique_ptr<State> state_;
};

// Immutable; any thread.
class Pattern {
 public:
  static constexpr std::size_t MaxSize = 1024;  // Octets.
  static constexpr std::size_t MaxGroups = 32;

  // Upper and lower case are one, "$" is the very end.  Fails with what is wrong and where, and
  // beyond MaxSize and MaxGroups.
  static Result<std::shared_ptr<const Pattern>> compile(std::string_view expression);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  enum class Outcome : std::uint8_t { Match, NoMatch, GaveUp };
  // Anywhere in `subject`.
  Outcome match(std::string_view subject, PatternRoom& room) const noexcept;

  // Without group 0.
  std::size_t group_count() const noexcept;
  // The number of the group with this name.
  std::optional<std::size_t> group(std::string_view name) const;

 private:
  struct Code;
  explicit Pattern(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

}  // namespace waypost::policy
