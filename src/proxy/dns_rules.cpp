#include "proxy/dns_rules.h"

#include "proxy/chain_name.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace waypost::proxy {

RuleSet dns_rules(std::span<const IpAddress> addresses, kube::IpFamily family, std::uint16_t port) {
  ChainBuilder queries{std::string(DnsQueriesChain)};
  ChainBuilder answers{std::string(DnsAnswersChain)};
  for (const IpAddress& address : addresses) {
    if (kube::family_of(address) == family) {
      const std::string prefix = IpPrefix::around(address, 128).to_text();
      queries.add(fmt::format("-d {} -m addrtype --dst-type LOCAL -j CT --notrack", prefix));
      answers.add(fmt::format("-s {} -m addrtype --src-type LOCAL -j CT --notrack", prefix));
    }
  }
  RuleSet rules;
  if (queries.size() == 0) {
    return rules;
  }
  rules.put(Table::Raw, queries.finish());
  rules.put(Table::Raw, answers.finish());
  // By port first, so that other packets pass with a comparison or two.
  std::vector<Jump> jumps;
  const auto add = [&](const char* hook, const char* side, std::string_view chain) {
    for (const char* protocol : {"udp", "tcp"}) {
      jumps.push_back({Table::Raw, hook,
                       fmt::format("-p {0} -m {0} --{1} {2} -j {3}", protocol, side, port, chain)});
    }
  };
  add("PREROUTING", "dport", DnsQueriesChain);
  add("OUTPUT", "dport", DnsQueriesChain);
  add("OUTPUT", "sport", DnsAnswersChain);
  rules.set_jumps(std::move(jumps));
  return rules;
}

}  // namespace waypost::proxy
