#include "ops/control_client.h"

#include "base/endpoint.h"
#include "sources/api_kind.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <string_view>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds Timeout{5};
constexpr std::size_t MaxReply = 65536;

std::string request_text(const FlushRequest& request) {
  // HTTP/1.0, so that the reply ends with the connection.
  return "POST /flush?" + std::string(request.is_zone ? "zone=" : "name=") +
         sources::percent_encoded(request.name) +
         " HTTP/1.0\r\nHost: " + request.control.to_text() + "\r\nContent-Length: 0\r\n\r\n";
}

// Sends `text` and fills `reply` up to the end of the connection.
error_code exchange(const SocketAddress& with, const std::string& text, std::string& reply) {
  asio::io_context context{1};
  tcp::socket socket(context);
  error_code result = asio::error::timed_out;
  const auto finish = [&](const error_code& error) {
    result = error == asio::error::eof ? error_code() : error;
  };
  socket.async_connect(to_endpoint<tcp>(with), [&](const error_code& error) {
    if (error) {
      return finish(error);
    }
    asio::async_write(socket, asio::buffer(text), [&](const error_code& failed, std::size_t) {
      if (failed) {
        return finish(failed);
      }
      asio::async_read(socket, asio::dynamic_buffer(reply, MaxReply),
                       [&](const error_code& ended, std::size_t) { finish(ended); });
    });
  });
  context.run_for(Timeout);
  return result;
}

}  // namespace

Result<std::string> request_flush(const FlushRequest& request) {
  std::string reply;
  const std::string place = request.control.to_text();
  if (const error_code error = exchange(request.control, request_text(request), reply); error) {
    return failure(ErrorKind::System,
                   place + ": " + error.message() +
                       "; expected a waypost-dns with this address in controlListen");
  }
  // "HTTP/1.1 200 OK", fields, an empty line, what is said.
  const std::size_t head_end = reply.find("\r\n\r\n");
  const std::size_t blank = reply.find(' ');
  if (!reply.starts_with("HTTP/1.") || head_end == std::string::npos || blank > head_end) {
    return failure(ErrorKind::InvalidInput, place + ": no waypost-dns answers there");
  }
  const std::string_view status = std::string_view(reply).substr(blank + 1, 3);
  std::string said = reply.substr(head_end + 4);
  while (said.ends_with('\n')) {
    said.pop_back();
  }
  if (status != "200") {
    return failure(ErrorKind::InvalidInput, place + ": " + said);
  }
  return said;
}

}  // namespace waypost::ops
