#include "support/api_recording.h"

#include "base/file.h"

#include <charconv>
#include <stdexcept>

namespace waypost::test {
namespace {

constexpr std::string_view LineEnd = "\r\n";

[[noreturn]] void broken(std::string_view what) {
  throw std::runtime_error("a recorded response is broken: " + std::string(what));
}

std::string_view take(std::string_view& text, std::size_t size) {
  if (size > text.size()) {
    broken("it ends too early");
  }
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = take(text, text.find(LineEnd));
  take(text, LineEnd.size());
  return line;
}

std::size_t to_number(std::string_view digits, int base) {
  std::size_t number = 0;
  const auto [end, ec] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (ec != std::errc() || end != digits.data() + digits.size()) {
    broken("'" + std::string(digits) + "' is not a number");
  }
  return number;
}

// RFC 9112, 7.1, as far as the API server uses it: no extensions, no trailers.
// A response that was cut off has no last chunk.
std::vector<std::string> read_chunks(std::string_view text) {
  std::vector<std::string> chunks;
  while (!text.empty()) {
    const std::size_t size = to_number(take_line(text), 16);
    if (size == 0) {
      if (text != LineEnd) {
        broken("it goes on behind its last chunk");
      }
      break;
    }
    chunks.emplace_back(take(text, size));
    if (!take_line(text).empty()) {
      broken("a chunk is longer than it says");
    }
  }
  return chunks;
}

}  // namespace

std::string read_api_text(std::string_view name) {
  auto text = read_file(std::string(TEST_DATA "/api/") + std::string(name));
  if (!text) {
    throw std::runtime_error(text.error().message);
  }
  return std::move(*text);
}

ApiRecording read_recording(std::string_view name) {
  const std::string response = read_api_text(std::string(name) + ".http");
  std::string_view text = response;
  ApiRecording recording;
  const std::string_view status_line = take_line(text);  // "HTTP/1.1 200 OK"
  recording.status = static_cast<unsigned>(to_number(status_line.substr(9, 3), 10));
  bool is_chunked = false;
  for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
    is_chunked = is_chunked || line == "Transfer-Encoding: chunked";
  }
  recording.chunks = is_chunked ? read_chunks(text) : std::vector{std::string(text)};
  for (const std::string& chunk : recording.chunks) {
    recording.body += chunk;
  }
  return recording;
}

}  // namespace waypost::test
