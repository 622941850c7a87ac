#include "kube/json_decoder.h"

#include "kube/yaml_decoder.h"

#include "support/object_text.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::kube {
namespace {

using test::show;

template <typename T>
std::string show_or_problem(const std::expected<T, ObjectProblem>& decoded) {
  return decoded ? show(*decoded) : "! " + decoded.error().message;
}

std::string decode(ObjectKind kind, const std::string& json) {
  JsonDecoder decoder(kind);
  return show_or_problem(decoder.decode(json));
}

// An object "shop/x", version 7, with these further members.
std::string object(const std::string& members) {
  return R"({"metadata":{"name":"x","namespace":"shop","resourceVersion":"7"})" + members + "}";
}

std::string slice(const std::string& members) {
  return R"({"metadata":{"name":"x","namespace":"shop","labels":)"
         R"({"kubernetes.io/service-name":"web","Not a label":1}},"addressType":"IPv4")" +
         members + "}";
}

}  // namespace

TEST_CASE("objects may be odd and are valid") {
  struct Case {
    ObjectKind kind;
    std::string json;
    std::string expected;
  };
  for (
      const Case& c : {
          // Absent and null are the same, and have the API's defaults.
          Case{ObjectKind::Service, object(R"(,"spec":{"clusterIP":"None"})"),
               "Service shop/x ClusterIP headless @7"},
          Case{ObjectKind::Service,
               object(R"(,"spec":{"clusterIP":"None","clusterIPs":null,"ports":null,"type":null,)"
                      R"("selector":null,"ipFamilies":null,"ipFamilyPolicy":null},"status":null)"),
               "Service shop/x ClusterIP headless @7"},
          Case{ObjectKind::Service,
               object(R"(,"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[)"
                      R"({"port":80,"name":null,"protocol":null,"targetPort":null,"nodePort":0},)"
                      R"({"port":81,"name":"b","targetPort":0},{"port":82,"name":"c",)"
                      R"("targetPort":"http","appProtocol":"kubernetes.io/h2c"}],)"
                      R"("sessionAffinity":"Unheard","futureField":{"a":[1]}})"),
               "! Service shop/x: spec.ports: [0] has no name; expected one when there are several "
               "ports (resourceVersion 7)"},
          Case{ObjectKind::Service,
               object(R"(,"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[)"
                      R"({"port":80,"name":"a","protocol":null,"targetPort":null,"nodePort":0},)"
                      R"({"port":81,"name":"b","targetPort":0},{"port":82,"name":"c",)"
                      R"("targetPort":"http","appProtocol":"kubernetes.io/h2c"}],)"
                      R"("sessionAffinity":"Unheard","futureField":{"a":[1]}})"),
               "Service shop/x ClusterIP 10.0.0.1 a:80/tcp>80 b:81/tcp>81 c:82/tcp>http @7"},
          Case{ObjectKind::Service,
               R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"0day","labels":{"a":""},)"
               R"("annotations":{"x":{}},"managedFields":"skipped"},"spec":{"type":"ExternalName",)"
               R"("externalName":"a.example.org"}})",
               "Service default/0day ExternalName -> a.example.org labels a="},
          Case{ObjectKind::EndpointSlice, slice(""), "EndpointSlice shop/x of web"},
          Case{ObjectKind::EndpointSlice, slice(R"(,"endpoints":null,"ports":null)"),
               "EndpointSlice shop/x of web"},
          // A port without a number stands for every port.
          Case{ObjectKind::EndpointSlice,
               slice(R"(,"ports":[{"name":"","port":null},{"name":"b","port":1,"protocol":null}])"),
               "EndpointSlice shop/x of web b:1/tcp"},
          // More than one address in an endpoint.
          Case{ObjectKind::EndpointSlice,
               slice(R"(,"endpoints":[{"addresses":["10.0.0.1","10.0.0.2"],"hostname":"h",)"
                     R"("targetRef":{"kind":"Pod","name":"p"},"nodeName":"n","zone":"z",)"
                     R"("hints":{"forZones":[{"name":"z"}]}},)"
                     R"({"addresses":["10.0.0.3"],"conditions":null,"targetRef":null},)"
                     R"({"addresses":["10.0.0.4"],"conditions":{"ready":null,"serving":null,)"
                     R"("terminating":null},"targetRef":{"kind":"Node","name":"n"}},)"
                     R"({"addresses":["10.0.0.5"],"conditions":{"ready":false}},)"
                     R"({"addresses":["10.0.0.6"],"conditions":{"ready":false,"serving":true,)"
                     R"("terminating":true}}])"),
               "EndpointSlice shop/x of web 10.0.0.1(rs-)=h~p 10.0.0.2(rs-)=h~p 10.0.0.3(rs-) "
               "10.0.0.4(rs-) 10.0.0.5(-s-) 10.0.0.6(-st)"},
          Case{ObjectKind::EndpointSlice,
               object(R"(,"addressType":"FQDN","endpoints":[{"addresses":["a.example.org"]}])"),
               "skipped shop/x @7"},
          Case{ObjectKind::EndpointSlice, object(R"(,"addressType":"IPv6")"),
               "EndpointSlice shop/x of  @7"},
          Case{ObjectKind::Namespace, R"({"metadata":{"name":"shop","deletionTimestamp":null}})",
               "Namespace shop kubernetes.io/metadata.name=shop"},
          Case{ObjectKind::Pod, object(R"(,"spec":{"containers":null},"status":{})"),
               "Pod shop/x Pending @7"},
          Case{ObjectKind::Pod,
               R"({"metadata":{"name":"x","namespace":"shop","deletionTimestamp":)"
               R"("2026-11-24T02:17:22Z"},"spec":{"containers":[{"ports":null},{"ports":[)"
               R"({"containerPort":80}]}],"volumes":17},"status":{"podIP":"fd00::1","podIPs":)"
               R"([{"ip":"fd00::1"},{"ip":"10.0.0.1"}],"conditions":null,)"
               R"("containerStatuses":"skipped"}})",
               "Pod shop/x Pending terminating fd00::1 10.0.0.1 :80/tcp"},
          Case{ObjectKind::Node, R"({"metadata":{"name":"n1.example.org"},"spec":{},"status":{}})",
               "Node n1.example.org"},
          Case{
              ObjectKind::Node,
              R"({"metadata":{"name":"n1","resourceVersion":"9","deletionTimestamp":"x","labels":)"
              R"({"topology.kubernetes.io/zone":"z"}},"spec":{"podCIDR":"10.244.1.0/24",)"
              R"("podCIDRs":["10.244.1.0/24","fd00:1::/64"],"taints":[{"key":"b"},)"
              R"({"key":"ToBeDeletedByClusterAutoscaler","value":"1","effect":"NoSchedule"},)"
              R"({"key":"b","effect":"NoExecute"}]},"status":{"addresses":[)"
              R"({"type":"Hostname","address":"n1"},{"type":"InternalIP","address":"10.0.0.1"},)"
              R"({"type":"ExternalIP","address":"2001:db8::1"},{"type":"FutureIP","address":"?"}],)"
              R"("images":"skipped"}})",
              "Node n1 deleting internal 10.0.0.1 external 2001:db8::1 pods 10.244.1.0/24 pods "
              "fd00:1::/64 taint ToBeDeletedByClusterAutoscaler taint b labels "
              "topology.kubernetes.io/zone=z @9"},
      }) {
    CAPTURE(c.json);
    CHECK(decode(c.kind, c.json) == c.expected);
  }
}

