"""What the API server tells about its resources, so that kubectl can be used on it."""

import json

from . import kinds

DISCOVERY_GROUP = kinds.KINDS["EndpointSlice"].group
SHORT_NAMES = {"Service": ["svc"], "Namespace": ["ns"], "Pod": ["po"], "Node": ["no"]}


def _resources(group):
    group_version = f"{group}/v1" if group else "v1"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
            "resources": [{"name": kind.resource, "singularName": kind.name.lower(),
                           "namespaced": kind.namespaced, "kind": kind.name,
                           "verbs": ["get", "list", "watch"],
                           **({"shortNames": SHORT_NAMES[kind.name]}
                              if kind.name in SHORT_NAMES else {})}
                          for kind in kinds.KINDS.values() if kind.group == group]}


_VERSION = {"groupVersion": f"{DISCOVERY_GROUP}/v1", "version": "v1"}
DOCUMENTS = {path: json.dumps(document, separators=(",", ":")).encode() + b"\n"
             for path, document in {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
        {"name": DISCOVERY_GROUP, "versions": [_VERSION], "preferredVersion": _VERSION}]},
    "/api/v1": _resources(""),
    f"/apis/{DISCOVERY_GROUP}/v1": _resources(DISCOVERY_GROUP),
}.items()}
