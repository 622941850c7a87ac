// Any text as a Corefile that may also import itself: it is refused with its place, or becomes
// settings that are the same when they are written as YAML and read again.

#include "corefile/corefile.h"
#include "ops/config_reader.h"
#include "ops/corefile_options.h"
#include "ops/option_table.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace waypost;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

void check_written(const ops::CorefileSettings& read) {
  const std::string yaml = ops::yaml_of(read.settings, read.notes);
  const ops::ReadSettings again = ops::read_settings(yaml, "waypost.yaml");
  expect(again.problems.empty(), "what is written is YAML");
  expect(again.settings.size() == read.settings.size(), "no setting is lost");
  for (std::size_t i = 0; i < again.settings.size(); ++i) {
    const ops::Setting& before = read.settings[i];
    const ops::Setting& after = again.settings[i];
    const ops::Option* option = ops::find_option(before.key);
    expect(option != nullptr, "every key is an option");
    const bool is_plain =
        option->form == ops::OptionForm::Number || option->form == ops::OptionForm::Boolean;
    expect(before.key == after.key, "keys are the same");
    if (is_plain || option->is_path) {
      continue;  // A text that is no number is refused later; a path becomes absolute.
    }
    expect(before.values.size() == after.values.size(), "no value is lost");
    for (std::size_t j = 0; j < before.values.size(); ++j) {
      expect(before.values[j].text == after.values[j].text, "values are the same");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(input), size);
  const corefile::Surroundings surroundings{
      .environment = [](const std::string& name) { return "x" + name; },
      .read = [&](const std::filesystem::path& file) -> Result<std::string> {
        if (file.filename() == "absent") {
          return failure(ErrorKind::NotFound, file.string() + ": no such file");
        }
        return text;
      },
      .list = [](const std::filesystem::path&) -> Result<std::vector<std::string>> {
        return std::vector<std::string>{"a.override", "b.server", ".hidden"};
      }};
  const auto corefile = corefile::read_corefile("/etc/coredns/Corefile", surroundings);
  if (!corefile) {
    expect(corefile.error().message.starts_with("/"), "errors have a place");
    return 0;
  }
  const ops::CorefileSettings read = ops::settings_of(*corefile, 53);
  for (const Error& problem : read.problems) {
    expect(corefile->blocks.empty() || problem.message.starts_with("/"), "problems have a place");
  }
  if (read.problems.empty()) {
    bool is_ascii = true;
    for (const char c : text) {
      is_ascii = is_ascii && static_cast<unsigned char>(c) < 0x80;
    }
    if (is_ascii) {  // YAML is UTF-8; other octets are for the reader to refuse.
      check_written(read);
    }
  }
  return 0;
}
