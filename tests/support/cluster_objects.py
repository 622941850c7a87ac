"""Objects of made-up clusters as the API server writes them, the same as a folder of manifests, and
the questions that show whether DNS knows them.

Everything is derived from numbers: the same arguments make the same objects, uids included.
"""

import dataclasses
import ipaddress
import json
import pathlib
import socket
import zlib

CREATED = "2026-01-01T00:00:00Z"
CLUSTER_DOMAIN = "cluster.local"


def port(number, name="", protocol="TCP", target=None):
    """A port of a Service."""
    fields = {"name": name} if name else {}
    return {**fields, "protocol": protocol, "port": number, "targetPort": target or number}


def service(name, namespace="default", address=None, ports=(), selector=None, **spec):
    """A Service as it comes back from the API.  `address`: its clusterIP, several separated by
    commas, or "None"; nothing for ExternalName.  Other arguments are fields of the spec."""
    addresses = address.split(",") if address else []
    fields = {"ports": list(ports), "selector": selector or {}, "type": "ClusterIP",
              "sessionAffinity": "None"}
    if addresses:
        families = ["IPv6" if ":" in one else "IPv4" for one in addresses]
        fields.update({"clusterIP": addresses[0], "clusterIPs": addresses, "ipFamilies": families,
                       "ipFamilyPolicy": "SingleStack" if len(families) == 1
                       else "RequireDualStack", "internalTrafficPolicy": "Cluster"})
    fields.update(spec)
    return {"kind": "Service", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {field: value for field, value in fields.items() if value},
            "status": {"loadBalancer": {}}}


def endpoint(address, hostname=None, ready=True, serving=None, terminating=False, pod=None,
             namespace="default", node="node-0", zone="zone-0"):
    """An endpoint of a slice."""
    fields = {"addresses": [address],
              "conditions": {"ready": ready, "serving": ready if serving is None else serving,
                             "terminating": terminating}}
    if hostname:
        fields["hostname"] = hostname
    if pod:
        fields["targetRef"] = {"kind": "Pod", "namespace": namespace, "name": pod,
                               "uid": pod_uid(namespace, pod)}
    return {**fields, "nodeName": node, "zone": zone}


def endpoint_slice(name, service_name, namespace="default", endpoints=(), ports=(), headless=False,
                   owner_uid=None, family="IPv4"):
    """A slice of the EndpointSlice controller.  `ports`: of the Pods, {"name", "port"}."""
    labels = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
              "kubernetes.io/service-name": service_name}
    if headless:
        labels["service.kubernetes.io/headless"] = ""
    owner = {"apiVersion": "v1", "kind": "Service", "name": service_name,
             "uid": owner_uid or uid(8, hash_of(f"{namespace}/{service_name}")),
             "controller": True, "blockOwnerDeletion": True}
    return {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
            "metadata": {"name": name, "generateName": f"{service_name}-", "namespace": namespace,
                         "labels": labels,
                         "annotations": {
                             "endpoints.kubernetes.io/last-change-trigger-time": CREATED},
                         "ownerReferences": [owner]},
            "addressType": family, "endpoints": list(endpoints),
            "ports": [{"name": one.get("name", ""), "protocol": one.get("protocol", "TCP"),
                       "port": one["port"]} for one in ports]}


def namespace(name, labels=None, phase="Active"):
    fields = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name},
              "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": phase}}
    if labels:
        fields["metadata"]["labels"] = dict(labels)
    return fields


def pod(name, namespace_name="default", addresses=(), node="node-0", labels=None, phase="Running",
        ready=True):
    """A Pod with one container."""
    status = {"phase": phase, "conditions": [
        {"type": "Ready", "status": "True" if ready else "False", "lastProbeTime": None,
         "lastTransitionTime": CREATED}]}
    if addresses:
        status.update({"podIP": addresses[0], "podIPs": [{"ip": one} for one in addresses]})
    return {"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace_name, "labels": dict(labels or {})},
            "spec": {"containers": [{"name": "c", "image": "none", "ports": [
                {"name": "http", "containerPort": 8080, "protocol": "TCP"}], "resources": {}}],
                     "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "nodeName": node,
                     "schedulerName": "default-scheduler", "enableServiceLinks": True},
            "status": {**status, "qosClass": "BestEffort"}}


