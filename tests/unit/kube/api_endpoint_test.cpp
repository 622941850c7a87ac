#include "kube/api_endpoint.h"

#include "kube/api_access.h"
#include "kube/in_cluster.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace waypost::kube {

using Transport = ApiEndpoint::Transport;

TEST_CASE("a URL says where an API server is") {
  struct Case {
    std::string url;
    ApiEndpoint endpoint;
    std::string authority;
    std::string text;
    bool is_local;
  };
  for (const Case& c : std::vector<Case>{
           {"https://10.96.0.1",
            {Transport::Tls, "10.96.0.1", 443, "", ""},
            "10.96.0.1:443",
            "https://10.96.0.1:443",
            false},
           {"HTTPS://api.example.org:6443/",
            {Transport::Tls, "api.example.org", 6443, "", ""},
            "api.example.org:6443",
            "https://api.example.org:6443",
            false},
           {"https://[fd00::1]:6443/clusters/a%20b/",
            {Transport::Tls, "fd00::1", 6443, "", "/clusters/a%20b"},
            "[fd00::1]:6443",
            "https://[fd00::1]:6443",
            false},
           {"http://localhost:8080",
            {Transport::Plain, "localhost", 8080, "", ""},
            "localhost:8080",
            "http://localhost:8080",
            true},
           {"http://127.1.2.3",
            {Transport::Plain, "127.1.2.3", 80, "", ""},
            "127.1.2.3:80",
            "http://127.1.2.3:80",
            true},
           {"http://[::1]",
            {Transport::Plain, "::1", 80, "", ""},
            "[::1]:80",
            "http://[::1]:80",
            true},
           {"http://localhost.example.org",
            {Transport::Plain, "localhost.example.org", 80, "", ""},
            "localhost.example.org:80",
            "http://localhost.example.org:80",
            false},
           {"unix:///run/api.sock",
            {Transport::UnixSocket, "", 0, "/run/api.sock", ""},
            "localhost",
            "unix:///run/api.sock",
            true},
           {"http+unix:///run/api.sock",
            {Transport::UnixSocket, "", 0, "/run/api.sock", ""},
            "localhost",
            "unix:///run/api.sock",
            true},
           {"http+unix://%2Frun%2Fapi.sock/prefix",
            {Transport::UnixSocket, "", 0, "/run/api.sock", "/prefix"},
            "localhost",
            "unix:///run/api.sock",
            true},
       }) {
    CAPTURE(c.url);
    const auto endpoint = ApiEndpoint::from_text(c.url);
    REQUIRE(endpoint);
    CHECK(*endpoint == c.endpoint);
    CHECK(endpoint->authority() == c.authority);
    CHECK(endpoint->to_text() == c.text);
    CHECK(endpoint->is_local() == c.is_local);
  }
}

TEST_CASE("a URL that cannot be used is refused, without its secrets") {
  const std::string expected = "; expected https://HOST[:PORT], http://HOST[:PORT] or unix:///PATH";
  struct Case {
    std::string url;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"", "not a URL"},
           {"10.96.0.1:443", "not a URL"},
           {"api.example.org:443", "not a URL"},
           {"/run/api.sock", "not a URL"},
           {"ftp://a", "the scheme is 'ftp'"},
           {"https:", "'https:' is not followed by //"},
           {"https://", "no usable host is given"},
           {"https:///path", "no usable host is given"},
           {"https://a%0d%0ab", "no usable host is given"},
           {"https://[v1.a]", "no usable host is given"},
           {"https://a:0", "the port of 'a' is not a number 1..65535"},
           {"https://a:65536", "the port of 'a' is not a number 1..65535"},
           {"https://a:x", "not a URL"},
           {"https://user:secret@a", "a user or a password has no place in the URL"},
           {"https://a?token=secret", "a query or a fragment has no place in the URL"},
           {"https://a#secret", "a query or a fragment has no place in the URL"},
           {"unix://", "no path of a Unix socket is given"},
           {"unix://host/path", "a Unix socket is on this machine, but the host is 'host'"},
       }) {
    CAPTURE(c.url);
    const auto endpoint = ApiEndpoint::from_text(c.url);
    REQUIRE(!endpoint);
    CHECK(endpoint.error().message == c.message + expected);
    CHECK(endpoint.error().message.find("secret") == std::string::npos);
  }
  const auto too_long = ApiEndpoint::from_text("unix:///" + std::string(200, 'a'));
  REQUIRE(!too_long);
  CHECK(too_long.error().message.ends_with("the path of a Unix socket has at most 107 octets"));
  CHECK(access_from_url("ftp://a").error().message == "API server: the scheme is 'ftp'" + expected);
  CHECK(access_from_url("http://a").value().endpoint.host == "a");
}

TEST_CASE("a Pod finds its API server in its environment, in both families") {
  struct Case {
    const char* host;
    const char* port;
    std::string url;
  };
  for (const Case& c : {Case{"10.96.0.1", "443", "https://10.96.0.1:443"},
                        Case{"fd00::1", "6443", "https://[fd00::1]:6443"},
                        Case{"kubernetes.default", "443", "https://kubernetes.default:443"}}) {
    ::setenv("KUBERNETES_SERVICE_HOST", c.host, 1);
    ::setenv("KUBERNETES_SERVICE_PORT", c.port, 1);
    const auto access = in_cluster_access("/folder");
    REQUIRE(access);
    CHECK(access->endpoint.to_text() == c.url);
    CHECK(access->token.file == "/folder/token");
    CHECK(access->certificate_authority.file == "/folder/ca.crt");
  }
  CHECK(in_cluster_access()->token.file == "/var/run/secrets/kubernetes.io/serviceaccount/token");

  ::setenv("KUBERNETES_SERVICE_PORT", "https", 1);
  CHECK(in_cluster_access().error().message ==
        "KUBERNETES_SERVICE_HOST 'kubernetes.default' and KUBERNETES_SERVICE_PORT 'https' are not "
        "an address and a port");
  ::unsetenv("KUBERNETES_SERVICE_PORT");
  const auto nowhere = in_cluster_access();
  REQUIRE(!nowhere);
  CHECK(nowhere.error().kind == ErrorKind::NotFound);
  ::unsetenv("KUBERNETES_SERVICE_HOST");
  CHECK(!in_cluster_access());
}

}  // namespace waypost::kube
