#!/usr/bin/env python3
"""What waypost-node does about rules that are there already, that others change, and that it leaves behind."""

import fcntl
import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, Folder, run, wait_until  # noqa: E402
from netns import (CLUSTER_CIDR, NODE_PROGRAM, POD_A, SCRATCH, Echo, NodeProgram, Topology, ask_tcp, saved,  # noqa: E402
                   service, slices, for_each_backend, why_not_backend)

checks = Checks()

FOREIGN = """\
*nat
:CNI-OWN - [0:0]
:KUBE-ROUTER-TEST - [0:0]
-A PREROUTING -m comment --comment "somebody else's" -j CNI-OWN
-A CNI-OWN -d 192.0.2.1/32 -j RETURN
-A KUBE-ROUTER-TEST -j RETURN
COMMIT
*filter
:CNI-FILTER - [0:0]
-A FORWARD -j CNI-FILTER
-A INPUT -s 192.0.2.9/32 -j DROP
-A CNI-FILTER -s 192.0.2.2/32 -j DROP
COMMIT
"""

# As kube-proxy 1.36 leaves it, with one Service that is gone and one whose endpoint is another.
KUBE_PROXY = """\
*filter
:KUBE-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-PROXY-CANARY - [0:0]
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
-A INPUT -j KUBE-FIREWALL
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-SVC-XPGD46QRK7WJZT7O - [0:0]
:KUBE-SEP-SXIVWICOYRO3J4NJ - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-PROXY-CANARY - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-SVC-XPGD46QRK7WJZT7O -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -p tcp -m tcp -j DNAT --to-destination 10.180.0.1:80
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
COMMIT
"""


def world(count=1):
    objects = []
    for number in range(1, count + 1):
        name = f"s{number}"
        objects.append(service(name, [f"10.96.{number >> 8}.{number & 255}", f"fd00:10:96::{number:x}"],
                               [("main", 80, 8080, "TCP")]))
        objects.extend(slices(name, [(POD_A[4], "node-1"), (POD_A[6], "node-1")], [("main", 8080, "TCP")]))
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def own(lines):
    """Lines that are this program's."""
    return [line for line in lines if any(part in line for part in (
        "KUBE-SERVICES", "KUBE-SVC-", "KUBE-SEP-", "KUBE-CIP", "KUBE-MARK", "KUBE-POSTROUTING", "KUBE-FORWARD",
        "KUBE-NODEPORTS", "KUBE-EXTERNAL", "KUBE-PROXY-"))]


class Scene:
    """A topology with somebody else's rules and one endpoint."""

    def __init__(self, backend, folder):
        self.backend = backend
        self.folder = folder
        self.topology = Topology()
        self.space = self.topology.node
        self.echo = Echo(self.topology.pod_a, "pod-a", 4, 8080)
        # A table that was never used is not printed.
        self.space.run(self.backend.replace("ip", "ip6", 1) + "-restore", "--noflush",
                       stdin="*nat\n-A OUTPUT -j RETURN\n-D OUTPUT 1\nCOMMIT\n"
                             "*filter\n-A OUTPUT -j RETURN\n-D OUTPUT 1\nCOMMIT\n")
        self.restore(FOREIGN)

    def restore(self, text):
        self.space.run(self.backend + "-restore", "--noflush", stdin=text)

    def start(self, *arguments, **options):
        return NodeProgram(self.space, self.folder.path, "--cluster-cidr", CLUSTER_CIDR, *arguments,
                           backend=self.backend, **options)

    def ask(self, timeout=0.5):
        return ask_tcp(self.topology.pod_b, 4, "10.96.0.1", 80, timeout=timeout)

    def saved(self):
        return saved(self.space, self.backend)

    def clean(self):
        return run("ip", *self.space.command(NODE_PROGRAM, "--cleanup")[1:])

    def end(self):
        self.echo.close()
        self.topology.remove()


def cleanup_leaves_everything_else(scene, label):
    before = scene.saved()
    node = scene.start()
    checks.matches(f"{label}: a Service answers", scene.ask(), "^pod-a")
    checks.equal(f"{label}: it stops in order", node.stop(), 0)
    checks.matches(f"{label}: its rules stay in force when it ends", scene.ask(), "^pod-a")
    code, out, err = scene.clean()
    checks.equal(f"{label}: --cleanup succeeds {err}", code, 0)
    checks.equal(f"{label}: after --cleanup all is as it was", scene.saved(), before)
    checks.equal(f"{label}: a second --cleanup has nothing to do", scene.clean()[1], "clean\n")


