"""What an API server makes of an object before it stores it: every field known, required ones there, values of the
right form (Kubernetes API reference, v1.36; monitoring.coreos.com/v1 of the Prometheus operator).

Only kinds and fields that container/deploy uses, or might soon, are known; anything else is refused, which is
stricter than an API server is.  A field's form is the name of one below, a list of one form, a dict of fields
("name!" is required, "*" stands for any name), or "A|B" for one of these words.
"""

import re

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
QUALIFIED = re.compile(rf"({LABEL}(\.{LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
FORMS = {
    "label": re.compile(LABEL),  # RFC 1123, 2.1
    "subdomain": re.compile(rf"{LABEL}(\.{LABEL})*"),
    "role": re.compile(r"[^/%]+"),  # Names of RBAC objects are path segments.
    "key": QUALIFIED,
    "labelvalue": re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"),
    "quantity": re.compile(r"\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?"),
    "portname": re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?"),
    "address": re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-f:]+|None"),
    "path": re.compile(r"/.*"),
    "percent": re.compile(r"\d+%"),
    "duration": re.compile(r"\d+(ms|s|m|h)"),
    "environment": re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*"),
    "configkey": re.compile(r"[-._a-zA-Z0-9]+"),
}
META = {"name!": "subdomain", "namespace": "label", "labels": {"*key": "labelvalue"}, "annotations": {"*key": "text"}}
ROLE_META = {**META, "name!": "role"}
SELECTOR = {"matchLabels": {"*key": "labelvalue"},
            "matchExpressions": [{"key!": "key", "operator!": "In|NotIn|Exists|DoesNotExist",
                                  "values": ["labelvalue"]}]}
SECCOMP = {"type!": "RuntimeDefault|Unconfined|Localhost", "localhostProfile": "text"}
HANDLER = {
    "httpGet": {"path": "path", "port!": "port or name", "host": "text", "scheme": "HTTP|HTTPS"},
    "tcpSocket": {"port!": "port or name", "host": "text"},
    "exec": {"command!": ["text"]},
}
PROBE = {**HANDLER, "initialDelaySeconds": "count", "timeoutSeconds": "positive", "periodSeconds": "positive",
         "successThreshold": "positive", "failureThreshold": "positive", "terminationGracePeriodSeconds": "positive"}
LIFECYCLE = {**HANDLER, "sleep": {"seconds!": "count"}}
CONTAINER = {
    "name!": "label", "image!": "text", "imagePullPolicy": "Always|IfNotPresent|Never",
    "command": ["text"], "args": ["text"], "workingDir": "path",
    "env": [{"name!": "environment", "value": "text",
             "valueFrom": {"fieldRef": {"fieldPath!": "metadata.name|metadata.namespace|spec.nodeName|"
                                                      "status.hostIP|status.podIP|status.podIPs"}}}],
    "ports": [{"name": "portname", "containerPort!": "port", "hostPort": "port", "protocol": "UDP|TCP|SCTP"}],
    "livenessProbe": PROBE, "readinessProbe": PROBE, "startupProbe": PROBE,
    "lifecycle": {"preStop": LIFECYCLE, "postStart": LIFECYCLE},
    "resources": {"requests": {"*key": "quantity"}, "limits": {"*key": "quantity"}},
    "securityContext": {
        "allowPrivilegeEscalation": "boolean", "privileged": "boolean", "readOnlyRootFilesystem": "boolean",
        "runAsNonRoot": "boolean", "runAsUser": "count", "runAsGroup": "count", "seccompProfile": SECCOMP,
        "capabilities": {"add": ["text"], "drop": ["text"]}},
    "volumeMounts": [{"name!": "label", "mountPath!": "path", "readOnly": "boolean", "subPath": "text"}],
    "terminationMessagePolicy": "File|FallbackToLogsOnError",
}
POD = {
    "containers!": [CONTAINER], "initContainers": [CONTAINER], "serviceAccountName": "subdomain",
    "priorityClassName": "subdomain", "dnsPolicy": "ClusterFirst|ClusterFirstWithHostNet|Default|None",
    "enableServiceLinks": "boolean", "hostNetwork": "boolean", "terminationGracePeriodSeconds": "count",
    "nodeSelector": {"*key": "labelvalue"},
    "tolerations": [{"key": "key", "operator": "Exists|Equal", "value": "labelvalue",
                     "effect": "NoSchedule|PreferNoSchedule|NoExecute", "tolerationSeconds": "count"}],
    "topologySpreadConstraints": [{"topologyKey!": "key", "maxSkew!": "positive",
                                   "whenUnsatisfiable!": "DoNotSchedule|ScheduleAnyway", "labelSelector": SELECTOR,
                                   "matchLabelKeys": ["key"], "minDomains": "positive"}],
    "affinity": {"podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight!": "positive", "podAffinityTerm!": {
            "topologyKey!": "key", "labelSelector": SELECTOR}}],
        "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey!": "key", "labelSelector": SELECTOR}]}},
    "securityContext": {"runAsNonRoot": "boolean", "runAsUser": "count", "runAsGroup": "count", "fsGroup": "count",
                        "seccompProfile": SECCOMP, "sysctls": [{"name!": "text", "value!": "text"}]},
    "volumes": [{"name!": "label",
                 "configMap": {"name!": "subdomain", "optional": "boolean", "defaultMode": "count",
                               "items": [{"key!": "configkey", "path!": "text"}]},
                 "hostPath": {"path!": "path", "type": "FileOrCreate|File|DirectoryOrCreate|Directory|Socket|CharDevice|BlockDevice"},
                 "emptyDir": {"medium": "Memory", "sizeLimit": "quantity"}}],
}
TEMPLATE = {"metadata!": {"labels!": {"*key": "labelvalue"}, "annotations": {"*key": "text"}}, "spec!": POD}
ROLLING = {"maxUnavailable": "count or percent", "maxSurge": "count or percent"}
RULE = {"apiGroups!": ["text"], "resources!": ["text"], "resourceNames": ["text"],
        "verbs!": ["get|list|watch|create|update|patch|delete"]}
