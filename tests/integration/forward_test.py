#!/usr/bin/env python3
"""Names that no zone has: asked of an upstream that this script plays, cached, shared, and served
stale when the upstream is gone."""

import socket
import struct
import threading
import time

import upstream as upstream_module
from harness import (DNS_PROGRAM, SHOP, TOOL_PROGRAM, Checks, Folder, Server, decode_answer,
                     encode_query, free_port, run, wait_until)
from upstream import A, PTR, Reply, address_record, record, soa

checks = Checks()


class Upstream(upstream_module.Upstream):
    """Has every name below example.com, but none.*; does as its fields say."""

    def __init__(self, address="192.0.2.1", ttl=60, place=("127.0.0.1", 0)):
        self.silent, self.rcode, self.truncates = False, 0, False
        self.slow_name = ""  # Only questions with this in them are delayed.
        super().__init__(address, ttl, place=place, zone="example.com")

    def answer_to(self, question):
        if self.silent and question.transport == "udp":
            return None
        reply = Reply(rcode=self.rcode, delay=self.delay if self.slow_name in question.name else 0)
        if question.name.startswith("none."):
            reply.rcode, reply.authority = 3, [soa(self.ttl, minimum=30)]
        elif reply.rcode == 0 and question.qtype == A:
            reply.answer = [address_record(self.address, self.ttl)]
            if question.name.startswith("stray."):  # Nobody asked for that.
                reply.answer.append(record(A, b"\xcb\0\x71\x01", 9999, owner=b"\4bank\7example\3com\0"))
        elif reply.rcode == 0 and question.qtype == PTR:
            reply.answer = [record(PTR, b"\4host\7example\3com\0", self.ttl)]
        elif reply.rcode == 0:
            reply.authority = [soa(self.ttl, minimum=30)]
        reply.truncated = self.truncates and question.transport == "udp"
        return reply


def serving(folder, *arguments):
    folder.write("shop.yaml", SHOP)
    return Server("--manifests", folder.path, *arguments)


def ttl_of(answer):
    return int(answer.answer[0].split()[1])


def names_elsewhere():
    with Folder() as folder, Upstream() as upstream, serving(
            folder, "--forward", upstream.where) as server:
        first = server.dig("www.example.com", "A", "+recurse")
        checks.equal("forwarded", (first.status, first.values()), ("NOERROR", ["192.0.2.1"]))
        checks.equal("flags of a forwarded answer", first.flags, ["qr", "rd", "ra"])
        time.sleep(1.2)
        again = server.dig("wWw.ExamplE.com", "A", "+recurse")
        checks.equal("the cache answers in the asker's case", again.answer[0].split()[0],
                     "wWw.ExamplE.com.")
        checks.less("and counts the TTL down", ttl_of(again), 60)
        checks.equal("the upstream was asked once", len(upstream.questions), 1)
        checks.equal("over TCP", server.dig("tcp.example.com", "A", "+recurse", "+tcp").values(),
                     ["192.0.2.1"])
        checks.equal("without RD: what is cached",
                     server.dig("www.example.com", "A").values(), ["192.0.2.1"])
        checks.equal("without RD: what is not", server.dig("new.example.com", "A").status,
                     "REFUSED")
        denied = server.dig("none.example.com", "A", "+recurse")
        checks.equal("denied", (denied.status, len(denied.authority)), ("NXDOMAIN", 1))
        asked = len(upstream.questions)
        checks.equal("denied again", server.dig("none.example.com", "A", "+recurse").status,
                     "NXDOMAIN")
        checks.equal("from the cache", len(upstream.questions), asked)
        checks.equal("denied for all types", server.dig("none.example.com", "MX", "+recurse").status,
                     "NXDOMAIN")
        checks.equal("without a question", len(upstream.questions), asked)
        checks.equal("what nobody asked for",
                     server.dig("stray.example.com", "A", "+recurse").values(), ["192.0.2.1"])
        checks.equal("is not believed", server.dig("bank.example.com", "A").status, "REFUSED")
        upstream.truncates = True
        checks.equal("TCP after truncation",
                     server.dig("long.example.com", "A", "+recurse").values(), ["192.0.2.1"])
        local = server.dig("web.shop.svc.cluster.local", "A", "+recurse")
        checks.equal("the cluster's names are the cluster's",
                     (local.values(), local.flags), (["10.96.0.7"], ["qr", "aa", "rd", "ra"]))
        checks.equal("and nobody is asked for them",
                     [q for q in upstream.questions + upstream.others if "cluster.local" in q.name], [])
        checks.equal("it stops as usual", server.stop(), 0)


