#include "ops/policy_options.h"

#include "ops/option_values.h"
#include "policy/words.h"

#include <array>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

Result<void> put_families(Config& config, const std::string& text) {
  using enum Families;
  return put_word(config.families, text,
                  {{"both", Both}, {"ipv4", Ipv4}, {"ipv6", Ipv6}, {"auto", Auto}});
}

constexpr std::size_t MaxHostsFiles = 16;

// Adds to a list that every query may have to go through.
template <typename Value>
Result<void> add_bounded(std::vector<Value>& list, Value value,
                         std::size_t bound = policy::MaxRules) {
  if (list.size() >= bound) {
    return because("more than " + std::to_string(bound) + " of them");
  }
  list.push_back(std::move(value));
  return {};
}

// A rule that can be read from a text.
template <typename Rule>
Result<void> put_rule(std::vector<Rule>& list, const std::string& text) {
  auto rule = Rule::from_text(text);
  return rule ? add_bounded(list, std::move(*rule)) : std::unexpected(rule.error());
}

Result<void> put_host(Config& config, const std::string& text) {
  auto entries = policy::host_line_from_text(text);
  if (!entries) {
    return std::unexpected(entries.error());
  }
  if (entries->empty()) {
    return unlike_expected();
  }
  auto& all = config.hosts.lines.entries;
  for (auto& entry : *entries) {
    if (auto added = add_bounded(all, std::move(entry), policy::HostLines::MaxNames); !added) {
      return added;
    }
  }
  return {};
}

// It may come later.
Result<void> put_hosts_file(Config& config, const std::string& text) {
  std::error_code ec;
  if (text.empty() || std::filesystem::is_directory(text, ec)) {
    return because(text.empty() ? "it has no name" : "it is a folder");
  }
  return add_bounded(config.hosts.files, std::filesystem::path(text), MaxHostsFiles);
}

Result<void> put_hosts_zone(Config& config, const std::string& text) {
  const auto name = dns::Name::from_text(text);
  if (!name) {
    return because(name.error().message);
  }
  return add_bounded(config.hosts.options.zones, name->lowered());
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
  return add_bounded(config.rules.limit.exempt, *prefix);
}

constexpr bool Live = true;
using enum OptionForm;

constexpr auto Table = std::to_array<Option>({
    {"access", "access", List, "RULE",
     "a list of rules such as 'block net 10.9.0.0/16 zone example.org', which begin with "
     "allow, block, filter or drop",
     "", "none; everything is allowed", Live,
     "Who may ask for what, by the name that is looked up after rewrites: 'ACTION [type TYPE...] "
     "[net PREFIX...] [zone ZONE...] [except ZONE...]', where types are such as AAAA, what is not "
     "given is any, and the longest zone that has the name counts. The first rule that fits "
     "decides: block is REFUSED, filter an empty answer, drop none at all; over TCP it closes the "
     "connection. What no rule fits is allowed. At most 1000 rules.",
     [](Config& c, const std::string& t) { return put_rule(c.rules.access, t); }},
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
     "Clients without a limit. At most 1000.", put_limit_exempt},
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
    {"rewrites", "rewrites", List, "RULE",
     "a list of rules such as 'suffix .corp.example .svc.cluster.local answer auto'", "", "none",
     Live,
     "Names that are looked up as others: '[continue] [exact|prefix|suffix|substring|regex] FROM "
     "TO', and what becomes of names in answers: 'answer auto', 'answer name FROM TO', 'answer "
     "value FROM TO'. The first rule that fits is the last, unless it says continue. The answer is "
     "always about the name that was asked for; exact implies answer auto. Where a rule makes no "
     "name, or a regular expression takes too many steps, the answer is SERVFAIL, and counted. At "
     "most 1000 rules.",
     [](Config& c, const std::string& t) { return put_rule(c.rules.rewrites, t); }},
    {"hosts", "hosts", List, "LINE", "a list of lines such as '10.0.0.10 db.example.org db'", "",
     "none", Live,
     "Addresses and their names, as in /etc/hosts. They come before zones and upstreams, and in "
     "front of what hostsFiles say. '*.example.org' stands for any one label there that has no "
     "line of its own. At most 250000 names together with those of the files.",
     put_host},
    {"hostsFiles", "hosts-files", List, "FILE", "a list of files like /etc/hosts", "", "none", Live,
     "Files of such lines, at most 16, which are followed and may come later; one that is deleted "
     "counts as it last was. A line that is none is logged with its number and left out.",
     put_hosts_file, true},
    {"hostsTtl", "hosts-ttl", Number, "SECONDS", "a whole number of seconds from 0 to 65535",
     "3600", "", Live, "The TTL of answers from hosts and hostsFiles.",
     [](Config& c, const std::string& t) { return put_number(c.hosts.options.ttl, t, 0, 65535); }},
    {"hostsReverse", "hosts-reverse", Boolean, "BOOL", "true or false", "true", "", Live,
     "Whether their addresses are answered with their names (PTR).",
     [](Config& c, const std::string& t) { return put_boolean(c.hosts.options.has_reverse, t); }},
    {"hostsZones", "hosts-zones", List, "ZONE", "a list of zones such as example.org", "", "none",
     Live,
     "Zones whose names are only those that hosts and hostsFiles have; others in them do not "
     "exist. Names outside of them are asked for elsewhere, and so are those of in-addr.arpa and "
     "ip6.arpa unless a zone is one of these or below. At most 1000.",
     put_hosts_zone},
    {"templates", "templates", List, "RULE",
     "a list of rules such as 'A zone ip.example match ^ip-(\\d+)-(\\d+)\\. answer \"{{ .Name }} "
     "60 IN A 10.0.{{ index .Match 1 }}.{{ index .Match 2 }}\"'",
     "", "none", Live,
     "Answers that are made of the question: 'TYPE|* [zone ZONE...] [except ZONE...] [match "
     "REGEX...] [only] [rcode RCODE]' and records in quotes behind answer, authority or "
     "additional, with {{ .Name }}, {{ "
     ".Zone }}, {{ .Type }}, {{ .Class }}, {{ index .Match N }} and {{ .Group.NAME }} in them. The "
     "first rule that fits answers, before hosts and zones; with only, names that no regular "
     "expression matches do not exist. A CNAME is followed. At most 1000 rules.",
     [](Config& c, const std::string& t) { return put_rule(c.rules.templates, t); }},
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
