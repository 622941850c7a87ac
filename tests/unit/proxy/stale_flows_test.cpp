#include "proxy/stale_flows.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace waypost::proxy {
namespace {

using kube::Protocol;
using Ports = std::vector<ServicePortView>;

SocketAddress at(const char* text) {
  return *SocketAddress::from_text(text);
}

// One port at 10.96.0.1:53, its endpoints as "10.0.0.1:53", with "!" behind for local ones, "~" for
// those that do not serve.
ServicePortView port(std::vector<std::string> endpoints, Protocol protocol = Protocol::Udp) {
  ServicePortView view;
  view.name = "test/dns";
  view.protocol = protocol;
  view.port = 53;
  view.node_port = 30053;
  view.cluster_ip = IpAddress::v4(10, 96, 0, 1);
  view.external_ips = {IpAddress::v4(198, 51, 100, 1)};
  for (std::string text : endpoints) {
    PortEndpoint endpoint;
    if (text.ends_with('!')) {
      endpoint.is_local = true;
      text.pop_back();
    }
    if (text.ends_with('~')) {
      endpoint.ready = endpoint.serving = false;
      text.pop_back();
    }
    endpoint.address = at(text.c_str()).address;
    endpoint.port = at(text.c_str()).port;
    view.endpoints.push_back(endpoint);
  }
  return view;
}

Flow flow(const char* to, const char* replied_by, Protocol protocol = Protocol::Udp,
          bool is_syn_sent = false) {
  return {.protocol = protocol,
          .from = at("10.0.9.9:4000"),
          .to = at(to),
          .replied_by = at(replied_by),
          .is_syn_sent = is_syn_sent};
}

const std::vector<IpAddress> Own = {IpAddress::v4(192, 168, 0, 2)};

bool is_stale(const Ports& before, const Ports& after, const Flow& one) {
  StaleFlows stale;
  stale.note(before, after);
  return stale.is_stale(one, Own);
}

}  // namespace

TEST_CASE("a flow to an endpoint that has gone is stale, one to another is not") {
  const Ports before = {port({"10.0.0.1:53", "10.0.0.2:53"})};
  const Ports after = {port({"10.0.0.2:53"})};
  for (const char* to : {"10.96.0.1:53", "198.51.100.1:53", "192.168.0.2:30053"}) {
    CHECK_MESSAGE(is_stale(before, after, flow(to, "10.0.0.1:53")), to);
    CHECK_FALSE_MESSAGE(is_stale(before, after, flow(to, "10.0.0.2:53")), to);
  }
  // Not ours: another port, another host with the node port's number, another protocol.
  CHECK_FALSE(is_stale(before, after, flow("10.96.0.1:54", "10.0.0.1:53")));
  CHECK_FALSE(is_stale(before, after, flow("192.168.0.3:30053", "10.0.0.1:53")));
  CHECK_FALSE(is_stale(before, after, flow("10.96.0.1:53", "10.0.0.1:53", Protocol::Sctp)));
}

TEST_CASE("an endpoint that ends keeps its flows while it serves") {
  const Ports before = {port({"10.0.0.1:53"})};
  Ports after = {port({"10.0.0.1:53", "10.0.0.2:53"})};
  after[0].endpoints[0].ready = false;
  after[0].endpoints[0].terminating = true;
  CHECK_FALSE(is_stale(before, after, flow("10.96.0.1:53", "10.0.0.1:53")));
  CHECK(is_stale(before, {port({"10.0.0.1:53~", "10.0.0.2:53"})},
                 flow("10.96.0.1:53", "10.0.0.1:53")));
}

TEST_CASE("flows of a Service without endpoints, of one that is new, and of one that is gone") {
  const Ports some = {port({"10.0.0.1:53"})};
  const Ports none = {port({})};
  // Untranslated: the client was there before the Service, or while it had no endpoints.
  const Flow dead_end = flow("10.96.0.1:53", "10.96.0.1:53");
  CHECK(is_stale(some, none, flow("10.96.0.1:53", "10.0.0.1:53")));
  CHECK(is_stale(none, some, dead_end));
  CHECK(is_stale({}, some, dead_end));
  CHECK(is_stale(some, {}, flow("10.96.0.1:53", "10.0.0.1:53")));
  // Of a Service that is gone only what was translated to its endpoints.
  CHECK_FALSE(is_stale(some, {}, dead_end));
  CHECK_FALSE(is_stale(some, {}, flow("192.168.0.2:30053", "192.168.0.2:30053")));
}

TEST_CASE("another port, another node port, another policy") {
  const Ports before = {port({"10.0.0.1:53", "10.0.0.2:53!"})};
  Ports other_port = before;
  other_port[0].port = 54;
  CHECK(is_stale(before, other_port, flow("10.96.0.1:53", "10.0.0.1:53")));
  Ports other_node_port = before;
  other_node_port[0].node_port = 30054;
  CHECK(is_stale(before, other_node_port, flow("192.168.0.2:30053", "10.0.0.1:53")));
  CHECK_FALSE(is_stale(before, other_node_port, flow("10.96.0.1:53", "10.0.0.1:53")));
  Ports local = before;
  local[0].is_internal_local = true;
  CHECK(is_stale(before, local, flow("10.96.0.1:53", "10.0.0.1:53")));
  CHECK_FALSE(is_stale(before, local, flow("10.96.0.1:53", "10.0.0.2:53")));
  CHECK_FALSE(is_stale(before, local, flow("192.168.0.2:30053", "10.0.0.1:53")));
}