def many_ask_the_same():
    with Folder() as folder, Upstream() as upstream, serving(
            folder, "--forward", upstream.where) as server:
        upstream.delay = 0.1
        clients = []
        for number in range(100):
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client.settimeout(3)
            client.connect((server.address, server.port))
            client.send(encode_query(number, "many.example.com", "A", recurse=True))
            clients.append(client)
        ids = [struct.unpack(">H", client.recv(4096)[:2])[0] for client in clients]
        checks.equal("each of a hundred gets its own answer", ids, list(range(100)))
        checks.equal("of one question", len(upstream.questions), 1)
        for client in clients:
            client.close()


def an_upstream_that_is_gone():
    with Folder() as folder, Upstream(ttl=1) as upstream, serving(
            folder, "--forward", upstream.where, "--query-deadline", "3s") as server:
        checks.equal("fresh", server.dig("old.example.com", "A", "+recurse").values(),
                     ["192.0.2.1"])
        upstream.silent = True
        time.sleep(2.1)
        started = time.monotonic()
        stale = server.dig("old.example.com", "A", "+recurse", "+time=4")
        took = time.monotonic() - started
        checks.equal("stale", (stale.status, stale.values()), ("NOERROR", ["192.0.2.1"]))
        checks.equal("with TTL 30", ttl_of(stale) if stale.answer else None, 30)
        checks.contains("and the reason", stale.text, "EDE: 3")
        checks.less("before clients give up", took, 3)
        failed = server.dig("other.example.com", "A", "+recurse", "+time=4")
        checks.equal("nothing to fall back on", failed.status, "SERVFAIL")
        checks.contains("and why", failed.text, "EDE: 22")
        checks.contains("naming the upstream", failed.text, upstream.where)


def too_many_questions():
    with Folder() as folder, Upstream() as upstream, serving(
            folder, "--forward", upstream.where, "--max-in-flight", "1", "--upstream-timeout", "6s",
            "--query-deadline", "6s") as server:
        upstream.delay, upstream.slow_name = 30.0, "slow"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((server.address, server.port))

            def is_under_way():
                # A question of the server's own, about loops, may be what is under way at first.
                client.send(encode_query(7, "slow.example.com", "A", recurse=True))
                return upstream.questions

            checks.equal("a question is under way", wait_until(is_under_way, 10, 0.1) is not None, True)
            refused = server.dig("more.example.com", "A", "+recurse")
            checks.equal("past the bound", refused.status, "SERVFAIL")
            checks.contains("and why", refused.text, "too many questions")
            checks.equal("it stops with a question under way", server.stop(), 0)


def a_stub_domain():
    with Folder() as folder, Upstream(address="192.0.2.1") as everybody, Upstream(
            address="192.0.2.9") as corp, serving(
                folder, "--forward", everybody.where, "--stub-domains",
                f"corp.example.com={corp.where}") as server:
        checks.equal("a name of the stub domain",
                     server.dig("a.corp.example.com", "A", "+recurse").values(), ["192.0.2.9"])
        checks.equal("a name elsewhere", server.dig("a.example.com", "A", "+recurse").values(),
                     ["192.0.2.1"])


