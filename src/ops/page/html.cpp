#include "ops/page/html.h"

#include "ops/page/page_files.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace waypost::ops {

Html& Html::text(std::string_view any) {
  for (const char each : any) {
    switch (each) {
      case '&':
        text_ += "&amp;";
        break;
      case '<':
        text_ += "&lt;";
        break;
      case '>':
        text_ += "&gt;";
        break;
      case '"':
        text_ += "&quot;";
        break;
      case '\'':
        text_ += "&#39;";
        break;
      default:
        if (each >= ' ' && each <= '~') {
          text_ += each;
        } else {
          text_ += fmt::format("\\x{:02x}", static_cast<unsigned char>(each));
        }
    }
  }
  return *this;
}

Html& Html::number(std::uint64_t value) {
  text_ += std::to_string(value);
  return *this;
}

Html& Html::number(double value, int digits) {
  text_ += fmt::format("{:.{}f}", value, digits);
  return *this;
}

Html fill(std::string_view file, std::initializer_list<std::pair<std::string_view, Html>> places) {
  std::string_view rest = page_file(file);
  Html filled;
  [[maybe_unused]] std::size_t used = 0;
  for (;;) {
    const std::size_t begin = rest.find("{{");
    if (begin == std::string_view::npos) {
      break;
    }
    const std::size_t end = rest.find("}}", begin);
    const auto* place = std::ranges::find(places, rest.substr(begin + 2, end - begin - 2),
                                          &std::pair<std::string_view, Html>::first);
    assert(place != places.end());
    filled.text_ += rest.substr(0, begin);
    filled.text_ += place->second.text_;
    rest.remove_prefix(end + 2);
    ++used;
  }
  assert(used >= places.size());
  filled.text_ += rest;
  return filled;
}

std::string duration_text(double seconds) {
  if (seconds < 9.95) {
    return fmt::format("{:.1f} s", std::max(seconds, 0.0));
  }
  for (const auto& [limit, unit, name] :
       {std::tuple{120.0, 1.0, "s"}, {7200.0, 60.0, "min"}, {172800.0, 3600.0, "h"}}) {
    if (seconds < limit) {
      return fmt::format("{:.0f} {}", seconds / unit, name);
    }
  }
  return fmt::format("{:.0f} d", seconds / 86400);
}

std::string size_text(std::uint64_t octets) {
  double value = static_cast<double>(octets);
  constexpr std::array<const char*, 5> Units{"octets", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < Units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 || value >= 100 ? 0 : 1, Units[unit]);
}

}  // namespace waypost::ops
