#!/usr/bin/env python3
"""DNS on the node itself: who answers on which addresses, what the kernel does not track, that names wait for their
rules, and who answers when the API server, the cluster's DNS or the program itself is gone."""

import json
import pathlib
import re
import select
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from api_server import ApiServer  # noqa: E402
from harness import TOOL_PROGRAM, Checks, Folder, decode_answer, encode_query, wait_until  # noqa: E402
from netns import (FAR_POD, NODE_PROGRAM, POD_A, POD_B, Echo, NodeProgram, Topology, ask_tcp, for_each_backend,  # noqa: E402
                   saved, service, slices)
from upstream import Upstream  # noqa: E402


checks = Checks()
LOCAL = {4: "169.254.20.10", 6: "fd00:169:254:20::10"}
CLUSTER = {4: "10.96.0.10", 6: "fd00:10:96::a"}
UPSTREAM_ANSWER = "198.51.100.7"
TIER_ANSWER = "198.51.100.99"
NAME = "web.test.svc.cluster.local"
NEW_SERVICES = 200


def tier_on(pod, family):
    return Upstream(TIER_ANSWER, space=pod, place=(POD_B[family], 53), tcp=False)


def ask(space, server, name, qtype="A", timeout=1.0):
    """(rcode, data) over UDP from a port of its own, or "TIMEOUT"."""
    family = 6 if ":" in server else 4
    sock = space.socket(family, socket.SOCK_DGRAM)
    try:
        sock.connect((server, 53))
        query = encode_query(7, name, qtype)
        sock.send(query[:2] + b"\1" + query[3:])  # Recursion desired.
        if not select.select([sock], [], [], timeout)[0]:
            return "TIMEOUT"
        return decode_answer(sock.recv(4096))
    except OSError as error:
        return error.strerror
    finally:
        sock.close()


def kube_dns(endpoint=True):
    """The cluster DNS Service, with Pods of its own as endpoints."""
    ports = [("dns", 53, 53, "UDP"), ("dns-tcp", 53, 53, "TCP")]
    made = [service("kube-dns", [CLUSTER[4], CLUSTER[6]], ports)]
    if endpoint:
        made += slices("kube-dns", [(POD_B[4], "node-1"), (POD_B[6], "node-1")], [(p[0], p[2], p[3]) for p in ports])
    return made


def web():
    return [service("web", ["10.96.0.1", "fd00:10:96::1"], [("main", 80, 8080, "TCP")]),
            *slices("web", [(POD_B[4], "node-1"), (POD_B[6], "node-1")], [("main", 8080, "TCP")])]


def write(folder, objects):
    folder.replace("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def interface(node):
    return "waypost-dns" in node.run("ip", "-o", "link")


def raw_chains(node, backend):
    return [line for line in saved(node, backend, "raw") if "WAYPOST" in line]


def tracked(node):
    """Entries about port 53 of the addresses, and the number of all."""
    entries = node.run("cat", "/proc/net/nf_conntrack").splitlines()
    full = {socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, a)) for a in (LOCAL[6], CLUSTER[6])}
    long = {":".join(f"{int.from_bytes(socket.inet_pton(socket.AF_INET6, a)[i:i + 2], 'big'):04x}" for i in range(0, 16, 2))
            for a in full}
    about = re.compile("=(" + "|".join(re.escape(a) for a in {LOCAL[4], CLUSTER[4], *full, *long}) + r") .*dport=53 ")
    return [entry for entry in entries if about.search(entry)], len(entries)


def start(t, folder, backend, *arguments, source=True):
    return NodeProgram(t.node, folder.path if source else None, "--dns=true", "--dns-cluster-addresses",
                       f"{CLUSTER[4]},{CLUSTER[6]}", "--service-cidrs", "10.96.0.0/12,fd00:10:96::/112", *arguments,
                       backend=backend)