TEST_CASE("an object is the same from a manifest as from the API") {
  const std::string yaml = R"(
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  resourceVersion: "12"
  labels: {app: web, tier: "1"}
spec:
  clusterIP: 10.96.0.7
  clusterIPs: [10.96.0.7, "fd00::7"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: PreferDualStack
  publishNotReadyAddresses: true
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: dns, port: 53, protocol: UDP, targetPort: dns}
)";
  const std::string json =
      R"({"spec":{"ports":[{"name":"http","port":80,"targetPort":8080},{"targetPort":"dns",)"
      R"("protocol":"UDP","name":"dns","port":53}],"selector":{"app":"web"},)"
      R"("publishNotReadyAddresses":true,"ipFamilyPolicy":"PreferDualStack","ipFamilies":)"
      R"(["IPv4","IPv6"],"clusterIPs":["10.96.0.7","fd00::7"],"clusterIP":"10.96.0.7"},)"
      R"("metadata":{"labels":{"tier":"1","app":"web"},"resourceVersion":"12","namespace":"shop",)"
      R"("name":"web"},"kind":"Service","apiVersion":"v1"})";
  const Manifests manifests = decode_manifests(yaml);
  REQUIRE(manifests.services.size() == 1);
  JsonDecoder decoder(ObjectKind::Service);
  const auto decoded = decoder.decode(json);
  REQUIRE(decoded);
  CHECK(*decoded == ApiObject(manifests.services.front().object));
}

