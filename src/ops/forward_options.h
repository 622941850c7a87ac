// The values of the options of forwarding, for the table (ops/option_table.h, Option::put).

#pragma once

#include "base/error.h"
#include "ops/config.h"

#include <string>

namespace waypost::ops {

Result<void> put_forward(Config& config, const std::string& text);
Result<void> put_stub_domain(Config& config, const std::string& text);
Result<void> put_forward_policy(Config& config, const std::string& text);
Result<void> put_upstream_ca_file(Config& config, const std::string& text);
Result<void> put_serve_stale(Config& config, const std::string& text);
Result<void> put_query_deadline(Config& config, const std::string& text);

}  // namespace waypost::ops
