#include "base/file.h"
#include "client_fixture.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace waypost::kube {
namespace {

using namespace std::chrono_literals;
using test::Script;
using Kind = test::Step::Kind;

std::string recorded(const std::string& name) {
  return read_file(TEST_DATA "/api/" + name + ".http").value();
}

std::uint32_t checksum(const std::string& text) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

// `octets` in portions of `size`.
Script in_portions(const std::string& octets, std::size_t size) {
  Script script;
  for (std::size_t at = 0; at < octets.size(); at += size) {
    script.push_back(test::send(octets.substr(at, size)));
  }
  script.push_back(test::then(Kind::End));
  return script;
}

}  // namespace

TEST_CASE_FIXTURE(ClientFixture, "what a real API server said is read as it was meant") {
  struct Case {
    std::string name;
    unsigned status;
    std::size_t size;        // Of the body, without its chunks.
    std::uint32_t checksum;  // CRC-32 of it.
    bool is_whole;           // False: the recording was cut off.
  };
  for (const Case& c : std::vector<Case>{
           {"error-401", 401, 129, 0xfd943319, true},
           {"error-403", 403, 281, 0x28794882, true},
           {"error-403-watch", 403, 282, 0xb2fbc75c, true},
           {"error-404", 404, 174, 0x9cae257a, true},
           {"list-endpointslices", 200, 43526, 0xf69ca461, true},
           {"list-namespaces", 200, 4038, 0xc313fa3a, true},
           {"list-nodes", 200, 3007, 0x55b26faf, true},
           {"list-pods", 200, 26595, 0x18c15c0e, true},
           {"list-services", 200, 23890, 0xdcfe5374, true},
           {"list-services-gzip", 200, 23890, 0xdcfe5374, true},
           {"list-services-metadata-only", 200, 16719, 0x22a65276, true},
           {"page-services-0", 200, 9525, 0x2174a18e, true},
           {"page-services-1", 200, 8928, 0x69eba926, true},
           {"page-services-2", 200, 5860, 0x3f4a8916, true},
           {"version", 200, 380, 0xf2eabcb6, true},
           {"watch-endpointslices-scripted", 200, 35173, 0x8f814a81, true},
           {"watch-namespaces-scripted", 200, 6439, 0xdba994ac, true},
           {"watch-pods-scripted", 200, 45220, 0xf1055d1b, true},
           {"watch-services-scripted", 200, 7008, 0x640e783a, true},
           {"watch-too-large-rv", 504, 292, 0x17e815a0, true},
           {"watch-too-old", 200, 171, 0x78638fba, true},
           {"watchlist-endpointslices", 200, 45823, 0x67dca519, false},
           {"watchlist-services", 200, 25581, 0x1f277525, false},
       }) {
    CAPTURE(c.name);
    const std::string octets = recorded(c.name);
    for (const std::size_t portion : {octets.size(), std::size_t{997}, std::size_t{61}}) {
      test::ScriptedServer server(context, "127.0.0.1", {},
                                  [&](const auto&) { return in_portions(octets, portion); });
      const Fetched fetched = get(*client(server.url()), "/recorded");
      CHECK(fetched.failure.empty() == c.is_whole);
      CHECK(fetched.status == c.status);
      CHECK(fetched.body.size() == c.size);
      CHECK(checksum(fetched.body) == c.checksum);
    }
  }
}

TEST_CASE_FIXTURE(ClientFixture, "a list is the same when the server packs it") {
  const auto served = [&](const std::string& response) {
    test::ScriptedServer server(context, "127.0.0.1", {},
                                [&](const auto&) { return in_portions(response, 500); });
    const Fetched fetched = get(*client(server.url()), "/recorded");
    CHECK(fetched.failure == "");
    return fetched.body;
  };
  const std::string list = served(recorded("list-services"));
  // The API server leaves a list this small as it is, whatever the client accepts.
  CHECK(served(recorded("list-services-gzip")) == list);
  CHECK(served(test::chunked_response(test::gzip(list), 1000, "Content-Encoding: gzip\r\n")) ==
        list);
}

}  // namespace waypost::kube
