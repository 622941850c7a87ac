// Names that are looked up as other names, and answers that speak of the names that were asked for.
//
// Rules are taken in their order.  The first that fits rewrites the name; those behind it are
// looked at only if it says so ("continue").  They work on names as texts, in lower case and with
// the final dot, as CoreDNS' do.
//
// Of the answer, the owner that was looked up becomes that of the question, always.  With "answer
// auto", which goes without saying for "exact", the name that was looked up and those below it
// become the one that was asked for wherever they stand; "suffix" is applied backwards to any name.
// "answer name" and "answer value" say what becomes of owners and of names in rdata.
//
// Not here: writing the answer (policy/answer_translation.h).

#pragma once

#include "base/error.h"
#include "dns/query.h"
#include "policy/name_text.h"
#include "policy/pattern.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::policy {

// A text with the groups of a match put in: "{1}.service.{2}.consul".
class Replacement {
 public:
  // `{N}` stands for group N, {0} for the whole match.  Fails for a group that `pattern` does not
  // have.
  static Result<Replacement> from_text(std::string_view text, const Pattern& pattern);

  void add_to(TextBuffer& out, std::string_view subject, const PatternRoom& room) const noexcept;

 private:
  struct Part {
    std::string text;
    std::size_t group = 0;  // Behind the text.
    bool has_group = false;
  };
  std::vector<Part> parts_;
};

// What becomes of names in answers.
struct AnswerRule {
  bool is_value = false;  // Names in rdata; otherwise owners.
  std::shared_ptr<const Pattern> from;
  Replacement to;
};

struct RewriteRule {
  enum class Match : std::uint8_t { Exact, Prefix, Suffix, Substring, Regex };

  Match match = Match::Exact;
  bool goes_on = false;  // "continue"
  std::string from;      // Lower case; with the final dot for Exact and Suffix.
  std::string to;
  std::shared_ptr<const Pattern> pattern;  // Of Regex.
  Replacement replacement;                 // Likewise.
  bool is_automatic = false;               // "answer auto"; of Exact always.
  std::vector<AnswerRule> answers;

  // Reads "[continue|stop] [name] [exact|prefix|suffix|substring|regex] FROM TO [answer auto]
  // [answer name FROM TO]... [answer value FROM TO]...".
  static Result<RewriteRule> from_text(std::string_view text);
};

// What one thread rewrites with.  Holds what the last query was rewritten to.
class RewriteRoom {
 public:
  static constexpr std::size_t MaxApplied = 16;  // Rules for one name.

  // The name that is looked up.
  const dns::NameKey& name() const noexcept { return name_; }

 private:
  friend class Rewriter;

  PatternRoom pattern_;
  TextBuffer original_;  // The name that was asked for, in lower case.
  TextBuffer rewritten_;
  TextBuffer other_;
  dns::NameKey name_;
  std::array<const RewriteRule*, MaxApplied> applied_{};
  std::size_t applied_count_ = 0;
};

// Immutable; any thread, each with a room of its own.
class Rewriter {
 public:
  explicit Rewriter(std::vector<RewriteRule> rules) : rules_(std::move(rules)) {}

  bool is_empty() const noexcept { return rules_.empty(); }

  enum class Outcome : std::uint8_t {
    Unchanged,
    Rewritten,  // To room.name().
    // A rule's pattern gave up, or what a rule makes is no name.
    Failed,
  };
  Outcome rewrite(const dns::NameKey& name, RewriteRoom& room) const noexcept;

  // Whether "answer auto" holds for the last name.
  static bool is_automatic(const RewriteRoom& room) noexcept;

  // A name in the answer to what was rewritten last, an owner or one in rdata, in lower case or
  // not. Writes what the client is told to `to`, and returns its size; 0: it stays as it is.
  enum class Place : std::uint8_t { Owner, Value };
  static std::size_t restore(Bytes name, Place place, RewriteRoom& room,
                             std::span<std::uint8_t, dns::MaxNameSize> to) noexcept;

 private:
  std::vector<RewriteRule> rules_;
};

}  // namespace waypost::policy
