#include "resolver/answer_content.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace waypost::resolver {
namespace {

using dns::RecordClass;
using dns::RecordType;
using dns::ResponseRecord;

constexpr RecordType NSEC3{50};
constexpr std::size_t SignatureHead = 18;  // RFC 4034, 3.1: what stands before the signer's name.
constexpr std::size_t MaxZones = 8;        // Of one answer.

bool is_type_wanted(RecordType type, RecordType asked) noexcept {
  return type == asked || asked == RecordType::ANY;
}

void lower(MutableBytes octets) noexcept {
  for (std::uint8_t& octet : octets) {
    octet = ascii_lower(octet);
  }
}

// A name of a packet: uncompressed, in lower case.
class LowerName {
 public:
  LowerName(Bytes packet, std::size_t at)
      : size_(dns::expand_name(packet, at, std::span(octets_))) {
    lower(std::span(octets_).first(size_));
  }
  Bytes wire() const noexcept { return Bytes(octets_).first(size_); }

 private:
  std::array<std::uint8_t, dns::MaxNameSize> octets_;
  std::size_t size_;
};

// Whether the name at `at` is `name`, which is in lower case.
bool is_name_at(Bytes packet, std::size_t at, Bytes name) noexcept {
  std::size_t matched = 0;
  for (;;) {
    const std::uint8_t length = packet[at];
    if (length > dns::MaxLabelSize) {
      at = load_u16(packet.data() + at) & 0x3fffU;
      continue;
    }
    if (matched == name.size() || name[matched] != length) {
      return false;
    }
    if (length == 0) {
      return matched + 1 == name.size();
    }
    for (std::size_t i = 1; i <= length; ++i) {
      if (ascii_lower(packet[at + i]) != name[matched + i]) {
        return false;
      }
    }
    at += 1U + length;
    matched += 1U + length;
  }
}

// The type that a signature covers, and whose it is; the name is never compressed (RFC 4034,
// 3.1.7).  Empty when the rdata is none.
struct Signature {
  RecordType covered{};
  std::vector<std::uint8_t> signer;
};

Signature read_signature(Bytes packet, const ResponseRecord& record) {
  Signature signature;
  const Bytes rdata = packet.subspan(record.rdata_at, record.rdata_size);
  if (rdata.size() <= SignatureHead) {
    return signature;
  }
  const Bytes name = rdata.subspan(SignatureHead);
  std::size_t size = 0;
  while (size < name.size() && name[size] != 0 && name[size] <= dns::MaxLabelSize) {
    size += 1U + name[size];
  }
  if (size >= name.size() || name[size] != 0 || size >= dns::MaxNameSize) {
    return signature;
  }
  signature.covered = static_cast<RecordType>(load_u16(rdata.data()));
  signature.signer.assign(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(size + 1));
  lower(signature.signer);
  return signature;
}

}  // namespace

const AnswerContent& ContentReader::read(const Question& question, Bytes packet,
                                         const dns::Response& response) {
  packet_ = packet;
  response_ = &response;
  wants_proof_ = question.dnssec_ok;
  zones_.clear();
  content_.records.clear();
  content_.groups.clear();
  content_.is_direct = true;
  content_.kind = AnswerContent::Kind::NoData;
  content_.ttl = UINT32_MAX;

  const bool has_name = response.rcode == dns::Rcode::NoError;
  dns::NameKey name = question.name;
  bool has_data = has_name && read_name(question, name);
  std::array<std::uint64_t, AnswerContent::MaxHops> seen;
  std::size_t hops = 0;
  bool is_endless = false;
  while (!has_data && !is_endless) {
    seen[hops++] = name.hash;
    if (!follow(question, name)) {
      break;
    }
    content_.is_direct = false;
    is_endless = hops == seen.size() ||
                 std::find(seen.begin(), seen.begin() + hops, name.hash) != seen.begin() + hops;
    has_data = has_name && !is_endless && read_name(question, name);
  }
  if (has_data) {
    content_.kind = AnswerContent::Kind::Data;
  } else {
    content_.kind = has_name ? AnswerContent::Kind::NoData : AnswerContent::Kind::NoName;
    read_denial(name);
  }
  if (wants_proof_) {
    read_proof();
  }
  close_group(dns::Section::Authority);
  if (is_endless) {
    content_.ttl = 0;
  }
  return content_;
}