def cleanup_counts_what_went(scene, label):
    """Canaries of kube-proxy are in three tables; what rules of others lead to stays, and is not called removed."""
    families = {"IPv4": scene.backend, "IPv6": scene.backend.replace("ip", "ip6", 1)}
    for program in families.values():
        scene.space.run(program + "-restore", "--noflush", stdin="*mangle\n-A OUTPUT -j RETURN\n-D OUTPUT 1\nCOMMIT\n")
    before = scene.saved()
    for program in families.values():
        for table in ("mangle", "nat", "filter"):
            scene.space.run(program, "-t", table, "-N", "KUBE-PROXY-CANARY")
    checks.equal(f"{label}: canaries in three tables go", scene.clean()[1].splitlines(),
                 [f"{scene.backend}, {family}: 3 chains removed" for family in families] + ["clean"])
    checks.equal(f"{label}: and nothing else", scene.saved(), before)
    scene.space.run(scene.backend, "-t", "mangle", "-N", "KUBE-PROXY-CANARY")
    checks.equal(f"{label}: also one in mangle alone", scene.clean()[1].splitlines(),
                 [f"{scene.backend}, IPv4: 1 chain removed", "clean"])
    checks.equal(f"{label}: which is gone", scene.saved(), before)

    scene.restore("*nat\n:KUBE-SEP-USED - [0:0]\n:KUBE-SEP-OTHER - [0:0]\n-A KUBE-SEP-USED -j RETURN\n"
                  "-A CNI-OWN -j KUBE-SEP-USED\nCOMMIT\n")
    stays = f"{scene.backend}, IPv4: left behind, empty, because rules of others lead there: 1"
    for removed in ([f"{scene.backend}, IPv4: 1 chain removed"], []):
        checks.equal(f"{label}: what others lead to stays", scene.clean()[1].splitlines(), [*removed, stays, "clean"])
    scene.space.run(scene.backend, "-t", "nat", "-D", "CNI-OWN", "-j", "KUBE-SEP-USED")
    scene.clean()
    checks.equal(f"{label}: until they do not any more", scene.saved(), before)


def restart_changes_nothing(scene, label):
    scene.start().stop()
    before = scene.saved()
    node = scene.start()
    written = [line for line in node.logged("rules written")]
    checks.equal(f"{label}: a restart writes nothing", written, [])
    checks.equal(f"{label}: and the rules are the same", scene.saved(), before)
    node.stop()


def flush_is_repaired(scene, label):
    node = scene.start()
    before = sorted(own(scene.saved()))
    program = scene.backend
    for arguments in (["-t", "nat", "-F"], ["-F"], ["-t", "nat", "-F", "PREROUTING"]):
        wait_until(lambda: sorted(own(scene.saved())) == before, 5, 0.1)
        scene.space.run(program, *arguments)
        took = wait_until(lambda: sorted(own(scene.saved())) == before, 10, 0.05)
        checks.equal(f"{label}: {program} {' '.join(arguments)} is repaired", took is not None, True)
        checks.matches(f"{label}: and the Service answers again", scene.ask(2), "^pod-a")
    checks.equal(f"{label}: drift is told", len(node.logged("were changed by somebody else")) >= 3, True)
    node.stop()


def kube_proxy_is_taken_over(scene, label):
    scene.clean()
    scene.restore(KUBE_PROXY)
    node = scene.start()
    text = "\n".join(scene.saved())
    checks.lacks(f"{label}: kube-proxy's stale chains are gone", text, "KUBE-SVC-XPGD46QRK7WJZT7O")
    checks.lacks(f"{label}: its canaries too", text, "KUBE-PROXY-CANARY")
    checks.contains(f"{label}: the kubelet's rule stays", text, "-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP")
    checks.equal(f"{label}: one jump of that kind", text.count('"kubernetes service portals" -j KUBE-SERVICES'), 8)
    checks.matches(f"{label}: the Service has its endpoint", scene.ask(), "^pod-a")
    node.stop()
    scene.clean()


