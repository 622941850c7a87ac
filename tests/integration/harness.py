"""Runs the real waypost-dns and asks it with the real dig.

A test script makes checks with a Checks object and ends with checks.finish(). Every server runs on a
port of the kernel's choice, over a temporary folder, and is ended by its own process id.

The programs are taken from the build folder that WAYPOST_BUILD_DIR names, or from build/.
"""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WAYPOST_BUILD_DIR", ROOT / "build"))
DNS_PROGRAM = BUILD / "src" / "programs" / "waypost-dns"
TOOL_PROGRAM = BUILD / "src" / "programs" / "waypost"

START_TIMEOUT = 10  # Seconds until a server has to be ready or gone.


class Checks:
    """Counts what holds and what does not, and shows every check that fails."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def skip(self, reason):
        """Says loudly that something cannot be tested here."""
        self.skipped += 1
        print(f"skipped: {reason}")

    def _count(self, holds, asked, expected, got):
        if holds:
            self.passed += 1
            print(f"ok: {asked}")
        else:
            self.failed += 1
            print(f"FAILED: {asked}\n  expected: {expected}\n  got:      {got}")
        return holds

    def equal(self, asked, got, expected):
        return self._count(got == expected, asked, repr(expected), repr(got))

    def contains(self, asked, text, part):
        return self._count(part in text, asked, f"a text with {part!r}", repr(text))

    def lacks(self, asked, text, part):
        return self._count(part not in text, asked, f"a text without {part!r}", repr(text))

    def matches(self, asked, text, pattern):
        found = re.search(pattern, text, re.MULTILINE) is not None
        return self._count(found, asked, f"a text that matches {pattern!r}", repr(text))

    def less(self, asked, got, limit):
        return self._count(got < limit, asked, f"less than {limit}", got)

    def finish(self):
        """Prints the closing line and ends the script."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}")
        sys.exit(1 if self.failed or not self.passed + self.skipped else 0)


class Folder:
    """A temporary folder, removed at the end of a with block."""

    def __init__(self, copy_of=None):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="waypost-"))
        if copy_of is not None:
            shutil.copytree(copy_of, self.path, dirs_exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def __truediv__(self, name):
        return self.path / name

    def write(self, name, text):
        """Writes a file in place, with the folders that lead to it."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def replace(self, name, text):
        """Writes beside the file and renames over it, as careful editors do."""
        beside = self.path / (name + ".new")
        beside.write_text(text)
        os.replace(beside, self.path / name)


class Answer:
    """What dig printed, taken apart."""

    def __init__(self, text):
        self.text = text
        status = re.search(r"status: (\w+)", text)
        self.status = status.group(1) if status else "NONE"
        flags = re.search(r"^;; flags: ([a-z ]*);", text, re.MULTILINE)
        self.flags = flags.group(1).split() if flags else []
        self.answer = self._section("ANSWER")
        self.authority = self._section("AUTHORITY")
        self.additional = self._section("ADDITIONAL")

    def _section(self, name):
        found = re.search(rf"^;; {name} SECTION:\n((?:[^\n]+\n)*)", self.text, re.MULTILINE)
        lines = found.group(1).splitlines() if found else []
        return [" ".join(line.split()) for line in lines if not line.startswith(";")]

    def values(self):
        """The data of the answer's records, sorted."""
        return sorted(" ".join(record.split()[4:]) for record in self.answer)


def message_of(line):
    """What a printed line says, whether it is text or JSON."""
    return json.loads(line)["message"] if line.startswith("{") else line


class Server:
    """A running waypost-dns, ready to be asked; stopped at the end of a with block.

    It counts as ready once it has printed a line that matches `ready`.
    """

    def __init__(self, *arguments, config=None, listen=("127.0.0.1:0",), cwd=None, ready="ready"):
        command = [str(DNS_PROGRAM)]
        if config is not None:
            command += ["--config", str(config)]
        if listen:
            command += ["--listen", ",".join(listen)]
        command += [str(argument) for argument in arguments]
        self.process = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  cwd=cwd)
        self.out = []  # Lines of stdout so far.
        self.log = []  # Lines of stderr so far.
        self._news = threading.Condition()
        self._readers = [self._read(self.process.stdout, self.out),
                         self._read(self.process.stderr, self.log)]
        if not self.wait_for(lambda: any(re.fullmatch(ready, message_of(line)) for line in self.out)
                             or self.process.poll() is not None,
                             START_TIMEOUT) or self.process.poll() is not None:
            self.kill()
            raise RuntimeError(f"{command} did not become ready\n" + "\n".join(self.out + self.log))
        self.addresses = []
        for line in self.out:
            found = re.fullmatch(r"listening on (.+):(\d+) \(udp, tcp\)", message_of(line))
            if found:
                self.addresses.append((found.group(1).strip("[]"), int(found.group(2))))
        self.address, self.port = self.addresses[0]

    def start(self, command, **options):
        """For those who start it in another way."""
        return subprocess.Popen(command, **options)

    def _read(self, stream, lines):
        def follow():
            for line in stream:
                with self._news:
                    lines.append(line.rstrip("\n"))
                    self._news.notify_all()
            with self._news:
                self._news.notify_all()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        return thread

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def wait_for(self, condition, timeout=2.0):
        """Waits until a condition over out and log holds. Returns whether it does."""
        end = time.monotonic() + timeout
        with self._news:
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._news.wait(min(left, 0.05))
        return True

    def wait_for_log(self, part, timeout=2.0, count=1):
        """Waits until `count` lines of the log hold `part`; returns all lines that do."""
        self.wait_for(lambda: sum(part in line for line in self.log) >= count, timeout)
        return [line for line in self.log if part in line]

    def dig(self, name, qtype="A", *options, address=None, port=None):
        """Asks once with dig. Options are dig's: "+tcp", "+bufsize=512"."""
        command = ["dig", f"@{address or self.address}", "-p", str(port or self.port), "+tries=1",
                   "+time=2", "+norecurse", *options]
        command += ["-x", name] if qtype == "-x" else ["-q", name, "-t", qtype]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return Answer(done.stdout)

    def metrics(self):
        """What it counts now, as a scrape has it; total() adds its samples up."""
        told = map(message_of, self.out)
        place = next(line.split(" on ")[1] for line in told if line.startswith("metrics on "))
        with urllib.request.urlopen(place, timeout=5) as reply:
            return reply.read().decode()

    def poll(self, name, qtype, wanted, timeout=2.0, interval=0.002):
        """Asks over one UDP socket until wanted(rcode, records) holds. Returns the seconds that it
        took, or None. `records` is the data of the answer section, A and AAAA as text."""
        start = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((self.address, self.port))
            number = 0
            while time.monotonic() - start < timeout:
                number = (number + 1) & 0xFFFF
                client.send(encode_query(number, name, qtype))
                if select.select([client], [], [], 0.2)[0]:
                    rcode, records = decode_answer(client.recv(4096))
                    if wanted(rcode, records):
                        return time.monotonic() - start
                time.sleep(interval)
        return None

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self, number=signal.SIGTERM):
        """Ends the server as an operator does. Returns its exit code."""
        self.send_signal(number)
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "killed after 10 s"
        for reader in self._readers:
            reader.join(timeout=2)
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(timeout=2)
        self.process.stdout.close()
        self.process.stderr.close()