POLICY_PORT = {"port": "port or name", "endPort": "port", "protocol": "UDP|TCP|SCTP"}
PEER = {"podSelector": SELECTOR, "namespaceSelector": SELECTOR, "ipBlock": {"cidr!": "text", "except": ["text"]}}

KINDS = {
    ("v1", "ServiceAccount"): {"metadata!": META, "automountServiceAccountToken": "boolean"},
    ("v1", "ConfigMap"): {"metadata!": META, "data": {"*configkey": "text"}, "immutable": "boolean"},
    ("v1", "Service"): {"metadata!": {**META, "name!": "label"}, "spec!": {
        "type": "ClusterIP|NodePort|LoadBalancer|ExternalName", "clusterIP": "address", "clusterIPs": ["address"],
        "ipFamilyPolicy": "SingleStack|PreferDualStack|RequireDualStack", "ipFamilies": ["IPv4|IPv6"],
        "internalTrafficPolicy": "Cluster|Local", "selector": {"*key": "labelvalue"},
        "trafficDistribution": "PreferClose|PreferSameZone|PreferSameNode", "publishNotReadyAddresses": "boolean",
        "ports!": [{"name": "label", "port!": "port", "targetPort": "port or name", "protocol": "UDP|TCP|SCTP",
                    "appProtocol": "text"}]}},
    ("apps/v1", "Deployment"): {"metadata!": META, "spec!": {
        "replicas": "count", "revisionHistoryLimit": "count", "minReadySeconds": "count",
        "progressDeadlineSeconds": "positive", "selector!": SELECTOR, "template!": TEMPLATE,
        "strategy": {"type": "RollingUpdate|Recreate", "rollingUpdate": ROLLING}}},
    ("apps/v1", "DaemonSet"): {"metadata!": META, "spec!": {
        "revisionHistoryLimit": "count", "minReadySeconds": "count", "selector!": SELECTOR, "template!": TEMPLATE,
        "updateStrategy": {"type": "RollingUpdate|OnDelete", "rollingUpdate": ROLLING}}},
    ("policy/v1", "PodDisruptionBudget"): {"metadata!": META, "spec!": {
        "selector!": SELECTOR, "maxUnavailable": "count or percent", "minAvailable": "count or percent",
        "unhealthyPodEvictionPolicy": "IfHealthyBudget|AlwaysAllow"}},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"metadata!": META, "spec!": {
        "podSelector": SELECTOR, "policyTypes": ["Ingress|Egress"],
        "ingress": [{"ports": [POLICY_PORT], "from": [PEER]}], "egress": [{"ports": [POLICY_PORT], "to": [PEER]}]}},
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): {"metadata!": ROLE_META, "rules!": [RULE]},
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): {
        "metadata!": ROLE_META,
        "roleRef!": {"apiGroup!": "rbac.authorization.k8s.io", "kind!": "ClusterRole", "name!": "role"},
        "subjects!": [{"kind!": "ServiceAccount", "name!": "subdomain", "namespace!": "label"}]},
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {"metadata!": META, "spec!": {
        "jobLabel": "text", "selector!": SELECTOR, "namespaceSelector": {"any": "boolean", "matchNames": ["label"]},
        "endpoints!": [{"port": "portname", "path": "path", "interval": "duration", "scrapeTimeout": "duration",
                        "scheme": "http|https", "honorLabels": "boolean"}]}},
}
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
# Lists whose entries have to differ in these fields; an API server refuses or merges others.
UNIQUE = {"containers": ("name",), "volumes": ("name",), "env": ("name",), "volumeMounts": ("mountPath",),
          "tolerations": ("key", "operator", "value", "effect"),
          "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable")}


