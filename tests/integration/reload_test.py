#!/usr/bin/env python3
"""Edits of configuration, manifests and zones under a running server, and signals."""

import os
import signal
import threading

from harness import SHOP, Checks, Folder, Server, service

# A change is meant to be answered within 100 ms; a busy machine gets more before it is a failure.
GOAL = 0.1
LIMIT = 1.0

checks = Checks()

NXDOMAIN = 3


def seen(what, server, name, wanted, qtype="A"):
    """Measures how long a change takes to be answered, and checks it."""
    seconds = server.poll(name, qtype, wanted)
    shown = "never" if seconds is None else f"{seconds * 1000:.0f} ms"
    print(f"  {what}: answered after {shown} (goal {GOAL * 1000:.0f} ms)")
    checks.less(f"{what} is answered", LIMIT + 1 if seconds is None else seconds, LIMIT)


def has(*addresses):
    return lambda rcode, records: sorted(records) == sorted(addresses)


def is_gone(rcode, _):
    return rcode == NXDOMAIN


def log_lines(server, part):
    return [line for line in server.log if part in line]


def manifests():
    name = "{}.shop.svc.cluster.local".format
    with Folder() as folder:
        folder.write("web.yaml", SHOP)
        with Server("--manifests", folder.path) as server:
            seen("the manifest that was there at start", server, name("web"), has("10.96.0.7"))
            folder.write("web.yaml", service("web", "10.96.0.8"))
            seen("an edit in place", server, name("web"), has("10.96.0.8"))
            folder.replace("web.yaml", service("web", "10.96.0.9"))
            seen("an atomic rename over the file", server, name("web"), has("10.96.0.9"))
            folder.write("api.yaml", service("api", "10.96.0.20"))
            seen("a new file", server, name("api"), has("10.96.0.20"))
            seen("the PTR of a new file's Service", server, "20.0.96.10.in-addr.arpa",
                 lambda rcode, records: rcode == 0 and len(records) == 1, "PTR")
            os.unlink(folder / "api.yaml")
            seen("a deleted file", server, name("api"), is_gone)

            folder.write("web.yaml", "kind: Service\nmetadata: [\n")
            broken = server.wait_for_log("web.yaml")
            checks.equal("a broken file is logged once", len(broken), 1)
            checks.contains("as an error", broken[0] if broken else "", " error ")
            checks.equal("a broken file keeps its last good objects",
                         server.dig(name("web")).values(), ["10.96.0.9"])
            folder.write("other.yaml", service("other", "10.96.0.30"))
            seen("a good file beside a broken one", server, name("other"), has("10.96.0.30"))
            checks.equal("the broken file is not logged again",
                         len(log_lines(server, "web.yaml")), 1)
            folder.write("web.yaml", service("web", "10.96.0.10"))
            seen("the broken file mended", server, name("web"), has("10.96.0.10"))
            checks.equal("and said so", len(server.wait_for_log("manifests: all problems are mended")),
                         1)


def configmap_volume():
    """A ConfigMap volume changes by swapping the symlink ..data, never the files' names."""
    name = "web.shop.svc.cluster.local"
    with Folder() as folder:
        folder.write("..first/web.yaml", SHOP)
        os.symlink("..first", folder / "..data")
        os.symlink("..data/web.yaml", folder / "web.yaml")
        with Server("--manifests", folder.path) as server:
            seen("a ConfigMap volume at start", server, name, has("10.96.0.7"))
            folder.write("..second/web.yaml", service("web", "10.96.0.8"))
            os.symlink("..second", folder / "..data_tmp")
            os.replace(folder / "..data_tmp", folder / "..data")
            seen("a ConfigMap volume's update", server, name, has("10.96.0.8"))