def node(name, address, zone):
    return {"kind": "Node", "apiVersion": "v1",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name,
                                                  "topology.kubernetes.io/zone": zone}},
            "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}], "addresses": [
                {"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]}}


def hash_of(text):
    """A number that depends on the text alone, unlike hash()."""
    return zlib.crc32(text.encode())


def uid(space, number):
    return f"{number:08x}-{space:04x}-4000-8000-000000000000"


def pod_uid(namespace_name, name):
    return uid(9, hash_of(f"{namespace_name}/{name}"))


def ip4(number):
    return socket.inet_ntoa(number.to_bytes(4, "big"))


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The shape of a cluster.  Objects come as a generator: the cluster is never held whole."""

    services: int = 10
    endpoints: int = 10  # Of each Service.
    namespaces: int = 10
    headless: float = 0.1  # Which share of the Services; their endpoints have hostnames.
    nodes: int = 3
    zones: int = 3
    slices: bool = True  # Whether there are EndpointSlices.
    pods: bool = False  # Whether the Pods behind the endpoints are there as well.
    first: int = 0  # The number of the first Service.

    def namespace_of(self, number):
        return f"ns-{number % self.namespaces}"

    def is_headless(self, number):
        return int((number + 1) * self.headless) > int(number * self.headless)

    def cluster_ip(self, number):
        """From 10.96.0.0/12, leaving out what a cluster's first addresses are used for."""
        return ip4(0x0A600000 + 256 + number)

    def pod_ip(self, number, index):
        """From 10.128.0.0/9."""
        return ip4(0x0A800000 + 1 + number * self.endpoints + index)

    def service(self, number):
        ports = [port(80, "http", target=8080)]
        if number % 4 == 0:
            ports.append(port(9090, "metrics", target=9090))
        made = service(f"svc-{number}", self.namespace_of(number),
                       "None" if self.is_headless(number) else self.cluster_ip(number), ports,
                       {"app": f"svc-{number}"})
        made["metadata"].update(uid=uid(1, number), labels={"app": f"svc-{number}",
                                                            "team": f"team-{number % 17}"})
        return made

    def endpoint_slice(self, number):
        name = self.namespace_of(number)
        headless = self.is_headless(number)
        ports = [{"name": "http", "port": 8080}]
        if number % 4 == 0:
            ports.append({"name": "metrics", "port": 9090})
        made = endpoint_slice(
            f"svc-{number}-{hash_of(str(number)) % 0xFFFFF:05x}", f"svc-{number}", name,
            [endpoint(self.pod_ip(number, i), f"svc-{number}-{i}" if headless else None,
                      pod=f"svc-{number}-{i}", namespace=name, node=f"node-{i % self.nodes}",
                      zone=f"zone-{i % self.zones}") for i in range(self.endpoints)],
            ports, headless, owner_uid=uid(1, number))
        made["metadata"]["uid"] = uid(2, number)
        return made

    def pod(self, number, index):
        made = pod(f"svc-{number}-{index}", self.namespace_of(number),
                   [self.pod_ip(number, index)], f"node-{index % self.nodes}",
                   {"app": f"svc-{number}"})
        made["metadata"]["uid"] = pod_uid(self.namespace_of(number), f"svc-{number}-{index}")
        return made

    def objects(self):
        for number in range(self.namespaces):
            yield namespace(f"ns-{number}", {"team": f"team-{number}"})
        for number in range(self.nodes):
            yield node(f"node-{number}", f"10.64.0.{number + 1}", f"zone-{number % self.zones}")
        numbers = range(self.first, self.first + self.services)
        yield from (self.service(number) for number in numbers)
        if self.slices:
            yield from (self.endpoint_slice(number) for number in numbers)
        if self.pods:
            yield from (self.pod(number, i) for number in numbers for i in range(self.endpoints))


def write_manifests(folder, things):
    """Writes objects as manifests, one file for each kind.  Of what only an API server holds
    managedFields are left out."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    try:
        for thing in things:
            kind = thing["kind"]
            if kind not in files:
                files[kind] = open(folder / f"{kind.lower()}.yaml", "w", encoding="utf-8")
            metadata = {name: value for name, value in thing["metadata"].items()
                        if name != "managedFields"}
            files[kind].write("---\n" + json.dumps({**thing, "metadata": metadata},
                                                   ensure_ascii=False) + "\n")
    finally:
        for file in files.values():
            file.close()


def questions(things, domain=CLUSTER_DOMAIN):
    """Every (name, type) that the DNS of a cluster with these objects has an answer to, as far as
    Services and EndpointSlices give them names.  In order, without repetitions."""
    found = {}
    for thing in things:
        metadata = thing["metadata"]
        if thing["kind"] == "Service":
            owner = f"{metadata['name']}.{metadata['namespace']}.svc.{domain}"
            for address in thing["spec"].get("clusterIPs", ()):
                if address != "None":
                    found[(ipaddress.ip_address(address).reverse_pointer, "PTR")] = None
            for one in thing["spec"].get("ports", ()):
                if one.get("name"):
                    label = f"_{one['name']}._{one.get('protocol', 'TCP').lower()}"
                    found[(f"{label}.{owner}", "SRV")] = None
        elif thing["kind"] == "EndpointSlice":
            name = metadata.get("labels", {}).get("kubernetes.io/service-name")
            owner = f"{name}.{metadata['namespace']}.svc.{domain}"
            for one in thing.get("endpoints") or ():
                for address in one["addresses"]:
                    label = one.get("hostname") or address.replace(".", "-").replace(":", "-")
                    found[(f"{label}.{owner}", "A")] = None
                    found[(ipaddress.ip_address(address).reverse_pointer, "PTR")] = None
        else:
            continue
        for qtype in ("A", "AAAA", "SRV"):
            found[(owner, qtype)] = None
    return list(found)
