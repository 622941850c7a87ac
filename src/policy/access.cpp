#include "policy/access.h"

#include "dns/ldns_bridge.h"
#include "policy/words.h"

#include <algorithm>
#include <map>
#include <string>

namespace waypost::policy {
namespace {

bool is_keyword(std::string_view word) {
  return word == "type" || word == "net" || word == "zone" || word == "except";
}

Result<void> read_value(std::string_view keyword, std::string_view word, AccessRule& rule) {
  if (keyword == "type") {
    const auto type = dns::type_from_text(word);
    if (!type) {
      return unlike(word, "a type such as AAAA or TYPE65");
    }
    rule.types.push_back(*type);
  } else if (keyword == "net") {
    const auto prefix = IpPrefix::from_text(word);
    if (!prefix) {
      return std::unexpected(with_context(prefix.error(), "'" + std::string(word) + "'"));
    }
    rule.clients.push_back(*prefix);
  } else {
    return rule.scope.add(keyword, word);
  }
  return {};
}

}  // namespace

Result<AccessRule> AccessRule::from_text(std::string_view text) {
  const auto words = words_of(text);
  if (!words) {
    return std::unexpected(words.error());
  }
  WordReader reader(*words);
  AccessRule rule;
  const std::string_view action = reader.next();
  if (action == "block") {
    rule.access = Access::Block;
  } else if (action == "filter") {
    rule.access = Access::Filter;
  } else if (action == "drop") {
    rule.access = Access::Drop;
  } else if (action != "allow") {
    return unlike(action, "allow, block, filter or drop");
  }
  std::map<std::string_view, bool> is_any;  // Of the keywords so far.
  while (!reader.at_end()) {
    const std::string_view keyword = reader.next();
    if (!is_keyword(keyword)) {
      return unlike(keyword, "type, net, zone or except");
    }
    if (reader.at_end() || is_keyword(reader.peek())) {
      return unlike(reader.peek(), "a value for " + std::string(keyword));
    }
    while (!reader.at_end() && !is_keyword(reader.peek())) {
      const std::string_view word = reader.next();
      const auto [before, is_first] = is_any.emplace(keyword, word == "*");
      if (!is_first && (before->second || word == "*")) {
        return failure(ErrorKind::InvalidInput,
                       "'*' beside another value of " + std::string(keyword) +
                           ", where it stands for any and has to be alone");
      }
      if (word == "*" && keyword == "except") {
        return unlike(word, "a zone");
      }
      if (word == "*") {
        continue;
      }
      if (const auto read = read_value(keyword, word, rule); !read) {
        return std::unexpected(read.error());
      }
    }
  }
  return rule;
}

bool AccessRule::fits(const dns::NameKey& name, dns::RecordType type,
                      const IpAddress& client) const noexcept {
  const bool fits_type =
      types.empty() || std::find(types.begin(), types.end(), type) != types.end();
  const bool fits_client =
      fits_type && (clients.empty() ||
                    std::any_of(clients.begin(), clients.end(),
                                [&](const IpPrefix& prefix) { return prefix.contains(client); }));
  return fits_client && scope.find(name).has_value();
}

const AccessRule* find_rule(std::span<const AccessRule> rules, const dns::NameKey& name,
                            dns::RecordType type, const IpAddress& client) noexcept {
  for (const AccessRule& rule : rules) {
    if (rule.fits(name, type, client)) {
      return &rule;
    }
  }
  return nullptr;
}

}  // namespace waypost::policy
