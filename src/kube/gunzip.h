// Unpacks gzip (RFC 1952) as it arrives, one bounded piece after the other: the door to zlib.

#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <cstddef>
#include <memory>

namespace waypost::kube {

// One stream of one or more gzip members.  Holds some 40 KiB.
class Gunzip {
 public:
  Gunzip();
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  struct Step {
    std::size_t consumed = 0;  // Octets of the input.
    std::size_t produced = 0;  // Octets of the output; less than its size when all input is used.
  };

  // Unpacks `input` into `output`, which is not empty.  Fails with InvalidInput for what is not
  // gzip; nothing can be unpacked after that.
  Result<Step> unpack(Bytes input, MutableBytes output);

  // True before the first octet, and after the last octet of a member.
  bool is_between_members() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waypost::kube
