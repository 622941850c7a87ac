// One version of a Service: what its name, its ports' names and its endpoints' names answer.
//
// Immutable, and one allocation: a fixed part, then arrays, then texts.  A ClusterIP Service with
// one port and ten IPv4 endpoints takes about 150 octets.
//
// Endpoints come in two forms.  Nearly always every endpoint goes by its address
// (10-244-1-5.web.shop…), all have the same ports and none is in two slices: then the sorted
// addresses say everything, four or sixteen octets each.  Otherwise there are labels, in the order
// of their text, and each label's members: an address, its ports, and how many slices say so.
//
// Private to the room; made by records/service_builder.h, read by any thread.

#pragma once

#include "base/bytes.h"
#include "base/ip_address.h"
#include "kube/objects.h"
#include "records/block.h"
#include "records/dashed_label.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace waypost::records {

class ServiceData {
 public:
  using Pointer = std::unique_ptr<const ServiceData, FreeBlock>;

  enum class Kind : std::uint8_t {
    ClusterIp,
    Headless,
    Alias,            // ExternalName: a CNAME to target().
    ExternalAddress,  // ExternalName that holds an address.
  };

  // A named port, as it shows in _port._protocol names.
  struct NamedPort {
    std::uint32_t name_at;
    std::uint16_t port;    // ClusterIP Services; headless ones take it from each endpoint.
    std::uint16_t weight;  // Of each SRV record in this set.
    std::uint8_t name_size;
    kube::Protocol protocol;
  };

  // A port of endpoints.
  struct Port {
    std::uint32_t name_at;
    std::uint16_t port;
    std::uint8_t name_size;
    kube::Protocol protocol;
  };
  // The ports of one or several EndpointSlices.
  struct PortGroup {
    std::uint32_t first;
    std::uint32_t count;
  };

  struct Member {
    std::uint32_t address;  // Counts through endpoint_v4(), then endpoint_v6().
    std::uint32_t group;
    std::uint32_t copies;  // How many slices say the same.
  };

  // A label and who has it: the members up to the next label's.
  struct Label {
    std::uint32_t text_at;  // Of its length octet.
    std::uint32_t first_member : 31;
    std::uint32_t has_hostname : 1;
  };

  // One endpoint's name, by its place in a version.
  struct Endpoint {
    std::uint32_t label;
    std::uint32_t first_member;
    std::uint32_t member_count;
  };
  // Room for a label that is made from an address.
  using LabelBuffer = std::optional<DashedLabel>;

  Kind kind() const noexcept { return kind_; }

  // A and AAAA at the Service's name: cluster IPs, or the distinct addresses of ready endpoints.
  Bytes v4() const noexcept {
    return kind_ == Kind::Headless ? endpoint_v4() : section<std::uint8_t>(V4);
  }
  Bytes v6() const noexcept {
    return kind_ == Kind::Headless ? endpoint_v6() : section<std::uint8_t>(V6);
  }
  // Alias only: wire form, lower case; empty when it is no name.
  Bytes target() const noexcept { return section<std::uint8_t>(Text); }

  // In the order of the Service; those of a headless Service from its slices.
  std::span<const NamedPort> ports() const noexcept { return section<NamedPort>(Ports); }
  std::string_view name(const NamedPort& port) const noexcept {
    return text(port.name_at, port.name_size);
  }
  const NamedPort* find_port(Bytes name, std::string_view protocol) const noexcept;
  bool has_protocol(std::string_view protocol) const noexcept;
  // SRV at the Service's name: the distinct port numbers of a ClusterIP Service, unnamed too.
  std::span<const std::uint16_t> port_numbers() const noexcept {
    return section<std::uint16_t>(Numbers);
  }
  std::uint16_t bare_weight() const noexcept { return bare_weight_; }

