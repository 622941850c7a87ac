"""The servers that dns_bench.py measures, each as processes of their own on cores of their own."""

import getpass
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import BUILD, DNS_PROGRAM, decode_answer, encode_query, free_port  # noqa: E402

LOAD = BUILD / "tests" / "bench" / "waypost-bench-load"
CORES = sorted(os.sched_getaffinity(0))
ZONE = "cluster.local"
PROBE = "svc-1.ns-1.svc.cluster.local"  # Of the world: every server must know it.
START_TIMEOUT = 60  # Seconds.
TICKS = os.sysconf("SC_CLK_TCK")


class NoServer(Exception):
    """Why a server is not measured."""


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def pinned(cores, command):
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]


def family_of(pid):
    """A process and those that it started, and they."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:  # Gone meanwhile.
            continue
        parents[int(entry.parent.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


class Measured:
    """A running server: `name`, `version`, `port`."""

    name = ""
    title = ""

    def __init__(self, folder, zone, workers, cores):
        """`folder`: an empty one of its own; `zone`: the zone's file."""
        self.port = free_port()
        self.folder = pathlib.Path(folder)
        self._log = open(self.folder / "log", "w+", encoding="utf-8", errors="replace")
        self.process = None
        program = self.program()
        if program is None:
            raise NoServer("not installed")
        self.version = self.version_of(program)
        command = self.command(program, pathlib.Path(zone), workers)
        self.process = subprocess.Popen(pinned(cores, command), stdin=subprocess.DEVNULL,
                                        stdout=self._log, stderr=self._log, cwd=self.folder)
        started = time.monotonic()
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - started > START_TIMEOUT:
                self.stop()
                raise NoServer(f"did not start: {self.log()[-500:]}")
            time.sleep(0.1)

    def program(self):
        return shutil.which(self.name, path=os.environ.get("PATH", "") + ":/usr/sbin")

    def version_of(self, program):
        done = subprocess.run([program, *self.version_flags], capture_output=True, text=True, timeout=10,
                              check=False)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        return found.group(0) if found else ""

    version_flags = ("-V",)

    def configuration(self, text):
        file = self.folder / "configuration"
        file.write_text(text)
        return file

    def log(self):
        self._log.flush()
        return (self.folder / "log").read_text(errors="replace")

    def is_ready(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect(("127.0.0.1", self.port))
            try:
                client.send(encode_query(1, PROBE, "A"))
                rcode, records = decode_answer(client.recv(4096))
            except OSError:
                return False
            return rcode == 0 and len(records) == 1

    def cpu_seconds(self):
        """Of all its processes so far, kernel included."""
        ticks = 0
        for pid in family_of(self.process.pid):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def resident_mib(self):
        """VmRSS; of several processes together, with what they share counted once (Pss)."""
        pids = family_of(self.process.pid)
        file, field = ("status", "VmRSS") if len(pids) == 1 else ("smaps_rollup", "Pss")
        kib = 0
        for pid in pids:
            text = pathlib.Path(f"/proc/{pid}/{file}").read_text()
            kib += int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE).group(1))
        return kib / 1024

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                for pid in reversed(family_of(self.process.pid)):
                    os.kill(pid, 9)
                self.process.wait()


class Echo(Measured):
    name = "echo"
    title = "bare UDP echo"
    answers_dns = False

    def program(self):
        return LOAD

    def version_of(self, program):
        return ""

    def command(self, program, zone, workers):
        return [program, "--serve-echo", f"127.0.0.1:{self.port}", "--workers", workers]

    def is_ready(self):
        return "listening on" in self.log()


class Waypost(Measured):
    """Over the folder of manifests that stands beside the zone's file; the built-in zones are loaded."""

    name = "waypost"
    title = "waypost-dns"
    version_flags = ("--version",)

    def program(self):
        return DNS_PROGRAM

    def command(self, program, zone, workers):
        return [program, "--manifests", zone.parent / "world", "--listen", f"127.0.0.1:{self.port}",
                "--workers", workers, "--transfer-allow", "127.0.0.0/8"]

    def write_zone(self, file):
        """Writes the zone as its transfer gives it."""
        with open(file, "w", encoding="utf-8") as out:
            subprocess.run(["dig", "@127.0.0.1", "-p", str(self.port), "+onesoa", "+nocmd", "+nostats",
                            "+nocomments", ZONE, "AXFR"], stdout=out, timeout=120, check=True)


class Knot(Measured):
    name = "knotd"
    title = "Knot DNS"

    def command(self, program, zone, workers):
        return [program, "-c", self.configuration(f"""\
server:
  listen: 127.0.0.1@{self.port}
  rundir: {self.folder}
  pidfile: {self.folder}/pid
  udp-workers: {workers}
  tcp-workers: {workers}
  background-workers: 1
database:
  storage: {self.folder}
log:
  - target: stderr
    any: warning
zone:
  - domain: {ZONE}
    file: {zone}
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
""")]


class Nsd(Measured):
    name = "nsd"
    title = "NSD"
    version_flags = ("-v",)

    def command(self, program, zone, workers):
        # Without rrl-ratelimit, 200 answers a second to one client are all.
        return [program, "-d", "-c", self.configuration(f"""\
server:
  ip-address: 127.0.0.1@{self.port}
  server-count: {workers}
  reuseport: yes
  username: {getpass.getuser()}
  zonesdir: "{self.folder}"
  database: ""
  pidfile: "{self.folder}/pid"
  xfrdfile: "{self.folder}/xfrd"
  zonelistfile: "{self.folder}/zones"
  rrl-ratelimit: 0
  receive-buffer-size: 4194304
  send-buffer-size: 4194304
  minimal-responses: yes
  tcp-query-count: 0
remote-control:
  control-enable: no
zone:
  name: {ZONE}
  zonefile: "{zone}"
""")]


class Bind(Measured):
    name = "named"
    title = "BIND 9"

    def command(self, program, zone, workers):
        # Without max-records-per-type, a name may have 100 addresses.
        return [program, "-g", "-n", workers, "-c", self.configuration(f"""\
options {{
  directory "{self.folder}";
  pid-file "{self.folder}/pid";
  lock-file none;
  session-keyfile none;
  listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion no;
  minimal-responses yes;
  dnssec-validation no;
  allow-query {{ any; }};
  max-records-per-type 0;
}};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{zone}"; notify no; check-names ignore; }};
""")]


class Unbound(Measured):
    name = "unbound"
    title = "Unbound"

    def command(self, program, zone, workers):
        return [program, "-d", "-p", "-c", self.configuration(f"""\
server:
  interface: 127.0.0.1@{self.port}
  access-control: 127.0.0.0/8 allow
  num-threads: {workers}
  so-reuseport: yes
  so-rcvbuf: 4m
  so-sndbuf: 4m
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  minimal-responses: yes
  incoming-num-tcp: 100
remote-control:
  control-enable: no
auth-zone:
  name: {ZONE}
  zonefile: "{zone}"
  for-downstream: yes
  for-upstream: no
  fallback-enabled: no
""")]


PEERS = (Knot, Nsd, Bind, Unbound)
