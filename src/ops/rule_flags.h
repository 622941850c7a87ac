// The flags of `waypost plan` and `waypost explain`: what rules depend on besides manifests.  They
// have the names and meanings of waypost-node's.

#pragma once

#include "base/error.h"
#include "ops/rule_report.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace waypost::ops {

struct RuleFlag {
  enum class Form : std::uint8_t { Text, List, Switch };
  std::string_view flag;  // Without the leading "--".
  Form form = Form::Text;
  std::string_view value_name;  // Empty for a switch.
  std::string_view help;
  bool is_for_explain = false;  // Of explain only.
  // Takes one value; "true" for a switch.  Fails with "found 'x', expected …".
  Result<void> (*put)(RuleQuestion& question, const std::string& text);
};

// In the order in which --help shows them.
std::span<const RuleFlag> rule_flags() noexcept;

}  // namespace waypost::ops
