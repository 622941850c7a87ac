#include "ops/option_values.h"

#include <system_error>

namespace waypost::ops {

std::unexpected<Error> unlike_expected() {
  return failure(ErrorKind::InvalidInput, "");
}

std::unexpected<Error> because(std::string reason) {
  return failure(ErrorKind::InvalidInput, std::move(reason));
}

Result<void> put_boolean(bool& target, const std::string& text) {
  return put_word(target, text, {{"true", true}, {"false", false}});
}

std::vector<IpPrefix> default_service_cidrs() {
  return {*IpPrefix::from_text("10.96.0.0/12"), *IpPrefix::from_text("fd00:10:96::/112")};
}

Result<void> put_folder(std::filesystem::path& target, const std::string& text) {
  std::error_code ec;
  if (!std::filesystem::is_directory(text, ec)) {
    return because(std::filesystem::exists(text, ec) ? "it is not a folder" : "it does not exist");
  }
  target = text;
  return {};
}

}  // namespace waypost::ops
