#include "policy/answer_template.h"

#include "base/ip_address.h"
#include "dns/ldns_bridge.h"
#include "policy/words.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <span>
#include <utility>

namespace waypost::policy {
namespace {

using dns::Outcome;
using dns::Rcode;
using dns::RecordType;
using dns::Section;
using Variable = TemplateText::Variable;

//------------------------------------------------------------------ reading

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

Result<TemplateText::Part> read_variable(
    std::string_view words, const std::vector<std::shared_ptr<const Pattern>>& patterns) {
  TemplateText::Part part;
  for (const auto& [word, variable] : {std::pair{".Name", Variable::Name},
                                       {".Zone", Variable::Zone},
                                       {".Type", Variable::Type},
                                       {".Class", Variable::Class}}) {
    if (words == word) {
      part.variable = variable;
      return part;
    }
  }
  constexpr std::string_view Index = "index .Match ";
  constexpr std::string_view Group = ".Group.";
  std::optional<std::size_t> group;
  for (const auto& pattern : patterns) {
    std::optional<std::size_t> found;
    if (words.starts_with(Index)) {
      found = number_of(trimmed(words.substr(Index.size())));
      found = found && *found > pattern->group_count() ? std::nullopt : found;
    } else if (words.starts_with(Group)) {
      found = pattern->group(words.substr(Group.size()));
    }
    if (!found || (group && *group != *found)) {
      group = std::nullopt;
      break;
    }
    group = found;
  }
  if (!group) {
    return failure(ErrorKind::InvalidInput,
                   "{{ " + std::string(words) +
                       " }}, where .Name, .Zone, .Type, .Class, or a group that every match has "
                       "under the same number (index .Match N, .Group.NAME) belongs");
  }
  part.variable = Variable::Match;
  part.group = *group;
  return part;
}

Result<TemplateText> read_text(std::string_view text,
                               const std::vector<std::shared_ptr<const Pattern>>& patterns) {
  TemplateText out;
  while (!text.empty()) {
    const std::size_t open = text.find("{{");
    const std::size_t close = open == std::string_view::npos ? open : text.find("}}", open);
    if (open == std::string_view::npos) {
      out.parts.push_back({.text = std::string(text)});
      break;
    }
    if (close == std::string_view::npos) {
      return failure(ErrorKind::InvalidInput, "'{{' without '}}' behind it");
    }
    auto part = read_variable(trimmed(text.substr(open + 2, close - open - 2)), patterns);
    if (!part) {
      return std::unexpected(part.error());
    }
    part->text = text.substr(0, open);
    out.parts.push_back(std::move(*part));
    text.remove_prefix(close + 2);
  }
  return out;
}

// The fields of a record: blanks in placeholders and in "quotes" do not separate.
struct Field {
  std::string text;
  bool is_quoted = false;
};
std::vector<Field> fields_of(std::string_view text) {
  std::vector<Field> fields;
  std::size_t at = 0;
  while (true) {
    at = text.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) {
      return fields;
    }
    Field& field = fields.emplace_back();
    if (text[at] == '"') {
      field.is_quoted = true;
      const std::size_t end = std::min(text.find('"', at + 1), text.size());
      field.text = text.substr(at + 1, end - at - 1);
      at = std::min(end + 1, text.size());
      continue;
    }
    bool is_open = false;
    for (; at < text.size() && (is_open || (text[at] != ' ' && text[at] != '\t')); ++at) {
      is_open = text.substr(at, 2) == "{{" || (is_open && text.substr(at, 2) != "}}");
      field.text.push_back(text[at]);
    }
  }
}

// What the fields of a type's data are: an address (a), a name (n), a number of two (2) or four
// octets (4).  TXT is any number of texts.  Empty: no placeholders are possible.
std::string_view layout_of(RecordType type) noexcept {
  switch (type) {
    case RecordType::A:
    case RecordType::AAAA:
      return "a";
    case RecordType::CNAME:
    case RecordType::DNAME:
    case RecordType::NS:
    case RecordType::PTR:
      return "n";
    case RecordType::MX:
      return "2n";
    case RecordType::SRV:
      return "222n";
    case RecordType::SOA:
      return "nn44444";
    default:
      return "";
  }
}

// Without the parentheses that a record in one line does not need (RFC 1035, 5.1).
std::string without_parentheses(std::string text) {
  std::erase_if(text, [](char c) { return c == '(' || c == ')'; });
  return text;
}

Result<RecordTemplate> read_record(std::string_view text, Section section,
                                   const std::vector<std::shared_ptr<const Pattern>>& patterns) {
  const std::vector<Field> fields = fields_of(text);
  RecordTemplate record{.section = section};
  std::size_t at = 1;
  // TTL and class come in either order, or not at all.
  for (int i = 0; i < 2 && at < fields.size(); ++i) {
    if (const auto ttl = number_of(fields[at].text)) {
      record.ttl = *ttl;
      ++at;
    } else if (fields[at].text == "IN" || fields[at].text == "{{ .Class }}") {
      ++at;
    }
  }
  const auto type = at < fields.size() ? dns::type_from_text(fields[at].text) : std::nullopt;
  if (!type || at + 1 >= fields.size()) {
    return failure(ErrorKind::InvalidInput, "'" + std::string(text) +
                                                "', where a record such as '{{ .Name }} 60 IN A "
                                                "192.0.2.1' belongs");
  }
  record.type = *type;
  auto owner = read_text(fields[0].text, patterns);
  if (!owner) {
    return std::unexpected(owner.error());
  }
  record.owner = std::move(*owner);
  std::string plain = ". 0 IN " + fields[at].text;
  bool is_fixed = true;
  for (++at; at < fields.size(); ++at) {
    const std::string words = record.type == RecordType::SOA && !fields[at].is_quoted
                                  ? without_parentheses(fields[at].text)
                                  : fields[at].text;
    if (words.empty() && !fields[at].is_quoted) {
      continue;
    }
    auto field = read_text(words, patterns);
    if (!field) {
      return std::unexpected(field.error());
    }
    is_fixed = is_fixed && field->is_fixed();
    record.fields.push_back(std::move(*field));
    plain += fields[at].is_quoted ? " \"" + words + "\"" : " " + words;
  }
  if (is_fixed) {
    auto read = dns::record_from_text(plain);
    if (!read) {
      return std::unexpected(with_context(read.error(), "'" + std::string(text) + "'"));
    }
    record.rdata = std::move(read->rdata);
    record.fields.clear();
  } else if (record.type != RecordType::TXT &&
             (record.fields.size() != layout_of(record.type).size() || record.fields.empty())) {
    return failure(ErrorKind::InvalidInput,
                   "'" + std::string(text) +
                       "', while placeholders are possible in the data of A, AAAA, CNAME, DNAME, "
                       "MX, NS, PTR, SOA, SRV and TXT, with all of its fields");
  }
  return record;
}

std::optional<Rcode> rcode_from_text(std::string_view text) {
  for (const Rcode rcode : {Rcode::NoError, Rcode::NxDomain, Rcode::Refused, Rcode::ServFail,
                            Rcode::FormErr, Rcode::NotImp, Rcode::YxDomain, Rcode::NotAuth}) {
    if (text == dns::to_text(rcode)) {
      return rcode;
    }
  }
  return std::nullopt;
}

bool is_keyword(std::string_view word) {
  constexpr std::array<std::string_view, 8> All = {"zone",  "except", "match",     "only",
                                                   "rcode", "answer", "authority", "additional"};
  return std::find(All.begin(), All.end(), word) != All.end();
}

// A pattern may be any word, so that keywords end its list only where another one begins.
Result<void> read_clause(std::string_view keyword, WordReader& reader, TemplateRule& rule) {
  if (keyword == "only") {
    rule.is_last_word = true;
    return {};
  }
  if (reader.at_end() || is_keyword(reader.peek())) {
    return unlike(reader.peek(), "a value for " + std::string(keyword));
  }
  if (keyword == "rcode") {
    const std::string_view word = reader.next();
    const auto rcode = rcode_from_text(word);
    if (!rcode) {
      return unlike(word, "an rcode such as NXDOMAIN");
    }
    rule.rcode = *rcode;
    return {};
  }
  while (!reader.at_end() && !is_keyword(reader.peek())) {
    const std::string_view word = reader.next();
    if (keyword == "zone" || keyword == "except") {
      if (const auto added = rule.scope.add(keyword, word); !added) {
        return added;
      }
      if (keyword == "zone") {
        rule.zone_texts.push_back(rule.scope.zones.back().to_text());
      }
    } else if (keyword == "match") {
      auto pattern = Pattern::compile(word);
      if (!pattern) {
        return std::unexpected(pattern.error());
      }
      rule.patterns.push_back(std::move(*pattern));
    } else {
      const Section section = keyword == "answer"      ? Section::Answer
                              : keyword == "authority" ? Section::Authority
                                                       : Section::Additional;
      auto record = read_record(word, section, rule.patterns);
      if (!record) {
        return std::unexpected(record.error());
      }
      rule.records.push_back(std::move(*record));
    }
  }
  return {};
}

//------------------------------------------------------------------ writing

class RecordMaker {
 public:
  RecordMaker(const dns::Lookup& lookup, std::string_view zone, TemplateRoom& room) noexcept
      : lookup_(lookup), zone_(zone), room_(room) {}

