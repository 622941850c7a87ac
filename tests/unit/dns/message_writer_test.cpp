#include "dns/message_writer.h"

#include "dns/edns.h"
#include "dns/ldns_bridge.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace waypost::dns {

namespace {

using Octets = std::vector<std::uint8_t>;
using Lines = std::vector<std::string>;

// From the range for private use (RFC 6895, 3.1).
// NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): any 16 bits are a type.
constexpr auto PrivateType = static_cast<RecordType>(65280);

Name name(std::string_view text) {
  return Name::from_text(text).value();
}

// A query that lives as long as its packet.
struct Asked {
  Octets packet;
  Query query;

  explicit Asked(const test::QueryOptions& options) : packet(test::make_query(options)) {
    REQUIRE(read_query(packet, query) == ReadVerdict::Answer);
  }
};

test::ResponseText finished(MessageWriter& writer, const Octets& buffer) {
  const std::size_t size = writer.finish();
  REQUIRE(size <= buffer.size());
  return test::response_text(Bytes(buffer).first(size));
}

}  // namespace

TEST_CASE("a response echoes id, opcode, RD, CD and the question in its own case") {
  struct Case {
    std::string header;  // Id and flags.
    std::string flags;
  };
  for (const Case& c :
       {Case{"1234 0000", "qr"}, Case{"ffff 0100", "qr rd"}, Case{"0000 0110", "qr rd cd"},
        Case{"0001 07ef", "qr rd"}, Case{"0002 0010", "qr cd"}}) {
    CAPTURE(c.header);
    Octets packet = test::make_query({.name = "wEb.Shop.", .type = RecordType::SRV});
    const Octets header = test::from_hex(c.header);
    std::ranges::copy(header, packet.begin());
    Query query;
    REQUIRE(read_query(packet, query) == ReadVerdict::Answer);
    Octets buffer(512, 0xee);
    MessageWriter writer(buffer);
    writer.start(query);
    const test::ResponseText response = finished(writer, buffer);
    CHECK(response.id == load_u16(packet.data()));
    CHECK(response.flags == c.flags);
    CHECK(response.rcode == "NOERROR");
    CHECK(response.question == "wEb.Shop. IN SRV");
  }
}

TEST_CASE("an opcode that is not offered is echoed with the header alone") {
  Query query;
  REQUIRE(read_query(test::from_hex("1234 2100 0001 0000 0000 0000"), query) ==
          ReadVerdict::NotImp);
  Octets buffer(512, 0xee);
  MessageWriter writer(buffer);
  writer.start(query);
  writer.set_rcode(Rcode::NotImp);
  REQUIRE(writer.finish() == HeaderSize);
  CHECK(test::hexdump(Bytes(buffer).first(HeaderSize)) == "12 34 a1 04 00 00 00 00 00 00 00 00");
}

TEST_CASE("flags and rcode are set and taken back") {
  const Asked asked({.name = "a."});
  Octets buffer(512);
  MessageWriter writer(buffer);
  writer.start(asked.query);
  writer.set_authoritative(true);
  writer.set_truncated(true);
  writer.set_recursion_available(true);
  writer.set_authentic_data(true);
  writer.set_rcode(Rcode::NxDomain);
  CHECK(writer.is_truncated());
  CHECK(writer.rcode() == Rcode::NxDomain);
  CHECK(finished(writer, buffer).flags == "qr aa tc rd ra ad");
  CHECK(finished(writer, buffer).rcode == "NXDOMAIN");
  writer.set_authoritative(false);
  writer.set_truncated(false);
  writer.set_recursion_available(false);
  writer.set_authentic_data(false);
  CHECK(finished(writer, buffer).flags == "qr rd");
  CHECK_FALSE(writer.is_truncated());
}

