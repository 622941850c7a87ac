#include "records/service_writer.h"

#include "dns/name.h"
#include "records/endpoint_set.h"
#include "records/srv_records.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waypost::records {

// Collects the sections of one version and puts them together.
class ServiceWriter {
 public:
  void add_cluster_ip(const IpAddress& address) {
    (address.is_v4() ? v4_ : v6_) += as_text(address.octets());
  }
  void add_port(std::string_view name, kube::Protocol protocol, std::uint16_t port,
                std::uint16_t weight) {
    const std::uint32_t at = add_text(name);
    ports_.push_back({at, port, weight, static_cast<std::uint8_t>(name.size()), protocol});
  }
  void add_port_number(std::uint16_t number) {
    if (std::find(numbers_.begin(), numbers_.end(), number) == numbers_.end()) {
      numbers_.push_back(number);
    }
  }
  void set_bare_weight(std::uint16_t weight) { bare_weight_ = weight; }
  void set_target(Bytes wire) { text_ = as_text(wire); }

  // Comes first, for the texts of labels do.
  void set_endpoints(EndpointSet endpoints) {
    endpoints_ = std::move(endpoints);
    text_ = std::move(endpoints_.label_text);
    names_at_ = text_.size();
    for (const PortList& group : endpoints_.groups) {
      groups_.push_back({static_cast<std::uint32_t>(group_ports_.size()),
                         static_cast<std::uint32_t>(group.size())});
      for (const kube::EndpointPort& port : group) {
        group_ports_.push_back({add_text(port.name), port.port,
                                static_cast<std::uint8_t>(port.name.size()), port.protocol});
      }
    }
  }
  const EndpointSet& endpoints() const noexcept { return endpoints_; }

  ServiceData::Pointer finish(ServiceData::Kind kind) const {
    const std::array<Bytes, ServiceData::SectionCount> sections = {as_bytes(v4_),
                                                                   as_bytes(v6_),
                                                                   as_bytes(endpoints_.v4),
                                                                   as_bytes(endpoints_.v6),
                                                                   octets(ports_),
                                                                   octets(groups_),
                                                                   octets(group_ports_),
                                                                   octets(endpoints_.labels),
                                                                   octets(endpoints_.members),
                                                                   octets(numbers_),
                                                                   as_bytes(text_)};
    std::size_t size = sizeof(ServiceData);
    for (const Bytes section : sections) {
      size += section.size();
    }
    auto* data = new (allocate_block(size)) ServiceData();
    data->kind_ = kind;
    data->plain_ = endpoints_.labels.empty();
    data->bare_weight_ = bare_weight_;
    auto* const first = reinterpret_cast<std::uint8_t*>(data + 1);
    std::uint32_t end = 0;
    for (std::size_t i = 0; i < sections.size(); ++i) {
      std::copy(sections[i].begin(), sections[i].end(), first + end);
      end += static_cast<std::uint32_t>(sections[i].size());
      data->ends_[i] = end;
    }
    return ServiceData::Pointer(data);
  }

 private:
  template <typename T>
  static Bytes octets(const std::vector<T>& elements) {
    return {reinterpret_cast<const std::uint8_t*>(elements.data()), elements.size() * sizeof(T)};
  }
  // Where `text` stands; ports of one name share it.
  std::uint32_t add_text(std::string_view text) {
    std::size_t at = text_.find(text, names_at_);
    if (at == std::string::npos) {
      at = text_.size();
      text_ += text;
    }
    return static_cast<std::uint32_t>(at);
  }

  std::string v4_;
  std::string v6_;
  EndpointSet endpoints_;
  std::vector<ServiceData::NamedPort> ports_;
  std::vector<ServiceData::PortGroup> groups_;
  std::vector<ServiceData::Port> group_ports_;
  std::vector<std::uint16_t> numbers_;
  std::string text_;
  std::size_t names_at_ = 0;  // Where the names of ports begin in it.
  std::uint16_t bare_weight_ = 1;
};

namespace {

void write_cluster_ip(const kube::Service& service, ServiceWriter& to) {
  for (const IpAddress& address : service.cluster_ips) {
    to.add_cluster_ip(address);
  }
  const std::size_t addresses = service.cluster_ips.size();
  // Weights count a record for each port and address, as CoreDNS does: two families halve them.
  to.set_bare_weight(srv_weight(service.ports.size() * addresses));
  for (const kube::ServicePort& port : service.ports) {
    if (!port.name.empty()) {
      to.add_port(port.name, port.protocol, port.port, srv_weight(addresses));
    }
    to.add_port_number(port.port);
  }
}

void write_headless(const EndpointSet& endpoints, ServiceWriter& to) {
  std::map<std::pair<std::string_view, kube::Protocol>, std::size_t> named;
  std::size_t records = 0;
  for (std::size_t i = 0; i < endpoints.groups.size(); ++i) {
    const std::size_t copies = endpoints.copies_of_group(i);
    records += srv_records_of(endpoints.groups[i].size(), copies);
    for (const kube::EndpointPort& port : endpoints.groups[i]) {
      if (!port.name.empty()) {
        named[{port.name, port.protocol}] += copies;
      }
    }
  }
  to.set_bare_weight(srv_weight(records));
  for (const auto& [port, count] : named) {
    to.add_port(port.first, port.second, 0, srv_weight(count));
  }
}

}  // namespace

ServiceData::Kind kind_of(const kube::Service& service) {
  using Kind = ServiceData::Kind;
  if (service.type == kube::ServiceType::ExternalName) {
    // Differs from CoreDNS: an address is answered as one, as kube-dns did, not denied.
    return IpAddress::from_text(service.external_name) ? Kind::ExternalAddress : Kind::Alias;
  }
  return service.headless ? Kind::Headless : Kind::ClusterIp;
}

ServiceData::Pointer make_service_data(const kube::Service& service, const ServiceData* before,
                                       const EndpointChanges& changes) {
  const ServiceData::Kind kind = kind_of(service);
  ServiceWriter writer;
  if (kind == ServiceData::Kind::ExternalAddress) {
    writer.add_cluster_ip(*IpAddress::from_text(service.external_name));
  } else if (kind == ServiceData::Kind::Alias) {
    if (const auto target = dns::Name::from_text(service.external_name)) {
      writer.set_target(target->lowered().wire());
    }
  } else {
    writer.set_endpoints(merge_endpoints(before, changes));
    if (kind == ServiceData::Kind::Headless) {
      write_headless(writer.endpoints(), writer);
    } else {
      write_cluster_ip(service, writer);
    }
  }
  return writer.finish(kind);
}

}  // namespace waypost::records
