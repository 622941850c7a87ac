#!/usr/bin/env python3
"""How waypost-dns leaves: not ready first, answering until nobody asks, and with nobody's answer
lost; and what it tells the service manager meanwhile."""

import os
import signal
import socket
import struct
import threading
import time
import urllib.error
import urllib.request

from harness import SHOP, Checks, Folder, Server, decode_answer, encode_query
from upstream import Upstream

checks = Checks()
NAME = "web.shop.svc.cluster.local"


class Client:
    """Asks over UDP, one query after the other with a pause, until it is stopped."""

    def __init__(self, server):
        self.asked = self.answered = 0
        self._stop = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(2)
        self._socket.connect((server.address, server.port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set() and self.asked < 2000:
            self.asked += 1
            try:
                self._socket.send(encode_query(self.asked, NAME, "A"))
                rcode, records = decode_answer(self._socket.recv(4096))
                self.answered += (rcode, records) == (0, ["10.96.0.7"])
            except OSError:
                pass
            self._stop.wait(0.01)

    def stop(self):
        self._stop.set()
        self._thread.join(timeout=5)
        self._socket.close()


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as reply:
        return reply.code, reply.read().decode()


def place(server, path):
    return next(line.split(" on ")[1] for line in server.out if line.startswith(path + " on "))


def connect(server):
    return socket.create_connection((server.address, server.port), timeout=5)


def over_tcp(message):
    return struct.pack(">H", len(message)) + message


def read_to_end(connection):
    """Everything until the other side closes; an error of the connection is an exception."""
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def leaving_while_asked():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--lameduck", "30s", "--health-listen",
                    "127.0.0.1:0", "--ready-listen", "127.0.0.1:0") as server:
            client = Client(server)
            server.wait_for(lambda: client.answered > 5)
            checks.equal("ready before it is told to leave", get(place(server, "ready")),
                         (200, "OK"))
            server.send_signal(signal.SIGTERM)
            server.wait_for_log("stopping on SIGTERM")
            checks.equal("not ready once it leaves", get(place(server, "ready")),
                         (503, "Shutting down"))
            checks.equal("it lives while it leaves", get(place(server, "health")), (200, "OK"))
            folder.write("more.yaml", SHOP.replace("web", "more").replace(".0.7", ".0.8"))
            found = server.poll("more.shop.svc.cluster.local", "A", lambda rcode, _: rcode == 0)
            checks.equal("changes are followed while it leaves", found is not None, True)
            before = client.answered
            server.wait_for(lambda: client.answered > before + 20, 5)
            checks.equal("it stays as long as it is asked", server.process.poll(), None)
            client.stop()
            checks.equal("it leaves once nobody asks", server.process.wait(timeout=20), 0)
            checks.equal("queries without an answer", client.asked - client.answered, 0)
            checks.lacks("nobody was left behind", "\n".join(server.log), "leaving although")


def leaving_at_the_limit():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--lameduck", "300ms") as server:
            client = Client(server)
            server.wait_for(lambda: client.answered > 5)
            checks.equal("the exit code at the limit", server.stop(), 0)
            checks.contains("it says that it was asked until the end", "\n".join(server.log),
                            "leaving although queries still came")
            client.stop()
        with Server("--manifests", folder.path, "--lameduck", "10m") as server:
            server.send_signal(signal.SIGTERM)
            server.wait_for_log("stopping on SIGTERM")
            checks.equal("a second SIGTERM ends at once", server.stop(), 0)


def leaving_with_connections():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path) as server, connect(server) as idle, \
                connect(server) as busy:
            idle.sendall(over_tcp(encode_query(1, NAME, "A")))
            idle.recv(65536)
            busy.sendall(over_tcp(encode_query(2, NAME, "A")) * 40)
            server.send_signal(signal.SIGTERM)
            checks.equal("an idle connection ends", read_to_end(idle), b"")
            data = read_to_end(busy)
            count = 0
            while data:
                size = struct.unpack(">H", data[:2])[0]
                count += decode_answer(data[2:2 + size]) == (0, ["10.96.0.7"])
                data = data[2 + size:]
            checks.equal("answers on a connection that was asking", count, 40)
            checks.equal("the exit code with connections", server.process.wait(timeout=10), 0)


class SlowUpstream(Upstream):
    """Answers questions for names with "slow" in them, late; no others."""

    def __init__(self, delay):
        self.asked = threading.Event()
        super().__init__(delay=delay)

    def answer_to(self, question):
        if "slow" not in question.name:
            return None
        self.asked.set()
        return super().answer_to(question)


def leaving_with_questions_under_way():
    with Folder() as folder, SlowUpstream(0.5) as upstream:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--forward", upstream.where) as server, \
                connect(server) as over, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(5)
            udp.connect((server.address, server.port))
            request = encode_query(7, "slow.example.org", "A", recurse=True)
            over.sendall(over_tcp(request))
            udp.send(request)
            upstream.asked.wait(5)
            server.send_signal(signal.SIGTERM)
            checks.equal("an answer over UDP that was under way", decode_answer(udp.recv(4096)),
                         (0, ["192.0.2.1"]))
            checks.equal("an answer over TCP that was under way",
                         decode_answer(read_to_end(over)[2:]), (0, ["192.0.2.1"]))
            checks.equal("the exit code with questions under way",
                         server.process.wait(timeout=10), 0)


def telling_the_service_manager():
    with Folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        folder.write("shop/shop.yaml", SHOP)
        manager.bind(str(folder / "notify"))
        manager.settimeout(5)
        os.environ["NOTIFY_SOCKET"] = str(folder / "notify")
        try:
            with Server("--manifests", folder / "shop") as server:
                checks.equal("ready", manager.recv(256), b"READY=1")
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                server.send_signal(signal.SIGUSR1)
                reloading = manager.recv(256).decode().splitlines()
                checks.equal("reloading on SIGUSR1", reloading[0], "RELOADING=1")
                checks.equal("since when", int(reloading[1].removeprefix("MONOTONIC_USEC="))
                             >= before, True)
                checks.equal("ready again", manager.recv(256), b"READY=1")
                checks.equal("it has read again", len(server.wait_for_log("manifests read again"))
                             >= 1, True)
                server.send_signal(signal.SIGTERM)
                checks.equal("stopping", manager.recv(256), b"STOPPING=1")
                checks.equal("the exit code", server.process.wait(timeout=10), 0)
            os.environ["NOTIFY_SOCKET"] = str(folder / "absent")
            with Server("--manifests", folder / "shop") as server:
                checks.equal("a manager that is away is logged, no more",
                             len(server.wait_for_log("NOTIFY_SOCKET")), 1)
        finally:
            del os.environ["NOTIFY_SOCKET"]


leaving_while_asked()
leaving_at_the_limit()
leaving_with_connections()
leaving_with_questions_under_way()
telling_the_service_manager()
checks.finish()
