// Who may ask for what: rules by client network, type and zone, the first that fits decides.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "dns/name.h"
#include "dns/query.h"
#include "dns/types.h"
#include "policy/zone_scope.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace waypost::policy {

// What becomes of a query; the words are those of CoreDNS' acl.
enum class Access : std::uint8_t {
  Allow,
  Block,   // REFUSED.
  Filter,  // NOERROR without data.
  Drop,    // Silence.
};

struct AccessRule {
  Access access = Access::Allow;
  // Each empty: any.
  std::vector<dns::RecordType> types;
  std::vector<IpPrefix> clients;
  ZoneScope scope;

  // Reads "ACTION [type TYPE...] [net PREFIX...] [zone ZONE...] [except ZONE...]".  "*" alone
  // stands for any, but for `except`.
  static Result<AccessRule> from_text(std::string_view text);

  bool fits(const dns::NameKey& name, dns::RecordType type, const IpAddress& client) const noexcept;
};

// The first rule that fits, or null: then the query is allowed.
const AccessRule* find_rule(std::span<const AccessRule> rules, const dns::NameKey& name,
                            dns::RecordType type, const IpAddress& client) noexcept;

}  // namespace waypost::policy
