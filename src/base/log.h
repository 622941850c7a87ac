// The door to spdlog: leveled lines on stderr for the person who runs a program.
//
// Control path only: the packet path counts, it never logs.  Safe to call from any thread.

#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

namespace waypost::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

// Sends lines of `level` ("debug", "info", "warn", "error") and above to stderr.  Returns false and
// changes nothing for another word.
bool set_up(std::string_view level);

}  // namespace waypost::log
