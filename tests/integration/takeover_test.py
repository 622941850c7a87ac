#!/usr/bin/env python3
"""A waypost-dns that takes the place of another one under load: nothing is lost, and nothing happens
when it cannot."""

import contextlib
import os
import re
import selectors
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

from harness import DNS_PROGRAM, SHOP, Checks, Folder, Server, decode_answer, encode_query
from upstream import Upstream

checks = Checks()
NAME = "web.shop.svc.cluster.local"
ADDRESS = "10.96.0.7"
FAR_ADDRESS = b"\xc0\0\2\1"  # 192.0.2.1
PATIENCE = 5.0  # Seconds after which a query counts as lost.


class UdpLoad(threading.Thread):
    """Asks each question once, at a steady rate from several ports."""

    def __init__(self, where, per_second, sockets, far=False):
        super().__init__(daemon=True)
        self.per_second, self.far = per_second, far
        self.asked = 0
        self.wrong = []
        self.latencies = []
        self.waiting = {}
        self._enough = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._sockets = []
        for _ in range(sockets):
            each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            each.connect(where)
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ)
            self._sockets.append(each)

    def run(self):
        begin = time.monotonic()
        while not self._enough.is_set():
            now = time.monotonic()
            while begin + self.asked / self.per_second <= now:
                self._ask(now)
            self._take(0.001)
        end = time.monotonic() + PATIENCE
        while self.waiting and time.monotonic() < end:
            self._take(0.01)

    def _ask(self, now):
        number = self.asked & 0xFFFF
        name = f"n{self.asked}.far.example" if self.far else NAME
        each = self._sockets[self.asked % len(self._sockets)]
        self.asked += 1
        self.waiting[(each.fileno(), number)] = now
        each.send(encode_query(number, name, "A", recurse=True))

    def _take(self, patience):
        for key, _ in self._selector.select(patience):
            try:
                while True:
                    message = key.fileobj.recv(4096)
                    asked = self.waiting.pop((key.fd, struct.unpack(">H", message[:2])[0]), None)
                    latency = 0.0 if asked is None else time.monotonic() - asked
                    self.latencies.append(latency)
                    if asked is None or decode_answer(message) != (0, ["192.0.2.1" if self.far else ADDRESS]):
                        self.wrong.append((latency, message))
            except BlockingIOError:
                pass

    def finish(self):
        self._enough.set()
        self.join(timeout=2 * PATIENCE)
        return {"lost": len(self.waiting), "wrong": self.wrong}


class TcpLoad(threading.Thread):
    """Asks one question after the other: all on one connection, or each on its own."""

    def __init__(self, where, keeps):
        super().__init__(daemon=True)
        self.where, self.keeps = where, keeps
        self.asked = self.wrong = 0
        self.latencies = []
        self.problem = None
        self._enough = threading.Event()

    def run(self):
        connection = None
        try:
            while not self._enough.is_set():
                connection = connection or socket.create_connection(self.where, timeout=PATIENCE)
                self.asked += 1
                begin = time.monotonic()
                query = encode_query(self.asked & 0xFFFF, NAME, "A")
                framed = struct.pack(">H", len(query)) + query
                # In two pieces now and then, so that half a query is handed on.
                if self.asked % 8 == 0:
                    connection.sendall(framed[:9])
                    time.sleep(0.002)
                    connection.sendall(framed[9:])
                else:
                    connection.sendall(framed)
                message = self._read(connection, struct.unpack(">H", self._read(connection, 2))[0])
                self.latencies.append(time.monotonic() - begin)
                self.wrong += decode_answer(message) != (0, [ADDRESS])
                if not self.keeps:
                    connection.close()
                    connection = None
                time.sleep(0.001)
        except OSError as error:
            self.problem = f"query {self.asked}: {error!r}"

    @staticmethod
    def _read(connection, size):
        data = b""
        while len(data) < size:
            part = connection.recv(size - len(data))
            if not part:
                raise ConnectionError("closed without an answer")
            data += part
        return data

    def finish(self):
        self._enough.set()
        self.join(timeout=2 * PATIENCE)
        return {"problem": self.problem, "wrong": self.wrong}


