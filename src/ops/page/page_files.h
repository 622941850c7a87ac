// The files of src/ops/page that make the status page, as they are built into the programs.

#pragma once

#include <span>
#include <string_view>

namespace waypost::ops {

struct PageFile {
  std::string_view name;  // "status.css"
  std::string_view text;
};

// All of them, in byte order of their names.
std::span<const PageFile> page_files() noexcept;

// The text of the file with that name.  REQUIRES: there is one.
std::string_view page_file(std::string_view name) noexcept;

}  // namespace waypost::ops
