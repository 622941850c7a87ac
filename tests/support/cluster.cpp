#include "support/cluster.h"

#include "base/file.h"
#include "kube/yaml_decoder.h"

#include <doctest/doctest.h>

namespace waypost::test {

records::Options default_options() {
  records::Options options;
  options.zone = *dns::Name::from_text("cluster.local");
  options.reverse_zones = {*dns::Name::from_text("in-addr.arpa"),
                           *dns::Name::from_text("ip6.arpa")};
  options.own_addresses = {IpAddress::v4(192, 0, 2, 53)};
  return options;
}

std::string data_path(std::string_view name) {
  return std::string(TEST_DATA) + "/" + std::string(name);
}

void load_world(cache::ServiceCache& cache, std::string_view yaml) {
  kube::Manifests world = kube::decode_manifests(yaml);
  for (const kube::ManifestProblem& problem : world.problems) {
    FAIL(problem.message);
  }
  for (auto& decoded : world.namespaces) {
    cache.put(std::move(decoded.object));
  }
  for (auto& decoded : world.services) {
    cache.put(std::move(decoded.object));
  }
  for (auto& decoded : world.slices) {
    cache.put(std::move(decoded.object));
  }
  for (auto& decoded : world.pods) {
    cache.put(std::move(decoded.object));
  }
}

TestCluster::TestCluster(const records::Options& options,
                         std::vector<std::shared_ptr<const zones::Zone>> zones,
                         server::AnswerPolicy policy)
    : publisher_(std::make_unique<records::Publisher>(options, cache, retired_)),
      zones_(std::move(zones)),
      policy_(std::move(policy)) {
  views_.index.store(&publisher_->index());
  views_.zones.store(&zones_);
  views_.policy.store(&policy_);
  cache.set_synced();
  responder_ = std::make_unique<server::Responder>(views_, counters, 1);
}

TestCluster::~TestCluster() = default;

void TestCluster::lend(server::Views& to) const noexcept {
  to.index = views_.index.load();
  to.zones = views_.zones.load();
  to.policy = views_.policy.load();
}

std::vector<std::uint8_t> TestCluster::ask(Bytes request, server::Transport transport,
                                           std::string_view client) {
  static thread_local const rcu::ReaderThread registered;  // A test may have several clusters.
  const rcu::ReadSection section;
  std::vector<std::uint8_t> out(transport == server::Transport::Udp ? 4096 : dns::MaxMessageSize);
  const server::Client from{
      *IpAddress::from_text(client), transport, {.unix_seconds = 1'700'000'000}};
  const server::Reply reply = responder_->respond(request, from, out);
  out.resize(reply.size);
  return out;
}

}  // namespace waypost::test