TEST_CASE("what is not wanted of an object is left out") {
  const std::string service =
      R"({"metadata":{"name":"x","namespace":"shop","labels":{"a":"b"}},"spec":)"
      R"({"clusterIP":"None","selector":{"c":"d"}}})";
  const auto decode_with = [&](DecodeOptions options, ObjectKind kind, const std::string& json) {
    JsonDecoder decoder(kind, options);
    return show_or_problem(decoder.decode(json));
  };
  CHECK(decode_with({}, ObjectKind::Service, service) ==
        "Service shop/x ClusterIP headless selects c=d labels a=b");
  CHECK(decode_with({.labels = false}, ObjectKind::Service, service) ==
        "Service shop/x ClusterIP headless selects c=d");
  CHECK(decode_with({.selectors = false}, ObjectKind::Service, service) ==
        "Service shop/x ClusterIP headless labels a=b");
  const std::string labeled = R"({"metadata":{"name":"x","labels":{"a":"b"}}})";
  CHECK(decode_with({.labels = false}, ObjectKind::Pod, labeled) == "Pod default/x Pending");
  CHECK(decode_with({.labels = false}, ObjectKind::Node, labeled) == "Node x");
  // How a Pod finds names.
  const auto pod_search = [&](const std::string& spec) {
    return decode_with({.pod_search = true}, ObjectKind::Pod,
                       R"({"metadata":{"name":"x"},"spec":{)" + spec + "}}");
  };
  CHECK(pod_search("") == "Pod default/x Pending dns ClusterFirst");
  CHECK(pod_search(R"("hostNetwork":true,"dnsPolicy":"Default")") ==
        "Pod default/x Pending dns Default host network");
  CHECK(pod_search(R"("dnsPolicy":"ClusterFirstWithHostNet","dnsConfig":null)") ==
        "Pod default/x Pending dns ClusterFirstWithHostNet");
  CHECK(pod_search(R"("dnsPolicy":"None","dnsConfig":{"nameservers":["10.0.0.1"],)"
                   R"("searches":["a.b","c"],"options":[{"name":"debug"},)"
                   R"({"name":"ndots","value":"2"}]})") ==
        "Pod default/x Pending dns None search a.b search c ndots:2");
  CHECK(pod_search(R"("dnsPolicy":"ClusterLast")") == "Pod default/x Pending dns None");
  CHECK(decode_with({}, ObjectKind::Pod,
                    R"({"metadata":{"name":"x"},"spec":{"hostNetwork":true}})") ==
        "Pod default/x Pending");
  // The API server sets this one on every Namespace.
  CHECK(decode_with({.labels = false}, ObjectKind::Namespace, labeled) ==
        "Namespace x kubernetes.io/metadata.name=x");
  // To which Service a slice belongs is always wanted.
  CHECK(decode_with({.labels = false}, ObjectKind::EndpointSlice, slice("")) ==
        "EndpointSlice shop/x of web");
}

