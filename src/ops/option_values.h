// How the options of both tables (ops/option_table.h, ops/node_options.h) take values of the same
// kind.  A failure's message says what is special about the value, or is empty when what the option
// expects says it all.

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "ops/text.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::ops {

// The failure about which `expected` says everything, and one with a reason of its own.
std::unexpected<Error> unlike_expected();
std::unexpected<Error> because(std::string reason);

// Puts a whole number from `low` to `high` into `target`.
template <typename Number>
Result<void> put_number(Number& target, const std::string& text, std::uint64_t low,
                        std::uint64_t high) {
  const auto number = number_from_text(text);
  if (!number || *number < low || *number > high) {
    return unlike_expected();
  }
  target = static_cast<Number>(*number);
  return {};
}

// Puts what the word stands for into `target`.
template <typename Value>
Result<void> put_word(Value& target, const std::string& text,
                      std::initializer_list<std::pair<std::string_view, Value>> meanings) {
  for (const auto& [word, value] : meanings) {
    if (text == word) {
      target = value;
      return {};
    }
  }
  return unlike_expected();
}

// Adds a value that the list does not have yet.
template <typename Value>
Result<void> add_once(std::vector<Value>& list, Value value) {
  if (std::find(list.begin(), list.end(), value) != list.end()) {
    return because("it is given twice");
  }
  list.push_back(std::move(value));
  return {};
}

// "true" or "false".
Result<void> put_boolean(bool& target, const std::string& text);

// Where Services of manifests without clusterIP get one from, unless it is said: the default of
// waypost-dns' serviceCidrs.
std::vector<IpPrefix> default_service_cidrs();

// A folder that exists.
Result<void> put_folder(std::filesystem::path& target, const std::string& text);

}  // namespace waypost::ops
