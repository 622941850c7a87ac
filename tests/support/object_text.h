// Decoded objects in one line each, every field of them, for comparison as whole texts.

#pragma once

#include "kube/json_decoder.h"
#include "kube/objects.h"

#include <string>

namespace waypost::test {

// "shop/web ClusterIP 10.96.0.7 IPv4 http:80/tcp>8080 selects app=web @372": what is empty or the
// default is left out.
std::string show(const kube::Service& service);
// "shop/web-1 of web http:80/tcp 10.1.0.1(rs-)=host~pod": ready, serving, terminating, hostname,
// pod.
std::string show(const kube::EndpointSlice& slice);
std::string show(const kube::Namespace& name_space);
std::string show(const kube::Pod& pod);
std::string show(const kube::Node& node);
std::string show(const kube::ObjectVersion& version);
// The same behind its kind: "Service shop/web ...".
std::string show(const kube::ApiObject& object);
std::string show(const kube::Labels& labels);

}  // namespace waypost::test
