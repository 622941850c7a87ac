#!/usr/bin/env python3
"""Services and endpoints change while clients use them: nobody is cut off, and nobody is left with the dead."""

import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, Folder, wait_until  # noqa: E402
from netns import (CLUSTER_CIDR, FAR_POD, NODE_OUTSIDE, POD_A, Echo, NodeProgram, Topology,  # noqa: E402
                   UdpClient, ask_tcp, saved, service, slices, for_each_backend)

checks = Checks()
VIP = {4: "10.96.0.1", 6: "fd00:10:96::1"}
UDP = [("main", 53, 8080, "UDP", 30053)]


def write(folder, *objects):
    flat = [one for entry in objects for one in (entry if isinstance(entry, list) else [entry])]
    folder.replace("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": flat}))


def dns(endpoints, ports=tuple(UDP), **spec):
    return [service("dns", [VIP[4], VIP[6]], list(ports), type="NodePort", **spec),
            *slices("dns", endpoints, [("main", 8080, "UDP")])]


def both(addresses, node):
    return [(addresses[4], node), (addresses[6], node)]


def entries(topology, part):
    """Tracked connections of the node whose text has `part`."""
    return [line for line in topology.node.run("cat", "/proc/net/nf_conntrack").splitlines() if part in line]


def settle(client, wanted, timeout=3.0):
    """Asks with one client until it is answered as wanted; the seconds that took, or None."""
    return wait_until(lambda: client.ask().split()[0] == wanted, timeout)


def udp_follows(topology, folder, backend):
    for family in (4, 6):
        label = f"{backend}, IPv{family}"
        old, new, last = both(POD_A, "node-1"), both(FAR_POD, "node-2"), []
        write(folder, dns(old))
        spaces = ((topology.pod_b, VIP[family], 53, "a Pod at the ClusterIP"),
                  (topology.node, VIP[family], 53, "the node at the ClusterIP"),
                  (topology.client, NODE_OUTSIDE[family], 30053, "a host outside at the NodePort"))
        clients = []
        for space, address, port, who in spaces:
            client = UdpClient(space, family, address, port, timeout=0.2)
            checks.equal(f"{label}: {who} has the first endpoint", settle(client, "pod-a") is not None, True)
            clients.append((client, who))
        write(folder, dns(new))
        for client, who in clients:
            checks.equal(f"{label}: {who} follows to the next endpoint, with its old port",
                         settle(client, "far") is not None, True)
        write(folder, dns(last))
        for client, who in clients:
            checks.equal(f"{label}: without endpoints {who} is refused, with its old port",
                         settle(client, "REFUSED") is not None, True)
        write(folder, dns(old))
        for client, who in clients:
            checks.equal(f"{label}: with one again {who} is answered, with its old port",
                         settle(client, "pod-a") is not None, True)
        write(folder, dns(old, [("main", 53, 8080, "UDP", 30054)]))
        checks.equal(f"{label}: at a NodePort that has gone nobody answers",
                     wait_until(lambda: clients[2][0].ask().split()[0] in ("REFUSED", "TIMEOUT"), 3) is not None, True)
        write(folder, [])
        checks.equal(f"{label}: at a Service that has gone nobody answers",
                     wait_until(lambda: clients[0][0].ask().split()[0] in ("TIMEOUT", "REFUSED", "No"), 3) is not None,
                     True)
        for client, _ in clients:
            client.close()


def policy_is_followed(topology, folder, backend):
    ends = both(POD_A, "node-1") + both(FAR_POD, "node-2")
    write(folder, dns(ends))
    clients = [UdpClient(topology.pod_b, 4, VIP[4], 53, timeout=0.2) for _ in range(16)]
    wait_until(lambda: clients[0].ask().startswith(("pod-a", "far")), 3)
    reached = {client.ask().split()[0] for client in clients}
    checks.equal(f"{backend}: with the policy Cluster both are reached", sorted(reached), ["far", "pod-a"])
    write(folder, dns(ends, internalTrafficPolicy="Local"))
    checks.equal(f"{backend}: with the policy Local old clients too reach local endpoints only",
                 wait_until(lambda: {client.ask().split()[0] for client in clients} == {"pod-a"}, 3) is not None, True)
    for client in clients:
        client.close()


