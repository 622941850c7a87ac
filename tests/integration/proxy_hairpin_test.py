#!/usr/bin/env python3
"""Whose address an endpoint sees: a Pod that reaches itself, behind a bridge and behind a route of its own, the node,
and a host outside, by every kind of address and with both policies. Real packets, both backends, both families, TCP
and UDP."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, Folder  # noqa: E402
from netns import (CLIENT, CLUSTER_CIDR, FAMILY, NODE_FAR, NODE_OUTSIDE, NODE_PODS, POD_A, Echo,  # noqa: E402
                   Namespace, NodeProgram, Topology, UdpClient, ask_tcp, service, slices, for_each_backend)

VIP = {4: "10.96.0.{}", 6: "fd00:10:96::{}"}
BALANCER = {4: "198.51.100.{}", 6: "2001:db8:100::{}"}
# On this node, too, but on no bridge: its address is routed to its veth, as Calico and Cilium do.
POD_C = {4: "10.244.3.30", 6: "fd00:244:1:1::30"}
GATEWAY = {4: "169.254.1.1", 6: "fe80::1"}
LOCAL = "node-1"
PORTS = [("tcp", 80, 8080, "TCP"), ("udp", 80, 8080, "UDP")]

checks = Checks()


def node_addresses(family):
    return {NODE_OUTSIDE[family], NODE_FAR[family], NODE_PODS[family]}


def add(objects, number, name, backends, **spec):
    """A Service that is reached in every way: ClusterIP number, node port 30100 + number, a balancer's address."""
    ports = [(*port, 30100 + number) for port in PORTS]
    both = [{"ip": BALANCER[family].format(number)} for family in (4, 6)]
    objects.append(service(name, [VIP[4].format(number), VIP[6].format(number)], ports, type="LoadBalancer",
                           status={"loadBalancer": {"ingress": both}}, **spec))
    objects.extend(slices(name, [(address[family], LOCAL) for address in backends for family in (4, 6)],
                          [(port[0], port[2], port[3]) for port in PORTS]))


def world():
    objects = []
    add(objects, 1, "bridged", [POD_A])
    add(objects, 2, "routed", [POD_C])
    add(objects, 3, "pair", [POD_A, POD_C])
    add(objects, 4, "pair-local", [POD_A, POD_C], externalTrafficPolicy="Local")
    add(objects, 5, "host", [NODE_FAR])
    return objects


def join_routed(topology):
    space = Namespace("pod-c")
    run = topology.node.run
    run("ip", "link", "add", "podc", "type", "veth", "peer", "name", "eth0", "netns", space.name)
    run("ip", "link", "set", "podc", "up")
    run("sysctl", "-qw", "net.ipv4.conf.podc.proxy_arp=1")
    run("ip", "addr", "add", GATEWAY[6] + "/64", "dev", "podc", "nodad")
    run("ip", "route", "add", POD_C[4] + "/32", "dev", "podc")
    run("ip", "-6", "route", "add", POD_C[6] + "/128", "dev", "podc")
    space.run("ip", "link", "set", "eth0", "up")
    space.run("ip", "addr", "add", POD_C[4] + "/32", "dev", "eth0")
    space.run("ip", "addr", "add", POD_C[6] + "/128", "dev", "eth0", "nodad")
    space.run("ip", "route", "add", GATEWAY[4], "dev", "eth0")
    space.run("ip", "route", "add", "default", "via", GATEWAY[4], "dev", "eth0")
    space.run("ip", "-6", "route", "add", "default", "via", GATEWAY[6], "dev", "eth0")
    return space


def ask_udp(space, family, address, port):
    client = UdpClient(space, family, address, port)
    try:
        return client.ask()
    finally:
        client.close()


def seen(ask, space, family, address, port, times):
    """{who answered: the set of addresses that it saw}."""
    found = {}
    for _ in range(times):
        name, *peer = ask(space, family, address, port).split()
        found.setdefault(name, set()).update(peer)
    return found


def check_family(topology, routed, family, label):
    vip = lambda number: (VIP[family].format(number), 80)  # noqa: E731
    node_port = lambda number: (NODE_OUTSIDE[family], 30100 + number)  # noqa: E731
    balancer = lambda number: (BALANCER[family].format(number), 80)  # noqa: E731
    anything_of_node = node_addresses(family)

    def expect(what, space, place, expected):
        """`expected`: {name: the address that it sees}, or a set for one of these."""
        for protocol, ask in (("TCP", ask_tcp), ("UDP", ask_udp)):
            found = seen(ask, space, family, *place, times=24 if len(expected) > 1 else 3)
            shown = {}
            for name, peers in found.items():
                wanted = expected.get(name, set())
                is_one_of_node = isinstance(wanted, set) and peers and peers <= wanted
                shown[name] = wanted if is_one_of_node else ", ".join(sorted(peers))
            checks.equal(f"{label}, {protocol}: {what}", shown, expected)

    pod_a, client, node = topology.pod_a, topology.client, topology.node
    for kind, place in (("ClusterIP", vip), ("NodePort", node_port), ("load balancer's address", balancer)):
        expect(f"a Pod behind the bridge to itself by {kind}", pod_a, place(1), {"pod-a": anything_of_node})
        expect(f"a routed Pod to itself by {kind}", routed, place(2), {"pod-c": anything_of_node})
        expect(f"the node to an endpoint of its own by {kind}", node, place(5), {"host": anything_of_node})
    # Only the way back to itself is masqueraded; with the bridge, by the address of the bridge.
    expect("a Pod behind the bridge to itself", pod_a, vip(1), {"pod-a": NODE_PODS[family]})
    expect("a Pod behind the bridge to itself and another", pod_a, vip(3),
           {"pod-a": NODE_PODS[family], "pod-c": POD_A[family]})
    expect("a routed Pod to itself and another", routed, vip(3), {"pod-c": anything_of_node, "pod-a": POD_C[family]})
    for kind, place in (("NodePort", node_port), ("load balancer's address", balancer)):
        expect(f"policy Cluster, {kind}, from a Pod", pod_a, place(3),
               {"pod-a": anything_of_node, "pod-c": anything_of_node})
        expect(f"policy Local, {kind}, from a Pod", pod_a, place(4), {"pod-a": anything_of_node, "pod-c": POD_A[family]})
        expect(f"policy Cluster, {kind}, from outside", client, place(3),
               {"pod-a": NODE_PODS[family], "pod-c": anything_of_node})
        expect(f"policy Local, {kind}, from outside", client, place(4),
               {"pod-a": CLIENT[family], "pod-c": CLIENT[family]})
        expect(f"policy Local, {kind}, from the node", node, place(4),
               {"pod-a": NODE_PODS[family], "pod-c": anything_of_node})


