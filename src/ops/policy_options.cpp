#include "ops/policy_options.h"

#include "ops/option_values.h"

#include <array>

namespace waypost::ops {
namespace {

Result<void> put_families(Config& config, const std::string& text) {
  using enum Families;
  return put_word(config.families, text,
                  {{"both", Both}, {"ipv4", Ipv4}, {"ipv6", Ipv6}, {"auto", Auto}});
}

Result<void> put_access(Config& config, const std::string& text) {
  auto rule = policy::AccessRule::from_text(text);
  if (!rule) {
    return std::unexpected(rule.error());
  }
  config.rules.access.push_back(std::move(*rule));
  return {};
}

Result<void> put_limit_action(Config& config, const std::string& text) {
  using enum policy::LimitAction;
  return put_word(config.rules.limit.action, text,
                  {{"refuse", Refuse}, {"truncate", Truncate}, {"drop", Drop}});
}

Result<void> put_limit_exempt(Config& config, const std::string& text) {
  const auto prefix = IpPrefix::from_text(text);
  if (!prefix) {
    return because(prefix.error().message);
  }
  config.rules.limit.exempt.push_back(*prefix);
  return {};
}

constexpr bool Live = true;
using enum OptionForm;

constexpr auto Table = std::to_array<Option>({
    {"access", "access", List, "RULE",
     "a list of rules such as 'block type ANY net 10.9.0.0/16 zone example.org', which begin with "
     "allow, block, filter or drop",
     "", "none; everything is allowed", Live,
     "Who may ask for what. The first rule that fits decides: block is REFUSED, filter an empty "
     "answer, drop none at all; over TCP it closes the connection. What no rule fits is allowed.",
     put_access},
    {"rateLimit", "rate-limit", Number, "N", "a whole number from 0 to 100000", "0", "", Live,
     "Queries in a second that each client may ask, over UDP and TCP together; 0 is no limit.",
     [](Config& c, const std::string& t) { return put_number(c.rules.limit.rate, t, 0, 100000); }},
    {"rateLimitBurst", "rate-limit-burst", Number, "N", "a whole number from 1 to 100000", "",
     "twice rateLimit", Live, "Queries that a client which was quiet may ask at once.",
     [](Config& c, const std::string& t) { return put_number(c.rules.limit.burst, t, 1, 100000); }},
    {"rateLimitAction", "rate-limit-action", Text, "ACTION", "refuse, truncate or drop", "refuse",
     "", Live,
     "What a query above the limit gets: REFUSED; over UDP an empty answer with TC, so that who "
     "gave its true address comes back over TCP, where it is REFUSED; or nothing.",
     put_limit_action},
    {"rateLimitExempt", "rate-limit-exempt", List, "PREFIX",
     "a list of addresses or prefixes such as 10.0.0.0/8", "", "nobody", Live,
     "Clients without a limit.", put_limit_exempt},
    {"rateLimitIpv4Prefix", "rate-limit-ipv4-prefix", Number, "BITS", "a whole number from 8 to 32",
     "32", "", Live, "IPv4 addresses that agree in so many bits are one client.",
     [](Config& c, const std::string& t) { return put_number(c.rules.limit.prefix_v4, t, 8, 32); }},
    {"rateLimitIpv6Prefix", "rate-limit-ipv6-prefix", Number, "BITS",
     "a whole number from 16 to 128", "128", "", Live,
     "IPv6 addresses that agree in so many bits are one client. The Pods of a node share a /64; "
     "clients from outside of the cluster often have one each.",
     [](Config& c, const std::string& t) {
       return put_number(c.rules.limit.prefix_v6, t, 16, 128);
     }},
    {"rateLimitClients", "rate-limit-clients", Number, "N", "a whole number from 64 to 16777216",
     "65536", "", Live,
     "Clients whose use is kept in mind, 8 octets each. Above that, those that were quiet for "
     "longest begin anew.",
     [](Config& c, const std::string& t) {
       return put_number(c.rules.limit.clients, t, 64, 16777216);
     }},
    {"families", "families", Text, "FAMILIES", "both, ipv4, ipv6 or auto", "both", "", Live,
     "Whose addresses upstreams are asked for: of names that no zone here has, the other family's "
     "are denied at once, without asking. With auto, a family is denied that neither an interface "
     "of this server nor any Service has an address of; a cluster's Pods have what its Services "
     "and its DNS server have.",
     put_families},
});

}  // namespace

std::span<const Option> policy_options() noexcept {
  return Table;
}

}  // namespace waypost::ops
