// Beast 1.81 asserts that a last chunk's first five octets come at once, which a server need not
// do; without the assertion it waits for the rest, as it should.
#define BOOST_DISABLE_ASSERTS

#include "kube/http_response.h"

#include "kube/gunzip.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <utility>

namespace waypost::kube {
namespace {

namespace http = boost::beast::http;

using Parser = http::response_parser<http::buffer_body>;
using Progress = HttpResponse::Progress;

constexpr std::size_t UnpackedSize = std::size_t{32} << 10;
constexpr std::size_t MaxLocation = 200;

std::string_view to_view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

Error to_error(const boost::system::error_code& code) {
  using http::error;
  if (code == error::partial_message || code == error::end_of_stream) {
    return {ErrorKind::System, "the connection was closed before the end of the response"};
  }
  if (code == error::header_limit || code == error::buffer_overflow) {
    return {ErrorKind::Exhausted, "the response's head has more than " +
                                      std::to_string(HttpResponse::MaxHeadSize) + " octets"};
  }
  return {ErrorKind::InvalidInput, "not an HTTP response: " + code.message()};
}

}  // namespace

struct HttpResponse::State {
  enum class Stage : std::uint8_t { Head, Body, End, Failed };

  State() { begin_message(); }

  void begin_message() {
    parser.emplace();
    parser->header_limit(MaxHeadSize);
    parser->body_limit(boost::none);  // Nothing of it is kept.
  }

  Result<Progress> advance();
  Result<Progress> advance_head();
  Result<Progress> advance_body();
  Result<Progress> end_head();
  Result<Progress> unpack();

  // Lets the parser see what was read.  Returns true when it has made progress.
  Result<bool> parse();

  std::size_t unread() const noexcept { return input_end - input_begin; }

  std::optional<Parser> parser;
  std::array<std::uint8_t, MaxHeadSize> input;
  std::size_t input_begin = 0;
  std::size_t input_end = 0;
  bool has_input_ended = false;
  bool has_started = false;
  int interim_responses = 0;

  std::array<std::uint8_t, MaxHeadSize> body;  // As the parser left it, not unpacked.
  Bytes packed;                                // The part of `body` that is not yet unpacked.
  std::unique_ptr<Gunzip> gunzip;              // Nothing for a body without a content coding.
  std::unique_ptr<std::array<std::uint8_t, UnpackedSize>> unpacked;
  Bytes piece;

