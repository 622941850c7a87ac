// Any bytes as the body of a watch: cut in two anywhere it reads as in one piece, and its events'
// objects have a beginning and an end.

#include "kube/watch_reader.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace waypost;

void expect(bool holds) {
  if (!holds) {
    std::abort();
  }
}

// The events, and how it ends.
std::string read(std::string_view body, std::size_t first) {
  std::string text;
  std::size_t octets = 0;
  kube::WatchReader reader([&](const kube::WatchEvent& event) {
    // Which bracket closes which is for whoever reads the object.
    expect(event.object.starts_with('{') && event.object.size() >= 2);
    expect(event.object.ends_with('}') || event.object.ends_with(']'));
    octets += event.object.size();
    text += std::string(to_text(event.type)) + " " + std::string(event.object) + "\n";
  });
  // On the heap, so that a view that outlives its piece is found out.
  for (const std::string& piece :
       {std::string(body.substr(0, first)), std::string(body.substr(first))}) {
    if (const auto fed = reader.feed(piece); !fed) {
      expect(!reader.finish());
      return text + fed.error().message;
    }
  }
  expect(octets <= body.size());
  const auto end = reader.finish();
  return end ? text : text + end.error().message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  const std::string whole = read(body, size);
  const std::size_t steps = size < 64 ? 1 : size / 16;
  for (std::size_t first = 0; first < size; first += steps) {
    expect(read(body, first) == whole);
  }
  return 0;
}
