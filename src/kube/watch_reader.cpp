#include "kube/watch_reader.h"

#include <algorithm>
#include <array>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::array<std::pair<std::string_view, WatchEventType>, 5> Types = {{
    {"ADDED", WatchEventType::Added},
    {"MODIFIED", WatchEventType::Modified},
    {"DELETED", WatchEventType::Deleted},
    {"BOOKMARK", WatchEventType::Bookmark},
    {"ERROR", WatchEventType::Error},
}};
constexpr std::size_t MaxKeptSize = std::size_t{256} << 10;  // Of frame_ between two events.
constexpr std::size_t MaxQuoted = 80;  // Octets of a type that a message repeats.

bool is_white_space(char octet) noexcept {
  return octet == ' ' || octet == '\n' || octet == '\r' || octet == '\t';
}

// Goes through the members of a JSON object, whose extent is known, without unescaping anything.
class Members {
 public:
  // `extent` is that of `object`.
  Members(std::string_view object, const JsonExtent& extent) noexcept
      : rest_(object),
        child_(extent.child_count() == 1
                   ? object.substr(extent.child_begin(), extent.child_end() - extent.child_begin())
                   : std::string_view()) {}

  // The key without its quotes, and the value as it stands there.
  std::string_view key;
  std::string_view value;

  // Takes the next member.  Returns false behind the last one, and where the text is not JSON.
  bool next() noexcept {
    if (!take(is_first_ ? '{' : ',')) {
      is_valid_ = !is_first_ && take('}') && rest_.empty();
      return false;
    }
    if (is_first_ && take('}')) {
      is_valid_ = rest_.empty();
      return false;
    }
    is_first_ = false;
    key = take_string();
    if (key.empty() || !take(':')) {
      return false;
    }
    key = key.substr(1, key.size() - 2);
    value = take_value();
    return !value.empty();
  }

  // After next() has returned false: it was the end.
  bool is_valid() const noexcept { return is_valid_; }

 private:
  void skip_white_space() noexcept {
    rest_.remove_prefix(static_cast<std::size_t>(
        std::find_if_not(rest_.begin(), rest_.end(), is_white_space) - rest_.begin()));
  }

  bool take(char octet) noexcept {
    skip_white_space();
    if (!rest_.starts_with(octet)) {
      return false;
    }
    rest_.remove_prefix(1);
    skip_white_space();
    return true;
  }

  std::string_view take_octets(std::size_t size) noexcept {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  // With its quotes; empty when there is none.
  std::string_view take_string() noexcept {
    for (std::size_t at = 1; rest_.starts_with('"') && at < rest_.size(); ++at) {
      if (rest_[at] == '"') {
        return take_octets(at + 1);
      }
      at += rest_[at] == '\\' ? 1 : 0;
    }
    return {};
  }

  std::string_view take_value() noexcept {
    if (rest_.starts_with('"')) {
      return take_string();
    }
    if (!child_.empty() && rest_.data() == child_.data()) {
      return take_octets(child_.size());  // Nearly always: an event has one object.
    }
    if (rest_.starts_with('{') || rest_.starts_with('[')) {
      JsonExtent extent;
      const std::size_t size = extent.scan(rest_);
      return extent.is_complete() ? take_octets(size) : std::string_view();
    }
    return take_octets(std::min(rest_.find_first_of(",} \t\r\n"), rest_.size()));
  }

  std::string_view rest_;
  std::string_view child_;  // The only object or array, empty when there are several.
  bool is_first_ = true;
  bool is_valid_ = false;
};

}  // namespace

std::string_view to_text(WatchEventType type) noexcept {
  return Types[static_cast<std::size_t>(type)].first;
}

WatchReader::WatchReader(EventSink on_event) : on_event_(std::move(on_event)) {}

void WatchReader::fail(ErrorKind kind, std::string_view message) {
  error_ = Error{kind, "octet " + std::to_string(octets_) + ": "};
  error_->message += message;
}

Result<void> WatchReader::feed(std::string_view piece) {
  while (!piece.empty() && !error_) {
    if (!in_frame_ && is_white_space(piece.front())) {
      piece.remove_prefix(1);
      ++octets_;
    } else if (!in_frame_ && piece.front() != '{') {
      fail(ErrorKind::InvalidInput, "expected an event, a JSON object");
    } else {
      read_frame(piece);
    }
  }
  return error_ ? Result<void>(std::unexpected(*error_)) : Result<void>();
}

void WatchReader::read_frame(std::string_view& piece) {
  if (!in_frame_) {
    in_frame_ = true;
    extent_.begin();
  }
  const std::string_view part = piece.substr(0, extent_.scan(piece));
  if (frame_.size() + part.size() > MaxWatchFrame) {
    fail(ErrorKind::Exhausted,
         "an event is longer than " + std::to_string(MaxWatchFrame) + " octets");
    return;
  }
  piece.remove_prefix(part.size());
  octets_ += part.size();
  if (!extent_.is_complete()) {
    frame_ += part;
    return;
  }
  in_frame_ = false;
  if (frame_.empty()) {
    take_frame(part);
    return;
  }
  frame_ += part;
  take_frame(frame_);
  frame_.clear();
  if (frame_.capacity() > MaxKeptSize) {
    frame_.shrink_to_fit();
  }
}

void WatchReader::take_frame(std::string_view frame) {
  std::string_view type;
  WatchEvent event;
  Members members(frame, extent_);
  while (members.next()) {
    if (members.key == "type") {
      type = members.value;
    } else if (members.key == "object") {
      event.object = members.value;
    }
  }
  if (!members.is_valid()) {
    fail(ErrorKind::InvalidInput, "the event in front of it is not JSON");
    return;
  }
  if (!type.starts_with('"') || !event.object.starts_with('{')) {
    fail(ErrorKind::InvalidInput, "the event in front of it has no type and object; expected both");
    return;
  }
  type = type.substr(1, type.size() - 2);
  const auto known =
      std::find_if(Types.begin(), Types.end(), [&](const auto& t) { return t.first == type; });
  if (known == Types.end()) {
    fail(ErrorKind::Unsupported, "the event in front of it has the unknown type '" +
                                     std::string(type.substr(0, MaxQuoted)) + "'");
    return;
  }
  event.type = known->second;
  ++events_;
  on_event_(event);
}

Result<void> WatchReader::finish() const {
  if (error_) {
    return std::unexpected(*error_);
  }
  if (in_frame_) {
    return failure(ErrorKind::InvalidInput,
                   "octet " + std::to_string(octets_) + ": the body ends inside an event");
  }
  return {};
}

}  // namespace waypost::kube
