// Exchanges recorded from a real API server, as they stand in tests/data/api.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace waypost::test {

struct ApiRecording {
  unsigned status = 0;
  std::string body;                 // De-chunked.
  std::vector<std::string> chunks;  // As they came; one when the body was not chunked.
};

// Reads "list-services" from list-services.http.  Throws when there is no such response or it is
// broken.
ApiRecording read_recording(std::string_view name);

// Reads a text below tests/data/api; throws when there is none.
std::string read_api_text(std::string_view name);

}  // namespace waypost::test
