#include "ops/query_log_options.h"

#include "dns/name.h"
#include "ops/option_values.h"
#include "server/query_log.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace waypost::ops {
namespace {

using server::QueryClass;
using server::QueryLogOptions;
using server::QueryLogRule;

// The longest that a second's lines are written in one go.
constexpr std::uint64_t MaxRate = 2000;

std::optional<server::QueryClasses> classes_from_text(std::string_view text) noexcept {
  if (text == "none") {
    return 0;
  }
  if (text == "all") {
    return server::AllQueryClasses;
  }
  constexpr std::pair<std::string_view, QueryClass> Words[] = {{"success", QueryClass::Success},
                                                               {"denial", QueryClass::Denial},
                                                               {"error", QueryClass::Error}};
  for (const auto& [word, one] : Words) {
    if (text == word) {
      return static_cast<server::QueryClasses>(one);
    }
  }
  return std::nullopt;
}

}  // namespace

Result<void> put_query_log(Config& config, const std::string& text) {
  const std::size_t sign = text.rfind('=');
  const auto classes = classes_from_text(sign == std::string::npos ? text : text.substr(sign + 1));
  if (!classes || sign == 0) {
    return unlike_expected();
  }
  std::string zone(1, '\0');
  if (sign != std::string::npos) {
    const auto name = dns::Name::from_text(text.substr(0, sign));
    if (!name) {
      return because(name.error().message);
    }
    zone = as_text(name->lowered().wire());
  }
  auto& rules = config.query_log.rules;
  const auto same = std::find_if(rules.begin(), rules.end(),
                                 [&](const QueryLogRule& rule) { return rule.zone == zone; });
  if (same == rules.end()) {
    if (rules.size() == QueryLogOptions::MaxRules) {
      return because("there are " + std::to_string(QueryLogOptions::MaxRules) +
                     " zones before it, which is the most");
    }
    rules.push_back({std::move(zone), *classes});
  } else if ((same->classes == 0) != (*classes == 0)) {
    return because("none stands alone for its names");
  } else {
    same->classes |= *classes;
  }
  return {};
}

Result<void> put_query_log_rate(Config& config, const std::string& text) {
  return put_number(config.query_log.lines_per_second, text, 1, MaxRate);
}

}  // namespace waypost::ops
