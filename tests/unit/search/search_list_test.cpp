#include "search/search_list.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::test {
namespace {

using kube::DnsPolicy;
using kube::PodSearch;
using search::SearchList;

search::SearchSurroundings surroundings(std::vector<std::string> hosts = {"host.example"}) {
  return {*dns::Name::from_text("cluster.local"), std::move(hosts)};
}

// "shop.svc.cluster.local. host.example. ndots:5", with "other" where names are not completed.
std::string list_of(const PodSearch& pod, const search::SearchSurroundings& around,
                    std::string_view name_space = "shop") {
  const SearchList list(name_space, pod, around);
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto name = dns::Name::from_wire(list[i].wire);
    CHECK(name);
    CHECK(name->label_count() == list[i].labels);
    CHECK(list[i].is_in_zone == name->is_within(around.zone));
    text += name->to_text() + " ";
  }
  return text + "ndots:" + std::to_string(list.ndots()) + (list.is_cluster_first() ? "" : " other");
}

}  // namespace

TEST_CASE("a Pod's list is what the kubelet writes for it") {
  const std::string cluster = "shop.svc.cluster.local. svc.cluster.local. cluster.local. ";
  struct Case {
    const char* what;
    PodSearch pod;
    std::string list;
  };
  for (const Case& c : {
           Case{"nothing said", {}, cluster + "host.example. ndots:5"},
           Case{"domains and ndots of its own",
                {.searches = {"more.example", "host.example", "Svc.Cluster.Local."}, .ndots = "2"},
                cluster + "host.example. more.example. svc.cluster.local. ndots:2"},
           Case{"more dots than resolvers count",
                {.ndots = "99"},
                cluster + "host.example. ndots:15"},
           Case{"ndots that is no number", {.ndots = "x"}, cluster + "host.example. ndots:0"},
           Case{"the host's network", {.host_network = true}, "host.example. ndots:1 other"},
           Case{"the host's network with the cluster's DNS",
                {.policy = DnsPolicy::ClusterFirstWithHostNet, .host_network = true},
                cluster + "host.example. ndots:5"},
           Case{"the host's list", {.policy = DnsPolicy::Default}, "host.example. ndots:1 other"},
           Case{"no list", {.policy = DnsPolicy::None}, "ndots:1 other"},
           Case{"a list of its own that is the cluster's",
                {.policy = DnsPolicy::None,
                 .searches = {"shop.svc.cluster.local", "svc.cluster.local"},
                 .ndots = "5"},
                "shop.svc.cluster.local. svc.cluster.local. ndots:5"},
           Case{"that of another namespace",
                {.policy = DnsPolicy::None, .searches = {"other.svc.cluster.local"}},
                "other.svc.cluster.local. ndots:1 other"},
           Case{"a domain that is no name",
                {.searches = {std::string(64, 'a')}},
                cluster + "host.example. ndots:5 other"},
       }) {
    CAPTURE(c.what);
    CHECK(list_of(c.pod, surroundings()) == c.list);
  }
}

TEST_CASE("the cluster's domain is the one that is served, and hosts may have no domain") {
  CHECK(list_of({}, {*dns::Name::from_text("Corp.Internal"), {}}, "a") ==
        "a.svc.corp.internal. svc.corp.internal. corp.internal. ndots:5");
}

TEST_CASE("the longest list that a Pod can have is known, and none is longer") {
  PodSearch pod;
  for (int i = 0; i < 40; ++i) {
    pod.searches.push_back("d" + std::to_string(i) + ".example");
  }
  const SearchList list("shop", pod, surroundings());
  CHECK(list.size() == 32);
  CHECK(list.is_cluster_first());
  pod.searches.assign(32, std::string(60, 'a') + "." + std::string(60, 'b') + ".example");
  for (int i = 0; i < 32; ++i) {
    pod.searches[static_cast<std::size_t>(i)] += std::to_string(i);
  }
  CHECK(SearchList("shop", pod, surroundings()).bytes() < 4096);
}

}  // namespace waypost::test
