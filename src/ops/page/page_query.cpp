#include "ops/page/page_query.h"

#include "ops/text.h"

#include <algorithm>
#include <charconv>

namespace waypost::ops {
namespace {

std::string decoded(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size() && value.size() < PageQuery::MaxValueSize; ++i) {
    unsigned octet = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, octet, 16).ptr == digits + 2) {
      value.push_back(static_cast<char>(octet));
      i += 2;
    } else {
      value.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return value;
}

}  // namespace

PageQuery::PageQuery(std::string_view text) {
  while (!text.empty() && fields_.size() < MaxFields) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view field = text.substr(0, end);
    const std::size_t mark = std::min(field.find('='), field.size());
    fields_.emplace_back(decoded(field.substr(0, mark)),
                         decoded(field.substr(std::min(mark + 1, field.size()))));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string_view PageQuery::value(std::string_view name) const noexcept {
  const auto field = std::ranges::find(fields_, name, &std::pair<std::string, std::string>::first);
  std::string_view value = field == fields_.end() ? std::string_view() : field->second;
  while (value.starts_with(' ')) {
    value.remove_prefix(1);
  }
  while (value.ends_with(' ')) {
    value.remove_suffix(1);
  }
  return value;
}

std::size_t PageQuery::number(std::string_view name, std::size_t most) const noexcept {
  const auto number = number_from_text(value(name));
  return number ? std::clamp<std::size_t>(*number, 1, most) : 1;
}

}  // namespace waypost::ops