def check_forwarding(topology, routed, backend):
    """Where nothing is forwarded unless a rule lets it, a Pod still reaches itself."""
    tools = {4: backend, 6: backend.replace("iptables", "ip6tables")}
    for family, tool in tools.items():
        topology.node.run(tool, "-P", "FORWARD", "DROP")
        label = f"{backend}, IPv{family}, policy DROP"
        for space, number, name in ((topology.pod_a, 1, "pod-a"), (routed, 2, "pod-c")):
            for protocol, ask in (("TCP", ask_tcp), ("UDP", ask_udp)):
                checks.equal(f"{label}, {protocol}: {name} to itself",
                             ask(space, family, VIP[family].format(number), 80).split()[0], name)
        checks.equal(f"{label}: to another Pod nothing is let through",
                     ask_tcp(routed, family, POD_A[family], 8080, timeout=0.5), "TIMEOUT")
        topology.node.run(tool, "-P", "FORWARD", "ACCEPT")


def check_localhost(topology, backend):
    """127.0.0.1 is served only where it is asked for; ::1 never."""
    checks.equal(f"{backend}: a NodePort on 127.0.0.1, not asked for",
                 ask_tcp(topology.node, 4, "127.0.0.1", 30101), "REFUSED")
    checks.equal(f"{backend}: nothing of the host is changed for it",
                 topology.node.run("sysctl", "-n", "net.ipv4.conf.all.route_localnet").strip(), "0")


def check_localhost_asked_for(topology, backend):
    for ask in (ask_tcp, ask_udp):
        for number, name in ((1, "pod-a"), (2, "pod-c"), (4, None)):
            found = seen(ask, topology.node, 4, "127.0.0.1", 30100 + number, 24 if name is None else 3)
            checks.equal(f"{backend}: NodePort {30100 + number} on 127.0.0.1: who answers", sorted(found),
                         [name] if name else ["pod-a", "pod-c"])
            checks.equal(f"{backend}: NodePort {30100 + number} on 127.0.0.1: the address it sees",
                         set().union(*found.values()) <= node_addresses(4), True)
    checks.equal(f"{backend}: route_localnet", topology.node.run("sysctl", "-n",
                                                                 "net.ipv4.conf.all.route_localnet").strip(), "1")
    checks.equal(f"{backend}: a NodePort on ::1", ask_tcp(topology.node, 6, "::1", 30101), "REFUSED")
    # What listens on localhost only stays there: the neighbor sends to 127.0.0.1 by way of the node.
    hidden = Echo(topology.node, "hidden", 4, 7777, "127.0.0.1")
    client = topology.client
    client.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    client.run("ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
    client.run("ip", "route", "add", "127.0.0.1/32", "via", NODE_OUTSIDE[4])
    checks.equal(f"{backend}: the node itself reaches it", ask_tcp(topology.node, 4, "127.0.0.1", 7777), "hidden 127.0.0.1")
    checks.equal(f"{backend}: a neighbor does not", ask_tcp(client, 4, "127.0.0.1", 7777, timeout=0.7), "TIMEOUT")
    hidden.close()


def check_backend(backend):
    topology = Topology()
    routed = join_routed(topology)
    echoes = []
    for space, name, address in ((topology.pod_a, "pod-a", POD_A), (routed, "pod-c", POD_C),
                                 (topology.node, "host", NODE_FAR)):
        for family in FAMILY:
            echoes.append(Echo(space, name, family, 8080, address[family]))
    with Folder() as folder:
        folder.write("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": world()}))
        arguments = ("--cluster-cidr", CLUSTER_CIDR, "--service-cidrs", "10.96.0.0/16,fd00:10:96::/112")
        node = NodeProgram(topology.node, folder.path, *arguments, backend=backend)
        for family in FAMILY:
            check_family(topology, routed, family, f"{backend}, IPv{family}")
        check_forwarding(topology, routed, backend)
        check_localhost(topology, backend)
        checks.equal(f"{backend}: it ends in order", node.stop(), 0)
        node = NodeProgram(topology.node, folder.path, *arguments, "--iptables-localhost-nodeports", "true",
                           backend=backend)
        check_localhost_asked_for(topology, backend)
        node.stop()
    for echo in echoes:
        echo.close()
    routed.remove()
    topology.remove()


for_each_backend(checks, check_backend)
checks.finish()
