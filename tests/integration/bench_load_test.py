#!/usr/bin/env python3
"""The load generator of the benchmark: a wrong answer never counts as an answer.  Nothing here is
about speed."""

import json
import socket
import struct
import subprocess
import threading
import time

from harness import BUILD, Checks, Folder, Server

LOAD = BUILD / "tests" / "bench" / "waypost-bench-load"
WORLD = ("--services", "40", "--endpoints", "3")
COUNT = 300

checks = Checks()


def load(port, *options, count=COUNT, seconds=20, window=64):
    """Runs the program to its end.  Returns its exit code and what it printed.  The window fits into any socket's
    buffer, so that nothing is lost by chance."""
    done = subprocess.run([str(LOAD), f"127.0.0.1:{port}", *WORLD, "--seconds",
                           str(seconds), "--count", str(count), "--window",
                           str(window), *options], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def counts(result):
    code, told = result
    return (code, *(told[key] for key in ("answers", "wrong", "lost")))


class Peer:
    """A server on loopback that answers each request with reply(request): a list of datagrams."""

    def __init__(self, reply):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._stop = False
        self._thread = threading.Thread(target=self._run, args=(reply,))
        self._thread.start()

    def _run(self, reply):
        while not self._stop:
            try:
                request, client = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            for answer in reply(request):
                self._socket.sendto(answer, client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop = True
        self._thread.join()
        self._socket.close()


def question_end(request):
    at = 12
    while request[at] != 0:
        at += request[at] + 1
    return at + 5


def answer(request, flags=0x8400, rcode=0, records=1, number=None):
    """An answer with A records to a question of the mix `hits`."""
    end = question_end(request)
    header = struct.pack(">6H", number if number is not None else int.from_bytes(request[:2]),
                         flags | rcode, 1, records, 0, 0)
    record = struct.pack(">HHHIH4s", 0xC00C, 1, 1, 5, 4, bytes(4))
    return header + request[12:end] + record * records


def other_question(request):
    return request[:13] + bytes([request[13] ^ 1]) + request[14:]


def answers_of_waypost():
    with Folder() as folder:
        done = subprocess.run([str(LOAD), *WORLD, "--write-world", str(folder.path)],
                              capture_output=True, text=True, timeout=60, check=False)
        checks.equal("the world is written", (done.returncode, done.stderr), (0, ""))
        with Server("--manifests", folder.path) as dns:
            checks.equal("its objects are all served", dns.out[1],
                         "43 services, 1230 endpoints, 103 namespaces, 0 pods, 101 static zones")
            right = (0, COUNT, 0, 0)
            for mix in ("cluster", "hits", "nxdomain", "headless-10", "headless-100",
                        "headless-1000"):
                for edns in ("as-mix", "all", "none"):
                    checks.equal(f"{mix}, EDNS {edns}, over UDP",
                                 counts(load(dns.port, "--mix", mix, "--edns", edns)), right)
                checks.equal(f"{mix} over TCP", counts(load(dns.port, "--mix", mix, "--tcp")), right)
            checks.equal("at a rate", counts(load(dns.port, "--rate", "3000")), right)
            checks.equal("over several sockets", counts(load(dns.port, "--sockets", "7")), right)
            checks.equal("over several connections",
                         counts(load(dns.port, "--sockets", "3", "--tcp")), right)
            dns.process.terminate()
            dns.process.wait(timeout=10)
            code, told = load(dns.port, seconds=0.2)
            checks.equal("a server that is gone is a failure", (code, told["answers"]), (1, 0))


def answers_that_are_wrong():
    hits = ("--mix", "hits")
    # Headless Services have three addresses, so that not every answer with one record is right.
    few = load_with(lambda request: [answer(request)], *hits)
    checks.equal("a record too few is found", few[0] == 1 and few[2] > 0 and few[1] > 0, True)
    for what, reply in (
            ("another rcode", lambda request: [answer(request, rcode=2)]),
            ("no record", lambda request: [answer(request, records=0)]),
            ("too many records", lambda request: [answer(request, records=4)]),
            ("TC without need", lambda request: [answer(request, flags=0x8600)]),
            ("another question", lambda request: [answer(other_question(request))]),
            ("the request", lambda request: [request])):
        checks.equal(f"{what}: wrong, each time", load_with(reply, *hits), (1, 0, COUNT, 0))
    got = load_with(lambda request: [answer(request, rcode=3)] * 2, "--mix", "hits", window=1)
    checks.equal("an answer that comes twice is one more wrong one", got[2] > COUNT, True)
    got = load_with(lambda request: [answer(request, number=60000)], "--mix", "hits", count=20)
    checks.equal("answers with another id leave the question lost", got, (1, 0, 20, 20))
    got = load_with(lambda request: [b"\0"], "--mix", "hits", count=20)
    checks.equal("so do answers that are too short", got, (1, 0, 20, 20))
    checks.equal("no answer at all", load_with(lambda request: [], count=20), (1, 0, 0, 20))
    got = load_with(lambda request: [answer(request, records=100)], "--mix", "headless-100", count=20)
    checks.equal("an answer that should be truncated and is not", got, (1, 0, 20, 0))
    got = load_with(lambda request: [answer(request, flags=0x8600, records=3)], "--mix",
                    "headless-100", count=20)
    checks.equal("one that is truncated as it has to be", got, (0, 20, 0, 0))


def load_with(reply, *options, **settings):
    with Peer(reply) as peer:
        return counts(load(peer.port, *options, **settings))


def answers_of_an_echo():
    echo = subprocess.Popen([str(LOAD), "--serve-echo", "127.0.0.1:0", "--workers", "2"],
                            stdout=subprocess.PIPE, text=True)
    try:
        port = int(echo.stdout.readline().rpartition(":")[2])
        checks.equal("requests that come back are right for an echo",
                     counts(load(port, "--echo", "--sockets", "5")), (0, COUNT, 0, 0))
        checks.equal("and wrong for a server", counts(load(port)), (1, 0, COUNT, 0))
    finally:
        echo.kill()
        echo.wait()
        echo.stdout.close()


def latencies():
    stall = 0.2

    def late(request, state=[]):
        if not state:
            state.append(True)
            time.sleep(stall)
        return [answer(request, flags=0x8600, records=0)]

    with Peer(late) as peer:
        code, told = load(peer.port, "--mix", "headless-100", "--rate", "1000", count=100,
                          window=1)
    checks.equal("all are answered", (code, told["answers"]), (0, 100))
    checks.less("what a stall holds up is late, from when it was due", 1e6 * stall / 2,
                told["p50_us"])
    checks.equal("percentiles do not fall",
                 told["p50_us"] <= told["p99_us"] <= told["p999_us"], True)
    checks.less("the stall is the longest", 1e6 * stall, told["p999_us"] * 1.001)


def connections_that_end():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def hang_up():
            listener.settimeout(10)
            client, _ = listener.accept()
            client.recv(2)
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        code, told = load(port, "--tcp", count=10)
        thread.join()
    checks.equal("a connection that the server ends: no figures", code, 1)
    checks.matches("and why", told, "the server has closed the connection|reading from the server")
    code, told = load(port, "--tcp", count=10)
    checks.equal("nobody listens: no figures", code, 1)
    checks.contains("and where", told, f"connect to 127.0.0.1:{port}: Connection refused")


def options_that_do_not_fit():
    for options, said in ((("--tcp", "--rate", "5"), "--tcp goes neither with"),
                          (("--serve-echo", "127.0.0.1:0"), "needs one of")):
        code, told = load(1, *options)
        checks.equal(f"{options[0]}: refused", code, 1)
        checks.contains(f"{options[0]}: and why", told, said)


answers_of_waypost()
answers_that_are_wrong()
answers_of_an_echo()
latencies()
connections_that_end()
options_that_do_not_fit()
checks.finish()
