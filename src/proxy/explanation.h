// Why a packet goes where it goes, in words: which Service it is for, by which policies its
// endpoints are chosen, and the rules on the way.
//
// Reasons come from the world, ways from a rule set: the desired one, or what is in the kernel.
// Where the two disagree, both are there to be seen.

#pragma once

#include "cache/service_cache.h"
#include "proxy/compiler.h"
#include "proxy/evaluator.h"
#include "proxy/rule_parser.h"

#include <string>
#include <vector>

namespace waypost::proxy {

// The Services that `packet` is addressed to, each with its reasons, one a line.
std::vector<std::string> explain_services(const cache::ServiceCache& cache, const Config& config,
                                          const NodeFacts& facts, const Packet& packet);

// Every outcome with its share and the rules that lead there, one a line.
std::vector<std::string> explain_ways(const RuleSet& rules, const NodeFacts& facts,
                                      const Packet& packet,
                                      const std::set<std::pair<Table, std::string>>& dropping = {});

}  // namespace waypost::proxy
