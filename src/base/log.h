// The door to spdlog: leveled lines on stderr for the person who runs a program.
//
// Control path only: the packet path counts, it never logs.  Safe to call from any thread.

#pragma once

#include <spdlog/spdlog.h>

#include <cstdint>
#include <string_view>

namespace waypost::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

enum class Format : std::uint8_t {
  Text,  // "2026-01-31T12:00:00.000Z info MESSAGE"
  Json,  // json_line() of base/log_format.h.
};

// Sends lines of `level` ("debug", "info", "warn", "error") and above to stderr.  Returns false and
// changes nothing for another word.
bool set_up(std::string_view level, Format format = Format::Text);

}  // namespace waypost::log
