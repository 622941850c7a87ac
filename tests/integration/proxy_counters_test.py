#!/usr/bin/env python3
"""What waypost-node counts by the kernel's counters of its rules: packets that connection tracking cannot place, and
connections to NodePorts on loopback addresses."""

import json
import pathlib
import re
import socket
import struct
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, Folder, wait_until  # noqa: E402
from netns import (CLIENT, CLUSTER_CIDR, FAR_POD, POD_A, Echo, NodeProgram, Topology, ask_tcp, for_each_backend,  # noqa: E402
                   service, slices)

INVALID = "kubeproxy_iptables_ct_state_invalid_dropped_packets_total"
LOCALHOST = "kubeproxy_iptables_localhost_nodeports_accepted_packets_total"
NODE_PORT = 30080
checks = Checks()


def checksum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def reset_out_of_nowhere(space, source, destination):
    """A TCP RST of a connection that nobody knows, which connection tracking calls INVALID."""
    def header(check):
        return struct.pack(">HHIIBBHHH", 40000, 8080, 1, 1, 5 << 4, 0x04, 1024, check, 0)

    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack(">BBH", 0, socket.IPPROTO_TCP, 20)

    def work():
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
            raw.sendto(header(checksum(pseudo + header(0))), (destination, 0))

    space.inside(work)


def count(space, name):
    def work():
        with urllib.request.urlopen("http://127.0.0.1:10249/metrics", timeout=5) as answer:
            return answer.read().decode()

    found = re.findall(rf"^{name} (\d+)$", space.inside(work), re.MULTILINE)
    return int(found[0]) if found else None


def becomes(space, name, wanted):
    """Whether the metric becomes `wanted`; what it is otherwise."""
    wait_until(lambda: count(space, name) == wanted, 8, 0.1)
    return count(space, name)


def check(backend):
    net = Topology()
    echo = Echo(net.pod_a, "pod-a", 4, 8080)
    objects = [service("web", ["10.96.0.1"], [("main", 80, 8080, "TCP", NODE_PORT)], type="NodePort"),
               *slices("web", [(POD_A[4], "node-1")], [("main", 8080, "TCP")])]
    options = ["--cluster-cidr", CLUSTER_CIDR, "--iptables-localhost-nodeports=true", "--iptables-sync-period", "1s"]
    asked = f"{backend}: "
    with Folder() as folder:
        folder.replace("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        node = NodeProgram(net.node, folder.path, *options, backend=backend)
        checks.equal(asked + "nothing is counted at first", (count(net.node, INVALID), count(net.node, LOCALHOST)),
                     (0, 0))

        for _ in range(3):
            reset_out_of_nowhere(net.client, CLIENT[4], FAR_POD[4])
        checks.equal(asked + "packets that cannot be placed", becomes(net.node, INVALID, 3), 3)
        checks.equal(asked + "a packet of a connection is none", ask_tcp(net.client, 4, POD_A[4], 8080),
                     f"pod-a {CLIENT[4]}")

        for _ in range(2):
            checks.equal(asked + "the NodePort on 127.0.0.1 answers",
                         ask_tcp(net.node, 4, "127.0.0.1", NODE_PORT).split()[0], "pod-a")
        checks.equal(asked + "another port there does not", ask_tcp(net.node, 4, "127.0.0.1", NODE_PORT + 1), "REFUSED")
        checks.equal(asked + "the NodePort on another address does",
                     ask_tcp(net.client, 4, "203.0.113.1", NODE_PORT).split()[0], "pod-a")
        checks.equal(asked + "connections to the NodePort on 127.0.0.1", becomes(net.node, LOCALHOST, 2), 2)

        # A chain that somebody empties begins to count at 0; what was counted stays counted.
        net.node.run(backend, "-w", "-F", "KUBE-FORWARD")
        checks.equal(asked + "the chain is repaired", wait_until(
            lambda: "INVALID" in net.node.run(backend, "-w", "-S", "KUBE-FORWARD"), 8, 0.1) is not None, True)
        reset_out_of_nowhere(net.client, CLIENT[4], FAR_POD[4])
        checks.equal(asked + "and the count goes on", becomes(net.node, INVALID, 4), 4)
        checks.equal(asked + "it stops in order", node.stop(), 0)

        # The kernel's counters outlive the program.
        node = NodeProgram(net.node, folder.path, *options, backend=backend)
        checks.equal(asked + "the next start goes on from what the kernel has", becomes(net.node, LOCALHOST, 2), 2)
        checks.equal(asked + "for both", becomes(net.node, INVALID, 1), 1)
        node.stop()
    echo.close()
    net.remove()


for_each_backend(checks, check)
checks.finish()
