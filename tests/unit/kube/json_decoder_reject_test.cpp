#include "kube/json_decoder.h"

#include "support/api_recording.h"
#include "support/object_text.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::kube {
namespace {

ObjectProblem reject(ObjectKind kind, const std::string& json) {
  JsonDecoder decoder(kind);
  auto decoded = decoder.decode(json);
  if (decoded) {
    return {{}, "accepted: " + test::show(*decoded)};
  }
  return std::move(decoded.error());
}

std::string object(const std::string& members) {
  return R"({"metadata":{"name":"x","namespace":"shop","resourceVersion":"7"})" + members + "}";
}

}  // namespace

TEST_CASE("a field that cannot be used makes its object a problem that names it") {
  struct Case {
    ObjectKind kind;
    std::string members;
    std::string message;  // Between the object's name and its version.
  };
  const std::string service = R"(,"spec":{"clusterIP":"10.0.0.1","ports":)";
  for (const Case& c : {
           Case{ObjectKind::Service, R"(,"kind":"Pod")", "kind: 'Pod' is not Service"},
           Case{ObjectKind::Service, R"(,"spec":[])", "spec: a sequence is not a mapping"},
           Case{ObjectKind::Service, service + R"([{"port":"abc"}]})",
                "spec.ports[0].port: 'abc' is not a port number 1..65535"},
           Case{ObjectKind::Service, service + R"([{"port":80},7]})",
                "spec.ports[1]: the number '7' is not a mapping"},
           Case{ObjectKind::Service, service + R"([{"port":65536}]})",
                "spec.ports[0].port: the number '65536' is not a port number 1..65535"},
           Case{ObjectKind::Service, service + R"([{"port":80.0}]})",
                "spec.ports[0].port: the number '80.0' is not a port number 1..65535"},
           Case{ObjectKind::Service, service + R"([{"name":"a"}]})",
                "spec.ports[0].port: is missing; expected a port number 1..65535"},
           Case{ObjectKind::Service, service + R"([{"port":1,"protocol":"QUIC"}]})",
                "spec.ports[0].protocol: 'QUIC' is not one of TCP, UDP, SCTP"},
           Case{ObjectKind::Service, R"(,"spec":{"type":"Mesh"})",
                "spec.type: 'Mesh' is not one of ClusterIP, NodePort, LoadBalancer, ExternalName"},
           Case{ObjectKind::Service, R"(,"spec":{"clusterIP":"10.0.0.256"})",
                "spec.clusterIP: '10.0.0.256' is not an IP address"},
           Case{ObjectKind::Service, R"(,"spec":{"clusterIP":true})",
                "spec.clusterIP: the boolean 'true' is not a string; put it in quotes"},
           Case{ObjectKind::EndpointSlice, "",
                "addressType: is missing; expected one of IPv4, IPv6, FQDN"},
           Case{ObjectKind::EndpointSlice, R"(,"addressType":"Unix")",
                "addressType: 'Unix' is not one of IPv4, IPv6, FQDN"},
           Case{ObjectKind::EndpointSlice,
                R"(,"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"]},{}])",
                "endpoints[1].addresses: is missing; expected a sequence of at least one address"},
           Case{ObjectKind::EndpointSlice,
                R"(,"addressType":"IPv4","endpoints":[{"addresses":["fd00::1"]}])",
                "endpoints[0].addresses[0]: 'fd00::1' is not of the slice's addressType"},
           Case{ObjectKind::EndpointSlice,
                R"(,"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],)"
                R"("conditions":{"ready":"true"}}])",
                "endpoints[0].conditions.ready: 'true' is not true or false"},
           Case{ObjectKind::EndpointSlice,
                R"(,"addressType":"IPv4","ports":[{"port":1,"protocol":"QUIC"}])",
                "ports[0].protocol: 'QUIC' is not one of TCP, UDP, SCTP"},
           Case{ObjectKind::Pod, R"(,"status":{"phase":"Dreaming"})",
                "status.phase: 'Dreaming' is not one of Pending, Running, Succeeded, Failed, "
                "Unknown"},
           Case{ObjectKind::Pod, R"(,"status":{"podIPs":[{"ip":"x"}]})",
                "status.podIPs[0].ip: 'x' is not an IP address"},
       }) {
    CAPTURE(c.members);
    const ObjectProblem problem = reject(c.kind, object(c.members));
    CHECK(problem.message ==
          std::string(to_text(c.kind)) + " shop/x: " + c.message + " (resourceVersion 7)");
    CHECK(problem.version == ObjectVersion{{"shop", "x"}, 7});
  }
  for (const Case& c : {
           Case{ObjectKind::Node, R"(,"status":{"addresses":[{"type":"InternalIP"}]})",
                "status.addresses[0].address: is missing; expected an IP address"},
           Case{ObjectKind::Node, R"(,"spec":{"podCIDR":"10.0.0.0"})",
                "spec.podCIDR: '10.0.0.0' is not an IP prefix, such as 10.244.1.0/24"},
           Case{ObjectKind::Node, R"(,"spec":{"podCIDRs":["10.0.0.0/33"]})",
                "spec.podCIDRs[0]: '10.0.0.0/33' is not an IP prefix, such as 10.244.1.0/24"},
           Case{ObjectKind::Node, R"(,"spec":{"taints":[{}]})",
                "spec.taints[0].key: is missing; expected a label key (an optional DNS prefix and "
                "'/', then at most 63 of A-Z, a-z, 0-9, '-', '_', '.')"},
       }) {
    CAPTURE(c.members);
    CHECK(reject(c.kind, object(c.members)).message ==
          "Node x: " + c.message + " (resourceVersion 7)");
  }
}

