#include "ops/control.h"

#include "dns/name.h"

#include <string>

namespace waypost::ops {
namespace {

HttpReply refuse(std::string why) {
  return {.status = 400, .body = std::move(why) + "; expected name=NAME or zone=ZONE\n"};
}

int hex_value(char c) noexcept {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

// Undoes percent-encoding (RFC 3986, 2.1).
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace

HttpReply flush_reply(std::string_view query, const FlushCache& flush) {
  const bool is_zone = query.starts_with("zone=");
  if (!is_zone && !query.starts_with("name=")) {
    return refuse("found '" + std::string(query.substr(0, 100)) + "'");
  }
  const auto text = decoded(query.substr(5));
  const auto name =
      text && !text->empty() ? std::optional(dns::Name::from_text(*text)) : std::nullopt;
  if (!name) {
    return refuse("found no name");
  }
  if (!*name) {
    return refuse(name->error().message);
  }
  dns::NameKey key;
  key.assign((*name)->wire());
  const auto flushed = flush(key, is_zone);
  if (!flushed) {
    return {.status = 503, .body = "the cache is busy, or not in use\n"};
  }
  return {.body = "flushed " + std::to_string(*flushed) + (*flushed == 1 ? " answer" : " answers") +
                  " for " + (is_zone ? "the zone " : "") + (*name)->to_text() + "\n"};
}

}  // namespace waypost::ops
