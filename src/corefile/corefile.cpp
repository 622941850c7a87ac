#include "corefile/corefile.h"

#include "base/file.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <system_error>
#include <utility>

namespace waypost::corefile {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> refuse(const Place& place, const std::string& what,
                              ErrorKind kind = ErrorKind::InvalidInput) {
  return failure(kind, place.to_text() + ": " + what);
}

// Both forms of references, each replaced once: a value is not looked at again.
std::string with_environment(const std::string& text, const Surroundings& surroundings) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t start = text.find('{', at);
    if (start == std::string::npos || start + 1 >= text.size()) {
      break;
    }
    const char mark = text[start + 1];
    const std::string_view close = mark == '$' ? "}" : "%}";
    const std::size_t end =
        mark == '$' || mark == '%' ? text.find(close, start + 2) : std::string::npos;
    if (end == std::string::npos || end == start + 2) {
      out.append(text, at, start + 1 - at);
      at = start + 1;
      continue;
    }
    out.append(text, at, start - at);
    out += surroundings.environment(text.substr(start + 2, end - start - 2));
    at = end + close.size();
  }
  return out.append(text, at, std::string::npos);
}

//------------------------------------------------------------------ imports and snippets

// All words in the order in which they count, with imports replaced by what they stand for.
class Importer {
 public:
  explicit Importer(const Surroundings& surroundings) : surroundings_(surroundings) {}

  // `from`: where the import stands; null for the file that everything begins with.
  Result<void> add_file(const fs::path& file, const Place* from, std::size_t depth) {
    auto text = surroundings_.read(file);
    if (!text) {
      return std::unexpected(
          from == nullptr ? std::move(text.error())
                          : with_context(std::move(text.error()), from->to_text() + ": import"));
    }
    if (text->size() > MaxTextSize) {
      return failure(ErrorKind::Exhausted,
                     file.string() + ": larger than " + std::to_string(MaxTextSize) + " octets");
    }
    const auto words = words_of(*text, std::make_shared<const std::string>(file.string()));
    return words ? add(*words, depth) : std::unexpected(words.error());
  }

  std::vector<Word> take() { return std::move(out_); }

 private:
  Result<void> add(const std::vector<Word>& words, std::size_t depth) {
    for (std::size_t at = 0; at < words.size(); ++at) {
      const Word& word = words[at];
      if (word.starts_line && word.is("import")) {
        if (Result<void> done = import(words, at, depth); !done) {
          return done;
        }
        ++at;
      } else if (nesting_ == 0 && is_snippet(words, at)) {
        auto end = add_snippet(words, at);
        if (!end) {
          return std::unexpected(std::move(end.error()));
        }
        at = *end;
      } else {
        nesting_ += word.is("{") ? 1 : 0;
        nesting_ -= word.is("}") && nesting_ > 0 ? 1 : 0;
        if (out_.size() == MaxWords) {
          return refuse(word.place,
                        "found more than " + std::to_string(MaxWords) +
                            " words with all that is imported, expected a shorter file",
                        ErrorKind::Exhausted);
        }
        out_.push_back(word);
        out_.back().text = with_environment(word.text, surroundings_);
      }
    }
    return {};
  }

  static bool is_snippet(const std::vector<Word>& words, std::size_t at) {
    const Word& word = words[at];
    return word.starts_line && !word.quoted && word.text.size() > 2 && word.text.front() == '(' &&
           word.text.back() == ')' && at + 1 < words.size() && words[at + 1].is("{");
  }

  // Keeps the words between the braces; returns where the closing one is.
  Result<std::size_t> add_snippet(const std::vector<Word>& words, std::size_t at) {
    const Word& head = words[at];
    const std::string name = head.text.substr(1, head.text.size() - 2);
    std::vector<Word> body;
    std::size_t open = 1;
    for (std::size_t i = at + 2; i < words.size(); ++i) {
      open += words[i].is("{") ? 1 : 0;
      open -= words[i].is("}") ? 1 : 0;
      if (open == 0) {
        if (!body.empty()) {
          body.front().starts_line = true;
        }
        if (!snippets_.emplace(name, std::move(body)).second) {
          return refuse(head.place, "found the snippet '" + name + "' a second time");
        }
        return i;
      }
      body.push_back(words[i]);
    }
    return refuse(head.place, "found a snippet without its closing '}'");
  }

