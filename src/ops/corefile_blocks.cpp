// Server blocks put together: listeners, the cluster, who is asked for what.

#include "base/ip_address.h"
#include "dns/reverse_name.h"
#include "ops/corefile_translator.h"
#include "ops/option_table.h"
#include "ops/text.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace waypost::ops {

using corefile::Place;
using corefile::Word;

namespace {

// "ZONE:53" to the port behind the last colon; none when there is none.  A prefix has colons of its
// own, and its length behind the slash.
std::optional<std::string> take_port(std::string& text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t slash = text.find('/');
  if (colon == std::string::npos || (slash != std::string::npos && colon < slash)) {
    return std::nullopt;
  }
  std::string port = text.substr(colon + 1);
  text.resize(colon);
  return port;
}

}  // namespace

void Translator::read_keys(const corefile::ServerBlock& block) {
  block_->place = block.keys.front().place;
  for (const Word& key : block.keys) {
    std::string text = key.text;
    if (const std::size_t scheme = text.find("://"); scheme != std::string::npos) {
      if (!text.starts_with("dns://")) {
        complain(key.place, "found '" + text +
                                "', expected a zone that is served over UDP and TCP; "
                                "for TLS, HTTPS, QUIC or gRPC put a proxy in front");
        continue;
      }
      text.erase(0, scheme + 3);
    }
    std::uint16_t port = port_;
    if (const auto given = take_port(text)) {
      const auto number = number_from_text(*given);
      if (!number || *number > 65535) {
        complain(key.place, "found the port '" + *given + "', expected a number up to 65535");
        continue;
      }
      port = static_cast<std::uint16_t>(*number);
    }
    for (Zone& zone : zones_of(key, text.empty() ? "." : text)) {
      block_->keys.emplace_back(zone, port);
      add_zone(std::move(zone), block_->zones);
    }
  }
}

//------------------------------------------------------------------ listeners

struct Translator::Reached {
  std::string zone;
  std::set<std::string> at;
  Place place;
  const Block* block = nullptr;
  const Block* other = nullptr;  // Also for the zone, and refused.
};

// Here every address answers for all zones, so blocks that are reached at different ones cannot be
// told apart.
void Translator::combine_listeners() {
  std::vector<Reached> all;
  for (const Block& block : blocks_) {
    for (const auto& [zone, port] : block.keys) {
      auto found = std::ranges::find(all, zone.text, &Reached::zone);
      if (found == all.end()) {
        found = all.insert(all.end(), {zone.text, {}, zone.place, &block});
      }
      listen_for(zone, port, block, *found);
    }
  }
  for (const Reached& each : all) {
    if (each.at != all.front().at) {
      complain(each.place,
               "found the zone '" + each.zone + "' at other ports or addresses than '" +
                   all.front().zone + "' (" + all.front().place.to_text() +
                   "), expected the same, for every address answers all names here; run one "
                   "process for each, or give all blocks the same port and bind");
      return;
    }
  }
}

// The zone is a key of `block`.
void Translator::listen_for(const Zone& zone, std::uint16_t port, const Block& block,
                            Reached& reached) {
  if (reached.block != &block) {
    if (std::exchange(reached.other, &block) != &block) {
      complain(zone.place, fmt::format("found a second server block for the zone '{}', the first "
                                       "is at {}; expected one, for every address answers all "
                                       "names here; run one process for each",
                                       zone.text, reached.place.to_text()));
    }
    return;
  }
  static const std::vector<std::string> Everywhere = {"0.0.0.0", "[::]"};
  for (const std::string& address : block.addresses.empty() ? Everywhere : block.addresses) {
    const std::string at = address + ":" + std::to_string(port);
    if (!reached.at.insert(at).second) {
      complain(zone.place,
               fmt::format("found the zone '{}' at {} a second time, the first is at {}", zone.text,
                           at, reached.place.to_text()));
    }
    add("listen", at, block.place, "server block");
  }
}

//------------------------------------------------------------------ the cluster

