// A question as it goes out on one try, and whether a message that comes back answers it.
//
// What is checked here is what a spoofer has to guess or a confused server gets wrong: id,
// question, case (RFC 5452, 9.1).  Source address and port are the kernel's matter: sockets are
// connected.
//
// Not here: the records of the answer (dns/response.h).

#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "dns/types.h"
#include "resolver/question.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace waypost::resolver {

// What an upstream is ready to receive, whatever the client sent: no fragments on any usual path
// (DNS flag day 2020).
inline constexpr std::uint16_t UpstreamUdpSize = 1232;

// How the question is written.
struct QuestionForm {
  bool random_case = false;
  bool edns = true;
  bool padded = false;  // To a multiple of 128 octets (RFC 8467, 4.1); needs `edns`.
};

// What a message is to a question that was sent.
enum class AnswerMatch : std::uint8_t {
  Answer,
  // An error with an empty question section, as some servers send when they do not understand:
  // FORMERR, SERVFAIL, NOTIMP, REFUSED.
  BareError,
  WrongId,        // Or no message at all.
  NotAResponse,   // QR is 0, or another opcode.
  WrongQuestion,  // Another name, type or class.
  WrongCase,      // The right question, but not in the case that was sent.
};

// A plain value of about 450 octets.
class OutgoingQuestion {
 public:
  // A standard query with RD, and CD and DO as asked.
  void write(const Question& question, const QuestionForm& form, Random& random) noexcept;

  // Random for each try over UDP; unique on its connection over TCP and TLS.
  void set_id(std::uint16_t id) noexcept;

  Bytes octets() const noexcept { return {octets_.data(), size_}; }
  bool has_edns() const noexcept { return has_edns_; }

  AnswerMatch match(Bytes message) const noexcept;

 private:
  // Header, question, OPT, padding to 128 with its own head.
  std::array<std::uint8_t, dns::HeaderSize + dns::MaxNameSize + 4 + 11 + 4 + 127> octets_{};
  std::size_t size_ = 0;
  std::size_t name_size_ = 0;
  bool has_edns_ = false;
};

}  // namespace waypost::resolver
