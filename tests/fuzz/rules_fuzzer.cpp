// Any text as what iptables-save printed: its lines are the same in whatever pieces it comes, rules
// are read or refused with their line, what was read is printed and read again the same, and what
// is taken for ours can be compared with nothing wanted.

#include "proxy/backend.h"
#include "proxy/rule_diff.h"
#include "proxy/rule_parser.h"
#include "proxy/saved_rules.h"
#include "proxy/saved_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace waypost;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

template <typename Reader>
void take_in_pieces(Reader& reader, std::string_view text, std::size_t size) {
  while (!text.empty()) {
    reader.take(text.substr(0, std::min(size, text.size())));
    text.remove_prefix(std::min(size, text.size()));
  }
}

// The lines as text, and whether the end was in its place.
std::vector<std::string> lines_of(std::string_view text, std::size_t piece) {
  std::vector<std::string> lines;
  proxy::SavedTextReader reader([&](const proxy::SavedLine& line) {
    std::string told =
        std::to_string(line.number) + " " + std::to_string(static_cast<int>(line.kind)) + " " +
        (line.table ? std::string(to_text(*line.table)) : "-") + " " + std::to_string(line.packets);
    for (const std::string_view part : {line.chain, line.policy, line.rule, line.text}) {
      told.append("|").append(part);
    }
    lines.push_back(std::move(told));
  });
  take_in_pieces(reader, text, piece);
  lines.emplace_back(reader.finish() ? "whole" : "cut");
  return lines;
}

std::string rules_text(const proxy::RuleSet& rules) {
  std::string text;
  for (const proxy::Table table : {proxy::Table::Filter, proxy::Table::Nat}) {
    text.append("*").append(to_text(table)).append("\n");
    for (const proxy::ChainPointer& chain : rules.sorted(table)) {
      text += ":" + std::string(chain->name()) + " - [0:0]\n";
    }
    for (const proxy::ChainPointer& chain : rules.sorted(table)) {
      for (std::size_t i = 0; i < chain->size(); ++i) {
        text +=
            "[1:60] -A " + std::string(chain->name()) + " " + std::string(chain->rule(i)) + "\n";
      }
    }
    text += "COMMIT\n";
  }
  return text;
}

void read_ours(std::string_view text, std::size_t piece) {
  proxy::KernelState state;
  for (const proxy::Table table : {proxy::Table::Filter, proxy::Table::Nat}) {
    proxy::SavedTableReader reader(table, nullptr);
    take_in_pieces(reader, text, piece);
    auto saved = reader.finish();
    if (!saved) {
      return;
    }
    put_table(state, table, std::move(*saved));
  }
  const proxy::RestoreInput input = make_restore(state, proxy::RuleSet());
  expect(input.owners.size() ==
             static_cast<std::size_t>(std::count(input.text.begin(), input.text.end(), '\n')),
         "every line has an owner");
  expect(lines_of(input.text, input.text.size() + 1).back() == "whole", "what is written is whole");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::size_t piece = std::size_t{input[0]} + 1;
  const std::string_view text(reinterpret_cast<const char*>(input) + 1, size - 1);
  expect(lines_of(text, text.size() + 1) == lines_of(text, piece), "pieces do not matter");
  read_ours(text, piece);
  proxy::BackendProbe probe;
  take_in_pieces(probe, text, piece);
  const auto saved = proxy::parse_saved_rules(text);
  if (!saved) {
    expect(saved.error().message.starts_with("line "), "errors have a line");
    return 0;
  }
  const std::string printed = rules_text(saved->rules);
  const auto again = proxy::parse_saved_rules(printed);
  expect(again.has_value() && rules_text(again->rules) == printed, "the same rules again");
  return 0;
}
