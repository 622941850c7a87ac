#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace waypost {

std::unexpected<Error> system_failure(std::string_view what) {
  const int code = errno;
  const ErrorKind kind = code == ENOENT ? ErrorKind::NotFound : ErrorKind::System;
  return failure(kind, std::string(what) + ": " + std::generic_category().message(code));
}

}  // namespace waypost
