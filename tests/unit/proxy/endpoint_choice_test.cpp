#include "proxy/endpoint_choice.h"

#include "world.h"

#include <doctest/doctest.h>

#include <deque>
#include <sstream>
#include <string>
#include <vector>

namespace waypost::proxy {
namespace {

// Of a case's endpoints each is a name and words: here, unready, ending, dead (as in world.h),
// z=ZONES and n=NODES for the hints, separated by commas.  The node is "here".
struct Case {
  std::string_view name;
  std::string_view
      policies;  // "e": external Local, "i": internal Local, "x": reached from outside.
  std::string_view zone;
  std::vector<std::string_view> endpoints;
  std::string_view cluster;  // Names.
  std::string_view local;
  std::string_view any;  // "any" or "none".
};

// A view and what it borrows.
struct Made {
  ServicePortView view;
  std::deque<std::string> texts;
  std::vector<std::string> names;
};

Made make(const Case& c) {
  Made made;
  made.view.is_external_local = c.policies.find('e') != std::string_view::npos;
  made.view.is_internal_local = c.policies.find('i') != std::string_view::npos;
  made.view.node_port = c.policies.find('x') != std::string_view::npos ? 8080 : 0;
  for (const std::string_view text : c.endpoints) {
    std::istringstream words{std::string(text)};
    std::string word;
    words >> word;
    made.names.push_back(word);
    PortEndpoint endpoint{.port = 80};
    while (words >> word) {
      if (word == "here") {
        endpoint.is_local = true;
      } else if (word == "unready") {
        endpoint.ready = endpoint.serving = false;
      } else if (word == "ending") {
        endpoint.ready = false;
        endpoint.terminating = true;
      } else if (word == "dead") {
        endpoint.ready = endpoint.serving = false;
        endpoint.terminating = true;
      } else {
        made.texts.push_back(word.substr(2));
        (word.starts_with("z=") ? endpoint.zone_hints : endpoint.node_hints) = made.texts.back();
      }
    }
    made.view.endpoints.push_back(endpoint);
  }
  return made;
}

std::string names_of(const Made& made, const std::vector<const PortEndpoint*>& endpoints) {
  std::string text;
  for (const PortEndpoint* endpoint : endpoints) {
    text += text.empty() ? "" : " ";
    text += made.names[static_cast<std::size_t>(endpoint - made.view.endpoints.data())];
  }
  return text;
}

const std::vector<Case> Cases = {
    // Topology.
    {"zone hints are followed", "", "a", {"1 z=a", "2 z=b", "3 z=c", "4 z=a"}, "1 4", "", "any"},
    {"no hints, no topology", "", "a", {"1", "2"}, "1 2", "", "any"},
    {"one endpoint without hint: hints are ignored",
     "",
     "a",
     {"1 z=a", "2 z=b", "3", "4 z=a"},
     "1 2 3 4",
     "",
     "any"},
    {"the node has no zone", "", "", {"1 z=a", "2 z=b"}, "1 2", "", "any"},
    {"no endpoint is for the node's zone", "", "b", {"1 z=a"}, "1", "", "any"},
    {"an endpoint may be for several zones",
     "",
     "c",
     {"1 z=a,b,c", "2 z=b,c", "3 z=b,d", "4 z=c"},
     "1 2 4",
     "",
     "any"},
    {"a zone is compared as a whole", "", "a", {"1 z=aa", "2 z=ba"}, "1 2", "", "any"},
    {"unready endpoints are left out of a zone",
     "",
     "a",
     {"1 z=a", "2 z=b", "3 z=a unready"},
     "1",
     "",
     "any"},
    {"only unready ones in the zone: no topology",
     "",
     "a",
     {"1 z=a unready", "2 z=b", "3 z=c", "4 z=a unready"},
     "2 3",
     "",
     "any"},
    {"an unready endpoint without hint does not matter",
     "",
     "a",
     {"1 z=a", "2 z=b", "3 unready"},
     "1",
     "",
     "any"},
    {"node hints are followed", "", "a", {"1 n=here", "2 n=there"}, "1", "", "any"},
    {"node hints go before zone hints",
     "",
     "a",
     {"1 n=here z=a", "2 n=there z=a", "3 n=there z=b"},
     "1",
     "",
     "any"},
    {"no endpoint is for the node: the zone counts",
     "",
     "a",
     {"1 n=there z=a", "2 n=there z=b"},
     "1",
     "",
     "any"},
    {"one endpoint without node hint: the zone counts",
     "",
     "a",
     {"1 n=here z=a", "2 z=a", "3 n=there z=b"},
     "1 2",
     "",
     "any"},
    {"neither kind is complete: no topology", "", "a", {"1 n=here", "2 z=a"}, "1 2", "", "any"},
    {"an endpoint may be for several nodes",
     "",
     "",
     {"1 n=there,here", "2 n=there"},
     "1",
     "",
     "any"},
    {"the zone's only endpoint ends: no topology",
     "",
     "a",
     {"1 z=a ending", "2 z=b"},
     "2",
     "",
     "any"},
    {"an ending endpoint without hint does not matter",
     "",
     "a",
     {"1 z=a", "2 z=b", "3 ending"},
     "1",
     "",
     "any"},
    {"the node's only endpoint ends: the zone counts",
     "",
     "a",
     {"1 n=here z=a ending", "2 n=there z=a", "3 n=there z=b"},
     "2",
     "",
     "any"},
    {"the node's only endpoint is unready: the zone counts",
     "",
     "a",
     {"1 n=here z=a unready", "2 n=there z=a", "3 n=there z=b"},
     "2",
     "",
     "any"},
    {"node hints without zone hints, none for the node: no topology",
     "",
     "a",
     {"1 n=there", "2 n=there"},
     "1 2",
     "",
     "any"},
    {"node hints do not matter to Local traffic",
     "iex",
     "a",
     {"1 n=there here", "2 n=here"},
     "2",
     "1",
     "any"},
    {"topology does not matter to Local external traffic",
     "ex",
     "a",
     {"1 z=a here", "2 z=b here", "3 z=c", "4 z=a"},
     "1 4",
     "1 2",
     "any"},
    {"topology does not matter to Local internal traffic",
     "ix",
     "a",
     {"1 z=a here", "2 z=b here", "3 z=b", "4 z=a"},
     "1 4",
     "1 2",
     "any"},
    // Policies.
    {"Local, nothing there", "i", "", {}, "", "", "none"},
    {"Local, all elsewhere", "i", "", {"1", "2"}, "", "", "any"},
    {"Local, all here", "i", "", {"1 here", "2 here"}, "", "1 2", "any"},
    {"Local, some here", "i", "", {"1 here", "2"}, "", "1", "any"},
    {"internal Local, external Cluster", "ix", "", {"1 here", "2"}, "1 2", "1", "any"},
    {"internal Cluster, external Local", "ex", "", {"1 here", "2"}, "1 2", "1", "any"},
    {"both Local", "iex", "", {"1 here", "2"}, "1 2", "1", "any"},
    {"both Local, all elsewhere", "iex", "", {"1", "2"}, "1 2", "", "any"},
    {"external Local does not matter without external traffic",
     "e",
     "",
     {"1 here", "2"},
     "1 2",
     "",
     "any"},
    // Readiness.
    {"none ready", "", "", {"1 unready", "2 unready"}, "", "", "none"},
    {"some ready", "", "", {"1 unready", "2"}, "2", "", "any"},
    {"all ending: they still serve", "", "", {"1 ending here", "2 ending"}, "1 2", "", "any"},
    {"one ready: the ending ones get nothing", "", "", {"1 ending", "2"}, "2", "", "any"},
    {"ending and not serving is nothing", "", "", {"1 dead", "2 dead"}, "", "", "none"},
    {"all ending, elsewhere, both Local", "iex", "", {"1 ending", "2 ending"}, "1 2", "", "any"},
    {"Local falls back by itself",
     "ex",
     "",
     {"1", "2 here unready", "3 here ending", "4 ending"},
     "1",
     "3",
     "any"},
    {"Local ready goes before Local ending",
     "ex",
     "",
     {"1", "2 here", "3 here ending"},
     "1 2",
     "2",
     "any"},
    {"Local ending goes before nothing, elsewhere ready does not matter",
     "i",
     "",
     {"1", "2 here ending", "3 here dead"},
     "",
     "2",
     "any"},
    {"Local: one that is dead here is nothing",
     "iex",
     "",
     {"1 here dead", "2 ending"},
     "2",
     "",
     "any"},
    {"none ready, one ends and serves",
     "",
     "",
     {"1 unready", "2 ending", "3 dead"},
     "2",
     "",
     "any"},
    {"ending endpoints are used whatever their hints",
     "",
     "a",
     {"1 ending z=b", "2 ending"},
     "1 2",
     "",
     "any"},
};

}  // namespace

TEST_CASE("endpoints are chosen by readiness, policy and topology") {
  for (const Case& c : Cases) {
    INFO(c.name);
    const Made made = make(c);
    const EndpointChoice choice = choose_endpoints(made.view, "here", c.zone);
    CHECK(names_of(made, choice.cluster) == c.cluster);
    CHECK(names_of(made, choice.local) == c.local);
    CHECK((choice.has_any ? "any" : "none") == c.any);
  }
}

TEST_CASE("a choice says how it came about") {
  const auto choose = [](std::string_view policies, std::vector<std::string_view> endpoints) {
    const Made made = make({"", policies, "a", std::move(endpoints), "", "", ""});
    return choose_endpoints(made.view, "here", "a");
  };
  CHECK(choose("", {"1 z=a"}).topology == Topology::SameZone);
  CHECK(choose("", {"1 n=here"}).topology == Topology::SameNode);
  CHECK(choose("", {"1"}).topology == Topology::Everywhere);
  CHECK(choose("", {"1 ending"}).is_cluster_terminating);
  CHECK_FALSE(choose("", {"1", "2 ending"}).is_cluster_terminating);
  CHECK(choose("ex", {"1", "2 here ending"}).is_local_terminating);
  CHECK_FALSE(choose("ex", {"1 here"}).is_local_terminating);
}

}  // namespace waypost::proxy
