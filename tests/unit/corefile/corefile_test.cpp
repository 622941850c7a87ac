#include "corefile/corefile.h"

#include "support/temporary_folder.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace waypost::corefile {
namespace {

// Files by their whole path, and an environment.
struct Disk {
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> environment;

  Surroundings surroundings() const {
    return {
        .environment =
            [this](const std::string& name) {
              const auto found = environment.find(name);
              return found == environment.end() ? std::string() : found->second;
            },
        .read = [this](const std::filesystem::path& file) -> Result<std::string> {
          const auto found = files.find(file.string());
          return found == files.end() ? Result<std::string>(failure(
                                            ErrorKind::NotFound, file.string() + ": no such file"))
                                      : Result<std::string>(found->second);
        },
        .list = [this](const std::filesystem::path& folder) -> Result<std::vector<std::string>> {
          std::vector<std::string> names;
          for (const auto& [name, text] : files) {
            if (std::filesystem::path(name).parent_path() == folder) {
              names.insert(names.begin(), std::filesystem::path(name).filename().string());
            }
          }
          return names.empty() ? Result<std::vector<std::string>>(
                                     failure(ErrorKind::NotFound, folder.string() + ": none"))
                               : Result<std::vector<std::string>>(names);
        }};
  }
};

// "forward <.> <10.0.0.1> {policy <random>;}" with words in brackets, lines ended by ';'.
std::string text_of(const std::vector<Line>& lines) {
  std::string out;
  for (const Line& line : lines) {
    for (const Word& word : line.words) {
      out += (out.empty() || out.ends_with(';') || out.ends_with('{') ? "" : " ") +
             ("<" + word.text) + ">";
    }
    if (line.has_block) {
      out += " {" + text_of(line.block) + "}";
    }
    out += ";";
  }
  return out;
}

std::string text_of(const Result<Corefile>& corefile) {
  if (!corefile) {
    return corefile.error().message;
  }
  std::string out;
  for (const ServerBlock& block : corefile->blocks) {
    out += "[";
    for (const Word& key : block.keys) {
      out += "<" + key.text + ">";
    }
    out += " " + text_of(block.lines) + "]";
  }
  return out;
}

std::string read(const std::string& text, Disk disk = {}) {
  disk.files["/etc/Corefile"] = text;
  return text_of(read_corefile("/etc/Corefile", disk.surroundings()));
}

}  // namespace

TEST_CASE("a Corefile becomes a tree of lines") {
  for (const auto& [text, tree] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"# nothing\n", ""},
           {".:53 {\n}\n", "[<.:53> ]"},
           {".", "[<.> ]"},
           {".\nerrors\nforward . 10.0.0.1\n", "[<.> <errors>;<forward> <.> <10.0.0.1>;]"},
           {". {\n errors # a comment\n cache 30\n}", "[<.> <errors>;<cache> <30>;]"},
           {". {\n errors#not a word\n}", "[<.> <errors>;]"},
           {".:53 .:1053 {\n errors\n}", "[<.:53><.:1053> <errors>;]"},
           {"a.example, b.example,\nc.example {\n}", "[<a.example><b.example><c.example> ]"},
           {"a.example,b.example {\n}", "[<a.example><b.example> ]"},
           {"10.0.0.0/24 fd00::/64:53 {\n}", "[<10.0.0.0/24><fd00::/64:53> ]"},
           {"a {\n}\nb {\n errors\n}", "[<a> ][<b> <errors>;]"},
           {". {\n health {\n  lameduck 5s\n }\n ready\n}",
            "[<.> <health> {<lameduck> <5s>;};<ready>;]"},
           {". { health { lameduck 5s } }", "[<.> <health> {<lameduck> <5s>;};]"},
           {". {\n a {\n  b {\n   c\n  }\n }\n}", "[<.> <a> {<b> {<c>;};};]"},
           {". {\n template \"a b\" \"{\" \"say \\\"x\\\" \\d\"\n}",
            "[<.> <template> <a b> <{> <say \"x\" \\d>;]"},
           {". {\n a \"two\nlines\" b\n c\n}", "[<.> <a> <two\nlines> <b>;<c>;]"},
           {". {\r\n errors\r\n}\r\n", "[<.> <errors>;]"}}) {
    CAPTURE(text);
    CHECK(read(text) == tree);
  }
}

TEST_CASE("a mistake in a Corefile is refused with its place") {
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {". {\n errors\n", "/etc/Corefile:1: found '{' without its closing '}'"},
           {". {\n health {\n}\n", "/etc/Corefile:1: found '{' without its closing '}'"},
           {". {\n}\n}", "/etc/Corefile:3: found '}' without an opening '{'"},
           {".\nerrors\n}", "/etc/Corefile:3: found '}' without an opening '{'"},
           {". {\n a {\n } b\n}", "/etc/Corefile:3: found 'b' behind '}', expected a new line"},
           {"{\n errors\n}",
            "/etc/Corefile:1: found no zone in front of '{', expected one such as '.:53'"},
           {"\"\" {\n}",
            "/etc/Corefile:1: found no zone in front of '{', expected one such as '.:53'"},
           {"a, {\n}", "/etc/Corefile:1: found a comma without another zone behind it"},
           {". {\n {\n }\n}", "/etc/Corefile:2: found '{' without a name in front of it"},
           {". {\n a \"b\n}", "/etc/Corefile:2: found a quote without end"},
           {"(x) {\n errors\n", "/etc/Corefile:1: found a snippet without its closing '}'"},
           {"(x) {\n}\n(x) {\n}", "/etc/Corefile:3: found the snippet 'x' a second time"},
           {". {\n import\n}",
            "/etc/Corefile:2: found import with nothing, expected one file, pattern or snippet"},
           {". {\n import a b\n}",
            "/etc/Corefile:2: found import with several arguments, expected one file, pattern or "
            "snippet"},
           {". {\n import {$NONE}\n}",
            "/etc/Corefile:2: found import with an empty name, expected a file, pattern or "
            "snippet"},
           {". {\n import absent\n}", "/etc/Corefile:2: import: /etc/absent: no such file"},
           {". {\n import */x\n}",
            "/etc/Corefile:2: found a pattern in the name of a folder, expected it in the last "
            "part"},
           {"import Corefile\n",
            "/etc/Corefile:1: found an import inside of 16 others, expected no cycle"},
           {". { a { b { c { d { e { f { g { h { } } } } } } } } }",
            "/etc/Corefile:1: found '{' inside of 8 others"}}) {
    CAPTURE(text);
    CHECK(read(text) == message);
  }
}

