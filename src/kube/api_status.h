// What the API server says when it cannot do what was asked: an object of kind Status, as the body
// of a response or in an ERROR event of a watch.

#pragma once

#include "base/error.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {

inline constexpr std::size_t MaxStatusCauses = 16;     // Further ones are left out.
inline constexpr std::size_t MaxStatusMessage = 1024;  // Octets; a longer one is cut.

struct StatusCause {
  std::string reason;
  std::string field;
  std::string message;

  friend bool operator==(const StatusCause&, const StatusCause&) = default;
};

// meta/v1 Status.  Texts are as the server wrote them, and empty where it wrote none.
struct ApiStatus {
  unsigned code = 0;    // The HTTP status that goes with it; 0 without one.
  std::string reason;   // "Expired", "Forbidden": one word.
  std::string message;  // For people.
  std::optional<std::chrono::seconds> retry_after;  // details.retryAfterSeconds, above 0
  std::vector<StatusCause> causes;                  // details.causes

  // The version asked for, or a continue token, has been compacted away: list anew.
  bool is_expired() const noexcept;
  // The version asked for is newer than what the server has: try again later.
  bool is_too_large_version() const noexcept;

  // "403 Forbidden: services is forbidden: ..."
  std::string to_text() const;

  friend bool operator==(const ApiStatus&, const ApiStatus&) = default;
};

// Fails for what is not a JSON object of kind Status.  A field of it that cannot be used is as if
// it were absent.
Result<ApiStatus> decode_status(std::string_view json);

}  // namespace waypost::kube