  enum class Made : std::uint8_t { Written, TooLong, Broken };
  Made write(const RecordTemplate& record, dns::MessageWriter& out, dns::Target& next) noexcept {
    std::array<std::uint8_t, dns::MaxNameSize> owner;
    const std::size_t owner_size = name_from_text(render(record.owner), owner);
    Bytes rdata(record.rdata);
    if (owner_size == 0 || (!record.fields.empty() && !make_rdata(record, rdata))) {
      return Made::Broken;
    }
    dns::NameKey key;
    key.assign(Bytes(owner).first(owner_size));
    const bool is_asked = std::ranges::equal(key.wire(), lookup_.name.wire());
    const dns::NameParts parts =
        is_asked ? lookup_.owner_name() : dns::NameParts::whole(key.wire());
    bool fits = false;
    if (record.type == RecordType::CNAME) {
      fits = out.add_name(record.section, parts, record.type, record.ttl,
                          dns::NameParts::whole(rdata));
      if (record.section == Section::Answer) {
        next.name.assign(rdata);
        next.owner = out.last_target();
      }
    } else {
      fits = out.add_record(record.section, parts, record.type, dns::RecordClass::IN, record.ttl,
                            rdata);
    }
    return fits ? Made::Written : Made::TooLong;
  }

 private:
  std::string_view render(const TemplateText& text) noexcept {
    room_.field.clear();
    for (const TemplateText::Part& part : text.parts) {
      room_.field.add(part.text);
      switch (part.variable) {
        case Variable::None:
          break;
        case Variable::Name:
          room_.field.add(room_.name.text());
          break;
        case Variable::Zone:
          room_.field.add(zone_);
          break;
        case Variable::Type:
          add_type();
          break;
        case Variable::Class:
          room_.field.add("IN");
          break;
        case Variable::Match:
          room_.field.add(room_.pattern.group(room_.name.text(), part.group));
          break;
      }
    }
    return room_.field.is_good() ? room_.field.text() : std::string_view();
  }