def stub_domains_of_built_in_zones():
    """What is configured comes before what is built in (RFC 6303, 3)."""
    with Folder() as folder, Upstream(address="192.0.2.9") as upstream:
        stubs = ",".join(f"{zone}={upstream.where}" for zone in (
            "10.in-addr.arpa", "168.192.in-addr.arpa", "corp.test", "localhost"))
        with serving(folder, "--stub-domains", stubs) as server:
            for name in ("9.9.9.10.in-addr.arpa", "1.1.168.192.in-addr.arpa"):
                checks.equal(f"the stub domain's: {name}", server.dig(name, "PTR", "+recurse").values(),
                             ["host.example.com."])
            for name in ("www.corp.test", "localhost"):
                checks.equal(f"the stub domain's: {name}", server.dig(name, "A", "+recurse").values(), ["192.0.2.9"])
            checks.equal("the cluster's", server.dig("7.0.96.10.in-addr.arpa", "PTR", "+recurse").values(),
                         ["web.shop.svc.cluster.local."])
            for name in ("www.test", "1.16.172.in-addr.arpa"):
                checks.equal(f"the built-in zone's: {name}", server.dig(name, "PTR", "+recurse").status, "NXDOMAIN")
        with serving(folder, "--forward", upstream.where, "--fallthrough-zones", "in-addr.arpa,ip6.arpa") as server:
            for name in ("9.9.9.10.in-addr.arpa", "1.0.d.f.ip6.arpa"):
                checks.equal(f"what falls through: {name}", server.dig(name, "PTR", "+recurse").values(),
                             ["host.example.com."])
    with Folder() as folder, Folder() as zones, Upstream() as upstream:
        folder.write("shop.yaml", SHOP)
        config = zones.write("waypost.yaml", f"manifests: {folder.path}\n")
        with Server("--config", config) as server:
            checks.equal("without a stub domain", server.dig("9.9.9.10.in-addr.arpa", "PTR", "+recurse").status,
                         "NXDOMAIN")
            zones.write("waypost.yaml", f"manifests: {folder.path}\nstubDomains: ['10.in-addr.arpa={upstream.where}']\n")
            wait_until(lambda: server.dig("9.9.9.10.in-addr.arpa", "PTR", "+recurse").status == "NOERROR", 10, 0.1)
            checks.equal("with one, from the next configuration on",
                         server.dig("9.9.8.10.in-addr.arpa", "PTR", "+recurse").values(), ["host.example.com."])


def zones_within_the_clusters():
    with Folder() as folder, Upstream(address="192.0.2.9") as upstream:
        for arguments in (("--stub-domains", f"my.cluster.local={upstream.where}"),
                          ("--forward", upstream.where, "--fallthrough-zones", "my.cluster.local")):
            with serving(folder, *arguments) as server:
                checks.equal(f"{arguments[-1]}: a name in it",
                             server.dig("www.my.cluster.local", "A", "+recurse").values(), ["192.0.2.9"])
                checks.equal("a name of the cluster", server.dig("web.shop.svc.cluster.local", "A", "+recurse").values(),
                             ["10.96.0.7"])
                checks.equal("a name beside it", server.dig("www.cluster.local", "A", "+recurse").status, "NXDOMAIN")
        for zone in ("cluster.local", "svc.cluster.local"):
            code, _, why = run(DNS_PROGRAM, "--manifests", folder.path, "--stub-domains", f"{zone}={upstream.where}")
            checks.equal(f"the cluster's own names: {zone}", code, 1)
            checks.contains("are refused", why, f"--stub-domains: found '{zone}={upstream.where}', which has the cluster's "
                                                "own names")


def before_the_cluster_is_known():
    """The API server is out of reach, and reverse names fall through, as with kubeadm's Corefile."""
    with Upstream() as upstream:
        with Server("--api-server", f"http://127.0.0.1:{free_port()}", "--forward", upstream.where,
                    "--fallthrough-zones", "in-addr.arpa,ip6.arpa", ready=r"listening on .*udp, tcp.*") as server:
            checks.equal("a name that no zone has", server.dig("www.example.com", "A", "+recurse").status, "NOERROR")
            checks.equal("a public address", server.dig("8.8.8.8.in-addr.arpa", "PTR", "+recurse").values(),
                         ["host.example.com."])
            for name in ("1.0.96.10.in-addr.arpa", "1.0.d.f.ip6.arpa", "web.shop.svc.cluster.local"):
                checks.equal(f"what may be the cluster's: {name}", server.dig(name, "PTR", "+recurse").status, "SERVFAIL")


def an_external_name():
    with Folder() as folder, Upstream() as upstream:
        folder.write("alias.yaml", "apiVersion: v1\nkind: Service\n"
                     "metadata: {name: alias, namespace: shop}\n"
                     "spec: {type: ExternalName, externalName: far.example.com}\n")
        with serving(folder, "--forward", upstream.where) as server:
            for turn in ("asked", "cached"):
                got = server.dig("alias.shop.svc.cluster.local", "A", "+recurse")
                checks.equal(f"where an ExternalName leads, {turn}",
                             (got.status, got.values()), ("NOERROR", ["192.0.2.1",
                                                                      "far.example.com."]))


