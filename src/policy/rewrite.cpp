#include "policy/rewrite.h"

#include "policy/words.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace waypost::policy {
namespace {

using Match = RewriteRule::Match;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = static_cast<char>(ascii_lower(static_cast<std::uint8_t>(c)));
  }
  return out;
}

std::string with_final_dot(std::string text) {
  if (!text.ends_with('.')) {
    text += '.';
  }
  return text;
}

std::optional<Match> match_from_text(std::string_view word) {
  return word == "exact"       ? std::optional(Match::Exact)
         : word == "prefix"    ? std::optional(Match::Prefix)
         : word == "suffix"    ? std::optional(Match::Suffix)
         : word == "substring" ? std::optional(Match::Substring)
         : word == "regex"     ? std::optional(Match::Regex)
                               : std::nullopt;
}

Result<void> read_pattern(std::string_view from, std::string_view to,
                          std::shared_ptr<const Pattern>& pattern, Replacement& replacement) {
  auto compiled = Pattern::compile(from);
  if (!compiled) {
    return std::unexpected(compiled.error());
  }
  auto read = Replacement::from_text(to, **compiled);
  if (!read) {
    return std::unexpected(read.error());
  }
  pattern = std::move(*compiled);
  replacement = std::move(*read);
  return {};
}

Result<void> read_answer(WordReader& reader, RewriteRule& rule) {
  const std::string_view kind = reader.next();
  if (kind == "auto") {
    rule.is_automatic = true;
    return {};
  }
  if (kind != "name" && kind != "value") {
    return unlike(kind, "auto, name or value");
  }
  const std::string_view from = reader.next();
  const std::string_view to = reader.next();
  if (from.empty() || to.empty()) {
    return unlike("", "what names in answers look like, and what they become");
  }
  AnswerRule answer{.is_value = kind == "value"};
  if (const auto read = read_pattern(from, to, answer.from, answer.to); !read) {
    return read;
  }
  rule.answers.push_back(std::move(answer));
  return {};
}

// Names that are written out are names.
Result<void> check_name(const std::string& text) {
  std::array<std::uint8_t, dns::MaxNameSize> wire;
  if (name_from_text(text, wire) == 0) {
    return failure(ErrorKind::InvalidInput, "'" + text + "' is no name");
  }
  return {};
}

// What a rule makes of `name`; false: it does not fit.
bool apply(const RewriteRule& rule, std::string_view name, TextBuffer& out) noexcept {
  const std::string_view from = rule.from;
  switch (rule.match) {
    case Match::Exact:
      if (name != from) {
        return false;
      }
      out.add(rule.to);
      return true;
    case Match::Prefix:
      if (!name.starts_with(from)) {
        return false;
      }
      out.add(rule.to);
      out.add(name.substr(from.size()));
      return true;
    case Match::Suffix:
      if (!name.ends_with(from)) {
        return false;
      }
      out.add(name.substr(0, name.size() - from.size()));
      out.add(rule.to);
      return true;
    case Match::Substring: {
      std::size_t found = name.find(from);
      if (found == std::string_view::npos) {
        return false;
      }
      for (; found != std::string_view::npos; found = name.find(from)) {
        out.add(name.substr(0, found));
        out.add(rule.to);
        name.remove_prefix(found + from.size());
      }
      out.add(name);
      return true;
    }
    case Match::Regex:
      break;
  }
  return false;
}

}  // namespace

Result<Replacement> Replacement::from_text(std::string_view text, const Pattern& pattern) {
  Replacement out;
  while (!text.empty()) {
    Part part;
    const std::size_t open = text.find('{');
    part.text = text.substr(0, open);
    if (open != std::string_view::npos) {
      const std::size_t close = text.find('}', open);
      const std::string_view number =
          close == std::string_view::npos ? "" : text.substr(open + 1, close - open - 1);
      const bool is_number = !number.empty() && number.size() <= 2 &&
                             number.find_first_not_of("0123456789") == std::string_view::npos;
      if (!is_number) {
        return failure(ErrorKind::InvalidInput,
                       "'{' without the number of a group and '}' behind it");
      }
      part.has_group = true;
      part.group = static_cast<std::size_t>(std::stoi(std::string(number)));
      if (part.group > pattern.group_count()) {
        return failure(ErrorKind::InvalidInput,
                       "{" + std::string(number) + "}, while the regular expression has " +
                           std::to_string(pattern.group_count()) + " groups");
      }
    }
    text = part.has_group ? text.substr(text.find('}') + 1) : std::string_view();
    out.parts_.push_back(std::move(part));
  }
  return out;
}

void Replacement::add_to(TextBuffer& out, std::string_view subject,
                         const PatternRoom& room) const noexcept {
  for (const Part& part : parts_) {
    out.add(part.text);
    if (part.has_group) {
      out.add(room.group(subject, part.group));
    }
  }
}

