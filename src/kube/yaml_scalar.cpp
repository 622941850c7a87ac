#include "kube/yaml_tree.h"

#include <algorithm>
#include <array>

namespace waypost::kube {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_float(std::string_view text) noexcept {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at - start;
  };
  const std::size_t whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0 && whole == 0) {
      return false;
    }
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
      ++at;
    }
    if (digits() == 0) {
      return false;
    }
  }
  return at == text.size();
}

// True for 0x1f, 0o17 and 0b11, and for nothing else.
bool is_prefixed_integer(std::string_view text) noexcept {
  if (text.size() < 3 || text[0] != '0') {
    return false;
  }
  const auto all = [&](auto accept) { return std::all_of(text.begin() + 2, text.end(), accept); };
  switch (text[1]) {
    case 'x':
    case 'X':
      return all(
          [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
    case 'o':
    case 'O':
      return all([](char c) { return c >= '0' && c <= '7'; });
    case 'b':
    case 'B':
      return all([](char c) { return c == '0' || c == '1'; });
    default:
      return false;
  }
}

bool is_number(std::string_view text) {
  std::string_view rest = text;
  if (rest.front() == '+' || rest.front() == '-') {
    rest.remove_prefix(1);
  }
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF") {
    return true;
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    return true;
  }
  if (rest.find('_') == std::string_view::npos) {
    return is_float(rest) || is_prefixed_integer(rest);
  }
  std::string bare(rest);  // YAML 1.1 allows 1_000.
  std::erase(bare, '_');
  return is_digit(rest.front()) && (is_float(bare) || is_prefixed_integer(bare));
}

}  // namespace

TreeType classify_plain_scalar(std::string_view text) {
  static constexpr std::array<std::string_view, 5> Nulls = {"", "~", "null", "Null", "NULL"};
  static constexpr std::array<std::string_view, 22> Booleans = {
      "y", "Y", "yes", "Yes", "YES", "true",  "True",  "TRUE",  "on",  "On",  "ON",
      "n", "N", "no",  "No",  "NO",  "false", "False", "FALSE", "off", "Off", "OFF"};
  if (text.size() <= 5) {
    if (std::find(Nulls.begin(), Nulls.end(), text) != Nulls.end()) {
      return TreeType::Null;
    }
    if (std::find(Booleans.begin(), Booleans.end(), text) != Booleans.end()) {
      return TreeType::Boolean;
    }
  }
  const char first = text.front();
  const bool may_be_number = is_digit(first) || first == '+' || first == '-' || first == '.';
  return may_be_number && text.size() > (is_digit(first) ? 0 : 1) && is_number(text)
             ? TreeType::Number
             : TreeType::String;
}

}  // namespace waypost::kube