  Stage stage = Stage::Head;
  Error failure;
};

Result<bool> HttpResponse::State::parse() {
  boost::system::error_code code;
  const auto buffer = boost::asio::buffer(input.data() + input_begin, unread());
  std::size_t consumed = 0;
  if (buffer.size() > 0) {
    consumed = parser->put(buffer, code);
    input_begin += consumed;
  }
  if (code == http::error::need_buffer) {
    code = {};
  }
  if (buffer.size() == 0 || code == http::error::need_more) {
    if (has_input_ended) {
      if (!parser->got_some()) {
        return std::unexpected(to_error(http::error::end_of_stream));
      }
      code = {};
      parser->put_eof(code);
      return code ? Result<bool>(std::unexpected(to_error(code))) : true;
    }
    if (unread() == input.size()) {
      return std::unexpected(to_error(http::error::header_limit));
    }
    return consumed > 0;
  }
  if (code) {
    return std::unexpected(to_error(code));
  }
  return true;
}

Result<Progress> HttpResponse::State::end_head() {
  const auto& message = parser->get();
  if (message.result_int() / 100 == 1) {
    if (message.result_int() == 101 || ++interim_responses > MaxInterimResponses) {
      return waypost::failure(ErrorKind::InvalidInput, "the server sends only interim responses");
    }
    begin_message();
    return advance_head();
  }
  const std::string_view coding = to_view(message[http::field::content_encoding]);
  if (boost::beast::iequals({coding.data(), coding.size()}, "gzip")) {
    gunzip = std::make_unique<Gunzip>();
    unpacked = std::make_unique<std::array<std::uint8_t, UnpackedSize>>();
  } else if (!coding.empty() &&
             !boost::beast::iequals({coding.data(), coding.size()}, "identity")) {
    return waypost::failure(ErrorKind::Unsupported,
                            "the response has a content coding other than gzip");
  }
  stage = Stage::Body;
  return Progress::Head;
}

Result<Progress> HttpResponse::State::advance_head() {
  while (!parser->is_header_done()) {
    const auto progress = parse();
    if (!progress) {
      return std::unexpected(progress.error());
    }
    if (!*progress && !parser->is_header_done()) {
      return Progress::NeedsInput;
    }
  }
  return end_head();
}

Result<Progress> HttpResponse::State::unpack() {
  const auto step = gunzip->unpack(packed, *unpacked);
  if (!step) {
    return std::unexpected(step.error());
  }
  packed = packed.subspan(step->consumed);
  piece = Bytes(*unpacked).first(step->produced);
  return piece.empty() ? Progress::NeedsInput : Progress::Piece;
}

Result<Progress> HttpResponse::State::advance_body() {
  while (true) {
    // What the last piece has left over comes first; a full output may hide more of it.
    if (gunzip && (!packed.empty() || piece.size() == UnpackedSize)) {
      const auto progress = unpack();
      if (!progress || *progress == Progress::Piece) {
        return progress;
      }
    }
    piece = {};
    if (parser->is_done()) {
      if (gunzip && !gunzip->is_between_members()) {
        return waypost::failure(ErrorKind::InvalidInput, "the gzip body ends too early");
      }
      stage = Stage::End;
      return Progress::Done;
    }
    auto& buffer = parser->get().body();
    buffer.data = body.data();
    buffer.size = body.size();
    const auto progress = parse();
    if (!progress) {
      return std::unexpected(progress.error());
    }
    const Bytes parsed = Bytes(body).first(body.size() - buffer.size);
    if (gunzip) {
      packed = parsed;
    } else if (!parsed.empty()) {
      piece = parsed;
      return Progress::Piece;
    }
    if (!*progress && parsed.empty()) {
      return Progress::NeedsInput;
    }
  }
}

Result<Progress> HttpResponse::State::advance() {
  switch (stage) {
    case Stage::Head:
      return advance_head();
    case Stage::Body:
      return advance_body();
    case Stage::End:
      return Progress::Done;
    case Stage::Failed:
      break;
  }
  return std::unexpected(failure);
}

HttpResponse::HttpResponse() : state_(std::make_unique<State>()) {}
HttpResponse::~HttpResponse() = default;

MutableBytes HttpResponse::free_space() noexcept {
  State& state = *state_;
  if (state.input_begin > 0) {
    std::memmove(state.input.data(), state.input.data() + state.input_begin, state.unread());
    state.input_end -= state.input_begin;
    state.input_begin = 0;
  }
  return MutableBytes(state.input).subspan(state.input_end);
}

void HttpResponse::add(std::size_t size) noexcept {
  assert(size <= state_->input.size() - state_->input_end);
  state_->input_end += size;
  state_->has_started |= size > 0;
}

void HttpResponse::finish_input() noexcept {
  state_->has_input_ended = true;
}

Result<Progress> HttpResponse::advance() {
  auto progress = state_->advance();
  if (!progress) {
    state_->stage = State::Stage::Failed;
    state_->failure = progress.error();
    state_->piece = {};
  }
  return progress;
}

std::string_view HttpResponse::piece() const noexcept {
  return as_text(state_->piece);
}

unsigned HttpResponse::status() const noexcept {
  return state_->parser->get().result_int();
}

std::optional<std::chrono::seconds> HttpResponse::retry_after() const noexcept {
  const std::string_view text = to_view(state_->parser->get()[http::field::retry_after]);
  std::uint32_t seconds = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return std::chrono::seconds(seconds);
}

std::string HttpResponse::location() const {
  return std::string(to_view(state_->parser->get()[http::field::location]).substr(0, MaxLocation));
}

bool HttpResponse::has_started() const noexcept {
  return state_->has_started;
}

bool HttpResponse::can_reuse_connection() const noexcept {
  const State& state = *state_;
  return state.stage == State::Stage::End && state.parser->keep_alive() && state.unread() == 0 &&
         !state.has_input_ended;
}

}  // namespace waypost::kube
