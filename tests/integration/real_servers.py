"""Name servers that Debian has, each a process of its own on ports of loopback: Unbound, Knot DNS and BIND 9.

All have example.com; those that sign have signed.example as well. None is started as a service, and each is
ended by its process id."""

import shutil
import socket
import struct
import subprocess
import time

from harness import encode_query, free_port

START_TIMEOUT = 20  # Seconds until a server answers; to sign a zone takes some.
SIGNED = "signed.example"

HEAD = """\
$TTL 300
@          IN SOA ns admin 1 7200 1800 86400 60
           IN NS  ns
ns         IN A   192.0.2.53
www        IN A   192.0.2.1
           IN A   192.0.2.2
           IN AAAA 2001:db8::1
alias      IN CNAME www
gone       IN CNAME nowhere
*.wild     IN A   192.0.2.9
deep.empty IN A   192.0.2.8
""" + "".join(f"large      IN TXT \"{number:03} {'x' * 200}\"\n" for number in range(20))
NUMBERED = 1500  # n0 and on, see number_address().
ZONE = HEAD + """\
@          IN MX  10 mail
chain      IN CNAME alias
outside    IN CNAME www.elsewhere.test.
mail       IN A   192.0.2.25
_sip._tcp  IN SRV 0 5 5060 mail
text       IN TXT "a text" "and another"
short      17 IN A 192.0.2.17
""" + "".join(f"n{number}  IN A 10.1.{number >> 8}.{number & 255}\n" for number in range(NUMBERED))


def number_query(number):
    return encode_query(number, f"n{number}.example.com", "A", recurse=True)


def number_address(number):
    return bytes([10, 1, number >> 8, number & 255])


def make_certificate(folder):
    """server.key and server.pem for dns.test, which vouches for itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=dns.test",
                    "-addext", "subjectAltName=DNS:dns.test", "-keyout", folder / "server.key",
                    "-out", folder / "server.pem"], check=True, capture_output=True, timeout=20)


class RealServer:
    """A running server; ended at the end of a with block."""

    title = package = program = ""
    has_tls = signs = False

    @classmethod
    def path(cls):
        """Where the program is, or None."""
        return shutil.which(cls.program, path="/usr/sbin:/usr/bin:/usr/local/sbin")

    def __init__(self, folder, name):
        """`folder`: a Folder, in which `name` is made for its files."""
        self.folder = folder.path / name
        self.folder.mkdir()
        (self.folder / "zone").write_text(ZONE)
        (self.folder / "signed").write_text(HEAD)
        self.port, self.tls_port = free_port(), free_port()
        if self.has_tls:
            make_certificate(self.folder)
        self.config = self.folder / "server.conf"
        self.config.write_text(self.configuration())
        self.process = None
        self.start()

    def configuration(self):
        """The text of the file that it is started with."""
        raise NotImplementedError

    def command(self):
        """How it is started, so that it stays in the foreground."""
        raise NotImplementedError

    def start(self):
        """On the ports that it had before; returns when it answers."""
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)
        end = time.monotonic() + START_TIMEOUT
        while not self.is_ready():
            if time.monotonic() > end or self.process.poll() is not None:
                self.kill()
                raise RuntimeError(f"{self.title} does not answer:\n" + (self.folder / "log").read_text())
            time.sleep(0.02)

    def is_ready(self):
        """Whether it has its zones, signed where it signs."""
        if not self._answers(number_query(0)):
            return False
        dnskey = encode_query(1, SIGNED, "A")[:-4] + struct.pack(">2H", 48, 1)
        return not self.signs or self._answers(dnskey)

    def _answers(self, question):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect(("127.0.0.1", self.port))
            try:
                client.send(question)
                return struct.unpack(">H", client.recv(4096)[6:8])[0] > 0
            except OSError:
                return False

    @property
    def where(self):
        return f"127.0.0.1:{self.port}"

    def places(self):
        """(transport, as it is written in `forward`) of each transport that it has."""
        yield "udp", self.where
        yield "tcp", f"tcp://{self.where}"
        if self.has_tls:
            yield "tls", self.place_of_tls()

    def place_of_tls(self, name="dns.test"):
        return f"tls://127.0.0.1:{self.tls_port}#{name}"

    def authority(self):
        """The arguments with which its certificate is believed."""
        return ("--upstream-ca-file", self.folder / "server.pem") if self.has_tls else ()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Unbound(RealServer):
    title, package, program = "Unbound", "unbound", "unbound"
    has_tls = True

    def command(self):
        return [self.path(), "-d", "-c", self.config]

    def configuration(self):
        return f"""\
server:
  directory: "{self.folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  interface: 127.0.0.1@{self.port}
  interface: 127.0.0.1@{self.tls_port}
  tls-port: {self.tls_port}
  tls-service-key: "{self.folder}/server.key"
  tls-service-pem: "{self.folder}/server.pem"
  max-udp-size: 512
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: yes
remote-control:
  control-enable: no
auth-zone:
  name: "example.com."
  zonefile: "{self.folder}/zone"
  for-downstream: yes
  for-upstream: no
"""


class Knot(RealServer):
    """It has no listener for TLS before 3.4."""

    title, package, program = "Knot DNS", "knot", "knotd"
    signs = True

    def command(self):
        return [self.path(), "-c", self.config]

    def configuration(self):
        return f"""\
server:
  listen: 127.0.0.1@{self.port}
  rundir: {self.folder}
  pidfile: {self.folder}/pid
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {self.folder}
  journal-db-max-size: 16M
  kasp-db-max-size: 16M
  timer-db-max-size: 16M
log:
  - target: stderr
    any: warning
zone:
  - domain: example.com
    file: {self.folder}/zone
    zonefile-sync: -1
    journal-content: none
  - domain: {SIGNED}
    file: {self.folder}/signed
    zonefile-sync: -1
    journal-content: none
    zonefile-load: whole
    dnssec-signing: on
"""


class Bind(RealServer):
    title, package, program = "BIND 9", "bind9", "named"
    has_tls = signs = True

    def command(self):
        return [self.path(), "-g", "-n", "1", "-c", self.config]

    def configuration(self):
        return f"""\
options {{
  directory "{self.folder}";
  pid-file "{self.folder}/pid";
  lock-file none;
  session-keyfile none;
  listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on port {self.tls_port} tls mine {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion no;
  dnssec-validation no;
  notify no;
}};
tls mine {{ cert-file "{self.folder}/server.pem"; key-file "{self.folder}/server.key"; }};
controls {{ }};
zone "example.com" {{ type primary; file "{self.folder}/zone"; }};
zone "{SIGNED}" {{
  type primary; file "{self.folder}/signed"; dnssec-policy default; inline-signing yes; }};
"""


KINDS = (Unbound, Knot, Bind)
