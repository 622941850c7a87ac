#!/usr/bin/env python3
"""container/deploy: each overlay is rendered, every field of every object is looked at, and what names something else
finds it.  The configuration in it is read by the programs, and the dashboards ask for metrics that there are."""

import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import TOOL_PROGRAM, Checks, Folder, run  # noqa: E402
from kubernetes_fields import problems  # noqa: E402

checks = Checks()
DEPLOY = ROOT / "container" / "deploy"
# ConfigMaps and ServiceAccounts that are in a cluster before an overlay comes.
ALREADY_THERE = {"node-kube-proxy": {"kube-proxy"}, "node-kube-proxy-dns": {"kube-proxy"}, "coredns-in-place": {"coredns"}}
MEBIBYTES = {"Mi": 1, "Gi": 1024}


def why_not_render():
    """Why kustomizations cannot be rendered here, or None."""
    if shutil.which("kubectl") is None:
        return "there is no kubectl"
    _, out, _ = run("kubectl", "version", "--client", "-o", "json")
    found = re.search(r'"kustomizeVersion": "v(\d+)', out)
    return None if found and int(found.group(1)) >= 4 else "kubectl is older than 1.21"


def render(name):
    code, out, err = run("kubectl", "kustomize", DEPLOY / name)
    checks.equal(f"{name}: kubectl kustomize", (code, err), (0, ""))
    return [thing for thing in yaml.safe_load_all(out) if thing]


def named(things, kind):
    return {thing["metadata"]["name"]: thing for thing in things if thing["kind"] == kind}


def selects(selector, labels):
    return selector.items() <= labels.items()


def mebibytes(text):
    return int(text[:-2]) * MEBIBYTES[text[-2:]]


def fields(name, things):
    for thing in things:
        checks.equal(f"{name}: {thing['kind']}/{thing['metadata']['name']} has the fields that it may have",
                     problems(thing), [])
    identities = [(thing["kind"], thing["metadata"]["name"]) for thing in things]
    checks.equal(f"{name}: no object is there twice", len(set(identities)), len(identities))