def answers_and_tracks_nothing(t, backend):
    with Folder() as folder:
        write(folder, [*web(), *kube_dns()])
        (folder.path / "dns.yaml").write_text(f"forward: ['{FAR_POD[4]}:5300']\nttl: 7\n"
                                              "controlListen: ['127.0.0.1:9154']\n")
        upstream = Upstream(UPSTREAM_ANSWER, space=t.far, place=(FAR_POD[4], 5300), tcp=False)
        node = start(t, folder, backend, "--dns-config", folder.path / "dns.yaml")
        for address in (*LOCAL.values(), *CLUSTER.values()):
            for who, space in (("a Pod", t.pod_a), ("the node", t.node)):
                checks.equal(f"{backend}: {who} asks {address}", ask(space, address, NAME), (0, ["10.96.0.1"]))
                checks.equal(f"{backend}: {who} asks {address} for AAAA", ask(space, address, NAME, "AAAA"),
                             (0, ["fd00:10:96::1"]))
            checks.equal(f"{backend}: over TCP, {address}", t.pod_a.run(
                "dig", "+tcp", "+short", "+tries=1", "@" + address, NAME).split(), ["10.96.0.1"])
        for address in LOCAL.values():
            checks.equal(f"{backend}: another name goes to the upstream, {address}",
                         ask(t.pod_a, address, "example.org"), (0, [UPSTREAM_ANSWER]))
        checks.equal(f"{backend}: once, for all", [question.name for question in upstream.questions].count("example.org"), 1)

        checks.equal(f"{backend}: nothing of it is tracked", tracked(t.node)[0], [])
        echo = Echo(t.pod_b, "web", 4, 8080)
        checks.contains(f"{backend}: Services work", ask_tcp(t.pod_a, 4, "10.96.0.1", 80), "web ")
        echo.close()
        checks.equal(f"{backend}: other connections are tracked", tracked(t.node)[1] > 0, True)

        flushed = t.node.run(TOOL_PROGRAM, "flush", "--control", "127.0.0.1:9154", "example.org")
        checks.contains(f"{backend}: the cache is flushed on request", flushed, "flushed 1 answer for example.org")
        # The file is followed.
        dig = lambda: t.pod_a.run("dig", "+noall", "+answer", "@" + LOCAL[4], NAME).split()  # noqa: E731
        checks.equal(f"{backend}: the TTL is the file's", dig()[1], "7")
        (folder.path / "dns.yaml").write_text("ttl: 9\nqueryLog: [denial]\n")
        checks.equal(f"{backend}: and follows it", wait_until(lambda: dig()[1] == "9", 5) is not None, True)
        ask(t.pod_a, LOCAL[4], "no-such." + NAME)
        told = rf" info query client={re.escape(POD_A[4])} protocol=udp name=no-such\.{re.escape(NAME)}\. .* rcode=NXDOMAIN "
        checks.equal(f"{backend}: a query has its line in the log",
                     wait_until(lambda: re.search(told, "\n".join(node.log)), 5) is not None, True)
        (folder.path / "dns.yaml").write_text("ttl: never\nlisten: ['0.0.0.0:53']\n")
        checks.equal(f"{backend}: a mistake is told",
                     node.wait_for(lambda: node.logged("listen: not for a node") and node.logged("ttl: found")), True)
        checks.equal(f"{backend}: and changes nothing", dig()[1], "9")

        t.node.run(backend, "-t", "raw", "-F", "WAYPOST-DNS-QUERIES")
        checks.equal(f"{backend}: rules that somebody removes come back", wait_until(
            lambda: f"-A WAYPOST-DNS-QUERIES -d {LOCAL[4]}/32 -m addrtype --dst-type LOCAL -j CT --notrack"
            in raw_chains(t.node, backend), 10) is not None, True)

        second = t.node.run("sh", "-c", f"{NODE_PROGRAM} --manifests {folder.path} --dns=true --node-name node-1 "
                            f"--backend {backend} --metrics-listen 127.0.0.1:10259 --healthz-listen 127.0.0.1:10266 "
                            "2>&1; echo status $?")
        checks.contains(f"{backend}: two on a node do not fit, and that is said", second,
                        "cannot listen on 169.254.20.10:53 (UDP): Address already in use\nstatus 1")

        checks.equal(f"{backend}: it ends", node.stop(), 0)
        checks.equal(f"{backend}: its interface is gone", interface(t.node), False)
        checks.equal(f"{backend}: its rules of table raw are gone", raw_chains(t.node, backend), [])
        upstream.close()


