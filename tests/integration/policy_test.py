#!/usr/bin/env python3
"""What an operator's rules make of queries: who may ask, how much, and for which family."""

import socket
import struct

from harness import SHOP, TOOL_PROGRAM, Checks, Folder, Server, encode_query, run, total

checks = Checks()

WEB = "web.shop.svc.cluster.local"


def metric(server, name):
    """The sum of a metric's samples."""
    return total(server.metrics(), name + r"(?:\{.*\})?")


def query(name):
    return encode_query(7, name, "A", recurse=True)


def who_may_ask():
    with Folder() as folder:
        folder.write("manifests/shop.yaml", SHOP)
        config = folder.write("waypost.yaml", """
manifests: manifests
metricsListen: ["127.0.0.1:0"]
access:
  - block type TXT net 127.0.0.0/8
  - filter type AAAA zone shop.svc.cluster.local
  - drop zone silent.example
  - block zone blocked.example
""")
        with Server(config=config) as server:
            checks.equal("what no rule fits is answered", server.dig(WEB, "A").status, "NOERROR")
            blocked = server.dig(WEB, "TXT")
            checks.equal("a blocked type is", blocked.status, "REFUSED")
            checks.contains("and the reason is told", blocked.text, "EDE: 18 (Prohibited)")
            checks.contains("a blocked zone's reason", server.dig("a.blocked.example", "A").text, "EDE: 15 (Blocked)")
            filtered = server.dig(WEB, "AAAA")
            checks.equal("a filtered type is", (filtered.status, filtered.answer), ("NOERROR", []))
            checks.contains("and the reason is told, too", filtered.text, "EDE: 17 (Filtered)")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.connect((server.address, server.port))
                client.send(query("a.silent.example"))
                client.send(query(WEB))
                checks.equal("a dropped query has no answer: the first is that of the next one",
                             struct.unpack(">H", client.recv(512)[6:8])[0], 1)
            checks.equal("blocked queries are counted", metric(server, "coredns_acl_blocked_requests_total"), 2)
            checks.equal("dropped ones as well", metric(server, "coredns_acl_dropped_requests_total"), 1)
            checks.equal("filtered ones, too", metric(server, "coredns_acl_filtered_requests_total"), 1)

            folder.replace("waypost.yaml", "manifests: manifests\naccess: [block]\n")
            checks.equal("new rules are in force at once",
                         server.wait_for(lambda: any("now in force: access" in line for line in server.log)), True)
            checks.equal("for everybody", server.dig(WEB, "A").status, "REFUSED")
            folder.replace("waypost.yaml", "manifests: manifests\naccess: [deny]\n")
            wanted = "access: found 'deny' ('deny' in it, where allow, block, filter or drop belongs)"
            checks.equal("a rule that is none is told", server.wait_for(lambda: any(wanted in line for line in server.log)),
                         True)
            checks.equal("and what was before stays in force", server.dig(WEB, "A").status, "REFUSED")


def how_much():
    for action, expected in (("refuse", "REFUSED"), ("truncate", "truncated"), ("drop", "silence")):
        with Folder() as folder:
            folder.write("manifests/shop.yaml", SHOP)
            with Server("--manifests", folder / "manifests", "--rate-limit", "1", "--rate-limit-burst", "4",
                        "--rate-limit-action", action, "--metrics-listen", "127.0.0.1:0", "--workers", "2") as server:
                got = []
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.connect((server.address, server.port))
                    client.settimeout(2)
                    for _ in range(20):
                        client.send(query(WEB))
                    try:
                        while len(got) < 20:
                            got.append(client.recv(512))
                    except TimeoutError:
                        pass
                served = [answer for answer in got if answer[7] == 1]
                # A second may begin while they are asked.
                checks.equal(f"with {action}, a burst is served", len(served) in (4, 5), True)
                rest = [answer for answer in got if answer[7] != 1]
                if action == "drop":
                    checks.equal("and the rest gets silence", rest, [])
                else:
                    kinds = {("REFUSED" if answer[3] & 15 == 5 else "truncated" if answer[2] & 2 else "?")
                             for answer in rest}
                    checks.equal("and the rest is", kinds, {expected})
                checks.equal("and counted", metric(server, "waypost_rate_limited_total"), 20 - len(served))


