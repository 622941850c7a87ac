#include "proxy/dns_rules.h"

#include "proxy/chain_name.h"

#include <doctest/doctest.h>

#include <vector>

namespace waypost::proxy {

TEST_CASE("queries and answers of each address are not tracked, as long as it is local") {
  const std::vector<IpAddress> addresses = {*IpAddress::from_text("169.254.20.10"),
                                            *IpAddress::from_text("fd00:169:254:20::10"),
                                            *IpAddress::from_text("10.96.0.10")};
  CHECK(to_text(dns_rules(addresses, kube::IpFamily::V4, 53)) == R"(*filter
COMMIT
*nat
COMMIT
*raw
:WAYPOST-DNS-ANSWERS - [0:0]
:WAYPOST-DNS-QUERIES - [0:0]
-A PREROUTING -p udp -m udp --dport 53 -j WAYPOST-DNS-QUERIES
-A PREROUTING -p tcp -m tcp --dport 53 -j WAYPOST-DNS-QUERIES
-A OUTPUT -p udp -m udp --dport 53 -j WAYPOST-DNS-QUERIES
-A OUTPUT -p tcp -m tcp --dport 53 -j WAYPOST-DNS-QUERIES
-A OUTPUT -p udp -m udp --sport 53 -j WAYPOST-DNS-ANSWERS
-A OUTPUT -p tcp -m tcp --sport 53 -j WAYPOST-DNS-ANSWERS
-A WAYPOST-DNS-ANSWERS -s 169.254.20.10/32 -m addrtype --src-type LOCAL -j CT --notrack
-A WAYPOST-DNS-ANSWERS -s 10.96.0.10/32 -m addrtype --src-type LOCAL -j CT --notrack
-A WAYPOST-DNS-QUERIES -d 169.254.20.10/32 -m addrtype --dst-type LOCAL -j CT --notrack
-A WAYPOST-DNS-QUERIES -d 10.96.0.10/32 -m addrtype --dst-type LOCAL -j CT --notrack
COMMIT
)");
  const RuleSet v6 = dns_rules(addresses, kube::IpFamily::V6, 53);
  CHECK(v6.find(Table::Raw, DnsQueriesChain)->rule(0) ==
        "-d fd00:169:254:20::10/128 -m addrtype --dst-type LOCAL -j CT --notrack");
  CHECK(v6.rule_count(Table::Raw) == 2);
}

TEST_CASE("a family without addresses has no rules") {
  const std::vector<IpAddress> addresses = {*IpAddress::from_text("169.254.20.10")};
  const RuleSet rules = dns_rules(addresses, kube::IpFamily::V6, 53);
  CHECK(rules.jumps().empty());
  CHECK(rules.chain_count(Table::Raw) == 0);
}

TEST_CASE("chains of table raw are ours by their whole names") {
  CHECK(is_own_chain(Table::Raw, DnsQueriesChain));
  CHECK(is_own_chain(Table::Raw, DnsAnswersChain));
  CHECK_FALSE(is_own_chain(Table::Raw, "KUBE-SERVICES"));
  CHECK_FALSE(is_own_chain(Table::Nat, DnsQueriesChain));
  CHECK_FALSE(is_own_chain(Table::Filter, DnsQueriesChain));
}

}  // namespace waypost::proxy
