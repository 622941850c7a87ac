#include "resolver/outgoing_question.h"

#include <algorithm>
#include <utility>

namespace waypost::resolver {
namespace {

constexpr std::size_t PaddedTo = 128;
constexpr std::uint16_t PaddingOption = 12;  // RFC 7830, 3
constexpr std::size_t OptSize = 11;

bool is_letter(std::uint8_t octet) noexcept {
  return octet >= 'a' && octet <= 'z';
}

// Length octets are below 'a' and stay as they are.
void randomize_case(MutableBytes name, Random& random) noexcept {
  std::uint64_t bits = 0;
  std::size_t left = 0;
  for (std::uint8_t& octet : name) {
    if (is_letter(octet)) {
      if (left == 0) {
        bits = random.next();
        left = 64;
      }
      octet = static_cast<std::uint8_t>(octet ^ ((bits & 1) << 5));
      bits >>= 1;
      --left;
    }
  }
}

bool may_lack_question(dns::Rcode rcode) noexcept {
  switch (rcode) {
    case dns::Rcode::FormErr:
    case dns::Rcode::ServFail:
    case dns::Rcode::NotImp:
    case dns::Rcode::Refused:
      return true;
    default:
      return false;
  }
}

}  // namespace

void OutgoingQuestion::write(const Question& question, const QuestionForm& form,
                             Random& random) noexcept {
  octets_.fill(0);
  std::uint8_t* const header = octets_.data();
  header[2] = 0x01;                                      // RD
  header[3] = question.checking_disabled ? 0x10 : 0x00;  // CD
  store_u16(header + 4, 1);
  store_u16(header + 10, form.edns ? 1 : 0);

  const Bytes name = question.name.wire();
  name_size_ = name.size();
  std::ranges::copy(name, header + dns::HeaderSize);
  if (form.random_case) {
    randomize_case(MutableBytes(header + dns::HeaderSize, name_size_), random);
  }
  std::uint8_t* to = header + dns::HeaderSize + name_size_;
  store_u16(to, std::to_underlying(question.type));
  store_u16(to + 2, std::to_underlying(dns::RecordClass::IN));
  to += 4;

  has_edns_ = form.edns;
  if (form.edns) {  // RFC 6891, 6.1.2: the root, type, size, flags, options.
    store_u16(to + 1, std::to_underlying(dns::RecordType::OPT));
    store_u16(to + 3, UpstreamUdpSize);
    to[7] = question.dnssec_ok ? 0x80 : 0x00;
    to += OptSize;
    if (form.padded) {
      const auto size = static_cast<std::size_t>(to - header) + 4;
      const std::size_t padding = (PaddedTo - size % PaddedTo) % PaddedTo;
      store_u16(to - 2, static_cast<std::uint16_t>(4 + padding));
      store_u16(to, PaddingOption);
      store_u16(to + 2, static_cast<std::uint16_t>(padding));
      to += 4 + padding;
    }
  }
  size_ = static_cast<std::size_t>(to - header);
}

void OutgoingQuestion::set_id(std::uint16_t id) noexcept {
  store_u16(octets_.data(), id);
}

AnswerMatch OutgoingQuestion::match(Bytes message) const noexcept {
  if (message.size() < dns::HeaderSize || load_u16(message.data()) != load_u16(octets_.data())) {
    return AnswerMatch::WrongId;
  }
  // QR and opcode (RFC 1035, 4.1.1).
  if ((message[2] & 0xf8) != 0x80) {
    return AnswerMatch::NotAResponse;
  }
  const std::uint16_t questions = load_u16(message.data() + 4);
  if (questions == 0) {
    return may_lack_question(static_cast<dns::Rcode>(message[3] & 0x0f))
               ? AnswerMatch::BareError
               : AnswerMatch::WrongQuestion;
  }
  // The first name of a message has nothing to point to: it is not compressed.
  const std::size_t size = name_size_ + 4;
  if (questions != 1 || message.size() < dns::HeaderSize + size) {
    return AnswerMatch::WrongQuestion;
  }
  const Bytes sent = octets().subspan(dns::HeaderSize, size);
  const Bytes came = message.subspan(dns::HeaderSize, size);
  if (!std::ranges::equal(sent.last(4), came.last(4)) ||
      !std::ranges::equal(
          sent.first(name_size_), came.first(name_size_),
          [](std::uint8_t a, std::uint8_t b) { return ascii_lower(a) == ascii_lower(b); })) {
    return AnswerMatch::WrongQuestion;
  }
  return std::ranges::equal(sent, came) ? AnswerMatch::Answer : AnswerMatch::WrongCase;
}

}  // namespace waypost::resolver
