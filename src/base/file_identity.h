// Which file a path leads to and whether it has been written to since: without reading it.

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace waypost {

struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;

  // False while the file may still be written again without becoming another by this.
  bool is_settled() const noexcept;
};

// Nothing when there is no file, or none to be seen; errno then says why.
std::optional<FileIdentity> identify(const std::filesystem::path& path) noexcept;

}  // namespace waypost
