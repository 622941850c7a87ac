#include "ops/page/service_pages.h"

#include "ops/page/service_search.h"
#include "support/cluster.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace waypost::ops {
namespace {

using test::TestCluster;

const dns::Name Zone = *dns::Name::from_text("cluster.local.");

kube::Service service(std::string name_space, std::string name, const char* address = nullptr) {
  kube::Service made;
  made.key = {std::move(name_space), std::move(name)};
  if (address != nullptr) {
    made.cluster_ips = {*IpAddress::from_text(address)};
  }
  return made;
}

void put_many(cache::ServiceCache& cache, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "app-%05u", count - 1 - i);
    cache.put(service(i % 2 == 0 ? "even" : "odd", name));
  }
}

bool has(const Html& html, std::string_view part) {
  return html.to_text().find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Services are found by parts of their name and namespace, in DNS' order, too") {
  cache::ServiceCache cache;
  cache.put(service("shop", "web"));
  cache.put(service("shop", "cart"));
  cache.put(service("blog", "web"));
  const auto found = [&](const char* wanted) {
    std::string text;
    for (const kube::ObjectKey& key : find_services(cache, Zone.to_text(), wanted, 1).keys) {
      text += key.to_text() + " ";
    }
    return text;
  };
  CHECK(found("") == "blog/web shop/cart shop/web ");
  CHECK(found("WEB") == "blog/web shop/web ");
  CHECK(found("shop/w") == "shop/web ");
  CHECK(found("web.shop") == "shop/web ");
  CHECK(found("web.shop.svc.cluster.local.") == "shop/web ");
  CHECK(found("web shop").empty());
  CHECK(found("web.shop.svc.other").empty());
  CHECK(found("10.96.0.7").empty());
}

TEST_CASE("Services are found by a clusterIP") {
  cache::ServiceCache cache;
  cache.put(service("shop", "web", "10.96.0.7"));
  cache.put(service("shop", "cart", "10.96.0.70"));
  const FoundServices found = find_services(cache, Zone.to_text(), "10.96.0.7", 1);
  REQUIRE(found.keys.size() == 1);
  CHECK(found.keys[0].name == "web");
}

TEST_CASE("the pages of a list have every Service once, in order, up to the bound") {
  cache::ServiceCache cache;
  put_many(cache, 45);
  std::string last;
  std::size_t seen = 0;
  for (std::size_t page = 1; page <= 3; ++page) {
    const FoundServices found = find_services(cache, Zone.to_text(), "app", page);
    CHECK(found.matches == 45);
    CHECK(found.pages == 3);
    CHECK(found.page == page);
    for (const kube::ObjectKey& key : found.keys) {
      CHECK(last < key.to_text());
      last = key.to_text();
      ++seen;
    }
  }
  CHECK(seen == 45);
  CHECK(find_services(cache, Zone.to_text(), "app", 9).page == 3);
  CHECK(find_services(cache, Zone.to_text(), "app", 9).keys.size() == 5);

  cache::ServiceCache large;
  put_many(large, 3000);
  const FoundServices last_page = find_services(large, Zone.to_text(), "app", MaxServicePages);
  CHECK(last_page.matches == 3000);
  CHECK(last_page.pages == MaxServicePages);
  CHECK(last_page.keys.size() == ServicesOnPage);
  const Html list = service_list(large, Zone, PageQuery("q=app&page=50"), nullptr);
  CHECK(has(list, "3000 Services"));
  CHECK(has(list, "of which the first 1000 can be listed"));
  CHECK(has(list, "Page 50 of 50"));
  CHECK(!has(list, "Next page"));
  CHECK(has(list, "href=\"/services?q=app&amp;page=49\""));
}

TEST_CASE("the list has the answers of each Service, as clients get them") {
  TestCluster cluster;
  test::load_world(cluster.cache, R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: out, namespace: shop}
spec: {type: ExternalName, externalName: shop.example.org}
)");
  Trial trial(cluster.views());
  const Html list = service_list(cluster.cache, Zone, PageQuery("q=shop"), &trial);
  CHECK(has(list, "2 Services with &ldquo;shop&rdquo;"));
  CHECK(has(list,
            "shop/web</a></th><td>ClusterIP</td><td class=\"number\">0 of 0</td><td><ul "
            "class=\"records\"><li>5 IN A 10.96.0.7</li></ul></td><td>no data</td>"));
  CHECK(has(list, "<li>5 IN CNAME shop.example.org.</li>"));

  const kube::ObjectKey key{"shop", "web"};
  const Html answers = service_answers(key, *cluster.cache.find(key), Zone, trial);
  CHECK(has(answers, "<li>web.shop.svc.cluster.local. 5 IN A 10.96.0.7</li>"));
  CHECK(has(answers, "<li>7.0.96.10.in-addr.arpa. 5 IN PTR web.shop.svc.cluster.local.</li>"));
  CHECK(has(answers, "_http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 80 "));
  // A question of the page is none of a client.
  CHECK(cluster.counters.udp_queries() == 0);
}

TEST_CASE("what is looked for and what objects hold becomes no markup") {
  cache::ServiceCache cache;
  // No decoder would let this through.
  kube::Service evil = service("<i>", "\"><script>x</script>");
  evil.type = kube::ServiceType::ExternalName;
  evil.external_name = "<img src=x onerror=x>";
  evil.ports = {{.name = "<u>", .port = 80}};
  cache.put(evil);
  kube::EndpointSlice slice;
  slice.key = {"<i>", "<b>slice"};
  slice.service_name = evil.key.name;
  slice.add({.address = *IpAddress::from_text("10.0.0.1")}, "<s>host", "<p>pod");
  cache.put(slice);

  const Html list = service_list(cache, Zone, PageQuery("q=%22%3E%3Cscript%3Ex"), nullptr);
  const Html facts = service_facts(evil.key, *cache.find(evil.key));
  CHECK(has(list, "1 Service with"));
  CHECK(has(facts, "&lt;s&gt;host"));
  for (const char* tag : {"<script", "<i>", "<img", "<u>", "<b>", "<s>", "<p>pod"}) {
    CAPTURE(tag);
    CHECK(!has(list, tag));
    CHECK(!has(facts, tag));
  }
}

TEST_CASE("a Service of many endpoints and ports has a page of bounded length") {
  TestCluster cluster;
  kube::Service large = service("shop", "large");
  large.headless = true;
  for (unsigned i = 0; i < 200; ++i) {
    large.ports.push_back({.name = "p" + std::to_string(i), .port = static_cast<std::uint16_t>(i)});
  }
  kube::EndpointSlice slice;
  slice.key = {"shop", "large-1"};
  slice.service_name = "large";
  for (unsigned i = 0; i < 5000; ++i) {
    slice.add({.address = IpAddress::v4(10, 1, static_cast<std::uint8_t>(i / 256),
                                        static_cast<std::uint8_t>(i % 256))},
              "", "");
  }
  cluster.cache.put(kube::Namespace{.name = "shop"});
  cluster.cache.put(large);
  cluster.cache.put(slice);
  Trial trial(cluster.views());
  const auto state = *cluster.cache.find(large.key);
  const Html facts = service_facts(large.key, state);
  const Html answers = service_answers(large.key, state, Zone, trial);
  CHECK(has(facts, "And 4900 more"));
  CHECK(has(answers, "truncated"));
  CHECK(has(answers, " more</li>"));
  CHECK(facts.size() + answers.size() < 200'000);
}

}  // namespace waypost::ops
