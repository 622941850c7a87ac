#include "zones/record_text.h"

#include "base/bytes.h"
#include "base/freed_by.h"

#include <fmt/format.h>
#include <ldns/ldns.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>

namespace waypost::zones {

namespace {

using OwnedRecord = std::unique_ptr<ldns_rr, FreedBy<ldns_rr_free>>;
using OwnedField = std::unique_ptr<ldns_rdf, FreedBy<ldns_rdf_deep_free>>;

constexpr std::uint32_t MaxTtl = 0x7fffffff;  // RFC 2181, 8

// How a field is called in a message about it.
std::string_view word_for(ldns_rdf_type type) {
  switch (type) {
    case LDNS_RDF_TYPE_A:
      return "IPV4-ADDRESS";
    case LDNS_RDF_TYPE_AAAA:
      return "IPV6-ADDRESS";
    case LDNS_RDF_TYPE_DNAME:
      return "NAME";
    case LDNS_RDF_TYPE_INT8:
      return "NUMBER(0..255)";
    case LDNS_RDF_TYPE_INT16:
      return "NUMBER(0..65535)";
    case LDNS_RDF_TYPE_INT32:
      return "NUMBER(0..4294967295)";
    case LDNS_RDF_TYPE_PERIOD:
      return "TIME";
    case LDNS_RDF_TYPE_STR:
    case LDNS_RDF_TYPE_LONG_STR:
      return "STRING";
    default:
      return "DATA";
  }
}

// "MX NUMBER(0..65535) NAME"
std::string what_is_expected(std::uint16_t type, std::string_view type_text) {
  std::string text(type_text);
  const ldns_rr_descriptor* descriptor = ldns_rr_descript(type);
  for (std::size_t i = 0; i < ldns_rr_descriptor_minimum(descriptor); ++i) {
    text.append(" ").append(word_for(ldns_rr_descriptor_field_type(descriptor, i)));
  }
  if (ldns_rr_descriptor_maximum(descriptor) > ldns_rr_descriptor_minimum(descriptor)) {
    text += " ...";
  }
  return text;
}

std::uint64_t big_endian(Bytes octets) noexcept {
  std::uint64_t value = 0;
  for (const std::uint8_t octet : octets) {
    value = value << 8 | octet;
  }
  return value;
}

// ldns reads numbers modulo the size of their field; the text must say what is in the field.
bool is_same_number(const ldns_rdf* field, std::string_view text) noexcept {
  const std::uint64_t value = big_endian({ldns_rdf_data(field), ldns_rdf_size(field)});
  switch (ldns_rdf_get_type(field)) {
    case LDNS_RDF_TYPE_INT8:
    case LDNS_RDF_TYPE_INT16:
    case LDNS_RDF_TYPE_INT32: {
      std::uint64_t stated = 0;
      const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), stated);
      return ec == std::errc() && end == text.data() + text.size() && stated == value;
    }
    case LDNS_RDF_TYPE_PERIOD:
      return read_period(text) == value;
    default:
      return true;
  }
}

// The number of a mnemonic or of TYPE1234 (RFC 3597, 5), which ldns would read modulo some power of
// two.  0 for what is no type.
std::uint16_t read_type(const std::string& text) {
  static constexpr std::string_view Generic = "TYPE";
  const bool generic =
      std::ranges::equal(as_bytes(std::string_view(text).substr(0, Generic.size())),
                         as_bytes(Generic), {}, ascii_lower, ascii_lower);
  if (!generic) {
    return static_cast<std::uint16_t>(ldns_get_rr_type_by_name(text.c_str()));
  }
  const char* end = text.data() + text.size();
  std::uint16_t number = 0;
  const auto [last, ec] = std::from_chars(text.data() + Generic.size(), end, number);
  return ec == std::errc() && last == end ? number : std::uint16_t{0};
}

}  // namespace

std::optional<std::uint32_t> read_period(std::string_view text) noexcept {
  std::uint64_t total = 0;
  bool any = false;
  while (!text.empty()) {
    std::uint32_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc()) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::uint64_t unit = 1;
    if (!text.empty()) {
      switch (ascii_lower(static_cast<std::uint8_t>(text.front()))) {
        case 's':
          break;
        case 'm':
          unit = 60;
          break;
        case 'h':
          unit = 3600;
          break;
        case 'd':
          unit = 86400;
          break;
        case 'w':
          unit = 604800;
          break;
        default:
          return std::nullopt;
      }
      text.remove_prefix(1);
    }
    total += number * unit;
    any = true;
    if (total > MaxTtl) {
      return std::nullopt;
    }
  }
  return any ? std::optional(static_cast<std::uint32_t>(total)) : std::nullopt;
}

Result<dns::Name> read_name(std::string_view text, const dns::Name& origin) {
  if (text == "@") {
    return origin;
  }
  std::size_t backslashes = 0;  // Before the final dot: an odd one out makes it part of a label.
  while (backslashes + 1 < text.size() && text[text.size() - 2 - backslashes] == '\\') {
    ++backslashes;
  }
  const bool absolute = text.ends_with('.') && backslashes % 2 == 0;
  if (absolute || origin.is_root()) {
    return dns::Name::from_text(text);
  }
  return dns::Name::from_text(fmt::format("{}.{}", text, origin.to_text()));
}

Result<dns::Record> read_record(const dns::Name& owner, std::string_view type,
                                std::span<const std::string_view> rdata, const dns::Name& origin) {
  const std::uint16_t number = read_type(std::string(type));
  if (number == 0) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("unknown type \"{}\", expected one like A, or TYPE with a number "
                               "(RFC 3597, 5)",
                               type));
  }
  std::string text = fmt::format("{} 0 IN {}", owner.to_text(), type);
  for (const std::string_view field : rdata) {
    text.append(" ").append(field);
  }
  const OwnedField base(
      ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, origin.size(), origin.wire().data()));
  ldns_rr* raw = nullptr;
  const ldns_status status = ldns_rr_new_frm_str(&raw, text.c_str(), 0, base.get(), nullptr);
  const OwnedRecord parsed(status == LDNS_STATUS_OK ? raw : nullptr);
  if (parsed == nullptr) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("{}, expected {}", ldns_get_errorstr_by_id(status),
                               what_is_expected(number, type)));
  }
  dns::Record record{.owner = owner, .type = static_cast<dns::RecordType>(number)};
  const bool generic = !rdata.empty() && rdata.front() == "\\#";  // RFC 3597, 5
  for (std::size_t i = 0; i < ldns_rr_rd_count(parsed.get()); ++i) {
    const ldns_rdf* field = ldns_rr_rdf(parsed.get(), i);
    if (!generic && i < rdata.size() && !is_same_number(field, rdata[i])) {
      return failure(ErrorKind::InvalidInput,
                     fmt::format("\"{}\" is out of range, expected {}", rdata[i],
                                 what_is_expected(number, type)));
    }
    const Bytes octets(ldns_rdf_data(field), ldns_rdf_size(field));
    record.rdata.insert(record.rdata.end(), octets.begin(), octets.end());
  }
  return record;
}

}  // namespace waypost::zones