  // As dns::to_text(), without its allocation.
  void add_type() noexcept {
    if (const std::string_view text = dns::mnemonic(lookup_.type); !text.empty()) {
      return room_.field.add(text);
    }
    std::array<char, 8> digits{};
    const auto end =
        std::to_chars(digits.begin(), digits.end(), std::to_underlying(lookup_.type)).ptr;
    room_.field.add("TYPE");
    room_.field.add({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }

  bool make_rdata(const RecordTemplate& record, Bytes& rdata) noexcept {
    std::size_t size = 0;
    const auto add = [&](Bytes octets) {
      if (octets.size() > room_.rdata.size() - size) {
        return false;
      }
      std::ranges::copy(octets, room_.rdata.begin() + static_cast<std::ptrdiff_t>(size));
      size += octets.size();
      return true;
    };
    const std::string_view layout = layout_of(record.type);
    for (std::size_t i = 0; i < record.fields.size(); ++i) {
      const std::string_view text = render(record.fields[i]);
      bool is_good = false;
      switch (layout.empty() ? 't' : layout[i]) {
        case 't': {
          const auto length = static_cast<std::uint8_t>(std::min<std::size_t>(text.size(), 255));
          is_good = text.size() <= 255 && add(Bytes(&length, 1)) && add(as_bytes(text));
          break;
        }
        case 'a': {
          const auto address = IpAddress::from_text(text);
          is_good = address && address->is_v4() == (record.type == RecordType::A) &&
                    add(address->octets());
          break;
        }
        case 'n': {
          std::array<std::uint8_t, dns::MaxNameSize> name;
          const std::size_t name_size = name_from_text(text, name);
          is_good = name_size != 0 && add(Bytes(name).first(name_size));
          break;
        }
        case '2': {
          const auto number = number_of(text);
          std::array<std::uint8_t, 2> octets{};
          store_u16(octets.data(), static_cast<std::uint16_t>(number.value_or(0)));
          is_good = number && *number <= 65535 && add(octets);
          break;
        }
        default: {
          const auto number = number_of(text);
          std::array<std::uint8_t, 4> octets{};
          store_u32(octets.data(), number.value_or(0));
          is_good = number && add(octets);
          break;
        }
      }
      if (!is_good) {
        return false;
      }
    }
    rdata = Bytes(room_.rdata).first(size);
    return true;
  }

  const dns::Lookup& lookup_;
  const std::string_view zone_;
  TemplateRoom& room_;
};

enum class Fit : std::uint8_t { Fits, Misses, GaveUp };

Fit fit(const TemplateRule& rule, TemplateRoom& room) noexcept {
  for (const auto& pattern : rule.patterns) {
    switch (pattern->match(room.name.text(), room.pattern)) {
      case Pattern::Outcome::Match:
        return Fit::Fits;
      case Pattern::Outcome::GaveUp:
        return Fit::GaveUp;
      case Pattern::Outcome::NoMatch:
        break;
    }
  }
  return rule.patterns.empty() ? Fit::Fits : Fit::Misses;
}

// The rule that has the last word about a name, with the longest of its zones that the name is in.
struct Choice {
  const TemplateRule* rule = nullptr;
  Fit fit = Fit::Misses;
  std::string_view zone = ".";
  std::size_t zone_labels = 0;
};

// Leaves the name in `room`, and the groups of the pattern that matched.
Choice choose(const std::vector<TemplateRule>& rules, const dns::NameKey& name, RecordType type,
              TemplateRoom& room) noexcept {
  room.name.clear();
  room.name.add_name(name.wire());
  for (const TemplateRule& rule : rules) {
    if (rule.type && *rule.type != type) {
      continue;
    }
    const auto within = rule.scope.find(name);
    if (!within) {
      continue;
    }
    Choice choice{.rule = &rule, .zone_labels = within->labels};
    if (within->zone != nullptr) {
      choice.zone =
          rule.zone_texts[static_cast<std::size_t>(within->zone - rule.scope.zones.data())];
    }
    choice.fit = fit(rule, room);
    if (choice.fit != Fit::Misses || rule.is_last_word) {
      return choice;
    }
  }
  return {};
}

void write_all(const TemplateRule& rule, RecordMaker maker, const dns::Lookup& lookup,
               dns::MessageWriter& out, dns::Target& next, TemplateAnswer& answer) noexcept {
  const dns::MessageWriter::Mark start = out.mark();
  const RecordTemplate* last_answer = nullptr;
  for (const RecordTemplate& record : rule.records) {
    switch (maker.write(record, out, next)) {
      case RecordMaker::Made::Broken:
        out.rollback(start);
        answer.outcome = Outcome::Failed;
        return;
      case RecordMaker::Made::TooLong:
        answer.outcome = Outcome::Truncated;
        return;
      case RecordMaker::Made::Written:
        last_answer = record.section == Section::Answer ? &record : last_answer;
        break;
    }
  }
  const bool follows = last_answer != nullptr && last_answer->type == RecordType::CNAME &&
                       lookup.type != RecordType::CNAME && lookup.type != RecordType::ANY;
  if (follows && rule.rcode == Rcode::NoError) {
    answer.outcome = Outcome::Follow;
  } else if (rule.records.empty() && rule.rcode == Rcode::NoError) {
    answer.outcome = Outcome::NoData;
  } else if (rule.records.empty() && rule.rcode == Rcode::NxDomain) {
    answer.outcome = Outcome::NoName;
  }
}

}  // namespace

bool TemplateText::is_fixed() const noexcept {
  return std::all_of(parts.begin(), parts.end(),
                     [](const Part& part) { return part.variable == Variable::None; });
}

Result<TemplateRule> TemplateRule::from_text(std::string_view text) {
  const auto words = words_of(text);
  if (!words) {
    return std::unexpected(words.error());
  }
  WordReader reader(*words);
  TemplateRule rule;
  const std::string_view type = reader.next();
  if (type != "*" && type != "ANY") {
    rule.type = dns::type_from_text(type);
    if (!rule.type) {
      return unlike(type, "a type such as AAAA, or *");
    }
  }
  while (!reader.at_end()) {
    const std::string_view keyword = reader.next();
    if (!is_keyword(keyword)) {
      return unlike(keyword, "zone, except, match, only, rcode, answer, authority or additional");
    }
    if (const auto read = read_clause(keyword, reader, rule); !read) {
      return std::unexpected(read.error());
    }
  }
  return rule;
}

bool is_for_template(const std::vector<TemplateRule>& rules, const dns::NameKey& name,
                     RecordType type, TemplateRoom& room) noexcept {
  return choose(rules, name, type, room).rule != nullptr;
}

TemplateAnswer solve_by_template(const std::vector<TemplateRule>& rules, const dns::Lookup& lookup,
                                 TemplateRoom& room, dns::MessageWriter& out,
                                 dns::Target& next) noexcept {
  const Choice chosen = choose(rules, lookup.name, lookup.type, room);
  TemplateAnswer answer{.is_here = chosen.rule != nullptr, .zone_labels = chosen.zone_labels};
  if (!answer.is_here) {
    return answer;
  }
  switch (chosen.fit) {
    case Fit::GaveUp:
      answer.outcome = Outcome::Failed;
      break;
    case Fit::Misses:
      answer.outcome = Outcome::NoName;
      break;
    case Fit::Fits:
      answer.rcode = chosen.rule->rcode;
      write_all(*chosen.rule, RecordMaker(lookup, chosen.zone, room), lookup, out, next, answer);
      break;
  }
  return answer;
}

}  // namespace waypost::policy
