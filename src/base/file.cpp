#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace waypost {

Result<std::string> read_file(const std::filesystem::path& path) {
  std::error_code ec;
  const auto status = std::filesystem::status(path, ec);
  if (ec || !std::filesystem::exists(status)) {
    return failure(ErrorKind::NotFound, path.string() + ": no such file");
  }
  if (!std::filesystem::is_regular_file(status)) {
    return failure(ErrorKind::InvalidInput, path.string() + ": not a regular file");
  }
  const auto size = std::filesystem::file_size(path, ec);
  if (!ec && size > MaxFileSize) {
    return failure(ErrorKind::Exhausted,
                   path.string() + ": larger than " + std::to_string(MaxFileSize >> 20) + " MiB");
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return system_failure(path.string());
  }
  std::string content;
  content.resize(ec ? 0 : size);
  stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(stream.gcount()));
  if (stream.bad()) {
    return failure(ErrorKind::System, path.string() + ": cannot be read to its end");
  }
  return content;
}

Result<std::vector<std::filesystem::path>> list_files(
    const std::filesystem::path& folder, std::initializer_list<std::string_view> extensions) {
  std::error_code ec;
  std::filesystem::directory_iterator entries(folder, ec);
  if (ec) {
    return failure(ErrorKind::System, folder.string() + ": " + ec.message());
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    const bool wanted = std::any_of(extensions.begin(), extensions.end(),
                                    [&](std::string_view end) { return name.ends_with(end); });
    if (wanted && !name.starts_with('.') && entry.is_regular_file(ec)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace waypost
