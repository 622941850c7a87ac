// The names that a Pod's resolver would try after the first one, in the order in which they are
// tried here: relative to the list's further domains, then the name as it was given.
//
// One thing differs from what a resolver does: a name that ends in the cluster's domain is tried as
// it is before the domains outside of the cluster.  Only a domain of the hosts that repeats the
// cluster's own could tell the difference, and names of the cluster then need no other server.
//
// Not here: what exists (server/responder.h).

#pragma once

#include "base/bytes.h"
#include "dns/query.h"
#include "search/search_list.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace waypost::search {

// What is known of the steps of a walk that has to wait for other servers' answers: bits by step.
// The caller keeps it between attempts.
struct WalkProgress {
  std::uint64_t list = 0;       // SearchList::id(): whose steps these are.
  std::uint64_t nothing = 0;    // Neither A nor AAAA.
  std::uint64_t something = 0;  // A, AAAA or both.
  std::uint64_t not_asked = 0;  // Not the type that is asked for; the other one is not known.

  // It grows only, so that whoever goes on while it does comes to an end.
  unsigned known() const noexcept {
    return static_cast<unsigned>(__builtin_popcountll(nothing) + __builtin_popcountll(something) +
                                 __builtin_popcountll(not_asked));
  }
};

// On the stack; borrows all it is made of.  No allocation.
class Walk {
 public:
  // Most steps that there can be, the first included: bits of WalkProgress.
  static constexpr std::size_t MaxSteps = 64;

  // `asked` is the query's name and `sent` the same as it was sent.  `list` is that of who asks.
  Walk(const dns::NameKey& asked, Bytes sent, const SearchList& list) noexcept;

  // Whether `asked` is the first step of a walk: a name relative to the first domain, with fewer
  // dots than ndots.
  enum class Start : std::uint8_t { First, OtherName, Dotted };
  Start start() const noexcept { return start_; }

  // Goes on to the next name that fits into 255 octets; false at the end.  REQUIRES: start() is
  // First.
  bool next() noexcept;

  // The name of this step in wire form, in the case that it was asked in.  Good until next().
  Bytes name() const noexcept { return {octets_.data(), size_}; }
  // Its number, below MaxSteps; 0 is what was asked.
  unsigned step() const noexcept { return step_; }
  // The name is relative to the cluster's domain or a domain below it.
  bool is_in_cluster() const noexcept { return is_in_cluster_; }
  // The name as it was given.
  bool is_as_given() const noexcept { return is_as_given_; }

 private:
  bool put(Bytes tail) noexcept;

  const SearchList& list_;
  Bytes base_;  // The name as it was given, without root.
  Start start_ = Start::First;
  bool base_is_in_zone_ = false;
  bool has_given_ = false;  // The name as it was given has had its turn.
  bool is_in_cluster_ = false;
  bool is_as_given_ = false;
  std::size_t next_domain_ = 1;
  unsigned step_ = 0;
  std::array<std::uint8_t, 256> octets_;
  std::size_t size_ = 0;
};

}  // namespace waypost::search
