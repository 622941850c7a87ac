// A Corefile as settings: what each directive of CoreDNS becomes here.
//
// One table says it of every directive and option that is known; it drives the translation and
// docs/corefile.md (a test compares).  What is not in the table, or is refused by it, is a problem
// with file and line; nothing is passed over silently.
//
// CoreDNS runs one chain of plugins for each server block, this program one configuration for all
// names.  Blocks become zones of it: that of `kubernetes`, and stub domains for those of `forward`.
// What cannot be said that way is a problem, too.
//
// Not here: the syntax (corefile/corefile.h), what the keys mean (ops/option_table.h).

#pragma once

#include "corefile/corefile.h"
#include "ops/config.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

// What becomes of a directive.
enum class Fate : std::uint8_t {
  Mapped,   // Keys of the configuration say the same.
  BuiltIn,  // It is always so here.
  Refused,  // Not offered; the text says what to use instead.
};

struct Directive {
  std::string_view name;    // "kubernetes"
  std::string_view option;  // Of the directive, "pods"; empty: the directive itself.
  Fate fate = Fate::Refused;
  std::string_view text;  // The keys and their meaning, how it is built in, or what to use instead.
};

// In the order of documentation: an option stands behind its directive.
std::vector<Directive> directives();

// Something that an operator should know, at a place in the file.
struct Note {
  std::string text;           // With the place in front.
  bool is_differing = false;  // Not quite what CoreDNS would do.
};

struct CorefileSettings {
  std::vector<Setting> settings;  // One for each key, in the order of the option table.
  Problems problems;
  std::vector<Note> notes;
};

// Translates.  `port`: of server blocks that name none.  Values are judged by interpret() only.
CorefileSettings settings_of(const corefile::Corefile& corefile, std::uint16_t port);

// Settings as a configuration file, with `notes` as comments on top.  Read again, it has the same
// values.
std::string yaml_of(const std::vector<Setting>& settings, const std::vector<Note>& notes);

}  // namespace waypost::ops
