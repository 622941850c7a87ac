#include "search/search_list.h"

#include "node/pod_dns.h"

#include <algorithm>
#include <atomic>
#include <charconv>

namespace waypost::search {
namespace {

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// Both glibc and musl count no more.
constexpr unsigned MaxNdots = 15;

// As resolvers read it: what is no number counts as none (resolv.conf(5), "ndots:n").
unsigned ndots_of(const std::vector<std::string>& options) {
  constexpr std::string_view Name = "ndots:";
  unsigned ndots = 1;
  for (const std::string& option : options) {
    if (option.starts_with(Name)) {
      unsigned value = 0;
      std::from_chars(option.data() + Name.size(), option.data() + option.size(), value);
      ndots = std::min(value, MaxNdots);
    }
  }
  return ndots;
}

node::PodDns pod_dns_of(std::string_view name_space, const kube::PodSearch& pod) {
  node::PodDns dns{
      .name_space = std::string(name_space),
      .policy = pod.policy,
      .host_network = pod.host_network,
      .config = node::DnsConfig{.nameservers = {}, .searches = pod.searches, .options = {}}};
  if (!pod.ndots.empty()) {
    dns.config->options.push_back("ndots:" + pod.ndots);
  }
  return dns;
}

}  // namespace

SearchList::SearchList(std::string_view name_space, const kube::PodSearch& pod,
                       const SearchSurroundings& surroundings)
    : id_(next_id()), zone_(surroundings.zone.lowered()) {
  std::string zone = zone_.to_text();
  zone.pop_back();
  // Which address the cluster's DNS has does not matter, but that it has one.
  const node::NodeDns kubelet{
      .cluster_dns = {IpAddress()},
      .cluster_domain = zone,
      .host = node::ResolverFile{.nameservers = {}, .searches = surroundings.hosts, .options = {}},
      .families = {}};
  const node::ResolverFile file = node::resolver_of(pod_dns_of(name_space, pod), kubelet).file;
  bool is_known = true;
  for (const std::string& domain : file.searches) {
    is_known = add(domain) && is_known;
  }
  octets_.shrink_to_fit();
  domains_.shrink_to_fit();
  ndots_ = ndots_of(file.options);
  const auto own = dns::Name::from_text(std::string(name_space) + ".svc." + zone);
  is_cluster_first_ = is_known && own && !domains_.empty() &&
                      std::ranges::equal((*this)[0].wire, own->lowered().wire());
}

// False for what is no name: a resolver may make of it what it wants.
bool SearchList::add(const std::string& domain) {
  const auto parsed = dns::Name::from_text(domain);
  if (!parsed) {
    return false;
  }
  const dns::Name name = parsed->lowered();
  domains_.push_back({.at = static_cast<std::uint16_t>(octets_.size()),
                      .size = static_cast<std::uint8_t>(name.size()),
                      .labels = static_cast<std::uint8_t>(name.label_count()),
                      .is_in_zone = name.is_within(zone_)});
  octets_ += as_text(name.wire());
  return true;
}

}  // namespace waypost::search
