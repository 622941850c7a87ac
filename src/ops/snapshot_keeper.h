// The snapshot of a running program: saved when its schedule says, and once more at the end.
//
// The control thread makes the octets in short steps, with everything else having its turn between
// two of them; a thread of its own writes them, so that no disk, however slow, delays a change.
// One part of about 32 KiB is under way at a time.
//
// Not here: the file's content (cache/snapshot.h), loading it (cache::load_snapshot()).

#pragma once

#include "cache/service_cache.h"
#include "cache/snapshot.h"
#include "cache/snapshot_schedule.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace waypost::ops {

struct SnapshotOptions {
  std::filesystem::path file;
  std::string identity;                        // Of the cluster: cache::SnapshotOrigin::identity.
  std::chrono::milliseconds settle{2000};      // From the complete world to the first save.
  std::chrono::milliseconds interval{30'000};  // Between two saves, at least.
};

// What a probe may want to know.
struct SnapshotStatus {
  // When the newest file that was saved or loaded was made; nothing before there is one.
  std::optional<std::chrono::system_clock::time_point> created;
  std::uint64_t bytes = 0;            // Its size.
  std::chrono::milliseconds took{0};  // From the beginning of the last good save to its end.
  std::uint64_t saves = 0;            // That are on the disk.
  std::uint64_t failures = 0;         // Saves that did not get there; the file before stays.
  std::uint64_t left_out = 0;         // Objects that were too large for a file.
};

// Control thread only.
class SnapshotKeeper final : private cache::Consumer {
 public:
  // Saves whenever `cache` is synced and has changed.  Both references are borrowed and outlive
  // this object.  A save that fails is logged once until one works again.
  SnapshotKeeper(boost::asio::io_context& context, cache::ServiceCache& cache,
                 SnapshotOptions options);
  // Gives up a save that is under way; may wait for the disk.
  ~SnapshotKeeper() override;
  SnapshotKeeper(const SnapshotKeeper&) = delete;
  SnapshotKeeper& operator=(const SnapshotKeeper&) = delete;

  // Says that this file is in place.
  void on_loaded(const cache::LoadedSnapshot& loaded);

  // Saves what is not saved yet, and waits for the disk; afterwards nothing is saved any more.  For
  // the end of the program, when the context runs no more.
  void save_at_end();

  const SnapshotStatus& status() const noexcept { return status_; }

 private:
  class Save;

  void on_service(const cache::ServiceDelta& delta) override;
  void on_namespace(const cache::ObjectDelta<kube::Namespace>& delta) override;
  void on_pod(const cache::ObjectDelta<kube::Pod>& delta) override;
  void on_node(const cache::ObjectDelta<kube::Node>& delta) override;
  void on_synced() override;
  void on_resource_version(std::uint64_t version) override;

  void on_change();
  void await_due();
  void begin_save();
  void write_part();
  void commit();
  void end_save(const Result<void>& result);
  cache::SnapshotOrigin origin() const;
  // Runs `work` on the other thread, then `done` with its result on this one.
  template <typename Work, typename Done>
  void run_elsewhere(Work work, Done done);

  boost::asio::io_context& context_;
  cache::ServiceCache& cache_;
  const SnapshotOptions options_;
  cache::SnapshotSchedule schedule_;
  SnapshotStatus status_;
  boost::asio::steady_timer timer_;
  bool is_waiting_ = false;  // The timer runs.
  bool is_failing_ = false;
  // Nobody else owns it: what comes back from the other thread looks whether it still lives.
  std::shared_ptr<Save> save_;
  boost::asio::thread_pool disk_{1};
};

}  // namespace waypost::ops
