#!/usr/bin/env python3
"""The rows of the Kubernetes DNS schema as a person checks them: with dig, over UDP and TCP, with and
without EDNS, in mixed case.  The world is that of the unit tests, tests/data/schema/world.yaml."""

from harness import ROOT, Checks, Folder, Server

checks = Checks()
WORLD = (ROOT / "tests/data/schema/world.yaml").read_text()

# name, type, status, values of the answer in sorted order
ROWS = [
    ("web.shop.svc.cluster.local", "A", "NOERROR", ["10.96.0.7"]),
    ("web.shop.svc.cluster.local", "AAAA", "NOERROR", ["fd00:10:96::7"]),
    ("plain.shop.svc.cluster.local", "AAAA", "NOERROR", []),
    ("nobody.shop.svc.cluster.local", "A", "NXDOMAIN", []),
    ("db.shop.svc.cluster.local", "A", "NOERROR", ["10.244.2.1", "10.244.2.3"]),
    ("db.shop.svc.cluster.local", "AAAA", "NOERROR", ["fd00:10:244::21"]),
    ("db-0.db.shop.svc.cluster.local", "A", "NOERROR", ["10.244.2.1"]),
    ("10-244-1-5.web.shop.svc.cluster.local", "A", "NOERROR", ["10.244.1.5"]),
    ("idle.shop.svc.cluster.local", "A", "NXDOMAIN", []),
    ("_http._tcp.web.shop.svc.cluster.local", "SRV", "NOERROR",
     ["0 50 80 web.shop.svc.cluster.local."]),
    ("_voice._sctp.games.shop.svc.cluster.local", "SRV", "NOERROR",
     ["0 100 9000 games.shop.svc.cluster.local."]),
    ("games.shop.svc.cluster.local", "SRV", "NOERROR",
     ["0 33 7000 games.shop.svc.cluster.local.", "0 33 9000 games.shop.svc.cluster.local."]),
    ("_mysql._tcp.db.shop.svc.cluster.local", "SRV", "NOERROR",
     ["0 33 13306 db-0.db.shop.svc.cluster.local.", "0 33 13306 db-2.db.shop.svc.cluster.local."]),
    ("_http._tcp.web.shop.svc.cluster.local", "A", "NOERROR", []),
    ("_tcp.web.shop.svc.cluster.local", "A", "NOERROR", []),
    ("http.tcp.web.shop.svc.cluster.local", "SRV", "NXDOMAIN", []),
    ("ext.shop.svc.cluster.local", "A", "NOERROR", ["www.example.org."]),
    ("alias.shop.svc.cluster.local", "A", "NOERROR", ["10.96.0.7", "web.shop.svc.cluster.local."]),
    ("dangling.shop.svc.cluster.local", "A", "NXDOMAIN", ["nobody.shop.svc.cluster.local."]),
    ("literal.shop.svc.cluster.local", "A", "NOERROR", ["192.0.2.7"]),
    ("10-244-1-5.shop.pod.cluster.local", "A", "NOERROR", ["10.244.1.5"]),
    ("10-9-9-9.shop.pod.cluster.local", "A", "NXDOMAIN", []),
    ("shop.svc.cluster.local", "A", "NOERROR", []),
    ("svc.cluster.local", "A", "NOERROR", []),
    ("dns.cluster.local", "A", "NOERROR", []),
    ("foo.cluster.local", "A", "NXDOMAIN", []),
    ("dns-version.cluster.local", "TXT", "NOERROR", ['"1.1.0"']),
    ("cluster.local", "NS", "NOERROR", ["kube-dns.kube-system.svc.cluster.local."]),
    ("ns.dns.cluster.local", "A", "NOERROR", ["10.96.0.10"]),
    ("web.shop.svc.cluster.local", "ANY", "NOERROR", ['"RFC8482" ""']),
    ("web.shop.svc.cluster.local", "TXT", "NOERROR", []),
    ("7.0.96.10.in-addr.arpa", "PTR", "NOERROR", ["web.shop.svc.cluster.local."]),
    ("5.1.244.10.in-addr.arpa", "PTR", "NOERROR", ["10-244-1-5.web.shop.svc.cluster.local."]),
    ("200.0.96.10.in-addr.arpa", "PTR", "NXDOMAIN", []),
    ("localhost", "A", "NOERROR", ["127.0.0.1"]),
    ("1.0.0.127.in-addr.arpa", "PTR", "NOERROR", ["localhost."]),
    ("name.invalid", "A", "NXDOMAIN", []),
    ("1.1.168.192.in-addr.arpa", "PTR", "NXDOMAIN", []),
    ("www.example.org", "A", "REFUSED", []),
]


