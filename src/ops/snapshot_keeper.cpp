#include "ops/snapshot_keeper.h"

#include "base/file_replacement.h"
#include "base/log.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

}  // namespace

// One file on its way to the disk.  Its two halves belong to one thread each.
class SnapshotKeeper::Save {
 public:
  Save(const cache::ServiceCache& cache, const SnapshotOptions& options,
       const cache::SnapshotOrigin& from)
      : writer(cache, from), created(milliseconds(from.created_ms)), path_(options.file) {}

  // For the control thread.
  cache::SnapshotWriter writer;
  const system_clock::time_point created;
  const steady_clock::time_point started = steady_clock::now();

  // For the thread that may wait for the disk.  A failure leaves no file behind.
  Result<void> append(const std::string& part) {
    if (!file_) {
      auto file = FileReplacement::start(path_);
      if (!file) {
        return std::unexpected(file.error());
      }
      file_.emplace(std::move(*file));
      if (auto done = file_->append(cache::SnapshotPrelude{}); !done) {  // Until it is known.
        return give_up(std::move(done));
      }
    }
    Result<void> done = file_->append(as_bytes(part));
    return done ? done : give_up(std::move(done));
  }
  Result<void> commit(const cache::SnapshotPrelude& prelude) {
    Result<void> done = file_->write_at(0, prelude);
    if (done) {
      done = file_->commit();
    }
    return give_up(std::move(done));
  }

 private:
  // Closes the file here, where that may take its time.
  Result<void> give_up(Result<void> result) {
    file_.reset();
    return result;
  }

  const std::filesystem::path path_;
  std::optional<FileReplacement> file_;
};

SnapshotKeeper::SnapshotKeeper(asio::io_context& context, cache::ServiceCache& cache,
                               SnapshotOptions options)
    : context_(context),
      cache_(cache),
      options_(std::move(options)),
      schedule_(options_.settle, options_.interval),
      timer_(context) {
  cache_.subscribe(*this);
}

SnapshotKeeper::~SnapshotKeeper() {
  cache_.unsubscribe(*this);
  disk_.join();
}

void SnapshotKeeper::on_loaded(const cache::LoadedSnapshot& loaded) {
  status_.created = system_clock::time_point(milliseconds(loaded.origin.created_ms));
  status_.bytes = loaded.bytes;
}

//------------------------------------------------------------------ when

void SnapshotKeeper::on_service(const cache::ServiceDelta&) {
  on_change();
}
void SnapshotKeeper::on_namespace(const cache::ObjectDelta<kube::Namespace>&) {
  on_change();
}
void SnapshotKeeper::on_pod(const cache::ObjectDelta<kube::Pod>&) {
  on_change();
}
void SnapshotKeeper::on_node(const cache::ObjectDelta<kube::Node>&) {
  on_change();
}
// A version without a change, which comes every minute, is not worth a file.
void SnapshotKeeper::on_resource_version(std::uint64_t) {}

void SnapshotKeeper::on_synced() {
  schedule_.on_synced(steady_clock::now());
  await_due();
}

void SnapshotKeeper::on_change() {
  schedule_.on_change();
  await_due();
}

void SnapshotKeeper::await_due() {
  const auto due = schedule_.due();
  if (!due || is_waiting_) {
    return;
  }
  is_waiting_ = true;
  timer_.expires_at(*due);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) {
      is_waiting_ = false;
      begin_save();
    }
  });
}

//------------------------------------------------------------------ saving

cache::SnapshotOrigin SnapshotKeeper::origin() const {
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());
  return {.identity = options_.identity,
          .created_ms = static_cast<std::uint64_t>(now.count()),
          .newest_resource_version = cache_.newest_resource_version()};
}

template <typename Work, typename Done>
void SnapshotKeeper::run_elsewhere(Work work, Done done) {
  // The destructor waits for the work, and what it leaves behind finds no Save.
  asio::post(disk_, [this, save = save_, work = std::move(work), done = std::move(done)]() mutable {
    Result<void> result = work(*save);
    asio::post(context_, [lives = std::weak_ptr<Save>(save), done = std::move(done),
                          result = std::move(result)]() mutable {
      if (const auto still = lives.lock()) {
        done(std::move(result));
      }
    });
  });
}

void SnapshotKeeper::begin_save() {
  schedule_.on_started(steady_clock::now());
  save_ = std::make_shared<Save>(cache_, options_, origin());
  write_part();
}

void SnapshotKeeper::write_part() {
  std::string part;
  const bool has_more = save_->writer.step(part);
  run_elsewhere([part = std::move(part)](Save& save) { return save.append(part); },
                [this, has_more](Result<void> result) {
                  if (!result) {
                    end_save(result);
                  } else if (has_more) {
                    write_part();
                  } else {
                    commit();
                  }
                });
}

void SnapshotKeeper::commit() {
  run_elsewhere([prelude = save_->writer.prelude()](Save& save) { return save.commit(prelude); },
                [this](Result<void> result) { end_save(result); });
}

void SnapshotKeeper::end_save(const Result<void>& result) {
  const std::shared_ptr<Save> save = std::exchange(save_, nullptr);
  schedule_.on_finished(result.has_value());
  status_.left_out += save->writer.left_out();
  if (result) {
    ++status_.saves;
    status_.created = save->created;
    status_.bytes = save->writer.size();
    status_.took = duration_cast<milliseconds>(steady_clock::now() - save->started);
    if (is_failing_) {
      log::info("{}: the snapshot can be saved again", options_.file.string());
    }
  } else {
    ++status_.failures;
    if (!is_failing_) {
      log::error("the snapshot cannot be saved: {}", result.error().message);
    }
  }
  is_failing_ = !result;
  await_due();
}

void SnapshotKeeper::save_at_end() {
  cache_.unsubscribe(*this);
  timer_.cancel();
  is_waiting_ = true;  // For nothing any more.
  disk_.join();
  if (schedule_.has_unsaved()) {
    // One that is under way is given up: it lacks what changed since.
    save_ = nullptr;
    save_ = std::make_shared<Save>(cache_, options_, origin());
    Result<void> result;
    for (bool has_more = true; has_more && result;) {
      std::string part;
      has_more = save_->writer.step(part);
      result = save_->append(part);
    }
    end_save(result ? save_->commit(save_->writer.prelude()) : result);
  }
}

}  // namespace waypost::ops
