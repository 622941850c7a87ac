// JSON texts as trees of bounded size: the kube room's door to simdjson.
//
// A text is copied once, for simdjson needs room behind it; texts of scalars are not copied again
// unless they hold escapes.  Buffers are used again, so that reading allocates nothing once it has
// seen objects as large as the next one.  What is left out is stepped over without being looked at
// more closely than to find its end.
//
// Lines are not counted: the API server writes none.
//
// Not here: the tree (kube/tree.h), where an object ends in a stream (kube/json_extent.h).

#pragma once

#include "base/error.h"
#include "kube/tree.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace waypost::kube {

// What one object may measure.  etcd and the API server take less than half of it.
inline constexpr std::size_t MaxJsonSize = std::size_t{4} << 20;

enum class JsonScope : std::uint8_t {
  Everything,
  // An API object without the fields that no decoder reads and that are large: managedFields and
  // most annotations among them (the list stands in json_tree.cpp).
  Object,
  // Of an API object `metadata` alone, in the same way.
  Metadata,
};

// One reader is for one thread at a time.
class JsonTreeReader {
 public:
  JsonTreeReader();
  ~JsonTreeReader();
  JsonTreeReader(JsonTreeReader&&) noexcept;
  JsonTreeReader& operator=(JsonTreeReader&&) noexcept;

  // Replaces `tree` by `text`, which is one JSON object or array (RFC 8259) and nothing else.
  // Takes at most 48 octets of memory for each octet of the largest text so far.
  //
  // Fails with InvalidInput for anything else, and with Exhausted beyond MaxJsonSize and
  // MaxTreeDepth; the tree is then of no use.
  Result<void> read(std::string_view text, JsonScope scope, Tree& tree);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waypost::kube
