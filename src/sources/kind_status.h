// How fresh what is known of one kind of objects is, and what it took to keep it so.

#pragma once

#include "base/timer.h"
#include "kube/objects.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace waypost::sources {

// Plain numbers, read when somebody asks.  Times are absent until the first event of their sort.
struct KindStatus {
  kube::ObjectKind kind = kube::ObjectKind::Service;

  // The world of this kind was complete once since the start; it stays so.
  bool is_listed = false;
  // The server forbids it (403): whoever runs this has to grant a right first.
  bool is_forbidden = false;
  // A stream of changes is open and was heard of within its time.
  bool is_connected = false;

  std::uint64_t resource_version = 0;      // Up to which everything is known.
  std::optional<SteadyTime> last_contact;  // Any proof that the stream lives.
  std::optional<SteadyTime> last_event;    // An object came, changed or went.
  std::optional<SteadyTime> last_bookmark;
  // How much later than a list the stream told of the same change, when it was last compared.
  std::chrono::milliseconds lag{0};

  std::uint64_t events = 0;
  std::uint64_t bookmarks = 0;
  std::uint64_t relists = 0;        // Complete lists, the first one included.
  std::uint64_t watches = 0;        // Streams of changes that were opened.
  std::uint64_t failures = 0;       // Requests that failed or streams that broke.
  std::uint64_t stalls = 0;         // Streams given up because nothing came.
  std::uint64_t expired = 0;        // 410 Gone: the history does not go back far enough.
  std::uint64_t decode_errors = 0;  // Objects that could not be used, every time one came.
  std::uint64_t audits = 0;         // Comparisons with a list that came to a verdict.
  std::uint64_t audit_mismatches = 0;

  std::size_t objects = 0;      // That the server has, as far as told.
  std::size_t quarantined = 0;  // Of these, objects that cannot be used now.
  std::string last_error;       // Why it is not connected; empty while it is.

  // How long ago it was last certain that nothing was missed; nothing before the first list.
  std::optional<std::chrono::milliseconds> age(SteadyTime now) const {
    if (!is_listed || !last_contact) {
      return std::nullopt;
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - *last_contact);
  }
};

// What happens to a source, for people.  Called on the control thread, between changes.
class SourceEvents {
 public:
  virtual ~SourceEvents() = default;
  // An object cannot be used: `message` names it, the field and what was expected.  Told once for
  // each object and message.
  virtual void on_bad_object(const std::string& message) = 0;
  // The stream of this kind broke, and will be tried again; told once for each reason, not for
  // every try.
  virtual void on_lost(const KindStatus& status, const std::string& message) = 0;
  // It works again.
  virtual void on_restored(const KindStatus& status) = 0;
  // The right to read the kind is missing; told once until it is there.  `rule` is what to add to
  // the ClusterRole.
  virtual void on_forbidden(const KindStatus& status, const std::string& message,
                            const std::string& rule) = 0;
  // What the server has differs from what is known here; a list follows.
  virtual void on_mismatch(const KindStatus& status, const std::string& message) = 0;
  // A list is complete and in force.
  virtual void on_listed(const KindStatus& status) = 0;
  // Every kind that may be read was listed: the world is complete.  Told once by a whole source.
  virtual void on_synced() = 0;
};

}  // namespace waypost::sources
