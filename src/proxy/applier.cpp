#include "proxy/applier.h"

#include "base/log.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <utility>

namespace waypost::proxy {
namespace {

namespace asio = boost::asio;

constexpr auto Quietly = asio::as_tuple(asio::use_awaitable);

// Attempts of one sync until it waits and starts over; finding three culprits among 10 000 Services
// takes about ninety.
constexpr unsigned MaxAttempts = 128;

// So many commits in a row may make reading back worthless; then commits wait for it once.
constexpr unsigned MaxOvertaken = 3;
constexpr std::chrono::milliseconds QuietStep{5};

std::size_t index_of(Table table) noexcept {
  return static_cast<std::size_t>(table);
}

asio::awaitable<Result<SavedTable>> read_table(KernelTables& kernel, Table table,
                                               const RuleSet* expected) {
  SavedTableReader reader(table, expected);
  const Result<void> done =
      co_await kernel.save(table, [&](std::string_view piece) { reader.take(piece); });
  if (!done) {
    co_return std::unexpected(done.error());
  }
  co_return reader.finish();
}

asio::awaitable<void> sleep_for(asio::any_io_executor executor, std::chrono::nanoseconds duration) {
  asio::steady_timer timer(executor, duration);
  co_await timer.async_wait(Quietly);
}

}  // namespace

RuleSet without(const RuleSet& rules, const std::vector<OwnerId>& owners) {
  RuleSet left = rules;
  const auto is_theirs = [&](OwnerId owner) {
    return std::binary_search(owners.begin(), owners.end(), owner);
  };
  for (const Table table : AllTables) {
    rules.for_each(table, [&](const ChainPointer& chain) {
      std::size_t theirs = 0;
      for (std::size_t i = 0; i < chain->size(); ++i) {
        theirs += is_theirs(chain->owner(i)) ? 1 : 0;
      }
      if (theirs == 0) {
        return;
      }
      // A chain of several owners stays, because others lead to it.
      const bool has_one_owner = is_theirs(chain->owner(0)) && theirs == chain->size();
      if (has_one_owner && chain->is_owned()) {
        left.erase(table, chain->name());
        return;
      }
      ChainBuilder builder(chain->name());
      for (std::size_t i = 0; i < chain->size(); ++i) {
        if (!is_theirs(chain->owner(i))) {
          builder.add(chain->rule(i), chain->owner(i));
        }
      }
      left.put(table, builder.finish());
    });
  }
  return left;
}

asio::awaitable<Result<Removal>> remove_everything(KernelTables& kernel,
                                                   std::vector<Table> tables) {
  auto state = std::make_unique<KernelState>();
  for (const Table table : tables) {
    Result<SavedTable> saved = co_await read_table(kernel, table, nullptr);
    if (!saved) {
      co_return std::unexpected(saved.error());
    }
    put_table(*state, table, std::move(*saved));
  }
  RestoreInput input = make_restore(*state, RuleSet());
  auto text = std::make_shared<const std::string>(std::move(input.text));
  if (!text->empty()) {
    const auto done = co_await kernel.restore(std::move(text));
    if (!done) {
      co_return failure(ErrorKind::System, done.error().message);
    }
  }
  Removal removal;
  for (const Table table : tables) {
    const std::size_t left = input.after.chains.chain_count(table);
    removal.removed += state->chains.chain_count(table) - left;
    input.after.chains.for_each(table, [&](const ChainPointer& chain) {
      removal.kept += is_removable_chain(table, chain->name()) ? 1 : 0;
    });
  }
  co_return removal;
}

Applier::Applier(asio::any_io_executor executor, KernelTables& kernel, ApplierOptions options,
                 ApplierEvents events)
    : options_(std::move(options)),
      events_(std::move(events)),
      kernel_(kernel),
      executor_(executor),
      wake_(executor) {}

void Applier::want(RuleSet desired, std::uint64_t generation) {
  desired_ = std::move(desired);
  left_out_.clear();
  generation_ = generation;
  has_desired_ = true;
  is_wanted_ = true;
  settled_ = false;
  wake_.cancel();
}

asio::awaitable<void> Applier::run() {
  for (;;) {
    while (!is_wanted_) {
      wake_.expires_at(Clock::time_point::max());
      co_await wake_.async_wait(Quietly);
    }
    co_await sync();
    if (report_.restore_time.count() != 0) {
      const auto rest = std::chrono::duration<double>(report_.restore_time) * options_.rest_factor;
      co_await sleep_for(executor_, std::max<std::chrono::nanoseconds>(
                                        std::chrono::duration_cast<std::chrono::nanoseconds>(rest),
                                        options_.min_rest));
    }
  }
}

// Until what was wanted at its start, or later, is in force.
asio::awaitable<void> Applier::sync() {
  refusals_ = 0;
  attempts_ = 0;
  retry_ = options_.first_retry;
  suspects_.clear();
  for (;;) {
    is_wanted_ = false;
    const Attempt attempt = co_await try_once();
    if (attempt == Attempt::Done) {
      co_return;
    }
    is_wanted_ = true;
    if (attempt == Attempt::Later) {
      wake_.expires_after(next_retry());
      co_await wake_.async_wait(Quietly);
    }
  }
}

RuleSet Applier::wanted_rules() const {
  std::vector<OwnerId> left_out = left_out_;
  for (std::size_t i = 0; i + 1 < suspects_.size(); ++i) {
    left_out.insert(left_out.end(), suspects_[i].begin(), suspects_[i].end());
  }
  if (left_out.empty()) {
    return desired_;
  }
  std::sort(left_out.begin(), left_out.end());
  return without(desired_, left_out);
}

asio::awaitable<Applier::Attempt> Applier::try_once() {
  report_ = {};
  ++attempts_;
  if (!knows_kernel_) {
    is_full_ = true;
    if (const Result<void> read = co_await read_everything(); !read) {
      log::error("{}: reading the kernel's rules: {}", options_.label, read.error().message);
      report_.failure = read.error().message;
      if (events_.on_sync) {
        events_.on_sync(report_);
      }
      co_return Attempt::Later;
    }
  }
  while (is_reading_back_ && overtaken_ >= MaxOvertaken) {
    co_await sleep_for(executor_, QuietStep);
  }
  report_.is_full = is_full_;
  report_.generation = generation_;
  const auto started = Clock::now();
  const auto made = std::make_unique<RestoreInput>(make_restore(committed_, wanted_rules()));
  RestoreInput& input = *made;
  const auto compared = Clock::now();
  report_.compare_time = compared - started;
  report_.octets_written = input.text.size();
  report_.rules_written = input.rules_written;
  report_.rules_written_to = input.rules_written_to;
  if (!input.is_empty()) {
    is_restoring_ = true;
    ++restores_;
    auto text = std::make_shared<const std::string>(std::exchange(input.text, {}));
    const auto restored = co_await kernel_.restore(std::move(text));
    is_restoring_ = false;
    report_.restore_time = Clock::now() - compared;
    take_fingerprints();
    if (!restored) {
      co_return on_failure(input, restored.error());
    }
    read_back_wanted_ = true;
  }
  committed_ = std::move(input.after);
  co_return on_success() ? Attempt::Done : Attempt::Again;
}

// Returns whether the sync is over.
bool Applier::on_success() {
  if (std::exchange(lock_was_busy_, false)) {
    log::info("{}: got the xtables lock", options_.label);
  }
  is_full_ = false;
  retry_ = options_.first_retry;
  for (const Table table : options_.tables) {
    report_.rules_in_force[index_of(table)] = committed_.chains.rule_count(table);
  }
  if (!suspects_.empty()) {
    suspects_.pop_back();  // This group is cleared and in force.
  }
  const bool is_over = suspects_.empty();
  settled_ = is_over && !is_wanted_;
  if (is_over && events_.on_sync) {
    events_.on_sync(report_);
  }
  return is_over;
}

Applier::Attempt Applier::on_failure(const RestoreInput& input, const RestoreFailure& failed) {
  report_.failure = failed.message;
  const bool may_be_partly_done =
      failed.kind != RestoreFailure::Kind::LockBusy ||
      std::count(input.has_table.begin(), input.has_table.end(), true) > 1;
  if (may_be_partly_done) {
    knows_kernel_ = false;
  }
  if (failed.kind == RestoreFailure::Kind::LockBusy) {
    if (events_.on_lock_busy) {
      events_.on_lock_busy();
    }
    if (!std::exchange(lock_was_busy_, true)) {
      const std::string holder = events_.lock_holder ? events_.lock_holder() : std::string();
      log::warn("{}: the xtables lock is held{}; trying again until it is free", options_.label,
                holder.empty() ? "" : " by " + holder);
    }
    return Attempt::Later;
  }
  if (events_.on_sync) {
    events_.on_sync(report_);
  }
  if (failed.kind == RestoreFailure::Kind::System) {
    log::error("{}: {}", options_.label, failed.message);
    return Attempt::Later;
  }
  return on_refusal(input, failed);
}

Applier::Attempt Applier::on_refusal(const RestoreInput& input, const RestoreFailure& failed) {
  if (attempts_ > MaxAttempts) {
    log::error("{}: {}; giving up for now after {} attempts", options_.label, failed.message,
               attempts_);
    attempts_ = 0;
    suspects_.clear();
    return Attempt::Later;
  }
  // The first time the kernel may merely have other rules by now than we believe.
  if (++refusals_ == 1) {
    log::warn("{}: {}; comparing with what the kernel has", options_.label, failed.message);
    return Attempt::Again;
  }
  const OwnerId blamed = failed.line != 0 && failed.line <= input.owners.size()
                             ? input.owners[failed.line - 1]
                             : NoOwner;
  if (blamed != NoOwner) {
    quarantine(blamed, failed.message);
    return Attempt::Again;
  }
  if (!suspects_.empty()) {
    halve_suspects(failed.message);
    return suspects_.empty() ? Attempt::Later : Attempt::Again;
  }
  const std::set<OwnerId> owners(input.owners.begin(), input.owners.end());
  std::vector<OwnerId> all(owners.begin(), owners.end());
  std::erase(all, NoOwner);
  if (all.empty()) {
    log::error("{}: {}", options_.label, failed.message);
    return Attempt::Later;
  }
  // Nobody first: if that is refused too, it is none of them.
  suspects_ = {std::move(all), {}};
  return Attempt::Again;
}

// The last group was refused.
void Applier::halve_suspects(const std::string& reason) {
  std::vector<OwnerId> group = std::move(suspects_.back());
  suspects_.pop_back();
  if (group.empty()) {
    log::error("{}: {}; it is no Service's rule", options_.label, reason);
    suspects_.clear();
  } else if (group.size() == 1) {
    quarantine(group.front(), reason);
    if (suspects_.empty()) {
      suspects_.emplace_back();  // What is left is tried once more.
    }
  } else {
    const auto middle = group.begin() + static_cast<std::ptrdiff_t>(group.size() / 2);
    suspects_.emplace_back(middle, group.end());
    suspects_.emplace_back(group.begin(), middle);
  }
}

void Applier::quarantine(OwnerId owner, const std::string& reason) {
  left_out_.push_back(owner);
  for (std::vector<OwnerId>& group : suspects_) {
    std::erase(group, owner);
  }
  if (events_.on_quarantine) {
    events_.on_quarantine({owner, reason});
  }
}

std::chrono::milliseconds Applier::next_retry() {
  static std::minstd_rand random{std::random_device{}()};
  const auto wait = retry_;
  retry_ = std::min(retry_ * 2, options_.last_retry);
  std::uniform_int_distribution<std::int64_t> jitter(wait.count() / 2, wait.count());
  return std::chrono::milliseconds(jitter(random));
}

//------------------------------------------------------------------ reading

asio::awaitable<Result<SavedTable>> Applier::read(Table table, const RuleSet* expected) {
  Result<SavedTable> saved = co_await read_table(kernel_, table, expected);
  if (saved && events_.on_read) {
    events_.on_read(*saved);
  }
  co_return saved;
}

asio::awaitable<Result<void>> Applier::read_everything() {
  take_fingerprints();
  KernelState state;
  for (const Table table : options_.tables) {
    Result<SavedTable> saved = co_await read(table, &desired_);
    if (!saved) {
      co_return std::unexpected(saved.error());
    }
    put_table(state, table, std::move(*saved));
  }
  committed_ = std::move(state);
  knows_kernel_ = true;
  co_return Result<void>();
}

asio::awaitable<void> Applier::watch() {
  sweep_at_ = Clock::now() + options_.sweep_interval;
  for (;;) {
    co_await sleep_for(executor_, options_.probe_interval);
    if (!knows_kernel_ || is_restoring_) {
      continue;
    }
    const auto now = Clock::now();
    if (has_foreign_change() || now >= sweep_at_) {
      read_back_wanted_ = true;
    }
    if (read_back_wanted_ && now >= read_back_after_) {
      is_reading_back_ = true;
      co_await read_back();
      is_reading_back_ = false;
      const auto took = std::chrono::duration<double>(Clock::now() - now);
      read_back_after_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                            took * options_.read_back_rest_factor);
      if (events_.on_read_back) {
        events_.on_read_back(Clock::now() - now);
      }
    }
  }
}

