#include "resolver/upstream_address.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace waypost::resolver {
namespace {

constexpr std::uint16_t DnsPort = 53;
constexpr std::uint16_t TlsPort = 853;  // RFC 7858, 3.1
constexpr std::string_view Blanks = " \t";

std::unexpected<Error> refuse(std::string_view text, std::string_view reason) {
  constexpr std::size_t Shown = 120;
  return failure(ErrorKind::InvalidInput,
                 fmt::format("\"{}\" is not an upstream: {}", text.substr(0, Shown), reason));
}

// RFC 4007, 11.2: after '%', the interface by its name or number.
std::optional<std::uint32_t> scope_from_text(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc() && end == text.data() + text.size() && number != 0) {
    return number;
  }
  number = if_nametoindex(std::string(text).c_str());
  return number != 0 ? std::optional(number) : std::nullopt;
}

// Takes "%eth0" out of `host`.
Result<std::uint32_t> take_scope(std::string& host, std::string_view text) {
  const std::size_t at = host.find('%');
  if (at == std::string::npos) {
    return 0;
  }
  std::size_t end = host.find(']', at);
  end = end == std::string::npos ? host.size() : end;
  const auto scope = scope_from_text(std::string_view(host).substr(at + 1, end - at - 1));
  if (!scope) {
    return refuse(text, "there is no such network interface");
  }
  host.erase(at, end - at);
  return *scope;
}

bool takes(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

}  // namespace

Result<UpstreamAddress> UpstreamAddress::from_text(std::string_view text) {
  UpstreamAddress result;
  std::string_view rest = text;
  if (takes(rest, "tls://")) {
    result.transport = Transport::Tls;
  } else if (takes(rest, "tcp://")) {
    result.transport = Transport::Tcp;
  } else if (!takes(rest, "udp://") && !takes(rest, "dns://") &&
             rest.find("://") != std::string_view::npos) {
    return refuse(text, "expected udp://, tcp:// or tls://");
  }
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    result.tls_name = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
    if (result.transport != Transport::Tls) {
      return refuse(text, "only tls:// has a server name");
    }
    if (!is_host_name(result.tls_name) && !IpAddress::from_text(result.tls_name)) {
      return refuse(text, "expected the server's name after '#'");
    }
  }
  std::string host(rest);
  const auto scope = take_scope(host, text);
  if (!scope) {
    return std::unexpected(scope.error());
  }
  result.scope = *scope;

  std::string_view bare = host;
  if (bare.starts_with('[') && bare.ends_with(']')) {
    bare = bare.substr(1, bare.size() - 2);
  }
  if (const auto address = IpAddress::from_text(bare)) {
    result.socket = {*address, result.transport == Transport::Tls ? TlsPort : DnsPort};
  } else if (auto socket = SocketAddress::from_text(host); socket && socket->port != 0) {
    result.socket = *socket;
  } else {
    return refuse(text, "expected an IP address, and perhaps a port");
  }
  if (result.socket.address.is_unspecified()) {
    return refuse(text, "nobody can be reached at the unspecified address");
  }
  if (result.scope != 0 && result.socket.address.is_v4()) {
    return refuse(text, "an IPv4 address has no scope");
  }
  return result;
}

std::string UpstreamAddress::socket_text() const {
  std::string text = socket.to_text();
  if (scope != 0) {
    text.insert(text.find(']'), "%" + std::to_string(scope));
  }
  return text;
}

std::string UpstreamAddress::to_text() const {
  std::string text = socket_text();
  switch (transport) {
    case Transport::Udp:
      return text;
    case Transport::Tcp:
      return "tcp://" + text;
    case Transport::Tls:
      return "tls://" + text + (tls_name.empty() ? "" : "#" + tls_name);
  }
  return text;
}

bool UpstreamAddress::is_same(const UpstreamAddress& other) const noexcept {
  return transport == other.transport && socket == other.socket && scope == other.scope &&
         tls_name == other.tls_name;
}

ResolvConf read_resolv_conf(std::string_view text, std::string_view path) {
  ResolvConf result;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;

    const bool is_server = takes(line, "nameserver");
    const bool is_options = !is_server && takes(line, "options");
    if ((!is_server && !is_options) || line.empty() ||
        Blanks.find(line.front()) == std::string_view::npos) {
      continue;
    }
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    while (true) {
      line.remove_prefix(std::min(line.find_first_not_of(Blanks), line.size()));
      const std::string_view word = line.substr(0, line.find_first_of(Blanks));
      line.remove_prefix(word.size());
      if (word.empty()) {
        break;
      }
      if (is_options) {
        result.rotate = result.rotate || word == "rotate";
        continue;
      }
      const std::string where = fmt::format("{} line {}", path, number);
      // No port and no scheme in such a file: 127.0.0.1:5353 is no address for glibc.
      const std::string_view bare = word.substr(0, word.find('%'));
      auto address = IpAddress::from_text(bare)
                         ? UpstreamAddress::from_text(word)
                         : Result<UpstreamAddress>(refuse(word, "expected an IP address"));
      if (!address) {
        result.problems.push_back(where + ": " + address.error().message);
      } else if (result.upstreams.size() == ResolvConf::MaxServers) {
        result.problems.push_back(fmt::format("{}: {} is not asked, as {} stand before it", where,
                                              word, ResolvConf::MaxServers));
      } else {
        address->origin = where;
        result.upstreams.push_back(std::move(*address));
      }
      break;
    }
  }
  return result;
}

}  // namespace waypost::resolver
