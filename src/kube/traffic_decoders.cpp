#include "kube/traffic_decoders.h"

#include "kube/names.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <utility>

namespace waypost::kube {
namespace {

constexpr std::string_view OtherProxyLabel = "service.kubernetes.io/service-proxy-name";
constexpr std::string_view TriggerTimeAnnotation =
    "endpoints.kubernetes.io/last-change-trigger-time";
// Bounds of the API server, or of what fits into the rules of one Service.
constexpr std::uint32_t DefaultAffinitySeconds = 10800;
constexpr std::uint32_t MaxAffinitySeconds = 86400;
constexpr std::size_t MaxAddresses = 1000;
constexpr std::size_t MaxSourceRanges = 1000;

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view Blank = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(Blank), text.size()));
  return text.substr(0, text.find_last_not_of(Blank) + 1);
}

// "10.0.0.010" to "10.0.0.10".
std::string without_leading_zeros(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_first = i == 0 || text[i - 1] == '.' || text[i - 1] == '/';
    std::size_t end = i;
    while (is_first && end < text.size() && text[end] == '0') {
      ++end;
    }
    const bool has_digit = end < text.size() && text[end] >= '0' && text[end] <= '9';
    if (end > i) {
      i = has_digit ? end : end - 1;
    }
    out += text[i];
  }
  return out;
}

TrafficPolicy decode_policy(FieldReader& reader, const Field& field) {
  const std::string_view text = reader.text(field);
  if (text == "Local") {
    return TrafficPolicy::Local;
  }
  if (!text.empty() && text != "Cluster") {
    reader.refuse(field, "one of Cluster, Local");
  }
  return TrafficPolicy::Cluster;
}

// 0 is what an unset number looks like.
std::uint16_t decode_port_or_none(FieldReader& reader, const Field& field) {
  if (field.node().type() == TreeType::Number && field.node().text() == "0") {
    return 0;
  }
  return reader.port(field).value_or(0);
}

std::uint32_t decode_affinity(FieldReader& reader, const Field& spec) {
  const Field affinity = spec.at("sessionAffinity");
  const std::string_view text = reader.text(affinity);
  if (!text.empty() && text != "None" && text != "ClientIP") {
    reader.refuse(affinity, "one of None, ClientIP");
  }
  if (text != "ClientIP") {
    return 0;
  }
  const Field config_field = spec.at("sessionAffinityConfig");
  const Field config = reader.mapping(config_field);
  const Field client_ip_field = config.at("clientIP");
  const Field client_ip = reader.mapping(client_ip_field);
  const Field timeout = client_ip.at("timeoutSeconds");
  if (!timeout.is_present()) {
    return DefaultAffinitySeconds;
  }
  const std::string_view digits = timeout.node().text();
  std::uint32_t seconds = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (timeout.node().type() != TreeType::Number || ec != std::errc() ||
      end != digits.data() + digits.size() || seconds < 1 || seconds > MaxAffinitySeconds) {
    reader.refuse(timeout, "a number of seconds 1..86400");
    return DefaultAffinitySeconds;
  }
  return seconds;
}

void decode_external_ips(FieldReader& reader, const Field& spec, ServiceTraffic& traffic) {
  const Field list = spec.at("externalIPs");
  reader.each(list, [&](const Field& element) {
    const auto address = parse_lenient_address(reader.text(element));
    if (!address) {
      reader.refuse(element, "an IP address");
    } else if (traffic.external_ips.size() == MaxAddresses) {
      reader.complain(list, "more than " + std::to_string(MaxAddresses) + " addresses");
    } else {
      traffic.external_ips.push_back(*address);
    }
  });
}

void decode_source_ranges(FieldReader& reader, const Field& spec, ServiceTraffic& traffic) {
  const Field list = spec.at("loadBalancerSourceRanges");
  reader.each(list, [&](const Field& element) {
    const auto range = parse_lenient_prefix(reader.text(element));
    if (!range) {
      reader.refuse(element, "an address range such as 203.0.113.0/25");
    } else if (traffic.source_ranges.size() == MaxSourceRanges) {
      reader.complain(list, "more than " + std::to_string(MaxSourceRanges) + " ranges");
    } else {
      traffic.source_ranges.push_back(*range);
    }
  });
}

void decode_load_balancer(FieldReader& reader, const Field& object, ServiceTraffic& traffic) {
  const Field status_field = object.at("status");
  const Field status = reader.mapping(status_field);
  const Field balancer_field = status.at("loadBalancer");
  const Field balancer = reader.mapping(balancer_field);
  const Field list = balancer.at("ingress");
  reader.each(list, [&](const Field& element) {
    const Field ingress = reader.mapping(element);
    const Field ip = ingress.at("ip");
    const Field mode = ingress.at("ipMode");
    const std::string_view mode_text = reader.text(mode);
    if (!mode_text.empty() && mode_text != "VIP" && mode_text != "Proxy") {
      reader.refuse(mode, "one of VIP, Proxy");
    }
    const std::string_view text = reader.text(ip);
    if (text.empty() || mode_text == "Proxy") {  // A host name, or a box that wants the traffic.
      return;
    }
    const auto address = parse_lenient_address(text);
    if (!address) {
      reader.refuse(ip, "an IP address");
    } else if (traffic.load_balancer_ips.size() == MaxAddresses) {
      reader.complain(list, "more than " + std::to_string(MaxAddresses) + " addresses");
    } else {
      traffic.load_balancer_ips.push_back(*address);
    }
  });
}