def others_flows_stay(topology, folder, backend):
    """A flow to the number of a NodePort, but at another host, is not ours; nor is a healthy one."""
    write(folder, dns(both(POD_A, "node-1")))
    stranger = Echo(topology.far, "stranger", 4, 30053, FAR_POD[4])
    passing = UdpClient(topology.client, 4, FAR_POD[4], 30053, timeout=0.5)
    healthy = UdpClient(topology.pod_b, 4, VIP[4], 53, timeout=0.5)
    checks.matches(f"{backend}: a stranger answers", passing.ask(), "^stranger")
    checks.equal(f"{backend}: an endpoint answers", settle(healthy, "pod-a") is not None, True)
    mine = f"sport={healthy.sock.getsockname()[1]} "
    his = f"sport={passing.sock.getsockname()[1]} "
    write(folder, dns(both(POD_A, "node-1") + both(FAR_POD, "node-2")))
    write(folder, dns(both(POD_A, "node-1")))
    dead = UdpClient(topology.pod_b, 4, VIP[4], 53, timeout=0.2)
    settle(dead, "pod-a")
    time.sleep(0.5)
    checks.equal(f"{backend}: the stranger's flow is tracked still", len(entries(topology, his)), 1)
    checks.equal(f"{backend}: and the healthy one", len(entries(topology, mine)), 1)
    for one in (passing, healthy, dead, stranger):
        one.close()


def newcomers_stay(topology, folder, backend, node):
    """A flow to an endpoint that came while flows to others that went were still to be looked for."""
    ports = [("main", 53, 8080, "UDP")]
    commits = lambda: len(node.logged("IPv4: "))  # noqa: E731

    def have(*addresses):
        before = commits()
        write(folder, [service("dns", [VIP[4]], ports),
                       *slices("dns", [(address, "node-1") for address in addresses], [("main", 8080, "UDP")])])
        return wait_until(lambda: commits() > before, 5, 0.001)

    lost = reached = 0
    for _ in range(4):
        have(POD_A[4], "10.244.1.97", "10.244.1.98")
        time.sleep(0.5)
        have(POD_A[4], "10.244.1.97")  # The table is walked at once, and then not for a while.
        have(POD_A[4])
        known = have(POD_A[4], FAR_POD[4])
        clients = [UdpClient(topology.pod_b, 4, VIP[4], 53, timeout=0.3) for _ in range(12)]
        mine = [f"sport={client.sock.getsockname()[1]} " for client in clients if client.ask().startswith("far")]
        reached += known is not None and bool(mine)
        time.sleep(0.6)
        tracked = entries(topology, "dport=53 ")
        lost += sum(not any(port in line for line in tracked) for port in mine)
        for client in clients:
            client.close()
    # One in four thousand rounds has no client that gets there.
    checks.equal(f"{backend}: the new endpoint was reached", reached >= 3, True)
    checks.equal(f"{backend}: flows to an endpoint that is new are forgotten", lost, 0)


def syn_is_not_stuck(topology, folder, backend):
    """A client that has sent its SYN to an endpoint that is no more gets to the next one."""
    tcp = [("main", 80, 8080, "TCP")]
    nowhere = [("10.244.1.99", "node-1")]
    write(folder, [service("web", [VIP[4]], tcp), *slices("web", nowhere, [("main", 8080, "TCP")])])
    node_knows = lambda: any("10.244.1.99" in line for line in saved(topology.node, backend, "nat"))  # noqa: E731
    wait_until(node_knows, 5, 0.05)
    # The node answers for the missing host only after seconds.
    topology.node.run("ip", "neigh", "replace", "10.244.1.99", "lladdr", "02:00:00:00:00:99", "dev", "pods")
    result = []
    thread = threading.Thread(target=lambda: result.append(ask_tcp(topology.pod_b, 4, VIP[4], 80, timeout=6)))
    thread.start()
    wait_until(lambda: entries(topology, "SYN_SENT"), 3)
    write(folder, [service("web", [VIP[4]], tcp), *slices("web", [(POD_A[4], "node-1")], [("main", 8080, "TCP")])])
    thread.join()
    checks.matches(f"{backend}: a SYN to a dead endpoint is sent to a live one next time", result[0], "^pod-a")


def early_client_is_served(topology, folder, backend):
    """A client that has sent its SYN before there was a Service is connected when there is one."""
    tcp = [("main", 80, 8080, "TCP")]
    write(folder, [])
    wait_until(lambda: not any("10.96.0.1" in line for line in saved(topology.node, backend, "nat")), 5, 0.05)
    result = []
    thread = threading.Thread(target=lambda: result.append(ask_tcp(topology.pod_b, 4, VIP[4], 80, timeout=9)))
    thread.start()
    wait_until(lambda: entries(topology, "SYN_SENT"), 3)
    write(folder, [service("web", [VIP[4]], tcp), *slices("web", [(POD_A[4], "node-1")], [("main", 8080, "TCP")])])
    thread.join()
    checks.matches(f"{backend}: a client that was there before its Service is served", result[0], "^pod-a")