def falls_back(t, backend):
    """Whoever answers on the cluster DNS Service's address, somebody does."""
    with Folder() as folder:
        write(folder, [*web(), *kube_dns()])
        tier = [tier_on(t.pod_b, family) for family in (4, 6)]
        node = start(t, folder, backend)
        for family in (4, 6):
            checks.equal(f"{backend}: the node answers, IPv{family}", ask(t.pod_a, CLUSTER[family], NAME), (0, ["10.96.0.1"]))
        checks.equal(f"{backend}: and not the cluster's DNS", [each.questions for each in tier], [[], []])

        # Fresh links take seconds until their neighbors are known.
        checks.equal(f"{backend}: the Pod of the cluster's DNS is there", wait_until(
            lambda: all(ask(t.node, POD_B[family], NAME) == (0, [TIER_ANSWER]) for family in (4, 6)), 10) is not None, True)
        node.kill(signal.SIGKILL)
        checks.equal(f"{backend}: a killed program leaves its rules", len(raw_chains(t.node, backend)) > 0, True)
        checks.equal(f"{backend}: but no interface", interface(t.node), False)
        for family in (4, 6):
            checks.equal(f"{backend}: the cluster's DNS answers at once, IPv{family}",
                         ask(t.pod_a, CLUSTER[family], NAME), (0, [TIER_ANSWER]))
        checks.equal(f"{backend}: also the node itself", ask(t.node, CLUSTER[4], NAME), (0, [TIER_ANSWER]))

        node = start(t, folder, backend)
        checks.equal(f"{backend}: the next one takes over", ask(t.pod_a, CLUSTER[4], NAME), (0, ["10.96.0.1"]))
        for each in tier:
            each.close()
        checks.equal(f"{backend}: and does without the cluster's DNS", ask(t.pod_a, CLUSTER[4], NAME), (0, ["10.96.0.1"]))
        tier = tier_on(t.pod_b, 4)
        node.stop()
        checks.equal(f"{backend}: the cluster's DNS answers when it has ended", ask(t.pod_a, CLUSTER[4], NAME),
                     (0, [TIER_ANSWER]))
        tier.close()

        node = start(t, folder, backend)
        node.kill(signal.SIGKILL)
        t.node.run("env", f"XTABLES_LOCKFILE={folder.path}/lock", NODE_PROGRAM, "--cleanup=true")
        checks.equal(f"{backend}: --cleanup removes what a killed one left", raw_chains(t.node, backend), [])


def without_a_proxy(t, backend):
    """Beside another Service proxy: names alone."""
    with Folder() as folder:
        write(folder, [*web(), *kube_dns()])
        before = saved(t.node, backend)
        node = start(t, folder, backend, "--proxy=false")
        for address in (*LOCAL.values(), *CLUSTER.values()):
            checks.equal(f"{backend}: without a proxy, {address}", ask(t.pod_a, address, NAME), (0, ["10.96.0.1"]))
        checks.equal(f"{backend}: without rules for Services",
                     [line for line in saved(t.node, backend) if "KUBE-" in line],
                     [line for line in before if "KUBE-" in line])
        write(folder, [*web(), *kube_dns(), service("late", ["10.96.0.77"], [("main", 80, 8080, "TCP")])])
        checks.equal(f"{backend}: a new name is there at once", wait_until(
            lambda: ask(t.pod_a, LOCAL[4], "late.test.svc.cluster.local") == (0, ["10.96.0.77"]), 5) is not None, True)
        node.stop()
        checks.equal(f"{backend}: and no rules when it has ended", raw_chains(t.node, backend), [])


