#!/usr/bin/env python3
"""Probes and scrapes of a running waypost-dns, also while it is busy."""

import http.client
import os
import pathlib
import re
import socket
import threading
import time

from harness import DNS_PROGRAM, ROOT, SHOP, Checks, Folder, Server, decode_answer, encode_query, run

checks = Checks()


def get(place, path, method="GET"):
    """Asks once. Returns (status, content type, body)."""
    connection = http.client.HTTPConnection(*place, timeout=5)
    connection.request(method, path)
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, reply.getheader("Content-Type"), body


def place_of(server, what):
    """Where the server says that it serves a path."""
    for line in server.out:
        found = re.fullmatch(rf"{what} on http://(.+):(\d+)/{what}", line)
        if found:
            return found.group(1).strip("[]"), int(found.group(2))
    return None


def parse(scrape):
    """The text format: {name: type} and {name with labels: value}."""
    types, values = {}, {}
    for line in scrape.splitlines():
        words = line.split(" ")
        if line.startswith("# TYPE "):
            types[words[2]] = words[3]
        elif not line.startswith("#"):
            values[words[0]] = float(words[1])
    return types, values


def documented(section):
    """The names that docs/metrics.md has below a heading."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    text = page.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([a-z0-9_]+)` \| (\w+) \|", text, re.MULTILINE))


def nothing_unless_asked_for():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path) as server:
            checks.lacks("no port for probes by default", "\n".join(server.out), "http://")


def probes():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--health-listen", "127.0.0.1:0",
                    "--ready-listen", "127.0.0.1:0,[::1]:0") as server:
            health, ready = place_of(server, "health"), place_of(server, "ready")
            checks.equal("/health", get(health, "/health"),
                         (200, "text/plain; charset=utf-8", "OK"))
            checks.equal("/ready", get(ready, "/ready"), (200, "text/plain; charset=utf-8", "OK"))
            checks.equal("equal addresses are one", health, ready)
            checks.equal("HEAD", get(health, "/health", "HEAD"),
                         (200, "text/plain; charset=utf-8", ""))
            checks.equal("POST", get(health, "/health", "POST")[0], 405)
            checks.equal("metrics were not asked for", get(health, "/metrics")[0], 404)
            checks.equal("both addresses of a list are told",
                         sum(line.startswith("ready on ") for line in server.out), 2)
            code, _, err = run(DNS_PROGRAM, "--listen", "127.0.0.1:0", "--manifests", folder.path,
                               "--metrics-listen", f"127.0.0.1:{health[1]}")
            checks.equal("a port that is taken: exit code", code, 1)
            checks.contains("a port that is taken: message", err, f"127.0.0.1:{health[1]}")
            checks.equal("it stops as usual", server.stop(), 0)


class Load(threading.Thread):
    """Asks one question after the other until it is stopped; counts answers, and the slowest."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.running, self.answers, self.slowest = server, True, 0, 0.0

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect((self.server.address, self.server.port))
            while self.running:
                started = time.monotonic()
                client.send(encode_query(self.answers & 0xFFFF, "web.shop.svc.cluster.local", "A"))
                rcode, records = decode_answer(client.recv(4096))
                if rcode == 0 and records == ["10.96.0.7"]:
                    self.answers += 1
                self.slowest = max(self.slowest, time.monotonic() - started)

    def stop(self):
        self.running = False
        self.join(5)


def threads():
    """Those that answer come before the one that reads what changes, and have names."""
    with Folder() as folder, Server("--manifests", folder.path, "--workers", "2") as server:
        def policies():
            tasks = (pathlib.Path("/proc") / str(server.process.pid) / "task").iterdir()
            return sorted(((task / "comm").read_text().strip(), os.sched_getscheduler(int(task.name))) for task in tasks)

        wanted = [("resolver", os.SCHED_OTHER), (DNS_PROGRAM.name, os.SCHED_BATCH), ("worker-0", os.SCHED_OTHER),
                  ("worker-1", os.SCHED_OTHER)]
        server.wait_for(lambda: policies() == wanted, 5)  # A thread that has not run yet has no name of its own.
        checks.equal("threads and how they are scheduled", policies(), wanted)


def a_scrape_during_load():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0") as server:
            place = place_of(server, "metrics")
            load = Load(server)
            load.start()
            last, scrapes = 0, 0
            label = f'{{server="dns://127.0.0.1:{server.port}",zone="."'
            requests = f'coredns_dns_requests_total{label},proto="udp",family="1",type="A"}}'
            grows = True
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                status, kind, text = get(place, "/metrics")
                value = parse(text)[1][requests]
                grows = grows and status == 200 and value >= last
                last, scrapes = value, scrapes + 1
            load.stop()
            checks.equal("the type of a scrape", kind, "text/plain; version=0.0.4; charset=utf-8")
            checks.equal("every scrape during load is whole, and counters grow", grows, True)
            checks.less("scrapes in a second", 10, scrapes)
            checks.less("answers in that second", 100, load.answers)
            checks.less("the slowest answer, in seconds", load.slowest, 0.5)

            server.dig("none.shop.svc.cluster.local", "A", "+tcp")
            types, values = parse(get(place, "/metrics")[2])
            checks.equal("the requests are those that were sent", values[requests], load.answers)
            checks.equal("over TCP", values[f'coredns_dns_requests_total{label},proto="tcp",family="1",type="A"}}'], 1)
            checks.equal("each answer has a duration",
                         values[f"coredns_dns_request_duration_seconds_count{label}}}"], load.answers + 1)
            checks.equal("and a size", values[f'coredns_dns_response_size_bytes_count{label},proto="udp"}}'], load.answers)
            checks.equal("so has each query", values[f'coredns_dns_request_size_bytes_count{label},proto="udp"}}'],
                         load.answers)
            checks.equal("the plugins that there is something of", sorted(re.findall(r'name="(\w+)"', " ".join(
                name for name in values if name.startswith("coredns_plugin_enabled")))), ["kubernetes"])
            checks.equal("NOERROR", values[f'coredns_dns_responses_total{label},rcode="NOERROR"}}'],
                         load.answers)
            checks.equal("NXDOMAIN",
                         values[f'coredns_dns_responses_total{label},rcode="NXDOMAIN"}}'], 1)
            checks.equal("what the kernel dropped, by CoreDNS' name",
                         values[f'coredns_shed_dropped_total{{server="dns://127.0.0.1:{server.port}",reason="query"}}'],
                         values["waypost_dns_receive_drops_total"])
            checks.equal("one Service", values['waypost_objects{kind="service"}'], 1)
            checks.equal("synced", values["waypost_synced"], 1)
            checks.equal("the scrapes before this one",
                         values['waypost_http_replies_total{code="200"}'], scrapes)
            checks.less("resident memory, in bytes", 1e6, values["process_resident_memory_bytes"])
            started = values["process_start_time_seconds"]
            checks.less("seconds since the start", abs(time.time() - started), 60)
            checks.equal("docs/metrics.md and a scrape have the same metrics", types,
                         documented("Always"))


nothing_unless_asked_for()
probes()
threads()
a_scrape_during_load()
checks.finish()
