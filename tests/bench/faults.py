#!/usr/bin/env python3
"""What clients notice while one of two upstreams fails, while one process takes over from another, and
while two servers are replaced one after the other: queries lost and the worst latency.

usage: tests/bench/faults.py [SECONDS]

A waypost-dns forwards to two servers on loopback that this script plays. Each phase takes SECONDS (5),
with 500 new names a second, and the first server does what the phase says. A query is lost that has
no right answer after five seconds. Prints a line for each phase; fails when a query is lost.

Then three takeovers in a row, with 5 000 queries a second over UDP and four TCP connections that stay
open; and two servers that are ended by SIGTERM and started again, one after the other, behind a client
that asks both by turns and leaves out one whose /ready has not answered 200 within the last second, as
a load balancer does.
"""

import contextlib
import pathlib
import selectors
import socket
import struct
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import SHOP, Folder, Server, decode_answer, encode_query  # noqa: E402
from takeover_test import ADDRESS as SHOP_ADDRESS, NAME, TcpLoad, UdpLoad  # noqa: E402
from upstream import Reply, Upstream  # noqa: E402

PER_SECOND = 500
CLIENT_TIMEOUT = 5.0
ADDRESS = b"\xc0\0\2\1"


class Faulty(Upstream):
    """Answers every A question, unless `fault` says otherwise."""

    def __init__(self):
        self.fault = "none"
        super().__init__(tcp=False)

    def answer_to(self, question):
        fault = self.fault
        if fault == "silent" or (fault == "every third lost" and len(self.questions) % 3 == 0):
            return None
        if fault == "SERVFAIL":
            return Reply(rcode=2)
        if fault == "lame":
            return Reply(flags=0x8100)
        reply = super().answer_to(question)
        reply.id_mask = 0x5500 if fault == "wrong ids" else 0
        reply.delay = 1.0 if fault == "a second late" else 0
        return reply


class Client:
    """Asks at a steady rate and looks at every answer."""

    def __init__(self, server):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.connect((server.address, server.port))
        self.socket.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.socket, selectors.EVENT_READ)
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.selector.close()
        self.socket.close()

    def run(self, seconds):
        """Returns (asked, lost, latencies in order)."""
        waiting, latencies, wrong = {}, [], 0
        count = int(seconds * PER_SECOND)
        begin, sent = time.monotonic(), 0
        while True:
            now = time.monotonic()
            while sent < count and begin + sent / PER_SECOND <= now:
                name = b"n%d" % self.asked
                self.asked += 1
                query = struct.pack(">6H", sent & 0xFFFF, 0x0100, 1, 0, 0, 0) + bytes(
                    [len(name)]) + name + b"\4soak\7example\0" + struct.pack(">2H", 1, 1)
                self.socket.send(query)
                waiting[sent & 0xFFFF] = now
                sent += 1
            if sent == count and (not waiting or now > max(waiting.values()) + CLIENT_TIMEOUT):
                break
            if not self.selector.select(0.002):
                continue
            try:
                while True:
                    message = self.socket.recv(4096)
                    started = waiting.pop(struct.unpack(">H", message[:2])[0], None)
                    if started is not None:
                        latencies.append(time.monotonic() - started)
                        wrong += message[3] & 15 != 0 or message[-4:] != ADDRESS
            except BlockingIOError:
                pass
        return count, len(waiting) + wrong, sorted(latencies)


def show(what, asked, lost, latencies):
    at = [latencies[int(len(latencies) * part)] * 1000 for part in (0.5, 0.99)]
    print(f"{what:28} {asked:7} {lost:5} {at[0]:6.2f} ms {at[1]:6.1f} ms {latencies[-1] * 1000:6.1f} ms",
          flush=True)


