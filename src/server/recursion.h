// The way of a query that no zone here answers, and no answer at hand: from a worker to the
// resolver's thread and back to the client.
//
// Workers hand over whole requests.  The thread reads each once more with a Responder of its own,
// which says what has to be asked for (the name of the query, or where a CNAME of ours leads), has
// the resolver find out, and lets the Responder write the answer: the same code, the same EDNS, the
// same order of zones as on a worker.  UDP answers leave by the worker's socket, from the address
// that was asked; TCP answers are given to the session's callback.  Of a popular answer that is to
// be asked for again, before it expires, only the question is handed over: its client has been
// answered.
//
// Not here: the cache, coalescing and bounds on questions (resolver/resolver.h).

#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "resolver/resolver.h"
#include "server/counters.h"
#include "server/handover_ring.h"
#include "server/responder.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

namespace waypost::server {

// Takes one answer, without TCP's length; empty: there is none.
using TakeAnswer = std::function<void(std::vector<std::uint8_t>)>;

// Made, started and stopped by one thread.
class Recursion {
 public:
  // What a client is told whose query is not taken.
  static constexpr std::string_view TooManyWait = "too many queries wait for other servers";

  // All are borrowed and outlive this object; `resolver` lives on `context`, which is run by this
  // object's thread alone.  Throws std::system_error when the kernel gives no eventfd.
  Recursion(boost::asio::io_context& context, resolver::Resolver& resolver, const Views& views,
            std::uint64_t seed);
  ~Recursion();
  Recursion(const Recursion&) = delete;
  Recursion& operator=(const Recursion&) = delete;

  // Makes the queue of one worker; before start().
  HandoverRing& add_worker();

  // What workers have handed over before is taken first.
  Result<void> start();
  // Joins the thread: no answer is sent any more, and sockets of workers are not used.  Workers may
  // still hand over, to nobody.  To be called before they close their sockets.
  void stop();

  // Any worker: has the thread look into its queue.  One system call.
  void wake() noexcept;

  // Any worker's thread: the same for a message over TCP.  `take` is called at most once, on the
  // resolver's thread; not at all once stop() was called.
  void ask(std::vector<std::uint8_t> request, const Client& client, TakeAnswer take);

  // Any thread: asks once more for what is popular (Reply::refresh).  For nobody.
  void refresh(const resolver::Question& question);

  // Answers that this thread wrote, and what the kernel did not take of them.
  const Counters& counters() const noexcept { return counters_; }

 private:
  struct Parked;

  void run();
  void await_work();
  void take_work();
  void serve(const std::shared_ptr<Parked>& parked, unsigned round);
  Reply respond(Parked& parked, const resolver::Resolution* resolution);
  void send(const Parked& parked, Bytes answer);

  boost::asio::io_context& context_;
  resolver::Resolver& resolver_;
  Counters counters_;
  Responder responder_;
  std::list<HandoverRing> rings_;
  boost::asio::posix::stream_descriptor wake_;  // An eventfd.
  std::vector<std::uint8_t> output_;
  std::thread thread_;
};

// How a question stands in the queue, in place of a request.
inline Bytes octets_of(const resolver::Question& question) noexcept {
  static_assert(std::is_trivially_copyable_v<resolver::Question>);
  return {reinterpret_cast<const std::uint8_t*>(&question), sizeof question};
}

// One worker's end of its queue.  Used by that worker alone.
class Handover {
 public:
  // Absent: everything is refused.  Borrowed; add_worker() is called once.
  explicit Handover(Recursion* recursion)
      : recursion_(recursion), ring_(recursion == nullptr ? nullptr : &recursion->add_worker()) {}

  // False when there is no room.
  bool push(const ReturnPath& path, Bytes request) noexcept {
    const bool taken = ring_ != nullptr && ring_->push(path, request);
    has_news_ = has_news_ || taken;
    return taken;
  }
  // As Recursion::refresh(), by the queue.
  bool push_refresh(const resolver::Question& question) noexcept {
    return push({}, octets_of(question));
  }
  // Has what was pushed be taken; to be called once for each batch.
  void flush() noexcept {
    if (has_news_) {
      has_news_ = false;
      recursion_->wake();
    }
  }

 private:
  Recursion* recursion_;
  HandoverRing* ring_;
  bool has_news_ = false;
};

}  // namespace waypost::server
