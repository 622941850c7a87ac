// Writes one response into a buffer of fixed size, section by section, and never past its limit.
//
// Sections are written in the order of Section: records stand where they were added (RFC
// 1035, 4.1). Every add_* either writes a whole record and counts it, or returns false and leaves
// the message as it was: truncation is the caller's decision, taken on values.  Owners are
// compressed against names that are already in the message by their offsets; the question's name
// stands at QuestionOffset. No allocation, no exception.
//
// Not here: which records to write (records/, zones/), how large a message may be
// (server/responder.h).

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "dns/query.h"
#include "dns/types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace waypost::dns {

enum class Section : std::uint8_t { Answer, Authority, Additional };

// Offset of the question's name, for use as a compression target.
inline constexpr std::uint16_t QuestionOffset = HeaderSize;
// The largest offset that a compression pointer can hold (RFC 1035, 4.1.4).
inline constexpr std::uint16_t MaxPointer = 0x3fff;

// A name put together from borrowed pieces: `head`, then `tail` (whole labels with length octets
// each, no root), then a pointer to `pointer`, or the root when `pointer` is 0.  A `tail` that
// itself ends in the root's zero octet ends the name; `pointer` is then ignored.
struct NameParts {
  Bytes head;
  Bytes tail;
  std::uint16_t pointer = 0;

  static NameParts at(std::uint16_t offset) noexcept { return {{}, {}, offset}; }
  // `wire` is a whole name, root included.
  static NameParts whole(Bytes wire) noexcept { return {{}, wire, 0}; }
};

// Values of a SOA (RFC 1035, 3.3.13), names apart.
struct SoaTimes {
  std::uint32_t serial = 0;
  std::uint32_t refresh = 7200;
  std::uint32_t retry = 1800;
  std::uint32_t expire = 86400;
  std::uint32_t minimum = 5;  // The negative TTL (RFC 2308, 4).
};

class MessageWriter {
 public:
  // A message of at most `buffer.size()` octets (no less than HeaderSize, no more than
  // MaxMessageSize). `buffer` is borrowed.
  explicit MessageWriter(MutableBytes buffer) noexcept : buffer_(buffer), limit_(buffer.size()) {}

  // Writes the header of a response to `query` (QR, opcode, RD and CD as asked, rcode NoError) and
  // its question.  Only the header when the question is empty or does not fit.
  void start(const Query& query) noexcept;

  // Keeps `size` octets free for finish(); returns false when they are not there.
  bool reserve(std::size_t size) noexcept;

  void set_rcode(Rcode rcode) noexcept { rcode_ = rcode; }
  void set_authoritative(bool on) noexcept { set_flag(2, 0x04, on); }
  void set_truncated(bool on) noexcept { set_flag(2, 0x02, on); }
  void set_recursion_available(bool on) noexcept { set_flag(3, 0x80, on); }
  void set_authentic_data(bool on) noexcept { set_flag(3, 0x20, on); }
  Rcode rcode() const noexcept { return rcode_; }
  bool is_truncated() const noexcept { return (buffer_[2] & 0x02) != 0; }
  // What was written so far without finish()'s part.
  std::size_t size() const noexcept { return size_; }
  std::uint16_t count(Section section) const noexcept {
    return counts_[static_cast<std::size_t>(section)];
  }