def takeovers(seconds):
    """Returns how many queries were lost."""
    with Folder() as folder, Folder() as place, contextlib.ExitStack() as running:
        folder.write("shop.yaml", SHOP)
        arguments = ("--manifests", folder.path, "--takeover-socket", place / "takeover")
        servers = [running.enter_context(Server(*arguments))]
        where = (servers[0].address, servers[0].port)
        udp = UdpLoad(where, 5000, 16)
        tcp = [TcpLoad(where, True) for _ in range(4)]
        for load in (udp, *tcp):
            load.start()
        for workers in (1, 4, 2):
            time.sleep(seconds / 4)
            servers.append(running.enter_context(Server(*arguments, "--workers", workers, "--takeover")))
            if servers[-2].process.wait(timeout=20) != 0:
                raise RuntimeError("the old process failed\n" + "\n".join(servers[-2].log))
        time.sleep(seconds / 4)
        result = udp.finish()
        lost = result["lost"] + len(result["wrong"])
        show("three takeovers, UDP", udp.asked, lost, sorted(udp.latencies))
        ends = [load.finish() for load in tcp]
        lost_tcp = sum((end["problem"] is not None) + end["wrong"] for end in ends)
        show("three takeovers, TCP", sum(load.asked for load in tcp), lost_tcp,
             sorted(latency for load in tcp for latency in load.latencies))
        return lost + lost_tcp


class Balancer(threading.Thread):
    """Asks servers by turns, one query after the other, from a port of its own each time."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.servers = servers  # Changed by who replaces them.
        self.asked = self.lost = 0
        self.latencies = []
        self.enough = threading.Event()
        self.out = set()
        self._probe = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.enough.is_set():
            for server in list(self.servers):
                if not is_ready(server):
                    self.out.add(server)
            self.enough.wait(1.0)

    def run(self):
        self._probe.start()
        while not self.enough.is_set():
            good = [server for server in self.servers if server not in self.out]
            server = good[self.asked % len(good)]
            self.asked += 1
            begin = time.monotonic()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(CLIENT_TIMEOUT)
                client.connect((server.address, server.port))
                try:
                    client.send(encode_query(self.asked & 0xFFFF, NAME, "A"))
                    self.lost += decode_answer(client.recv(4096)) != (0, [SHOP_ADDRESS])
                except OSError:
                    self.lost += 1
            self.latencies.append(time.monotonic() - begin)
            time.sleep(1 / PER_SECOND)


def is_ready(server):
    url = next(line.split(" on ")[1] for line in server.out if line.startswith("ready on "))
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return reply.status == 200
    except OSError:
        return False


def replacements(seconds):
    """Returns how many queries were lost."""
    with Folder() as folder, contextlib.ExitStack() as running:
        folder.write("shop.yaml", SHOP)
        arguments = ("--manifests", folder.path, "--lameduck", "30s", "--ready-listen", "127.0.0.1:0")
        servers = [running.enter_context(Server(*arguments)) for _ in range(2)]
        balancer = Balancer(list(servers))
        running.callback(balancer.enough.set)
        balancer.start()
        for old in servers:
            time.sleep(seconds / 4)
            balancer.servers.append(running.enter_context(Server(*arguments)))
            if old.stop() != 0:
                raise RuntimeError("the old process failed\n" + "\n".join(old.log))
            balancer.servers.remove(old)
        time.sleep(seconds / 4)
        balancer.enough.set()
        balancer.join(timeout=2 * CLIENT_TIMEOUT)
        show("two replaced by SIGTERM", balancer.asked, balancer.lost, sorted(balancer.latencies))
        return balancer.lost


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    lost_in_all = 0
    print(f"{'the first of two upstreams':28} {'asked':>7} {'lost':>5} {'median':>9} {'p99':>9}"
          f" {'worst':>9}")
    with Folder() as folder, Faulty() as first, Faulty() as second:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--forward",
                    f"{first.where},{second.where}") as server, Client(server) as client:
            for fault in ("none", "silent", "none", "a second late", "none", "every third lost",
                          "none", "SERVFAIL", "none", "lame", "none", "wrong ids"):
                first.fault = fault
                asked, lost, latencies = client.run(seconds)
                lost_in_all += lost
                if fault != "none" or client.asked == asked:
                    show(fault if fault != "none" else "is well", asked, lost, latencies)
    lost_in_all += takeovers(seconds) + replacements(seconds)
    print(f"lost in all: {lost_in_all}")
    return 1 if lost_in_all else 0


if __name__ == "__main__":
    sys.exit(main())