def a_resolv_conf_that_changes():
    try:
        before = Upstream(address="192.0.2.1", place=("127.0.0.77", 53))
        after = Upstream(address="192.0.2.2", place=("127.0.0.78", 53))
    except OSError as error:
        checks.skip(f"port 53 of 127.0.0.77 and 127.0.0.78 cannot be had: {error}")
        return
    with Folder() as folder, Folder() as etc, before, after:
        file = etc.write("resolv.conf", "search example.org\nnameserver 127.0.0.77\n")
        with serving(folder, "--forward", file) as server:
            checks.equal("the server of a resolv.conf",
                         server.dig("a.example.com", "A", "+recurse").values(), ["192.0.2.1"])
            etc.replace("resolv.conf", "nameserver 127.0.0.78\n")
            time.sleep(0.3)
            checks.equal("and the one that it names later",
                         server.dig("b.example.com", "A", "+recurse").values(), ["192.0.2.2"])


def a_resolv_conf_that_comes_later():
    try:
        upstream = Upstream(place=("127.0.0.79", 53))
    except OSError as error:
        checks.skip(f"port 53 of 127.0.0.79 cannot be had: {error}")
        return
    with Folder() as folder, Folder() as etc, Upstream(address="192.0.2.9") as corp, upstream:
        file = f"{etc.path}/later/resolv.conf"
        with serving(folder, "--forward", file, "--stub-domains",
                     f"corp.example.com={corp.where}", "--ttl", "17") as server:
            early = server.dig("a.example.com", "A", "+recurse")
            checks.equal("before it is there", early.status, "SERVFAIL")
            checks.contains("and why", early.text, f"{file}: no such file")
            checks.equal("other servers are asked",
                         server.dig("a.corp.example.com", "A", "+recurse").values(), ["192.0.2.9"])
            checks.equal("other settings are in force",
                         ttl_of(server.dig("web.shop.svc.cluster.local", "A")), 17)
            etc.write("later/resolv.conf", "nameserver 127.0.0.79\n")
            wait_until(lambda: server.dig("a.example.com", "A", "+recurse").status == "NOERROR", 10, 0.1)
            checks.equal("once it is there",
                         server.dig("b.example.com", "A", "+recurse").values(), ["192.0.2.1"])


def flushing():
    with Folder() as folder, Upstream() as upstream, serving(
            folder, "--forward", upstream.where, "--control-listen", "127.0.0.1:0") as server:
        control = [line.split("//")[1].split("/")[0] for line in server.out
                   if line.startswith("flush on")]
        checks.equal("the control address is told", len(control), 1)
        for name in ("a.example.com", "b.a.example.com", "c.example.com"):
            server.dig(name, "A", "+recurse")
        checks.equal("of a name", run(TOOL_PROGRAM, "flush", "--control", control[0], "A.example.com"),
                     (0, "flushed 1 answer for A.example.com.\n", ""))
        checks.equal("it is forgotten", server.dig("a.example.com", "A").status, "REFUSED")
        checks.equal("another is not", server.dig("c.example.com", "A").status, "NOERROR")
        checks.equal("of a zone", run(TOOL_PROGRAM, "flush", "--control", control[0], "--zone",
                                      "example.com")[1],
                     "flushed 2 answers for the zone example.com.\n")
        checks.equal("all of it is forgotten", server.dig("c.example.com", "A").status, "REFUSED")
        code, _, why = run(TOOL_PROGRAM, "flush", "--control", control[0], "a..b")
        checks.equal("what is no name", code, 1)
        checks.contains("is refused by the server", why, "expected name=NAME or zone=ZONE")
        checks.equal("both at once", run(TOOL_PROGRAM, "flush", "a", "--zone", "b")[0], 1)
        host, port = control[0].split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(b"GET /flush?zone=. HTTP/1.0\r\n\r\n")
            checks.contains("a GET changes nothing", client.recv(4096).decode(), " 405 ")
        server.stop()
        code, _, why = run(TOOL_PROGRAM, "flush", "--control", control[0], "a.example.com")
        checks.equal("without a server", code, 1)
        checks.contains("the address is told", why, control[0])
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        code, _, why = run(DNS_PROGRAM, "--manifests", folder.path, "--control-listen", "0.0.0.0:0")
        checks.equal("an address that others reach", code, 1)
        checks.contains("is refused", why, "not an address of the loopback")


