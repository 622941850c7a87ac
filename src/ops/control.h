// What an operator may have done while the program runs: POST /flush?name=NAME and
// POST /flush?zone=ZONE.
//
// Not here: HTTP (ops/http_server.h), the other end (ops/control_client.h).

#pragma once

#include "dns/query.h"
#include "ops/http_server.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

namespace waypost::ops {

// Removes what is cached for the name, and for those below it if `below`; returns how many answers
// that were, nothing when that is not known in time.
using FlushCache = std::function<std::optional<std::size_t>(const dns::NameKey& name, bool below)>;

// `query` is what stands behind the path's question mark.
HttpReply flush_reply(std::string_view query, const FlushCache& flush);

}  // namespace waypost::ops
