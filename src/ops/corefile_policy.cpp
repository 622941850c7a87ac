// Directives about queries before zones: acl, hosts, rewrite, template.  Each becomes lines of text
// that the options of the same meaning take.

#include "base/ip_address.h"
#include "dns/reverse_name.h"
#include "ops/corefile_translator.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {

using corefile::Line;
using corefile::Word;

namespace {

// A word of a rule (policy/words.h).
std::string as_word(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\r\n\"'") == std::string::npos) {
    return word;
  }
  if (word.find('\'') == std::string::npos) {
    return "'" + word + "'";
  }
  std::string out = "\"";
  for (const char c : word) {
    out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  return out + "\"";
}

std::string joined(const std::vector<Word>& words, std::size_t from) {
  std::string out;
  for (std::size_t i = from; i < words.size(); ++i) {
    out += (out.empty() ? "" : " ") + as_word(words[i].text);
  }
  return out;
}

// Whether names of addresses are within, or it is within these.
bool has_reverse_names(const dns::Name& zone) {
  static const dns::Name parent = *dns::Name::from_text("arpa.");
  return dns::is_reverse(zone) || parent.is_within(zone);
}

// Whether `pattern` is several of which one fits, so that its end is that of the last one only.
bool has_choice(std::string_view pattern) {
  int depth = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    i += c == '\\' ? 1 : 0;
    if (c == '[') {
      // A class, with a ']' at its beginning or not; one with another in it is refused.
      i += pattern.substr(i + 1).starts_with('^') ? 1 : 0;
      i += pattern.substr(i + 1).starts_with(']') ? 1 : 0;
      for (++i; i < pattern.size() && pattern[i] != ']'; ++i) {
        if (pattern[i] == '[') {
          return true;
        }
        i += pattern[i] == '\\' ? 1 : 0;
      }
    }
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == '|' && depth == 0) {
      return true;
    }
  }
  return false;
}

// A regular expression that ends in the name of `zone` with a dot in front, "(.*)\\.zone\\.com",
// so that it fits names below the zone only.  Empty when it does not end that way.
std::string ending_in(const std::string& pattern, std::string_view zone) {
  if (has_choice(pattern)) {
    return {};
  }
  std::string_view rest = pattern;
  if (rest.ends_with('$')) {
    rest.remove_suffix(1);
  }
  if (rest.ends_with("\\.")) {
    rest.remove_suffix(2);
  }
  const std::string name = "." + std::string(zone);
  for (auto c = name.rbegin(); c != name.rend(); ++c) {
    if (!rest.ends_with(*c)) {
      return {};
    }
    rest.remove_suffix(1);
    // A dot without a backslash fits the zone's, too.
    rest.remove_suffix(rest.ends_with('\\') && (*c == '.' || *c == '-') ? 1 : 0);
  }
  if (rest.ends_with('\\')) {
    return {};
  }
  std::string out(rest);
  for (const char c : name + ".") {
    out += c == '.' ? std::string("\\.") : std::string(1, c);
  }
  return out + "$";
}

bool is_for_all(const std::string& pattern) {
  return pattern == ".*" || pattern == "^.*" || pattern == "^.*$" || pattern == "(.*)" ||
         pattern == ".";
}

}  // namespace

// A rule is for all names here, while in CoreDNS only those of the server block come to it.
std::vector<Translator::Zone> Translator::rule_zones(const Line& line, std::size_t from) {
  if (line.words.size() <= from) {
    return block_->zones;
  }
  std::vector<Zone> out;
  for (const Zone& given : argument_zones(line, from)) {
    const std::vector<Zone> within = within_block(given);
    for (const Zone& zone : within) {
      add_zone(zone, out);
    }
    if (within.empty()) {
      note(given.place,
           line.name() + ": the zone '" + given.text +
               "' is left out, for none of its names reaches the server block",
           true);
    }
  }
  return out;
}

// " zone A B except C": the zones, without what lies in blocks with longer ones.
std::string Translator::scope_words(const std::vector<Zone>& zones) const {
  std::string except;
  for (const Zone* below : zones_below(zones)) {
    except += (except.empty() ? " except " : " ") + below->text;
  }
  const bool is_all = covers(zones, dns::Name());
  if (is_all && (except.empty() || zones.size() == 1)) {
    return except;
  }
  std::string out;
  for (const Zone& zone : zones) {
    out += (out.empty() ? " zone " : " ") + zone.text;
  }
  return out + except;
}

bool Translator::has_name(const std::vector<Zone>& zones, const dns::Name& name) const {
  return covers(zones, name) && is_of_block(name);
}

// Names of a block with a longer zone are that block's alone.
void Translator::check_rules_of_all(const Line& line) {
  for (const Zone* below : zones_below(block_->zones)) {
    note(line.place(),
         line.name() + ": is for the names of '" + below->text + "' (" + below->place.to_text() +
             "), too",
         true);
  }
}

