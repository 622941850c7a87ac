// The part of the option table (ops/option_table.h) that is about queries before zones are asked.

#pragma once

#include "ops/option_table.h"

#include <span>

namespace waypost::ops {

// In the order of documentation.
std::span<const Option> policy_options() noexcept;

}  // namespace waypost::ops