  // Addresses of ready endpoints, each once, in ascending order.
  Bytes endpoint_v4() const noexcept { return section<std::uint8_t>(EndpointV4); }
  Bytes endpoint_v6() const noexcept { return section<std::uint8_t>(EndpointV6); }
  std::uint32_t address_count() const noexcept {
    return static_cast<std::uint32_t>(endpoint_v4().size() / 4 + endpoint_v6().size() / 16);
  }
  // 4 or 16 octets.
  Bytes address(std::uint32_t index) const noexcept {
    const Bytes all_v4 = endpoint_v4();
    const std::size_t v4_count = all_v4.size() / 4;
    return index < v4_count ? all_v4.subspan(std::size_t{index} * 4, 4)
                            : endpoint_v6().subspan((index - v4_count) * 16, 16);
  }
  // The index of an endpoint's address.
  std::optional<std::uint32_t> find_address(const IpAddress& address) const noexcept;
  bool has_cluster_ip(const IpAddress& address) const noexcept;

  bool is_plain() const noexcept { return plain_; }
  std::uint32_t endpoint_count() const noexcept {
    return plain_ ? address_count() : static_cast<std::uint32_t>(labels().size());
  }
  // REQUIRES: `index` is below endpoint_count().
  Endpoint endpoint(std::uint32_t index) const noexcept;
  // The endpoint whose label is `label`, in lower case.
  std::optional<Endpoint> find_endpoint(Bytes label) const noexcept;
  // The first endpoint, in the order of labels, that has that address.
  std::optional<Endpoint> endpoint_with(const IpAddress& address) const noexcept;
  std::uint32_t member_count() const noexcept {
    return plain_ ? address_count() : static_cast<std::uint32_t>(members().size());
  }
  // In the order of labels, then addresses.
  Member member(std::uint32_t index) const noexcept {
    return plain_ ? Member{index, 0, 1} : members()[index];
  }
  // The first label of the name, with its length octet; may stand in `buffer`.
  Bytes label_wire(const Endpoint& endpoint, LabelBuffer& buffer) const noexcept;
  // The label is a hostname, not a pod name or an address.
  bool has_hostname(const Endpoint& endpoint) const noexcept {
    return !plain_ && labels()[endpoint.label].has_hostname;
  }

  // Of the form with labels; the writer's.
  std::span<const Label> labels() const noexcept { return section<Label>(Labels); }
  std::span<const Member> members() const noexcept { return section<Member>(Members); }
  std::string_view label_text(const Label& label) const noexcept {
    const std::uint8_t* at = section<std::uint8_t>(Text).data() + label.text_at;
    return as_text({at + 1, *at});
  }
  // The texts of labels that stand side by side, each with its length octet.
  std::string_view label_texts(std::uint32_t at, std::size_t size) const noexcept {
    return text(at, size);
  }

  std::size_t group_count() const noexcept { return section<PortGroup>(Groups).size(); }
  std::span<const Port> group(std::uint32_t index) const noexcept {
    const PortGroup& group = section<PortGroup>(Groups)[index];
    return section<Port>(GroupPorts).subspan(group.first, group.count);
  }
  std::string_view name(const Port& port) const noexcept {
    return text(port.name_at, port.name_size);
  }

  std::size_t bytes() const noexcept { return sizeof(ServiceData) + ends_[Text]; }

 private:
  friend class ServiceWriter;

  // Arrays of octets and of what is aligned to four first, so that nothing is lost between them.
  enum Section : std::uint8_t {
    V4,
    V6,
    EndpointV4,
    EndpointV6,
    Ports,
    Groups,
    GroupPorts,
    Labels,
    Members,
    Numbers,
    Text,
    SectionCount
  };

  ServiceData() = default;

  const std::uint8_t* behind() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this + 1);
  }
  template <typename T>
  std::span<const T> section(Section which) const noexcept {
    const std::uint32_t begin = which == 0 ? 0 : ends_[which - 1U];
    return {reinterpret_cast<const T*>(behind() + begin), (ends_[which] - begin) / sizeof(T)};
  }
  std::string_view text(std::uint32_t at, std::size_t size) const noexcept {
    return as_text(section<std::uint8_t>(Text).subspan(at, size));
  }

  Kind kind_ = Kind::ClusterIp;
  bool plain_ = true;
  std::uint16_t bare_weight_ = 1;
  std::array<std::uint32_t, SectionCount> ends_{};  // Of sections, in octets behind this object.
};
static_assert(sizeof(ServiceData) % 4 == 0);

}  // namespace waypost::records