def nobody_is_cut_off(topology, folder, backend):
    """Connections all the time, while endpoints of their Service come and go 100 times a second."""
    tcp = [("main", 80, 8080, "TCP")]
    more = [(f"10.244.3.{n}", "node-3") for n in range(1, 40)]

    def variant(number):
        # The two that answer are always there; of a neighbor's endpoints another part each time.
        return [service("web", [VIP[4], VIP[6]], tcp),
                *slices("web", both(POD_A, "node-1") + (both(FAR_POD, "node-2") if number % 2 else []),
                        [("main", 8080, "TCP")]),
                service("other", ["10.96.0.2"], tcp), *slices("other", more[:number % 40], [("main", 8080, "TCP")])]

    write(folder, variant(1))
    # Without asking: a SYN from before would be tracked, and a later client may get its port.
    wait_until(lambda: all(any(f"-d {vip}/" in line for line in saved(topology.node, backend, "nat"))
                           for vip in VIP.values()), 5, 0.05)
    stop = threading.Event()
    answers = {4: [], 6: []}

    def hammer(family):
        while not stop.is_set():
            answers[family].append(ask_tcp(topology.pod_b, family, VIP[family], 80, timeout=3))

    threads = [threading.Thread(target=hammer, args=(family,)) for family in (4, 6)]
    for thread in threads:
        thread.start()
    changes = 400
    started = time.monotonic()
    for number in range(changes):
        write(folder, variant(number))
        time.sleep(max(0, started + (number + 1) / 100 - time.monotonic()))
    took = time.monotonic() - started
    stop.set()
    for thread in threads:
        thread.join()
    checks.less(f"{backend}: seconds for {changes} changes, at 100 a second", took, 2 * changes / 100)
    for family in (4, 6):
        lost = [answer for answer in answers[family] if not answer.startswith(("pod-a ", "far "))]
        checks.equal(f"{backend}: none of {len(answers[family])} IPv{family} connections is lost", lost, [])
        checks.equal(f"{backend}: there were enough of them", len(answers[family]) > 50, True)


def addresses_are_followed(topology, folder, backend):
    """An address that the node gets later serves NodePorts at once, one that it loses does not. What is said of IPv4
    leaves IPv6 as it is."""
    tcp = [("main", 80, 8080, "TCP", 30080)]
    write(folder, [service("web", [VIP[4], VIP[6]], tcp, type="NodePort"),
                   *slices("web", [(POD_A[4], "node-1"), (POD_A[6], "node-1")], [("main", 8080, "TCP")])])
    topology.client.run("ip", "route", "add", "198.51.100.77", "via", NODE_OUTSIDE[4])
    ask = lambda: ask_tcp(topology.client, 4, "198.51.100.77", 30080, 0.3)  # noqa: E731
    topology.node.run("ip", "addr", "add", "198.51.100.77/32", "dev", "lo")
    checks.equal(f"{backend}: a new address in the range serves NodePorts",
                 wait_until(lambda: ask().startswith("pod-a"), 5) is not None, True)
    checks.equal(f"{backend}: one out of the range does not",
                 ask_tcp(topology.client, 4, NODE_OUTSIDE[4], 30080, 0.3), "REFUSED")
    checks.equal(f"{backend}: prefixes of IPv4 say nothing of IPv6",
                 ask_tcp(topology.client, 6, NODE_OUTSIDE[6], 30080, 0.3).split()[0], "pod-a")
    topology.node.run("ip", "addr", "del", "198.51.100.77/32", "dev", "lo")
    checks.equal(f"{backend}: its rule goes with it", wait_until(
        lambda: not any("198.51.100.77" in line for line in saved(topology.node, backend, "nat")), 5) is not None, True)


def check_backend(backend):
    topology = Topology()
    echoes = [Echo(space, name, family, 8080, addresses[family]) for family in (4, 6)
              for space, name, addresses in ((topology.pod_a, "pod-a", POD_A), (topology.far, "far", FAR_POD))]
    with Folder() as folder:
        write(folder, [])
        node = NodeProgram(topology.node, folder.path, "--cluster-cidr", CLUSTER_CIDR, backend=backend)
        udp_follows(topology, folder, backend)
        policy_is_followed(topology, folder, backend)
        others_flows_stay(topology, folder, backend)
        newcomers_stay(topology, folder, backend, node)
        syn_is_not_stuck(topology, folder, backend)
        early_client_is_served(topology, folder, backend)
        nobody_is_cut_off(topology, folder, backend)
        node.stop()
        node = NodeProgram(topology.node, folder.path, "--cluster-cidr", CLUSTER_CIDR, "--nodeport-addresses",
                           "198.51.100.0/24", backend=backend)
        addresses_are_followed(topology, folder, backend)
        node.stop()
    for echo in echoes:
        echo.close()
    topology.remove()


for_each_backend(checks, check_backend)
checks.finish()
