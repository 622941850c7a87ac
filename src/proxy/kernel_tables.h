// The kernel's packet filter of one address family, as the rest of this room sees it: text in the
// language of iptables-restore goes in, text of iptables-save comes out.
//
// Not here: running the programs (proxy/iptables.h), what to write (proxy/rule_diff.h), reading the
// text (proxy/saved_rules.h).

#pragma once

#include "base/error.h"
#include "proxy/rule_set.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace waypost::proxy {

struct RestoreFailure {
  enum class Kind : std::uint8_t {
    LockBusy,  // Somebody else held the xtables lock for too long; nothing was done.
    Refused,   // The input is at fault, as far as one can tell.
    System,    // The program could not be run to its end.
  };
  Kind kind = Kind::System;
  // The line of the input that was complained about, from 1; 0 when none was named.  It may be the
  // line of a table's COMMIT: the legacy kernel interface does not say which rule it dislikes.
  std::size_t line = 0;
  std::string message;
};

// Used on one thread.  An implementation's calls may not overlap.
class KernelTables {
 public:
  virtual ~KernelTables() = default;

  // Applies `input` as iptables-restore --noflush does: each table's part is atomic, and parts
  // before a failing one stay applied.
  virtual boost::asio::awaitable<std::expected<void, RestoreFailure>> restore(
      std::shared_ptr<const std::string> input) = 0;

  // Hands the text of one table, with the rules' counters, to `take`, in pieces of any size.
  virtual boost::asio::awaitable<Result<void>> save(Table table,
                                                    std::function<void(std::string_view)> take) = 0;

  // A number that differs, as a rule, when somebody has changed the table since it last was asked
  // for; costs microseconds.  0 when it cannot be had.
  virtual std::uint64_t fingerprint(Table table) = 0;
};

}  // namespace waypost::proxy
