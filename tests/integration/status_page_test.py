#!/usr/bin/env python3
"""The status page of a running waypost-dns: what it says is what was asked before."""

import http.client
import re
import socket
import time

from harness import SHOP, Checks, Folder, Server
from page import Page

checks = Checks()
def place_of(server):
    for line in server.out:
        found = re.fullmatch(r"status page on http://(.+):(\d+)/", line)
        if found:
            return found.group(1).strip("[]"), int(found.group(2))
    return None


def get(place, target, **headers):
    """Asks once: (status, header fields, body)."""
    connection = http.client.HTTPConnection(*place, timeout=5)
    connection.request("GET", target, headers=headers)
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, reply.headers, body


def page_at(place, target, what):
    status, _, body = get(place, target)
    page = Page(body)
    checks.equal(f"{what}: status", status, 200)
    checks.equal(f"{what}: markup", page.problems, [])
    checks.equal(f"{what}: one heading of the first rank", page.headings.count("h1"), 1)
    return page


def says_what_was_asked():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0") as server:
            place = place_of(server)
            for _ in range(7):
                server.dig("web.shop.svc.cluster.local", "A")
            for _ in range(3):
                server.dig("none.shop.svc.cluster.local", "A")
            end = time.monotonic() + 5
            totals = {}
            while totals.get("NXDOMAIN") != "3" and time.monotonic() < end:
                time.sleep(0.2)
                page = Page(get(place, "/")[2])
                totals = {row[0]: row[4] for row in page.tables.get("Answers by rcode", [])}
            checks.equal("answers by rcode", totals,
                         {"Rcode": "Since the start", "NOERROR": "7", "NXDOMAIN": "3", "all": "10"})
            page = page_at(place, "/", "the overview")
            world = page.facts("The world")
            checks.equal("what is known", (world["Synced"], world["Services"]), ("yes", "1"))
            checks.equal("it is ready", page.facts("The program")["Readiness"], "OK")
            checks.contains("where it listens", page.facts("The program")["Listens on"], f":{server.port}")
            checks.equal("one script, which is a file", page.scripts, 1)

            found = page_at(place, "/services?q=WEB", "the search")
            checks.equal("a Service that is found, with its answers",
                         found.tables["Services"][1],
                         ["shop/web", "ClusterIP", "0 of 0", "5 IN A 10.96.0.7", "no data"])
            checks.equal("a Service that is not", "Services" in Page(get(place, "/services?q=nine")[2]).tables,
                         False)
            one = page_at(place, "/service?namespace=shop&name=web", "a Service's page")
            checks.contains("its answer is what dig has", one.tables["Answers"][1][2],
                            server.dig("web.shop.svc.cluster.local", "A").answer[0])
            checks.equal("a Service that does not exist", get(place, "/service?namespace=a&name=b")[0], 404)
            time.sleep(1.2)  # Until counters are looked at again.
            checks.equal("answers of the page are none of clients",
                         Page(get(place, "/")[2]).tables["Answers by rcode"][-1][4], "11")
            checks.equal("it stops as usual", server.stop(), 0)


def ask_for(server, wire):
    """One query with a name in wire form."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(b"\0\1\0\0\0\1\0\0\0\0\0\0" + wire + b"\0\1\0\1", (server.address, server.port))
        client.recv(4096)


def names_who_asks_for_what():
    names, clients = "Names that are asked for most", "Clients that ask most"
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0") as server:
            place = place_of(server)
            for _ in range(6):
                server.dig("WEB.shop.svc.cluster.local", "A")
            for _ in range(2):
                server.dig("web.shop.svc.cluster.local", "AAAA", "+tcp")
            ask_for(server, b"\x1a<script>alert(1)</script>\"\0")
            end = time.monotonic() + 5
            page = Page("")
            while len(page.tables.get(names, [])) < 3 and time.monotonic() < end:
                time.sleep(0.2)
                page = Page(get(place, "/")[2])
            checks.equal("names, of UDP and TCP, in any case, exactly while they are few",
                         [row[:3] for row in page.tables[names][1:]],
                         [["web.shop.svc.cluster.local.", "8", "0"], ['<script>alert\\(1\\)</script>\\".', "1", "0"]])
            checks.equal("clients", [row[:4] for row in page.tables[clients][1:]], [["127.0.0.1", "9", "0", "100.0 %"]])
            checks.equal("a name that is markup becomes none", (page.problems, page.scripts), ([], 1))
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0", "--status-tops", "false") as server:
            server.dig("web.shop.svc.cluster.local", "A")
            time.sleep(1.2)
            body = get(place_of(server), "/")[2]
            checks.contains("switched off: it says so", body, "statusTops")
            checks.lacks("switched off: nobody is named", body, "web.shop.svc")


def is_closed_to_others():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        hostile = "/services?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%20onfocus%3Dx%20"
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0") as server:
            place = place_of(server)
            status, headers, body = get(place, hostile)
            checks.equal("markup in the search: status", status, 200)
            checks.lacks("markup in the search is text", body, "<script>alert")
            checks.equal("and changes no element", (Page(body).problems, Page(body).scripts), ([], 1))
            policy = headers["Content-Security-Policy"]
            for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
                checks.contains(f"policy: {part}", policy, part)
            checks.lacks("policy: nothing in place", policy, "unsafe")
            checks.equal("types are not guessed", headers["X-Content-Type-Options"], "nosniff")
            checks.equal("nothing is kept", headers["Cache-Control"], "no-store")
            for path, kind in (("/status.css", "text/css"), ("/status.js", "text/javascript")):
                status, headers, _ = get(place, path)
                checks.equal(path, (status, headers["Content-Type"]), (200, f"{kind}; charset=utf-8"))
            checks.equal("under a name that leads here", get(place, "/", Host="rebound.example")[0], 403)
            checks.equal("metrics are for any name", get(place, "/metrics", Host="any.example")[0], 200)
            time.sleep(0.5)
            statuses = [get(place, "/")[0] for _ in range(60)]
            checks.equal("pages in a row: only these", set(statuses), {200, 429})
            checks.less("pages in a row: not all", statuses.count(200), 60)
            checks.equal("metrics go on", get(place, "/metrics")[0], 200)
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0", "--status-page", "off") as server:
            checks.equal("switched off: nothing is told", place_of(server), None)
            metrics = next(line for line in server.out if line.startswith("metrics on"))
            port = int(re.search(r":(\d+)/", metrics).group(1))
            checks.equal("switched off: there is no page", get(("127.0.0.1", port), "/")[0], 404)
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0", "--status-page", "open") as server:
            checks.equal("open: under any name", get(place_of(server), "/", Host="any.example")[0], 200)


if __name__ == "__main__":
    says_what_was_asked()
    names_who_asks_for_what()
    is_closed_to_others()
    checks.finish()
