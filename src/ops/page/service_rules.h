// The iptables rules of one Service, with what the kernel has counted on them.

#pragma once

#include "base/error.h"
#include "kube/objects.h"
#include "ops/page/html.h"
#include "proxy/compiler.h"
#include "proxy/iptables.h"
#include "proxy/rule_set.h"
#include "proxy/saved_text.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

inline constexpr std::size_t MaxShownRules = 300;

struct ServiceRule {
  proxy::Table table = proxy::Table::Nat;
  std::string chain;
  std::string rule;                      // As iptables-save has it behind "-A CHAIN ".
  std::optional<std::uint64_t> packets;  // Nothing: the kernel does not have it.
};

// Of one Service and address family.
struct ServiceRules {
  std::vector<ServiceRule> rules;  // In the order of tables, chains' names and places in the chain.
  std::size_t left_out = 0;        // Beyond MaxShownRules.

  // Takes the kernel's count from a line of `iptables-save -c`, if it is of one of these rules.
  void take(const proxy::SavedLine& line);
};

// What the compiler wants of rules that are for this Service alone, in its own chains and in those
// that Services share.  Looks at every rule: some milliseconds for 100 000 of them.
ServiceRules wanted_rules(const proxy::Compiler& compiler, const kube::ObjectKey& key);

// Reads the kernel's counts by running iptables-save, once for each table that has any of these
// rules.  `tables` is used for nothing else meanwhile.
boost::asio::awaitable<Result<void>> count_rules(proxy::KernelTables& tables, ServiceRules& rules);

// `problem` says why there are no counts; empty when there are.
Html rules_table(std::string_view family, const ServiceRules& rules, std::string_view problem);

}  // namespace waypost::ops
