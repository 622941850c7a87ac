#!/usr/bin/env python3
"""Bad input from the network to the running program: it answers as it should, keeps answering others,
and does not grow."""

import random
import socket
import struct

from harness import ROOT, Checks, Folder, Server

checks = Checks()
WORLD = (ROOT / "tests/data/schema/world.yaml").read_text()
QUESTION = b"\3web\4shop\3svc\7cluster\5local\0" + struct.pack("!HH", 1, 1)


def query(number, question=QUESTION, flags=0x0100, counts=(1, 0, 0, 0), rest=b""):
    return struct.pack("!HHHHHH", number, flags, *counts) + question + rest


def ask(server, packet, wait=0.3):
    """The response, or None when there is silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(wait)
        client.connect((server.address, server.port))
        client.send(packet)
        try:
            return client.recv(65535)
        except socket.timeout:
            return None


def rcode(response):
    return None if response is None else response[3] & 0xF


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def single_packets(server):
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    cookie = b"\0" + struct.pack("!HHIHHHQ", 41, 1232, 0, 12, 10, 8, 1)
    for what, packet, expected in (
            ("a good query", query(1), 0),
            ("eleven octets", query(2)[:11], None),
            ("a response", query(3, flags=0x8100), None),
            ("two questions", query(4, QUESTION * 2, counts=(2, 0, 0, 0)), 1),
            ("no question", query(5, b"", counts=(0, 0, 0, 0)), 1),
            ("no question but a cookie (RFC 7873, 5.4)", query(12, b"", counts=(0, 0, 0, 1), rest=cookie), 0),
            ("octets behind the message", query(6, rest=b"x"), 1),
            ("a pointer to itself", query(7, b"\xc0\x0c\0\1\0\1"), 1),
            ("OPT twice", query(8, counts=(1, 0, 0, 2), rest=opt * 2), 1),
            ("UPDATE", query(9, flags=0x2800), 4),
            ("class CH", query(10, QUESTION[:-2] + b"\0\3"), 5),
            ("an empty datagram", b"", None),
            ("a datagram larger than any query", query(11) + b"\0" * 9000, None)):
        response = ask(server, packet)
        checks.equal(f"{what}: rcode", rcode(response), expected)
        if response:
            checks.equal(f"{what}: id", response[:2], packet[:2])


def a_storm_of_garbage(server, noise):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect((server.address, server.port))
        largest = 0
        for _ in range(20000):
            packet = bytearray(query(noise.randrange(65536), rest=noise.randbytes(noise.randrange(40)),
                                     counts=[noise.randrange(3) for _ in range(4)]))
            for _ in range(noise.randrange(8)):
                packet[noise.randrange(len(packet))] = noise.randrange(256)
            try:
                client.send(packet)
            except (BlockingIOError, ConnectionError):
                pass
            try:
                largest = max(largest, len(client.recv(65535)))
            except (BlockingIOError, ConnectionError):
                pass
    checks.less("the largest answer, in octets", largest, 1233)
    checks.equal("a good query afterwards", rcode(ask(server, query(1), wait=2)), 0)


def tcp_garbage(server, noise):
    for round_number in range(200):
        with socket.create_connection((server.address, server.port), timeout=2) as client:
            message = noise.randbytes(noise.randrange(200))
            length = len(message) if round_number % 2 else noise.randrange(65536)
            try:
                client.sendall(struct.pack("!H", length) + message)
            except ConnectionError:
                pass
    with socket.create_connection((server.address, server.port), timeout=2) as client:
        client.sendall(struct.pack("!H", len(query(77))) + query(77))
        checks.equal("a good query over TCP afterwards", client.recv(4)[2:4], struct.pack("!H", 77))


def memory_under_garbage(server):
    """What leaks grows with every storm; what only fills a buffer for the first time does so once.  A
    storm is 20 000 packets and 200 connections: the limit is seven octets for each."""
    noise = random.Random(1)
    growth = []
    for _ in range(4):
        before = resident_kib(server)
        a_storm_of_garbage(server, noise)
        tcp_garbage(server, noise)
        growth.append(resident_kib(server) - before)
    checks.less(f"growth in KiB, the least of {growth}", min(growth), 128)


with Folder() as folder:
    folder.write("world.yaml", WORLD)
    # One worker: which of several a socket's packets reach is the kernel's choice.
    with Server("--manifests", folder.path, "--workers", "1") as dns:
        single_packets(dns)
        memory_under_garbage(dns)
        # A sanitizer tells here what it has found, leaks too.
        checks.equal("exit code", dns.stop(), 0)
checks.finish()