def families():
    with Folder() as folder:
        folder.write("manifests/shop.yaml", SHOP)
        # Nobody listens there: what is asked of it fails.
        with Server("--manifests", folder / "manifests", "--forward", "127.0.0.1:9", "--families", "ipv4",
                    "--query-deadline", "300ms") as server:
            denied = server.dig("www.example.com", "AAAA")
            checks.equal("AAAA is denied without asking", (denied.status, denied.answer), ("NOERROR", []))
            checks.contains("so that it is remembered for a moment", "\n".join(denied.authority), "SOA")
            checks.equal("A is asked for", server.dig("www.example.com", "A", "+recurse").status, "SERVFAIL")


def names():
    """Rewrites, hosts and templates, over UDP and TCP."""
    with Folder() as folder:
        folder.write("manifests/shop.yaml", SHOP)
        folder.write("hosts", "10.0.0.10 db.example db\nnobody.example 10.0.0.11\n")
        folder.write("zones/chain.zone", """$ORIGIN chain.example.
@ 60 IN SOA ns hostmaster 1 2 3 4 5
@ 60 IN NS ns
ns 60 IN A 192.0.2.53
a 60 IN CNAME b
b 60 IN CNAME c
c 60 IN A 192.0.2.1
h 60 IN CNAME db.example.
""")
        config = folder.write("waypost.yaml", r"""
manifests: manifests
staticZones: [zones]
metricsListen: ["127.0.0.1:0"]
workers: 2
rewrites:
  - suffix .corp.example .svc.cluster.local
  - suffix .link.example .chain.example answer auto
  - regex ^(([a-z0-9]+)+)*z\.slow\.$ x.example
hosts: [10.0.0.20 inline.example, 10.0.0.30 *.wild.example]
hostsFiles: [hosts]
hostsTtl: 60
templates:
  - A zone ip.example match ^ip-(?<a>\d+)-(\d+)\. only answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ index .Match 2 }}"
access:
  - block zone secret.svc.cluster.local
""")
        with Server(config=config) as server:
            address = server.dig(WEB, "A").answer[0].split()[-1]
            for way in ("+notcp", "+tcp"):
                def answer(name, qtype="A"):
                    return server.dig(name, qtype, way).answer
                checks.equal(f"{way}: a rewritten name has the address of what it becomes, and its own case",
                             [line.split()[0::4] for line in answer("Web.Shop.Corp.Example")],
                             [["Web.Shop.Corp.Example.", address]])
                checks.equal(f"{way}: a chain of CNAMEs is told about the names that were asked for",
                             answer("a.link.example"),
                             ["a.link.example. 60 IN CNAME b.link.example.", "b.link.example. 60 IN CNAME c.link.example.",
                              "c.link.example. 60 IN A 192.0.2.1"])
                checks.equal(f"{way}: a name of the file", answer("db.example"), ["db.example. 60 IN A 10.0.0.10"])
                checks.equal(f"{way}: where a CNAME of a zone leads", answer("h.chain.example"),
                             ["h.chain.example. 60 IN CNAME db.example.", "db.example. 60 IN A 10.0.0.10"])
                checks.equal(f"{way}: a line of the configuration", answer("inline.example"),
                             ["inline.example. 60 IN A 10.0.0.20"])
                checks.equal(f"{way}: a wildcard of it", answer("x.wild.example"), ["x.wild.example. 60 IN A 10.0.0.30"])
                checks.equal(f"{way}: a template", answer("ip-1-2.ip.example"), ["ip-1-2.ip.example. 60 IN A 10.0.1.2"])
                checks.equal(f"{way}: access is decided by what is looked up",
                             server.dig("a.secret.corp.example", "A", way).status, "REFUSED")
            failed = server.dig("a" * 50 + ".slow", "A")
            checks.equal("a regular expression that takes too long is a failure", failed.status, "SERVFAIL")
            checks.contains("that is told", failed.text, "a rewrite here made no name of it")
            checks.equal("and counted", metric(server, "waypost_rewrite_failures_total"), 1)
            checks.equal("an address of the file", len(server.dig("10.0.0.10", "-x").answer), 2)
            bad = f"{folder / 'hosts'}:2: found 'nobody.example', expected an address and its names"
            checks.equal("a bad line is told", server.wait_for(lambda: any(bad in line for line in server.log)), True)
            checks.equal("and counted", metric(server, "waypost_hosts_bad_lines"), 1)
            checks.equal("a name that no pattern matches", server.dig("x.ip.example", "A").status, "NXDOMAIN")

            folder.replace("hosts", "10.0.0.12 db.example\n")
            checks.equal("the file is followed",
                         server.wait_for(lambda: any("hosts read again: 3 names" in line for line in server.log)), True)
            checks.equal("at once", server.dig("db.example", "A").answer, ["db.example. 60 IN A 10.0.0.12"])
            (folder / "hosts").unlink()
            gone = f"{folder / 'hosts'}: "
            checks.equal("a file that goes is told", server.wait_for(
                lambda: any(gone in line and "no such file" in line for line in server.log)), True)
            checks.equal("and counts as it last was", server.dig("db.example", "A").answer,
                         ["db.example. 60 IN A 10.0.0.12"])

            # Workers, the resolver's thread and the control thread have a place each in new rules, too.
            folder.replace("waypost.yaml", "manifests: manifests\nworkers: 2\nrewrites: [a.example " + WEB + "]\n")
            checks.equal("new rules are in force", server.wait_for(
                lambda: any("now in force" in line and "rewrites" in line for line in server.log)), True)
            for way in ("+notcp", "+tcp"):
                checks.equal(f"{way}: for everybody", [line.split()[0::4] for line in server.dig("a.example", "A", way).answer],
                             [["a.example.", address]])


