#include "kube/api_endpoint.h"

#include "base/ip_address.h"

#include <boost/url/parse.hpp>
#include <boost/url/src.hpp>
#include <boost/url/url_view.hpp>

#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <optional>

namespace waypost::kube {
namespace {

namespace urls = boost::urls;

constexpr std::string_view Expected =
    "expected https://HOST[:PORT], http://HOST[:PORT] or unix:///PATH";

constexpr std::string_view NotUrl = "not a URL";

std::string to_string(urls::string_view text) {
  return {text.data(), text.size()};
}

std::unexpected<Error> refuse(std::string_view what) {
  return failure(ErrorKind::InvalidInput, std::string(what) + "; " + std::string(Expected));
}

bool has_control(std::string_view text) noexcept {
  return text.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos;
}

std::string without_slashes_at_end(std::string path) {
  while (path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

Result<ApiEndpoint> unix_socket(const urls::url_view& url) {
  ApiEndpoint endpoint{.transport = ApiEndpoint::Transport::UnixSocket, .port = 0};
  const std::string host = url.host();
  if (host.empty()) {
    endpoint.path = url.path();
  } else if (host.starts_with('/')) {
    endpoint.path = host;
    endpoint.prefix = without_slashes_at_end(to_string(url.encoded_path()));
  } else {
    return refuse("a Unix socket is on this machine, but the host is '" + host + "'");
  }
  if (endpoint.path.size() < 2 || has_control(endpoint.path)) {
    return refuse("no path of a Unix socket is given");
  }
  if (endpoint.path.size() >= sizeof(sockaddr_un::sun_path)) {
    return failure(ErrorKind::InvalidInput,
                   endpoint.path + ": the path of a Unix socket has at most " +
                       std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " octets");
  }
  return endpoint;
}

// The port of `url`, or `otherwise` without one.
std::optional<std::uint16_t> port_of(const urls::url_view& url, std::uint16_t otherwise) noexcept {
  const std::string_view text(url.port().data(), url.port().size());
  if (text.empty()) {
    return otherwise;
  }
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_port = ec == std::errc() && end == text.data() + text.size() && port != 0;
  return is_port ? std::optional(port) : std::nullopt;
}

Result<ApiEndpoint> network(const urls::url_view& url, ApiEndpoint::Transport transport) {
  ApiEndpoint endpoint{.transport = transport};
  if (url.host_type() == urls::host_type::ipv6) {
    endpoint.host = to_string(url.encoded_host_address());
  } else {
    endpoint.host = url.host();
  }
  const bool is_host =
      endpoint.host.find_first_of(std::string_view("\0\r\n\t /@[]", 9)) == std::string::npos;
  if (endpoint.host.empty() || !is_host || url.host_type() == urls::host_type::ipvfuture) {
    return refuse("no usable host is given");
  }
  const std::uint16_t otherwise = transport == ApiEndpoint::Transport::Tls ? 443 : 80;
  const auto port = port_of(url, otherwise);
  if (!port) {
    return refuse("the port of '" + endpoint.host + "' is not a number 1..65535");
  }
  endpoint.port = *port;
  endpoint.prefix = without_slashes_at_end(to_string(url.encoded_path()));
  return endpoint;
}

}  // namespace

Result<ApiEndpoint> ApiEndpoint::from_text(std::string_view text) {
  const auto parsed = urls::parse_uri({text.data(), text.size()});
  if (!parsed) {
    return refuse(NotUrl);
  }
  const urls::url_view& url = *parsed;
  // Boost 1.81 takes "https://a:x" for the host a and the path x (RFC 3986, 3.3 wants a slash).
  if (const auto path = url.encoded_path(); !path.empty() && !path.starts_with('/')) {
    return refuse(NotUrl);
  }
  if (url.has_userinfo()) {
    return refuse("a user or a password has no place in the URL");
  }
  if (url.has_query() || url.has_fragment()) {
    return refuse("a query or a fragment has no place in the URL");
  }
  const std::string scheme = to_string(url.scheme());
  if (!url.has_authority()) {
    return refuse("'" + scheme + ":' is not followed by //");
  }
  if (url.scheme_id() == urls::scheme::https) {
    return network(url, Transport::Tls);
  }
  if (url.scheme_id() == urls::scheme::http) {
    return network(url, Transport::Plain);
  }
  if (scheme == "unix" || scheme == "http+unix") {
    return unix_socket(url);
  }
  return refuse("the scheme is '" + scheme + "'");
}

std::string ApiEndpoint::authority() const {
  if (transport == Transport::UnixSocket) {
    return "localhost";
  }
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string ApiEndpoint::to_text() const {
  switch (transport) {
    case Transport::UnixSocket:
      return "unix://" + path;
    case Transport::Plain:
      return "http://" + authority();
    case Transport::Tls:
      break;
  }
  return "https://" + authority();
}

bool ApiEndpoint::is_local() const noexcept {
  if (transport == Transport::UnixSocket || host == "localhost") {
    return true;
  }
  const auto address = IpAddress::from_text(host);
  return address && address->is_loopback();
}

}  // namespace waypost::kube