Result<RewriteRule> RewriteRule::from_text(std::string_view text) {
  const auto words = words_of(text);
  if (!words) {
    return std::unexpected(words.error());
  }
  WordReader reader(*words);
  RewriteRule rule;
  if (reader.take("continue")) {
    rule.goes_on = true;
  } else {
    reader.take("stop");
  }
  reader.take("name");
  if (const auto match = match_from_text(reader.peek())) {
    rule.match = *match;
    reader.next();
  }
  const std::string from(reader.next());
  const std::string to(reader.next());
  if (from.empty() || to.empty()) {
    return unlike("", "the name to rewrite and the name that it becomes");
  }
  if (rule.match == Match::Regex) {
    if (const auto read = read_pattern(from, lowered(to), rule.pattern, rule.replacement); !read) {
      return std::unexpected(read.error());
    }
  } else {
    rule.from = lowered(from);
    rule.to = lowered(to);
  }
  if (rule.match == Match::Exact || rule.match == Match::Suffix) {
    rule.from = with_final_dot(rule.from);
    rule.to = with_final_dot(rule.to);
  }
  if (rule.match == Match::Exact) {
    for (const std::string& name : {rule.from, rule.to}) {
      if (const auto checked = check_name(name); !checked) {
        return std::unexpected(checked.error());
      }
    }
  }
  rule.is_automatic = rule.match == Match::Exact;
  for (bool is_first = true; !reader.at_end(); is_first = false) {
    if (!reader.take("answer") && is_first) {  // Behind the first one it may be left out.
      return unlike(reader.peek(), "'answer' or the end of the rule");
    }
    if (const auto read = read_answer(reader, rule); !read) {
      return std::unexpected(read.error());
    }
  }
  return rule;
}

Rewriter::Outcome Rewriter::rewrite(const dns::NameKey& name, RewriteRoom& room) const noexcept {
  room.applied_count_ = 0;
  room.original_.clear();
  room.original_.add_name(name.wire());
  TextBuffer* now = &room.original_;
  TextBuffer* next = &room.rewritten_;
  for (const RewriteRule& rule : rules_) {
    next->clear();
    if (rule.match == Match::Regex) {
      switch (rule.pattern->match(now->text(), room.pattern_)) {
        case Pattern::Outcome::GaveUp:
          return Outcome::Failed;
        case Pattern::Outcome::NoMatch:
          continue;
        case Pattern::Outcome::Match:
          rule.replacement.add_to(*next, now->text(), room.pattern_);
          break;
      }
    } else if (!apply(rule, now->text(), *next)) {
      continue;
    }
    if (!next->is_good() || room.applied_count_ == RewriteRoom::MaxApplied) {
      return Outcome::Failed;
    }
    room.applied_[room.applied_count_++] = &rule;
    // The name as it was asked for stays where it is.
    now = next;
    next = now == &room.rewritten_ ? &room.other_ : &room.rewritten_;
    if (!rule.goes_on) {
      break;
    }
  }
  if (room.applied_count_ == 0) {
    return Outcome::Unchanged;
  }
  std::array<std::uint8_t, dns::MaxNameSize> wire;
  const std::size_t size = name_from_text(now->text(), wire);
  if (size == 0) {
    return Outcome::Failed;
  }
  room.name_.assign(Bytes(wire).first(size));
  const bool is_same = std::ranges::equal(room.name_.wire(), name.wire());
  return is_same ? Outcome::Unchanged : Outcome::Rewritten;
}

bool Rewriter::is_automatic(const RewriteRoom& room) noexcept {
  return std::any_of(room.applied_.begin(),
                     room.applied_.begin() + static_cast<std::ptrdiff_t>(room.applied_count_),
                     [](const RewriteRule* rule) { return rule->is_automatic; });
}

std::size_t Rewriter::restore(Bytes name, Place place, RewriteRoom& room,
                              std::span<std::uint8_t, dns::MaxNameSize> to) noexcept {
  TextBuffer* now = &room.rewritten_;
  TextBuffer* next = &room.other_;
  now->clear();
  now->add_name(name);
  now->lower();
  bool is_changed = false;
  const auto take = [&] {
    std::swap(now, next);
    is_changed = true;
  };
  for (std::size_t i = room.applied_count_; i-- != 0;) {
    const RewriteRule& rule = *room.applied_[i];
    next->clear();
    if (rule.is_automatic && rule.match == Match::Suffix && now->text().ends_with(rule.to)) {
      next->add(now->text().substr(0, now->text().size() - rule.to.size()));
      next->add(rule.from);
      take();
    }
    for (const AnswerRule& answer : rule.answers) {
      next->clear();
      if (answer.is_value == (place == Place::Value) &&
          answer.from->match(now->text(), room.pattern_) == Pattern::Outcome::Match) {
        answer.to.add_to(*next, now->text(), room.pattern_);
        take();
      }
    }
  }
  return is_changed && now->is_good() ? name_from_text(now->text(), to) : 0;
}

}  // namespace waypost::policy
