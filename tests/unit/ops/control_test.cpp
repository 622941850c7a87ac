#include "ops/control.h"

#include "dns/name.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::ops {

TEST_CASE("a flush is of a name or of a zone") {
  std::vector<std::string> asked;
  const FlushCache flush = [&](const dns::NameKey& name, bool below) {
    asked.push_back(dns::Name::from_wire(name.wire())->to_text() + (below ? " and below" : ""));
    return std::optional<std::size_t>(asked.size());
  };
  CHECK(flush_reply("name=WWW.example.com", flush).body ==
        "flushed 1 answer for WWW.example.com.\n");
  CHECK(flush_reply("zone=example.com.", flush).body ==
        "flushed 2 answers for the zone example.com.\n");
  CHECK(flush_reply("name=%5fsip.%65xample", flush).status == 200);
  CHECK(flush_reply("zone=.", flush).status == 200);
  CHECK(asked == std::vector<std::string>{"www.example.com.", "example.com. and below",
                                          "_sip.example.", ". and below"});
}

TEST_CASE("what is no flush is refused, and says what was expected") {
  const FlushCache flush = [](const dns::NameKey&, bool) {
    FAIL("flushed");
    return std::optional<std::size_t>(0);
  };
  for (const char* query : {"", "name", "name=", "zone=", "all", "NAME=a", "name=a..b", "name=%4",
                            "name=%zz", "name=a%"}) {
    CAPTURE(query);
    const HttpReply reply = flush_reply(query, flush);
    CHECK(reply.status == 400);
    CHECK(reply.body.find("expected name=NAME or zone=ZONE") != std::string::npos);
  }
}

TEST_CASE("a flush that is not done in time is no success") {
  const auto busy = [](const dns::NameKey&, bool) { return std::optional<std::size_t>(); };
  CHECK(flush_reply("name=a", busy).status == 503);
}

}  // namespace waypost::ops