// The names in a list of {name: …}, separated by commas.
std::string decode_hints(FieldReader& reader, const Field& list) {
  std::string names;
  reader.each(list, [&](const Field& element) {
    const Field hint = reader.mapping(element);
    const std::string_view name =
        reader.required_text(hint.at("name"), is_label_value, LabelValueRule);
    names += names.empty() ? "" : ",";
    names += name;
  });
  return names;
}

}  // namespace

ServiceTraffic decode_service_traffic(FieldReader& reader, const Field& object,
                                      const Service& service) {
  ServiceTraffic traffic;
  const Field spec_field = object.at("spec");
  const Field spec = reader.mapping(spec_field);
  const Field ports = spec.at("ports");
  reader.each(ports, [&](const Field& element) {
    const Field port = reader.mapping(element);
    traffic.node_ports.push_back(decode_port_or_none(reader, port.at("nodePort")));
  });
  traffic.node_ports.resize(service.ports.size());
  decode_external_ips(reader, spec, traffic);
  decode_source_ranges(reader, spec, traffic);
  decode_load_balancer(reader, object, traffic);
  traffic.external_policy = decode_policy(reader, spec.at("externalTrafficPolicy"));
  traffic.internal_policy = decode_policy(reader, spec.at("internalTrafficPolicy"));
  traffic.affinity_seconds = decode_affinity(reader, spec);
  traffic.health_check_node_port = decode_port_or_none(reader, spec.at("healthCheckNodePort"));
  const Field metadata_field = object.at("metadata");
  const Field metadata = reader.mapping(metadata_field);
  const Field labels_field = metadata.at("labels");
  const Field labels = reader.mapping(labels_field);
  traffic.has_other_proxy = labels.at(OtherProxyLabel).node().type() != TreeType::Absent;
  return traffic;
}

void decode_placements(FieldReader& reader, const Field& endpoint, std::size_t addresses,
                       Placements& placements) {
  const std::string_view node =
      reader.text(endpoint.at("nodeName"), is_dns_subdomain, DnsSubdomainRule);
  const Field hints_field = endpoint.at("hints");
  const Field hints = reader.mapping(hints_field);
  const std::string zones = decode_hints(reader, hints.at("forZones"));
  const std::string nodes = decode_hints(reader, hints.at("forNodes"));
  for (std::size_t i = 0; i < addresses; ++i) {
    placements.add(node, zones, nodes, i > 0);
  }
}

ChangeTimes decode_change_times(FieldReader& reader, const Field& metadata) {
  const Field annotations_field = metadata.at("annotations");
  const Field annotations = reader.mapping(annotations_field);
  return {
      .created = parse_time_ms(reader.text(metadata.at("creationTimestamp"))).value_or(0),
      .triggered = parse_time_ms(reader.text(annotations.at(TriggerTimeAnnotation))).value_or(0)};
}

std::optional<IpAddress> parse_lenient_address(std::string_view text) {
  const std::string_view found = trimmed(text);
  const bool is_v6 = found.find(':') != std::string_view::npos;
  return IpAddress::from_text(is_v6 ? std::string(found) : without_leading_zeros(found));
}

std::optional<IpPrefix> parse_lenient_prefix(std::string_view text) {
  const std::string_view found = trimmed(text);
  const std::size_t slash = found.find('/');
  const auto address = parse_lenient_address(found.substr(0, slash));
  if (!address || slash == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view digits = found.substr(slash + 1);
  unsigned length = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (ec != std::errc() || end != digits.data() + digits.size() ||
      length > (address->is_v4() ? 32 : 128)) {
    return std::nullopt;
  }
  return IpPrefix::around(*address, length);
}

std::optional<std::int64_t> parse_time_ms(std::string_view text) noexcept {
  // "2026-01-31T12:00:00", a fraction perhaps, and "Z" or "+01:00".
  static constexpr std::string_view Shape = "0000-00-00T00:00:00";
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + size, value);
    return value;
  };
  if (text.size() < Shape.size() + 1) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < Shape.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (Shape[i] == '0' ? !is_digit : text[i] != Shape[i]) {
      return std::nullopt;
    }
  }
  const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2))));
  if (!day.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 60) {
    return std::nullopt;
  }
  std::int64_t ms = std::chrono::sys_days(day).time_since_epoch().count() * 86400000LL +
                    number(11, 2) * 3600000LL + number(14, 2) * 60000LL + number(17, 2) * 1000LL;
  std::size_t at = Shape.size();
  if (text[at] == '.') {
    std::int64_t unit = 100;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      ms += (text[at] - '0') * unit;
    }
  }
  const std::string_view zone = text.substr(at);
  if (zone == "Z") {
    return ms;
  }
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') {
    return std::nullopt;
  }
  const std::int64_t offset = number(at + 1, 2) * 3600000LL + number(at + 4, 2) * 60000LL;
  return zone[0] == '+' ? ms - offset : ms + offset;
}

}  // namespace waypost::kube
