#include "policy/words.h"

#include <algorithm>

namespace waypost::policy {

Result<std::vector<std::string>> words_of(std::string_view text) {
  if (text.size() > MaxRuleSize) {
    return failure(ErrorKind::InvalidInput, "a rule of more than 4096 octets");
  }
  std::vector<std::string> words;
  std::size_t at = 0;
  while (true) {
    at = text.find_first_not_of(" \t\r\n", at);
    if (at == std::string_view::npos) {
      return words;
    }
    const char quote = text[at];
    if (quote != '"' && quote != '\'') {
      const std::size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
      words.emplace_back(text.substr(at, end - at));
      at = end;
      continue;
    }
    std::string& word = words.emplace_back();
    for (++at; at < text.size() && text[at] != quote; ++at) {
      const bool is_escape = quote == '"' && text[at] == '\\' && at + 1 < text.size() &&
                             (text[at + 1] == '"' || text[at + 1] == '\\');
      at += is_escape ? 1 : 0;
      word.push_back(text[at]);
    }
    if (at == text.size()) {
      return failure(ErrorKind::InvalidInput,
                     std::string("no ") + quote + " ends what begins with one");
    }
    ++at;
  }
}

std::unexpected<Error> unlike(std::string_view found, std::string_view expected) {
  const std::string what =
      found.empty() ? std::string("the rule ends early") : "'" + std::string(found) + "' in it";
  return failure(ErrorKind::InvalidInput, what + ", where " + std::string(expected) + " belongs");
}

}  // namespace waypost::policy