// Compares what the kernel has with what was committed, and has differences repaired.
asio::awaitable<void> Applier::read_back() {
  for (const Table table : options_.tables) {
    const std::uint64_t restores = restores_;
    Result<SavedTable> saved = co_await read(table, &committed_.chains);
    if (!saved) {
      log::warn("{}: reading back: {}", options_.label, saved.error().message);
      co_return;
    }
    if (restores != restores_ || !knows_kernel_) {
      ++overtaken_;
      co_return;
    }
    KernelState actual;
    put_table(actual, table, std::move(*saved));
    const std::vector<Drift> drift = find_drift(committed_, actual, table);
    // Its positions are fresh, and it is what differences are to be made from.
    committed_.jumps[index_of(table)] = std::move(actual.jumps[index_of(table)]);
    if (!drift.empty()) {
      for (const ChainPointer& chain : committed_.chains.sorted(table)) {
        committed_.chains.erase(table, chain->name());
      }
      actual.chains.for_each(
          table, [&](const ChainPointer& chain) { committed_.chains.put(table, chain); });
      log::warn("{}: {} chains of table {} were changed by somebody else, among them {}, which {}",
                options_.label, drift.size(), to_text(table), drift.front().chain.name,
                drift.front().what);
      if (events_.on_drift) {
        events_.on_drift({table, drift});
      }
      is_wanted_ = true;
      settled_ = false;
      wake_.cancel();
    }
  }
  overtaken_ = 0;
  read_back_wanted_ = false;
  sweep_at_ = Clock::now() + options_.sweep_interval;
}

void Applier::take_fingerprints() {
  for (const Table table : options_.tables) {
    fingerprints_[index_of(table)] = kernel_.fingerprint(table);
  }
}

bool Applier::has_foreign_change() {
  const auto before = fingerprints_;
  take_fingerprints();
  return fingerprints_ != before;
}

}  // namespace waypost::proxy
