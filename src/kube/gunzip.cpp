#include "kube/gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>
#include <string>

namespace waypost::kube {
namespace {

constexpr int GzipWithLargestWindow = 16 + MAX_WBITS;  // See inflateInit2() in zlib.h.

uInt clamp(std::size_t size) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Gunzip::State {
  z_stream stream{};
  bool is_between_members = true;
};

Gunzip::Gunzip() : state_(std::make_unique<State>()) {
  if (inflateInit2(&state_->stream, GzipWithLargestWindow) != Z_OK) {
    throw std::bad_alloc();
  }
}

Gunzip::~Gunzip() {
  inflateEnd(&state_->stream);
}

bool Gunzip::is_between_members() const noexcept {
  return state_->is_between_members;
}

Result<Gunzip::Step> Gunzip::unpack(Bytes input, MutableBytes output) {
  z_stream& stream = state_->stream;
  const uInt available_in = clamp(input.size());
  const uInt available_out = clamp(output.size());
  // zlib does not write to its input, whatever its type says.
  stream.next_in = const_cast<Bytef*>(input.data());
  stream.avail_in = available_in;
  stream.next_out = output.data();
  stream.avail_out = available_out;
  while (stream.avail_out > 0) {
    if (state_->is_between_members) {
      if (stream.avail_in == 0) {
        break;
      }
      inflateReset(&stream);
      state_->is_between_members = false;
    }
    const int status = inflate(&stream, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      state_->is_between_members = true;
      continue;
    }
    if (status == Z_BUF_ERROR) {  // No progress is possible: all input is used.
      break;
    }
    if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    }
    if (status != Z_OK) {
      return failure(ErrorKind::InvalidInput,
                     std::string("not gzip: ") +
                         (stream.msg != nullptr ? stream.msg : "it needs a dictionary"));
    }
  }
  return Step{available_in - stream.avail_in, available_out - stream.avail_out};
}

}  // namespace waypost::kube
