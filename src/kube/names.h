// What the API admits as names, ports' names and labels.
//
// Each check goes with the words that finish the sentence "'x' is not ...".

#pragma once

#include <string_view>

namespace waypost::kube {

// RFC 1123 label, lower case, at most 63 octets: Services, Namespaces, hostnames, ports of Services
// and of EndpointSlices.  Services may start with a digit, as Kubernetes 1.36 admits.
bool is_dns_label(std::string_view text) noexcept;
inline constexpr std::string_view DnsLabelRule =
    "a DNS label (a-z, 0-9 and '-', no '-' at its ends, at most 63 characters)";

// Such labels with dots between them, at most 253 octets: Pods, EndpointSlices.  As in the API, a
// label of it may be longer than DNS admits.
bool is_dns_subdomain(std::string_view text) noexcept;
inline constexpr std::string_view DnsSubdomainRule =
    "a DNS subdomain (a-z, 0-9, '-' and '.', letters or digits at the ends, at most 253 "
    "characters)";

// RFC 6335, 5.1, lower case: names of container ports, and targetPort by name.
bool is_port_name(std::string_view text) noexcept;
inline constexpr std::string_view PortNameRule =
    "a port name (a-z, 0-9 and single '-', at least one letter, at most 15 characters)";

// What a CNAME may point to: labels of letters, digits, '-' and '_', with or without a final dot.
bool is_host_name(std::string_view text) noexcept;
inline constexpr std::string_view HostNameRule = "a DNS name or an IP address";

// "app", "app.kubernetes.io/name".
bool is_label_key(std::string_view text) noexcept;
inline constexpr std::string_view LabelKeyRule =
    "a label key (an optional DNS prefix and '/', then at most 63 of A-Z, a-z, 0-9, '-', '_', '.')";

// May be empty.
bool is_label_value(std::string_view text) noexcept;
inline constexpr std::string_view LabelValueRule =
    "a label value (at most 63 of A-Z, a-z, 0-9, '-', '_', '.', with letters or digits at its "
    "ends)";

}  // namespace waypost::kube
