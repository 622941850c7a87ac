#!/usr/bin/env python3
"""Search completion by the node's own DNS: for the Pods of this node alone, with the resolvers of glibc and musl, from
manifests and from the API server; and names that wait for their rules wait in completed answers too."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from api_server import ApiServer  # noqa: E402
from harness import Answer, Checks, Folder, wait_until  # noqa: E402
from netns import (FAR_POD, NODE_FAR, POD_A, POD_B, Echo, NodeProgram, Topology, ask_tcp, service, slices,  # noqa: E402
                   why_not, why_not_backend)
from search_walks import LOOKUPS, Counts, Outside, PodResolver, look_ups  # noqa: E402

checks = Checks()
LOCAL = {4: "169.254.20.10", 6: "fd00:169:254:20::10"}
METRICS = "127.0.0.1:10249"
OUTSIDE = "www.example.org"
OUTSIDE_ADDRESSES = ["192.0.2.80", "2001:db8::80"]
CIDRS = "10.96.0.0/12,fd00:10:96::/112"
OWN = [("pods", "spec.nodeName=node-1")]  # What is asked of Pods.


def of(namespace, thing):
    thing["metadata"]["namespace"] = namespace
    return thing


def pod(name, addresses, node="node-1", namespace="shop", phase="Running", **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
            "spec": {"nodeName": node, **spec},
            "status": {"phase": phase, "podIP": addresses[4], "podIPs": [{"ip": addresses[4]}, {"ip": addresses[6]}]}}


def cluster_ip(name, address, namespace):
    return of(namespace, service(name, [address], [("main", 80, 8080, "TCP")]))


SERVICES = [cluster_ip("web", "10.96.0.7", "shop"), cluster_ip("web", "10.96.0.8", "other"),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "away", "namespace": "other"},
             "spec": {"type": "ExternalName", "externalName": OUTSIDE}}]
NAMESPACES = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("shop", "other")]
HERE = pod("here", POD_A)
# Another node's, one of them with an address that a Pod of this node has by now.
ELSEWHERE = [pod("far", FAR_POD, node="node-2"), pod("stale", POD_A, node="node-2", namespace="other"),
             pod("unbound", POD_A, node="", namespace="other", phase="Pending")]


class Bench:
    """The topology, a folder of manifests and the file of --dns-config, an upstream, and the Pods' resolvers."""

    def __init__(self, folder, backend):
        self.t, self.folder, self.backend = Topology(), folder, backend
        self.counts = Counts(self.t.node, METRICS)
        self.upstream = Outside(self.t.node, 5300)
        # Who is not of this node comes by its Pod's address as well.
        self.t.far.run("ip", "route", "replace", LOCAL[4], "via", NODE_FAR[4], "src", FAR_POD[4])
        folder.write("host.conf", "search host.example\n")
        self.resolvers = {}
        for name, space in (("pod_a", self.t.pod_a), ("pod_b", self.t.pod_b), ("far", self.t.far), ("node", self.t.node)):
            self.resolvers[name] = PodResolver(space, folder, name)
            self.resolvers[name].write(folder / "host.conf", LOCAL[4], "shop")
        self.pod_a = self.resolvers["pod_a"].libraries(checks)

    def write(self, *objects):
        (self.folder / "manifests").mkdir(exist_ok=True)
        self.folder.replace("manifests/world.json",
                            json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def start(self, *arguments, completion=True, source=None):
        self.folder.write("dns.yaml", "forward: ['127.0.0.1:5300']\n" + (
            "searchCompletion: true\nsearchResolvConf: host.conf\n" if completion else ""))
        return NodeProgram(self.t.node, None if source else self.folder / "manifests", *(source or ()), "--dns=true",
                           "--dns-config", self.folder / "dns.yaml", "--service-cidrs", CIDRS, *arguments,
                           backend=self.backend)

    def takes(self, who, name=OUTSIDE, library=None):
        """(addresses, number of queries) of a look-up."""
        look_up = library or self.resolvers[who].libraries(checks)["glibc"]
        before = self.counts.queries()
        return look_up(name), self.counts.queries() - before

    def dig(self, name, qtype="A", who="pod_a", family=4):
        space = self.resolvers[who].space
        return Answer(space.run("dig", f"@{LOCAL[family]}", "+tries=1", "+time=4", "-q", name, "-t", qtype, check=False))

    def is_completed(self, who="pod_a"):
        return self.dig(f"{OUTSIDE}.shop.svc.cluster.local", who=who).status == "NOERROR"


def from_manifests(bench):
    bench.write(*SERVICES, HERE, pod("host", POD_B, hostNetwork=True), *ELSEWHERE)
    node = bench.start(completion=False)
    for library, look_up in bench.pod_a.items():
        checks.equal(f"{library}: without completion", bench.takes("pod_a", library=look_up), (OUTSIDE_ADDRESSES, 10))
    checks.lacks("and nothing of it is counted", bench.counts.metrics(), "waypost_search_addresses")
    node.stop()

    node = bench.start()
    look_ups(checks, bench.counts, bench.pod_a, True)
    checks.equal("metrics say how names were completed",
                 [bench.counts.completed(domain) > 0 for domain in ("cluster", "host", "none")], [True] * 3)
    first = f"{OUTSIDE}.shop.svc.cluster.local"
    for family in (4, 6):
        for qtype, value in (("A", "192.0.2.80"), ("AAAA", "2001:db8::80")):
            checks.equal(f"over IPv{family}, {qtype}", bench.dig(first, qtype, family=family).values(),
                         sorted([value, f"{OUTSIDE}."]))
    # The addresses of Pods of this node alone, which the API server or the folder tells.
    checks.equal("addresses that are known", bench.counts.metric("waypost_search_addresses"), 4)

    def walks(what, who, reason):
        refused = bench.counts.refused(reason)
        checks.equal(f"{what}: not completed", bench.takes(who), (OUTSIDE_ADDRESSES, 10))
        checks.equal(f"{what}: counted", bench.counts.refused(reason) > refused, True)

    walks("a Pod in the host's network", "pod_b", "host_network")
    walks("a Pod of another node", "far", "unknown_address")
    walks("a process of the node", "node", "unknown_address")

    def change(what, is_completed, *objects):
        bench.write(*SERVICES, *objects)
        checks.equal(f"{what}: seen", wait_until(lambda: bench.is_completed() == is_completed, 5) is not None, True)

    change("two Pods of this node with one address", False, HERE, pod("twin", POD_A, namespace="other"))
    walks("two Pods of this node with one address", "pod_a", "shared_address")
    change("one of them has ended", True, HERE, pod("twin", POD_A, namespace="other", phase="Succeeded"))
    checks.equal("one of them has ended: completed", bench.takes("pod_a"), (OUTSIDE_ADDRESSES, 2))
    change("both have ended", False, pod("here", POD_A, phase="Failed"), pod("twin", POD_A, phase="Succeeded"))
    walks("Pods that have ended", "pod_a", "unknown_address")
    change("it is there again", True, HERE)
    change("it is another node's", False, pod("here", POD_A, node="node-2"))
    walks("a Pod that is another node's", "pod_a", "unknown_address")
    change("and back", True, HERE)

    # What the host's file says is followed, and so is the file of --dns-config but for whether there is completion.
    bench.folder.write("host.conf", "search more.example\n")
    checks.equal("the host's file is followed", node.wait_for(
        lambda: node.logged("search domains of the hosts: more.example")), True)
    checks.equal("to another domain", bench.dig("printer.shop.svc.cluster.local").values(),
                 ["192.0.2.9", "printer.more.example."])
    bench.folder.write("host.conf", "search host.example\n")
    bench.folder.write("dns.yaml", "forward: ['127.0.0.1:5300']\nttl: 9\n")
    checks.equal("switching it off waits for a restart", node.wait_for(
        lambda: node.logged("searchCompletion: changed, takes effect at restart")), True)
    checks.equal("until which it is on", bench.is_completed(), True)
    node.stop()


def asked_of_pods(api):
    return sorted({(one["resource"], one["query"].get("fieldSelector", "")) for one in api.requests()
                   if one["resource"] == "pods"})


def from_the_api(bench):
    with ApiServer(unix=bench.folder / "api.sock") as api:
        source = ("--api-server", f"unix://{bench.folder / 'api.sock'}")
        api.load(objects=[*NAMESPACES, *SERVICES, HERE, *ELSEWHERE])
        node = bench.start(completion=False, source=source)
        checks.equal("without completion nobody asks for Pods", asked_of_pods(api), [])
        node.stop()

        node = bench.start(source=source)
        checks.equal("with it, for those of this node", asked_of_pods(api), OWN)
        look_ups(checks, bench.counts, bench.pod_a, True, [one for one in LOOKUPS if one[0] in (OUTSIDE, "web.other")])
        checks.equal("addresses that are known from the API", bench.counts.metric("waypost_search_addresses"), 2)
        checks.equal("a Pod of another node", bench.takes("far"), (OUTSIDE_ADDRESSES, 10))

        def change(what, is_completed, who="pod_a"):
            checks.equal(what, wait_until(lambda: bench.is_completed(who) == is_completed, 5) is not None, True)

        checks.equal("a Pod that is not there yet", bench.is_completed("pod_b"), False)
        api.put(pod("late", POD_B))
        change("a new Pod", True, "pod_b")
        api.put(pod("twin", POD_B, namespace="other"))
        change("two Pods with one address", False, "pod_b")
        api.delete(kind="Pod", namespace="other", name="twin")
        change("one of them is gone", True, "pod_b")
        api.put(pod("late", POD_B, phase="Succeeded"))
        change("a Pod that has ended", False, "pod_b")
        node.stop()

        api.deny(resource="pods")
        node = bench.start(source=source)
        checks.equal("without the right, that is said", node.wait_for(lambda: node.logged(
            'add to the ClusterRole of this process: apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"]')), True)
        checks.equal("names are answered all the same", bench.dig("web.other.svc.cluster.local").values(), ["10.96.0.8"])
        checks.equal("and not completed", bench.is_completed(), False)
        node.stop()


def held_names(bench):
    """While the rules for a ClusterIP are not in force, neither a direct nor a completed answer has it."""
    bench.write(*SERVICES, HERE)
    # So long do rules wait after a sync, so that each change but the first one has to.
    node = bench.start("--iptables-min-sync-period", "1500ms")
    echo = Echo(bench.t.pod_b, "late", 4, 8080)
    made = [*SERVICES, HERE]
    held = 0
    early = []
    for number in range(3):
        name, address = f"late-{number}", f"10.96.7.{number + 1}"
        made += [of("other", each) for each in slices(name, [(POD_B[4], "node-1")], [("main", 8080, "TCP")])]
        made.append(cluster_ip(name, address, "other"))
        bench.write(*made)

        def is_answered():
            nonlocal held
            waiting = bench.counts.metric("waypost_node_dns_held_services")
            completed = bench.dig(f"{name}.other.shop.svc.cluster.local")
            direct = bench.dig(f"{name}.other.svc.cluster.local")
            held += waiting if direct.status == "NXDOMAIN" else 0
            # The direct query came later, so that it cannot lack what the completed one had.
            if completed.status == "NOERROR" and direct.status != "NOERROR":
                early.append((name, direct.status))
            return completed.values() == sorted([address, f"{name}.other.svc.cluster.local."])

        checks.equal(f"{name}: answered in the end", wait_until(is_answered, 10) is not None, True)
        answer = ask_tcp(bench.t.pod_a, 4, address, 80, timeout=0.5)
        if not answer.startswith("late "):
            early.append((name, answer))
    checks.equal("names were held back", held > 0, True)
    checks.equal("no completed answer came before direct ones and connections", early, [])
    echo.close()
    node.stop()


reason = why_not()
backends = [] if reason else [each for each in ("iptables-nft", "iptables-legacy") if why_not_backend(each) is None]
if not backends:
    checks.skip(reason or "iptables does not work here")
else:
    with Folder() as scratch:
        place = Bench(scratch, backends[0])
        from_manifests(place)
        from_the_api(place)
        held_names(place)
        place.t.remove()
checks.finish()