def what_is_counted():
    with Folder() as folder, Upstream() as upstream, serving(
            folder, "--forward", upstream.where, "--metrics-listen", "127.0.0.1:0") as server:
        for name in ("a.example.com", "b.example.com", "a.example.com", "none.example.com"):
            server.dig(name, "A", "+recurse")
        text = server.metrics()
        for line in (
                f'coredns_forward_responses_total{{to="{upstream.where}",rcode="NXDOMAIN"}} ',
                f'coredns_forward_request_duration_seconds_count{{to="{upstream.where}",rcode="NOERROR"}} 2\n',
                f'coredns_proxy_request_duration_seconds_count{{proxy_name="forward",to="{upstream.where}",'
                'rcode="NXDOMAIN"} 1\n',
                f'coredns_proxy_request_duration_seconds_count{{proxy_name="forward",to="{upstream.where}",'
                'rcode="SERVFAIL"} 0\n',
                f'waypost_upstream_up{{zone=".",upstream="{upstream.where}"}} 1\n'):
            checks.contains("a metric of an upstream", text, line)
        for name, kind, value in (("entries", 'type="success",', 2), ("entries", 'type="denial",', 1),
                                  ("hits_total", 'type="success",', 1), ("hits_total", 'type="denial",', 0),
                                  ("misses_total", "", 3), ("requests_total", "", 4)):
            checks.matches(f"coredns_cache_{name} {kind}", text,
                           rf'^coredns_cache_{name}\{{server="dns://127.0.0.1:\d+",{kind}zones="\."\}} {value}$')
        checks.matches("each answer has a duration, also those that upstreams gave", text,
                       r'^coredns_dns_request_duration_seconds_count\{[^}]*\} 4$')


def connections():
    """Of two questions over TCP the second finds the connection of the first."""
    with Folder() as folder, Upstream() as upstream, serving(
            folder, "--forward", upstream.where, "--metrics-listen", "127.0.0.1:0") as server:
        checks.equal("over UDP", server.dig("udp.example.com", "A", "+recurse").status, "NOERROR")
        label = f'proxy_name="forward",to="{upstream.where}",proto="tcp"'
        checks.contains("no connection is made", server.metrics(),
                        f"coredns_proxy_conn_cache_misses_total{{{label}}} 0\n")
        upstream.truncates = True
        for name in ("a.example.com", "b.example.com"):
            checks.equal("over TCP", server.dig(name, "A", "+recurse").status, "NOERROR")
        text = server.metrics()
        for name in ("hits", "misses"):
            checks.contains(f"{name} of connections", text, f"coredns_proxy_conn_cache_{name}_total{{{label}}} 1\n")


def nobody_answers():
    place = f"127.0.0.1:{free_port()}"
    with Folder() as folder, serving(folder, "--forward", place, "--metrics-listen", "127.0.0.1:0") as server:
        for number in range(5):
            checks.equal("a query that nobody answers", server.dig(f"n{number}.example.com", "A", "+recurse").status,
                         "SERVFAIL")
        text = server.metrics()
        checks.contains("after three in vain the upstream is down", text,
                        f'waypost_upstream_up{{zone=".",upstream="{place}"}} 0\n')
        checks.contains("and what is asked all the same is counted", text,
                        "coredns_forward_healthcheck_broken_total 2\n")


def an_upstream_that_dies():
    with Folder() as folder, Upstream() as first, Upstream() as second, serving(
            folder, "--forward", f"{first.where},{second.where}") as server:
        lost = 0
        for number in range(60):
            if number == 20:
                first.silent = True
            answer = server.dig(f"n{number}.example.com", "A", "+recurse")
            lost += answer.values() != ["192.0.2.1"]
        checks.equal("queries lost while an upstream dies", lost, 0)
        checks.less("both were asked", 0, min(len(first.questions), len(second.questions)))


def one_connection_with_a_slow_name():
    with Folder() as folder, Upstream() as upstream, serving(
            folder, "--forward", upstream.where) as server:
        upstream.delay, upstream.slow_name = 0.4, "slow"
        with socket.create_connection((server.address, server.port), timeout=5) as client:
            for number, name in ((1, "slow"), (2, "fast")):
                query = encode_query(number, f"{name}.example.com", "A", recurse=True)
                client.sendall(struct.pack(">H", len(query)) + query)
            client.shutdown(socket.SHUT_WR)
            stream = b""
            while part := client.recv(4096):
                stream += part
        ids = []
        while stream:
            size = struct.unpack(">H", stream[:2])[0]
            ids.append(struct.unpack(">H", stream[2:4])[0])
            stream = stream[2 + size:]
        checks.equal("a slow name holds up no other, and is answered after the end of input", ids,
                     [2, 1])