def problems(thing):
    """What an API server would refuse in an object; each says where."""
    kind = (thing.get("apiVersion"), thing.get("kind"))
    if kind not in KINDS:
        return [f"{kind}: an unknown kind"]
    found = []
    where = thing["kind"] + "/" + str(thing.get("metadata", {}).get("name"))
    body = {key: value for key, value in thing.items() if key not in ("apiVersion", "kind")}
    _look(body, KINDS[kind], where, found)
    has_namespace = "namespace" in thing.get("metadata", {})
    if has_namespace == (thing["kind"] in CLUSTER_WIDE):
        found.append(f"{where}: a namespace {'is there' if has_namespace else 'is missing'}")
    return found


def _look(value, form, where, found):
    if isinstance(form, list):
        if not isinstance(value, list):
            found.append(f"{where}: expected a list")
            return
        for number, entry in enumerate(value):
            _look(entry, form[0], f"{where}[{number}]", found)
    elif isinstance(form, dict):
        if not isinstance(value, dict):
            found.append(f"{where}: expected an object")
            return
        _look_at_fields(value, form, where, found)
    elif not _has_form(value, form):
        found.append(f"{where}: found {value!r}, expected {form}")


def _look_at_fields(value, form, where, found):
    any_key = next((key[1:] for key in form if key.startswith("*")), None)
    for key, inner in value.items():
        inner_form = form.get(key, form.get(key + "!"))
        if any_key is not None:
            if not isinstance(key, str) or not FORMS[any_key].fullmatch(key):
                found.append(f"{where}: found the key {key!r}, expected a {any_key}")
            inner_form = form["*" + any_key]
        if inner_form is None:
            found.append(f"{where}.{key}: an unknown field")
            continue
        _look(inner, inner_form, f"{where}.{key}", found)
        if isinstance(inner, list) and key in UNIQUE:
            names = [tuple(entry.get(field) for field in UNIQUE[key]) for entry in inner if isinstance(entry, dict)]
            if len(set(names)) != len(names):
                found.append(f"{where}.{key}: entries with the same {', '.join(UNIQUE[key])}")
    for key in form:
        if key.endswith("!") and key[:-1] not in value:
            found.append(f"{where}.{key[:-1]}: missing")


def _has_form(value, form):
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if form == "boolean":
        return isinstance(value, bool)
    if form == "text":
        return isinstance(value, str)
    if form == "count":
        return is_number and value >= 0
    if form == "positive":
        return is_number and value >= 1
    if form == "port":
        return is_number and 1 <= value <= 65535
    if form == "port or name":
        return _has_form(value, "port") or _has_form(value, "portname")
    if form == "count or percent":
        return _has_form(value, "count") or _has_form(value, "percent")
    if not isinstance(value, str):
        return False
    if form in FORMS:
        return FORMS[form].fullmatch(value) is not None
    return value in form.split("|")