  Result<void> import(const std::vector<Word>& words, std::size_t at, std::size_t depth) {
    const Place& place = words[at].place;
    const auto is_argument = [&](std::size_t i) {
      return i < words.size() && !words[i].starts_line && !words[i].is("}");
    };
    if (!is_argument(at + 1) || is_argument(at + 2)) {
      return refuse(place, "found import with " +
                               std::string(is_argument(at + 1) ? "several arguments" : "nothing") +
                               ", expected one file, pattern or snippet");
    }
    if (depth == MaxImportDepth) {
      return refuse(place,
                    "found an import inside of " + std::to_string(MaxImportDepth) +
                        " others, expected no cycle",
                    ErrorKind::Exhausted);
    }
    if (++imports_ > MaxImports) {
      return refuse(place, "found more than " + std::to_string(MaxImports) + " imports",
                    ErrorKind::Exhausted);
    }
    const std::string pattern = with_environment(words[at + 1].text, surroundings_);
    if (const auto snippet = snippets_.find(pattern); snippet != snippets_.end()) {
      return add(snippet->second, depth + 1);
    }
    if (pattern.empty()) {
      return refuse(place, "found import with an empty name, expected a file, pattern or snippet");
    }
    const fs::path path = (fs::path(*place.file).parent_path() / pattern).lexically_normal();
    if (pattern.find_first_of("*?[") != std::string::npos) {
      return import_all(path, place, depth);
    }
    return add_file(path, &place, depth + 1);
  }

  Result<void> import_all(const fs::path& pattern, const Place& place, std::size_t depth) {
    const fs::path folder = pattern.has_parent_path() ? pattern.parent_path() : ".";
    if (folder.string().find_first_of("*?[") != std::string::npos) {
      return refuse(place, "found a pattern in the name of a folder, expected it in the last part");
    }
    auto names = surroundings_.list(folder);
    if (!names) {
      // As with a pattern that nothing matches: a volume that is optional may be absent.
      if (names.error().kind == ErrorKind::NotFound) {
        return {};
      }
      return std::unexpected(with_context(std::move(names.error()), place.to_text() + ": import"));
    }
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
      // FNM_PERIOD: ConfigMap volumes and editors keep their own state in names with a dot.
      if (fnmatch(pattern.filename().c_str(), name.c_str(), FNM_PERIOD | FNM_NOESCAPE) != 0) {
        continue;
      }
      if (Result<void> added = add_file(folder / name, &place, depth + 1); !added) {
        return added;
      }
    }
    return {};
  }

  const Surroundings& surroundings_;
  std::map<std::string, std::vector<Word>> snippets_;
  std::size_t imports_ = 0;
  std::size_t nesting_ = 0;  // Braces that are open in out_.
  std::vector<Word> out_;
};

//------------------------------------------------------------------ server blocks and lines

class Parser {
 public:
  explicit Parser(std::vector<Word> words) : words_(std::move(words)) {}

  Result<Corefile> run() {
    Corefile out;
    while (!is_at_end()) {
      ServerBlock block;
      if (Result<void> read = read_keys(block); !read) {
        return std::unexpected(std::move(read.error()));
      }
      if (Result<void> read = read_lines(block); !read) {
        return std::unexpected(std::move(read.error()));
      }
      out.blocks.push_back(std::move(block));
    }
    return out;
  }

 private:
  bool is_at_end() const { return at_ == words_.size(); }
  const Word& word() const { return words_[at_]; }

