// Answers made of the question: records with parts of the name that was asked for put in.
//
// Placeholders are those of CoreDNS' template: {{ .Name }}, {{ .Zone }}, {{ .Type }}, {{ .Class }},
// {{ index .Match N }} and {{ .Group.NAME }}.  What they become is written without allocation; a
// record that they make none of is a failure of the answer (SERVFAIL).

#pragma once

#include "base/error.h"
#include "dns/lookup.h"
#include "dns/name.h"
#include "dns/types.h"
#include "policy/name_text.h"
#include "policy/pattern.h"
#include "policy/zone_scope.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::policy {

// A text with placeholders.
struct TemplateText {
  enum class Variable : std::uint8_t { None, Name, Zone, Type, Class, Match };
  struct Part {
    std::string text;
    Variable variable = Variable::None;  // Behind the text.
    std::size_t group = 0;               // Of Match.
  };
  std::vector<Part> parts;

  bool is_fixed() const noexcept;
};

struct RecordTemplate {
  dns::Section section = dns::Section::Answer;
  TemplateText owner;
  std::uint32_t ttl = 3600;  // Seconds; CoreDNS' where the record has none.
  dns::RecordType type{};
  std::vector<std::uint8_t> rdata;   // Where nothing in it is a placeholder.
  std::vector<TemplateText> fields;  // Otherwise; of A, AAAA, CNAME, DNAME, MX, NS, PTR, SOA, SRV,
                                     // TXT.
};

struct TemplateRule {
  std::optional<dns::RecordType> type;  // Absent: any.
  ZoneScope scope;
  std::vector<std::string> zone_texts;  // Of the scope's zones.
  // Any of them has to match the name in lower case, with its final dot; none: all names.
  std::vector<std::shared_ptr<const Pattern>> patterns;
  bool is_last_word = false;  // A name that no pattern matches does not exist.
  dns::Rcode rcode = dns::Rcode::NoError;
  std::vector<RecordTemplate> records;

  // Reads "TYPE|* [zone ZONE...] [except ZONE...] [match REGEX...] [only] [rcode RCODE]
  // [answer|authority|additional RECORD]...".
  static Result<TemplateRule> from_text(std::string_view text);
};

// What one thread writes with.
struct TemplateRoom {
  PatternRoom pattern;
  TextBuffer name;
  TextBuffer field;
  std::array<std::uint8_t, TextBuffer::Size> rdata;
};

// Whether a rule has an answer to that question, if only that there is none.
bool is_for_template(const std::vector<TemplateRule>& rules, const dns::NameKey& name,
                     dns::RecordType type, TemplateRoom& room) noexcept;

struct TemplateAnswer {
  bool is_here = false;  // Otherwise others are to be asked.
  // Follow: `next` is where a CNAME leads.  NoData and NoName: nothing was written, not even a SOA.
  dns::Outcome outcome = dns::Outcome::Hit;
  dns::Rcode rcode = dns::Rcode::NoError;
  std::size_t zone_labels = 0;
};

// The answer of the first rule that has one.
TemplateAnswer solve_by_template(const std::vector<TemplateRule>& rules, const dns::Lookup& lookup,
                                 TemplateRoom& room, dns::MessageWriter& out,
                                 dns::Target& next) noexcept;

}  // namespace waypost::policy
