#include "kube/selector.h"

#include "kube/names.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace waypost::kube {
namespace {

// Cuts a selector into words and the signs ( ) , ! = == !=.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) { advance(); }

  // The token at hand; empty at the end.
  std::string_view token() const noexcept { return token_; }
  bool at_end() const noexcept { return token_.empty(); }
  bool is_word() const noexcept { return !token_.empty() && !is_sign(token_.front()); }

  std::string_view take() noexcept {
    const std::string_view taken = token_;
    advance();
    return taken;
  }
  bool take(std::string_view wanted) noexcept {
    if (token_ != wanted) {
      return false;
    }
    advance();
    return true;
  }

 private:
  static bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool is_sign(char c) noexcept {
    return c == '(' || c == ')' || c == ',' || c == '!' || c == '=' || c == '<' || c == '>';
  }

  void advance() noexcept {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
    const std::size_t start = at_;
    if (at_ < text_.size() && is_sign(text_[at_])) {
      const bool two = (text_[at_] == '=' || text_[at_] == '!') && at_ + 1 < text_.size() &&
                       text_[at_ + 1] == '=';
      at_ += two ? 2 : 1;
    } else {
      while (at_ < text_.size() && !is_space(text_[at_]) && !is_sign(text_[at_])) {
        ++at_;
      }
    }
    token_ = text_.substr(start, at_ - start);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view token_;
};

std::unexpected<Error> refuse(std::string_view whole, std::string_view token,
                              std::string_view expected) {
  const std::string found = token.empty() ? "the end" : "'" + std::string(token) + "'";
  return failure(ErrorKind::InvalidInput, "selector '" + std::string(whole) + "': " + found +
                                              " where " + std::string(expected) + " was expected");
}

Result<std::string> read_value(Tokens& tokens, std::string_view whole) {
  const std::string_view value = tokens.is_word() ? tokens.take() : std::string_view();
  if (!is_label_value(value)) {
    return refuse(whole, value, LabelValueRule);
  }
  return std::string(value);
}

// Reads "(a, b)".  An empty value between commas is a value, no value at all is none.
Result<std::vector<std::string>> read_set(Tokens& tokens, std::string_view whole) {
  if (!tokens.take("(")) {
    return refuse(whole, tokens.token(), "'('");
  }
  std::vector<std::string> values;
  if (tokens.token() == ")") {
    return refuse(whole, tokens.token(), "a value");
  }
  do {
    auto value = read_value(tokens, whole);
    if (!value) {
      return std::unexpected(std::move(value.error()));
    }
    values.push_back(std::move(*value));
  } while (tokens.take(","));
  if (!tokens.take(")")) {
    return refuse(whole, tokens.token(), "',' or ')'");
  }
  return values;
}

}  // namespace

Result<Selector> Selector::from_text(std::string_view text) {
  Selector selector;
  Tokens tokens(text);
  if (tokens.at_end()) {
    return selector;
  }
  do {
    Requirement requirement;
    if (tokens.take("!")) {
      requirement.operation = Operator::DoesNotExist;
    }
    if (!tokens.is_word() || !is_label_key(tokens.token())) {
      return refuse(text, tokens.token(), LabelKeyRule);
    }
    requirement.key = tokens.take();
    if (requirement.operation == Operator::DoesNotExist || tokens.at_end() ||
        tokens.token() == ",") {
      selector.requirements_.push_back(std::move(requirement));
      continue;
    }

    const std::string_view sign = tokens.take();
    const bool is_set = sign == "in" || sign == "notin";
    if (!is_set && sign != "=" && sign != "==" && sign != "!=") {
      return refuse(text, sign, "one of = == != in notin");
    }
    requirement.operation = sign == "!=" || sign == "notin" ? Operator::NotIn : Operator::In;
    if (is_set) {
      auto values = read_set(tokens, text);
      if (!values) {
        return std::unexpected(std::move(values.error()));
      }
      requirement.values = std::move(*values);
    } else {
      auto value = read_value(tokens, text);
      if (!value) {
        return std::unexpected(std::move(value.error()));
      }
      requirement.values.push_back(std::move(*value));
    }
    selector.requirements_.push_back(std::move(requirement));
  } while (tokens.take(","));
  if (!tokens.at_end()) {
    return refuse(text, tokens.token(), "',' or the end");
  }
  return selector;
}

bool Selector::matches(const Labels& labels) const noexcept {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) {
    const std::string* value = find_label(labels, r.key);
    const bool is_listed =
        value != nullptr && std::find(r.values.begin(), r.values.end(), *value) != r.values.end();
    switch (r.operation) {
      case Operator::In:
        return is_listed;
      case Operator::NotIn:  // A missing label is not in any set.
        return !is_listed;
      case Operator::Exists:
        return value != nullptr;
      case Operator::DoesNotExist:
        return value == nullptr;
    }
    return false;
  });
}

}  // namespace waypost::kube
