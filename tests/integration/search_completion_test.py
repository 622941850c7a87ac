#!/usr/bin/env python3
"""Search completion, with the resolvers of glibc and musl in Pods: how many queries a look-up takes without it and with
it, that the names found are the same, and who gets none of it."""

import subprocess

import netns
from harness import Answer, Checks, Folder, Server, service
from search_walks import Counts, Outside, PodResolver, look_ups

checks = Checks()

ZONE = "cluster.local"
SERVER = {4: "10.96.0.10", 6: "fd00:96::10"}
BRIDGE = {4: "10.244.1.1", 6: "fd00:244:1::1"}


def address(number):
    return {4: f"10.244.1.{number}", 6: f"fd00:244:1::{number}"}


PLAIN, SHARED, HOST, NDOTS, LISTED, OWN, ENDED, NOBODY = (address(n) for n in range(10, 90, 10))


def pod(name, addresses, spec="{}", namespace="shop", phase="Running"):
    return f"""\
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}}}
spec: {spec}
status: {{phase: {phase}, podIP: {addresses[4]}, podIPs: [{{ip: {addresses[4]}}}, {{ip: "{addresses[6]}"}}]}}
"""


WORLD = (service("web", "10.96.0.7") + "---\n" + service("web", "10.96.0.8", "other") + "---\n"
         + service("www", "10.96.0.9", "example") + """\
---
apiVersion: v1
kind: Service
metadata: {name: away, namespace: other}
spec: {type: ExternalName, externalName: www.example.org}
"""
         + pod("plain", PLAIN) + pod("one", SHARED) + pod("two", SHARED, namespace="other")
         + pod("host", HOST, "{hostNetwork: true}")
         + pod("ndots", NDOTS, '{dnsConfig: {options: [{name: ndots, value: "2"}]}}')
         + pod("listed", LISTED, "{dnsConfig: {searches: [more.example]}}")
         + pod("own", OWN, "{dnsPolicy: None, dnsConfig: {nameservers: [10.96.0.10], searches: [host.example]}}")
         + pod("over", ENDED, phase="Succeeded") + pod("after", ENDED))

class Cluster(Counts):
    """A namespace for the servers, one for the Pods, which take turns with one pair of addresses each."""

    def __init__(self, folder):
        self.folder = folder
        self.dns, self.pods = netns.Namespace("dns"), netns.Namespace("pods")
        super().__init__(self.dns, "127.0.0.1:9153")
        for space in (self.dns, self.pods):
            space.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        self.dns.run("ip", "link", "add", "pods", "type", "veth", "peer", "name", "eth0", "netns", self.pods.name)
        for family, server in SERVER.items():
            self.dns.run("ip", "addr", "add", server, "dev", "lo")
            self.dns.run("ip", "addr", "add", f"{BRIDGE[family]}/{24 if family == 4 else 64}", "dev", "pods")
        self.dns.run("ip", "link", "set", "pods", "up")
        self.pods.run("ip", "link", "set", "eth0", "up")
        for who in (PLAIN, SHARED, HOST, NDOTS, LISTED, OWN, ENDED, NOBODY):
            for family, size in ((4, 24), (6, 64)):
                self.pods.run("ip", "addr", "add", f"{who[family]}/{size}", "dev", "eth0")
        self.resolver = PodResolver(self.pods, folder)
        self.upstream = Outside(self.dns, 1053)

    def be(self, who, namespace="shop", *arguments):
        """From now on, queries come from this Pod, with a resolver file as its kubelet writes it."""
        for family, server in SERVER.items():
            self.pods.run("ip", f"-{family}", "route", "replace", server, "via", BRIDGE[family], "src", who[family])
        self.resolver.write(self.folder / "host.conf", SERVER[4], namespace, *arguments)

    def serve(self, *arguments):
        dns = self.dns

        class Inside(Server):
            def start(self, command, **options):
                return subprocess.Popen(dns.command(*command), **options)

        return Inside("--manifests", self.folder / "manifests", "--forward", "127.0.0.1:1053", "--metrics-listen",
                      "127.0.0.1:9153", *arguments, listen=("10.96.0.10:53,[fd00:96::10]:53",))

    def dig(self, name, qtype="A", *options, server=SERVER[4]):
        return Answer(self.pods.run("dig", f"@{server}", "+tries=1", "+time=4", *options, "-q", name, "-t", qtype,
                                    check=False))


def without(cluster, libraries):
    with cluster.serve():
        cluster.be(PLAIN)
        look_ups(checks, cluster, libraries, False)


