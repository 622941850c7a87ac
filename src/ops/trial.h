// Asks the questions of a client without sockets, for people who want to see what is answered.

#pragma once

#include "base/bytes.h"
#include "base/rcu.h"
#include "dns/name.h"
#include "dns/types.h"
#include "server/counters.h"
#include "server/responder.h"

#include <cstdint>
#include <vector>

namespace waypost::ops {

// Control thread, for a moment: while it lives nothing that workers look at is retired.  Its
// questions are not counted with those of clients, rules about who may ask and limits are not for
// them, and nobody else is asked: what nobody here owns is answered from the cache, or refused.
// REQUIRES: the thread is no RCU reader.
class Trial {
 public:
  // `views` is borrowed.
  explicit Trial(const server::Views& views);
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  // The answer to a client on the loopback address; good until the next question.  Over UDP it is
  // as long as policy lets it be with EDNS.
  Bytes ask(const dns::Name& name, dns::RecordType type, server::Transport transport);

  // True when the answer section would hold a record.
  bool is_answered(const dns::Name& name, dns::RecordType type);

 private:
  const rcu::ReaderThread reader_;
  const rcu::ReadSection section_;
  server::Counters counters_;
  server::Responder responder_;
  std::vector<std::uint8_t> reply_;
};

}  // namespace waypost::ops