def references(name, things, workload):
    """Everything that a workload and the objects around it name is there."""
    pod = workload["spec"]["template"]["spec"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    container, = pod["containers"]
    ports = {port["name"]: port for port in container["ports"]}
    where = f"{name}: {workload['kind']}"
    checks.equal(f"{where} selects its own Pods", selects(workload["spec"]["selector"]["matchLabels"], labels), True)
    checks.equal(f"{where} spreads its own Pods",
                 [selects(one["labelSelector"]["matchLabels"], labels)
                  for one in pod.get("topologySpreadConstraints", [])].count(False), 0)
    checks.equal(f"{where}: the ServiceAccount", pod["serviceAccountName"] in
                 named(things, "ServiceAccount").keys() | ALREADY_THERE.get(name, set()), True)
    checks.equal(f"{where}: each port has a name of its own", len(ports), len(container["ports"]))
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            checks.equal(f"{where}: {probe} asks a port", container[probe]["httpGet"]["port"] in ports, True)
    checks.equal(f"{where}: mounts are volumes, and all of them",
                 sorted(one["name"] for one in container["volumeMounts"]), sorted(one["name"] for one in pod["volumes"]))
    wanted = {one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one}
    checks.equal(f"{where}: ConfigMaps", wanted - set(named(things, "ConfigMap")), ALREADY_THERE.get(name, set()))
    stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    checks.less(f"{where}: there is time to end after preStop", stop, pod["terminationGracePeriodSeconds"])
    resources = container["resources"]
    if "limits" in resources:
        checks.less(f"{where}: requests are below limits", mebibytes(resources["requests"]["memory"]),
                    mebibytes(resources["limits"]["memory"]) + 1)
    for binding in named(things, "ClusterRoleBinding").values():
        checks.equal(f"{name}: the role of {binding['metadata']['name']}",
                     binding["roleRef"]["name"] in named(things, "ClusterRole"), True)
        checks.equal(f"{name}: whose rights they are",
                     [(one["name"], one["namespace"]) for one in binding["subjects"]],
                     [(pod["serviceAccountName"], workload["metadata"]["namespace"])])
    for budget in named(things, "PodDisruptionBudget").values():
        checks.equal(f"{name}: the budget is for its Pods", selects(budget["spec"]["selector"]["matchLabels"], labels),
                     True)
    for service in named(things, "Service").values():
        checks.equal(f"{name}: the Service selects its Pods", selects(service["spec"]["selector"], labels), True)
        for port in service["spec"]["ports"]:
            checks.equal(f"{name}: the Service's port {port['name']}",
                         ports.get(port["targetPort"], {}).get("protocol"), port["protocol"])
    for policy in named(things, "NetworkPolicy").values():
        checks.equal(f"{name}: the policy is for its Pods", selects(policy["spec"]["podSelector"]["matchLabels"], labels),
                     True)
        opened = {(port["port"], port["protocol"]) for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        checks.equal(f"{name}: the policy lets in what listens", opened,
                     {(port["containerPort"], port["protocol"]) for port in ports.values()})
    return pod, container, ports


def restrictions(name, pod, container, user, capabilities):
    """As little as the program gets along with."""
    own = {**pod.get("securityContext", {}), **container["securityContext"]}
    checks.equal(f"{name}: the user", own["runAsUser"], user)
    checks.equal(f"{name}: root is refused unless it is needed", own.get("runAsNonRoot", False), user != 0)
    checks.equal(f"{name}: restrictions",
                 [own[key] for key in ("allowPrivilegeEscalation", "readOnlyRootFilesystem", "seccompProfile")],
                 [False, True, {"type": "RuntimeDefault"}])
    checks.equal(f"{name}: capabilities", own["capabilities"], {"drop": ["ALL"], "add": capabilities})
    checks.lacks(f"{name}: not privileged", own, "privileged")


def dns(name, things, workload, replicas):
    pod, container, ports = references(name, things, workload)
    restrictions(name, pod, container, 65532, ["NET_BIND_SERVICE"])
    spec = workload["spec"]
    checks.equal(f"{name}: replicas, replaced one by one",
                 (spec.get("replicas"), spec["strategy"]["rollingUpdate"]["maxUnavailable"]), (replicas, 1))
    checks.equal(f"{name}: names outside of the cluster are not asked of itself", pod["dnsPolicy"], "Default")
    quick = {one["key"].rpartition("/")[2]: one["tolerationSeconds"] for one in pod["tolerations"]
             if "tolerationSeconds" in one}
    checks.equal(f"{name}: nodes that are gone", (set(quick), max(quick.values()) <= 30),
                 ({"not-ready", "unreachable"}, True))
    return pod, container, ports


def own_configuration(name, things, pod, container, ports):
    """The ConfigMap's file is what the program reads, and says where Service, probes and policy look."""
    text = named(things, "ConfigMap")["waypost-dns"]["data"]["waypost.yaml"]
    mounted = {f"{mount['mountPath']}/waypost.yaml" for mount in container["volumeMounts"]}
    checks.equal(f"{name}: the file is where the program looks",
                 (container["args"][0], container["args"][1] in mounted), ("--config", True))
    with Folder() as folder:
        file = folder.write("waypost.yaml", text)
        code, out, err = run(TOOL_PROGRAM, "check-config", file, *container["args"][2:])
    checks.equal(f"{name}: the configuration is taken", (code, err), (0, ""))
    for key, port in (("listen", "dns"), ("listen", "dns-tcp"), ("healthListen", "liveness-probe"),
                      ("readyListen", "readiness-probe"), ("metricsListen", "metrics")):
        places = re.search(rf"^  {key}: (.*)$", out, re.MULTILINE).group(1)
        checks.equal(f"{name}: {key} and the port {port}",
                     {int(place.rpartition(":")[2]) for place in places.split(", ")}, {ports[port]["containerPort"]})
    to_end = container["lifecycle"]["preStop"]["sleep"]["seconds"] + sum(
        int(re.search(rf"^  {key}: (\d+)s", out, re.MULTILINE).group(1)) for key in ("lameduck", "queryDeadline"))
    checks.less(f"{name}: there is time for everything that ending takes", to_end, pod["terminationGracePeriodSeconds"])
    checks.equal(f"{name}: probes", [container[one]["httpGet"]["path"] for one in ("livenessProbe", "readinessProbe")],
                 ["/health", "/ready"])


def cluster_dns():
    name = "cluster-dns"
    things = render(name)
    fields(name, things)
    workload = named(things, "Deployment")["waypost-dns"]
    pod, container, ports = dns(name, things, workload, replicas=2)
    own_configuration(name, things, pod, container, ports)
    service = named(things, "Service")["kube-dns"]
    checks.equal(f"{name}: the Service is the one that everybody looks for",
                 (service["metadata"]["namespace"], service["metadata"]["labels"]["k8s-app"],
                  [(port["name"], port["port"], port["protocol"]) for port in service["spec"]["ports"]]),
                 ("kube-system", "kube-dns", [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")]))
    return things


def as_kubeadm_has_it():
    """cluster-dns/waypost.yaml and kubeadm's Corefile mean the same, but for what is better on than off."""
    in_force = []
    with Folder() as folder:
        _, out, _ = run(TOOL_PROGRAM, "convert-corefile", ROOT / "tests" / "data" / "corefile" / "kubeadm.corefile")
        for text in (out, (DEPLOY / "cluster-dns" / "waypost.yaml").read_text()):
            code, out, err = run(TOOL_PROGRAM, "check-config", folder.write("waypost.yaml", text))
            checks.equal("a configuration is taken", (code, err), (0, ""))
            in_force.append(dict(re.findall(r"^  (\w+): (.*)$", out, re.MULTILINE)))
    theirs, ours = in_force
    different = {key: (theirs[key], ours[key]) for key in theirs if key != "lameduck" and theirs[key] != ours[key]}
    checks.equal("cluster-dns/waypost.yaml is kubeadm's Corefile but for these", different,
                 {"builtInZones": ("false", "true"), "serveStale": ("0s", "1h"), "prefetch": ("false", "true")})


def coredns_in_place():
    """What the API server compares with the Deployment that is there, and what cannot be changed of it."""
    name = "coredns-in-place"
    things = render(name)
    fields(name, things)
    workload = named(things, "Deployment")["coredns"]
    # An autoscaler may have set their number, and a budget for these Pods may be there.
    _, container, ports = dns(name, things, workload, replicas=None)
    theirs, role = yaml.safe_load_all((ROOT / "tests" / "data" / "kubernetes" / "coredns.yaml").read_text())
    checks.equal(f"{name}: nothing but the Deployment", [thing["kind"] for thing in things], ["Deployment"])
    checks.equal(f"{name}: the selector stays", workload["spec"]["selector"], theirs["spec"]["selector"])
    before = theirs["spec"]["template"]["spec"]["containers"][0]
    after = {**container, "image": before["image"]}
    for key in ("name", "args", "volumeMounts", "imagePullPolicy"):
        checks.equal(f"{name}: {key} of the container", after[key], before[key])
    checks.equal(f"{name}: ports", sorted(ports), sorted(port["name"] for port in before["ports"]))
    checks.equal(f"{name}: volumes", workload["spec"]["template"]["spec"]["volumes"],
                 theirs["spec"]["template"]["spec"]["volumes"])
    checks.equal(f"{name}: what stands in for kubeadm's has the fields that it may have",
                 problems(theirs) + problems(role), [])


def kube_dns_in_place():
    """Rights for the ServiceAccount that is there, under names that kube-dns does not have."""
    name = "kube-dns-in-place"
    things = render(name)
    fields(name, things)
    role, binding = things
    checks.equal(f"{name}: kinds", (role["kind"], binding["kind"]), ("ClusterRole", "ClusterRoleBinding"))
    checks.equal(f"{name}: the role", binding["roleRef"]["name"], role["metadata"]["name"])
    checks.equal(f"{name}: whose rights they are", [(one["name"], one["namespace"]) for one in binding["subjects"]],
                 [("kube-dns", "kube-system")])
    checks.lacks(f"{name}: kube-dns' own stay", {thing["metadata"]["name"] for thing in things}, "system:kube-dns")


def node(name, capabilities, volumes):
    """An overlay of the node's agent: (things, container, ports)."""
    things = render(name)
    fields(name, things)
    workload = named(things, "DaemonSet")["waypost-node"]
    pod, container, ports = references(name, things, workload)
    restrictions(name, pod, container, 0, capabilities)
    checks.equal(f"{name}: it is in the node's network, on every node",
                 (pod["hostNetwork"], pod["tolerations"]), (True, [{"operator": "Exists"}]))
    checks.equal(f"{name}: the port is the host's", ports["healthz"]["hostPort"], ports["healthz"]["containerPort"])
    paths = {one["name"]: one["hostPath"] for one in pod["volumes"] if "hostPath" in one}
    found = {(mount["mountPath"], paths[mount["name"]]["path"], paths[mount["name"]]["type"])
             for mount in container["volumeMounts"] if mount["name"] in paths and not mount.get("readOnly", False)}
    checks.equal(f"{name}: what of the host it writes to", found, {(path, path, kind) for path, kind in volumes})
    return things, container, ports


LOCK = ("/run/xtables.lock", "FileOrCreate")  # That all programs of the host take.
DEVICE = ("/dev/net/tun", "CharDevice")


def node_kube_proxy():
    node("node-kube-proxy", ["NET_ADMIN", "NET_RAW"], [LOCK])


def node_dns():
    """Both overlays with DNS on the node: flags, their file, rights."""
    for name, kinds in (("node-kube-proxy-dns", {"namespaces", "nodes", "pods", "services"}),
                        ("node-dns-beside", {"namespaces", "pods", "services"})):
        things, container, ports = node(name, ["NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW"], [LOCK, DEVICE])
        flags = dict(arg.split("=", 1) for arg in container["args"] if arg.startswith("--") and "=" in arg)
        checks.equal(f"{name}: DNS is on", flags["--dns"], "true")
        mount, = (one for one in container["volumeMounts"] if one["name"] == "node-dns")
        folder, _, file = flags["--dns-config"].rpartition("/")
        checks.equal(f"{name}: its file is mounted", folder, mount["mountPath"])
        text = named(things, "ConfigMap")["waypost-node-dns"]["data"][file]
        with Folder() as place, Folder() as world:
            # What rules do not depend on is checked, this file among it.
            code, _, err = run(TOOL_PROGRAM, "plan", "--manifests", world.path, "--node-addresses", "192.0.2.1",
                               *(f"{flag}={value}" for flag, value in flags.items() if flag != "--dns-config"),
                               "--dns-config", place.write("dns.yaml", text))
        checks.equal(f"{name}: flags and file are taken", (code, err), (0, ""))
        rules = named(things, "ClusterRole")["waypost-node"]["rules"]
        checks.equal(f"{name}: rights", {kind for rule in rules for kind in rule["resources"]},
                     kinds | {"endpointslices"})
        if "--healthz-listen" in flags:
            checks.equal(f"{name}: probes ask where it answers", ports["healthz"]["containerPort"],
                         int(flags["--healthz-listen"].rpartition(":")[2]))


def documented_metrics():
    """Name → (type, labels) of both programs."""
    found = {}
    for page in ("metrics.md", "waypost-node.md"):
        for name, kind, labels in re.findall(r"^\| `([a-z0-9_]+)` \| (\w+) \|([^|]*)\|",
                                             (ROOT / "docs" / page).read_text(), re.MULTILINE):
            found[name] = (kind, {label.strip() for label in labels.split(",") if label.strip()})
    return found


def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def metric_problems(expression, legend, metrics):
    """What an expression asks for that there is not."""
    found = []
    labels = {"instance", "le"}
    for name in re.findall(r"\b((?:coredns|waypost|process|kubeproxy)_[a-z0-9_]+)", expression):
        base = name.removesuffix("_bucket")
        kind, own = metrics.get(base, (None, set()))
        labels |= own
        if kind is None:
            found.append(f"no metric {base}")
        elif (kind == "histogram") != (base != name):
            found.append(f"{name} is a {kind}")
        elif kind == "gauge" and f"rate({name}" in expression:
            found.append(f"the rate of the gauge {name}")
        elif kind == "counter" and f"rate({name}" not in expression:
            found.append(f"the counter {name} without rate")
    used = set(re.findall(r"[{,]([a-z_]+)[=!]", expression)) | set(re.findall(r"\{\{(\w+)\}\}", legend))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        used |= {label.strip() for label in group.split(",")}
    return found + [f"no label {label}" for label in sorted(used - labels)]


def monitoring(cluster):
    name = "monitoring"
    things = render(name)
    fields(name, things)
    monitor = named(things, "ServiceMonitor")["waypost-dns"]["spec"]
    service = named(cluster, "Service")["kube-dns"]
    checks.equal(f"{name}: the monitor finds the Service",
                 (selects(monitor["selector"]["matchLabels"], service["metadata"]["labels"]),
                  monitor["namespaceSelector"]["matchNames"],
                  monitor["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}),
                 (True, [service["metadata"]["namespace"]], True))
    metrics = documented_metrics()
    for file, text in named(things, "ConfigMap")["waypost-dashboards"]["data"].items():
        dashboard = json.loads(text)
        for title, expression, legend in expressions(dashboard):
            checks.equal(f"{file}: {title}: {expression}", metric_problems(expression, legend, metrics), [])
            checks.equal(f"{file}: {title}: brackets", [expression.count(one) for one in "({["],
                         [expression.count(one) for one in ")}]"])
        panels = dashboard["panels"]
        checks.equal(f"{file}: panels have numbers of their own", len({one["id"] for one in panels}), len(panels))
        places = {(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels}
        checks.equal(f"{file}: panels have places of their own", len(places), len(panels))
        variables = [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
        checks.equal(f"{file}: instances are those of a metric",
                     [re.fullmatch(r"label_values\((\w+), instance\)", one).group(1) in metrics for one in variables],
                     [True])
    checks.equal("a metric that there is not is seen", metric_problems("sum(waypost_nothing)", "", metrics),
                 ["no metric waypost_nothing"])
    checks.equal("a label that there is not is seen",
                 metric_problems('sum by (zonk) (rate(coredns_dns_requests_total{proto="udp"}[1m]))', "", metrics),
                 ["no label zonk"])


def the_look_at_fields_sees(things):
    """Breaks an object at each place and wants to hear of it."""
    deployment = named(things, "Deployment")["waypost-dns"]
    checks.equal("an object as it is", problems(deployment), [])
    breaks = {
        "an unknown field": lambda pod, box: box.update(livenesProbe={}),
        "found '53', expected port": lambda pod, box: box["ports"][0].update(containerPort="53"),
        "found 'tcp', expected UDP|TCP|SCTP": lambda pod, box: box["ports"][0].update(protocol="tcp"),
        "found 'a-name-that-is-too-long', expected portname":
            lambda pod, box: box["ports"][0].update(name="a-name-that-is-too-long"),
        ".image: missing": lambda pod, box: box.pop("image"),
        "found '70 MB', expected quantity": lambda pod, box: box["resources"]["requests"].update(memory="70 MB"),
        "found 'true', expected boolean": lambda pod, box: pod.update(enableServiceLinks="true"),
        "entries with the same name": lambda pod, box: pod["volumes"].append(pod["volumes"][0]),
        "expected a list": lambda pod, box: box.update(args="--config"),
        "found 'ClusterLast'": lambda pod, box: pod.update(dnsPolicy="ClusterLast"),
    }
    for message, spoil in breaks.items():
        broken = copy.deepcopy(deployment)
        pod = broken["spec"]["template"]["spec"]
        spoil(pod, pod["containers"][0])
        checks.contains(f"a broken object: {message}", " ".join(problems(broken)), message)
    checks.contains("an object without a namespace", " ".join(problems(
        {**deployment, "metadata": {"name": "x"}})), "a namespace is missing")


def examples(page):
    """What docs/`page` has as YAML, without the indentation of the fence."""
    found = re.findall(r"^( *)```yaml\n(.*?)^ *```", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indentation}", "", text, flags=re.MULTILINE) for indentation, text in found]


def overlay(what, *texts):
    """The objects of a kustomization beside a copy of container/deploy, of these texts one below the other."""
    with Folder() as folder:
        shutil.copytree(DEPLOY, folder / "deploy")
        folder.write("kustomization.yaml", "".join(texts))
        folder.write("waypost.yaml", "ttl: 7\n")
        code, out, err = run("kubectl", "kustomize", folder.path)
    checks.equal(what, (code, err), (0, ""))
    things = [thing for thing in yaml.safe_load_all(out) if thing]
    fields(what, things)
    return things


def overlay_of_ones_own():
    """The first example of docs/install.md."""
    example, *_ = examples("install.md")
    things = overlay("an overlay of one's own", example)
    container, = named(things, "Deployment")["waypost-dns"]["spec"]["template"]["spec"]["containers"]
    checks.equal("it has its image, address and configuration",
                 (container["image"], named(things, "Service")["kube-dns"]["spec"]["clusterIP"],
                  named(things, "ConfigMap")["waypost-dns"]["data"]),
                 ("registry.example.org/waypost-dns:0.1.0", "10.43.0.10", {"waypost.yaml": "ttl: 7\n"}))


def autoscaled_overlay():
    """The patch of docs/install.md, below the patches of the overlay that it has, and alone: no number of replicas."""
    example, patch, *_ = examples("install.md")
    for what, texts in (("alone", ("resources: [deploy/cluster-dns]\n", patch)),
                        ("with others", (example.replace("patches:\n", patch),))):
        deployment = named(overlay(f"an overlay with an autoscaler, {what}", *texts), "Deployment")["waypost-dns"]
        checks.lacks(f"an autoscaler's number stays, {what}", deployment["spec"], "replicas")


def budgets_for(things, labels):
    return [name for name, budget in named(things, "PodDisruptionBudget").items()
            if selects(budget["spec"]["selector"]["matchLabels"], labels)]


def overlay_beside_coredns():
    """The examples of docs/migrate.md: everything but the Service, which is there already, and the budget if one is."""
    _, example, no_budget, *_ = examples("migrate.md")
    identities = [(thing["kind"], thing["metadata"]["name"]) for thing in render("cluster-dns")]
    absent = [("Service", "kube-dns")]
    for what, texts in (("it has everything but the Service", [example]),
                        ("and nothing but the budget more", [example, no_budget])):
        things = overlay("an overlay beside CoreDNS", *texts)
        checks.equal(what, [(thing["kind"], thing["metadata"]["name"]) for thing in things],
                     [one for one in identities if one not in absent])
        absent.append(("PodDisruptionBudget", "waypost-dns"))


def budget_of_coredns_in_place():
    """The example of docs/migrate.md, where there is none."""
    things = overlay("an overlay in CoreDNS' place", examples("migrate.md")[0])
    deployment = named(things, "Deployment")["coredns"]
    container, = deployment["spec"]["template"]["spec"]["containers"]
    checks.equal("it has its image", container["image"], "registry.example.org/waypost-dns:0.1.0")
    checks.equal("one budget is for its Pods", budgets_for(things, deployment["spec"]["template"]["metadata"]["labels"]),
                 ["waypost-dns"])
    checks.equal("and none for CoreDNS'", budgets_for(things, {"k8s-app": "kube-dns"}), [])


def options_that_the_docs_name():
    """Keys of waypost.yaml in docs/migrate.md are keys."""
    table = re.search(r"\| Corefile \|.*?\n\n", (ROOT / "docs" / "migrate.md").read_text(), re.DOTALL).group(0)
    known = set(re.findall(r"^### `(\w+)`$", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE))
    named = {key for row in table.strip().splitlines()[2:] for key in re.findall(r"`([a-zA-Z]+)[:`]", row.split("|")[2])}
    checks.equal("docs/migrate.md names keys that there are", named - known, set())
    checks.equal("and some", len(named) > 20, True)


def every_overlay_is_tested():
    folders = {file.parent.relative_to(DEPLOY).as_posix() for file in DEPLOY.glob("**/kustomization.yaml")}
    checks.equal("overlays", {folder for folder in folders if not folder.startswith(("base/", "components/"))},
                 {"cluster-dns", "coredns-in-place", "kube-dns-in-place", "monitoring", "node-dns-beside",
                  "node-kube-proxy", "node-kube-proxy-dns"})


every_overlay_is_tested()
options_that_the_docs_name()
as_kubeadm_has_it()
reason = why_not_render()
if reason:
    checks.skip(f"overlays are not rendered: {reason}")
else:
    cluster = cluster_dns()
    the_look_at_fields_sees(cluster)
    coredns_in_place()
    kube_dns_in_place()
    node_kube_proxy()
    node_dns()
    monitoring(cluster)
    overlay_of_ones_own()
    autoscaled_overlay()
    budget_of_coredns_in_place()
    overlay_beside_coredns()
checks.finish()