  // Any record with rdata as it is (uncompressed).
  bool add_record(Section section, const NameParts& owner, RecordType type,
                  RecordClass record_class, std::uint32_t ttl, Bytes rdata) noexcept;
  // `count` records of one section, `size` octets in all, which the caller writes to where this
  // points; nullptr when they do not fit.
  std::uint8_t* add_records(Section section, std::uint16_t count, std::size_t size) noexcept {
    if (size_ + size > limit_) {
      return nullptr;
    }
    std::uint8_t* const to = buffer_.data() + size_;
    size_ += size;
    counts_[static_cast<std::size_t>(section)] =
        static_cast<std::uint16_t>(counts_[static_cast<std::size_t>(section)] + count);
    return to;
  }
  // A or AAAA, as the 4 or 16 octets of `address` say.
  bool add_address(Section section, const NameParts& owner, std::uint32_t ttl,
                   Bytes address) noexcept;
  // CNAME, NS, PTR, DNAME: rdata is one name.  Compressed only if `target` has a pointer.
  bool add_name(Section section, const NameParts& owner, RecordType type, std::uint32_t ttl,
                const NameParts& target) noexcept;
  // The target of an SRV is never compressed (RFC 2782); `target` has no pointer.
  bool add_srv(Section section, const NameParts& owner, std::uint32_t ttl, std::uint16_t priority,
               std::uint16_t weight, std::uint16_t port, const NameParts& target) noexcept;
  bool add_soa(Section section, const NameParts& owner, std::uint32_t ttl, const NameParts& mname,
               const NameParts& rname, const SoaTimes& times) noexcept;

  // Where the name in the rdata of the last add_name() or add_srv() stands; 0 when it lies behind
  // MaxPointer.  Good as `pointer` of later names.
  std::uint16_t last_target() const noexcept { return last_target_; }

  // A point to return to when a group of records does not fit as a whole.
  struct Mark {
    std::size_t size;
    std::array<std::uint16_t, 3> counts;
  };
  Mark mark() const noexcept { return {size_, counts_}; }
  void rollback(const Mark& mark) noexcept {
    size_ = mark.size;
    counts_ = mark.counts;
    if (last_target_ >= size_) {
      last_target_ = 0;
    }
  }

  // Adds one record whose octets are complete, OPT say, using the reserve.  False if it does not
  // fit.
  bool add_reserved(Bytes record) noexcept;

  // Writes rcode (low four bits) and counts into the header; returns the message's size.
  std::size_t finish() noexcept;

 private:
  void set_flag(std::size_t octet, std::uint8_t bit, bool on) noexcept {
    buffer_[octet] = static_cast<std::uint8_t>(on ? buffer_[octet] | bit : buffer_[octet] & ~bit);
  }
  // Makes room for a record with `rdata_size` octets of rdata, writes what stands before them,
  // counts it, and returns where they go; nullptr when it does not fit, with the message as before.
  std::uint8_t* open_record(Section section, const NameParts& owner, RecordType type,
                            RecordClass record_class, std::uint32_t ttl,
                            std::size_t rdata_size) noexcept;
  void note_target(const std::uint8_t* at) noexcept {
    const auto offset = static_cast<std::size_t>(at - buffer_.data());
    last_target_ = offset <= MaxPointer ? static_cast<std::uint16_t>(offset) : std::uint16_t{0};
  }

  MutableBytes buffer_;
  std::size_t limit_;
  std::size_t size_ = 0;
  std::array<std::uint16_t, 3> counts_{};
  std::uint16_t questions_ = 0;
  std::uint16_t last_target_ = 0;
  Rcode rcode_ = Rcode::NoError;
};

// In the header, because most records of most answers are written here: the owner is a pointer, the
// rdata a few octets.
inline bool MessageWriter::add_address(Section section, const NameParts& owner, std::uint32_t ttl,
                                       Bytes address) noexcept {
  const RecordType type = address.size() == 4 ? RecordType::A : RecordType::AAAA;
  if (!owner.head.empty() || !owner.tail.empty() || owner.pointer == 0) {
    return add_record(section, owner, type, RecordClass::IN, ttl, address);
  }
  const std::size_t record_size = 12 + address.size();
  if (size_ + record_size > limit_) {
    return false;
  }
  std::uint8_t* to = buffer_.data() + size_;
  store_u16(to, static_cast<std::uint16_t>(0xc000 | owner.pointer));
  store_u32(to + 2,
            (static_cast<std::uint32_t>(type) << 16) | static_cast<std::uint32_t>(RecordClass::IN));
  store_u32(to + 6, ttl);
  store_u16(to + 10, static_cast<std::uint16_t>(address.size()));
  std::memcpy(to + 12, address.data(), address.size());
  size_ += record_size;
  ++counts_[static_cast<std::size_t>(section)];
  return true;
}

}  // namespace waypost::dns
