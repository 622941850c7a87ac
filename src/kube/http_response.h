// One HTTP/1.1 response read from octets as they arrive: head, then a body without its chunks and
// unpacked, in bounded pieces.  Knows no I/O: the room's door to Beast.
//
// Not here: the connection (kube/api_stream.h).

#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::kube {

// What a caller does: write into free_space(), tell how much with add(), and call advance() until
// it needs input again.  Holds two buffers of 16 KiB, and one more of 32 KiB for gzip.
class HttpResponse {
 public:
  // The most that a head, the head of a chunk, or the trailer may have, in octets.
  static constexpr std::size_t MaxHeadSize = std::size_t{16} << 10;
  // Interim responses (RFC 9110, 15.2) that may come before the one.
  static constexpr int MaxInterimResponses = 8;

  HttpResponse();
  ~HttpResponse();
  HttpResponse(const HttpResponse&) = delete;
  HttpResponse& operator=(const HttpResponse&) = delete;

  // Room for octets from the server; never empty when advance() has asked for input.
  MutableBytes free_space() noexcept;
  // Tells that `size` octets have been written to the front of free_space().
  void add(std::size_t size) noexcept;
  // Tells that the server has sent all that it will.
  void finish_input() noexcept;

  enum class Progress : std::uint8_t {
    NeedsInput,
    Head,   // Once; status() and the others are known from now on.
    Piece,  // piece() is more of the body.
    Done,   // The body's end; from now on nothing else is returned.
  };

  // Reads on.  Fails with InvalidInput for what is not HTTP or not gzip, with Exhausted for a head
  // that is too large, with Unsupported for another content coding, and with System when the server
  // stopped before the end.  Every further call fails alike.
  Result<Progress> advance();

  // Valid until the next call of advance(); empty unless that returned Piece.
  std::string_view piece() const noexcept;

  // Valid once advance() has returned Head.
  unsigned status() const noexcept;
  std::optional<std::chrono::seconds> retry_after() const noexcept;
  // The Location of a redirect, empty without one; cut at 200 octets.
  std::string location() const;

  // False as long as no octet was added: the server may never have seen the request.
  bool has_started() const noexcept;
  // True once Done, when the connection can serve another request: the server keeps it open, and
  // nothing follows.
  bool can_reuse_connection() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waypost::kube
