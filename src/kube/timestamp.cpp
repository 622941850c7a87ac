#include "kube/timestamp.h"

#include <cstddef>

namespace waypost::kube {
namespace {

namespace chrono = std::chrono;

// Takes digits and separators from the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  // A number of exactly `size` digits, -1 when there is none.
  int number(std::size_t size) noexcept {
    int value = 0;
    for (; size > 0; --size) {
      const char digit = one_of("0123456789");
      if (digit == 0) {
        return -1;
      }
      value = value * 10 + (digit - '0');
    }
    return value;
  }
  // The next character, if it is one of `wanted`; otherwise 0.
  char one_of(std::string_view wanted) noexcept {
    if (rest_.empty() || wanted.find(rest_.front()) == std::string_view::npos) {
      return 0;
    }
    const char found = rest_.front();
    rest_.remove_prefix(1);
    return found;
  }
  // The digits of a fraction as nanoseconds.
  chrono::nanoseconds fraction() noexcept {
    chrono::nanoseconds sum{0};
    chrono::nanoseconds unit{100'000'000};
    while (const char digit = one_of("0123456789")) {
      sum += (digit - '0') * unit;
      unit /= 10;
    }
    return sum;
  }
  bool is_at_end() const noexcept { return rest_.empty(); }

 private:
  std::string_view rest_;
};

constexpr bool is_between(int value, int low, int high) noexcept {
  return low <= value && value <= high;
}

// The offset from UTC, nothing when it is malformed.
std::optional<chrono::minutes> offset(Scanner& scanner) noexcept {
  const char sign = scanner.one_of("Zz+-");
  if (sign == 0) {
    return std::nullopt;
  }
  if (sign == 'Z' || sign == 'z') {
    return chrono::minutes(0);
  }
  const int hours = scanner.number(2);
  const bool has_colon = scanner.one_of(":") != 0;
  const int minutes = scanner.number(2);
  if (!is_between(hours, 0, 23) || !has_colon || !is_between(minutes, 0, 59)) {
    return std::nullopt;
  }
  const chrono::minutes total(hours * 60 + minutes);
  return sign == '-' ? -total : total;
}

}  // namespace

std::optional<chrono::system_clock::time_point> parse_timestamp(std::string_view text) noexcept {
  Scanner scanner(text);
  const int year = scanner.number(4);
  const bool has_dash = scanner.one_of("-") != 0;
  const int month = scanner.number(2);
  const bool has_second_dash = scanner.one_of("-") != 0;
  const int day = scanner.number(2);
  const bool has_time = scanner.one_of("Tt ") != 0;
  const int hour = scanner.number(2);
  const bool has_colon = scanner.one_of(":") != 0;
  const int minute = scanner.number(2);
  const bool has_second_colon = scanner.one_of(":") != 0;
  const int second = scanner.number(2);
  if (!has_dash || !has_second_dash || !has_time || !has_colon || !has_second_colon ||
      !is_between(year, 1970, 2200) || !is_between(month, 1, 12) || !is_between(day, 1, 31) ||
      !is_between(hour, 0, 23) || !is_between(minute, 0, 59) || !is_between(second, 0, 60)) {
    return std::nullopt;
  }
  const chrono::year_month_day date{chrono::year(year), chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day))};
  chrono::nanoseconds fraction{0};
  if (scanner.one_of(".") != 0) {
    fraction = scanner.fraction();
  }
  const auto east = offset(scanner);
  if (!date.ok() || !east || !scanner.is_at_end()) {
    return std::nullopt;
  }
  return chrono::sys_days(date) + chrono::hours(hour) + chrono::minutes(minute) +
         chrono::seconds(second) + fraction - *east;
}

}  // namespace waypost::kube