TEST_CASE("which object it is can be read without the rest") {
  struct Case {
    ObjectKind kind;
    std::string json;
    std::string expected;
  };
  for (const Case& c : {
           Case{ObjectKind::Service, object(R"(,"spec":"of no use")"), "shop/x @7"},
           Case{ObjectKind::Service,
                R"({"kind":"PartialObjectMetadata","metadata":{"name":"x","labels":7}})",
                "default/x"},
           Case{ObjectKind::Node, object(""), "x @7"},
           Case{ObjectKind::Pod, R"({"metadata":{"name":"a.b","resourceVersion":"1"}})",
                "default/a.b @1"},
           Case{ObjectKind::Service, R"({"metadata":{"name":"a.b","resourceVersion":"1"}})",
                "! Service: metadata.name: 'a.b' is not a DNS label (a-z, 0-9 and '-', no '-' at "
                "its ends, at most 63 characters) (resourceVersion 1)"},
           Case{ObjectKind::Service, "{}",
                "! Service: metadata.name: is missing; expected a DNS label (a-z, 0-9 and '-', no "
                "'-' at its ends, at most 63 characters)"},
           Case{ObjectKind::Service, object(R"(,"metadata":{})"),
                "! Service shop/x: metadata: is given twice; expected it once (resourceVersion 7)"},
       }) {
    CAPTURE(c.json);
    JsonDecoder decoder(c.kind);
    CHECK(show_or_problem(decoder.decode_version(c.json)) == c.expected);
  }
}

TEST_CASE("bookmarks tell a version and the end of the initial events") {
  struct Case {
    std::string json;
    std::string expected;
  };
  const auto show_bookmark = [](const std::expected<Bookmark, ObjectProblem>& bookmark) {
    return bookmark ? std::to_string(bookmark->resource_version) +
                          (bookmark->ends_initial_events ? " end" : "")
                    : "! " + bookmark.error().message;
  };
  for (
      const Case& c : {
          Case{R"({"kind":"Pod","metadata":{"resourceVersion":"454"},"spec":{"containers":null}})",
               "454"},
          Case{R"({"metadata":{"resourceVersion":"370","annotations":)"
               R"({"k8s.io/initial-events-end":"true"}}})",
               "370 end"},
          Case{R"({"metadata":{"resourceVersion":"370","annotations":)"
               R"({"k8s.io/initial-events-end":"false","a":"true"}}})",
               "370"},
          Case{R"({"metadata":{"resourceVersion":"370","annotations":null}})", "370"},
          Case{R"({"metadata":{"annotations":{}}})",
               "! Pod: metadata.resourceVersion: is missing; expected a version above 0"},
          Case{R"({"metadata":{"resourceVersion":"0"}})",
               "! Pod: metadata.resourceVersion: '0' is not a version above 0"},
          Case{R"({"metadata":{"resourceVersion":5}})",
               "! Pod: metadata.resourceVersion: the number '5' is not a string; put it in quotes"},
          Case{
              R"({"metadata":{"resourceVersion":"5","annotations":{"k8s.io/initial-events-end":1}}})",
              "! Pod: metadata.annotations[k8s.io/initial-events-end]: the number '1' is not a "
              "string; put it in quotes"},
          Case{"[]", "! Pod: a sequence is not an object"},
      }) {
    CAPTURE(c.json);
    JsonDecoder decoder(ObjectKind::Pod);
    CHECK(show_bookmark(decoder.decode_bookmark(c.json)) == c.expected);
  }
}

TEST_CASE("a decoder decodes one object after the other, large ones too") {
  JsonDecoder decoder(ObjectKind::Namespace);
  for (int i = 0; i < 3; ++i) {
    const std::string padding(i == 1 ? 1'000'000 : 10, 'x');
    CHECK(show_or_problem(decoder.decode(R"({"metadata":{"name":"a","annotations":{"b":")" +
                                         padding + R"("}}})")) ==
          "Namespace a kubernetes.io/metadata.name=a");
    CHECK(show_or_problem(decoder.decode("{\"metadata\":{\"name\":\"" + padding)).starts_with("!"));
  }
}

}  // namespace waypost::kube