def siphash(key, data):
    """SipHash-2-4 as server cookies have it (RFC 9018, 4.4)."""
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<2Q", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def turn(value, by):
        return (value << by | value >> (64 - by)) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    whole = data + b"\0" * (-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", whole):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


def secret_of(path):
    """What a process hands on for its cookies, as one that takes over and dies would get it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.settimeout(5)
        peer.connect(str(path))
        peer.send(b"H\x01")
        while (message := peer.recv(1024))[:1] != b"K":
            pass
    return message[1:]


def has_cookie_of(server, secret):
    """Whether the cookie that it gives is one of this secret."""
    text = server.dig(NAME, "A", "+cookie=0123456789abcdef").text
    cookie = bytes.fromhex(next(line.split()[2] for line in text.splitlines() if line.startswith("; COOKIE: ")))
    return siphash(secret, cookie[:16] + socket.inet_aton("127.0.0.1")) == cookie[16:]


def under_load():
    """Three times in a row, with other numbers of workers each time."""
    with Folder() as folder, Folder() as run, contextlib.ExitStack() as running:
        upstream = running.enter_context(Upstream(ttl=0, delay=0.1))  # Some questions are always under way.
        folder.write("shop.yaml", SHOP)
        arguments = ["--manifests", folder.path, "--forward", upstream.where, "--takeover-socket",
                     run / "takeover", "--lameduck", "0s", "--metrics-listen", "127.0.0.1:0"]
        servers = [running.enter_context(Server(*arguments, "--workers", 2))]
        mode = os.stat(run / "takeover")
        checks.equal("the socket is its user's alone", stat.filemode(mode.st_mode), "srw-------")
        where = (servers[0].address, servers[0].port)
        secret = secret_of(run / "takeover")
        checks.equal("a cookie of the first one", has_cookie_of(servers[0], secret), True)
        servers[0].wait_for_log("this one goes on")
        loads = {"UDP": UdpLoad(where, 3000, 16), "UDP, elsewhere": UdpLoad(where, 200, 4, far=True)}
        loads |= {f"TCP, kept {i}": TcpLoad(where, True) for i in range(4)}
        loads |= {f"TCP, new {i}": TcpLoad(where, False) for i in range(2)}
        for load in loads.values():
            load.start()
        for workers in (3, 1, 2):
            time.sleep(0.7)
            servers.append(running.enter_context(Server(*arguments, "--workers", workers, "--takeover")))
            old, new = servers[-2:]
            checks.equal(f"{workers} workers: the old one ends with", old.process.wait(timeout=20),
                         0)
            checks.equal(f"{workers} workers: the new one has its address",
                         (new.address, new.port), where)
            checks.equal(f"{workers} workers: and its other sockets",
                         [line for line in new.out if "http" in line],
                         [line for line in old.out if "http" in line])
            checks.equal(f"{workers} workers: it knows when it is alone",
                         len(new.wait_for_log("the process before has ended")), 1)
        time.sleep(0.7)
        results = {name: load.finish() for name, load in loads.items()}
        for name, result in results.items():
            expected = ({"lost": 0, "wrong": []} if name.startswith("UDP") else
                        {"problem": None, "wrong": 0})
            checks.equal(f"{name}: what became of {loads[name].asked} queries", result, expected)
            checks.equal(f"{name}: there were many", loads[name].asked > 100, True)
        checks.equal("cookies stay good", has_cookie_of(servers[-1], secret), True)
        checks.equal("the last one can be followed, too", (run / "takeover").is_socket(), True)
        checks.equal("the last one ends with", servers[-1].stop(), 0)
        checks.equal("and removes its socket", list(run.path.iterdir()), [])


def by_signal():
    """SIGUSR2 starts the program that stands where this one stood, with its arguments."""
    with Folder() as folder, Folder() as run, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        folder.write("shop.yaml", SHOP)
        notify.bind(str(run / "notify"))
        notify.settimeout(10)
        os.environ["NOTIFY_SOCKET"] = str(run / "notify")
        try:
            server = Server("--manifests", folder.path, "--takeover-socket", run / "takeover",
                            "--workers", 1)
        finally:
            del os.environ["NOTIFY_SOCKET"]
        with server:
            checks.equal("the first one is ready", notify.recv(4096), b"READY=1")
            load = UdpLoad((server.address, server.port), 1000, 4)
            load.start()
            server.send_signal(signal.SIGUSR2)
            checks.equal("the old one ends with", server.process.wait(timeout=20), 0)
            main = notify.recv(4096)
            checks.matches("the service has another main process", main.decode(), r"^MAINPID=\d+$")
            successor = int(main.decode().split("=")[1])
            try:
                checks.equal("which is ready", notify.recv(4096), b"READY=1")
                command = open(f"/proc/{successor}/cmdline", "rb").read().split(b"\0")
                checks.equal("it has the same arguments and one more",
                             command[-4:], [b"--workers", b"1", b"--takeover", b""])
                checks.equal("nothing is lost", load.finish(), {"lost": 0, "wrong": []})
                # Again, now that --takeover stands there already.
                os.kill(successor, signal.SIGUSR2)
                second = int(notify.recv(4096).decode().split("=")[1])
                checks.equal("once more", second not in (successor, server.process.pid), True)
                successor = second
                checks.equal("which is ready, too", notify.recv(4096), b"READY=1")
            finally:
                os.kill(successor, signal.SIGTERM)
                checks.equal("it ends as a service does", notify.recv(4096), b"STOPPING=1")


def in_vain():
    """A new process that cannot take over leaves the old one as it is."""
    with Folder() as folder, Folder() as run:
        folder.write("shop.yaml", SHOP)
        path = run / "takeover"
        arguments = ["--manifests", str(folder.path), "--takeover-socket", str(path),
                     "--metrics-listen", "127.0.0.1:0"]

        def start(*more):
            return subprocess.run([DNS_PROGRAM, "--listen", "127.0.0.1:0", *more],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)

        done = start(*arguments, "--takeover")
        checks.equal("nobody is there", (done.returncode, done.stdout), (1, ""))
        checks.contains("and it says so", done.stderr, f"--takeover: {path}: found no process that listens")
        done = start("--manifests", str(folder.path), "--takeover")
        checks.contains("no socket is named", done.stderr, "--takeover: found no takeoverSocket")
        # What somebody left who was killed is replaced; a file is not.
        left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        left.bind(str(path))
        left.close()
        with socket.create_server(("127.0.0.1", 0)) as taken, Server(*arguments) as server:
            busy = f"127.0.0.1:{taken.getsockname()[1]}"
            load = UdpLoad((server.address, server.port), 1000, 4)
            load.start()
            done = start(*arguments)
            checks.contains("a second one does not take the path", done.stderr,
                            "found another process that listens there")
            done = start(*arguments, "--takeover", "--metrics-listen", busy)
            checks.equal("a port is in use", done.returncode, 1)
            checks.contains("and it says so", done.stderr, f"cannot listen on {busy} (TCP)")
            checks.equal("the old one says that it goes on",
                         len(server.wait_for_log("before it has taken over; this one goes on")), 1)
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            peer.connect(str(path))
            peer.send(b"H\x01")
            peer.recv(1024)
            other = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            other.settimeout(5)
            other.connect(str(path))
            checks.equal("one at a time", other.recv(1024),
                         b"Ranother process is about to take over")
            peer.close()
            other.close()
            checks.equal("one is killed, and the old one goes on",
                         len(server.wait_for_log("this one goes on", count=2)), 2)
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            peer.settimeout(5)
            peer.connect(str(path))
            peer.send(b"H\x07")
            checks.contains("another version is refused", peer.recv(1024).decode(), "expected version 1")
            peer.send(b"G")
            checks.contains("and one that has not got anything", peer.recv(1024).decode(), "out of order")
            peer.close()
            checks.equal("all of this is counted", failures_of(server),
                         {"refused": 3, "abandoned": 2, "successor": 0})
            checks.equal("and answers", server.dig(NAME).values(), [ADDRESS])
            checks.equal("nothing is lost", load.finish(), {"lost": 0, "wrong": []})
            with Server(*arguments, "--takeover") as next_one:
                checks.equal("one that can takes over all the same", server.process.wait(timeout=20), 0)
                checks.equal("and answers", next_one.dig(NAME).values(), [ADDRESS])
        path.unlink(missing_ok=True)
        path.write_text("mine")
        done = start(*arguments)
        checks.contains("a file is not replaced", done.stderr, "found a file, expected a socket or nothing")
        checks.equal("it is still there", path.read_text(), "mine")


def failures_of(server):
    """By reason, as its metrics say."""
    found = re.findall(r'^waypost_takeover_failures_total{reason="(\w+)"} (\d+)$', server.metrics(), re.MULTILINE)
    return {reason: int(count) for reason, count in found}


def while_the_old_one_ends():
    with Folder() as folder, Folder() as run:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--takeover-socket", run / "takeover",
                    "--lameduck", "30s") as server:
            server.send_signal(signal.SIGTERM)
            server.wait_for_log("stopping on SIGTERM")
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            peer.settimeout(5)
            peer.connect(str(run / "takeover"))
            peer.send(b"H\x01")
            checks.equal("one that ends hands on nothing", peer.recv(1024), b"Rthis process is ending")
            peer.close()
            checks.equal("and ends", server.process.wait(timeout=20), 0)


def as_nobody(act):
    """Has a process of another user do something. Returns its number, and a file with what act()
    returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            said = act()
        except OSError as error:
            said = repr(error)
        os.write(writer, said.encode())
        signal.pause()  # With its sockets.
    os.close(writer)
    return child, os.fdopen(reader)


def of_another_user():
    """What the mode of the socket keeps out is kept out without it, too, on both sides."""
    if os.geteuid() != 0:
        checks.skip("processes of another user: only root can have some")
        return
    with Folder() as folder, Folder() as run:
        folder.write("shop.yaml", SHOP)
        os.chmod(run.path, 0o777)
        path = run / "takeover"

        def ask():
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            peer.settimeout(5)
            peer.connect(str(path))
            return peer.recv(1024).decode()

        def listen():
            traps.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            traps[0].bind(str(run / "trap"))
            traps[0].listen()
            return "listens"

        def said_by(act):
            child, said = as_nobody(act)
            children.append(child)
            with said:
                return os.read(said.fileno(), 1024).decode()

        children, traps = [], []
        try:
            with Server("--manifests", folder.path, "--takeover-socket", path) as server:
                checks.contains("its mode keeps others out", said_by(ask), "PermissionError")
                os.chmod(path, 0o777)
                checks.equal("and who they are does", said_by(ask),
                             "Rfound a process of another user, expected one of this user or of root")
                checks.equal("it answers", server.dig(NAME).values(), [ADDRESS])
            checks.equal("another user has a socket", said_by(listen), "listens")
            done = subprocess.run([DNS_PROGRAM, "--listen", "127.0.0.1:0", "--manifests", folder.path,
                                   "--takeover-socket", run / "trap", "--takeover"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
            checks.contains("nothing is taken from there", done.stderr,
                            "found a process of another user there")
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def with_a_broken_successor():
    """The program on the disk does not work any more: the one that runs goes on."""
    with Folder() as folder, Folder() as run:
        folder.write("shop.yaml", SHOP)
        config = folder.write("waypost.yaml", f"manifests: {folder.path}\ntakeoverSocket: {run / 'takeover'}\n")
        with Server(config=config) as server:
            config.write_text("ttl: none\n")
            server.send_signal(signal.SIGUSR2)
            checks.equal("it says what became of the new one", len(server.wait_for_log(
                "has ended with 1 without having taken over; this one goes on", 10)), 1)
            checks.equal("and answers", server.dig(NAME).values(), [ADDRESS])
        with Server("--manifests", folder.path) as server:
            server.send_signal(signal.SIGUSR2)
            checks.equal("without a socket nothing is started", len(server.wait_for_log(
                "SIGUSR2: found no takeoverSocket in use")), 1)
            checks.equal("and it answers", server.dig(NAME).values(), [ADDRESS])


def as_the_first_process():
    """In a container, which ends with its first process."""
    with Folder() as folder, Folder() as run:
        folder.write("shop.yaml", SHOP)

        class First(Server):
            def start(self, command, **options):
                return super().start(["unshare", "--pid", "--fork", "--kill-child", *command], **options)

        try:
            server = First("--manifests", folder.path, "--takeover-socket", run / "takeover")
        except RuntimeError as error:
            if "unshare" not in str(error) or "ermitted" not in str(error):
                raise
            checks.skip("PID 1: this host lets nobody have a PID namespace")
            return
        with server:
            children = open(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read()
            os.kill(int(children.split()[0]), signal.SIGUSR2)
            checks.equal("PID 1 refuses and says why", len(server.wait_for_log(
                "SIGUSR2: found this process to be the first of its container (PID 1)")), 1)
            checks.equal("and answers", server.dig(NAME).values(), [ADDRESS])


if __name__ == "__main__":
    under_load()
    by_signal()
    in_vain()
    while_the_old_one_ends()
    of_another_user()
    with_a_broken_successor()
    as_the_first_process()
    checks.finish()
