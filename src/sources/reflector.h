// One kind of objects in the cache, kept equal to the API server's: list, watch, resume, list
// again.
//
// The way of client-go's reflector, with what operators miss there.  The first list is a stream
// (sendInitialEvents, KEP-3157), with paged lists where the server has none; changes follow on the
// same stream.  A broken stream is resumed at the last resourceVersion; when the history does not
// go back that far (410), a list is compared with the cache, so that unchanged objects cause no
// delta and deletions that happened meanwhile are found.  Waiting between tries grows, with jitter,
// and follows Retry-After.  A stream that says nothing for longer than bookmarks take is given up.
// Now and then the number of objects and the stream's version are compared with the server's.
//
// Not here: folding objects in (sources/object_writer.h), the connection (kube/api_transport.h),
// several kinds together (sources/api_source.h).

#pragma once

#include "base/timer.h"
#include "kube/api_status.h"
#include "kube/api_transport.h"
#include "kube/list_reader.h"
#include "kube/watch_reader.h"
#include "sources/api_kind.h"
#include "sources/backoff.h"
#include "sources/kind_status.h"
#include "sources/object_writer.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::sources {

struct ReflectorOptions {
  Backoff::Bounds backoff;
  std::chrono::milliseconds head_timeout{30'000};  // Until a response begins.
  std::chrono::milliseconds list_timeout{30'000};  // Between two pieces of a list.
  // Between two signs of life of a stream.  The server sends a bookmark about every minute.
  std::chrono::milliseconds stall_timeout{150'000};
  std::chrono::milliseconds watch_time{300'000};      // Streams end after this to twice as long.
  std::chrono::milliseconds audit_interval{120'000};  // To twice as long; 0: never.
  unsigned page_size = 500;                           // Of paged lists, in objects.
};

// What a reflector works with; all of it is borrowed and outlives the reflector's coroutines.
struct ReflectorContext {
  kube::ApiTransport& transport;
  Timer& timer;
  cache::ServiceCache& cache;
  SourceEvents& events;
  const bool& is_stopped;  // Looked at after every wait: nothing else is touched once it is true.
};

// Control thread only.
class Reflector {
 public:
  // `seed` is for jitter.
  Reflector(const ReflectorContext& context, KindRequest request, const ReflectorOptions& options,
            std::uint64_t seed);
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  // Two coroutines that end when `is_stopped` is seen.
  boost::asio::awaitable<void> follow();
  boost::asio::awaitable<void> audit();

  const KindStatus& status() const noexcept { return status_; }

 private:
  // Why a list or a stream is over.
  enum class End : std::uint8_t {
    Done,         // A list is complete, or the server closed the stream as agreed.
    Failed,       // Try again after a wait; failure_ says why.
    Expired,      // 410: only a list helps.
    Unsupported,  // The server does not stream lists.
    Stopped,
  };
  struct Failure {
    std::string message;
    std::optional<std::chrono::milliseconds> retry_after;
  };
  // A list whose number of objects is compared once the stream has reached its version.
  struct Audit {
    std::uint64_t resource_version = 0;
    std::size_t objects = 0;
    SteadyTime asked;
  };

  boost::asio::awaitable<End> bring_up_to_date();
  boost::asio::awaitable<End> stream(bool with_list);
  boost::asio::awaitable<End> read_stream(kube::ApiExchange& exchange);
  boost::asio::awaitable<End> list_in_pages();
  boost::asio::awaitable<End> list_page(const std::string& target, kube::ListMeta& meta);
  boost::asio::awaitable<Result<kube::ListMeta>> read_items(kube::ApiExchange& exchange,
                                                            kube::ListReader::ItemSink on_item);
  boost::asio::awaitable<End> refuse(kube::ApiExchange& exchange);
  boost::asio::awaitable<void> ask_for_audit();

  std::string stream_target(bool with_list);
  // These return nothing as long as the stream goes on.
  std::optional<End> on_event(const kube::WatchEvent& event);
  std::optional<End> on_change(std::uint64_t version, std::size_t count_before);
  std::optional<End> on_bookmark(std::string_view json);
  End on_silence(const Error& error);
  End on_error(std::string_view json);
  End on_status(const kube::ApiStatus& status, std::optional<std::chrono::seconds> retry_after);
  void finish_list(std::uint64_t version);
  End fail(std::string message);
  void note_contact();
  void note_end(End end);
  // These return false when the comparison went wrong and a list has to follow.
  bool advance_audit(std::uint64_t version, std::size_t count);
  bool settle_audit(std::size_t count);
  void give_up_stream(const std::string& reason);

  const ReflectorContext context_;
  const KindRequest request_;
  const ReflectorOptions options_;
  KindStatus status_;
  ObjectWriter writer_;
  Backoff backoff_;

  Failure failure_;
  bool is_listing_ = false;  // Between the beginning of a list and its end.
  bool needs_list_ = true;
  bool is_behind_ = false;  // The open stream has to be given up.
  std::string told_;  // The failure that people were told of, without its digits; empty: none.
  bool lists_in_pages_ = false;    // The server does not stream lists.
  unsigned expired_pages_ = 0;     // Lists in a row whose continue token expired.
  std::uint64_t last_change_ = 0;  // resourceVersion of the last object event.
  std::optional<Audit> audit_;
};

}  // namespace waypost::sources
