#!/usr/bin/env python3
"""Real packets through the rules of waypost-node: who answers, what address it sees, what is refused.

Both backends, both families. Every case is one connection or datagram from one of the five namespaces."""

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, Folder  # noqa: E402
from netns import (CLIENT, CLUSTER_CIDR, FAR_POD, NODE_FAR, NODE_OUTSIDE, NODE_PODS, POD_A, POD_B,  # noqa: E402
                   Echo, NodeProgram, Topology, UdpClient, ask_tcp, saved, service, slices, for_each_backend)

VIP = {4: "10.96.0.{}", 6: "fd00:10:96::{}"}
EXTERNAL = {4: "198.51.100.{}", 6: "2001:db8:100::{}"}
LOCAL = "node-1"
REMOTE = "node-2"
BOTH = [(POD_A, LOCAL), (FAR_POD, REMOTE)]
TCP = [("main", 80, 8080, "TCP")]

checks = Checks()


def vips(number):
    return [VIP[4].format(number), VIP[6].format(number)]


def endpoints(*wanted, conditions=None):
    made = []
    for addresses, node in wanted:
        for family in (4, 6):
            made.append((addresses[family], node) if conditions is None else (addresses[family], node, conditions))
    return made


def add(objects, name, number, backends, ports=TCP, **spec):
    objects.append(service(name, vips(number), ports, **spec))
    objects.extend(slices(name, backends, sorted({(p[0], p[2], p[3]) for p in ports})))


def world():
    objects = []
    add(objects, "plain", 1, endpoints(*BOTH),
        [("main", 80, 8080, "TCP"), ("udp", 80, 8080, "UDP"), ("other", 81, 8081, "TCP")])
    add(objects, "empty", 2, [], [("main", 80, 8080, "TCP"), ("udp", 80, 8080, "UDP")])
    add(objects, "inner-local", 3, endpoints(*BOTH), internalTrafficPolicy="Local")
    add(objects, "inner-remote", 4, endpoints((FAR_POD, REMOTE)), internalTrafficPolicy="Local")
    add(objects, "node-port", 5, endpoints(*BOTH), [("main", 80, 8080, "TCP", 30005)], type="NodePort")
    add(objects, "node-local", 6, endpoints(*BOTH), [("main", 80, 8080, "TCP", 30006)], type="NodePort",
        externalTrafficPolicy="Local")
    add(objects, "node-remote", 7, endpoints((FAR_POD, REMOTE)), [("main", 80, 8080, "TCP", 30007)], type="NodePort",
        externalTrafficPolicy="Local")
    add(objects, "balanced", 8, endpoints(*BOTH), [("main", 80, 8080, "TCP", 30008)], type="LoadBalancer",
        loadBalancerSourceRanges=["203.0.113.0/31", "10.244.0.0/16", "2001:db8:113::/127", "fd00:244::/32"],
        status={"loadBalancer": {"ingress": [{"ip": EXTERNAL[4].format(8)}, {"ip": EXTERNAL[6].format(8)}]}})
    add(objects, "open", 9, endpoints(*BOTH), [("main", 80, 8080, "TCP", 30009)], type="LoadBalancer",
        status={"loadBalancer": {"ingress": [{"ip": EXTERNAL[4].format(9)}, {"ip": EXTERNAL[6].format(9)}]}})
    add(objects, "external", 10, endpoints(*BOTH), externalIPs=[EXTERNAL[4].format(10), EXTERNAL[6].format(10)])
    add(objects, "sticky", 11, endpoints(*BOTH), sessionAffinity="ClientIP",
        sessionAffinityConfig={"clientIP": {"timeoutSeconds": 1}})
    add(objects, "hairpin", 12, endpoints((POD_A, LOCAL)))
    add(objects, "ending", 13, endpoints((POD_A, LOCAL), conditions={"ready": False, "serving": True,
                                                                        "terminating": True}))
    add(objects, "sctp", 14, endpoints(*BOTH), [("main", 80, 8080, "SCTP")])
    return objects


def names(answers):
    return sorted({answer.split()[0] for answer in answers})


def peers(answers):
    return sorted({answer.split()[1] for answer in answers if " " in answer})


def ask_often(space, family, address, port, times=12):
    return [ask_tcp(space, family, address, port, timeout=2) for _ in range(times)]


