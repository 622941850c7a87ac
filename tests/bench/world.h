// A cluster of a given size, and what its pods ask.

#pragma once

#include "base/bytes.h"
#include "cache/service_cache.h"
#include "dns/types.h"
#include "records/options.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace waypost::bench {

struct WorldSize {
  std::uint32_t services = 10000;
  std::uint32_t endpoints = 10;  // Of each Service.
  std::uint32_t headless_every = 10;
  std::uint32_t namespaces = 100;
};

// A dual-stack cluster with IPv4 endpoints: Service `i` is svc-I.ns-(I mod namespaces), with one
// port http/TCP.  Endpoints of headless Services have hostnames, pod-0 and so on; others have Pods.
class World {
 public:
  explicit World(const WorldSize& size) : size_(size) {}

  const WorldSize& size() const noexcept { return size_; }
  bool is_headless(std::uint32_t service) const noexcept {
    return service % size_.headless_every == 0;
  }

  records::Options options() const;
  void put_namespaces(cache::ServiceCache& cache) const;
  void put_services(cache::ServiceCache& cache) const;
  void put_slices(cache::ServiceCache& cache) const;
  kube::Service service(std::uint32_t index) const;
  // The Service's slice after `change` changes: that many endpoints have moved to another address.
  kube::EndpointSlice slice(std::uint32_t service, std::uint32_t change) const;

 private:
  WorldSize size_;
};

// One request as it is sent, but for its id, and what its answer must be.
struct Question {
  std::vector<std::uint8_t> request;
  std::size_t question_end = 0;  // Where the question section ends in `request`.
  dns::Rcode rcode = dns::Rcode::NoError;
  std::uint16_t answers = 0;
};

// A question of class IN about `name`, a domain name in presentation form, and what it expects;
// `edns`: with an OPT record for 1232 octets.
Question make_question(const std::string& name, dns::RecordType type, bool edns, dns::Rcode rcode,
                       std::uint16_t answers);

// `count` questions in random order, equal in every run: 60 % hits (A and AAAA by halves), 32 %
// names that the search path makes of names elsewhere (NXDOMAIN), 5 % SRV, 3 % names of endpoints.
std::vector<Question> make_questions(const World& world, std::size_t count);

}  // namespace waypost::bench
