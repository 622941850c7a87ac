// How often an answer looks into the index and how often it hashes a name: counted, not timed.  A
// program of its own, because it is built with notes (base/tally.h).

#include "base/file.h"
#include "base/tally.h"
#include "support/cluster.h"
#include "support/dns_text.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace waypost {
namespace {

thread_local std::array<unsigned, 2> notes{};

}  // namespace

void note_for_test(Tally what) noexcept {
  ++notes[static_cast<std::size_t>(what)];
}

}  // namespace waypost

namespace waypost::test {
namespace {

using dns::RecordType;

struct Cost {
  std::string rcode;
  unsigned probes = 0;
  unsigned hashes = 0;
  friend bool operator==(const Cost&, const Cost&) = default;
};

std::ostream& operator<<(std::ostream& out, const Cost& cost) {
  return out << cost.rcode << ", " << cost.probes << " probes, " << cost.hashes << " hashes";
}

class Asked {
 public:
  explicit Asked(TestCluster& cluster)
      : responder_(cluster.views(), counters_, 1), out_(dns::MaxMessageSize) {}

  // Alone, as over TCP.
  Cost alone(const std::string& name, RecordType type) {
    const auto request = make_query({.name = name, .type = type});
    notes = {};
    const server::Reply reply = responder_.respond(request, Client, out_);
    return cost(reply);
  }
  // In a group, as over UDP.
  Cost in_group(const std::string& name, RecordType type) {
    const auto request = make_query({.name = name, .type = type});
    const std::array<Bytes, 1> group = {request};
    notes = {};
    responder_.read(group);
    const server::Reply reply = responder_.answer(0, Client, out_);
    return cost(reply);
  }

 private:
  static constexpr server::Client Client{};

  Cost cost(const server::Reply& reply) const {
    return {response_text(Bytes(out_).first(reply.size)).rcode, notes[0], notes[1]};
  }

  server::Counters counters_;
  server::Responder responder_;
  std::vector<std::uint8_t> out_;
};

TEST_CASE("a hit is one look into the index, a denial at most two, and the name is read once") {
  const auto world = read_file(data_path("schema/world.yaml"));
  REQUIRE(world);
  for (const records::PodsMode pods : {records::PodsMode::Verified, records::PodsMode::Insecure}) {
    records::Options options = default_options();
    options.pods = pods;
    TestCluster cluster(options);
    load_world(cluster.cache, *world);
    const bool is_insecure = pods == records::PodsMode::Insecure;
    struct Case {
      std::string name;
      RecordType type;
      Cost cost;
    };
    const std::string zone = "cluster.local.";
    const std::vector<Case> cases = {
        {"web.shop.svc." + zone, RecordType::A, {"NOERROR", 1, 1}},
        {"web.shop.svc." + zone, RecordType::TXT, {"NOERROR", 1, 1}},
        {"shop.svc." + zone, RecordType::A, {"NOERROR", 1, 1}},
        {zone, RecordType::SOA, {"NOERROR", 1, 1}},
        // Below a Service, its part of the name is hashed too.
        {"_http._tcp.web.shop.svc." + zone, RecordType::SRV, {"NOERROR", 1, 2}},
        {"_tcp.web.shop.svc." + zone, RecordType::SRV, {"NOERROR", 1, 2}},
        {"none.web.shop.svc." + zone, RecordType::A, {"NXDOMAIN", 1, 2}},
        {"7.0.96.10.in-addr.arpa.", RecordType::PTR, {"NOERROR", 1, 1}},
        {"8.8.8.8.in-addr.arpa.", RecordType::PTR, {"NXDOMAIN", 1, 1}},
        // Names that the search path makes: most have no place in the schema.
        {"www.example.com.shop.svc." + zone, RecordType::A, {"NXDOMAIN", 0, 1}},
        {"www.example.com.svc." + zone, RecordType::A, {"NXDOMAIN", 1, 2}},
        {"www.example.com." + zone, RecordType::A, {"NXDOMAIN", 1, 1}},
        {"none.shop.svc." + zone, RecordType::A, {"NXDOMAIN", 1, 1}},
        // Only these names may be made from the question.
        {"none.shop.pod." + zone, RecordType::A,
         is_insecure ? Cost{"NXDOMAIN", 2, 2} : Cost{"NXDOMAIN", 1, 1}},
    };
    Asked asked(cluster);
    for (const Case& each : cases) {
      INFO(each.name);
      CHECK(asked.alone(each.name, each.type) == each.cost);
      CHECK(asked.in_group(each.name, each.type) == each.cost);
    }
  }
}

}  // namespace
}  // namespace waypost::test
