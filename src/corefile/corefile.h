// A Corefile, the configuration of CoreDNS, as a tree of lines: server blocks, the directives in
// them, the options of these.
//
//   zone:port zone:port {        keys of a server block, separated by blanks or commas
//       directive argument {     a line, and the lines that belong to it
//           option argument
//       }
//   }
//
// A file of one server block may leave its braces out.  `(name) { … }` at the top is a snippet:
// lines that `import name` repeats.  `import FILE` inserts a file, `import FOLDER/*.override` all
// that match, in order of their names, perhaps none; a path is relative to the file that it stands
// in.  {$NAME} and {%NAME%} stand for environment variables; an unset one is empty.
//
// Not here: what directives mean (ops/corefile_options.h).

#pragma once

#include "base/error.h"
#include "corefile/lexer.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::corefile {

// Bounds on what a file can make of itself.
inline constexpr std::size_t MaxImportDepth = 16;  // An import within what is imported, and so on.
inline constexpr std::size_t MaxImports = 1000;    // Of one file, all in all.
inline constexpr std::size_t MaxBlockDepth = 8;    // Braces within braces.
inline constexpr std::size_t MaxTextSize = std::size_t{1} << 20;  // Octets of each file.

struct Line {
  std::vector<Word> words;  // At least one.
  bool has_block = false;
  std::vector<Line> block;

  const std::string& name() const noexcept { return words.front().text; }
  const Place& place() const noexcept { return words.front().place; }
};

struct ServerBlock {
  std::vector<Word> keys;  // At least one, none empty.
  std::vector<Line> lines;
};

struct Corefile {
  std::vector<ServerBlock> blocks;
};

// What a Corefile refers to.
struct Surroundings {
  // The value of an environment variable, empty when it is not set.
  std::function<std::string(const std::string& name)> environment;
  std::function<Result<std::string>(const std::filesystem::path& file)> read;
  // Names of the files in a folder.
  std::function<Result<std::vector<std::string>>(const std::filesystem::path& folder)> list;
};

// Those of this process.
Surroundings process_surroundings();

// Reads `file` and what it imports.  A failure names file and line.
Result<Corefile> read_corefile(const std::filesystem::path& file, const Surroundings& surroundings);

}  // namespace waypost::corefile
