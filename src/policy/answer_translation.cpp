#include "policy/answer_translation.h"

#include <algorithm>
#include <utility>

namespace waypost::policy {

Bytes AnswerRoom::set_question(const dns::NameKey& name, dns::RecordType type) noexcept {
  std::ranges::copy(name.wire(), question_.begin());
  store_u16(question_.data() + name.size, std::to_underlying(type));
  store_u16(question_.data() + name.size + 2, std::to_underlying(dns::RecordClass::IN));
  return Bytes(question_).first(name.size + std::size_t{4});
}

bool AnswerTranslation::write(std::size_t size, dns::MessageWriter& out) noexcept {
  message_ = Bytes(room_.message_).first(size);
  dns::Response& response = room_.response_;
  if (!dns::read_response(message_, response)) {
    return false;
  }
  out.set_authoritative(response.authoritative);
  out.set_authentic_data(response.authentic_data);
  out.set_rcode(response.rcode);
  if (response.truncated) {
    out.set_truncated(true);
    return true;
  }
  for (const auto& [section, records] :
       {std::pair{dns::Section::Answer, response.answer()},
        std::pair{dns::Section::Authority, response.authority()},
        std::pair{dns::Section::Additional, response.additional()}}) {
    for (const dns::ResponseRecord& record : records) {
      if (!write(record, section, out)) {
        // Glue that does not fit is left out.
        out.set_truncated(section != dns::Section::Additional);
        return true;
      }
    }
  }
  return true;
}

bool AnswerTranslation::write(const dns::ResponseRecord& record, dns::Section section,
                              dns::MessageWriter& out) noexcept {
  std::size_t size = 0;
  if (!restore_rdata(record, size)) {
    return false;
  }
  const Bytes rdata = Bytes(room_.rdata_).first(size);
  std::array<std::uint8_t, dns::MaxNameSize> owner;
  const std::size_t owner_size = dns::expand_name(message_, record.owner, owner);
  if (is_looked_up(Bytes(owner).first(owner_size))) {
    return out.add_record(section, dns::NameParts::at(dns::QuestionOffset), record.type,
                          record.record_class, record.ttl, rdata);
  }
  const std::size_t restored = restore(record.owner, Rewriter::Place::Owner);
  return out.add_record(section, dns::NameParts::whole(Bytes(name_).first(restored)), record.type,
                        record.record_class, record.ttl, rdata);
}

bool AnswerTranslation::restore_rdata(const dns::ResponseRecord& record,
                                      std::size_t& size) noexcept {
  const auto add = [&](Bytes octets) {
    if (octets.size() > room_.rdata_.size() - size) {
      return false;
    }
    std::ranges::copy(octets, room_.rdata_.begin() + static_cast<std::ptrdiff_t>(size));
    size += octets.size();
    return true;
  };
  const Bytes all = message_.subspan(record.rdata_at, record.rdata_size);
  if (record.name_count == 0) {
    return add(all);
  }
  if (!add(all.first(std::size_t{record.names_at} - record.rdata_at))) {
    return false;
  }
  std::size_t at = record.names_at;
  for (std::uint8_t i = 0; i < record.name_count; ++i) {
    const std::size_t name_size = restore(at, Rewriter::Place::Value);
    if (!add(Bytes(name_).first(name_size))) {
      return false;
    }
    at = dns::name_end(message_, at);
  }
  return add(all.subspan(at - record.rdata_at));
}

std::size_t AnswerTranslation::restore(std::size_t at, Rewriter::Place place) noexcept {
  std::array<std::uint8_t, dns::MaxNameSize> name;
  const Bytes found = Bytes(name).first(dns::expand_name(message_, at, name));
  if (const std::size_t size = restore_looked_up(found); size != 0) {
    return size;
  }
  if (const std::size_t size = Rewriter::restore(found, place, rewriting_, name_); size != 0) {
    return size;
  }
  std::ranges::copy(found, name_.begin());
  return found.size();
}

std::size_t AnswerTranslation::restore_looked_up(Bytes found) noexcept {
  dns::NameKey key;
  key.assign(found);
  const dns::NameKey& looked_up = rewriting_.name();
  if (!Rewriter::is_automatic(rewriting_) ||
      !key.is_within(looked_up.wire(), looked_up.label_count)) {
    return 0;
  }
  const Bytes asked = asked_.question.first(asked_.question.size() - 4);
  const Bytes below = found.first(found.size() - looked_up.size);
  if (below.size() + asked.size() > name_.size()) {
    return 0;
  }
  std::ranges::copy(below, name_.begin());
  std::ranges::copy(asked, name_.begin() + static_cast<std::ptrdiff_t>(below.size()));
  return below.size() + asked.size();
}

bool AnswerTranslation::is_looked_up(Bytes name) const noexcept {
  dns::NameKey key;
  key.assign(name);
  return key.hash == rewriting_.name().hash &&
         std::ranges::equal(key.wire(), rewriting_.name().wire());
}

}  // namespace waypost::policy
