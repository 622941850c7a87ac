#!/usr/bin/env python3
"""Names that a real name server, Unbound, has: forwarded over UDP, TCP and verified TLS, compared with
what it says itself; and one of two servers killed while many ask."""

import shutil
import socket
import struct
import subprocess
import time

from harness import SHOP, Checks, Folder, Server, free_port

checks = Checks()
UNBOUND = shutil.which("unbound", path="/usr/sbin:/usr/bin:/usr/local/sbin")

ZONE = """\
$TTL 300
@          IN SOA ns admin 1 7200 1800 86400 60
           IN NS  ns
           IN MX  10 mail
ns         IN A   192.0.2.53
www        IN A   192.0.2.1
           IN A   192.0.2.2
           IN AAAA 2001:db8::1
alias      IN CNAME www
chain      IN CNAME alias
gone       IN CNAME nowhere
outside    IN CNAME www.elsewhere.test.
mail       IN A   192.0.2.25
_sip._tcp  IN SRV 0 5 5060 mail
text       IN TXT "a text" "and another"
*.wild     IN A   192.0.2.9
deep.empty IN A   192.0.2.8
""" + "".join(f"large      IN TXT \"{number:03} {'x' * 200}\"\n" for number in range(20)) + "".join(
    f"n{number}  IN A 10.1.{number >> 8}.{number & 255}\n" for number in range(1500))

CONFIG = """\
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  interface: {address}@{port}
  interface: {address}@{tls_port}
  tls-port: {tls_port}
  tls-service-key: "{folder}/server.key"
  tls-service-pem: "{folder}/server.pem"
  max-udp-size: 512
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: yes
remote-control:
  control-enable: no
auth-zone:
  name: "example.com."
  zonefile: "{folder}/zone"
  for-downstream: yes
  for-upstream: no
"""


class Unbound:
    """A running Unbound that has example.com; ended by its process id."""

    def __init__(self, folder, name):
        self.folder = folder.path / name
        self.folder.mkdir()
        (self.folder / "zone").write_text(ZONE)
        self.port, self.tls_port = free_port(), free_port()
        make_certificate(self.folder)
        config = self.folder / "unbound.conf"
        config.write_text(CONFIG.format(folder=self.folder, address="127.0.0.1", port=self.port,
                                        tls_port=self.tls_port))
        self.log = open(self.folder / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen([UNBOUND, "-d", "-c", str(config)], stdout=self.log,
                                        stderr=self.log)
        end = time.monotonic() + 10
        while not self._answers() and time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.05)
        if not self._answers():
            self.kill()
            raise RuntimeError("unbound does not answer:\n" + (self.folder / "log").read_text())

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect(("127.0.0.1", self.port))
            try:
                client.send(query(1, "www"))
                return len(client.recv(4096)) > 12
            except OSError:
                return False

    @property
    def where(self):
        return f"127.0.0.1:{self.port}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=dns.test",
                    "-addext", "subjectAltName=DNS:dns.test", "-keyout", folder / "server.key",
                    "-out", folder / "server.pem"], check=True, capture_output=True, timeout=20)


def query(number, label):
    """An A question for LABEL.example.com, with RD."""
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + bytes([len(label)]) + label.encode() + (
        b"\7example\3com\0" + struct.pack(">2H", 1, 1))


def serving(folder, *arguments):
    manifests = folder.path / "manifests"
    manifests.mkdir(exist_ok=True)
    (manifests / "shop.yaml").write_text(SHOP)
    return Server("--manifests", manifests, *arguments)


QUESTIONS = [("www", "A"), ("www", "AAAA"), ("www", "MX"), ("alias", "A"), ("chain", "AAAA"),
             ("chain", "CNAME"), ("gone", "A"), ("_sip._tcp", "SRV"), ("text", "TXT"),
             ("a.wild", "A"), ("a.wild", "AAAA"), ("empty", "A"), ("nowhere", "A"),
             ("a.b.nowhere", "TXT"), ("large", "TXT"), ("n1499", "A")]


def same_as_itself(folder, upstream):
    """Every answer, asked and cached, is what the server says itself."""
    for scheme, place in (("udp", upstream.where), ("tcp", f"tcp://{upstream.where}"),
                          ("tls", f"tls://127.0.0.1:{upstream.tls_port}#dns.test")):
        with serving(folder, "--forward", place, "--upstream-ca-file",
                     upstream.folder / "server.pem") as server:
            for name, qtype in QUESTIONS:
                name += ".example.com"
                direct = server.dig(name, qtype, "+recurse", port=upstream.port)
                denials = sum(" SOA " in record for record in direct.authority)
                for turn in ("asked", "cached"):
                    got = server.dig(name, qtype, "+recurse")
                    checks.equal(f"{scheme}: {name} {qtype}, {turn}",
                                 (got.status, got.values(), len(got.authority)),
                                 (direct.status, direct.values(), denials))


def a_certificate_for_another(folder, upstream):
    other = folder.path / "other"
    other.mkdir()
    make_certificate(other)
    for what, name, authority in (("another name", "wrong.test", upstream.folder / "server.pem"),
                                  ("another authority", "dns.test", other / "server.pem")):
        with serving(folder, "--forward", f"tls://127.0.0.1:{upstream.tls_port}#{name}",
                     "--upstream-ca-file", authority) as server:
            got = server.dig("www.example.com", "A", "+recurse", "+time=4")
            checks.equal(f"{what}: nothing is believed", (got.status, got.values()),
                         ("SERVFAIL", []))
            checks.contains(f"{what}: and why", got.text, "EDE: 23")
            checks.equal(f"{what}: the operator is told once",
                         len(server.wait_for_log("TLS", timeout=2)), 1)


def one_of_two_is_killed(folder):
    """1500 names, a hundred at a time; nobody asks twice."""
    with Unbound(folder, "first") as first, Unbound(folder, "second") as second, serving(
            folder, "--forward", f"{first.where},{second.where}") as server, socket.socket(
                socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((server.address, server.port))
        client.settimeout(5)
        sent, answers, slowest, waiting = 0, {}, 0.0, {}
        while len(answers) < 1500:
            while sent < 1500 and len(waiting) < 100:
                client.send(query(sent, f"n{sent}"))
                waiting[sent] = time.monotonic()
                sent += 1
                if sent == 500:
                    first.kill()
            try:
                message = client.recv(4096)
            except TimeoutError:
                break
            number = struct.unpack(">H", message[:2])[0]
            slowest = max(slowest, time.monotonic() - waiting.pop(number, time.monotonic()))
            answers[number] = (message[3] & 15, message[-4:])
        right = {number: (0, bytes([10, 1, number >> 8, number & 255])) for number in range(1500)}
        checks.equal("queries lost while one of two servers is killed",
                     sum(answers.get(number) != right[number] for number in right), 0)
        checks.less("seconds that the slowest one took", slowest, 2)


def main():
    if UNBOUND is None:
        checks.skip("no unbound is installed")
        checks.finish()
    with Folder() as folder:
        with Unbound(folder, "only") as upstream:
            same_as_itself(folder, upstream)
            a_certificate_for_another(folder, upstream)
        one_of_two_is_killed(folder)
    checks.finish()


main()