//------------------------------------------------------------------ acl

void Translator::read_acl(const Line& line) {
  const std::vector<Zone> zones = rule_zones(line, 1);
  acl_zones_ = zones.empty() ? std::nullopt : std::optional(scope_words(zones));
  read_options(line);
}

void Translator::read_acl_rule(const Line& line) {
  std::string text = line.name();
  bool is_net = false;
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    std::string word = line.words[i].text;
    is_net = word == "net" || (is_net && word != "type");
    // Prefixes with bits behind their length are fine there.
    if (const std::size_t slash = word.find('/'); is_net && slash != std::string::npos) {
      const auto address = IpAddress::from_text(word.substr(0, slash));
      const auto length = IpPrefix::from_text("::" + word.substr(slash));
      if (address && length) {
        word = IpPrefix::around(*address, length->length()).to_text();
      }
    }
    text += " " + as_word(word);
  }
  if (acl_zones_) {
    add("access", text + *acl_zones_, line.place(), "acl");
  }
}

//------------------------------------------------------------------ hosts

void Translator::read_hosts(const Line& line) {
  block_->has_hosts = true;
  const bool has_file = line.words.size() > 1;
  const std::string file = has_file ? line.words[1].text : "/etc/hosts";
  const std::vector<Zone> zones = rule_zones(line, 2);
  // Reverse names need no zone of its own.
  const bool has_reverse = std::ranges::any_of(
      block_->zones, [](const Zone& zone) { return has_reverse_names(zone.name); });
  if (!zones.empty() || has_reverse) {
    const bool is_all = covers(zones, dns::Name());
    if (!is_all) {
      note(line.place(), "hosts: names of " + file + " outside of its zones are answered, too",
           true);
    }
    check_rules_of_all(line);
    add("hostsFiles", file, line.place(), "hosts");
    hosts_.emplace_back(line.place(), has_reverse);
  }
  hosts_fall_through_ = false;
  std::vector<Line> options;
  for (const Line& each : line.block) {
    if (IpAddress::from_text(each.name())) {
      add_host(each, zones, has_reverse);
    } else {
      options.push_back(each);
    }
  }
  Line rest = line;
  rest.block = std::move(options);
  read_options(rest);
  for (const Zone& zone : zones) {
    const bool falls_through = hosts_fall_through_ || covers(hosts_through_, zone.name);
    if (!falls_through && !hosts_through_.empty()) {
      complain(line.place(), "hosts fallthrough: found zones that are not all of '" + zone.text +
                                 "', expected all of it or nothing");
    } else if (!falls_through && !dns::is_reverse(zone.name)) {
      for (const Zone* below : zones_below({zone})) {
        complain(line.place(), "hosts: found no fallthrough for '" + zone.text +
                                   "', expected one, for what '" + below->text + "' (" +
                                   below->place.to_text() + ") has would be denied, too");
      }
      add("hostsZones", zone.text, line.place(), "hosts");
      block_->answered.push_back(zone);
    }
  }
  hosts_through_.clear();
}

// An address and those of its names that are within `zones`; all of them, when the address has
// them, too.
void Translator::add_host(const Line& line, const std::vector<Zone>& zones, bool has_reverse) {
  std::vector<Word> kept{line.words.front()};
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    const Word& word = line.words[i];
    const auto name = dns::Name::from_text(word.text);
    const bool is_outside = name && !has_name(zones, *name);
    if (!is_outside || has_reverse) {
      kept.push_back(word);
    }
    if (is_outside) {
      note(word.place,
           "hosts: '" + word.text +
               (has_reverse ? "' is answered, too, although it is outside of its zones"
                            : "' is left out, for it is outside of its zones"),
           true);
    }
  }
  if (kept.size() > 1 || line.words.size() == 1) {
    add("hosts", joined(kept, 0), line.place(), "hosts");
  }
}

// Whether addresses have names is one for all here.
void Translator::combine_hosts() {
  if (hosts_.empty() || given_.contains("hostsReverse")) {
    return;
  }
  const bool have_names = std::ranges::any_of(hosts_, [](const auto& each) { return each.second; });
  if (!have_names) {
    return set("hostsReverse", "false", hosts_.front().first, "hosts");
  }
  for (const auto& [place, has_names] : hosts_) {
    if (!has_names) {
      note(place,
           "hosts: its addresses have names, too, although its server block has no reverse zone",
           true);
    }
  }
}

void Translator::read_hosts_fallthrough(const Line& line) {
  hosts_fall_through_ = line.words.size() == 1;
  hosts_through_ = argument_zones(line, 1);
  // Reverse names are never kept from others.
  std::erase_if(hosts_through_, [](const Zone& zone) { return dns::is_reverse(zone.name); });
}

void Translator::read_hosts_no_reverse(const Line& line) {
  if (has_arguments(line, 0, 0)) {
    set("hostsReverse", "false", line);
  }
}