// The data at `name` that was asked for; false when there is none.
bool ContentReader::read_name(const Question& question, const dns::NameKey& name) {
  const std::size_t before = content_.records.size();
  for (const ResponseRecord& record : response_->answer()) {
    if (record.record_class == RecordClass::IN && is_type_wanted(record.type, question.type) &&
        is_name_at(packet_, record.owner, name.wire())) {
      take(record);
    }
  }
  if (content_.records.size() == before) {
    return false;
  }
  if (question.type != RecordType::ANY && question.type != RecordType::RRSIG) {
    take_signatures(name.wire(), question.type);
  }
  close_group(dns::Section::Answer);
  return true;
}

// Takes the CNAME at `name`, and makes its target the name.
bool ContentReader::follow(const Question& question, dns::NameKey& name) {
  const auto answer = response_->answer();
  const auto alias = std::ranges::find_if(answer, [&](const ResponseRecord& record) {
    return record.record_class == RecordClass::IN && record.type == RecordType::CNAME &&
           is_name_at(packet_, record.owner, name.wire());
  });
  if (alias == answer.end() || question.type == RecordType::CNAME) {
    return false;
  }
  for (const ResponseRecord& record : answer) {
    if (record.record_class != RecordClass::IN || record.type != RecordType::DNAME) {
      continue;
    }
    const LowerName owner(packet_, record.owner);
    if (owner.wire().size() < name.size && is_within(name.wire(), owner.wire())) {
      take(record);
      take_signatures(owner.wire(), RecordType::DNAME);
      close_group(dns::Section::Answer);
      break;
    }
  }
  take(*alias);
  take_signatures(name.wire(), RecordType::CNAME);
  close_group(dns::Section::Answer);
  name.assign(LowerName(packet_, alias->names_at).wire());
  return true;
}

// Without the SOA of a zone that holds the name nobody has denied it.  Also a chain that leads to
// nothing in the response says of its last name that there is nothing (RFC 2308, 1 and 2.2), and
// negative answers without a SOA are not to be kept (RFC 2308, 5).  Its CNAMEs could be kept
// without the end (RFC 1034, 5.3.3), which spares nobody a question: whoever asks next has to be
// told the end, too, and one question brings both.  Differs from CoreDNS, which keeps such an
// answer for as long as its CNAMEs, because the end may be another one long before.
void ContentReader::read_denial(const dns::NameKey& name) {
  for (const ResponseRecord& record : response_->authority()) {
    if (record.record_class != RecordClass::IN || record.type != RecordType::SOA) {
      continue;
    }
    const LowerName apex(packet_, record.owner);
    if (!is_within(name.wire(), apex.wire())) {
      continue;
    }
    take(record);
    const std::uint32_t minimum =
        load_u32(packet_.data() + record.rdata_at + record.rdata_size - 4);
    content_.ttl = std::min(content_.ttl, minimum);
    zones_.emplace_back(apex.wire().begin(), apex.wire().end());
    return;
  }
  content_.ttl = 0;
}

// NSEC and NSEC3 prove denials and wildcards (RFC 4035, 3.1.3); whoever wants them checks them.
void ContentReader::read_proof() {
  for (const ResponseRecord& record : response_->authority()) {
    if (record.record_class != RecordClass::IN) {
      continue;
    }
    const bool is_signature = record.type == RecordType::RRSIG;
    const RecordType about = is_signature ? read_signature(packet_, record).covered : record.type;
    const bool is_proof =
        about == RecordType::NSEC || about == NSEC3 || (is_signature && about == RecordType::SOA);
    if (is_proof && is_signing_zone(LowerName(packet_, record.owner).wire())) {
      take(record);
    }
  }
}

bool ContentReader::is_signing_zone(Bytes owner) const {
  return std::ranges::any_of(zones_, [&](const auto& zone) { return is_within(owner, zone); });
}

void ContentReader::take(const ResponseRecord& record) {
  content_.records.push_back(record);
  content_.ttl = std::min(content_.ttl, record.ttl);
}

void ContentReader::take_signatures(Bytes name, RecordType covered) {
  if (!wants_proof_) {
    return;
  }
  for (const ResponseRecord& record : response_->answer()) {
    if (record.record_class != RecordClass::IN || record.type != RecordType::RRSIG ||
        !is_name_at(packet_, record.owner, name)) {
      continue;
    }
    Signature signature = read_signature(packet_, record);
    // A zone signs its own names.
    if (signature.covered != covered || signature.signer.empty() ||
        !is_within(name, signature.signer)) {
      continue;
    }
    take(record);
    if (zones_.size() < MaxZones) {
      zones_.push_back(std::move(signature.signer));
    }
  }
}

void ContentReader::close_group(dns::Section section) {
  const std::size_t begin = content_.groups.empty() ? 0 : content_.groups.back().end;
  if (content_.records.size() != begin) {
    content_.groups.push_back({section, content_.records.size()});
  }
}

}  // namespace waypost::resolver