void Translator::combine_cluster() {
  const Block* owner = nullptr;
  for (const Block& block : blocks_) {
    if (block.has_kubernetes) {
      owner = &block;
    }
  }
  if (owner == nullptr) {
    set("kubernetes", "false", blocks_.front().place, "server block");
    return;
  }
  bool has_domain = false;
  for (const Zone& zone : owner->cluster) {
    const bool is_served = covers(owner->zones, zone.name);
    if (!is_served) {
      complain(zone.place, "kubernetes: found the zone '" + zone.text +
                               "', expected one within a zone of its server block");
      continue;
    }
    check_other_blocks(*owner, zone);
    if (dns::is_reverse(zone.name)) {
      add("reverseZones", zone.text, zone.place, "kubernetes");
    } else if (std::exchange(has_domain, true)) {
      complain(zone.place, "kubernetes: found a second zone '" + zone.text +
                               "', expected one besides the reverse zones");
    } else {
      Setting setting{.key = "clusterDomain", .where = zone.place.to_text() + ": kubernetes"};
      setting.values.push_back({zone.text, "", false});
      given_.emplace("clusterDomain", Given{std::move(setting), zone.place});
    }
  }
  if (!has_domain && !owner->cluster.empty()) {
    complain(owner->cluster.front().place,
             "kubernetes: found reverse zones only, expected the cluster's domain with them");
  }
  set_empty("reverseZones", owner->place, "kubernetes");

  std::vector<Zone> through = falls_through_everywhere_ ? owner->cluster : fallthrough_;
  for (const Zone& zone : through) {
    for (const Zone& served : owner->cluster) {
      if (zone.name.is_within(served.name) && !served.name.is_within(zone.name)) {
        complain(zone.place, "kubernetes fallthrough: found '" + zone.text +
                                 "', expected all of the zone '" + served.text + "' or nothing");
      }
    }
    if (!owner->forwards.empty()) {
      add("fallthroughZones", zone.text, zone.place, "kubernetes fallthrough");
    } else {
      note(zone.place, "kubernetes fallthrough: leads nowhere, for its server block has no forward",
           true);
    }
  }
}

// Whether upstreams of the block are asked for all that is within `other`, below the cluster's
// zone.
bool Translator::is_stub_domain(const Block& block, const Zone& other, const Zone& cluster) {
  const bool is_reserved = other.name == cluster.name || other.name == cluster.name.child("svc") ||
                           other.name == cluster.name.child("pod");
  return !is_reserved && !dns::is_reverse(other.name) &&
         std::any_of(block.forwards.begin(), block.forwards.end(), [&](const Forward& forward) {
           return !forward.upstreams.front().starts_with('/') && covers(forward.zones, other.name);
         });
}

// In CoreDNS, names of another block with a longer zone are that block's.  Here they are that of a
// stub domain, but for those that make up the cluster; all others are the cluster's.
void Translator::check_other_blocks(const Block& owner, const Zone& zone) {
  for (const Block& block : blocks_) {
    for (const Zone& other : block.zones) {
      const bool is_below = other.name.is_within(zone.name);
      const bool is_above =
          zone.name.is_within(other.name) &&
          std::none_of(owner.zones.begin(), owner.zones.end(), [&](const Zone& mine) {
            return zone.name.is_within(mine.name) && mine.name.is_within(other.name);
          });
      if (&block == &owner || (!is_below && !is_above)) {
        continue;
      }
      const bool falls_through = falls_through_everywhere_ || covers(fallthrough_, zone.name);
      if (is_below && dns::is_reverse(zone.name) && falls_through && !owner.forwards.empty()) {
        note(other.place,
             "the addresses of the cluster's Services below '" + other.text +
                 "' have the cluster's names; the block has the others",
             true);
      } else if (!is_below || !is_stub_domain(block, other, zone)) {
        complain(other.place, "found a server block for '" + other.text +
                                  "', which would have names of the cluster's zone '" + zone.text +
                                  "', expected one block for all names of a zone");
      }
    }
  }
}

//------------------------------------------------------------------ who is asked

