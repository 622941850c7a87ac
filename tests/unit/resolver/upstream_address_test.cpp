#include "resolver/upstream_address.h"

#include <doctest/doctest.h>

#include <net/if.h>

#include <string>

namespace waypost::resolver {
namespace {

TEST_CASE("an upstream is an address, with what it speaks and its port") {
  struct Row {
    const char* text;
    Transport transport;
    const char* shown;
  };
  const Row rows[] = {
      {"10.0.0.10", Transport::Udp, "10.0.0.10:53"},
      {"10.0.0.10:5353", Transport::Udp, "10.0.0.10:5353"},
      {"udp://10.0.0.10", Transport::Udp, "10.0.0.10:53"},
      {"dns://10.0.0.10:54", Transport::Udp, "10.0.0.10:54"},
      {"fd00::10", Transport::Udp, "[fd00::10]:53"},
      {"[fd00::10]", Transport::Udp, "[fd00::10]:53"},
      {"[fd00::10]:5353", Transport::Udp, "[fd00::10]:5353"},
      {"fe80::1%1", Transport::Udp, "[fe80::1%1]:53"},
      {"[fe80::1%1]:5353", Transport::Udp, "[fe80::1%1]:5353"},
      {"fe80::1%lo", Transport::Udp, "[fe80::1%1]:53"},
      {"tcp://10.0.0.10", Transport::Tcp, "tcp://10.0.0.10:53"},
      {"tls://10.0.0.10", Transport::Tls, "tls://10.0.0.10:853"},
      {"tls://10.0.0.10#dns.example", Transport::Tls, "tls://10.0.0.10:853#dns.example"},
      {"tls://[fd00::10]:8853#dns.example", Transport::Tls, "tls://[fd00::10]:8853#dns.example"},
      {"tls://[fe80::1%1]#10.0.0.1", Transport::Tls, "tls://[fe80::1%1]:853#10.0.0.1"},
  };
  REQUIRE(if_nametoindex("lo") == 1);
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto address = UpstreamAddress::from_text(row.text);
    REQUIRE_MESSAGE(address, address.error().message);
    CHECK(address->transport == row.transport);
    CHECK(address->to_text() == row.shown);
    std::string place = row.shown;  // Without what is in front of it, and the name behind it.
    place.erase(0, place.find("//") == std::string::npos ? 0 : place.find("//") + 2);
    CHECK(address->socket_text() == place.substr(0, place.find('#')));
    const auto again = UpstreamAddress::from_text(address->to_text());
    REQUIRE(again);
    CHECK(again->is_same(*address));
  }
}

TEST_CASE("what is no upstream is refused, with the reason") {
  struct Row {
    const char* text;
    const char* reason;
  };
  const Row rows[] = {
      {"", "expected an IP address, and perhaps a port"},
      {"dns.example", "expected an IP address, and perhaps a port"},
      {"10.0.0", "expected an IP address, and perhaps a port"},
      {"10.0.0.10:", "expected an IP address, and perhaps a port"},
      {"10.0.0.10:0", "expected an IP address, and perhaps a port"},
      {"10.0.0.10:65536", "expected an IP address, and perhaps a port"},
      {"https://10.0.0.10", "expected udp://, tcp:// or tls://"},
      {"10.0.0.10#dns.example", "only tls:// has a server name"},
      {"tcp://10.0.0.10#dns.example", "only tls:// has a server name"},
      {"tls://10.0.0.10#", "expected the server's name after '#'"},
      {"tls://10.0.0.10#a b", "expected the server's name after '#'"},
      {"fe80::1%no-such-interface", "there is no such network interface"},
      {"fe80::1%", "there is no such network interface"},
      {"10.0.0.10%1", "an IPv4 address has no scope"},
      {"0.0.0.0", "nobody can be reached at the unspecified address"},
      {"[::]:53", "nobody can be reached at the unspecified address"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto address = UpstreamAddress::from_text(row.text);
    REQUIRE(!address);
    CHECK(address.error().message ==
          "\"" + std::string(row.text) + "\" is not an upstream: " + row.reason);
  }
}

TEST_CASE("addresses are the same when questions go the same way") {
  const auto one = *UpstreamAddress::from_text("tls://10.0.0.10#dns.example");
  auto other = one;
  other.origin = "/etc/resolv.conf line 1";
  CHECK(one.is_same(other));
  for (const char* text : {"10.0.0.10:853", "tcp://10.0.0.10:853", "tls://10.0.0.11#dns.example",
                           "tls://10.0.0.10#other.example", "tls://10.0.0.10:854#dns.example"}) {
    CHECK(!one.is_same(*UpstreamAddress::from_text(text)));
  }
  CHECK(
      !UpstreamAddress::from_text("fe80::1%1")->is_same(*UpstreamAddress::from_text("fe80::1%2")));
}

// ---------------------------------------------------------------------------------------------

std::string servers(const ResolvConf& conf) {
  std::string text;
  for (const UpstreamAddress& upstream : conf.upstreams) {
    text += (text.empty() ? "" : ", ") + upstream.to_text() + " from " + upstream.origin;
  }
  return text;
}

TEST_CASE("a resolv.conf is read as glibc reads it") {
  struct Row {
    const char* what;
    const char* text;
    const char* servers;
  };
  const Row rows[] = {
      {"nothing", "", ""},
      {"two servers", "nameserver 10.0.0.1\nnameserver fd00::1\n",
       "10.0.0.1:53 from r line 1, [fd00::1]:53 from r line 2"},
      {"no end of line", "search example.com\nnameserver 10.0.0.1", "10.0.0.1:53 from r line 2"},
      {"tabs, and what follows the address", "nameserver\t 10.0.0.1 # the first\n",
       "10.0.0.1:53 from r line 1"},
      {"comments", "# nameserver 10.0.0.1\n;nameserver 10.0.0.2\nnameserver 10.0.0.3\n",
       "10.0.0.3:53 from r line 3"},
      {"a keyword behind blanks is none", " nameserver 10.0.0.1\n", ""},
      {"a keyword without a blank is none",
       "nameserver10.0.0.1\nnameserver\nnameservers 10.0.0.1\n", ""},
      {"lines of Windows", "nameserver 10.0.0.1\r\nnameserver 10.0.0.2\r\n",
       "10.0.0.1:53 from r line 1, 10.0.0.2:53 from r line 2"},
      {"a scope", "nameserver fe80::1%lo\n", "[fe80::1%1]:53 from r line 1"},
      {"empty lines count", "\n\n\nnameserver 10.0.0.1\n", "10.0.0.1:53 from r line 4"},
      {"three at most",
       "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n",
       "10.0.0.1:53 from r line 1, 10.0.0.2:53 from r line 2, 10.0.0.3:53 from r line 3"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(servers(read_resolv_conf(row.text, "r")) == row.servers);
  }
}

TEST_CASE("lines of a resolv.conf that cannot be used are told") {
  const ResolvConf conf = read_resolv_conf(
      "nameserver dns.example\nnameserver 10.0.0.1:5353\nnameserver fe80::1%nowhere\n"
      "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n",
      "/etc/resolv.conf");
  REQUIRE(conf.problems.size() == 4);
  CHECK(conf.problems[0] ==
        "/etc/resolv.conf line 1: \"dns.example\" is not an upstream: expected an IP address");
  CHECK(conf.problems[1] ==
        "/etc/resolv.conf line 2: \"10.0.0.1:5353\" is not an upstream: expected an IP address");
  CHECK(conf.problems[2] ==
        "/etc/resolv.conf line 3: \"fe80::1%nowhere\" is not an upstream: there "
        "is no such network interface");
  CHECK(conf.problems[3] == "/etc/resolv.conf line 7: 10.0.0.4 is not asked, as 3 stand before it");
}

TEST_CASE("options of a resolv.conf: rotate counts, others are somebody else's") {
  CHECK(!read_resolv_conf("options ndots:5 timeout:1\n", "r").rotate);
  CHECK(read_resolv_conf("options ndots:5 rotate timeout:1\n", "r").rotate);
  CHECK(read_resolv_conf("options rotate\noptions ndots:5\n", "r").rotate);
  CHECK(!read_resolv_conf("#options rotate\noptions rotated\n", "r").rotate);
}

}  // namespace
}  // namespace waypost::resolver
