#!/usr/bin/env python3
"""What waypost-node tells people and probes: /healthz, /livez, /metrics, health-check ports, flags and files."""

import json
import pathlib
import re
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from api_server import ApiServer  # noqa: E402
from harness import TOOL_PROGRAM, Checks, Folder, run, wait_until  # noqa: E402
from netns import (NODE_PROGRAM, POD_A, Namespace, NodeProgram, service, slices, why_not)  # noqa: E402

checks = Checks()
POD = POD_A[4]
HEALTH_PORT = 31999


def get(space, url):
    """(status, headers, body); status 0 when nobody answers."""
    def work():
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()
        except OSError:
            return 0, {}, ""

    return space.inside(work)


def write(folder, endpoints):
    objects = [service("web", ["10.96.0.1"], [("main", 80, 8080, "TCP", 30080)], type="LoadBalancer",
                       externalTrafficPolicy="Local", healthCheckNodePort=HEALTH_PORT),
               *slices("web", endpoints, [("main", 8080, "TCP")])]
    folder.replace("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def samples(text):
    """Name with labels → value."""
    return {match.group(1): float(match.group(2))
            for match in re.finditer(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)}


def probes_and_metrics():
    space = Namespace("ops")
    space.run("ip", "route", "add", "default", "dev", "lo")
    with Folder() as folder:
        write(folder, [(POD, "node-1"), ("10.244.1.11", "node-1"), ("10.244.2.1", "node-2")])
        node = NodeProgram(space, folder.path, "--healthz-listen", "[::]:10256")
        checks.equal("all addresses are those of both families",
                     [get(space, f"http://{host}:10256/livez")[0] for host in ("127.0.0.1", "[::1]")], [200, 200])
        for path, fields in (("healthz", {"currentTime", "lastUpdated", "nodeEligible"}),
                             ("livez", {"currentTime", "lastUpdated"})):
            status, headers, body = get(space, f"http://127.0.0.1:10256/{path}")
            checks.equal(f"/{path}", (status, headers["Content-Type"], set(json.loads(body))),
                         (200, "application/json", fields))

        status, headers, body = get(space, "http://127.0.0.1:10249/proxyMode")
        checks.equal("/proxyMode", (status, headers["Content-Type"], headers["X-Content-Type-Options"], body),
                     (200, "text/plain; charset=utf-8", "nosniff", "iptables"))

        url = f"http://127.0.0.1:{HEALTH_PORT}/any/path"
        status, headers, body = get(space, url)
        checks.equal("a health-check port counts endpoints on this node",
                     (status, headers.get("X-Load-Balancing-Endpoint-Weight"), json.loads(body)),
                     (200, "2", {"service": {"namespace": "test", "name": "web"}, "localEndpoints": 2,
                                 "serviceProxyHealthy": True}))
        write(folder, [("10.244.2.1", "node-2"), (POD, "node-1", {"ready": False, "serving": False})])
        checks.equal("without one that is ready it says 503",
                     wait_until(lambda: get(space, url)[0] == 503, 5) is not None, True)
        checks.equal("with the weight 0", get(space, url)[1].get("X-Load-Balancing-Endpoint-Weight"), "0")

        v4 = '{ip_family="IPv4"}'
        scrape = lambda: get(space, "http://127.0.0.1:10249/metrics")[2]  # noqa: E731
        checks.equal("the change is in force", wait_until(lambda: samples(scrape())[
            f"kubeproxy_sync_partial_proxy_rules_duration_seconds_count{v4}"] >= 1, 5) is not None, True)
        text = scrape()
        found = samples(text)
        checks.equal("one full sync", found[f"kubeproxy_sync_full_proxy_rules_duration_seconds_count{v4}"], 1)
        checks.equal("nothing pending", found[f"kubeproxy_sync_proxy_rules_endpoint_changes_pending{v4}"], 0)
        checks.equal("changes are counted", found[f"kubeproxy_sync_proxy_rules_endpoint_changes_total{v4}"] >= 2, True)
        checks.equal("no failure", found[f"kubeproxy_sync_proxy_rules_iptables_restore_failures_total{v4}"], 0)
        rules = found['kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}']
        own = [line for line in space.run("iptables-nft-save", "-t", "nat").splitlines() if line.startswith("-A KUBE-")]
        checks.equal("rules in force are those of the kernel", rules, len(own))
        # An endpoint that is not ready changes no rule.
        total = f"kubeproxy_sync_proxy_rules_endpoint_changes_total{v4}"
        write(folder, [("10.244.2.1", "node-2"), (POD, "node-1", {"ready": False, "serving": False}),
                       ("10.244.1.12", "node-1", {"ready": False, "serving": False})])
        checks.equal("a change without consequence is counted",
                     wait_until(lambda: samples(scrape())[total] > found[total], 5) is not None, True)
        checks.equal("and the rules in force are still those of the kernel",
                     samples(scrape())['kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}'], len(own))
        checks.equal("an external policy without local endpoint",
                     found['kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"}'], 1)
        checks.equal("buckets begin at 10 µs", 'le="1e-05"' in text, True)
        for name in ("kubeproxy_network_programming_duration_seconds_count", "kubeproxy_proxy_healthz_total",
                     "kubeproxy_proxy_livez_total", "kubeproxy_conntrack_reconciler_deleted_entries_total",
                     "kubeproxy_sync_proxy_rules_last_timestamp_seconds", "waypost_proxy_stage_duration_seconds_count"):
            checks.contains(f"/metrics has {name}", text, name)

        page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "waypost-node.md").read_text()
        documented = dict(re.findall(r"^\| `((?!waypost_node_dns)[a-z_]+)` \| (\w+) \|", page, re.MULTILINE))
        scraped = dict(re.findall(r"^# TYPE (?!process_|waypost_build|waypost_log)([a-z_]+) (\w+)$", text, re.MULTILINE))
        checks.equal("docs/waypost-node.md and a scrape have the same metrics", documented, scraped)

        space.run("iptables-nft", "-t", "nat", "-F", "KUBE-SERVICES")
        drift = lambda: samples(scrape())[  # noqa: E731
            'waypost_proxy_drift_total{ip_family="IPv4",table="nat"}']
        checks.equal("drift is counted", wait_until(lambda: drift() >= 1, 5) is not None, True)

        folder.replace("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": []}))
        checks.equal("a Service that is gone has no port", wait_until(lambda: get(space, url)[0] == 0, 5) is not None, True)
        node.stop()
    space.remove()