TEST_CASE("a Corefile that is cut off anywhere is read or refused with its place") {
  const std::string whole =
      "(s) {\n errors\n}\na.example:53, b {\n import s\n health { lameduck 5s }\n x \"y z\"\n}\n";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string got = read(whole.substr(0, size));
    CAPTURE(size);
    CAPTURE(got);
    CHECK((got.empty() || got.starts_with("[") || got.starts_with("/etc/Corefile:")));
  }
}

TEST_CASE("snippets, files and patterns are imported where they are named") {
  Disk disk;
  disk.files = {{"/etc/custom/b.override", "log\n"},
                {"/etc/custom/a.override", "hosts {\n 10.0.0.1 a\n}\n"},
                {"/etc/custom/.c.override", "hidden\n"},
                {"/etc/custom/x.server", "corp.example {\n import more/forward\n}\n"},
                {"/etc/custom/more/forward", "forward . 10.0.0.1\n"}};
  CHECK(read("(s) {\n errors\n}\n. {\n import s\n import s\n ready\n}", disk) ==
        "[<.> <errors>;<errors>;<ready>;]");
  CHECK(read("(s) { lameduck 5s }\n. {\n health {\n  import s\n }\n}", disk) ==
        "[<.> <health> {<lameduck> <5s>;};]");
  CHECK(read("(a) {\n errors\n}\n(b) {\n import a\n log\n}\n. {\n import b\n}", disk) ==
        "[<.> <errors>;<log>;]");
  CHECK(read(". {\n import custom/*.override\n}\nimport custom/*.server\n", disk) ==
        "[<.> <hosts> {<10.0.0.1> <a>;};<log>;][<corp.example> <forward> <.> <10.0.0.1>;]");
  CHECK(read(". {\n import /etc/custom/b.override\n}", disk) == "[<.> <log>;]");
  CHECK(read(". {\n import custom/*.absent\n import none/*.override\n errors\n}", disk) ==
        "[<.> <errors>;]");
  // A word that is not the first one of its line is no import.
  CHECK(read(". {\n hosts import x\n}", disk) == "[<.> <hosts> <import> <x>;]");
}

TEST_CASE("a mistake in an imported file names that file") {
  Disk disk;
  disk.files = {{"/etc/custom/a.override", "errors\n health {\n"}};
  CHECK(read(". {\n import custom/a.override\n", disk) ==
        "/etc/custom/a.override:2: found '{' without its closing '}'");
}

TEST_CASE("environment variables are put in once, in both forms") {
  Disk disk;
  disk.environment = {{"ZONE", "corp.example"}, {"PORT", "5353"}, {"LOOP", "{$LOOP}"}};
  CHECK(read("{$ZONE}:{%PORT%} {\n forward . {$NONE}1\n}", disk) ==
        "[<corp.example:5353> <forward> <.> <1>;]");
  CHECK(read(". {\n a {$LOOP} {$} {$ZONE {%ZONE}\n}", disk) ==
        "[<.> <a> <{$LOOP}> <{$}> <{$ZONE> <{%ZONE}>;]");
}

TEST_CASE("words that imports multiply are bounded") {
  // Each snippet has ten times the one before.
  std::string text = "(s0) {\n a b c d e f g h\n}\n";
  for (int level = 1; level < 10; ++level) {
    text += "(s" + std::to_string(level) + ") {\n";
    for (int i = 0; i < 10; ++i) {
      text += " import s" + std::to_string(level - 1) + "\n";
    }
    text += "}\n";
  }
  const std::string got = read(text + ". {\n import s9\n}\n");
  CHECK(got.find("found more than 1000 imports") != std::string::npos);
  std::string wide = "(s) {\n";
  for (int i = 0; i < 1000; ++i) {
    wide += " a b c d e f g h\n";
  }
  wide += "}\n. {\n";
  for (int i = 0; i < 10; ++i) {
    wide += " import s\n";
  }
  CHECK(read(wide + "}\n").find("found more than 65536 words") != std::string::npos);
  CHECK(read(std::string(MaxTextSize + 1, ' ')) == "/etc/Corefile: larger than 1048576 octets");
}

TEST_CASE("files of this machine are read and listed") {
  const test::TemporaryFolder folder;
  folder.write("a.override", "errors\n");
  folder.write("b.server", "x\n");
  std::filesystem::create_directories(folder.path() / "c.override");
  const auto file = folder.write("Corefile", ". {\n import *.override\n}\n");
  CHECK(text_of(read_corefile(file, process_surroundings())) == "[<.> <errors>;]");
  const auto absent = read_corefile(folder.path() / "none", process_surroundings());
  REQUIRE_FALSE(absent);
  CHECK(absent.error().kind == ErrorKind::NotFound);
}

}  // namespace waypost::corefile
