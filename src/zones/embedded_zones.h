// The files of zones/static, as they are built into the program.

#pragma once

#include <span>
#include <string_view>

namespace waypost::zones {

// "localhost.zone" and what is in it.
struct EmbeddedFile {
  std::string_view name;
  std::string_view text;
};

// All of them, in byte order of their names: zones (*.zone) and what they include (*.inc).  Each
// name in empty.list stands here as a zone of its own that includes empty.inc.
std::span<const EmbeddedFile> embedded_files() noexcept;

}  // namespace waypost::zones