def mixed(name):
    return "".join(c.upper() if i % 2 else c for i, c in enumerate(name))


def every_row_in_every_way(server):
    for name, qtype, status, values in ROWS:
        for options in ([], ["+tcp"], ["+bufsize=512"], ["+noedns"]):
            got = server.dig(name, qtype, *options)
            asked = " ".join([name, qtype, *options])
            checks.equal(asked, (got.status, got.values()), (status, sorted(values)))
            if status in ("NOERROR", "NXDOMAIN") and not values:
                checks.equal(f"{asked}: authority is the SOA", len(got.authority), 1)
                checks.contains(f"{asked}: authority is the SOA", got.authority[0], " SOA ")
            checks.equal(f"{asked}: authoritative", "aa" in got.flags, status != "REFUSED")
        got = server.dig(mixed(name), qtype)
        checks.equal(f"{mixed(name)} {qtype}", (got.status, got.values()), (status, sorted(values)))
        if values:
            checks.equal(f"{mixed(name)} {qtype}: owner in the asker's case",
                         got.answer[0].split()[0], mixed(name) + ".")


def reverse_with_dig_x(server):
    checks.equal("dig -x fd00:10:96::7", server.dig("fd00:10:96::7", "-x").values(),
                 ["web.shop.svc.cluster.local."])
    # In the order of the answer: the hostname first.
    got = server.dig("10.244.2.1", "-x")
    checks.equal("dig -x of an address of two Services", [r.split()[4] for r in got.answer],
                 ["db-0.db.shop.svc.cluster.local.", "10-244-2-1.peers.shop.svc.cluster.local."])


def glue_of_srv(server):
    got = server.dig("_mysql._tcp.db.shop.svc.cluster.local", "SRV")
    checks.equal("glue of SRV", sorted(got.additional), [
        "db-0.db.shop.svc.cluster.local. 5 IN A 10.244.2.1",
        "db-0.db.shop.svc.cluster.local. 5 IN AAAA fd00:10:244::21",
        "db-2.db.shop.svc.cluster.local. 5 IN A 10.244.2.3"])


def chaos_and_transfers_are_off(server):
    got = server.dig("version.bind", "TXT", "-c", "CH")
    checks.equal("version.bind CH", got.status, "REFUSED")
    checks.contains("AXFR", server.dig("cluster.local", "AXFR").text, "Transfer failed")


def chaos_and_transfers_can_be_on(manifests):
    with Server("--manifests", manifests, "--chaos-version", "Waypost test", "--chaos-id", "here",
                "--nsid", "replica-7", "--transfer-allow", "127.0.0.0/8") as server:
        checks.equal("version.bind CH", server.dig("version.bind", "TXT", "-c", "CH").values(),
                     ['"Waypost test"'])
        checks.equal("id.server CH", server.dig("id.server", "TXT", "-c", "CH").values(), ['"here"'])
        checks.contains("NSID", server.dig("cluster.local", "SOA", "+nsid").text, "replica-7")
        lines = [line for line in server.dig("cluster.local", "AXFR", "+tcp").text.splitlines()
                 if line and not line.startswith(";")]
        records = [" ".join(line.split()) for line in lines]
        checks.equal("AXFR ends as it begins", records[0], records[-1])
        checks.contains("AXFR begins with the SOA", records[0], " SOA ")
        checks.contains("AXFR has the Service", "\n".join(records),
                        "web.shop.svc.cluster.local. 5 IN A 10.96.0.7")
        serial = records[0].split()[6]
        got = server.dig("cluster.local", f"IXFR={serial}", "+tcp").text
        checks.equal("IXFR from the newest serial is one SOA",
                     [l for l in got.splitlines() if l and not l.startswith(";")].__len__(), 1)


def cookies(server):
    text = server.dig("cluster.local", "SOA", "+cookie").text
    checks.matches("a server cookie of 16 octets", text, r"; COOKIE: [0-9a-f]{48}( |$)")


with Folder() as folder:
    folder.write("world.yaml", WORLD)
    with Server("--manifests", folder.path, "--pods", "verified") as dns:
        every_row_in_every_way(dns)
        reverse_with_dig_x(dns)
        glue_of_srv(dns)
        chaos_and_transfers_are_off(dns)
        cookies(dns)
    chaos_and_transfers_can_be_on(folder.path)
checks.finish()
