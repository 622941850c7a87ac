#include "kube/names.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace waypost::kube {
namespace {

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_alphanumeric(char c) noexcept {
  return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z');
}

// Which octets a label may have.  Names are what most of an object is: a look into a table is half
// the price of comparing.
constexpr auto LabelOctets = [] {
  std::array<bool, 256> octets{};
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const char c = static_cast<char>(i);
    octets[i] = is_lower(c) || is_digit(c) || c == '-';
  }
  return octets;
}();

// A label of any length.
bool is_label(std::string_view text) noexcept {
  bool holds = !text.empty() && text.front() != '-' && text.back() != '-';
  for (const char c : text) {
    holds &= LabelOctets[static_cast<unsigned char>(c)];
  }
  return holds;
}

// Calls `check` for each piece between dots; true when all pass.
template <typename Check>
bool all_labels(std::string_view text, Check check) noexcept {
  for (std::size_t start = 0;;) {
    const std::size_t dot = text.find('.', start);
    if (!check(text.substr(start, dot - start))) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return true;
    }
    start = dot + 1;
  }
}

}  // namespace

bool is_dns_label(std::string_view text) noexcept {
  return text.size() <= 63 && is_label(text);
}

bool is_dns_subdomain(std::string_view text) noexcept {
  return text.size() <= 253 && all_labels(text, is_label);
}

bool is_port_name(std::string_view text) noexcept {
  return is_dns_label(text) && text.size() <= 15 &&
         std::any_of(text.begin(), text.end(), is_lower) &&
         text.find("--") == std::string_view::npos;
}

bool is_host_name(std::string_view text) noexcept {
  if (text.ends_with('.')) {
    text.remove_suffix(1);
  }
  return text.size() <= 253 && all_labels(text, [](std::string_view label) {
           return !label.empty() && label.size() <= 63 && label.front() != '-' &&
                  label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
                    return is_alphanumeric(c) || c == '-' || c == '_';
                  });
         });
}

bool is_label_value(std::string_view text) noexcept {
  return text.empty() ||
         (text.size() <= 63 && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
          std::all_of(text.begin(), text.end(), [](char c) {
            return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
          }));
}

bool is_label_key(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    if (!is_dns_subdomain(text.substr(0, slash))) {
      return false;
    }
    text.remove_prefix(slash + 1);
  }
  return !text.empty() && is_label_value(text);
}

}  // namespace waypost::kube