def killed_in_the_middle(scene, label):
    """Starts are killed at many moments; the next one that lives completes what they began."""
    scene.clean()
    before = scene.saved()
    scene.folder.write("world.json", world(300))
    for delay in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5):
        node = scene.start(wait=False)
        time.sleep(delay)
        node.kill(signal.SIGKILL)
    node = scene.start()
    checks.equal(f"{label}: after kill -9, every Service is there",
                 wait_until(lambda: sum("-j KUBE-SVC-" in line for line in scene.saved()) == 600, 10, 0.2) is not None,
                 True)
    checks.matches(f"{label}: and answers", scene.ask(), "^pod-a")
    node.stop()
    scene.clean()
    checks.equal(f"{label}: and nothing is left behind", scene.saved(), before)
    scene.folder.write("world.json", world())


def lock_is_waited_for(scene, label):
    """Another program holds the xtables lock for longer than one attempt lasts."""
    path = SCRATCH / "xtables.lock"
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        node = scene.start(wait=False)
        held = node.wait_for(lambda: node.logged("the xtables lock is held"), 10)
        checks.equal(f"{label}: the lock is told to be held", bool(held), True)
        checks.contains(f"{label}: and by whom", "\n".join(node.logged("the xtables lock is held")),
                        f"process {os.getpid()} (")
        fcntl.flock(lock, fcntl.LOCK_UN)
    checks.equal(f"{label}: then the rules are written", bool(node.wait_for(lambda: "ready" in node.out, 5)), True)
    checks.matches(f"{label}: and the Service answers", scene.ask(), "^pod-a")
    node.stop()


def backends_do_not_mix(scene, label):
    other = {"iptables-nft": "iptables-legacy", "iptables-legacy": "iptables-nft"}[scene.backend]
    scene.start().stop()
    code, _, err = run("ip", *scene.space.command(NODE_PROGRAM, "--manifests", scene.folder.path, "--node-name", "n",
                                                  "--backend", other)[1:])
    checks.equal(f"{label}: {other} is refused", code, 1)
    checks.contains(f"{label}: because of {scene.backend}", err, f"chains of a Service proxy are there in {scene.backend}")
    node = NodeProgram(scene.space, scene.folder.path, "--cluster-cidr", CLUSTER_CIDR, backend="auto")
    checks.contains(f"{label}: auto finds it", "\n".join(node.out), f"backend {scene.backend}: ")
    node.stop()

    # The kubelet is for the other one: then neither is right while the rules here are in force.
    hint = (other, "-t", "mangle", "-N", "KUBE-IPTABLES-HINT")
    scene.space.run(*hint)
    before = scene.saved()
    for backend in ("auto", other, scene.backend):
        code, out, err = run("ip", *scene.space.command(
            "timeout", "10", NODE_PROGRAM, "--manifests", scene.folder.path, "--node-name", "n", "--backend", backend,
            "--metrics-listen", "127.0.0.1:10249")[1:])
        checks.equal(f"{label}: with a hint in {other}, {backend} is refused", (code, "ready" in out), (1, False))
        checks.contains(f"{label}: and {backend} is told why", err, "rules in both would both be in force")
    checks.equal(f"{label}: nothing was written", scene.saved(), before)
    scene.clean()
    node = NodeProgram(scene.space, scene.folder.path, "--cluster-cidr", CLUSTER_CIDR, backend="auto")
    checks.contains(f"{label}: after --cleanup auto is what the kubelet says", "\n".join(node.out),
                    f"backend {other}: the kubelet's hint chains are there")
    checks.matches(f"{label}: and the Service answers there", scene.ask(), "^pod-a")
    node.stop()
    scene.clean()
    scene.space.run(*hint[:3], "-X", "KUBE-IPTABLES-HINT")


def check_backend(backend):
    with Folder() as folder:
        folder.write("world.json", world())
        scene = Scene(backend, folder)
        cleanup_leaves_everything_else(scene, backend)
        cleanup_counts_what_went(scene, backend)
        restart_changes_nothing(scene, backend)
        flush_is_repaired(scene, backend)
        kube_proxy_is_taken_over(scene, backend)
        killed_in_the_middle(scene, backend)
        if backend == "iptables-legacy":
            lock_is_waited_for(scene, backend)
        if not why_not_backend("iptables-nft") and not why_not_backend("iptables-legacy"):
            backends_do_not_mix(scene, backend)
        scene.end()


for_each_backend(checks, check_backend)
checks.finish()
