// The cluster's names, ready to be answered: Kubernetes DNS-based service discovery 1.1.0.
//
// One table leads from an owner name to what stands there; a hit is one probe, a denial at most
// two.  The Publisher updates it in place, delta by delta; readers look while it does.  What lies
// below a Service, its endpoints' and ports' names, is not in the table but in the Service's data:
// such names are recognized by their shape, and looked up by the Service's part.  Every other name
// that has something below it is in the table too, so that NXDOMAIN is simply "not found" (RFC
// 8020).
//
// Not here: the world and its changes (records/publisher.h, cache/), rcodes (server/), other zones.

#pragma once

#include "base/rcu.h"
#include "dns/lookup.h"
#include "dns/reverse_name.h"
#include "records/name_table.h"
#include "records/nodes.h"
#include "records/options.h"
#include "records/service_data.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::records {

// TXT at dns-version.ZONE (Kubernetes DNS specification 1.1.0, 2.2), with its length octet.
inline constexpr std::string_view SchemaVersion = "\0051.1.0";
inline constexpr std::uint32_t SchemaVersionTtl = 28800;

// One of the zones that the index answers for.
struct Apex {
  std::string wire;  // Lower case.
  std::uint8_t labels = 0;
  bool is_reverse = false;
  // Options::fallthrough_zones: of which names that do not exist others are asked.
  bool falls_through_whole = false;
  std::vector<dns::Name> parts = {};  // In lower case, with all that is below them.

  // Whether others are asked for `name`, which is in this zone, if it does not exist.
  bool falls_through(const dns::NameKey& name) const noexcept {
    return falls_through_whole || (!parts.empty() && is_in_parts(name));
  }
  bool is_in_parts(const dns::NameKey& name) const noexcept;
};

// Threads: const functions are for any number of readers, each inside an rcu::ReadSection, while
// the one Publisher writes.  They never lock, allocate or fail.
class Index {
 public:
  // `retired` outlives the index.  Empty: every name is NoName until a Publisher fills it.
  Index(const Options& options, rcu::RetireList& retired);
  ~Index();

  // The longest of the index's zones that `name` is within, or nullptr.  Valid as long as the
  // index.
  const Apex* enclosing(const dns::NameKey& name) const noexcept;

  // A look-up under way: whoever has several names begins with all of them and then takes a step
  // for each, so that the CPU waits for the memory of all their answers at once.  Good inside the
  // section that it was begun in, for the name and the index that it was begun with.
  struct Search {
    NameTable::Probe probe;
    Entry candidate;            // What may stand at the name, but for is_settled.
    std::uint8_t in_front = 0;  // Labels in front of a Service's name; 0: it is no such name.
    bool has_looked = false;    // `candidate` is the table's word.
    bool is_settled = false;    // `candidate` does stand there, or nothing does.
  };
  // Each step has brought into the CPU's cache what the next one needs: the slots of the table, the
  // node, the data.  The first alone is needed.
  Search begin(const dns::NameKey& name) const noexcept;
  static void expect_node(Search& search) noexcept;
  static void expect_data(const Search& search) noexcept;

  // True when the name exists in the index.  For reverse names whose zone overlaps with a static
  // one.
  bool has(const dns::NameKey& name, Search& search) const noexcept;

  // True once the world was complete; before that, a name that is absent proves nothing.
  bool is_ready() const noexcept { return ready_.load(std::memory_order_acquire); }

  // Whether `name` within `apex` may turn out to be the cluster's once the world is known: by its
  // branch, and of reverse names by the address, which is then in Options::service_cidrs or in a
  // network that many sites may use (RFC 1918 and the like), or in a reverse zone for a part of the
  // addresses, which somebody chose.
  bool may_have(const Apex& apex, const dns::NameKey& name) const noexcept;

  // Answers for a name within `apex`.  Hit writes answers and, for SRV and NS, addresses into the
  // additional section as far as they fit; a record set that does not fit is cut, from a random
  // start, with TC.  Follow fills `next` with the target of an ExternalName.  `search` was begun
  // with the look-up's name.
  dns::Outcome solve(const Apex& apex, const dns::Lookup& lookup, Search& search,
                     dns::MessageWriter& out, dns::Target& next) const noexcept;

  // Whether a name within `apex` has addresses of either family, or is an ExternalName: what
  // look-ups for A and AAAA together would find, by one version of what stands there.  `search` was
  // begun with the name.
  bool has_addresses(const Apex& apex, const dns::NameKey& name, Search& search) const noexcept;