TEST_CASE("an rcode above 15 leaves its low bits in the header and the rest to EDNS") {
  const Asked asked({.name = "a.", .edns = true});
  Octets buffer(512);
  Octets opt(64);
  MessageWriter writer(buffer);
  writer.start(asked.query);
  opt.resize(write_opt({.rcode = Rcode::BadCookie}, opt));
  REQUIRE(writer.reserve(opt.size()));
  writer.set_rcode(Rcode::BadCookie);
  REQUIRE(writer.add_reserved(opt));
  const test::ResponseText response = finished(writer, buffer);
  CHECK(response.rcode == "BADCOOKIE");
  CHECK(response.flags == "qr rd");
  CHECK(response.edns);
  CHECK(response.additional.empty());
}

TEST_CASE("each kind of record is written as ldns reads it") {
  const Asked asked({.name = "Web.Shop.x."});
  struct Case {
    std::string what;
    std::function<bool(MessageWriter&)> write;
    std::string line;
  };
  const Octets v4 = test::from_hex("0a000001");
  const Octets v6 = test::from_hex("fd000000000000000000000000000001");
  const Octets text = test::from_hex("0131");
  const Octets label = test::from_hex("026570");
  const Octets zero_label = test::from_hex("020100");
  const Octets labels = test::from_hex("016101620163");
  const Name whole = name("B.y.");
  const Name mailbox = name("hostmaster.x.");
  const Name odd = name("a\\000.");
  const NameParts asked_name = NameParts::at(QuestionOffset);
  const NameParts apex = NameParts::at(QuestionOffset + 9);
  const auto answer = Section::Answer;
  const std::vector<Case> cases = {
      {"A at the question",
       [&](MessageWriter& w) { return w.add_address(answer, asked_name, 5, v4); },
       "Web.Shop.x. 5 IN A 10.0.0.1"},
      {"AAAA at the question",
       [&](MessageWriter& w) { return w.add_address(answer, asked_name, 5, v6); },
       "Web.Shop.x. 5 IN AAAA fd00::1"},
      {"A at a suffix of the question",
       [&](MessageWriter& w) { return w.add_address(answer, apex, 3600, v4); },
       "x. 3600 IN A 10.0.0.1"},
      {"A below the question",
       [&](MessageWriter& w) {
         return w.add_address(answer, {label, {}, QuestionOffset}, 4294967295U, v4);
       },
       "ep.Web.Shop.x. 4294967295 IN A 10.0.0.1"},
      {"head and tail before a pointer",
       [&](MessageWriter& w) {
         return w.add_address(answer, {label, labels, apex.pointer}, 5, v4);
       },
       "ep.a.b.c.x. 5 IN A 10.0.0.1"},
      {"head and tail before the root",
       [&](MessageWriter& w) { return w.add_address(answer, {label, labels, 0}, 5, v4); },
       "ep.a.b.c. 5 IN A 10.0.0.1"},
      {"a tail with the root ends the name, whatever the pointer",
       [&](MessageWriter& w) {
         return w.add_address(answer, {label, whole.wire(), QuestionOffset}, 5, v4);
       },
       "ep.B.y. 5 IN A 10.0.0.1"},
      {"a tail whose last label ends in a zero octet goes on",
       [&](MessageWriter& w) {
         return w.add_address(answer, {{}, zero_label, apex.pointer}, 5, v4);
       },
       "\\001\\000.x. 5 IN A 10.0.0.1"},
      {"a whole name with such a label ends",
       [&](MessageWriter& w) { return w.add_address(answer, NameParts::whole(odd.wire()), 5, v4); },
       "a\\000. 5 IN A 10.0.0.1"},
      {"no parts at all are the root",
       [&](MessageWriter& w) { return w.add_address(answer, {}, 5, v4); }, ". 5 IN A 10.0.0.1"},
      {"the root as a whole name",
       [&](MessageWriter& w) {
         return w.add_address(answer, NameParts::whole(Name().wire()), 5, v4);
       },
       ". 5 IN A 10.0.0.1"},
      {"any record",
       [&](MessageWriter& w) {
         return w.add_record(answer, asked_name, RecordType::TXT, RecordClass::CH, 5, text);
       },
       "Web.Shop.x. 5 CH TXT \"1\""},
      {"no rdata",
       [&](MessageWriter& w) {
         return w.add_record(answer, asked_name, PrivateType, RecordClass::IN, 5, {});
       },
       "Web.Shop.x. 5 IN TYPE65280 \\# 0"},
      {"CNAME to a whole name",
       [&](MessageWriter& w) {
         return w.add_name(answer, asked_name, RecordType::CNAME, 5,
                           NameParts::whole(whole.wire()));
       },
       "Web.Shop.x. 5 IN CNAME B.y."},
      {"NS below a suffix",
       [&](MessageWriter& w) {
         return w.add_name(answer, apex, RecordType::NS, 5, {label, {}, apex.pointer});
       },
       "x. 5 IN NS ep.x."},
      {"PTR to a pointer",
       [&](MessageWriter& w) { return w.add_name(answer, apex, RecordType::PTR, 5, asked_name); },
       "x. 5 IN PTR Web.Shop.x."},
      {"SRV",
       [&](MessageWriter& w) {
         return w.add_srv(answer, asked_name, 5, 0, 100, 65535, {label, whole.wire(), 0});
       },
       "Web.Shop.x. 5 IN SRV 0 100 65535 ep.B.y."},
      {"SOA",
       [&](MessageWriter& w) {
         return w.add_soa(answer, apex, 5, {label, {}, apex.pointer},
                          NameParts::whole(mailbox.wire()), {.serial = 4294967295U, .minimum = 30});
       },
       "x. 5 IN SOA ep.x. hostmaster.x. 4294967295 7200 1800 86400 30"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Octets buffer(512, 0xee);
    MessageWriter writer(buffer);
    writer.start(asked.query);
    REQUIRE(c.write(writer));
    CHECK(writer.count(Section::Answer) == 1);
    const test::ResponseText response = finished(writer, buffer);
    CHECK(response.answer == Lines{c.line});

    // In every smaller buffer the record is refused, and the message is as before.
    const std::size_t full = writer.size();
    for (std::size_t size = HeaderSize + asked.query.question.size(); size < full; ++size) {
      CAPTURE(size);
      Octets small(size, 0xee);
      MessageWriter limited(small);
      limited.start(asked.query);
      const Octets before = small;
      CHECK_FALSE(c.write(limited));
      CHECK(small == before);
      CHECK(limited.count(Section::Answer) == 0);
      CHECK(limited.last_target() == 0);
      CHECK(finished(limited, small).question == "Web.Shop.x. IN A");
    }
  }
}

TEST_CASE("records are counted in their sections") {
  const Asked asked({.name = "a."});
  const Octets v4 = test::from_hex("0a000001");
  Octets buffer(512);
  MessageWriter writer(buffer);
  writer.start(asked.query);
  const NameParts owner = NameParts::at(QuestionOffset);
  REQUIRE(writer.add_address(Section::Answer, owner, 1, v4));
  REQUIRE(writer.add_address(Section::Answer, owner, 2, v4));
  REQUIRE(writer.add_address(Section::Authority, owner, 3, v4));
  REQUIRE(writer.add_address(Section::Additional, owner, 4, v4));
  const test::ResponseText response = finished(writer, buffer);
  CHECK(response.answer == Lines{"a. 1 IN A 10.0.0.1", "a. 2 IN A 10.0.0.1"});
  CHECK(response.authority == Lines{"a. 3 IN A 10.0.0.1"});
  CHECK(response.additional == Lines{"a. 4 IN A 10.0.0.1"});
}

TEST_CASE("the target of a CNAME is an owner for what follows") {
  const Asked asked({.name = "alias.x."});
  const Name target = name("Far.Away.");
  const Octets v4 = test::from_hex("0a000001");
  Octets buffer(512);
  MessageWriter writer(buffer);
  writer.start(asked.query);
  REQUIRE(writer.add_name(Section::Answer, NameParts::at(QuestionOffset), RecordType::CNAME, 5,
                          NameParts::whole(target.wire())));
  REQUIRE(writer.last_target() != 0);
  REQUIRE(writer.add_address(Section::Answer, NameParts::at(writer.last_target()), 5, v4));
  const auto mark = writer.mark();
  const std::uint16_t kept = writer.last_target();
  REQUIRE(writer.add_srv(Section::Answer, NameParts::at(QuestionOffset), 5, 1, 2, 3,
                         NameParts::whole(target.wire())));
  CHECK(writer.last_target() > kept);
  writer.rollback(mark);
  // What was cut off is no place for a pointer.
  CHECK(writer.last_target() == 0);
  const test::ResponseText response = finished(writer, buffer);
  CHECK(response.answer == Lines{"Far.Away. 5 IN A 10.0.0.1", "alias.x. 5 IN CNAME Far.Away."});
}

TEST_CASE("a target behind the reach of pointers is not offered as one") {
  const Asked asked({.name = "a."});
  const Name target = name("b.");
  const NameParts owner = NameParts::at(QuestionOffset);
  for (const std::size_t offset : {MaxPointer + 0U, MaxPointer + 1U}) {
    CAPTURE(offset);
    Octets buffer(65535);
    MessageWriter writer(buffer);
    writer.start(asked.query);
    // A record that ends twelve octets before `offset`, where the next one's fixed part fits.
    const Octets filling(offset - 12 - 12 - writer.size(), 0);
    REQUIRE(writer.add_record(Section::Answer, owner, PrivateType, RecordClass::IN, 5, filling));
    REQUIRE(writer.add_name(Section::Answer, owner, RecordType::CNAME, 5,
                            NameParts::whole(target.wire())));
    CHECK(writer.last_target() == (offset <= MaxPointer ? offset : 0U));
    finished(writer, buffer);
  }
}

TEST_CASE("what is reserved is kept for the end") {
  const Asked asked({.name = "a.", .edns = true});
  const Octets v4 = test::from_hex("0a000001");
  const NameParts owner = NameParts::at(QuestionOffset);
  Octets opt(11);
  REQUIRE(write_opt({}, opt) == 11);
  // Header, question, one A of 16 octets, OPT of 11.
  const std::size_t exact = HeaderSize + asked.query.question.size() + 16 + 11;
  for (const std::size_t size : {exact - 1, exact, exact + 15, exact + 16}) {
    CAPTURE(size);
    Octets buffer(size, 0xee);
    MessageWriter writer(buffer);
    writer.start(asked.query);
    REQUIRE(writer.reserve(11));
    std::size_t written = 0;
    while (writer.add_address(Section::Answer, owner, 5, v4)) {
      ++written;
    }
    CHECK(written == (size - exact + 16) / 16);
    CHECK_FALSE(writer.add_record(Section::Answer, owner, RecordType::A, RecordClass::IN, 5, v4));
    REQUIRE(writer.add_reserved(opt));
    CHECK_FALSE(writer.add_address(Section::Answer, owner, 5, v4));
    const test::ResponseText response = finished(writer, buffer);
    CHECK(response.edns);
    CHECK(response.answer.size() == written);
  }
  Octets buffer(HeaderSize + asked.query.question.size() + 10);
  MessageWriter writer(buffer);
  writer.start(asked.query);
  CHECK_FALSE(writer.reserve(11));
  CHECK(writer.reserve(10));
  CHECK_FALSE(writer.add_reserved(opt));
  CHECK_FALSE(finished(writer, buffer).edns);
}

TEST_CASE("a writer starts over as if it were new") {
  const Asked asked({.name = "a.", .recursion_desired = false});
  const Octets v4 = test::from_hex("0a000001");
  Octets buffer(64);
  MessageWriter writer(buffer);
  writer.start(asked.query);
  REQUIRE(writer.reserve(writer.size()));
  writer.set_authoritative(true);
  writer.set_rcode(Rcode::Refused);
  writer.add_address(Section::Answer, NameParts::at(QuestionOffset), 5, v4);
  writer.start(asked.query);
  CHECK(writer.reserve(64 - writer.size()));
  const test::ResponseText response = finished(writer, buffer);
  CHECK(response.flags == "qr");
  CHECK(response.rcode == "NOERROR");
  CHECK(response.answer.empty());
}

TEST_CASE("a question that does not fit is left out") {
  const Asked asked({.name = "web.shop.svc.cluster.local."});
  for (std::size_t size = HeaderSize; size < HeaderSize + asked.query.question.size(); ++size) {
    CAPTURE(size);
    Octets buffer(size, 0xee);
    MessageWriter writer(buffer);
    writer.start(asked.query);
    REQUIRE(writer.finish() == HeaderSize);
    CHECK(test::response_text(Bytes(buffer).first(HeaderSize)).question.empty());
  }
}

namespace {

// Makes calls of the writer from random numbers and keeps what ldns has to find.
class RandomWriter {
 public:
  RandomWriter(std::uint32_t seed, std::size_t limit)
      : random_(seed),
        asked_({.name = random_name(false).to_text()}),
        buffer_(limit, 0xee),
        writer_(buffer_) {
    writer_.start(asked_.query);
    names_.push_back({QuestionOffset, Name::from_wire(asked_.query.name.wire()).value()});
  }

  void run() {
    const unsigned calls = below(60);
    const unsigned answers = below(calls + 1);
    const unsigned authorities = below(calls + 1);
    for (unsigned i = 0; i < calls; ++i) {
      const Section section = i < answers                 ? Section::Answer
                              : i < answers + authorities ? Section::Authority
                                                          : Section::Additional;
      if (below(16) == 0) {
        const auto mark = writer_.mark();
        const auto lines = lines_;
        const auto names = names_;
        add_record(section);
        add_record(section);
        writer_.rollback(mark);
        lines_ = lines;
        names_ = names;
      } else {
        add_record(section);
      }
    }
    check();
  }

 private:
  struct Placed {
    std::uint16_t offset;
    Name name;
  };
  // A name both as it is given to the writer and as it has to be read.
  struct Part {
    Octets head;
    Octets tail;
    std::uint16_t pointer = 0;
    Name whole;

    NameParts parts() const { return {head, tail, pointer}; }
  };

  unsigned below(unsigned bound) {
    return static_cast<unsigned>((std::uint64_t{random_()} * bound) >> 32);
  }

  Octets random_label() {
    const std::size_t size = below(20) == 0 ? 1 + below(63) : 1 + below(8);
    Octets label{static_cast<std::uint8_t>(size)};
    for (std::size_t i = 0; i < size; ++i) {
      label.push_back(below(6) == 0 ? static_cast<std::uint8_t>(below(4))
                                    : static_cast<std::uint8_t>('a' + below(26)));
    }
    return label;
  }

  Name random_name(bool rooted) {
    Octets wire;
    for (unsigned labels = below(4) + (rooted ? 0 : 1); labels > 0; --labels) {
      const Octets label = random_label();
      if (wire.size() + label.size() < 200) {
        wire.insert(wire.end(), label.begin(), label.end());
      }
    }
    wire.push_back(0);
    return Name::from_wire(wire).value();
  }

  // Labels before a tail, a pointer or the root; never longer than a name may be.
  Part random_part(bool compress) {
    Part part;
    Octets end{0};
    if (compress && below(4) != 0) {
      const Placed& placed = names_[below(static_cast<unsigned>(names_.size()))];
      part.pointer = placed.offset;
      end.assign(placed.name.wire().begin(), placed.name.wire().end());
    } else if (below(2) == 0) {
      const Name whole = random_name(true);
      part.tail.assign(whole.wire().begin(), whole.wire().end());
      end = part.tail;
    }
    const auto extend = [&](Octets& to, bool whole_tail) {
      for (unsigned labels = below(3); labels > 0 && !whole_tail; --labels) {
        const Octets label = random_label();
        if (part.head.size() + part.tail.size() + label.size() + end.size() < MaxNameSize) {
          to.insert(to.end(), label.begin(), label.end());
        }
      }
    };
    const bool whole_tail = !part.tail.empty();
    extend(part.head, false);
    extend(part.tail, whole_tail);
    Octets wire = part.head;
    if (!whole_tail) {
      wire.insert(wire.end(), part.tail.begin(), part.tail.end());
    }
    wire.insert(wire.end(), end.begin(), end.end());
    part.whole = Name::from_wire(wire).value();
    return part;
  }

  void add_record(Section section) {
    const std::size_t before = writer_.size();
    const Part owner = random_part(true);
    const std::uint32_t ttl = below(100000);
    Record record{owner.whole, RecordType::A, RecordClass::IN, ttl, {}};
    const auto append = [&record](Bytes octets) {
      record.rdata.insert(record.rdata.end(), octets.begin(), octets.end());
    };
    bool written = false;
    const unsigned kind = below(6);
    if (kind <= 1) {
      record.type = kind == 0 ? RecordType::A : RecordType::AAAA;
      record.rdata.assign(kind == 0 ? 4 : 16, static_cast<std::uint8_t>(below(256)));
      written = writer_.add_address(section, owner.parts(), ttl, record.rdata);
    } else if (kind == 2) {
      record.type = RecordType::TXT;
      const Octets label = random_label();
      append(label);
      written = writer_.add_record(section, owner.parts(), record.type, record.record_class, ttl,
                                   record.rdata);
    } else if (kind == 3) {
      const Part target = random_part(true);
      record.type = below(2) == 0 ? RecordType::CNAME : RecordType::NS;
      append(target.whole.wire());
      written = writer_.add_name(section, owner.parts(), record.type, ttl, target.parts());
      note_target(written, target);
    } else if (kind == 4) {
      const Part target = random_part(false);
      const auto port = static_cast<std::uint16_t>(below(65536));
      record.type = RecordType::SRV;
      Octets numbers(6);
      store_u16(numbers.data(), 1);
      store_u16(numbers.data() + 2, 2);
      store_u16(numbers.data() + 4, port);
      append(numbers);
      append(target.whole.wire());
      written = writer_.add_srv(section, owner.parts(), ttl, 1, 2, port, target.parts());
      note_target(written, target);
    } else {
      const Part primary = random_part(true);
      const Part mailbox = random_part(true);
      record.type = RecordType::SOA;
      append(primary.whole.wire());
      append(mailbox.whole.wire());
      Octets times(20);
      for (std::size_t i = 0; i < 5; ++i) {
        store_u32(times.data() + 4 * i, static_cast<std::uint32_t>(i + 1));
      }
      append(times);
      written = writer_.add_soa(section, owner.parts(), ttl, primary.parts(), mailbox.parts(),
                                {1, 2, 3, 4, 5});
    }
    if (!written) {
      CHECK(writer_.size() == before);
      return;
    }
    // An owner that is not just a pointer is a place for later ones.
    if ((!owner.head.empty() || !owner.tail.empty()) && before <= MaxPointer) {
      names_.push_back({static_cast<std::uint16_t>(before), owner.whole});
    }
    lines_[static_cast<std::size_t>(section)].push_back(to_text(record));
  }

  void note_target(bool written, const Part& target) {
    if (written && writer_.last_target() != 0) {
      names_.push_back({writer_.last_target(), target.whole});
    }
  }

  void check() {
    for (Lines& lines : lines_) {
      std::ranges::sort(lines);
    }
    const test::ResponseText response = finished(writer_, buffer_);
    CHECK(response.answer == lines_[0]);
    CHECK(response.authority == lines_[1]);
    CHECK(response.additional == lines_[2]);
  }

  std::mt19937 random_;
  Asked asked_;
  Octets buffer_;
  MessageWriter writer_;
  std::vector<Placed> names_;
  std::array<Lines, 3> lines_;
};

}  // namespace

TEST_CASE("whatever is written in whatever order, ldns reads the same records") {
  for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    RandomWriter writer(seed, seed % 4 == 0 ? 400 : seed % 4 == 1 ? 512 : 16000);
    writer.run();
  }
}

}  // namespace waypost::dns