def total(scrape, pattern):
    """The sum of the samples of a scrape whose name and labels match, of which there has to be one."""
    values = re.findall(rf"^{pattern} (\S+)$", scrape, re.MULTILINE)
    if not values:
        raise LookupError(f"no metric matches {pattern}")
    return sum(map(float, values))


def wait_until(condition, timeout=5.0, step=0.01):
    """Returns the seconds that it took, or None."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout:
            return None
        time.sleep(step)
    return time.monotonic() - start


TYPES = {"A": 1, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}


def encode_query(number, name, qtype, recurse=False):
    """One question, class IN, without EDNS (RFC 1035, 4.1); `recurse`: recursion is desired."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split("."))
    return struct.pack(">6H", number, 0x0100 if recurse else 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(
        ">2H", TYPES[qtype], 1)


def skip_name(message, at):
    while message[at] != 0:
        if message[at] >= 0xC0:
            return at + 2
        at += message[at] + 1
    return at + 1


def decode_answer(message):
    """The rcode, and the answer section's data: addresses as text, the rest as bytes."""
    _, flags, questions, answers = struct.unpack(">4H", message[:8])
    at = 12
    for _ in range(questions):
        at = skip_name(message, at) + 4
    records = []
    for _ in range(answers):
        at = skip_name(message, at)
        rtype, _, _, size = struct.unpack(">HHIH", message[at:at + 10])
        data = message[at + 10:at + 10 + size]
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(rtype)
        records.append(socket.inet_ntop(family, data) if family else data)
        at += 10 + size
    return flags & 15, records


def examples(page):
    """(command, expected lines) of every console block."""
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            yield command, expected


def free_port():
    """A port that nobody has at the moment, over UDP and TCP."""
    for _ in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return udp.getsockname()[1]
    raise RuntimeError("no port is free for UDP and TCP")


def musl_lookup(checks, folder):
    """A program in `folder` that looks names up with musl, or None where there is no musl."""
    if shutil.which("musl-gcc") is None:
        checks.skip("musl-gcc is not installed")
        return None
    program = pathlib.Path(folder) / "musl-lookup"
    if not program.exists():
        subprocess.run(["musl-gcc", "-static", "-O1", "-o", program, ROOT / "tests/support/lookup.c"], check=True)
    return program


def run(program, *arguments, timeout=20, cwd=None):
    """Runs a program to its end. Returns (exit code, stdout, stderr)."""
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, cwd=cwd, check=False)
    return done.returncode, done.stdout, done.stderr


SHOP = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.7
  ports:
  - {name: http, port: 80, protocol: TCP}
"""


def service(name, address, namespace="shop"):
    """A manifest of one ClusterIP Service."""
    return SHOP.replace("name: web", f"name: {name}").replace("10.96.0.7", address).replace(
        "namespace: shop", f"namespace: {namespace}")
