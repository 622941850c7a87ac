#include "ops/text.h"

#include "base/file.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace waypost::ops {

std::optional<std::uint64_t> number_from_text(std::string_view text) noexcept {
  std::uint64_t number = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, ec] = std::from_chars(begin, end, number);
  return ec == std::errc() && stop == end && !text.empty() ? std::optional(number) : std::nullopt;
}

std::optional<std::chrono::milliseconds> duration_from_text(std::string_view text) noexcept {
  constexpr std::uint64_t Year = 365ULL * 24 * 3600 * 1000;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = number_from_text(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  for (const auto& [name, milliseconds] :
       {std::pair{std::string_view("ms"), 1ULL}, std::pair{std::string_view("s"), 1000ULL},
        std::pair{std::string_view("m"), 60'000ULL},
        std::pair{std::string_view("h"), 3'600'000ULL}}) {
    if (number && unit == name && *number <= Year / milliseconds) {
      return std::chrono::milliseconds(*number * milliseconds);
    }
  }
  return std::nullopt;
}

std::optional<dns::CookieMaker::Secret> secret_from_text(std::string_view text) noexcept {
  constexpr std::string_view Blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(Blanks);
  if (first == std::string_view::npos) {
    return std::nullopt;
  }
  text = text.substr(first, text.find_last_not_of(Blanks) - first + 1);
  dns::CookieMaker::Secret secret{};
  if (text.size() != secret.size() * 2) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const char* pair = text.data() + 2 * i;
    const auto [stop, ec] = std::from_chars(pair, pair + 2, secret[i], 16);
    if (ec != std::errc() || stop != pair + 2) {
      return std::nullopt;
    }
  }
  return secret;
}

Result<dns::CookieMaker::Secret> secret_from_file(const std::filesystem::path& path) {
  const auto text = read_file(path);
  if (!text) {
    return std::unexpected(text.error());
  }
  const auto secret = secret_from_text(*text);
  if (!secret) {
    return failure(ErrorKind::InvalidInput, "its content is not 32 hex digits");
  }
  return *secret;
}

}  // namespace waypost::ops
