// Any octets as the response of an API server: read in two ways of splitting them, they come to the
// same, in bounded pieces.  The first octet says how they are split.

#include "kube/http_response.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace waypost;
using kube::HttpResponse;

// A few octets of gzip may stand for very many.
constexpr std::size_t MaxBody = std::size_t{4} << 20;
constexpr std::size_t MaxPiece = std::size_t{32} << 10;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

struct Reading {
  std::string body;
  bool has_head = false;
  unsigned status = 0;
  bool is_done = false;
  bool can_reuse = false;
};

Reading read(std::string_view octets, std::size_t portion) {
  Reading reading;
  HttpResponse response;
  bool has_ended = false;
  while (reading.body.size() < MaxBody) {
    const auto progress = response.advance();
    if (!progress) {
      expect(!progress.error().message.empty(), "a failure says why");
      expect(!response.advance(), "a failure lasts");
      break;
    }
    if (*progress == HttpResponse::Progress::Done) {
      reading.is_done = true;
      reading.can_reuse = response.can_reuse_connection();
      break;
    }
    if (*progress == HttpResponse::Progress::Head) {
      expect(!reading.has_head, "there is one head");
      reading.has_head = true;
      reading.status = response.status();
      response.retry_after();
      response.location();
    } else if (*progress == HttpResponse::Progress::Piece) {
      expect(reading.has_head, "the head comes first");
      expect(!response.piece().empty() && response.piece().size() <= MaxPiece,
             "pieces are bounded");
      reading.body += response.piece();
    } else if (octets.empty()) {
      expect(!has_ended, "there is nothing to wait for at the end");
      has_ended = true;
      response.finish_input();
    } else {
      const MutableBytes space = response.free_space();
      expect(!space.empty(), "there is room for what is wanted");
      const std::size_t size = std::min({portion, octets.size(), space.size()});
      std::memcpy(space.data(), octets.data(), size);
      response.add(size);
      octets.remove_prefix(size);
    }
  }
  return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view octets(reinterpret_cast<const char*>(input + 1), size - 1);
  const Reading whole = read(octets, octets.size());
  const Reading split = read(octets, std::size_t{input[0]} + 1);
  expect(whole.has_head == split.has_head && whole.status == split.status, "the same head");
  expect(whole.is_done == split.is_done, "the same end");
  if (whole.is_done) {
    expect(whole.body == split.body, "the same body");
  }
  return 0;
}