def completed(cluster, libraries):
    with cluster.serve("--search-completion", "--search-resolv-conf", cluster.folder / "host.conf"):
        cluster.be(PLAIN)
        look_ups(checks, cluster, libraries, True)
        checks.equal("metrics say how names were completed",
                     [cluster.completed(domain) > 0 for domain in ("cluster", "host", "none")], [True, True, True])
        checks.equal("and that some lead nowhere", cluster.metric("waypost_search_nowhere_total") > 0, True)

        first = "www.Example.org.shop.svc.cluster.local"
        for options in ((), ("+tcp",), ("+dnssec",), ("+bufsize=512", "+cookie")):
            answer = cluster.dig(first, "A", *options)
            checks.equal(f"an answer {' '.join(options)}", (answer.status, answer.answer[:1], answer.values()),
                         ("NOERROR", [f"{first}. 5 IN CNAME www.Example.org."], ["192.0.2.80", "www.Example.org."]))
        checks.equal("over IPv6", cluster.dig(first, "A", server=SERVER[6]).values(), ["192.0.2.80", "www.Example.org."])
        other = cluster.dig("v4.example.org.shop.svc.cluster.local", "AAAA")
        checks.equal("the family that is missing is NODATA behind the CNAME", (other.status, other.values()),
                     ("NOERROR", ["v4.example.org."]))
        checks.equal("another type is not completed", cluster.dig(first, "TXT").status, "NXDOMAIN")
        checks.equal("nor is what is asked without recursion", cluster.dig(first, "A", "+norecurse").status, "NXDOMAIN")

        # Names of the cluster need nobody else, and a failure is no proof that a name does not exist.
        cluster.upstream.broken = {"fresh.host.example", "fresh", "web.other.svc.cluster.local.host.example"}
        before = len(cluster.upstream.questions)
        checks.equal("a whole name of the cluster",
                     cluster.dig("web.other.svc.cluster.local.shop.svc.cluster.local").values(),
                     ["10.96.0.8", "web.other.svc.cluster.local."])
        checks.equal("is not asked elsewhere", len(cluster.upstream.questions), before)
        for qtype in ("A", "AAAA"):
            failed = cluster.dig("fresh.shop.svc.cluster.local", qtype)
            checks.equal(f"{qtype}: SERVFAIL where a step cannot be told", (failed.status, failed.answer),
                         ("SERVFAIL", []))
        checks.equal("and counted", cluster.metric("waypost_search_failed_total"), 2)
        checks.equal("what does not need that step is still found", libraries["glibc"]("web.other"), ["10.96.0.8"])


def identity(cluster, libraries):
    """Who is completed, and who has to walk."""
    glibc = libraries["glibc"]
    with cluster.serve("--search-completion", "--search-resolv-conf", cluster.folder / "host.conf") as server:
        def walks(what, who, reason, count, *arguments, namespace="shop", name="www.example.org"):
            cluster.be(who, namespace, *arguments)
            before, refused = cluster.queries(), cluster.refused(reason)
            checks.equal(f"{what}: found all the same", glibc(name), ["192.0.2.80", "2001:db8::80"])
            checks.equal(f"{what}: queries", cluster.queries() - before, count)
            checks.equal(f"{what}: counted", cluster.refused(reason) - refused > 0, True)

        walks("an address that two Pods have", SHARED, "shared_address", 10)
        walks("a Pod in the host's network", HOST, "host_network", 10, "--dns-policy", "ClusterFirstWithHostNet")
        walks("nobody's address", NOBODY, "unknown_address", 10)
        walks("another namespace than the Pod's", PLAIN, "other_namespace", 10, namespace="other")
        walks("a list that is not the cluster's", OWN, "other_list", 10)

        cluster.be(NDOTS, "shop", "--option", "ndots:2")
        before = cluster.queries()
        checks.equal("ndots:2", (glibc("www.example.org"), cluster.queries() - before),
                     (["192.0.2.80", "2001:db8::80"], 2))
        before = cluster.queries()
        checks.equal("ndots:2, a name with one dot", (glibc("web.other"), cluster.queries() - before),
                     (["10.96.0.8"], 2))
        refused = cluster.refused("ndots")
        checks.equal("ndots:2, not the first step of a walk",
                     cluster.dig("www.example.org.shop.svc.cluster.local").status, "NXDOMAIN")
        checks.equal("which is counted", cluster.refused("ndots") - refused, 1)

        cluster.be(LISTED, "shop", "--search", "more.example")
        before = cluster.queries()
        checks.equal("a domain of the Pod's own dnsConfig", (glibc("printer"), cluster.queries() - before),
                     (["192.0.2.9", "2001:db8::9"], 2))
        cluster.be(PLAIN)
        checks.equal("which others do not have", glibc("printer"), [])
        cluster.be(ENDED)
        before = cluster.queries()
        checks.equal("a Pod at the address of one that has ended", (glibc("www.example.org"), cluster.queries() - before),
                     (["192.0.2.80", "2001:db8::80"], 2))

        # What the host's file says is followed.
        cluster.be(PLAIN)
        cluster.folder.write("host.conf", "search else.example more.example\n")
        server.wait_for_log("search domains of the hosts: else.example, more.example", timeout=5)
        checks.equal("another domain of the host", cluster.dig("printer.shop.svc.cluster.local").values(),
                     ["192.0.2.9", "printer.more.example."])
        # So are Pods.
        (cluster.folder / "manifests" / "world.yaml").write_text(
            WORLD.replace("name: two, namespace: other", "name: two, namespace: shop").replace(SHARED[4], "10.244.1.99"))
        server.wait_for_log("manifests read again", timeout=5)
        cluster.be(SHARED)
        checks.equal("an address that nobody has any more", cluster.dig("web.other.shop.svc.cluster.local").status,
                     "NXDOMAIN")


reason = netns.why_not()
if reason:
    checks.skip(reason)
else:
    with Folder() as scratch:
        scratch.write("host.conf", "search host.example\n")
        scratch.write("manifests/world.yaml", WORLD)
        place = Cluster(scratch)
        with_library = place.resolver.libraries(checks)
        without(place, with_library)
        completed(place, with_library)
        identity(place, with_library)
checks.finish()
