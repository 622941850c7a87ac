// What the index holds: the nodes that names lead to.
//
// A ServiceNode lives as long as its Service has a name; its `data` is replaced whole by every
// change, so that one load gives one version (records/service_data.h).  All other nodes never
// change, but for counts that only the writer looks at: a change makes a new one and puts it in the
// table in the old one's place.  Old nodes and versions are retired (base/rcu.h), never freed at
// once.
//
// Private to the room: index.cpp reads nodes, publisher.cpp makes them.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "records/block.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::records {

class ServiceData;

// A Service, with its name behind it in the same allocation.
struct ServiceNode {
  using Pointer = std::unique_ptr<ServiceNode, FreeBlock>;

  std::atomic<const ServiceData*> data{nullptr};  // Never null once readers can find the node.
  std::uint8_t name_size = 0;

  // `name` is "web.shop.svc.cluster.local." in wire form, lower case.
  static Pointer make(Bytes name) {
    Pointer node(new (allocate_block(sizeof(ServiceNode) + name.size())) ServiceNode);
    node->name_size = static_cast<std::uint8_t>(name.size());
    std::copy(name.begin(), name.end(), reinterpret_cast<std::uint8_t*>(node.get() + 1));
    return node;
  }
  Bytes name() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(this + 1), name_size};
  }
  std::size_t bytes() const noexcept { return sizeof(ServiceNode) + name_size; }
};

struct NamespaceNode {
  std::string name;
};

// The name of a Pod's address.
struct PodNode {
  const NamespaceNode* name_space;
  IpAddress address;
  std::uint32_t copies = 1;  // Pods of the namespace that have the address; the writer's.
};

// An address that several names share, or one name of several Services: what its PTR records say.
// With its names and their labels behind it in the same allocation.
struct AddressNode {
  using Pointer = std::unique_ptr<AddressNode, FreeBlock>;
  struct Name {
    const ServiceNode* service;
    std::uint32_t label_at;  // Its length octet, in the texts; of an endpoint's name.
    bool is_service;         // The name is the Service's own: its cluster IP.
  };

  IpAddress address;
  std::uint32_t name_count = 0;
  std::uint32_t text_size = 0;

  // `texts` is what the names' label_at point into.
  static Pointer make(const IpAddress& address, std::span<const Name> names,
                      std::string_view texts) {
    Pointer node(new (allocate_block(sizeof(AddressNode) + names.size_bytes() + texts.size()))
                     AddressNode{address, static_cast<std::uint32_t>(names.size()),
                                 static_cast<std::uint32_t>(texts.size())});
    auto* first = reinterpret_cast<Name*>(node.get() + 1);
    std::uninitialized_copy(names.begin(), names.end(), first);
    texts.copy(reinterpret_cast<char*>(first + names.size()), texts.size());
    return node;
  }
  // In the order of answers.
  std::span<const Name> names() const noexcept {
    return {reinterpret_cast<const Name*>(this + 1), name_count};
  }
  // The first label of an endpoint's name, with its length octet.
  Bytes label_wire(const Name& name) const noexcept {
    const auto* at =
        reinterpret_cast<const std::uint8_t*>(names().data() + name_count) + name.label_at;
    return {at, *at + std::size_t{1}};
  }
  std::size_t bytes() const noexcept {
    return sizeof(AddressNode) + names().size_bytes() + text_size;
  }
};
static_assert(sizeof(AddressNode) % alignof(AddressNode::Name) == 0);

// A reverse name that has addresses below it: an empty non-terminal (RFC 8020).
struct BranchNode {
  IpAddress address;     // With the octets or nibbles below the branch zero.
  std::uint8_t labels;   // Labels in front of in-addr.arpa or ip6.arpa: 1..3, or 1..31.
  std::uint32_t copies;  // Addresses below; the writer's.
};

struct FixedNode {
  enum class Which : std::uint8_t { Apex, Services, Pods, Dns, NameServer, Version, ReverseApex };
  Which which;
  std::string wire;  // The whole name, lower case.
};

// The name servers of the zone, one version.
struct NameServers {
  struct Server {
    std::string wire;  // The target's name, lower case.
    std::vector<std::uint8_t> v4;
    std::vector<std::uint8_t> v6;
    friend bool operator==(const Server&, const Server&) = default;
  };
  std::vector<Server> servers;
  // A and AAAA of ns.dns.ZONE: the distinct addresses of all servers.
  std::vector<std::uint8_t> v4;
  std::vector<std::uint8_t> v6;
};

}  // namespace waypost::records