def static_zones():
    zone = ("$TTL 60\n@ SOA ns hostmaster {} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
            "www A 192.0.2.{}\n").format
    with Folder() as folder:
        folder.write("manifests/web.yaml", SHOP)
        folder.write("zones/example.org.zone", zone(1, 1))
        with Server("--manifests", folder / "manifests", "--static-zones", folder / "zones") as server:
            seen("the zone at start", server, "www.example.org", has("192.0.2.1"))
            folder.write("zones/example.org.zone", zone(2, 2))
            seen("an edited zone", server, "www.example.org", has("192.0.2.2"))
            folder.write("zones/example.org.zone", "www A not-an-address\n")
            broken = server.wait_for_log("example.org.zone")
            checks.less("a broken zone is logged", 0, len(broken))
            before = len(broken)
            checks.equal("a broken zone keeps its last good records",
                         server.dig("www.example.org").values(), ["192.0.2.2"])
            server.send_signal(signal.SIGHUP)
            server.wait_for_log("static zones read again", count=3)
            checks.equal("and is not logged again", len(log_lines(server, "example.org.zone:")), before)
            folder.write("zones/example.org.zone", zone(3, 3))
            seen("a mended zone", server, "www.example.org", has("192.0.2.3"))
            folder.write("zones/example.net.zone", zone(1, 9))
            seen("a new zone", server, "www.example.net", has("192.0.2.9"))