void Translator::combine_forwards() {
  const std::vector<std::string>* at_root = nullptr;
  for (const Block& block : blocks_) {
    for (const Forward& forward : block.forwards) {
      if (!forward.zones.empty() && forward.zones.front().name.is_root()) {
        at_root = &forward.upstreams;
      }
    }
  }
  for (Block& block : blocks_) {
    block_ = &block;
    for (const Forward& forward : block.forwards) {
      for (const Zone& zone : forward.zones) {
        for (const std::string& upstream : forward.upstreams) {
          if (zone.name.is_root()) {
            add("forward", upstream, forward.place, "forward");
          } else if (!upstream.starts_with('/')) {
            add("stubDomains", zone.text + "=" + upstream, forward.place, "forward");
          } else if (at_root == nullptr || *at_root != forward.upstreams) {
            complain(forward.place,
                     "forward: found " + upstream + " for the zone '" + zone.text +
                         "', expected addresses; a resolv.conf is asked for all names only");
          }
        }
      }
    }
    for (const Zone& zone : block.zones) {
      close(block, zone);
    }
  }
  combine_policies();
  check_authorities();
}

// One policy is for all: that of the names which no zone has, or the first one.
void Translator::combine_policies() {
  const Forward* chosen = nullptr;
  for (const Block& block : blocks_) {
    for (const Forward& forward : block.forwards) {
      const bool is_root = !forward.zones.empty() && forward.zones.front().name.is_root();
      if (!forward.policy.empty() && (chosen == nullptr || is_root)) {
        chosen = &forward;
      }
    }
  }
  if (chosen == nullptr) {
    return;
  }
  set("forwardPolicy", chosen->policy, chosen->place, "forward policy");
  for (const Block& block : blocks_) {
    for (const Forward& forward : block.forwards) {
      if (forward.has_choice() && !forward.policy.empty() && forward.policy != chosen->policy) {
        note(forward.place,
             "forward policy: the policy is one for all, " + chosen->policy + " of " +
                 chosen->place.to_text(),
             true);
      }
    }
  }
}

// Names of a block that it has no answer to are refused by CoreDNS.  Here they would go to whoever
// is asked for the names around them, so that a last template refuses them.
void Translator::close(const Block& block, const Zone& zone) {
  const bool has_answers =
      covers(block.cluster, zone.name) || covers(block.answered, zone.name) ||
      std::any_of(block.forwards.begin(), block.forwards.end(),
                  [&](const Forward& forward) { return covers(forward.zones, zone.name); });
  if (has_answers || zone.name.is_root() || block.has_chaos) {
    return;
  }
  for (const Block& other : blocks_) {
    for (const Forward& forward : other.forwards) {
      if (!covers(forward.zones, zone.name)) {
        continue;
      }
      const bool is_of_cluster = std::ranges::any_of(
          blocks_, [&](const Block& each) { return covers(each.cluster, zone.name); });
      if (block.has_hosts || !block.forwards.empty() || is_of_cluster) {
        return complain(zone.place,
                        "found no directive that has all names of the zone '" + zone.text +
                            "', expected forward or kubernetes for all of it, or hosts without "
                            "fallthrough; otherwise its names go to " +
                            forward.place.to_text());
      }
      return add("templates", "*" + scope_words({zone}) + " rcode REFUSED", zone.place,
                 "server block");
    }
  }
}

// There is one list of authorities here, and upstreams that CoreDNS has the system's vouch for
// would be refused.
void Translator::check_authorities() {
  const auto given = given_.find("upstreamCaFile");
  if (given == given_.end()) {
    return;
  }
  for (const Block& block : blocks_) {
    for (const Forward& forward : block.forwards) {
      const bool has_tls =
          std::any_of(forward.upstreams.begin(), forward.upstreams.end(),
                      [](const std::string& each) { return each.starts_with("tls://"); });
      if (has_tls && !forward.has_own_ca) {
        complain(forward.place, "forward: found tls:// without the authorities of " +
                                    given->second.place.to_text() +
                                    ", expected them here, too, for upstreamCaFile is one for all");
      }
    }
  }
}

}  // namespace waypost::ops
