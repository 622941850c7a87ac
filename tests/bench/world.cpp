#include "bench/world.h"

#include "dns/name.h"

#include <array>
#include <random>
#include <string>
#include <utility>

namespace waypost::bench {
namespace {

using dns::RecordType;

std::string service_name(std::uint32_t index) {
  return "svc-" + std::to_string(index);
}

std::string namespace_name(std::uint32_t index) {
  return "ns-" + std::to_string(index);
}

IpAddress v4(std::uint32_t network, std::uint32_t host) {
  std::array<std::uint8_t, 4> octets{};
  store_u32(octets.data(), network + host);
  return IpAddress::from_octets(octets);
}

IpAddress v6(std::uint32_t host) {
  std::array<std::uint8_t, 16> octets{0xfd, 0x00, 0x00, 0x96};
  store_u32(octets.data() + 12, host);
  return IpAddress::from_octets(octets);
}

constexpr std::uint32_t ServiceNetwork = 0x0a600000;   // 10.96.0.0
constexpr std::uint32_t EndpointNetwork = 0x0ac80000;  // 10.200.0.0
constexpr std::uint32_t MovedNetwork = 0x64400000;     // 100.64.0.0

// An EDNS record with a size of 1232 octets and no options (RFC 6891, 6.1.2).
constexpr std::array<std::uint8_t, 11> Opt = {0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0, 0, 0, 0};

}  // namespace

Question make_question(const std::string& name, RecordType type, bool edns, dns::Rcode rcode,
                       std::uint16_t answers) {
  Question question{
      .request = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns ? std::uint8_t{1} : std::uint8_t{0}},
      .rcode = rcode,
      .answers = answers};
  const dns::Name qname = *dns::Name::from_text(name);
  auto& request = question.request;
  request.insert(request.end(), qname.wire().begin(), qname.wire().end());
  std::array<std::uint8_t, 4> tail{};
  store_u16(tail.data(), static_cast<std::uint16_t>(type));
  store_u16(tail.data() + 2, 1);
  request.insert(request.end(), tail.begin(), tail.end());
  question.question_end = request.size();
  if (edns) {
    request.insert(request.end(), Opt.begin(), Opt.end());
  }
  return question;
}

namespace {

// Names that programs in pods look up outside the cluster.
constexpr std::array<const char*, 4> Elsewhere = {"api.example.com", "registry.example.org",
                                                  "db.eu-west.example.net", "www.example.com"};

// Draws the questions of one cluster.
class QuestionMaker {
 public:
  explicit QuestionMaker(const World& world) : world_(world) {}

  Question next() {
    const std::uint32_t draw = below(100);
    return draw < 30   ? address()
           : draw < 60 ? v6_address()
           : draw < 92 ? search()
           : draw < 97 ? srv()
                       : endpoint();
  }

 private:
  std::uint32_t below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  std::uint16_t endpoints() const { return static_cast<std::uint16_t>(world_.size().endpoints); }
  std::uint32_t headless() {
    const std::uint32_t every = world_.size().headless_every;
    return below((world_.size().services + every - 1) / every) * every;
  }
  std::string full_name(std::uint32_t service) const {
    return service_name(service) + "." + namespace_name(service % world_.size().namespaces) +
           ".svc.cluster.local.";
  }

  Question address() {
    const std::uint32_t service = below(world_.size().services);
    return make_question(full_name(service), RecordType::A, false, dns::Rcode::NoError,
                         world_.is_headless(service) ? endpoints() : 1);
  }
  Question v6_address() {
    std::uint32_t service = below(world_.size().services);
    while (world_.is_headless(service)) {  // Their endpoints have no IPv6 address.
      service = below(world_.size().services);
    }
    return make_question(full_name(service), RecordType::AAAA, false, dns::Rcode::NoError, 1);
  }
  // What glibc tries with ndots:5 and the search path of a pod.
  Question search() {
    const std::string name = Elsewhere[below(Elsewhere.size())];
    const std::array<std::string, 3> suffixes = {
        "." + namespace_name(below(world_.size().namespaces)) + ".svc.cluster.local.",
        ".svc.cluster.local.", ".cluster.local."};
    return make_question(name + suffixes[below(3)],
                         below(2) == 0 ? RecordType::A : RecordType::AAAA, false,
                         dns::Rcode::NxDomain, 0);
  }
  Question srv() {
    const std::uint32_t service = below(world_.size().services);
    return make_question("_http._tcp." + full_name(service), RecordType::SRV, true,
                         dns::Rcode::NoError, world_.is_headless(service) ? endpoints() : 1);
  }
  Question endpoint() {
    return make_question(
        "pod-" + std::to_string(below(world_.size().endpoints)) + "." + full_name(headless()),
        RecordType::A, false, dns::Rcode::NoError, 1);
  }

  const World& world_;
  std::mt19937 random_{1};
};

}  // namespace

records::Options World::options() const {
  records::Options options;
  options.zone = *dns::Name::from_text("cluster.local");
  options.reverse_zones = {*dns::Name::from_text("in-addr.arpa"),
                           *dns::Name::from_text("ip6.arpa")};
  options.own_addresses = {IpAddress::v4(127, 0, 0, 1)};
  return options;
}

void World::put_namespaces(cache::ServiceCache& cache) const {
  for (std::uint32_t i = 0; i < size_.namespaces; ++i) {
    cache.put(kube::Namespace{.name = namespace_name(i), .resource_version = i + 1});
  }
}

void World::put_services(cache::ServiceCache& cache) const {
  for (std::uint32_t i = 0; i < size_.services; ++i) {
    cache.put(service(i));
  }
}

void World::put_slices(cache::ServiceCache& cache) const {
  for (std::uint32_t i = 0; i < size_.services; ++i) {
    cache.put(slice(i, 0));
  }
}

kube::Service World::service(std::uint32_t index) const {
  kube::Service service;
  service.key = {namespace_name(index % size_.namespaces), service_name(index)};
  service.resource_version = index + 1;
  service.headless = is_headless(index);
  if (!service.headless) {
    service.cluster_ips = {v4(ServiceNetwork, index + 1), v6(index + 1)};
  }
  service.ports = {{.name = "http",
                    .protocol = kube::Protocol::Tcp,
                    .port = 80,
                    .target_port = std::uint16_t{8080}}};
  service.labels = {{"app", service_name(index)}};
  service.selector = service.labels;
  return service;
}

kube::EndpointSlice World::slice(std::uint32_t index, std::uint32_t change) const {
  kube::EndpointSlice slice;
  slice.key = {namespace_name(index % size_.namespaces), service_name(index) + "-x7k2p"};
  slice.resource_version = std::uint64_t{size_.services} * (change + 1) + index + 1;
  slice.service_name = service_name(index);
  slice.ports = {{.name = "http", .protocol = kube::Protocol::Tcp, .port = 8080}};
  for (std::uint32_t i = 0; i < size_.endpoints; ++i) {
    const std::uint32_t host = index * size_.endpoints + i;
    const bool moved = change > 0 && i == change % size_.endpoints;
    const IpAddress address = moved ? v4(MovedNetwork, host) : v4(EndpointNetwork, host);
    const std::string pod = service_name(index) + "-6d4cf56db6-" + std::to_string(10000 + i);
    slice.add({.address = address}, is_headless(index) ? "pod-" + std::to_string(i) : "", pod);
  }
  return slice;
}

std::vector<Question> make_questions(const World& world, std::size_t count) {
  QuestionMaker maker(world);
  std::vector<Question> questions;
  questions.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    questions.push_back(maker.next());
  }
  return questions;
}

}  // namespace waypost::bench