def configuration():
    web = "web.shop.svc.cluster.local"
    with Folder() as folder:
        folder.write("manifests/web.yaml", SHOP)
        folder.write("manifests/other.yaml", service("web", "10.96.0.50", "other"))
        folder.write("more/web.yaml", service("web", "10.96.1.1"))
        folder.write("zones/example.org.zone",
                     "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
        base = "manifests: manifests\n"
        config = folder.write("waypost.yaml", base + "ttl: 10\n")
        with Server(config=config) as server:
            def edit(text, key):
                already = len(log_lines(server, "configuration read again"))
                folder.replace("waypost.yaml", text)
                lines = server.wait_for_log("configuration read again", count=already + 1)
                checks.contains(f"the log names {key}", lines[-1] if lines else "", key)

            checks.equal("ttl at start", server.dig(web).answer, [f"{web}. 10 IN A 10.96.0.7"])
            edit(base + "ttl: 20\n", "ttl")
            checks.equal("ttl after an edit", server.dig(web).answer, [f"{web}. 20 IN A 10.96.0.7"])

            edit(base + "ttl: 20\nnamespaces: [other]\n", "namespaces")
            checks.equal("a Namespace that is filtered out", server.dig(web).status, "NXDOMAIN")
            edit(base + "ttl: 20\npods: insecure\n", "pods")
            checks.equal("pods after an edit",
                         server.dig("10-1-2-3.shop.pod.cluster.local").values(), ["10.1.2.3"])
            edit(base + "clusterDomain: cluster.example\n", "clusterDomain")
            checks.equal("a new cluster domain", server.dig("web.shop.svc.cluster.example").values(),
                         ["10.96.0.7"])
            checks.equal("the old cluster domain", server.dig(web).status, "REFUSED")
            edit(base + "nsid: b\nudpSize: 512\n", "nsid, udpSize"[:4])
            checks.contains("nsid after an edit", server.dig(web, "A", "+nsid").text, '("b")')

            edit(base + "staticZones: [zones]\n", "staticZones")
            checks.equal("a zone folder that was added", server.dig("ns.example.org").values(),
                         ["192.0.2.1"])
            edit("manifests: more\n", "manifests")
            checks.equal("another manifests folder", server.dig(web).values(), ["10.96.1.1"])
            folder.write("more/web.yaml", service("web", "10.96.1.2"))
            seen("an edit in the new folder", server, web, has("10.96.1.2"))
            edit(base, "manifests")
            checks.equal("the first folder again", server.dig(web).values(), ["10.96.0.7"])

            folder.replace("waypost.yaml", base + "workers: 9\nlisten: ['127.0.0.1:9']\n")
            lines = server.wait_for_log("takes effect at restart", count=1)
            checks.matches("workers is named", "\n".join(lines), r"workers: changed, takes effect at restart")
            checks.equal("the server still answers where it listens", server.dig(web).values(),
                         ["10.96.0.7"])
            checks.equal("it ends well", server.stop(), 0)


def bad_configuration():
    web = "web.shop.svc.cluster.local"
    with Folder() as folder:
        folder.write("manifests/web.yaml", SHOP)
        config = folder.write("waypost.yaml", "manifests: manifests\nttl: 10\n")
        with Server(config=config) as server:
            folder.replace("waypost.yaml", "manifests: manifests\nttl: 9999\n")
            lines = server.wait_for_log("waypost.yaml:2: ttl: found '9999'")
            checks.equal("a bad configuration is logged", len(lines), 1)
            server.wait_for_log("stays in force")
            checks.equal("the configuration before stays in force", server.dig(web).answer,
                         [f"{web}. 10 IN A 10.96.0.7"])
            for number, name in enumerate((signal.SIGHUP, signal.SIGUSR1), start=1):
                server.send_signal(name)
                server.wait_for_log("manifests read again", count=number)
                checks.equal(f"{name.name} says that it is still refused, once",
                             len([line for line in log_lines(server, "waypost.yaml:2: ttl: found '9999'")
                                  if "is still refused, and the one before stays in force" in line]), number)
            folder.replace("waypost.yaml", "manifests: manifests\nttl: 9999\nnegativeTtl: x\n")
            server.wait_for_log("waypost.yaml:3: negativeTtl: found 'x'")
            checks.equal("without a signal the same problem is not logged again",
                         len(log_lines(server, "waypost.yaml:2:")), 3)
            server.send_signal(signal.SIGHUP)
            checks.equal("of several problems the first is told, and how many there are",
                         len(server.wait_for_log(", and 1 more problem; the configuration is still refused")), 1)
            os.unlink(config)
            checks.equal("a configuration file that is gone is logged",
                         len(server.wait_for_log("no such file")), 1)
            checks.equal("and changes nothing", server.dig(web).answer,
                         [f"{web}. 10 IN A 10.96.0.7"])
            folder.write("waypost.yaml", "manifests: manifests\nttl: 12\n")
            server.wait_for_log("configuration: all problems are mended")
            server.wait_for_log("configuration read again")
            checks.equal("a mended configuration is in force", server.dig(web).answer,
                         [f"{web}. 12 IN A 10.96.0.7"])
        with Server("--ttl", "33", config=config) as server:
            folder.replace("waypost.yaml", "manifests: manifests\nttl: 13\npods: insecure\n")
            server.wait_for_log("configuration read again")
            checks.equal("a flag wins over the edited file", server.dig(web).answer,
                         [f"{web}. 33 IN A 10.96.0.7"])


def hangup_without_a_file():
    with Folder() as folder:
        folder.write("web.yaml", SHOP)
        with Server("--manifests", folder.path) as server:
            server.send_signal(signal.SIGHUP)
            checks.equal("SIGHUP without a configuration file",
                         len(server.wait_for_log("manifests read again")), 1)
            checks.equal("the server answers on", server.dig("web.shop.svc.cluster.local").values(),
                         ["10.96.0.7"])
            checks.equal("and ends well", server.stop(signal.SIGINT), 0)


def answers_while_everything_reloads():
    """Queries never stop while configuration, zones and manifests are swapped under them."""
    web = "web.shop.svc.cluster.local"
    zone = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
    with Folder() as folder:
        for path in ("one", "two"):
            folder.write(f"{path}/web.yaml", SHOP)
            folder.write(f"zones-{path}/example.org.zone", zone)
        text = "manifests: {0}\nstaticZones: [zones-{0}]\nttl: {1}\nworkers: 2\n".format
        config = folder.write("waypost.yaml", text("one", 0))
        wrong = []
        asked = 0
        stop = threading.Event()

        def ask(server):
            nonlocal asked
            while not stop.is_set():
                for name, address in ((web, "10.96.0.7"), ("ns.example.org", "192.0.2.1")):
                    answers = []
                    server.poll(name, "A", lambda *answer: answers.append(answer) or True, interval=0)
                    asked += 1
                    if answers != [(0, [address])]:
                        wrong.append((name, answers))

        with Server(config=config) as server:
            asker = threading.Thread(target=ask, args=(server,))
            asker.start()
            for round_ in range(1, 41):
                folder.replace("waypost.yaml", text("one" if round_ % 2 else "two", round_))
                server.send_signal(signal.SIGHUP)
                server.wait_for_log("static zones read again", count=round_)
            stop.set()
            asker.join()
            print(f"  {asked} questions during 40 reloads")
            checks.less("questions were asked", 40, asked)
            checks.equal("every answer during the reloads was right", wrong, [])
            checks.equal("the server ends well", server.stop(), 0)


manifests()
configmap_volume()
static_zones()
configuration()
bad_configuration()
hangup_without_a_file()
answers_while_everything_reloads()
checks.finish()
