#!/usr/bin/env python3
"""The query log of waypost-dns: which queries have a line, what it says, how many there are at most."""

import json
import re
import socket
import struct
import time

from harness import Checks, Folder, Server, encode_query, service, total

checks = Checks()
SHOP = service("web", "10.96.0.7")
NAME = "web.shop.svc.cluster.local"


def lines_of(server):
    return [line for line in server.log if " info query client=" in line]


def fields(line):
    return dict(word.split("=", 1) for word in line.split(" info query ")[1].split(" "))


def ask_raw(server, question, count=1):
    """Sends a question in wire form; waits for each answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect((server.address, server.port))
        for number in range(count):
            client.send(struct.pack(">6H", number & 0xffff, 0, 1, 0, 0, 0) + question)
            client.recv(4096)


def what_has_a_line():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        config = folder.write("etc/waypost.yaml", "queryLog: [denial, error, dropped.example=all]\n"
                                                  "access: [drop zone dropped.example]\n")
        with Server("--manifests", folder.path, config=config) as server:
            server.dig(NAME)
            server.dig("no." + NAME)
            server.dig(NAME, "TXT", "+tcp")
            server.dig("www.example.org")
            server.dig("a.dropped.example", "A", "+time=1")
            server.wait_for(lambda: len(lines_of(server)) >= 4, 5)
            found = [fields(line) for line in lines_of(server)]
            checks.equal("queries that have a line", [(one["name"], one["type"], one["rcode"], one["protocol"]) for one in found],
                         [(f"no.{NAME}.", "A", "NXDOMAIN", "udp"), (f"{NAME}.", "TXT", "NOERROR", "tcp"),
                          ("www.example.org.", "A", "REFUSED", "udp"), ("a.dropped.example.", "A", "none", "udp")])
            checks.equal("the client", {one["client"] for one in found}, {"127.0.0.1"})
            checks.equal("answers at once have no duration", [one for one in found if "waited_ms" in one], [])

            folder.replace("etc/waypost.yaml", "queryLog: [all]\nlogFormat: json\n")
            server.wait_for_log("now in force: ", timeout=5)
            server.dig(NAME)
            server.wait_for_log('"message":"query"', timeout=5)
            told = json.loads(server.wait_for_log('"message":"query"')[0])
            checks.equal("a line as JSON", {key: told[key] for key in ("client", "name", "type", "class", "rcode", "level")},
                         {"client": "127.0.0.1", "name": f"{NAME}.", "type": "A", "class": "IN", "rcode": "NOERROR",
                          "level": "info"})
            checks.equal("its size is a number", isinstance(told["size"], int) and told["size"] > 40, True)

            folder.replace("etc/waypost.yaml", "logFormat: json\n")
            server.wait_for_log("now in force: queryLog", timeout=5, count=2)
            server.dig(NAME)
            folder.replace("etc/waypost.yaml", "queryLog: [all]\nlogFormat: json\n")
            server.wait_for_log("now in force: queryLog", timeout=5, count=3)
            server.dig("again." + NAME)
            server.wait_for_log(f'"name":"again.{NAME}."', timeout=5)  # Lines are in the order of queries.
            checks.equal("switched off, there is none", [
                json.loads(line)["name"] for line in server.wait_for_log('"message":"query"', timeout=0)],
                         [f"{NAME}.", f"again.{NAME}."])


def hostile_names():
    """Octets that would end the line, move the cursor, or look like another field."""
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--query-log", "all") as server:
            label = b"x\n2026-01-01T00:00:00.000Z info ready rcode=NOERROR \x1b[2J\xff\0\""
            ask_raw(server, bytes([len(label)]) + label + b"\0" + struct.pack(">2H", 1, 1))
            server.wait_for(lambda: lines_of(server), 5)
            line = lines_of(server)[0]
            checks.equal("the log has one line", len(server.log), 1)
            checks.equal("of printable characters", bool(re.fullmatch(r"[ -~]+", line)), True)
            checks.equal("with one rcode, that of the answer", re.findall(r" rcode=(\S+)", line), ["REFUSED"])
            checks.contains("and the name escaped", fields(line)["name"],
                            r"x\0102026-01-01T00:00:00\.000Z\032info\032ready\032rcode\x3dNOERROR\032\027[2J\255\000\\x22.")


def no_more_than_asked_for():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--query-log", "all", "--query-log-rate", "20", "--workers", "1",
                    "--metrics-listen", "127.0.0.1:0") as server:
            count = 20000
            question = encode_query(0, NAME, "A")[12:]
            began = time.monotonic()
            ask_raw(server, question, count)
            took = time.monotonic() - began
            end = began + took + 10
            while True:  # The last of them is written within a second.
                seconds = time.monotonic() - began
                told = [fields(line) for line in lines_of(server)]
                stands_for = sum(int(one.get("stands_for", "1")) for one in told)
                missed = total(server.metrics(), "waypost_query_log_missed_total")
                counted = total(server.metrics(), "waypost_query_log_lines_total")
                # Of one burst, what came since the last sample is not known yet, which may be twice what came before it.
                about_all = count / 5 < stands_for + missed < count * 3
                if (told and about_all and counted == len(told)) or time.monotonic() > end:
                    break
                time.sleep(0.1)
            checks.equal(f"{len(told)} lines of {count} queries in {seconds:.1f} s are no more than asked for",
                         0 < len(told) <= 20 * (seconds + 1), True)
            checks.equal("lines are counted", counted, len(told))
            checks.equal(f"lines stand for {stands_for}, {missed:.0f} are missed: about all of them", about_all, True)
            checks.equal("that is said", len(server.wait_for_log("query log: about ", timeout=5)) >= 1,
                         total(server.metrics(), "waypost_query_log_missed_total") > 0)


what_has_a_line()
hostile_names()
no_more_than_asked_for()
checks.finish()
