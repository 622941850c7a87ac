#include "node/resolver_file.h"

#include "base/bytes.h"
#include "base/checksum.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace waypost::node {
namespace {

constexpr std::string_view OwnPrefix = "# Written by waypost resolv-conf, checksum ";

// Splits at what Unicode calls white space in ASCII, as Go's strings.Fields does.
std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view Blanks = " \t\r\n\v\f";
  std::vector<std::string_view> words;
  for (std::size_t at = line.find_first_not_of(Blanks); at != std::string_view::npos;
       at = line.find_first_not_of(Blanks, at)) {
    const std::size_t end = std::min(line.find_first_of(Blanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string_view name_of(std::string_view option) {
  return option.substr(0, option.find(':'));
}

void append_line(std::string& text, std::string_view keyword,
                 const std::vector<std::string>& values) {
  if (values.empty()) {
    return;
  }
  text += keyword;
  for (const std::string& value : values) {
    text.append(" ").append(value);
  }
  text += '\n';
}

std::string own_line(std::string_view text) {
  Checksum checksum;
  checksum.add(as_bytes(text));
  return fmt::format("{}{:016x}\n", OwnPrefix, checksum.value());
}

}  // namespace

Result<ResolverFile> parse_resolver_file(std::string_view text) {
  if (text.size() > MaxResolverFile) {
    return failure(ErrorKind::Exhausted,
                   "larger than " + std::to_string(MaxResolverFile >> 20) + " MiB");
  }
  ResolverFile file;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty() || words[0].starts_with('#')) {
      continue;
    }
    if (words[0] == "nameserver") {
      if (words.size() < 2) {
        return failure(ErrorKind::InvalidInput, "line " + std::to_string(number) +
                                                    ": found 'nameserver' alone, expected an "
                                                    "address behind it");
      }
      file.nameservers.emplace_back(words[1]);
    } else if (words[0] == "search") {
      file.searches.clear();
      for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] != ".") {
          file.searches.emplace_back(words[i].substr(0, words[i].size() - words[i].ends_with('.')));
        }
      }
    } else if (words[0] == "options") {
      for (std::size_t i = 1; i < words.size(); ++i) {
        put_option(file.options, std::string(words[i]));
      }
    }
  }
  return file;
}

std::string to_text(const ResolverFile& file) {
  std::string text;
  append_line(text, "search", file.searches);
  for (const std::string& nameserver : file.nameservers) {
    text.append("nameserver ").append(nameserver).append("\n");
  }
  append_line(text, "options", file.options);
  return text;
}

void put_option(std::vector<std::string>& options, std::string option) {
  const auto same = std::find_if(options.begin(), options.end(), [&](const std::string& known) {
    return name_of(known) == name_of(option);
  });
  if (same == options.end()) {
    options.push_back(std::move(option));
  } else {
    *same = std::move(option);
  }
}

std::string mark_as_own(std::string_view text) {
  return own_line(text).append(text);
}

bool is_own(std::string_view text) {
  const std::size_t line = text.find('\n');
  return line != std::string_view::npos && text.starts_with(OwnPrefix) &&
         text.substr(0, line + 1) == own_line(text.substr(line + 1));
}

}  // namespace waypost::node