def check_family(topology, family, label):
    node, client, pod_a, pod_b = topology.node, topology.client, topology.pod_a, topology.pod_b
    vip = lambda number: VIP[family].format(number)  # noqa: E731
    external = lambda number: EXTERNAL[family].format(number)  # noqa: E731

    def expect(what, answers, name, peer=None):
        checks.equal(f"{label}: {what}: who answers", names(answers), sorted(name))
        if peer is not None:
            checks.equal(f"{label}: {what}: the address it sees", peers(answers), sorted(peer))

    expect("a Pod to a ClusterIP", ask_often(pod_b, family, vip(1), 80, 24), ["far", "pod-a"], [POD_B[family]])
    expect("another port of it", ask_often(pod_b, family, vip(1), 81, 24), ["far-81", "pod-a-81"])
    expect("the node to a ClusterIP", ask_often(node, family, vip(1), 80, 24), ["far", "pod-a"],
           [NODE_FAR[family], NODE_PODS[family]])
    expect("a host outside to a ClusterIP", ask_often(client, family, vip(1), 80, 24), ["far", "pod-a"],
           [NODE_FAR[family], NODE_PODS[family]])
    expect("a Pod to itself", ask_often(pod_a, family, vip(12), 80, 4), ["pod-a"], [NODE_PODS[family]])

    udp = UdpClient(pod_b, family, vip(1), 80)
    checks.equal(f"{label}: UDP to a ClusterIP", udp.ask().split()[0] in ("pod-a", "far"), True)
    udp.close()

    started = time.monotonic()
    expect("without endpoints", [ask_tcp(pod_b, family, vip(2), 80)], ["REFUSED"])
    expect("without endpoints, from the node", [ask_tcp(node, family, vip(2), 80)], ["REFUSED"])
    udp = UdpClient(pod_b, family, vip(2), 80)
    checks.equal(f"{label}: UDP without endpoints", udp.ask(), "REFUSED")
    udp.close()
    # When an ICMPv6 error comes back before connect() has let go of the socket, as between namespaces of one machine,
    # Linux only takes the one for the second SYN, a second later.
    checks.less(f"{label}: seconds until three refusals", time.monotonic() - started, 1.0 if family == 4 else 2.5)

    expect("internal policy Local", ask_often(pod_b, family, vip(3), 80), ["pod-a"], [POD_B[family]])
    expect("internal policy Local without local endpoint", [ask_tcp(pod_b, family, vip(4), 80, timeout=0.7)],
           ["TIMEOUT"])

    expect("NodePort from outside", ask_often(client, family, NODE_OUTSIDE[family], 30005, 24), ["far", "pod-a"],
           [NODE_FAR[family], NODE_PODS[family]])
    expect("NodePort from the node", ask_often(node, family, NODE_OUTSIDE[family], 30005, 24), ["far", "pod-a"])
    expect("NodePort from a Pod", ask_often(pod_b, family, NODE_PODS[family], 30005, 24), ["far", "pod-a"])
    expect("NodePort, policy Local, from outside", ask_often(client, family, NODE_OUTSIDE[family], 30006),
           ["pod-a"], [CLIENT[family]])
    expect("NodePort, policy Local, from a Pod", ask_often(pod_b, family, NODE_OUTSIDE[family], 30006, 24),
           ["far", "pod-a"])
    expect("NodePort, policy Local, none local, from outside",
           [ask_tcp(client, family, NODE_OUTSIDE[family], 30007, timeout=0.7)], ["TIMEOUT"])
    expect("NodePort, policy Local, none local, from a Pod", ask_often(pod_b, family, NODE_OUTSIDE[family], 30007, 3),
           ["far"])

    expect("load balancer's address, source in range", ask_often(pod_b, family, external(8), 80, 24),
           ["far", "pod-a"])
    expect("load balancer's address, source out of range", [ask_tcp(client, family, external(8), 80, timeout=0.7)],
           ["TIMEOUT"])
    expect("its NodePort, which has no ranges", ask_often(client, family, NODE_OUTSIDE[family], 30008, 24),
           ["far", "pod-a"])
    expect("load balancer's address, everybody", ask_often(client, family, external(9), 80, 24), ["far", "pod-a"])
    expect("external address", ask_often(client, family, external(10), 80, 24), ["far", "pod-a"],
           [NODE_FAR[family], NODE_PODS[family]])

    answers = names(ask_often(pod_b, family, vip(11), 80))
    checks.equal(f"{label}: affinity: one endpoint", len(answers), 1)
    seen = set()
    for _ in range(12):
        if len(seen) == 2:
            break
        time.sleep(1.2)
        seen.update(names([ask_tcp(pod_b, family, vip(11), 80)]))
    checks.equal(f"{label}: affinity ends after its time", sorted(seen), ["far", "pod-a"])

    expect("an endpoint that ends, with no other", ask_often(pod_b, family, vip(13), 80, 3), ["pod-a"])


def check_backend(backend):
    topology = Topology()
    echoes = []
    for space, name in ((topology.pod_a, "pod-a"), (topology.far, "far")):
        for family in (4, 6):
            # The remote node's Pods answer from the Pod's address.
            address = FAR_POD[family] if name == "far" else POD_A[family]
            echoes.append(Echo(space, name, family, 8080, address))
            echoes.append(Echo(space, name + "-81", family, 8081, address))
    with Folder() as folder:
        folder.write("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": world()}))
        node = NodeProgram(topology.node, folder.path, "--cluster-cidr", CLUSTER_CIDR, "--service-cidrs",
                           "10.96.0.0/16,fd00:10:96::/112", backend=backend)
        for family in (4, 6):
            check_family(topology, family, f"{backend}, IPv{family}")
        sctp = [line for line in saved(topology.node, backend, "nat") if "-p sctp" in line and "DNAT" in line]
        checks.equal(f"{backend}: SCTP has a rule for each endpoint", sorted(line.split()[-1] for line in sctp),
                     sorted(["10.244.1.10:8080", "10.244.2.10:8080", "[fd00:244:1::10]:8080", "[fd00:244:2::10]:8080"]))
        checks.equal(f"{backend}: it ends in order", node.stop(), 0)
    for echo in echoes:
        echo.close()
    topology.remove()


for_each_backend(checks, check_backend)
checks.finish()
