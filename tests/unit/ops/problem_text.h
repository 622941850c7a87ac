// Problems as tests compare them.

#pragma once

#include "ops/config.h"

#include <expected>
#include <string>

namespace waypost::ops {

// One a line.
inline std::string text_of(const Problems& problems) {
  std::string text;
  for (const Error& problem : problems) {
    text += problem.message + "\n";
  }
  return text;
}

// Those that there are instead of a value; empty when there is one.
template <typename Value>
std::string problems_of(const std::expected<Value, Problems>& result) {
  return result ? std::string() : text_of(result.error());
}

}  // namespace waypost::ops
