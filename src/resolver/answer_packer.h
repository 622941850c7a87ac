// Answers in the form that they are kept in: the octets of a message behind its question.
//
// Names are compressed as in a message that has just the question before the records (RFC 1035,
// 4.1.4): against the question's name, so that an answer is in the case of whoever asks, and
// against each other, whatever their case.  Where the records are then written elsewhere, or behind
// others, every pointer moves by a number that is known beforehand.  TTLs are left open.
//
// Not here: which records (resolver/answer_content.h), for how long (resolver/answer_cache.h).

#pragma once

#include "base/bytes.h"
#include "dns/lookup.h"
#include "dns/message_writer.h"
#include "resolver/answer_content.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace waypost::resolver {

// Records that are written as a whole or not at all.
struct PackedGroup {
  std::uint16_t end = 0;     // In the octets; it begins where the one before ends.
  std::uint16_t count = 0;   // Of its records.
  std::uint16_t stride = 0;  // Of addresses, which may stand in any order; 0: of others.
  dns::Section section = dns::Section::Answer;
};

// Views.  Positions are in `octets`, ascending.
struct PackedRecords {
  Bytes octets;
  std::span<const PackedGroup> groups;
  std::span<const std::uint16_t> pointers;  // Compression pointers.
  std::span<const std::uint16_t> ttls;
  std::uint16_t origin = 0;  // Where in a message `octets` begins if all pointers are as they are.
};

// Writes groups in their order, as far as they fit.  False when that is not all of them: the
// message is truncated then.  `owner` is where the question's name stands, uncompressed; every TTL
// is `ttl`; addresses come in an order of chance.
bool write_records(const PackedRecords& records, std::uint16_t owner, std::uint32_t ttl,
                   dns::Rotation& rotation, dns::MessageWriter& out) noexcept;

// Keeps what it allocates for the next answer.  One thread.
class AnswerPacker {
 public:
  // Nothing when names that are written out make it larger than a message.  What is returned is
  // good until the next call.
  const PackedRecords* pack(const dns::NameKey& name, Bytes packet, const AnswerContent& content);

 private:
  // Where a name stands that later ones may point to, and how long it is uncompressed.
  struct Target {
    std::uint16_t at;
    std::uint16_t size;
  };
  static constexpr std::size_t MaxTargets = 48;
  // Pointers move on when records of ours stand before these: ten CNAMEs at most, which take less
  // than what is left up to dns::MaxPointer.
  static constexpr std::size_t MaxTargetOffset = 0x2000;

  bool add(Bytes packet, const dns::ResponseRecord& record);
  void add_rdata(Bytes packet, const dns::ResponseRecord& record);
  void add_name(Bytes wire);
  std::uint16_t find_target(Bytes suffix) const noexcept;
  std::uint16_t find_written(Bytes suffix) const noexcept;
  bool is_at(Bytes name, std::size_t offset) const noexcept;
  std::uint16_t stride_of(const AnswerContent& content, std::size_t first, std::size_t end,
                          std::size_t begin) const noexcept;

  const dns::NameKey* name_ = nullptr;
  std::uint16_t origin_ = 0;
  std::vector<std::uint8_t> octets_;
  std::vector<PackedGroup> groups_;
  std::vector<std::uint16_t> pointers_;
  std::vector<std::uint16_t> ttls_;
  std::array<Target, MaxTargets> targets_;
  std::size_t target_count_ = 0;
  PackedRecords packed_;
};

}  // namespace waypost::resolver
