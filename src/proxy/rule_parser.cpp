#include "proxy/rule_parser.h"

#include "proxy/saved_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <memory>

namespace waypost::proxy {
namespace {

std::optional<std::uint32_t> parse_unsigned(std::string_view text) noexcept {
  const bool is_hex = text.starts_with("0x");
  if (is_hex) {
    text.remove_prefix(2);
  }
  std::uint32_t value = 0;
  const auto [end, ec] =
      std::from_chars(text.data(), text.data() + text.size(), value, is_hex ? 16 : 10);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// Words between blanks; quotes keep blanks in, backslashes keep what follows.
Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool is_quoted = false;
  bool has_word = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      has_word = true;
    } else if (c == '"') {
      is_quoted = !is_quoted;
      has_word = true;
    } else if (c == ' ' && !is_quoted) {
      if (has_word) {
        words.push_back(std::exchange(word, {}));
      }
      has_word = false;
    } else {
      word += c;
      has_word = true;
    }
  }
  if (is_quoted) {
    return failure(ErrorKind::InvalidInput, "a quote has no end");
  }
  if (has_word) {
    words.push_back(std::move(word));
  }
  return words;
}

// "80", "80:90", ":90", "80:"
std::optional<PortRange> parse_ports(std::string_view text) noexcept {
  const std::size_t colon = text.find(':');
  const std::string_view low = text.substr(0, colon);
  const std::string_view high = colon == std::string_view::npos ? low : text.substr(colon + 1);
  const auto first = low.empty() ? 0 : parse_unsigned(low);
  const auto last = high.empty() ? 0xffff : parse_unsigned(high);
  if (text.empty() || !first || !last || *first > 0xffff || *last > 0xffff) {
    return std::nullopt;
  }
  return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

// "0x4000/0x4000", "1"
std::optional<MarkMatch> parse_mark(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  const auto value = parse_unsigned(text.substr(0, slash));
  const auto mask = slash == std::string_view::npos ? std::optional<std::uint32_t>(0xffffffff)
                                                    : parse_unsigned(text.substr(slash + 1));
  return value && mask ? std::optional(MarkMatch{*value, *mask}) : std::nullopt;
}

std::set<std::string> split_commas(std::string_view text) {
  std::set<std::string> out;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    out.emplace(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

// "2,6 0 0 65535,6 0 0 0"
std::vector<BpfInstruction> parse_program(std::string_view text) {
  std::vector<BpfInstruction> program;
  std::size_t at = text.find(',');
  while (at != std::string_view::npos) {
    const std::size_t end = text.find(',', at + 1);
    std::string_view rest = text.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    std::array<std::uint32_t, 4> fields{};
    for (std::uint32_t& field : fields) {
      const std::size_t blank = std::min(rest.find(' '), rest.size());
      const auto value = parse_unsigned(rest.substr(0, blank));
      if (!value) {
        return {};
      }
      field = *value;
      rest.remove_prefix(std::min(blank + 1, rest.size()));
    }
    program.push_back({static_cast<std::uint16_t>(fields[0]), static_cast<std::uint8_t>(fields[1]),
                       static_cast<std::uint8_t>(fields[2]), fields[3]});
    at = end;
  }
  return program;
}

// Takes one rule apart, word by word.
class RuleReader {
 public:
  explicit RuleReader(std::vector<std::string> words) : words_(std::move(words)) {}

  Result<ParsedRule> read();

 private:
  // The words behind the one at hand up to the next option.
  std::vector<std::string> values() const;
  bool read_common(const std::string& word);
  bool read_match(const std::string& word);
  void read_target(const std::string& word);
  void keep_unknown(const std::string& word);
  // The value of the option at hand; notes a problem when there is none.
  std::string take(const std::string& option);
  void complain(std::string message) {
    if (problem_.empty()) {
      problem_ = std::move(message);
    }
  }
  template <typename T>
  void put(std::optional<Condition<T>>& to, std::optional<T> value, const std::string& option) {
    if (value) {
      to = Condition<T>{std::move(*value), std::exchange(is_not_, false)};
    } else {
      complain("the value of " + option + " cannot be read");
    }
  }

  std::vector<std::string> words_;
  std::size_t at_ = 0;
  bool is_not_ = false;
  std::string module_;  // Of the last "-m".
  ParsedRule rule_;
  std::string problem_;
};

std::string RuleReader::take(const std::string& option) {
  if (at_ + 1 >= words_.size()) {
    complain(option + " has no value");
    return {};
  }
  return words_[++at_];
}

std::optional<IpPrefix> parse_prefix(std::string_view text) {
  const auto prefix = IpPrefix::from_text(text);
  return prefix ? std::optional(*prefix) : std::nullopt;
}

bool RuleReader::read_common(const std::string& word) {
  if (word == "-s") {
    put(rule_.source, parse_prefix(take(word)), word);
  } else if (word == "-d") {
    put(rule_.destination, parse_prefix(take(word)), word);
  } else if (word == "-i") {
    put(rule_.in_interface, std::optional(take(word)), word);
  } else if (word == "-o") {
    put(rule_.out_interface, std::optional(take(word)), word);
  } else if (word == "-p") {
    put(rule_.protocol, std::optional(take(word)), word);
  } else if (word == "-m") {
    module_ = take(word);
  } else {
    return false;
  }
  return true;
}

bool RuleReader::read_match(const std::string& word) {
  if (word == "--comment") {
    rule_.comment = take(word);
  } else if (word == "--dport") {
    put(rule_.destination_port, parse_ports(take(word)), word);
  } else if (word == "--sport") {
    put(rule_.source_port, parse_ports(take(word)), word);
  } else if (word == "--dst-type") {
    put(rule_.destination_type, std::optional(take(word)), word);
  } else if (word == "--src-type") {
    put(rule_.source_type, std::optional(take(word)), word);
  } else if (word == "--ctstate" || word == "--state") {
    put(rule_.states, std::optional(split_commas(take(word))), word);
  } else if (word == "--mark" && module_ == "mark") {
    put(rule_.mark, parse_mark(take(word)), word);
  } else if (word == "--probability") {
    rule_.probability = std::strtod(take(word).c_str(), nullptr);
  } else if (word == "--mode" && module_ == "statistic") {
    if (const std::string mode = take(word); mode != "random") {
      rule_.unknown.push_back("-m statistic --mode " + mode);
    }
  } else if (word == "--bytecode") {
    rule_.program = parse_program(take(word));
    if (rule_.program.empty()) {
      complain("the value of --bytecode cannot be read");
    }
  } else if (module_ == "recent" && (word == "--rcheck" || word == "--set")) {
    if (word == "--rcheck") {
      rule_.remembered_by = "";
    }
  } else if (module_ == "recent" && word == "--name") {
    const std::string name = take(word);
    if (rule_.remembered_by) {
      rule_.remembered_by = name;
    }
  } else if (module_ == "recent" && (word == "--seconds" || word == "--mask")) {
    take(word);
  } else if (module_ == "recent" && (word == "--reap" || word == "--rsource")) {
    return true;
  } else {
    return false;
  }
  return true;
}

void RuleReader::keep_unknown(const std::string& word) {
  std::string text = (module_.empty() ? "" : "-m " + module_ + " ") + (is_not_ ? "! " : "") + word;
  is_not_ = false;
  while (at_ + 1 < words_.size() && !words_[at_ + 1].starts_with('-') && words_[at_ + 1] != "!") {
    text += " " + words_[++at_];
  }
  rule_.unknown.push_back(std::move(text));
}

void RuleReader::read_target(const std::string& word) {
  static const std::map<std::string, TargetKind> Known = {
      {"RETURN", TargetKind::Return}, {"ACCEPT", TargetKind::Accept},
      {"DROP", TargetKind::Drop},     {"REJECT", TargetKind::Reject},
      {"DNAT", TargetKind::Dnat},     {"MASQUERADE", TargetKind::Masquerade},
      {"MARK", TargetKind::SetMark},
  };
  // Targets in capitals that are no chains: extensions that do not end the way.
  static const std::set<std::string> Passing = {"LOG", "NFLOG",   "CONNMARK", "TCPMSS",
                                                "CT",  "NOTRACK", "TRACE"};
  rule_.chain = take(word);
  const auto known = Known.find(rule_.chain);
  rule_.target = known != Known.end()            ? known->second
                 : Passing.contains(rule_.chain) ? TargetKind::None
                 : word == "-g"                  ? TargetKind::Goto
                                                 : TargetKind::Jump;
  while (++at_ < words_.size()) {
    const std::string option = words_[at_];
    if (option == "--to-destination") {
      const std::string value = take(option);
      auto address = SocketAddress::from_text(value);
      if (!address) {
        const auto alone = IpAddress::from_text(value);
        if (alone) {
          address = SocketAddress{*alone, 0};
        } else {
          complain("the value of --to-destination cannot be read");
          return;
        }
      }
      rule_.new_destination = *address;
    } else if (option == "--set-xmark") {
      const auto mark = parse_mark(take(option));
      if (!mark) {
        complain("the value of --set-xmark cannot be read");
        return;
      }
      rule_.mark_value = mark->value;
      rule_.mark_mask = mark->mask;
    }
  }
}

Result<ParsedRule> RuleReader::read() {
  for (; at_ < words_.size() && problem_.empty(); ++at_) {
    const std::string word = words_[at_];
    if (word == "!") {
      is_not_ = true;
    } else if (word == "-j" || word == "-g") {
      read_target(word);
    } else if (!read_common(word) && !read_match(word)) {
      keep_unknown(word);
    }
  }
  if (!problem_.empty()) {
    return failure(ErrorKind::InvalidInput, problem_);
  }
  return std::move(rule_);
}

}  // namespace

Result<ParsedRule> parse_rule(std::string_view text) {
  auto words = split_words(text);
  if (!words) {
    return std::unexpected(std::move(words.error()));
  }
  return RuleReader(std::move(*words)).read();
}

namespace {

// Puts the lines of iptables-save together.
class SavedRulesReader {
 public:
  Result<SavedRules> read(std::string_view text);

 private:
  void take_line(const SavedLine& line);
  void complain(const SavedLine& line, const std::string& message) {
    if (!problem_) {
      problem_ =
          Error{ErrorKind::InvalidInput, "line " + std::to_string(line.number) + ": " + message};
    }
  }

  SavedRules saved_;
  std::map<std::string, std::unique_ptr<ChainBuilder>, std::less<>> chains_;  // Of this table.
  std::optional<Error> problem_;
};

void SavedRulesReader::take_line(const SavedLine& line) {
  if (problem_) {
    return;
  }
  if (line.kind == SavedLine::Kind::Unknown) {
    complain(line, "'" + std::string(line.text.substr(0, 40)) + "' is not iptables-save output");
    return;
  }
  if (!line.table) {
    return;
  }
  switch (line.kind) {
    case SavedLine::Kind::Chain: {
      std::string name(line.chain);
      if (line.policy == "DROP") {
        saved_.dropping.emplace(*line.table, name);
      }
      if (!chains_.contains(name)) {
        auto builder = std::make_unique<ChainBuilder>(name);
        chains_.emplace(std::move(name), std::move(builder));
      }
      break;
    }
    case SavedLine::Kind::Rule: {
      const auto chain = chains_.find(line.chain);
      if (chain == chains_.end()) {
        complain(line, "the chain '" + std::string(line.chain) + "' is not declared");
      } else if (const auto rule = parse_rule(line.rule); !rule) {
        complain(line, rule.error().message);
      } else {
        chain->second->add(line.rule);
      }
      break;
    }
    case SavedLine::Kind::Commit:
      for (auto& [name, builder] : chains_) {
        saved_.rules.put(*line.table, builder->finish());
      }
      chains_.clear();
      break;
    case SavedLine::Kind::Table:
    case SavedLine::Kind::Unknown:
      break;
  }
}

Result<SavedRules> SavedRulesReader::read(std::string_view text) {
  SavedTextReader lines([this](const SavedLine& line) { take_line(line); });
  lines.take(text);
  Result<void> ended = lines.finish();
  if (problem_) {
    return std::unexpected(std::move(*problem_));
  }
  if (!ended) {
    return std::unexpected(std::move(ended.error()));
  }
  return std::move(saved_);
}

}  // namespace

Result<SavedRules> parse_saved_rules(std::string_view text) {
  return SavedRulesReader().read(text);
}

}  // namespace waypost::proxy
