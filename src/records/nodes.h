// What the index holds: nodes that names lead to, and the immutable versions of what they say.
//
// A ServiceNode lives as long as its Service is published; its `data` is replaced whole by every
// change, so that one load gives one version.  All other nodes never change: a change makes a new
// one and puts it in the table in the old one's place.  Old versions are retired (base/rcu.h),
// never freed at once.
//
// Private to the room: index.cpp reads nodes, publisher.cpp makes them.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "kube/objects.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

namespace waypost::records {

struct EndpointNode;

// The ports of one or several EndpointSlices; equal lists are shared by the whole index.
using PortGroup = std::vector<kube::EndpointPort>;

// A named port, as it shows in _port._protocol names.
struct NamedPort {
  std::string name;
  kube::Protocol protocol = kube::Protocol::Tcp;
  std::uint16_t port = 0;    // ClusterIP Services; headless ones take it from each endpoint.
  std::uint16_t weight = 1;  // Of each SRV record in this set.

  friend bool operator==(const NamedPort&, const NamedPort&) = default;
};

// One version of a Service.
struct ServiceData {
  enum class Kind : std::uint8_t {
    ClusterIp,  // Also an ExternalName that holds an address: it is answered the same way.
    Headless,
    Alias,  // ExternalName: a CNAME to `target`.
  };

  Kind kind = Kind::ClusterIp;
  // A and AAAA: cluster IPs, or the distinct addresses of ready endpoints.  Packed, network order.
  std::vector<std::uint8_t> v4;
  std::vector<std::uint8_t> v6;
  // Named ports in the order of the Service; those of a headless Service from its slices.
  std::vector<NamedPort> ports;
  // SRV at the bare Service name: the distinct port numbers of a ClusterIP Service, unnamed too.
  std::vector<std::uint16_t> port_numbers;
  std::uint16_t bare_weight = 1;
  // Headless only: every endpoint name, for SRV.
  std::vector<const EndpointNode*> endpoints;
  // Alias only: wire form, lower case.
  std::string target;
};

struct ServiceNode {
  std::string wire;        // "web.shop.svc.cluster.local." in wire form, lower case.
  std::uint64_t hash = 0;  // hash_name(wire)
  std::atomic<const ServiceData*> data{nullptr};

  Bytes name() const noexcept { return as_bytes(wire); }
};

// One endpoint name of a Service and every address that has it.  Allocated by make() with its
// members and its label behind it, because there are very many.
struct EndpointNode {
  struct Member {
    IpAddress address;
    const PortGroup* ports;
    std::uint32_t copies;  // How many slices say the same; the writer's.
  };
  struct Free {
    void operator()(EndpointNode* node) const noexcept { ::operator delete(node); }
  };
  using Pointer = std::unique_ptr<EndpointNode, Free>;

  const ServiceNode* service;
  std::uint16_t member_count;
  std::uint8_t label_size;
  bool has_hostname;  // The label is a hostname, not a pod name or an address.

  // `label` has 1..63 octets.
  static Pointer make(const ServiceNode& service, std::string_view label, bool has_hostname,
                      std::span<const Member> members) {
    const std::size_t size = sizeof(EndpointNode) + members.size_bytes() + 1 + label.size();
    void* memory = ::operator new(size);
    auto* node = new (memory) EndpointNode{&service, static_cast<std::uint16_t>(members.size()),
                                           static_cast<std::uint8_t>(label.size()), has_hostname};
    std::uninitialized_copy(members.begin(), members.end(), node->first_member());
    auto* text = reinterpret_cast<char*>(node->first_member() + members.size());
    *text = static_cast<char>(label.size());
    label.copy(text + 1, label.size());
    return Pointer(node);
  }

  std::span<const Member> members() const noexcept {
    return {const_cast<EndpointNode*>(this)->first_member(), member_count};
  }
  // The first label of the name, with its length octet.
  Bytes label_wire() const noexcept {
    const auto* text = reinterpret_cast<const std::uint8_t*>(members().data() + member_count);
    return {text, label_size + std::size_t{1}};
  }
  Bytes label() const noexcept { return label_wire().subspan(1); }
  std::size_t bytes() const noexcept {
    return sizeof(EndpointNode) + members().size_bytes() + 1 + label_size;
  }

 private:
  Member* first_member() noexcept { return reinterpret_cast<Member*>(this + 1); }
};
static_assert(std::is_trivially_destructible_v<EndpointNode::Member>);
static_assert(sizeof(EndpointNode) % alignof(EndpointNode::Member) == 0);

struct PortNode {
  const ServiceNode* service;
  std::string name;
  kube::Protocol protocol;
};

struct ProtocolNode {
  const ServiceNode* service;
  kube::Protocol protocol;
};

struct NamespaceNode {
  std::string name;
};

struct PodNode {
  IpAddress address;
  std::string wire;          // The whole name, lower case.
  std::uint32_t copies = 1;  // Pods of the namespace that have the address; the writer's.
};

// The names of one address: a ClusterIP's Service, or else endpoint names in the order of answers.
struct AddressNode {
  IpAddress address;
  std::vector<const ServiceNode*> services;
  std::vector<const EndpointNode*> endpoints;
};

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