TEST_CASE("of TCP only a lone SYN to an endpoint that has gone is stale") {
  const Ports before = {port({"10.0.0.1:53"}, Protocol::Tcp)};
  const Ports after = {port({"10.0.0.2:53"}, Protocol::Tcp)};
  CHECK(is_stale(before, after, flow("10.96.0.1:53", "10.0.0.1:53", Protocol::Tcp, true)));
  CHECK_FALSE(is_stale(before, after, flow("10.96.0.1:53", "10.0.0.1:53", Protocol::Tcp, false)));
  CHECK_FALSE(is_stale(before, after, flow("10.96.0.1:53", "10.0.0.2:53", Protocol::Tcp, true)));
  // A SYN that was sent before there was a Service goes nowhere; it may go to the Service next
  // time.
  CHECK(is_stale({}, after, flow("10.96.0.1:53", "10.96.0.1:53", Protocol::Tcp, true)));
  CHECK_FALSE(is_stale({}, after, flow("10.96.0.1:53", "10.96.0.1:53", Protocol::Tcp, false)));
  CHECK_FALSE(is_stale({}, after, flow("10.96.0.1:53", "10.0.0.9:53", Protocol::Tcp, true)));
}

TEST_CASE("at start only flows of Services that are there and lead to no endpoint are stale") {
  StaleFlows stale;
  stale.note_present({port({"10.0.0.1:53"}), port({"10.0.0.1:53"}, Protocol::Tcp)});
  CHECK(stale.is_stale(flow("10.96.0.1:53", "10.0.0.9:53"), Own));
  CHECK_FALSE(stale.is_stale(flow("10.96.0.1:53", "10.0.0.1:53"), Own));
  CHECK_FALSE(stale.is_stale(flow("10.96.0.2:53", "10.0.0.9:53"), Own));
  CHECK_FALSE(stale.is_stale(flow("10.96.0.1:53", "10.0.0.9:53", Protocol::Tcp, true), Own));
}

TEST_CASE("later notes are what counts, and what died before stays dead") {
  const Flow first = flow("10.96.0.1:53", "10.0.0.1:53");
  const Flow second = flow("10.96.0.1:53", "10.0.0.2:53");
  StaleFlows back;
  back.note({port({"10.0.0.1:53"})}, {port({})});
  back.note({port({})}, {port({"10.0.0.1:53"})});
  CHECK_FALSE(back.is_stale(first, Own));
  StaleFlows older;
  older.note({port({"10.0.0.1:53"})}, {port({"10.0.0.2:53"})});
  StaleFlows newer;
  newer.note({port({"10.0.0.2:53"})}, {});
  newer.merge_older(std::move(older));
  CHECK(newer.is_stale(first, Own));
  CHECK(newer.is_stale(second, Own));
  CHECK_FALSE(newer.empty());
  CHECK(StaleFlows().empty());
}

TEST_CASE("flows to an endpoint that came after something was noted are right") {
  const Flow gone = flow("10.96.0.1:53", "10.0.0.1:53");
  const Flow fresh = flow("10.96.0.1:53", "10.0.0.3:53");
  const Ports later = {port({"10.0.0.2:53", "10.0.0.3:53"})};
  StaleFlows older;
  older.note({port({"10.0.0.1:53", "10.0.0.2:53"})}, {port({"10.0.0.2:53"})});
  // A change that loses nothing is not noted by itself.
  StaleFlows newer;
  newer.note({port({"10.0.0.2:53"})}, later);
  CHECK(newer.empty());
  older.learn(StaleFlows::frontends_of(later));
  newer.merge_older(older);
  for (const StaleFlows& stale : {older, newer}) {
    CHECK_FALSE(stale.is_stale(fresh, Own));
    CHECK_FALSE(stale.is_stale(flow("10.96.0.1:53", "10.0.0.2:53"), Own));
    CHECK(stale.is_stale(gone, Own));
    CHECK(stale.is_stale(flow("192.168.0.2:30053", "10.0.0.1:53"), Own));
    CHECK_FALSE(stale.is_stale(flow("192.168.0.2:30053", "10.0.0.3:53"), Own));
  }
  // Ports that nothing was noted of stay so.
  StaleFlows nothing;
  nothing.learn(StaleFlows::frontends_of(later));
  CHECK(nothing.empty());
  // A Service that was gone and is back.
  StaleFlows back;
  back.note({port({"10.0.0.1:53"})}, {});
  back.learn(StaleFlows::frontends_of(later));
  CHECK(back.is_stale(gone, Own));
  CHECK_FALSE(back.is_stale(fresh, Own));
}

TEST_CASE("what is noted is bounded, and the older goes first") {
  const Flow first = flow("10.96.0.1:53", "10.0.0.1:53");
  const Flow second = flow("10.96.0.1:53", "10.0.0.2:53");
  StaleFlows older;
  older.note({port({"10.0.0.1:53"})}, {port({"10.0.0.2:53"})});
  StaleFlows newer;
  newer.note({port({"10.0.0.2:53"})}, {});
  // Three ports each, with a dead endpoint and perhaps a live one.
  StaleFlows small = newer;
  CHECK(small.merge_older(older, 6) == 3);
  CHECK(small.is_stale(second, Own));
  CHECK_FALSE(small.is_stale(first, Own));
  StaleFlows large = newer;
  CHECK(large.merge_older(older, 15) == 0);
  CHECK(large.is_stale(second, Own));
  CHECK(large.is_stale(first, Own));
}

TEST_CASE("a change that loses nothing has nothing to look for") {
  StaleFlows stale;
  stale.note({port({"10.0.0.1:53"})}, {port({"10.0.0.1:53", "10.0.0.2:53"})});
  stale.note({}, {port({})});
  CHECK(stale.empty());
}

}  // namespace waypost::proxy
