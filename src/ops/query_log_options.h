// What an operator may choose about the query log: queryLog and queryLogRate, for the table of
// options.
//
// Not here: what it means (server/query_log.h).

#pragma once

#include "base/error.h"
#include "ops/config.h"

#include <string>

namespace waypost::ops {

// One entry of queryLog: "error", or "corp.example=all".
Result<void> put_query_log(Config& config, const std::string& text);
Result<void> put_query_log_rate(Config& config, const std::string& text);

}  // namespace waypost::ops
