#include "world.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace waypost::sources {
namespace {

const std::vector<std::string_view> Cidrs = {"10.96.0.0/12", "fd00:10:96::/112"};

}  // namespace

TEST_CASE("the demo folder loads without a problem") {
  World world(std::string(WAYPOST_ZONES) + "/demo", Cidrs);
  CHECK(world.load() == std::vector<std::string>{});
  const auto& counts = world.cache.counts();
  CHECK(counts.services == 22);
  CHECK(counts.pods == 14);
  CHECK(counts.namespaces == 6);
  CHECK(world.namespaces() == std::vector<std::string>{"default", "kube-system", "monitoring",
                                                       "payments", "sandbox", "shop"});
}

TEST_CASE("the demo's Services have the endpoints that their comments promise") {
  World world(std::string(WAYPOST_ZONES) + "/demo", Cidrs);
  world.load();
  struct Case {
    std::string name_space;
    std::string name;
    const char* cluster_ips;  // Null: some, see the manifests.
    const char* slices;
  };
  for (const Case& c : {
           Case{"default", "kubernetes", "10.96.0.1",
                "kubernetes: https:6443/tcp 192.0.2.10(rs-) 192.0.2.11(rs-)\n"},
           Case{"kube-system", "kube-dns", "10.96.0.10 fd00:10:96::a",
                "kube-dns-derived-ipv4-udp1053-dns.tcp1053-dns-tcp.tcp9153-metrics: dns:1053/udp "
                "dns-tcp:1053/tcp metrics:9153/tcp 10.244.0.3(rs-)~kube-dns-6d8c4cb4d-2xk8p "
                "10.244.1.3(rs-)~kube-dns-6d8c4cb4d-9wv5t\n"
                "kube-dns-derived-ipv6-udp1053-dns.tcp1053-dns-tcp.tcp9153-metrics: dns:1053/udp "
                "dns-tcp:1053/tcp metrics:9153/tcp fd00:10:244::3(rs-)~kube-dns-6d8c4cb4d-2xk8p "
                "fd00:10:244:1::3(rs-)~kube-dns-6d8c4cb4d-9wv5t\n"},
           Case{"shop", "web", nullptr,
                "web-derived-ipv4-tcp8000-http.tcp8443-https: http:8000/tcp https:8443/tcp "
                "10.244.2.10(rs-)~web-5b7d44-9kqzp\n"
                "web-derived-ipv4-tcp8080-http.tcp8443-https: http:8080/tcp https:8443/tcp "
                "10.244.1.10(rs-)~web-7f9c5d-4h2mj 10.244.2.11(---)~web-7f9c5d-x8r2c\n"},
           Case{"shop", "cart", "10.96.7.20 fd00:10:96::720",
                "cart-ipv4: grpc:9000/tcp 10.244.1.20(rs-)~cart-0 10.244.2.20(rs-)~cart-1 "
                "10.244.2.21(-st)~cart-2\n"
                "cart-ipv6: grpc:9000/tcp fd00:10:244:1::20(rs-)~cart-0 "
                "fd00:10:244:2::20(rs-)~cart-1\n"},
           Case{"shop", "reviews", nullptr, ""},
           Case{"shop", "db", "",
                "db-derived-ipv4-tcp5432-postgres: postgres:5432/tcp 10.244.1.40(rs-)=db-0~db-0 "
                "10.244.2.40(rs-)=db-1~db-1 10.244.3.40(-st)=db-2~db-2\n"
                "db-derived-ipv6-tcp5432-postgres: postgres:5432/tcp "
                "fd00:10:244:1::40(rs-)=db-0~db-0 "
                "fd00:10:244:2::40(rs-)=db-1~db-1 fd00:10:244:3::40(-st)=db-2~db-2\n"},
           Case{
               "shop", "db-replicas", "",
               "db-replicas-derived-ipv4-tcp5432-postgres: postgres:5432/tcp 10.244.2.40(rs-)~db-1 "
               "10.244.3.40(-st)~db-2\n"},
           Case{"shop", "gossip", "",
                "gossip-derived-ipv4-udp7946-gossip: gossip:7946/udp "
                "10.244.1.50(rs-)=gossip-0~gossip-0 "
                "10.244.2.50(r--)=gossip-1~gossip-1\n"},
           Case{"shop", "workers", "",
                "workers-derived-ipv4: 10.244.1.60(rs-)~workers-6c5f8-jd2lq\n"},
           Case{"shop", "archive", "",
                "archive-1: nfs:2049/tcp 192.0.2.51(rs-)=tape 192.0.2.52(rs-)=disk\n"},
           Case{"shop", "down", "", "down-1: http:80/tcp 10.244.3.70(---)\n"},
           Case{"shop", "mail", "", ""},
           Case{
               "payments", "ledger", "10.96.7.50",
               "ledger-x7k2p: grpc:9000/tcp admin:9901/tcp 10.244.1.80(rs-)~ledger-5c9d7b-7tq4x "
               "10.244.2.80(rs-)~ledger-5c9d7b-mz8wd\n"
               "ledger-z4h9c: grpc:9000/tcp admin:9901/tcp 10.244.3.80(rs-)~ledger-5c9d7b-qp2nf\n"},
           Case{"monitoring", "metrics", nullptr,
                "metrics-derived-ipv4-tcp9443-http: http:9443/tcp 10.244.3.90(rs-)~metrics-0\n"},
       }) {
    CAPTURE(c.name);
    if (c.cluster_ips != nullptr) {
      CHECK(world.cluster_ips(c.name_space, c.name) == std::string(c.cluster_ips));
    } else {
      CHECK(world.cluster_ips(c.name_space, c.name).starts_with("10."));
    }
    CHECK(world.slices(c.name_space, c.name) == std::string(c.slices));
  }
  CHECK(world.cluster_ips("shop", "images").starts_with("fd00:10:96::"));
  CHECK(world.cluster_ips("shop", "search").find(" fd00:10:96::") != std::string::npos);
}

}  // namespace waypost::sources