  // Keys end at a brace, or at the end of a line unless that is a comma.
  Result<void> read_keys(ServerBlock& block) {
    bool wants_more = true;
    while (!is_at_end() && !word().is("{") && (wants_more || !word().starts_line)) {
      Word key = word();
      if (key.is("}")) {
        return refuse(key.place, "found '}' without an opening '{'");
      }
      wants_more = key.text.ends_with(',');
      if (wants_more) {
        key.text.pop_back();
      }
      // "a,b" in one word.
      for (std::size_t start = 0; start <= key.text.size();) {
        const std::size_t comma = std::min(key.text.find(',', start), key.text.size());
        if (comma > start) {
          block.keys.push_back(key);
          block.keys.back().text = key.text.substr(start, comma - start);
        }
        start = comma + 1;
      }
      ++at_;
    }
    if (block.keys.empty()) {
      const Word& last = words_[std::min(at_, words_.size() - 1)];
      return refuse(last.place, "found no zone in front of '{', expected one such as '.:53'");
    }
    if (wants_more) {
      return refuse(block.keys.back().place, "found a comma without another zone behind it");
    }
    return {};
  }

  Result<void> read_lines(ServerBlock& block) {
    if (is_at_end() || !word().is("{")) {
      return read_block(block.lines, nullptr, 1);  // Up to the end of the file.
    }
    const Place open = word().place;
    ++at_;
    if (Result<void> read = read_block(block.lines, &open, 1); !read) {
      return read;
    }
    return check_end_of_line();
  }

  // What follows a closing brace.
  Result<void> check_end_of_line() const {
    if (!is_at_end() && !word().starts_line && !word().is("}")) {
      return refuse(word().place, "found '" + word().text + "' behind '}', expected a new line");
    }
    return {};
  }

  // Takes the closing brace, too.  `open`: where the opening one is; null: there is none.
  Result<void> read_block(std::vector<Line>& lines, const Place* open, std::size_t depth) {
    while (!is_at_end()) {
      if (word().is("}")) {
        if (open == nullptr) {
          return refuse(word().place, "found '}' without an opening '{'");
        }
        ++at_;
        return {};
      }
      Line line;
      if (Result<void> read = read_line(line, depth); !read) {
        return read;
      }
      lines.push_back(std::move(line));
    }
    return open == nullptr ? Result<void>() : refuse(*open, "found '{' without its closing '}'");
  }

  Result<void> read_line(Line& line, std::size_t depth) {
    do {
      if (word().is("{")) {
        break;
      }
      line.words.push_back(word());
      ++at_;
    } while (!is_at_end() && !word().starts_line && !word().is("}"));
    if (line.words.empty()) {
      return refuse(word().place, "found '{' without a name in front of it");
    }
    if (is_at_end() || !word().is("{") || word().starts_line) {
      return {};
    }
    const Place open = word().place;
    if (depth == MaxBlockDepth) {
      return refuse(open, "found '{' inside of " + std::to_string(MaxBlockDepth) + " others",
                    ErrorKind::Exhausted);
    }
    ++at_;
    line.has_block = true;
    if (Result<void> read = read_block(line.block, &open, depth + 1); !read) {
      return read;
    }
    return check_end_of_line();
  }

  std::vector<Word> words_;
  std::size_t at_ = 0;
};

}  // namespace

Surroundings process_surroundings() {
  return {.environment =
              [](const std::string& name) {
                const char* value = std::getenv(name.c_str());
                return std::string(value == nullptr ? "" : value);
              },
          .read = read_file,
          .list = [](const fs::path& folder) -> Result<std::vector<std::string>> {
            std::vector<std::string> names;
            std::error_code ec;
            for (fs::directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) {
              std::error_code ignored;
              if (at->is_regular_file(ignored)) {
                names.push_back(at->path().filename().string());
              }
            }
            if (ec) {
              const bool is_absent = ec == std::errc::no_such_file_or_directory;
              return failure(is_absent ? ErrorKind::NotFound : ErrorKind::System,
                             folder.string() + ": " + ec.message());
            }
            return names;
          }};
}

Result<Corefile> read_corefile(const fs::path& file, const Surroundings& surroundings) {
  Importer importer(surroundings);
  if (Result<void> added = importer.add_file(file, nullptr, 0); !added) {
    return std::unexpected(std::move(added.error()));
  }
  return Parser(importer.take()).run();
}

}  // namespace waypost::corefile
