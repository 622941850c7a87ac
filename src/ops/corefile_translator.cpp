#include "ops/corefile_translator.h"

#include "base/ip_address.h"
#include "ops/option_table.h"
#include "ops/reverse_zones.h"
#include "ops/text.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <filesystem>
#include <utility>

namespace waypost::ops {

using corefile::Line;
using corefile::Place;
using corefile::Word;

std::vector<Directive> directives() {
  const auto rules = Translator::rules();
  return {rules.begin(), rules.end()};
}

CorefileSettings settings_of(const corefile::Corefile& corefile, std::uint16_t port) {
  return Translator(port).run(corefile);
}

CorefileSettings Translator::run(corefile::Corefile corefile) {
  if (corefile.blocks.empty()) {
    out_.problems.push_back(
        {ErrorKind::InvalidInput, "found no server block, expected one such as '.:53 { ... }'"});
    return std::move(out_);
  }
  for (corefile::ServerBlock& block : corefile.blocks) {
    for (Word& key : block.keys) {
      fill_in(key);
    }
    for (Line& line : block.lines) {
      fill_in(line);
    }
  }
  if (!out_.problems.empty()) {
    return std::move(out_);  // What lacks a value would be found wrong again.
  }
  blocks_.reserve(corefile.blocks.size());
  for (const corefile::ServerBlock& block : corefile.blocks) {
    block_ = &blocks_.emplace_back();
    read_keys(block);
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    block_ = &blocks_[i];
    for (const Line& line : corefile.blocks[i].lines) {
      read_line(line);
    }
  }
  combine_listeners();
  combine_cluster();
  combine_forwards();
  combine_logs();
  combine_hosts();
  combine_cache();
  // CoreDNS has no zones of its own.
  if (!given_.contains("builtInZones")) {
    Setting setting{.key = "builtInZones", .where = blocks_.front().place.to_text()};
    setting.values.push_back({"false", "", false});
    given_.emplace("builtInZones", Given{std::move(setting), blocks_.front().place});
  }
  for (const Option& option : options()) {
    if (const auto found = given_.find(option.key); found != given_.end()) {
      out_.settings.push_back(std::move(found->second.setting));
    }
  }
  return std::move(out_);
}

//------------------------------------------------------------------ telling

void Translator::complain(const Place& place, std::string what) {
  out_.problems.push_back(
      with_context({ErrorKind::InvalidInput, std::move(what)}, place.to_text()));
}

void Translator::note(const Place& place, std::string text, bool is_differing) {
  out_.notes.push_back({place.to_text() + ": " + std::move(text), is_differing});
}

std::string Translator::name_of(const Line& line) const {
  return parent_ == nullptr || parent_ == &line ? line.name() : parent_->name() + " " + line.name();
}

void Translator::set(std::string_view key, std::string text, const Line& line) {
  set(key, std::move(text), line.place(), name_of(line));
}

void Translator::set(std::string_view key, std::string text, const Place& place,
                     std::string_view name) {
  assert(find_option(key) != nullptr);
  const auto found = given_.find(key);
  if (found != given_.end()) {
    const std::string& before = found->second.setting.values.front().text;
    if (before != text) {
      complain(place, std::string(name) + ": found a value that means '" + text + "', while " +
                          found->second.place.to_text() + " means '" + before +
                          "', expected the same, for " + std::string(key) +
                          " is one for all names here");
    }
    return;
  }
  Setting setting{.key = std::string(key), .where = place.to_text() + ": " + std::string(name)};
  setting.folder = std::filesystem::current_path();
  setting.values.push_back({std::move(text), "", false});
  given_.emplace(key, Given{std::move(setting), place});
}

void Translator::set_empty(std::string_view key, const Place& place, std::string_view name) {
  Setting setting{.key = std::string(key),
                  .where = place.to_text() + ": " + std::string(name),
                  .shape = Setting::Shape::List};
  setting.folder = std::filesystem::current_path();
  given_.emplace(key, Given{std::move(setting), place});
}

void Translator::add(std::string_view key, const std::string& text, const Place& place,
                     std::string_view name) {
  set_empty(key, place, name);
  auto& values = given_.find(key)->second.setting.values;
  const bool is_new = std::none_of(values.begin(), values.end(),
                                   [&](const SettingValue& value) { return value.text == text; });
  if (is_new) {
    values.push_back({text, place.to_text(), false});
  }
}

//------------------------------------------------------------------ lines

void Translator::read_line(const Line& line) {
  const std::string_view name = parent_ == nullptr ? line.name() : parent_->name();
  const std::string_view option = parent_ == nullptr ? std::string_view() : line.name();
  std::vector<std::string_view> known;
  for (const Rule& rule : rules()) {
    if (rule.name != name || rule.option != option) {
      if (parent_ == nullptr ? rule.option.empty() : rule.name == name && !rule.option.empty()) {
        known.push_back(parent_ == nullptr ? rule.name : rule.option);
      }
      continue;
    }
    if (rule.fate == Fate::Refused) {
      return complain(line.place(),
                      name_of(line) + ": not offered here: " + std::string(rule.text));
    }
    if (rule.fate == Fate::BuiltIn) {
      note(line.place(), name_of(line) + ": built in. " + std::string(rule.text), false);
    }
    // Of a variable that is not set nothing is left.
    const auto nothing = std::ranges::find_if(
        line.words, [](const Word& word) { return word.text.empty() && !word.quoted; });
    if (nothing != line.words.end()) {
      return complain(nothing->place, name_of(line) +
                                          ": found an argument of which its variables "
                                          "leave nothing, expected a value");
    }
    if (rule.read != nullptr) {
      return (this->*rule.read)(line);
    }
    if (has_arguments(line, 0, 0)) {
      read_options(line);
    }
    return;
  }
  const std::string_view near = nearest(line.name(), known);
  complain(line.place(), name_of(line) + ": found an unknown " +
                             (option.empty() ? "directive" : "option") + ", expected " +
                             (near.empty() ? "one that docs/corefile.md lists"
                                           : "perhaps '" + std::string(near) + "'"));
}

void Translator::read_options(const Line& line) {
  if (parent_ != nullptr) {
    if (line.has_block) {
      complain(line.place(), name_of(line) + ": found options of an option, expected none");
    }
    return;
  }
  parent_ = &line;
  for (const Line& option : line.block) {
    read_line(option);
  }
  parent_ = nullptr;
}

bool Translator::has_arguments(const Line& line, std::size_t least, std::size_t most) {
  const std::size_t count = line.words.size() - 1;
  if (count >= least && count <= most) {
    return true;
  }
  std::string expected = most == 0          ? "none"
                         : least == most    ? std::to_string(least)
                         : most == SIZE_MAX ? "at least " + std::to_string(least)
                                            : std::to_string(least) + " to " + std::to_string(most);
  complain(line.place(), name_of(line) + ": found " + std::to_string(count) +
                             (count == 1 ? " argument" : " arguments") + ", expected " + expected);
  return false;
}

std::optional<std::uint64_t> Translator::number(const Line& line, std::size_t at) {
  const std::string& text = line.words[at].text;
  const auto number = number_from_text(text);
  if (!number) {
    complain(line.words[at].place,
             name_of(line) + ": found '" + text + "', expected a whole number");
  }
  return number;
}

std::optional<std::chrono::milliseconds> Translator::duration(const Line& line, std::size_t at) {
  // Several parts are possible, "1m30s"; ours have one.
  const std::string_view text = line.words[at].text;
  std::chrono::milliseconds sum{0};
  if (text == "0") {
    return sum;
  }
  bool is_valid = !text.empty();
  for (std::size_t start = 0; is_valid && start < text.size();) {
    const std::size_t unit = std::min(text.find_first_not_of("0123456789", start), text.size());
    const std::size_t end = std::min(text.find_first_of("0123456789", unit), text.size());
    const auto part = duration_from_text(text.substr(start, end - start));
    is_valid = part.has_value();
    sum += part.value_or(std::chrono::milliseconds(0));
    start = end;
  }
  if (!is_valid) {
    complain(line.words[at].place, name_of(line) + ": found '" + std::string(text) +
                                       "', expected a duration such as 500ms, 5s or 1m30s");
    return std::nullopt;
  }
  return sum;
}

void Translator::set_duration(std::string_view key, const Line& line, std::size_t at) {
  if (const auto value = duration(line, at)) {
    const bool is_whole = value->count() % 1000 == 0;
    set(key,
        is_whole ? std::to_string(value->count() / 1000) + "s"
                 : std::to_string(value->count()) + "ms",
        line);
  }
}

std::vector<Translator::Zone> Translator::zones_of(const Word& word, const std::string& text) {
  std::vector<dns::Name> names;
  if (text.find('/') != std::string::npos) {
    auto zones = reverse_zones_from_text(text);
    if (!zones) {
      complain(word.place,
               "found '" + text + "', expected a zone or a prefix (" + zones.error().message + ")");
      return {};
    }
    names = std::move(*zones);
  } else {
    auto name = dns::Name::from_text(text);
    if (!name) {
      complain(word.place, "found '" + text + "', expected a zone (" + name.error().message + ")");
      return {};
    }
    names.push_back(name->lowered());
  }
  std::vector<Zone> out;
  for (dns::Name& name : names) {
    std::string shown = name.to_text();
    if (shown.size() > 1) {
      shown.pop_back();
    }
    out.push_back({std::move(name), std::move(shown), word.place});
  }
  return out;
}

std::vector<Translator::Zone> Translator::argument_zones(const Line& line, std::size_t from) {
  std::vector<Zone> out;
  for (std::size_t i = from; i < line.words.size(); ++i) {
    for (Zone& zone : zones_of(line.words[i], line.words[i].text)) {
      add_zone(std::move(zone), out);
    }
  }
  return out;
}

void Translator::add_zone(Zone zone, std::vector<Zone>& to) {
  const bool is_new =
      std::none_of(to.begin(), to.end(), [&](const Zone& each) { return each.text == zone.text; });
  if (is_new) {
    to.push_back(std::move(zone));
  }
}

std::vector<Translator::Zone> Translator::within_block(const Zone& zone) const {
  std::vector<Zone> out;
  for (const Zone& mine : block_->zones) {
    if (zone.name.is_within(mine.name) && is_of_block(zone.name)) {
      add_zone(zone, out);
    } else if (mine.name.is_within(zone.name)) {
      add_zone(mine, out);
    }
  }
  return out;
}

bool Translator::covers(const std::vector<Zone>& zones, const dns::Name& name) {
  return std::ranges::any_of(zones, [&](const Zone& zone) { return name.is_within(zone.name); });
}

std::vector<const Translator::Zone*> Translator::zones_below(const std::vector<Zone>& zones) const {
  std::vector<const Zone*> out;
  for (const Block& other : blocks_) {
    for (const Zone& each : other.zones) {
      const bool is_below = std::ranges::any_of(zones, [&](const Zone& zone) {
        return each.name.is_within(zone.name) && each.name != zone.name;
      });
      if (&other != block_ && is_below) {
        out.push_back(&each);
      }
    }
  }
  return out;
}

bool Translator::is_of_block(const dns::Name& name) const {
  const auto labels_in = [&](const Block& block) {
    std::size_t most = 0;
    for (const Zone& zone : block.zones) {
      most = name.is_within(zone.name) ? std::max(most, zone.name.label_count() + 1) : most;
    }
    return most;
  };
  const std::size_t mine = labels_in(*block_);
  return std::ranges::all_of(blocks_, [&](const Block& other) { return labels_in(other) <= mine; });
}

//------------------------------------------------------------------ writing

namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string double_quoted(std::string_view text) {
  constexpr std::string_view Hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append("\\").push_back(c);
    } else if (is_control(c)) {
      out.append("\\x").push_back(Hex[octet >> 4U]);
      out.push_back(Hex[octet & 15U]);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

// Letters and digits alone mean the same in YAML without quotes; a number with anything else in it
// is for the reader to refuse, and it has to stay one scalar until then.
bool is_plain_scalar(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) != 0; });
}

}  // namespace

std::string yaml_of(const std::vector<Setting>& settings, const std::vector<Note>& notes) {
  std::string out;
  for (const Note& note : notes) {
    out.append("# ");
    for (const char c : note.text) {
      out.push_back(is_control(c) ? ' ' : c);
    }
    out.append("\n");
  }
  for (const Setting& setting : settings) {
    const Option* option = find_option(setting.key);
    const auto text_of = [&](const SettingValue& value) {
      const bool is_plain =
          option->form == OptionForm::Number || option->form == OptionForm::Boolean;
      if (is_plain && is_plain_scalar(value.text)) {
        return value.text;
      }
      return double_quoted(
          option->is_path ? (setting.folder / value.text).lexically_normal().string() : value.text);
    };
    out += setting.key + ":";
    if (setting.shape != Setting::Shape::List) {
      out += " " + text_of(setting.values.front()) + "\n";
      continue;
    }
    out += setting.values.empty() ? " []\n" : "\n";
    for (const SettingValue& value : setting.values) {
      out += "  - " + text_of(value) + "\n";
    }
  }
  return out;
}

}  // namespace waypost::ops
