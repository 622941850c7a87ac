#include "ops/query_log_writer.h"

#include "ops/query_log_options.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {
namespace {

using namespace std::string_view_literals;
using server::LoggedQuery;

const log::SystemTime Time{std::chrono::milliseconds(1'767'225'599'007)};

LoggedQuery query_for(std::string_view wire) {
  LoggedQuery query;
  query.client = IpAddress::v4(10, 244, 1, 7);
  query.weight = 1;
  query.type = dns::RecordType::A;
  query.record_class = dns::RecordClass::IN;
  query.rcode = 0;
  query.size = 84;
  query.name_size = static_cast<std::uint16_t>(wire.size());
  std::copy(wire.begin(), wire.end(), query.octets.begin());
  return query;
}

std::string text_of(const LoggedQuery& query) {
  return query_line(log::Format::Text, Time, query);
}

}  // namespace

TEST_CASE("a line of the query log, as text and as JSON") {
  LoggedQuery query = query_for("\3WEB\4shop\0"sv);
  CHECK(text_of(query) ==
        "2025-12-31T23:59:59.007Z info query client=10.244.1.7 protocol=udp name=WEB.shop. "
        "class=IN type=A rcode=NOERROR size=84");
  query.transport = server::Transport::Tcp;
  query.rcode = 2;
  query.is_truncated = true;
  query.was_elsewhere = true;
  query.waited_us = 2'003'600;
  query.weight = 8;
  CHECK(query_line(log::Format::Json, Time, query) ==
        R"({"time":"2025-12-31T23:59:59.007Z","level":"info","message":"query",)"
        R"("client":"10.244.1.7","protocol":"tcp","name":"WEB.shop.","class":"IN","type":"A",)"
        R"("rcode":"SERVFAIL","size":84,"truncated":1,"waited_ms":2004,"stands_for":8})");
}

TEST_CASE("a query without a question, and one without an answer") {
  LoggedQuery query = query_for("");
  query.rcode = 1;
  CHECK(text_of(query).ends_with("protocol=udp name=- rcode=FORMERR size=84"));
  query = query_for("\0"sv);
  query.rcode = LoggedQuery::NoAnswer;
  query.size = 0;
  query.record_class = dns::RecordClass{3};
  query.type = dns::RecordType{65280};
  CHECK(text_of(query).ends_with("name=. class=CH type=TYPE65280 rcode=none size=0"));
}

TEST_CASE("no name makes a line look like two, or like another one") {
  // Every octet that there is.
  for (unsigned octet = 0; octet < 256; ++octet) {
    const std::string label(3, static_cast<char>(octet));
    const LoggedQuery query = query_for("\3" + label + '\0');
    const std::string text = text_of(query);
    CAPTURE(octet);
    CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
    CHECK(std::count(text.begin(), text.end(), ' ') == 9);
    CHECK(std::count(text.begin(), text.end(), '=') == 7);
    const std::string json = query_line(log::Format::Json, Time, query);
    CHECK(std::all_of(json.begin(), json.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
    // Each quote that is not one of the 20 around keys and values is escaped.
    std::size_t quotes = 0;
    for (std::size_t i = 0; i < json.size(); ++i) {
      if (json[i] == '\\') {
        ++i;
      } else {
        quotes += json[i] == '"' ? 1 : 0;
      }
    }
    CHECK(quotes == 2 * (10 + 9));
  }
  CHECK(text_of(query_for("\x1c\nx size=1 rcode=NOERROR\n2026\0"sv))
            .find(R"(name=\010x\032size\x3d1\032rcode\x3dNOERROR\0102026. class=IN)") !=
        std::string::npos);
}

TEST_CASE("of too many lines those that stay are spread evenly, and the others are counted") {
  std::vector<LoggedQuery> queries(10);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    queries[i].size = static_cast<std::uint16_t>(i);
    queries[i].weight = 2;
  }
  auto few = queries;
  CHECK(thin_out(few, 10) == 0);
  CHECK(few.size() == 10);
  CHECK(thin_out(few, 5) == 10);
  REQUIRE(few.size() == 5);
  for (std::size_t i = 0; i < few.size(); ++i) {
    CHECK(few[i].size == 2 * i + 1);
  }
  CHECK(thin_out(few, 0) == 10);
  CHECK(few.empty());
}

TEST_CASE("entries of queryLog are classes, for all names or a zone") {
  Config config;
  for (const char* text :
       {"error", "corp.example=success", "Corp.Example.=denial", "a.example=none"}) {
    CHECK_MESSAGE(put_query_log(config, text), text);
  }
  const std::vector<server::QueryLogRule> expected{{std::string("\0"sv), 4},
                                                   {std::string("\4corp\7example\0"sv), 3},
                                                   {std::string("\1a\7example\0"sv), 0}};
  CHECK(config.query_log.rules == expected);
  CHECK(config.query_log.is_on());
  for (const char* text : {"", "errors", "=all", "corp.example", "corp.example=", "none",
                           "a.example=all", "a..b=all", "corp.example=none"}) {
    CHECK_MESSAGE(!put_query_log(config, text), text);
  }
  CHECK(config.query_log.rules == expected);
  for (int i = 3; i < 64; ++i) {
    CHECK(put_query_log(config, "z" + std::to_string(i) + "=all"));
  }
  CHECK_FALSE(put_query_log(config, "z64=all"));
  CHECK(put_query_log(config, "z63=error"));

  Config off;
  CHECK_FALSE(off.query_log.is_on());
  CHECK(put_query_log(off, "none"));
  CHECK_FALSE(off.query_log.is_on());
}

}  // namespace waypost::ops
