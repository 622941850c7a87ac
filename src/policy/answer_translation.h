// An answer about the name that was looked up, told as an answer about the name that was asked for.

#pragma once

#include "base/bytes.h"
#include "dns/message_writer.h"
#include "dns/query.h"
#include "dns/response.h"
#include "policy/rewrite.h"

#include <array>
#include <cstdint>

namespace waypost::policy {

// What one thread translates with, about 210 KiB.
class AnswerRoom {
 public:
  // Where the answer about the name that is looked up is written.
  MutableBytes message() noexcept { return message_; }
  // The question section of a query for `name`; valid until the next one.
  Bytes set_question(const dns::NameKey& name, dns::RecordType type) noexcept;

 private:
  friend class AnswerTranslation;

  std::array<std::uint8_t, dns::MaxNameSize + 4> question_;
  std::array<std::uint8_t, dns::MaxMessageSize> message_;
  std::array<std::uint8_t, dns::MaxMessageSize> rdata_;
  dns::Response response_;
};

class AnswerTranslation {
 public:
  // All are borrowed.  `rewriting` holds what `asked` was rewritten to.
  AnswerTranslation(const dns::Query& asked, RewriteRoom& rewriting, AnswerRoom& room) noexcept
      : asked_(asked), rewriting_(rewriting), room_(room) {}

  // Writes the answer in the first `size` octets of room.message() to `out`, which begins with
  // the question of `asked`: flags, rcode and all records but OPT.  Sets TC where records of the
  // answer do not fit.  False when the message cannot be read; nothing was written then.
  bool write(std::size_t size, dns::MessageWriter& out) noexcept;

 private:
  bool write(const dns::ResponseRecord& record, dns::Section section,
             dns::MessageWriter& out) noexcept;
  // The rdata with its names restored; false when it is too long for any message.
  bool restore_rdata(const dns::ResponseRecord& record, std::size_t& size) noexcept;
  // A name at `at` of the message, restored, in name_.  Returns its size.
  std::size_t restore(std::size_t at, Rewriter::Place place) noexcept;
  // The name that was looked up, or one below it, with what was asked for instead, in name_; 0 for
  // others, and where that is too long.
  std::size_t restore_looked_up(Bytes found) noexcept;
  bool is_looked_up(Bytes name) const noexcept;

  const dns::Query& asked_;
  RewriteRoom& rewriting_;
  AnswerRoom& room_;
  Bytes message_;
  std::array<std::uint8_t, dns::MaxNameSize> name_;
};

}  // namespace waypost::policy