def too_many():
    with Folder() as folder:
        for key, value, bound in (("access", "block zone a.example", 1000), ("rewrites", "a.example b.example", 1000),
                                  ("templates", "A rcode NXDOMAIN", 1000), ("hostsZones", "a.example", 1000),
                                  ("rateLimitExempt", "10.0.0.1", 1000)):
            config = folder.write("waypost.yaml", f"{key}:\n" + f"  - {value}\n" * (bound + 1))
            code, _, err = run(TOOL_PROGRAM, "check-config", config)
            checks.equal(f"{key}: too many are refused", code, 1)
            checks.contains("with what is wrong", err, f"more than {bound} of them")
            config = folder.write("waypost.yaml", f"{key}:\n" + f"  - {value}\n" * bound)
            checks.equal(f"{key}: {bound} are not", run(TOOL_PROGRAM, "check-config", config)[0], 0)


def what_check_config_says():
    with Folder() as folder:
        bad = folder.write("bad.yaml", "kubernetes: false\naccess:\n  - allow\n  - block net 10.0.0.1/8\nfamilies: v6\n")
        code, _, err = run(TOOL_PROGRAM, "check-config", bad)
        checks.equal("check-config of bad rules exits with", code, 1)
        checks.contains("it tells the line of a bad rule", err, f"{bad}:4: access: found 'block net 10.0.0.1/8' (")
        checks.contains("and that of a bad word", err, f"{bad}:5: families: found 'v6', expected both, ipv4, ipv6 or auto")


who_may_ask()
how_much()
families()
names()
too_many()
what_check_config_says()
checks.finish()
