"""The kinds of object that the test API server knows, and how the real one writes each of them.

Orders and empty forms follow kube-apiserver 1.36.2 as recorded in tests/data/api.
"""

import dataclasses
import json

META_ORDER = ("name", "generateName", "namespace", "uid", "resourceVersion", "generation",
              "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
              "annotations", "ownerReferences", "finalizers", "managedFields")

SERVICE_SPEC_ORDER = (
    "ports", "selector", "clusterIP", "clusterIPs", "type", "externalIPs", "sessionAffinity",
    "loadBalancerIP", "loadBalancerSourceRanges", "externalName", "externalTrafficPolicy",
    "healthCheckNodePort", "publishNotReadyAddresses", "sessionAffinityConfig", "ipFamilies",
    "ipFamilyPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass",
    "internalTrafficPolicy", "trafficDistribution")

EMPTY_NODE_STATUS = (
    '{"daemonEndpoints":{"kubeletEndpoint":{"Port":0}},"nodeInfo":{"machineID":"","systemUUID":"",'
    '"bootID":"","kernelVersion":"","osImage":"","containerRuntimeVersion":"","kubeletVersion":"",'
    '"kubeProxyVersion":"","operatingSystem":"","architecture":""}}')


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    resource: str
    group: str  # Empty for the core group.
    namespaced: bool
    order: tuple  # The object's fields after metadata.
    fields: tuple  # What fieldSelector may name besides metadata.name and metadata.namespace.
    bookmark: str  # What an object of this kind without content holds after metadata.
    has_generation: bool = False

    @property
    def api_version(self):
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def prefix(self):
        """The path of the group's version, without a slash at the end."""
        return f"/apis/{self.group}/v1" if self.group else "/api/v1"

    @property
    def selectable(self):
        return ("metadata.name",) + (("metadata.namespace",) if self.namespaced else ()) + self.fields

    def qualified_resource(self):
        return f"{self.resource}.{self.group}" if self.group else self.resource


KINDS = {kind.name: kind for kind in (
    Kind("Service", "services", "", True, ("spec", "status"), ("spec.clusterIP", "spec.type"),
         '"spec":{},"status":{"loadBalancer":{}}'),
    Kind("EndpointSlice", "endpointslices", "discovery.k8s.io", True,
         ("addressType", "endpoints", "ports"), (),
         '"addressType":"","endpoints":null,"ports":null', has_generation=True),
    Kind("Namespace", "namespaces", "", False, ("spec", "status"), ("status.phase",),
         '"spec":{},"status":{}'),
    Kind("Pod", "pods", "", True, ("spec", "status"),
         ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
          "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
         '"spec":{"containers":null},"status":{}', has_generation=True),
    Kind("Node", "nodes", "", False, ("spec", "status"), ("spec.unschedulable",),
         f'"spec":{{}},"status":{EMPTY_NODE_STATUS}'),
)}
BY_RESOURCE = {kind.resource: kind for kind in KINDS.values()}


def kind_of(text):
    """Finds a kind by its name or its resource."""
    kind = KINDS.get(text) or BY_RESOURCE.get(text)
    if kind is None:
        raise ValueError(f"no kind or resource {text!r}; there are {', '.join(KINDS)}")
    return kind


def ordered(fields, order):
    """A copy with the known fields in the API's order, the others behind them as they came."""
    copy = {name: fields[name] for name in order if name in fields}
    copy.update(fields)
    return copy


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def to_text(value):
    """JSON as Go writes it: compact, UTF-8 as it is, but three characters always escaped."""
    text = _encode(value)
    if "<" in text or ">" in text or "&" in text:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text


def sorted_map(value):
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def in_order(kind, thing):
    """`thing` without kind and apiVersion, its fields in the order in which the API writes them."""
    metadata = ordered(thing["metadata"], META_ORDER)
    for name in ("labels", "annotations"):  # Maps are written in the order of their keys.
        if name in metadata:
            metadata[name] = sorted_map(metadata[name])
    body = {name: value for name, value in thing.items()
            if name not in ("kind", "apiVersion", "metadata")}
    if kind.name == "Service" and isinstance(body.get("spec"), dict):
        spec = ordered(body["spec"], SERVICE_SPEC_ORDER)
        if "selector" in spec:
            spec["selector"] = sorted_map(spec["selector"])
        body["spec"] = spec
    return metadata, ordered(body, kind.order)


def _owned_map(names):
    return {".": {}, **{f"f:{name}": {} for name in sorted(names)}}


def _owned_ports(ports):
    owned = {".": {}}
    for port in ports:
        if not isinstance(port, dict):
            continue  # Objects with wrong types are stored as well.
        key = to_text({"port": port.get("port"), "protocol": port.get("protocol", "TCP")})
        owned[f"k:{key}"] = {".": {}, **{f"f:{name}": {} for name in sorted(port)}}
    return owned


def managed_fields(kind, thing, time):
    """The entry that the real server would keep about whoever wrote the object."""
    metadata = thing["metadata"]
    owned = {}
    meta = {f"f:{name}": _owned_map(metadata[name]) for name in ("annotations", "labels")
            if isinstance(metadata.get(name), dict)}
    if metadata.get("ownerReferences"):
        meta["f:ownerReferences"] = {".": {}, **{
            "k:" + to_text({"uid": owner.get("uid")}): {} for owner in metadata["ownerReferences"]}}
    if meta:
        owned["f:metadata"] = meta
    for name in kind.order:
        value = thing.get(name)
        if isinstance(value, dict) and value:
            owned[f"f:{name}"] = {
                f"f:{field}": _owned_ports(content)
                if field == "ports" and isinstance(content, list) else {}
                for field, content in sorted(value.items())}
        elif value is not None:
            owned[f"f:{name}"] = {}
    manager = "kube-controller-manager" if kind.name == "EndpointSlice" else "unknown"
    return [{"manager": manager, "operation": "Update", "apiVersion": kind.api_version,
             "time": time, "fieldsType": "FieldsV1", "fieldsV1": dict(sorted(owned.items()))}]
