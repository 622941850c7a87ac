#include "kube/rotating_text.h"

#include "base/file.h"

#include <cstdint>
#include <utility>

namespace waypost::kube {

Result<void> RotatingText::refresh() {
  if (!has_file()) {
    return {};
  }
  const std::optional<FileIdentity> identity = identify(source_.file);
  if (!identity) {
    return system_failure(source_.file.string());
  }
  if (identity == seen_) {
    return {};
  }
  if (identity->size > std::int64_t{MaxSize}) {
    return failure(ErrorKind::Exhausted, source_.file.string() + ": larger than " +
                                             std::to_string(MaxSize >> 10) + " KiB");
  }
  auto content = read_file(source_.file);
  if (!content) {
    return std::unexpected(std::move(content.error()));
  }
  text_ = std::move(*content);
  seen_ = identity->is_settled() ? identity : std::nullopt;
  return {};
}

std::string RotatingText::origin() const {
  return has_file() ? "'" + source_.file.string() + "'" : "the configuration";
}

}  // namespace waypost::kube