def api_server():
    """Services come from an API server, and the node's zone from its own object."""
    space = Namespace("api")
    space.run("ip", "route", "add", "default", "dev", "lo")
    node_object = {"apiVersion": "v1", "kind": "Node",
                   "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "a"}},
                   "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}}

    def world(*addresses):
        web = slices("web", [(address, "node-2") for address in addresses], [("main", 8080, "TCP")])
        for one in web:
            for number, endpoint in enumerate(one["endpoints"]):
                endpoint["hints"] = {"forZones": [{"name": "ab"[number % 2]}]}
        return web

    def targets():
        text = space.run("iptables-nft-save", "-t", "nat")
        return sorted(re.findall(r"--to-destination (\S+)", text))

    with Folder() as folder, ApiServer(unix=folder / "api.sock") as api:
        web = service("web", ["10.96.0.1"], [("main", 80, 8080, "TCP")])
        api.load(objects=[node_object, web, *world("10.244.2.1", "10.244.2.2")])
        node = NodeProgram(space, None, "--api-server", f"unix://{folder / 'api.sock'}", "--healthz-listen",
                           "127.0.0.1:10256")
        checks.equal("endpoints of the node's own zone, as its object says", targets(), ["10.244.2.1:8080"])
        api.put(world("10.244.2.3", "10.244.2.4", "10.244.2.5")[0])
        checks.equal("a change is followed",
                     wait_until(lambda: targets() == ["10.244.2.3:8080", "10.244.2.5:8080"], 5) is not None, True)
        api.put({**node_object, "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "b"}}})
        checks.equal("so is one of the node's zone",
                     wait_until(lambda: targets() == ["10.244.2.4:8080"], 5) is not None, True)

        # A node that is about to go gets no new clients, and is not restarted for it.
        probe = lambda path: get(space, f"http://127.0.0.1:10256/{path}")  # noqa: E731
        eligible = lambda: json.loads(probe("healthz")[2])["nodeEligible"]  # noqa: E731
        checks.equal("an ordinary node", (probe("healthz")[0], eligible()), (200, True))
        taint = {"key": "ToBeDeletedByClusterAutoscaler", "value": "1764000000", "effect": "NoSchedule"}
        for what, changed in (
                ("a node that the autoscaler is about to delete", {**node_object, "spec": {"taints": [taint]}}),
                ("a node that is being deleted",
                 {**node_object, "metadata": {"name": "node-1", "deletionTimestamp": "2026-01-31T12:00:00Z"}})):
            api.put(changed)
            wait_until(lambda: probe("healthz")[0] == 503, 5)
            checks.equal(what, (probe("healthz")[0], eligible()), (503, False))
            checks.equal(f"{what} lives", probe("livez")[0], 200)
            api.put(node_object)
            checks.equal("until it is not any more", wait_until(lambda: probe("healthz")[0] == 200, 5) is not None, True)
        other = {**taint, "key": "node.kubernetes.io/unschedulable"}
        api.put({**node_object, "spec": {"taints": [other]}})
        api.put(service("next", ["10.96.0.2"], [("main", 80, 8080, "TCP")]))
        checks.equal("the Service behind it is known",
                     wait_until(lambda: "test/next" in space.run("iptables-nft-save"), 5) is not None, True)
        checks.equal("another taint changes nothing", probe("healthz")[0], 200)

        api.delete(kind="Service", name="web", namespace="test")
        checks.equal("and a Service that goes", wait_until(lambda: targets() == [], 5) is not None, True)
        checks.equal("it stops in order", node.stop(), 0)
    space.remove()


def files_and_flags():
    with Folder() as folder:
        config = folder.write("kube-proxy.yaml", "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
                                                 "kind: KubeProxyConfiguration\nipvs: {scheduler: rr}\n")
        code, _, err = run(NODE_PROGRAM, "--manifests", folder.path, "--config", config)
        checks.equal("a file that asks for IPVS is refused", code, 1)
        checks.contains("with file, line and key", err, "kube-proxy.yaml:3: ipvs.scheduler: not offered here")
        code, out, _ = run(NODE_PROGRAM, "--help")
        checks.equal("--help", code, 0)
        checks.contains("--help names kube-proxy's keys", out, "[iptables.masqueradeBit]")
        config.write_text(config.read_text() + "logging: {format: json}\n")
        code, out, err = run(NODE_PROGRAM, "--manifests", folder.path, "--config", config)
        said = [json.loads(line) for line in err.splitlines()]
        checks.equal("a refusal as JSON, as the file says", (code, out, {line["level"] for line in said}), (1, "", {"error"}))
        checks.contains("what it says", said[0]["message"], "kube-proxy.yaml:3: ipvs.scheduler: not offered here")


def check_node_config():
    check = (TOOL_PROGRAM, "check-node-config")
    with Folder() as folder:
        head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        config = folder.write("kube-proxy.yaml", head + "clusterCIDR: 10.244.0.0/16,fd00:244::/48\n"
                                                        "logging: {format: json}\nhostnameOverride: n1\n")
        names = folder.write("dns.yaml", "ttl: 7\n")
        code, out, err = run(*check, "--config", config, "--node-name", "n2", "--dns", "--dns-config", names)
        lines = out.splitlines()
        checks.equal("check-node-config of what is good", (code, err), (0, ""))
        checks.equal("what is checked", [line for line in lines if not line.startswith("  ")],
                     [f"{config}: ok", f"{names}: ok"])
        for what, line in (("a value of the file", "  cluster-cidr: 10.244.0.0/16, fd00:244::/48"),
                           ("a flag wins over the file", "  node-name: n2"), ("a default", "  backend: auto"),
                           ("a default in words", "  kubeconfig: the service account of the Pod around the program"),
                           ("the format of the log", "  log-format: json"), ("a value of the node's DNS", "  ttl: 7"),
                           ("a default of the node's DNS", "  workers: 1")):
            checks.equal(f"check-node-config shows {what}", line in lines, True)
        for command in ("check-node-config", "check-config", "convert-corefile", "plan", "explain", "flush", "env",
                        "inject", "resolv-conf"):
            code, out, err = run(TOOL_PROGRAM, command, "--version")
            checks.equal(f"{command} --version", (code, out, err), (0, run(TOOL_PROGRAM, "--version")[1], ""))
        code, _, err = run(TOOL_PROGRAM, "env", "--config", "x")
        checks.equal("a flag of others is not said to be expected", "perhaps '--config'" in err, False)
        config.write_text(head + "iptables: null\nhostnameOverride: Node-A\nclusterCIDR: 10.244.7.1/16\n")
        code, out, err = run(*check, "--config", config, "--proxy-mode=", "--hostname-override=")
        checks.equal("what kube-proxy takes is taken", (code, err, [line for line in out.splitlines() if line.startswith(
            ("  node-name", "  cluster-cidr", "  proxy-mode"))]),
            (0, "", ["  node-name: node-a", "  cluster-cidr: 10.244.0.0/16", "  proxy-mode: iptables"]))
        config.write_text(head + "iptables: {masqueradeBit: 0, syncPeriod: 0s}\n")
        code, out, err = run(*check, "--config", config)
        checks.equal("0 is a bit, and no period", (code, err, [line for line in out.splitlines() if line.startswith(
            ("  iptables-masquerade-bit", "  iptables-sync-period"))]),
            (0, "", ["  iptables-masquerade-bit: 0", "  iptables-sync-period: 30s"]))
        code, out, err = run(*check, "--dns=false")
        checks.equal("without a file", (code, out.splitlines()[0], "  ttl: 5" in out.splitlines()),
                     (0, "waypost-node: ok", False))

        config.write_text(head + "mode: ipvs\nlogging: {format: xml}\nipvs: {scheduler: rr}\n")
        names.write_text("listen: ['127.0.0.1:53']\nttl: 3601\nlogFormat: json\n")
        code, out, err = run(*check, "--config", config, "--backend", "bpf", "--v=2")
        checks.equal("check-node-config of flags that are not there", (code, out, err),
                     (1, "", "--v: a flag of kube-proxy, not offered here: --log-level says what is logged\n"))
        code, out, err = run(*check, "--config", config, "--backend", "bpf")
        checks.equal("of bad values", (code, out, err.splitlines()), (1, "", [
            f"{config}:3: mode: found 'ipvs', expected iptables",
            f"{config}:4: logging.format: found 'xml', expected text or json",
            f"{config}:5: ipvs.scheduler: not offered here: there is no IPVS mode",
            "--backend: found 'bpf', expected auto, iptables-nft or iptables-legacy"]))
        _, _, said = run(NODE_PROGRAM, "--config", config, "--backend", "bpf")
        checks.equal("waypost-node says the same", said, "".join(f"waypost-node: {line}\n" for line in err.splitlines()))
        code, out, err = run(*check, "--dns", "--dns-config", names)
        checks.equal("of a bad file for DNS", (code, out, err.splitlines()), (1, "", [
            f"{names}:1: listen: not for a node: --dns-addresses and --dns-cluster-addresses say where",
            f"{names}:3: logFormat: not for a node: --log-format says how",
            f"{names}:2: ttl: found '3601', expected a whole number of seconds from 0 to 3600"]))
        code, out, err = run(*check, "--config", folder.path / "absent.yaml")
        checks.equal("of a file that is not there", (code, out, "absent.yaml" in err), (1, "", True))


def the_log_as_json():
    space = Namespace("logs")
    space.run("ip", "route", "add", "default", "dev", "lo")
    with Folder() as folder:
        folder.write("broken.yaml", "kind: Service\n")
        node = NodeProgram(space, folder.path, "--log-format", "json")
        checks.equal("it stops in order", node.stop(), 0)
        wait_until(lambda: node.logged("SIGTERM"), 5)
        lines = [json.loads(line) for line in node.log + node.out]
        checks.equal("what every line has, those on stdout among them", {tuple(sorted(line)) for line in lines},
                     {("level", "message", "time")})
        checks.contains("a problem is told in one", " ".join(line["message"] for line in lines), "broken.yaml")
    space.remove()


files_and_flags()
check_node_config()
reason = why_not()
if reason:
    checks.skip(reason)
else:
    probes_and_metrics()
    the_log_as_json()
    api_server()
checks.finish()