TEST_CASE("a problem names its object as far as that can be read") {
  struct Case {
    std::string json;
    ObjectVersion version;
    std::string message;  // How it begins.
  };
  for (const Case& c : {
           Case{R"({"metadata":{"name":"A","namespace":"shop","resourceVersion":"7"}})",
                {{"shop", ""}, 7},
                "Service: metadata.name: 'A' is not a DNS label"},
           Case{R"({"metadata":{"name":"x","resourceVersion":"y"}})",
                {{"default", "x"}, 0},
                "Service default/x: metadata.resourceVersion: 'y' is not a decimal number"},
           Case{R"({"metadata":{"name":"x","resourceVersion":"99999999999999999999"}})",
                {{"default", "x"}, 0},
                "Service default/x: metadata.resourceVersion: '99999999999999999999' is not"},
           Case{R"({"metadata":[]})", {{"default", ""}, 0}, "Service: metadata: a sequence is not"},
           Case{R"({"metadata":{"name":"x","labels":{"a":1}}})",
                {{"default", "x"}, 0},
                "Service default/x: metadata.labels.a: the number '1' is not a string"},
           Case{"{\"metadata\":{\"name\":\"x\"}", {}, "Service: not JSON: "},
           Case{"[]", {}, "Service: a sequence is not an object"},
           Case{"", {}, "Service: not JSON: "},
           Case{std::string(MaxJsonSize + 1, ' '), {}, "Service: longer than 4194304 octets"},
       }) {
    CAPTURE(c.json.substr(0, 100));
    const ObjectProblem problem = reject(ObjectKind::Service, c.json);
    CAPTURE(problem.message);
    CHECK(problem.message.starts_with(c.message));
    CHECK(problem.version == c.version);
  }
}

TEST_CASE("an object that is cut off anywhere is a problem") {
  const std::string body = test::read_recording("list-endpointslices").body;
  const std::size_t begin = body.find("{\"metadata\":{\"name\":");
  const std::string json = body.substr(begin, body.find(",{\"metadata\":", begin) - begin);
  JsonDecoder decoder(ObjectKind::EndpointSlice);
  REQUIRE(decoder.decode(json));
  for (std::size_t size = 0; size < json.size(); ++size) {
    CAPTURE(size);
    REQUIRE_FALSE(decoder.decode(json.substr(0, size)));
    REQUIRE_FALSE(decoder.decode_version(json.substr(0, size)));
    REQUIRE_FALSE(decoder.decode_bookmark(json.substr(0, size)));
  }
}

}  // namespace waypost::kube
