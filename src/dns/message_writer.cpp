#include "dns/message_writer.h"

#include <utility>

namespace waypost::dns {

namespace {

std::uint8_t* append(std::uint8_t* to, Bytes octets) noexcept {
  if (octets.empty()) {
    return to;
  }
  std::memcpy(to, octets.data(), octets.size());
  return to + octets.size();
}

// A zero at the end may be the root or the last octet of a label; only the labels tell.
bool ends_in_root(Bytes labels) noexcept {
  if (labels.empty() || labels.back() != 0) {
    return false;
  }
  std::size_t at = 0;
  while (at < labels.size() && labels[at] != 0) {
    at += 1U + labels[at];
  }
  return at < labels.size();
}

// A name about to be written: how it ends is decided once.
class NameToWrite {
 public:
  explicit NameToWrite(const NameParts& parts) noexcept
      : parts_(parts),
        ending_(ends_in_root(parts.tail) ? 0U
                : parts.pointer != 0     ? 2U
                                         : 1U) {}

  std::size_t size() const noexcept { return parts_.head.size() + parts_.tail.size() + ending_; }

  // Returns what is behind it.
  std::uint8_t* write(std::uint8_t* to) const noexcept {
    to = append(append(to, parts_.head), parts_.tail);
    if (ending_ == 2) {
      store_u16(to, static_cast<std::uint16_t>(0xc000 | parts_.pointer));
    } else if (ending_ == 1) {
      *to = 0;
    }
    return to + ending_;
  }

 private:
  const NameParts& parts_;
  std::size_t ending_;
};

}  // namespace

void MessageWriter::start(const Query& query) noexcept {
  limit_ = buffer_.size();
  size_ = HeaderSize;
  counts_ = {};
  questions_ = 0;
  last_target_ = 0;
  rcode_ = Rcode::NoError;
  std::uint8_t* header = buffer_.data();
  std::memset(header, 0, HeaderSize);
  store_u16(header, query.id);
  header[2] = static_cast<std::uint8_t>(0x80 | ((std::to_underlying(query.opcode) & 0xf) << 3) |
                                        (query.recursion_desired ? 0x01 : 0));
  header[3] = query.checking_disabled ? 0x10 : 0;
  if (!query.question.empty() && size_ + query.question.size() <= limit_) {
    append(header + size_, query.question);
    size_ += query.question.size();
    questions_ = 1;
  }
}

bool MessageWriter::reserve(std::size_t size) noexcept {
  if (size_ + size > limit_) {
    return false;
  }
  limit_ -= size;
  return true;
}

std::uint8_t* MessageWriter::open_record(Section section, const NameParts& owner, RecordType type,
                                         RecordClass record_class, std::uint32_t ttl,
                                         std::size_t rdata_size) noexcept {
  const NameToWrite name(owner);
  const std::size_t record_size = name.size() + 10 + rdata_size;
  if (size_ + record_size > limit_) {
    return nullptr;
  }
  std::uint8_t* fixed = name.write(buffer_.data() + size_);
  store_u16(fixed, std::to_underlying(type));
  store_u16(fixed + 2, std::to_underlying(record_class));
  store_u32(fixed + 4, ttl);
  store_u16(fixed + 8, static_cast<std::uint16_t>(rdata_size));
  size_ += record_size;
  ++counts_[static_cast<std::size_t>(section)];
  return fixed + 10;
}

bool MessageWriter::add_record(Section section, const NameParts& owner, RecordType type,
                               RecordClass record_class, std::uint32_t ttl, Bytes rdata) noexcept {
  std::uint8_t* to = open_record(section, owner, type, record_class, ttl, rdata.size());
  if (to == nullptr) {
    return false;
  }
  append(to, rdata);
  return true;
}

bool MessageWriter::add_name(Section section, const NameParts& owner, RecordType type,
                             std::uint32_t ttl, const NameParts& target) noexcept {
  const NameToWrite name(target);
  std::uint8_t* to = open_record(section, owner, type, RecordClass::IN, ttl, name.size());
  if (to == nullptr) {
    return false;
  }
  name.write(to);
  note_target(to);
  return true;
}

bool MessageWriter::add_srv(Section section, const NameParts& owner, std::uint32_t ttl,
                            std::uint16_t priority, std::uint16_t weight, std::uint16_t port,
                            const NameParts& target) noexcept {
  const NameToWrite name(target);
  std::uint8_t* to =
      open_record(section, owner, RecordType::SRV, RecordClass::IN, ttl, 6 + name.size());
  if (to == nullptr) {
    return false;
  }
  store_u16(to, priority);
  store_u16(to + 2, weight);
  store_u16(to + 4, port);
  name.write(to + 6);
  note_target(to + 6);
  return true;
}

bool MessageWriter::add_soa(Section section, const NameParts& owner, std::uint32_t ttl,
                            const NameParts& mname, const NameParts& rname,
                            const SoaTimes& times) noexcept {
  const NameToWrite primary(mname);
  const NameToWrite mailbox(rname);
  const std::size_t rdata_size = primary.size() + mailbox.size() + 20;
  std::uint8_t* to = open_record(section, owner, RecordType::SOA, RecordClass::IN, ttl, rdata_size);
  if (to == nullptr) {
    return false;
  }
  to = mailbox.write(primary.write(to));
  store_u32(to, times.serial);
  store_u32(to + 4, times.refresh);
  store_u32(to + 8, times.retry);
  store_u32(to + 12, times.expire);
  store_u32(to + 16, times.minimum);
  return true;
}

bool MessageWriter::add_reserved(Bytes record) noexcept {
  if (size_ + record.size() > buffer_.size()) {
    return false;
  }
  append(buffer_.data() + size_, record);
  size_ += record.size();
  ++counts_[static_cast<std::size_t>(Section::Additional)];
  return true;
}

std::size_t MessageWriter::finish() noexcept {
  std::uint8_t* header = buffer_.data();
  header[3] = static_cast<std::uint8_t>((header[3] & 0xf0) | (std::to_underlying(rcode_) & 0x0f));
  store_u16(header + 4, questions_);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    store_u16(header + 6 + 2 * i, counts_[i]);
  }
  return size_;
}

}  // namespace waypost::dns
