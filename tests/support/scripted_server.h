// A server that does to its clients what a test says, octet by octet: plain or TLS, TCP or a Unix
// socket, on the test's own io_context.

#pragma once

#include "support/test_certificates.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::test {

struct Step {
  enum class Kind : std::uint8_t {
    Send,   // `octets`.
    Pause,  // For `pause`.
    End,    // Closes the connection properly: TLS says so, then FIN.
    Cut,    // Closes it without a word of TLS.
    Reset,  // Makes TCP send RST.
    Hang,   // Says and reads nothing more.
  };
  Kind kind = Kind::Send;
  std::string octets;
  std::chrono::milliseconds pause{0};
};

// What is done with one request.  When the steps are through, the next request is read.
using Script = std::vector<Step>;

Step send(std::string_view octets);
Step pause(std::chrono::milliseconds time);
Step then(Step::Kind kind);

// A response with a body of known length and status 200, which leaves the connection open.
std::string response_with(std::string_view body, std::string_view more_headers = "");
// Its body in chunks of at most `chunk_size` octets.
std::string chunked_response(std::string_view body, std::size_t chunk_size,
                             std::string_view more_headers = "");
std::string gzip(std::string_view octets);

struct ServerTls {
  TestCertificate certificate;
  std::string client_authority;    // Not empty: clients have to show a certificate of it.
  bool only_old_versions = false;  // TLS 1.1 at most.
};

class ScriptedServer {
 public:
  // Called with each request's head as it came; returns what to do.
  using Respond = std::function<Script(const std::string& request)>;

  // Listens on `address` ("127.0.0.1", "::1") at a port of the kernel's choice.
  ScriptedServer(boost::asio::io_context& context, const std::string& address,
                 std::optional<ServerTls> tls, Respond respond);
  // Listens on a Unix socket at `path`.
  ScriptedServer(boost::asio::io_context& context, const std::string& path, Respond respond);
  ~ScriptedServer();  // Closes everything.
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  // "http://127.0.0.1:4711", "https://[::1]:4711", "unix:///tmp/x".
  const std::string& url() const noexcept;
  std::uint16_t port() const noexcept;

  const std::vector<std::string>& requests() const noexcept;
  // Connections that were accepted so far, and that are open now.
  std::size_t connections() const noexcept;
  std::size_t open_connections() const noexcept;

  // From the next connection on.
  void set_tls(ServerTls tls);
  // Closes every open connection, as a server that restarts.
  void close_connections();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace waypost::test
