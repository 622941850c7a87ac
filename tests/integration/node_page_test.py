#!/usr/bin/env python3
"""The status page of waypost-node: what is in force, and a Service's rules with what the kernel has counted."""

import json
import pathlib
import re
import socket
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, Folder  # noqa: E402
from netns import Namespace, NodeProgram, for_each_backend, service, slices  # noqa: E402
from page import Page  # noqa: E402

checks = Checks()


def get(space, path, host="127.0.0.1:10249"):
    """(status, body)"""
    def work():
        request = urllib.request.Request("http://127.0.0.1:10249" + path, headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return space.inside(work)


def send(space, address, port, count):
    """Each from a port of its own, so that the rules see each."""
    def work():
        for _ in range(count):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"x", (address, port))

    space.inside(work)


def kernel_count(space, backend, part):
    for line in space.run(f"{backend}-save", "-c", "-t", "nat").splitlines():
        if part in line:
            return re.match(r"\[(\d+):", line).group(1)
    return None


def page_of(backend):
    space = Namespace("page")
    space.run("ip", "route", "add", "default", "dev", "lo")
    objects = [service("echo", ["10.96.0.1"], [("main", 7, 7007, "UDP")]),
               *slices("echo", [("127.0.0.1", "node-1")], [("main", 7007, "UDP")]),
               service("idle", ["10.96.0.2"], [("main", 80, 8080, "TCP")])]
    objects[1]["endpoints"][0]["addresses"] = ["10.244.1.5"]
    with Folder() as folder:
        folder.replace("world.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        node = NodeProgram(space, folder.path, backend=backend)
        checks.equal(f"{backend}: it says where the page is",
                     "status page on http://127.0.0.1:10249/" in node.out, True)
        status, body = get(space, "/")
        page = Page(body)
        checks.equal(f"{backend}: the overview", (status, page.problems), (200, []))
        checks.equal(f"{backend}: what it is", page.facts("The program")["Backend"], backend)
        checks.equal(f"{backend}: what is known", page.facts("The world")["Services"], "2")
        own = [line for line in space.run(f"{backend}-save", "-t", "nat").splitlines() if line.startswith("-A KUBE-")]
        rows = {row[0]: row for row in page.tables["Rules in force"]}
        checks.equal(f"{backend}: rules in force are those of the kernel", rows["IPv4"][2], str(len(own)))

        found = Page(get(space, "/services?q=10.96.0.1")[1])
        checks.equal(f"{backend}: a search", [row[0] for row in found.tables["Services"][1:]], ["test/echo"])

        send(space, "10.96.0.1", 7, 5)
        to = "--to-destination 10.244.1.5:7007"
        count = kernel_count(space, backend, to)
        checks.equal(f"{backend}: the kernel has counted", int(count) >= 5, True)
        status, body = get(space, "/service?namespace=test&name=echo")
        page = Page(body)
        checks.equal(f"{backend}: a Service's page", (status, page.problems), (200, []))
        rules = page.tables["IPv4 rules"][1:]
        counts = [row[2] for row in rules if to in row[3]]
        checks.equal(f"{backend}: the endpoint's rule has the kernel's count", counts, [count])
        checks.equal(f"{backend}: every rule is in the kernel", [row for row in rules if not row[2].isdigit()], [])
        checks.equal(f"{backend}: no rule of another Service", [row for row in rules if "10.96.0.2" in row[3]], [])

        space.run(backend, "-t", "nat", "-F", next(row[0] for row in rules if to in row[3]))
        page = Page(get(space, "/service?namespace=test&name=echo")[1])
        found = {row[2] for row in page.tables["IPv4 rules"][1:] if to in row[3]}
        checks.equal(f"{backend}: a rule that is gone is said to be gone, or was repaired",
                     (len(found), found <= {"not in the kernel", "0"}), (1, True))

        checks.equal(f"{backend}: under another name", get(space, "/", "rebound.example")[0], 403)
        checks.equal(f"{backend}: no such Service", get(space, "/service?namespace=a&name=%3Cb%3E")[0], 404)
        checks.lacks(f"{backend}: and no markup from it", get(space, "/service?namespace=a&name=%3Cb%3E")[1], "<b>")
        node.stop()
        off = NodeProgram(space, folder.path, "--status-page", "off", backend=backend)
        checks.equal(f"{backend}: switched off", get(space, "/")[0], 404)
        off.stop()
    space.remove()


for_each_backend(checks, page_of)
checks.finish()