def first_connections(t, backend):
    """The first connection after the first answer succeeds, for many new Services; then the API server dies."""
    with Folder() as folder, ApiServer(unix=folder / "api.sock") as api:
        api.load(objects=[{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test"}}, *web(), *kube_dns()])
        echo = Echo(t.pod_b, "web", 4, 8080)
        node = start(t, folder, backend, "--api-server", f"unix://{folder / 'api.sock'}", source=False)
        client = t.pod_a.socket(4, socket.SOCK_DGRAM)
        client.connect((LOCAL[4], 53))
        failures, latest = [], 0.0
        for number in range(NEW_SERVICES):
            name, address = f"new-{number}", f"10.96.{1 + number // 200}.{1 + number % 200}"
            for each in slices(name, [(POD_B[4], "node-1")], [("main", 8080, "TCP")]):
                api.put(each)
            made = service(name, [address], [("main", 80, 8080, "TCP")])
            made["metadata"]["creationTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            api.put(made)
            begun = time.monotonic()
            found = None
            while found is None and time.monotonic() - begun < 5:
                client.send(encode_query(number, f"{name}.test.svc.cluster.local", "A"))
                if select.select([client], [], [], 1)[0]:
                    rcode, records = decode_answer(client.recv(4096))
                    found = records[0] if rcode == 0 and records else None
            latest = max(latest, time.monotonic() - begun)
            answer = ask_tcp(t.pod_a, 4, found, 80, timeout=0.5) if found == address else f"no name: {found}"
            if not answer.startswith("web "):
                failures.append((name, answer))
        print(f"{backend}: the latest of {NEW_SERVICES} new names took {latest * 1000:.0f} ms")
        checks.equal(f"{backend}: first connections to {NEW_SERVICES} new names", failures, [])

        # What a Service loses is not answered any more.
        api.delete(kind="Service", namespace="test", name="new-7")
        checks.equal(f"{backend}: a name that is gone", wait_until(
            lambda: ask(t.pod_a, LOCAL[4], "new-7.test.svc.cluster.local")[0] == 3, 5) is not None, True)

        api.stop()
        checks.equal(f"{backend}: without the API server", ask(t.pod_a, CLUSTER[4], "new-8.test.svc.cluster.local"),
                     (0, ["10.96.1.9"]))
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "waypost-node.md").read_text()
        text = t.node.run("curl", "-s", "http://127.0.0.1:10249/metrics")
        for metric in re.findall(r"^\| `(waypost_node_dns_[a-z_]+)` \|", page, re.MULTILINE):
            checks.contains(f"{backend}: /metrics has {metric}", text, f"\n{metric}")
        checks.contains(f"{backend}: and how many addresses there are", text, 'waypost_node_dns_addresses{of="cluster"} 2')
        checks.contains(f"{backend}: and answers", text, "coredns_dns_requests_total")
        checks.contains(f"{backend}: and how long new names took, their rules included", text,
                        'coredns_kubernetes_dns_programming_duration_seconds_count{service_kind="cluster_ip"} '
                        f"{NEW_SERVICES}\n")
        node.stop()
        client.close()
        echo.close()


def addresses_come_back(t, backend):
    """Whatever somebody takes from the interface is put back, and told."""
    with Folder() as folder:
        write(folder, [*web(), *kube_dns()])
        node = start(t, folder, backend)
        every = (*LOCAL.values(), *CLUSTER.values())
        curl = lambda *a: t.node.run("curl", "-s", "-m", "2", *a, check=False)  # noqa: E731
        health = lambda: curl("-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:10256/healthz")  # noqa: E731

        def metric(name):
            found = re.search(rf"^waypost_node_dns_{re.escape(name)} (\d+)$", curl("http://127.0.0.1:10249/metrics"),
                              re.MULTILINE)
            return int(found.group(1)) if found else None

        def have():
            return sorted(re.findall(r"inet6? (\S+)/", t.node.run("ip", "-o", "addr", "show", "dev", "waypost-dns",
                                                                  check=False)))

        checks.equal(f"{backend}: all addresses are there", (have(), health(), metric("lost_addresses_total")),
                     (sorted(every), "200", 0))
        lost = 0
        for what, commands, gone in (
                ("an address that is removed", [["addr", "del", f"{LOCAL[4]}/32"]], 1),
                ("one of the cluster DNS Service's", [["addr", "del", f"{CLUSTER[6]}/128"]], 1),
                ("a family that is flushed", [["-6", "addr", "flush"]], 2),
                ("all of them", [["addr", "flush"]], 4),
                ("an interface that is set down", [["link", "set", "down"]], 2),
                ("one that is set down and up", [["link", "set", "down"], ["link", "set", "up"]], 2),
                ("one that is deleted", [["link", "del"]], 4)):
            before = len(node.logged("somebody "))
            for command in commands:
                at = command.index("set") + 1 if "set" in command else len(command)
                t.node.run("ip", *command[:at], "dev", "waypost-dns", *command[at:])
            checks.equal(f"{backend}: {what} comes back", wait_until(lambda: have() == sorted(every), 3) is not None, True)
            lost += gone
            checks.equal(f"{backend}: {what} is counted",
                         wait_until(lambda: metric("lost_addresses_total") == lost, 3) is not None, True)
            checks.equal(f"{backend}: {what} is told", wait_until(lambda: len(node.logged("somebody ")) > before, 3)
                         is not None, True)
            for address in every:
                checks.equal(f"{backend}: after {what}, {address}", ask(t.pod_a, address, NAME), (0, ["10.96.0.1"]))
            checks.equal(f"{backend}: after {what}, /healthz", health(), "200")
        checks.contains(f"{backend}: its interface is up", t.node.run("ip", "link", "show", "dev", "waypost-dns"), ",UP")

        # What cannot be put back is missed by probes and metrics, and the rest is answered.
        switch = "/proc/sys/net/ipv6/conf/waypost-dns/disable_ipv6"
        t.node.run("sh", "-c", f"echo 1 > {switch}")
        checks.equal(f"{backend}: without IPv6 on the interface /healthz is 503",
                     wait_until(lambda: health() == "503", 3) is not None, True)
        checks.equal(f"{backend}: and the metric tells what is left",
                     (metric('addresses{of="node"}'), metric('addresses{of="cluster"}')), (1, 1))
        checks.equal(f"{backend}: the others answer", [ask(t.pod_a, each[4], NAME) for each in (LOCAL, CLUSTER)],
                     [(0, ["10.96.0.1"])] * 2)
        for _ in range(2):  # With an address that comes back the others are tried again.
            t.node.run("ip", "addr", "del", f"{LOCAL[4]}/32", "dev", "waypost-dns")
            checks.equal(f"{backend}: what can be put back, is", wait_until(lambda: LOCAL[4] in have(), 3) is not None, True)
        checks.equal(f"{backend}: what cannot is told once", len(node.logged("trying again every second")), 1)
        t.node.run("sh", "-c", f"echo 0 > {switch}")
        checks.equal(f"{backend}: and is over when it can be put back",
                     wait_until(lambda: (have(), health()) == (sorted(every), "200"), 3) is not None, True)
        checks.equal(f"{backend}: which is told, too", len(node.logged("the addresses that were missing are there")), 1)
        checks.equal(f"{backend}: it ends", node.stop(), 0)
        checks.equal(f"{backend}: without its interface", interface(t.node), False)


def without_a_device(t):
    """A container that was not given /dev/net/tun is told so."""
    with Folder() as folder:
        write(folder, web())
        hide = f"mount -t tmpfs none /dev/net && exec {NODE_PROGRAM} --manifests {folder.path} --dns=true " \
               "--node-name node-1 --backend iptables-nft"
        done = t.node.run("sh", "-c", f"unshare -m sh -c '{hide}' 2>&1 || true")
        checks.contains("without /dev/net/tun it says what it takes", done,
                        "/dev/net/tun: No such file or directory; the node's DNS addresses need it")


def check(backend):
    t = Topology()
    answers_and_tracks_nothing(t, backend)
    falls_back(t, backend)
    without_a_proxy(t, backend)
    addresses_come_back(t, backend)
    first_connections(t, backend)
    if backend == "iptables-nft":
        without_a_device(t)
    t.remove()


if __name__ == "__main__":
    for_each_backend(checks, check)
    checks.finish()