  // Adds the SOA of `apex` to authority for a negative answer (RFC 2308, 3).  False: it does not
  // fit.
  bool add_soa(const Apex& apex, const dns::Lookup& lookup, dns::MessageWriter& out) const noexcept;

  const Options& options() const noexcept { return options_; }
  std::uint32_t serial() const noexcept { return serial_.load(std::memory_order_relaxed); }
  // SOA times of the cluster's zones now.
  dns::SoaTimes soa_times() const noexcept;
  // TTL of a SOA that is asked for, in seconds.
  std::uint32_t soa_ttl() const noexcept;

  const std::vector<Apex>& apexes() const noexcept { return apexes_; }
  // Names that the table holds; those of endpoints and ports are not among them.
  std::size_t name_count() const noexcept { return table_.size(); }
  std::size_t name_capacity() const noexcept { return table_.capacity(); }

 private:
  friend class Publisher;

  // What stands below a Service, and the version of the Service that says so.
  struct Place {
    enum class What : std::uint8_t { Nothing, Endpoint, Port, Protocol };
    What what = What::Nothing;
    const ServiceNode* service = nullptr;
    const ServiceData* data = nullptr;
    ServiceData::Endpoint endpoint{};              // Endpoint
    const ServiceData::NamedPort* port = nullptr;  // Port
  };

  std::size_t labels_in_front(const dns::NameKey& name) const noexcept;
  static Place find_below_service(const dns::NameKey& name, const Search& search) noexcept;
  const ServiceNode* find_service(Bytes name) const noexcept;
  // Takes candidates until one stands at the name, or there are none.
  void settle(const dns::NameKey& name, Search& search) const noexcept;
  bool is_at(const Entry& entry, const dns::NameKey& name) const noexcept;
  static bool is_at_address(const Entry& entry, const dns::ReverseName& name) noexcept;
  void tell_hashes(const Entry& entry, const NameTable::Tell& tell) const;

  dns::Outcome solve_fixed(const FixedNode& node, const Apex& apex, const dns::Lookup& lookup,
                           dns::MessageWriter& out) const noexcept;
  dns::Outcome solve_entry(const Entry& entry, const Apex& apex, const dns::Lookup& lookup,
                           dns::MessageWriter& out) const noexcept;
  dns::Outcome solve_below_service(const Place& place, const dns::Lookup& lookup,
                                   dns::MessageWriter& out) const noexcept;
  dns::Outcome solve_service(const ServiceNode& service, const dns::Lookup& lookup,
                             dns::MessageWriter& out, dns::Target& next) const noexcept;
  dns::Outcome solve_alias(const ServiceData& data, const dns::Lookup& lookup,
                           dns::MessageWriter& out, dns::Target& next) const noexcept;
  dns::Outcome solve_endpoint(const Place& place, const dns::Lookup& lookup,
                              dns::MessageWriter& out) const noexcept;
  dns::Outcome solve_port(const Place& place, const dns::Lookup& lookup,
                          dns::MessageWriter& out) const noexcept;
  dns::Outcome solve_reverse(const Entry& entry, const dns::Lookup& lookup,
                             dns::MessageWriter& out) const noexcept;
  std::optional<IpAddress> compute_address(const Apex& apex,
                                           const dns::NameKey& name) const noexcept;
  dns::Outcome solve_computed(const Apex& apex, const dns::Lookup& lookup,
                              dns::MessageWriter& out) const noexcept;
  dns::Outcome solve_address(const IpAddress& address, const dns::Lookup& lookup,
                             dns::MessageWriter& out) const noexcept;
  dns::Outcome write_name_servers(const dns::Lookup& lookup,
                                  dns::MessageWriter& out) const noexcept;
  bool write_soa(dns::Section section, const Apex& apex, const dns::Lookup& lookup,
                 std::uint32_t ttl, dns::MessageWriter& out) const noexcept;

  Options options_;
  std::string zone_wire_;
  std::size_t zone_labels_;
  std::vector<Apex> apexes_;
  Apex pods_;  // pod.ZONE, below which names are computed.
  NameTable table_;
  std::atomic<const NameServers*> name_servers_{nullptr};
  std::atomic<std::uint32_t> serial_{1};
  std::atomic<bool> ready_{false};
};

}  // namespace waypost::records
