// The values of the options of search completion, for the table (ops/option_table.h, Option::put).

#pragma once

#include "base/error.h"
#include "ops/config.h"

#include <string>

namespace waypost::ops {

Result<void> put_search_domain(Config& config, const std::string& text);
Result<void> put_search_resolv_conf(Config& config, const std::string& text);
Result<void> put_search_node(Config& config, const std::string& text);

}  // namespace waypost::ops