void Translator::read_hosts_ttl(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    set("hostsTtl", line.words[1].text, line);
  }
}

//------------------------------------------------------------------ rewrite

// Whether the rule fits names of the block's zones only.  A regular expression that ends in a zone
// is made to.
bool Translator::keep_in_block(std::vector<Word>& words) const {
  const std::string kind = words.size() > 1 ? words[1].text : "";
  const bool is_kind = kind == "exact" || kind == "prefix" || kind == "suffix" ||
                       kind == "substring" || kind == "regex";
  const std::size_t at = is_kind ? 2 : 1;
  if (words.size() <= at) {
    return false;
  }
  std::string& from = words[at].text;
  if (kind == "regex") {
    for (const Zone& zone : block_->zones) {
      if (std::string kept = ending_in(from, zone.text); !kept.empty()) {
        from = std::move(kept);
        return true;
      }
    }
    return false;
  }
  const bool has_dot = kind == "suffix" && from.starts_with('.');
  const auto name = dns::Name::from_text(std::string_view(from).substr(has_dot ? 1 : 0));
  if (!name || kind == "prefix" || kind == "substring") {
    return false;
  }
  // A suffix without a dot in front fits a part of a label, too.
  const bool is_part = kind == "suffix" && !has_dot;
  return std::ranges::any_of(block_->zones, [&](const Zone& zone) {
    return name->is_within(zone.name) && (!is_part || !zone.name.is_within(*name));
  });
}

void Translator::read_rewrite(const Line& line) {
  std::vector<Word> words(line.words.begin() + 1, line.words.end());
  for (const Line& each : line.block) {
    words.insert(words.end(), each.words.begin(), each.words.end());
  }
  std::string text;
  if (!words.empty() && (words[0].text == "stop" || words[0].text == "continue")) {
    text = words[0].text + " ";
    words.erase(words.begin());
  }
  if (words.empty() || words[0].text != "name") {
    complain(line.place(), "rewrite: found " +
                               (words.empty() ? "nothing" : "'" + words[0].text + "'") +
                               ", expected 'name'; types, classes, TTLs, rcodes, CNAMEs and EDNS "
                               "are not rewritten here");
    return;
  }
  const bool is_all = covers(block_->zones, dns::Name());
  if (!is_all && !keep_in_block(words)) {
    complain(line.place(),
             "rewrite: found a rule that may fit names outside of its server block, expected a "
             "name, or a suffix or a regular expression that ends in the block's zone; rules are "
             "for all names here");
    return;
  }
  check_rules_of_all(line);
  add("rewrites", text + joined(words, 0), line.place(), "rewrite");
}

//------------------------------------------------------------------ template

void Translator::read_template(const Line& line) {
  if (!has_arguments(line, 2, SIZE_MAX)) {
    return;
  }
  if (line.words[1].text != "IN" && line.words[1].text != "ANY") {
    complain(line.words[1].place,
             "template: found the class '" + line.words[1].text + "', expected IN or ANY");
    return;
  }
  const std::vector<Zone> zones = rule_zones(line, 3);
  template_ = {};
  read_options(line);
  const bool has_patterns = !template_.patterns.empty() &&
                            std::none_of(template_.patterns.begin(), template_.patterns.end(),
                                         [](const std::string& each) { return is_for_all(each); });
  std::string text = line.words[2].text == "ANY" ? "*" : line.words[2].text;
  text += scope_words(zones);
  if (has_patterns) {
    text += " match";
    for (const std::string& pattern : template_.patterns) {
      text += " " + as_word(pattern);
    }
  }
  bool falls_through = template_.falls_through;
  if (!template_.through.empty()) {
    falls_through = std::all_of(zones.begin(), zones.end(), [&](const Zone& zone) {
      return covers(template_.through, zone.name);
    });
    if (!falls_through) {
      complain(line.place(),
               "template fallthrough: found zones that are not all of the template's, expected all "
               "of them or nothing");
    }
  }
  text += has_patterns && !falls_through ? " only" : "";
  if (zones.empty()) {
    return;  // No name reaches it.
  }
  add("templates", text + template_.rest, line.place(), "template");
}

void Translator::read_template_match(const Line& line) {
  if (has_arguments(line, 1, SIZE_MAX)) {
    for (std::size_t i = 1; i < line.words.size(); ++i) {
      template_.patterns.push_back(line.words[i].text);
    }
  }
}

void Translator::read_template_part(const Line& line) {
  if (has_arguments(line, 1, SIZE_MAX)) {
    template_.rest += " " + line.name() + " " + joined(line.words, 1);
  }
}

void Translator::read_template_fallthrough(const Line& line) {
  template_.falls_through = line.words.size() == 1;
  template_.through = argument_zones(line, 1);
}

}  // namespace waypost::ops
