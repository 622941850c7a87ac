// A short text that may stand in a file which someone else replaces now and then: a token, a
// certificate.

#pragma once

#include "base/error.h"
#include "base/file_identity.h"
#include "kube/api_access.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace waypost::kube {

class RotatingText {
 public:
  // At most so large, in octets: a bundle of all public certificate authorities has 200 KiB.
  static constexpr std::size_t MaxSize = std::size_t{1} << 20;

  explicit RotatingText(TextOrFile source) : source_(std::move(source)) { text_ = source_.text; }

  // Reads the file, if there is one and it looks different from when it was last read (device,
  // inode, size, time of modification or of change), or may have been written again without that.
  // Blocks for as long as that takes.  Fails when it cannot be read; the text is then as before.
  // The message names the file.
  Result<void> refresh();

  // What was read last; before that, the text given beside the file.
  const std::string& text() const noexcept { return text_; }
  bool has_file() const noexcept { return !source_.file.empty(); }
  // The file's path in quotes, or "the configuration": where the text is from, for messages.
  std::string origin() const;

 private:
  TextOrFile source_;
  std::string text_;
  std::optional<FileIdentity> seen_;  // Of what was read, once that is settled.
};

}  // namespace waypost::kube
