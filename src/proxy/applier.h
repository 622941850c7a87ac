// Brings the kernel's rules of one address family to what they should be, and keeps them there.
//
// The applier knows what the kernel has: it reads it once when the first desired set arrives, so
// that whatever is right already stays untouched, and from then on sends differences.  What it
// committed it reads back; what others changed it repairs, chain by chain.
//
//     want() ──► pace ──► make_restore() ──► iptables-restore ──► committed ──► read back
//                              ▲                   │ refused                        │ drift
//                              └── read again, then quarantine whose line it was ◄──┘
//
// Not here: what should be there (proxy/compiler.h), how programs are run (proxy/iptables.h).

#pragma once

#include "proxy/kernel_tables.h"
#include "proxy/rule_diff.h"
#include "proxy/rule_set.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace waypost::proxy {

// Those that Services have rules in.
inline constexpr std::array<Table, 2> ServiceTables = {Table::Filter, Table::Nat};

struct ApplierOptions {
  std::string label;  // "IPv4": begins every line of the log.
  // The tables that are read, compared and written.  Reading makes a table that is not there, so
  // that none is named that has no rules.
  std::vector<Table> tables{ServiceTables.begin(), ServiceTables.end()};
  // After a commit the next one waits this many times as long as the commit took; the first change
  // after a pause never waits.  1 keeps at most half a core busy.
  double rest_factor = 1.0;
  std::chrono::milliseconds min_rest{0};
  double read_back_rest_factor = 19.0;  // The same for reading back, which is less urgent.
  std::chrono::milliseconds probe_interval{1000};  // How often fingerprints are compared.
  std::chrono::seconds sweep_interval{60};         // How often everything is read back anyway.
  // Waits between attempts double from the first to the last, with jitter.
  std::chrono::milliseconds first_retry{10};
  std::chrono::milliseconds last_retry{5000};
};

// What one commit did, or why it did not.
struct SyncReport {
  bool is_full = false;          // The first one, or one after everything was read again.
  std::uint64_t generation = 0;  // What was passed to want() with the set that is in force now.
  std::size_t rules_written = 0;
  std::size_t octets_written = 0;
  std::chrono::nanoseconds compare_time{0};  // make_restore()
  std::chrono::nanoseconds restore_time{0};  // In iptables-restore; 0 when nothing differed.
  std::array<std::size_t, TableCount> rules_in_force{};
  std::array<std::size_t, TableCount> rules_written_to{};
  std::string failure;  // Empty when it is in force.
};

struct DriftReport {
  Table table;
  std::vector<Drift> drift;
};

struct QuarantineReport {
  OwnerId owner;
  std::string reason;
};

// What the applier tells, on its own thread; each may be empty.
struct ApplierEvents {
  std::function<void(const SyncReport&)> on_sync;
  std::function<void(const DriftReport&)> on_drift;
  // The kernel refuses rules of this owner.  They are left out until the next call of want(), whose
  // set is expected to be without them.
  std::function<void(const QuarantineReport&)> on_quarantine;
  std::function<void()> on_lock_busy;
  std::function<void(std::chrono::nanoseconds)> on_read_back;
  // A table was read; of rules that are there to be counted, the kernel's counters.
  std::function<void(const SavedTable&)> on_read;
  // Who holds the lock, for the log.
  std::function<std::string()> lock_holder;
};

// Control thread only.
class Applier {
 public:
  // `kernel` is borrowed and outlives this object.
  Applier(boost::asio::any_io_executor executor, KernelTables& kernel, ApplierOptions options,
          ApplierEvents events);
  Applier(const Applier&) = delete;
  Applier& operator=(const Applier&) = delete;

  // Makes `desired` what the kernel should have; a set that was passed before and is not committed
  // yet is forgotten.  `generation` comes back in the report.
  void want(RuleSet desired, std::uint64_t generation);

  // What the kernel has, as far as known.
  const KernelState& committed() const noexcept { return committed_; }
  // Whether everything wanted is in force, quarantined owners aside.
  bool is_settled() const noexcept { return settled_; }

  // Does the work, for ever.  Spawned once each, on the executor's thread.
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> watch();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Attempt : std::uint8_t { Done, Again, Later };

  boost::asio::awaitable<void> sync();
  boost::asio::awaitable<Attempt> try_once();
  Attempt on_failure(const RestoreInput& input, const RestoreFailure& failed);
  boost::asio::awaitable<Result<SavedTable>> read(Table table, const RuleSet* expected);
  boost::asio::awaitable<Result<void>> read_everything();
  boost::asio::awaitable<void> read_back();
  Attempt on_refusal(const RestoreInput& input, const RestoreFailure& failed);
  void halve_suspects(const std::string& reason);
  bool on_success();
  void quarantine(OwnerId owner, const std::string& reason);
  RuleSet wanted_rules() const;
  void take_fingerprints();
  bool has_foreign_change();
  std::chrono::milliseconds next_retry();

  const ApplierOptions options_;
  const ApplierEvents events_;
  KernelTables& kernel_;
  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer wake_;

  RuleSet desired_;
  std::uint64_t generation_ = 0;
  bool is_wanted_ = false;  // Something is to be committed.
  bool has_desired_ = false;
  bool settled_ = false;

  KernelState committed_;
  bool knows_kernel_ = false;  // Otherwise it is read before the next comparison.
  bool is_full_ = true;
  std::vector<OwnerId> left_out_;  // Quarantined since the last want().

  // Of the sync at hand.
  unsigned refusals_ = 0;
  unsigned attempts_ = 0;
  // Groups of owners of which some have a rule that is refused, when nobody says whose it is.  The
  // last group is being tried, the others are left out meanwhile.
  std::vector<std::vector<OwnerId>> suspects_;
  std::chrono::milliseconds retry_{0};
  bool lock_was_busy_ = false;
  SyncReport report_;

  std::uint64_t restores_ = 0;  // Started so far.
  bool is_restoring_ = false;
  bool is_reading_back_ = false;
  std::array<std::uint64_t, TableCount> fingerprints_{};
  bool read_back_wanted_ = false;
  Clock::time_point read_back_after_{};
  Clock::time_point sweep_at_{};
  unsigned overtaken_ = 0;  // Times in a row that a commit made reading back worthless.
};

struct Removal {
  std::size_t removed = 0;  // Chains.
  std::size_t kept = 0;     // Chains that a rule in a chain of others leads to; empty now.
};

// Removes from these tables every chain of ours with the jumps that lead to it, and nothing else.
boost::asio::awaitable<Result<Removal>> remove_everything(KernelTables& kernel,
                                                          std::vector<Table> tables);

// `rules` without what is owned by `owners`, which are sorted: rules of theirs, and chains that
// have no other rules.
RuleSet without(const RuleSet& rules, const std::vector<OwnerId>& owners);

}  // namespace waypost::proxy
