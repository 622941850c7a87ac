// What went wrong on the control path, in words for the person who has to mend it.
//
// An Error is made where the problem is seen and gains context as it climbs: "line 14: bad TTL"
// becomes "zones/a.zone: line 14: bad TTL".  The packet path does not use it; it has small enums of
// its own.
//
// Not here: expected outcomes (no such name, no endpoints), which are values of their own types.

#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace waypost {

enum class ErrorKind : std::uint8_t {
  InvalidInput,  // A file, object, flag or message says something that cannot be used.
  NotFound,      // A file or an object that was named does not exist.
  System,        // The operating system refused; the message carries its reason.
  Unsupported,   // Understood, but not offered here.
  Exhausted,     // A stated bound is reached.
};

struct Error {
  ErrorKind kind = ErrorKind::InvalidInput;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

// Returns the failure to be returned from a function with a Result.
[[nodiscard]] inline std::unexpected<Error> failure(ErrorKind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message)});
}

// Returns `error` with "context: " put in front of its message.
[[nodiscard]] inline Error with_context(Error error, std::string_view context) {
  error.message.insert(0, ": ").insert(0, context);
  return error;
}

// Returns the failure for a system call that just failed, with errno's text; `what` says what was
// tried.
[[nodiscard]] std::unexpected<Error> system_failure(std::string_view what);

}  // namespace waypost
