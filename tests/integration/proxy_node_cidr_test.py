#!/usr/bin/env python3
"""--detect-local-mode NodeCIDR: packets of Pods are told by the spec.podCIDRs of the node's own object. Nothing is
programmed before they are known, and their changes are followed."""

import json
import pathlib
import re
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, Folder, wait_until  # noqa: E402
from netns import (CLIENT, FAR_POD, NODE_FAR, POD_B, Echo, NodeProgram, Topology, ask_tcp, for_each_backend,  # noqa: E402
                   saved, service, slices)

VIP = {4: "10.96.0.1", 6: "fd00:10:96::1"}
OWN = ["10.244.1.0/24", "fd00:244:1::/64"]
checks = Checks()


def write(folder, pod_cidrs):
    """The world, with the node's object unless `pod_cidrs` is None."""
    objects = [service("web", [VIP[4], VIP[6]], [("main", 80, 8080, "TCP")]),
               *slices("web", [(FAR_POD[4], "node-2"), (FAR_POD[6], "node-2")], [("main", 8080, "TCP")])]
    if pod_cidrs is not None:
        objects.append({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"},
                        "spec": {"podCIDRs": pod_cidrs}})
    # Another node's are no concern of this one.
    objects.append({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-2"},
                    "spec": {"podCIDRs": ["203.0.113.0/24"]}})
    folder.replace("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def status(space, address):
    def work():
        try:
            with urllib.request.urlopen(f"http://{address}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return space.inside(work)


def waiting(space):
    text = status(space, "127.0.0.1:10249/metrics")[1]
    return re.findall(r"^waypost_proxy_waiting_for_node (\d)", text, re.MULTILINE)


def check(backend):
    net = Topology()
    echoes = [Echo(net.far, "far", family, 8080, FAR_POD[family]) for family in (4, 6)]

    def seen(space, family):
        return ask_tcp(space, family, VIP[family], 80)

    def becomes(space, family, answer):
        return wait_until(lambda: seen(space, family) == answer, 5) is not None

    with Folder() as folder:
        asked = f"{backend}: "
        write(folder, None)
        node = NodeProgram(net.node, folder.path, "--detect-local-mode", "NodeCIDR", "--cluster-cidr", "203.0.113.0/24",
                           "--healthz-listen", "127.0.0.1:10256", backend=backend, wait=False)
        checks.equal(asked + "without the node's object it says what it waits for",
                     node.wait_for(lambda: node.logged("the node node-1 has no spec.podCIDRs yet"), 10), True)
        checks.equal(asked + "it counts as waiting", waiting(net.node), ["1"])
        checks.equal(asked + "and as unhealthy", status(net.node, "127.0.0.1:10256/healthz")[0], 503)
        checks.equal(asked + "no rule is written", [line for line in saved(net.node, backend) if "KUBE" in line], [])
        checks.equal(asked + "it is not ready", "ready" in node.out, False)

        write(folder, OWN)
        checks.equal(asked + "with it, it is ready", node.wait_for(lambda: "ready" in node.out, 10), True)
        checks.equal(asked + "it does not wait any more", waiting(net.node), ["0"])
        checks.equal(asked + "and says so", len(node.logged("the node's spec.podCIDRs are known")), 1)
        for family in (4, 6):
            # Neighbors may have to be found first.
            wait_until(lambda: seen(net.pod_b, family) != "TIMEOUT", 8)
            checks.equal(f"{asked}IPv{family}: a Pod of this node keeps its address", seen(net.pod_b, family),
                         f"far {POD_B[family]}")
            checks.equal(f"{asked}IPv{family}: who is none is masqueraded, whatever --cluster-cidr says",
                         seen(net.client, family), f"far {NODE_FAR[family]}")

        write(folder, ["10.244.9.0/24"])
        checks.equal(asked + "other podCIDRs are followed", becomes(net.pod_b, 4, f"far {NODE_FAR[4]}"), True)
        checks.equal(asked + "a family without one masquerades nobody", becomes(net.client, 6, f"far {CLIENT[6]}"), True)
        checks.equal(asked + "and is warned of", len(node.logged("spec.podCIDRs have none of IPv6")), 1)
        before = saved(net.node, backend)
        write(folder, None)
        folder.write("more.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": [
            service("more", ["10.96.0.2"], [("main", 80, 8080, "TCP")])]}))
        checks.equal(asked + "when the object goes, the rest of the world is followed", wait_until(
            lambda: any("10.96.0.2" in line for line in saved(net.node, backend)), 5) is not None, True)
        checks.equal(asked + "with the last podCIDRs",
                     [line for line in before if "10.244.9.0/24" in line],
                     [line for line in saved(net.node, backend) if "10.244.9.0/24" in line])
        checks.equal(asked + "of which there are some", any("10.244.9.0/24" in line for line in before), True)
        checks.equal(asked + "it stops in order", node.stop(), 0)
    for echo in echoes:
        echo.close()
    net.remove()


for_each_backend(checks, check)
checks.finish()
