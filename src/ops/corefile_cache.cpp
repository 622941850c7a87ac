// The directive `cache`.
//
// Each server block may have a cache with times of its own; here one cache holds what upstreams
// answer to all of them.  Of several times the shortest counts, so that no answer is older than its
// block wants.

#include "base/timer.h"
#include "ops/corefile_translator.h"
#include "ops/text.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace waypost::ops {

using corefile::Line;
using corefile::Place;

namespace {

// CoreDNS' own, where a file says nothing.  In seconds.
constexpr std::uint64_t DefaultTtl = 3600;
constexpr std::uint64_t DefaultNegativeTtl = 1800;
constexpr std::uint64_t DefaultMinTtl = 5;

// Answers of each kind.
constexpr std::uint64_t DefaultCapacity = 9984;
// So that both together are no more than cacheSize may be.
constexpr std::uint64_t MaxCapacity = 1U << 22U;
constexpr std::uint64_t OctetsPerAnswer = 512;

std::uint64_t whole_seconds(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

}  // namespace

void Translator::read_cache(const Line& line) {
  block_->has_cache = true;
  const std::optional<std::uint64_t> ttl =
      line.words.size() > 1 ? number_from_text(line.words[1].text) : std::nullopt;
  for (const Zone& zone : argument_zones(line, ttl ? 2 : 1)) {
    const bool is_all =
        std::any_of(block_->zones.begin(), block_->zones.end(),
                    [&](const Zone& each) { return each.name.is_within(zone.name); });
    if (!is_all) {
      complain(zone.place, "cache: found the zone '" + zone.text +
                               "', expected none; what upstreams answer is cached for all zones");
    }
  }
  success_ttl_ = denial_ttl_ = ttl;
  success_min_ttl_ = denial_min_ttl_ = std::nullopt;
  read_options(line);
  take_least("cacheMaxTtl", success_ttl_.value_or(DefaultTtl), line.place(), "cache");
  take_least("cacheMaxNegativeTtl", denial_ttl_.value_or(DefaultNegativeTtl), line.place(),
             "cache");
  take_least("cacheMinTtl", success_min_ttl_.value_or(DefaultMinTtl), line.place(),
             "cache success");
  take_least("cacheMinTtl", denial_min_ttl_.value_or(DefaultMinTtl), line.place(), "cache denial");
}

// CAPACITY [TTL] [MINTTL]
void Translator::read_capacity(const Line& line) {
  if (!has_arguments(line, 1, 3)) {
    return;
  }
  const bool is_success = line.name() == "success";
  if (const auto capacity = number(line, 1)) {
    std::uint64_t& most = is_success ? success_capacity_ : denial_capacity_;
    most = std::max(most, *capacity);
    capacity_place_ = line.place();
  }
  if (line.words.size() > 2) {
    if (const auto ttl = number(line, 2)) {
      (is_success ? success_ttl_ : denial_ttl_) = ttl;
    }
  }
  if (line.words.size() > 3) {
    (is_success ? success_min_ttl_ : denial_min_ttl_) = number(line, 3);
  }
}

void Translator::read_disable(const Line& line) {
  if (!has_arguments(line, 1, SIZE_MAX)) {
    return;
  }
  if (line.words[1].text != "success" && line.words[1].text != "denial") {
    return complain(line.place(), "cache disable: found '" + line.words[1].text +
                                      "', expected success or denial");
  }
  for (const Zone& zone : line.words.size() > 2 ? argument_zones(line, 2) : block_->zones) {
    uncached_.emplace_back(zone, line.place());
  }
}

// AMOUNT [[DURATION] [PERCENTAGE%]]
void Translator::read_prefetch(const Line& line) {
  if (!has_arguments(line, 1, 3)) {
    return;
  }
  const bool is_on = line.words[1].text != "0";
  set("prefetch", is_on ? "true" : "false", line);
  if (is_on) {
    note(line.place(), "cache prefetch: how popular an answer has to be is built in, and when",
         true);
  }
}

// [DURATION] [immediate|verify]
void Translator::read_serve_stale(const Line& line) {
  if (!has_arguments(line, 0, 2)) {
    return;
  }
  std::uint64_t time = 3600;
  if (line.words.size() > 1) {
    const auto given = duration(line, 1);
    if (!given) {
      return;
    }
    time = whole_seconds(*given);
  }
  const std::string mode = line.words.size() > 2 ? line.words[2].text : "immediate";
  if (mode == "immediate") {
    note(line.place(),
         "cache serve_stale: an expired answer is given when no upstream answers in time, as with "
         "verify, not immediately",
         true);
  } else if (mode != "verify") {
    complain(line.words[2].place,
             "cache serve_stale: found '" + mode + "', expected immediate or verify");
  }
  take_least("serveStale", time, line.place(), "cache serve_stale");
}

void Translator::read_servfail(const Line& line) {
  if (!has_arguments(line, 1, 1)) {
    return;
  }
  const auto time = duration(line, 1);
  if (!time) {
    return;
  }
  const std::uint64_t seconds = std::max<std::uint64_t>(whole_seconds(*time), 1);
  if (std::chrono::seconds(seconds) != *time) {
    note(line.place(),
         "cache servfail: failures are remembered for " + std::to_string(seconds) +
             " s, for whole seconds, at least one (RFC 9520)",
         true);
  }
  take_least("failureTtl", seconds, line.place(), "cache servfail");
}

void Translator::take_least(std::string_view key, std::uint64_t value, const Place& place,
                            std::string_view name) {
  const auto [at, is_first] = least_.try_emplace(key, Least{value, name, place});
  Least& least = at->second;
  if (is_first || value == least.value) {
    return;
  }
  if (value < least.value) {
    least = {value, name, place};
  }
  least.is_disputed = true;
}

void Translator::combine_cache() {
  const Place& start = blocks_.front().place;
  const bool is_on =
      std::any_of(blocks_.begin(), blocks_.end(), [](const Block& each) { return each.has_cache; });
  if (!is_on) {
    set("cacheSize", "0", start, "cache");
    return;
  }
  for (const auto& [key, least] : least_) {
    set(key, std::to_string(least.value) + (key == "serveStale" ? "s" : ""), least.place,
        least.name);
    if (least.is_disputed) {
      note(least.place,
           std::string(least.name) + ": of several times the shortest counts, " +
               std::to_string(least.value) + " s for " + std::string(key),
           true);
    }
  }
  if (!given_.contains("serveStale")) {
    set("serveStale", "0s", start, "cache");
  }
  if (!given_.contains("prefetch")) {
    set("prefetch", "false", start, "cache");
  }
  combine_capacity();
  for (const Block& block : blocks_) {
    if (!block.has_cache && !block.forwards.empty()) {
      note(block.place,
           "the block has no cache; the others' cache holds the answers to its names, too", true);
    }
  }
  for (const auto& [zone, place] : uncached_) {
    const bool is_cluster = std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
      return covers(block.cluster, zone.name);
    });
    if (!is_cluster) {
      complain(place, "cache disable: found the zone '" + zone.text +
                          "', expected one of the cluster's; those are never cached, and what "
                          "upstreams answer is cached for all zones");
    }
  }
}

void Translator::combine_capacity() {
  if (success_capacity_ == 0 && denial_capacity_ == 0) {
    return;
  }
  const auto taken = [](std::uint64_t given) {
    return given == 0 ? DefaultCapacity : std::min(given, MaxCapacity);
  };
  const std::uint64_t answers = taken(success_capacity_) + taken(denial_capacity_);
  const std::string octets = std::to_string(answers * OctetsPerAnswer);
  set("cacheSize", octets, capacity_place_, "cache");
  note(capacity_place_,
       "cache: the capacity is one in octets for answers of both kinds, " + octets + " for " +
           std::to_string(answers) + " answers",
       true);
}

}  // namespace waypost::ops
