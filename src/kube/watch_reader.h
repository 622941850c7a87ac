// The events of a watch, while its body goes on.
//
// The body is fed in pieces as they come, split anywhere: one JSON object {"type", "object"} after
// another, with or without white space between them (meta/v1 WatchEvent).  Each goes to a callback
// as soon as it is complete, most of them straight out of the piece.  Memory holds one event at
// most.
//
// Not here: what an event's object is (kube/json_decoder.h, kube/api_status.h).

#pragma once

#include "base/error.h"
#include "kube/json_extent.h"
#include "kube/json_tree.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::kube {

// 4 MiB: one event with its frame.
inline constexpr std::size_t MaxWatchFrame = MaxJsonSize;

enum class WatchEventType : std::uint8_t { Added, Modified, Deleted, Bookmark, Error };

// "ADDED", as in an event's `type`.
std::string_view to_text(WatchEventType type) noexcept;

struct WatchEvent {
  WatchEventType type = WatchEventType::Added;
  // The object as JSON, as far as its braces tell; of kind Status in an Error.
  std::string_view object;
};

// For one body.  Everything happens on the caller's thread.
class WatchReader {
 public:
  // Called inside feed() with one complete event, borrowed for the call.  Must not call back into
  // the reader.
  using EventSink = std::function<void(const WatchEvent& event)>;

  explicit WatchReader(EventSink on_event);

  // Reads the next piece of the body, of any size.  Fails with InvalidInput where the body cannot
  // go on like that ("octet 17: ..."), with Unsupported for an event of an unknown type, which the
  // message names, and with Exhausted at MaxWatchFrame; events before that place have been called.
  // Every further call then fails alike.
  Result<void> feed(std::string_view piece);

  // The body is over.  Fails where feed() failed, and when the body ends inside an event.
  Result<void> finish() const;

  // How many events have been called so far.
  std::size_t events() const noexcept { return events_; }

 private:
  void read_frame(std::string_view& piece);
  void take_frame(std::string_view frame);
  void fail(ErrorKind kind, std::string_view message);

  EventSink on_event_;
  std::size_t octets_ = 0;  // Read so far.
  std::size_t events_ = 0;
  std::optional<Error> error_;

  bool in_frame_ = false;
  JsonExtent extent_;
  std::string frame_;  // The beginning of an event that goes on in the next piece.
};

}  // namespace waypost::kube