def while_it_starts():
    """Queries that come before the first one can be answered, and on."""
    place = ("127.0.0.1", free_port())
    query = encode_query(1, "www.example.com", "A", recurse=True)
    with Folder() as folder, Upstream() as upstream:
        folder.write("shop.yaml", SHOP)
        for _ in range(4):
            ended = threading.Event()
            rcodes = []

            def ask():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.setblocking(False)
                    while not ended.is_set():
                        try:
                            client.sendto(query, place)
                            rcodes.append(decode_answer(client.recv(4096))[0])
                        except OSError:  # Nobody listens, or no answer yet.
                            pass

            clients = [threading.Thread(target=ask) for _ in range(2)]
            for client in clients:
                client.start()
            try:
                with Server("--manifests", folder.path, "--forward", upstream.where, "--workers", 2,
                            listen=(f"{place[0]}:{place[1]}",)):
                    wait_until(lambda: rcodes.count(0) > 100, 10, 0.1)
            finally:
                ended.set()
                for client in clients:
                    client.join()
            checks.less("a hundred answers while it starts", 100, rcodes.count(0))
            checks.equal("and none says REFUSED", rcodes.count(5), 0)


def a_popular_name():
    with Folder() as folder, Upstream(ttl=10) as upstream, serving(
            folder, "--forward", upstream.where) as server:
        end = time.monotonic() + 11.5
        answers = set()
        while time.monotonic() < end:
            answers.add(tuple(server.dig("hot.example.com", "A", "+recurse").values()))
            time.sleep(0.1)
        checks.equal("answers", answers, {("192.0.2.1",)})
        checks.equal("asked for at first, and once before it expired", len(upstream.questions), 2)


def what_the_query_log_says():
    """A query has one line, from the thread that answers it in the end, with how long others were waited for."""
    with Folder() as folder, Upstream() as upstream:
        folder.write("shop.yaml", SHOP)
        upstream.delay, upstream.slow_name = 0.3, "slow"
        with Server("--manifests", folder.path, "--forward", upstream.where, "--query-log", "all") as server:
            for name, options in (("slow.example.com", ()), ("slow-tcp.example.com", ("+tcp",)), ("slow.example.com", ())):
                server.dig(name, "A", "+recurse", *options)
            told = server.wait_for_log(" info query ", timeout=5, count=3)
            found = [dict(word.split("=", 1) for word in line.split(" info query ")[1].split(" ")) for line in told]
            checks.equal("one line for each query, the answer's", [
                (one["protocol"], one["name"], one["rcode"], "waited_ms" in one) for one in found], [
                ("udp", "slow.example.com.", "NOERROR", True), ("tcp", "slow-tcp.example.com.", "NOERROR", True),
                ("udp", "slow.example.com.", "NOERROR", False)])
            # To a tick of the kernel's clock, at most 10 ms, on either end.
            checks.equal("it says how long others were waited for",
                         [280 <= int(one["waited_ms"]) <= 1900 for one in found if "waited_ms" in one], [True, True])


def an_upstream_that_is_this_server():
    place = f"127.0.0.1:{free_port()}"
    with Folder() as folder, Upstream() as upstream:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--forward", f"{place},{upstream.where}",
                    listen=(place,)) as server:
            told = server.wait_for_log("sends queries back to this server", timeout=5)
            checks.equal("a loop is told, once, and by name",
                         [place in line for line in told], [True])
            checks.equal("and the other upstream is asked",
                         server.dig("www.example.com", "A", "+recurse").values(), ["192.0.2.1"])


while_it_starts()
an_upstream_that_is_this_server()
a_resolv_conf_that_changes()
a_resolv_conf_that_comes_later()
an_upstream_that_dies()
one_connection_with_a_slow_name()
a_popular_name()
what_the_query_log_says()
names_elsewhere()
many_ask_the_same()
flushing()
what_is_counted()
connections()
nobody_answers()
an_upstream_that_is_gone()
too_many_questions()
a_stub_domain()
stub_domains_of_built_in_zones()
zones_within_the_clusters()
before_the_cluster_is_known()
an_external_name()
checks.finish()
