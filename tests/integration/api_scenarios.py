"""What tests of the API source share: a waypost-dns that reads from the test API server, all of its
names at once, and a client that notices when an answer changes that should not."""

import socket
import subprocess
import threading
import time

from api_client import cluster
from harness import Folder, Server, decode_answer, encode_query

WATCHED = ("services", "endpointslices", "namespaces")
KINDS = ("Namespace", "Service", "EndpointSlice")
TRANSFERS = ("--transfer-allow", "127.0.0.1")
LISTENING = r"listening on .+"  # Before anything of the cluster is known.
NXDOMAIN = 3
# A change is on its way within milliseconds; a busy machine gets more before it is a failure.
LIMIT = 5.0

WEB = "web.shop.svc.cluster.local"  # A Service that tests change.
STEADY = ("steady.shop.svc.cluster.local", "10.97.0.1")  # One that they do not.


def web(address="10.97.0.7", name="web"):
    """A Service in the Namespace shop."""
    return cluster.service(name, "shop", address, [cluster.port(80, "http")], {"app": name})


def shop(api, services=30):
    """Loads a small cluster, and a Namespace to change things in."""
    api.load_cluster(services=services, endpoints=3, headless=0.2)
    api.load(objects=[cluster.namespace("shop"), web(STEADY[1], "steady")])


def has(*addresses):
    """For Server.poll(): exactly these records."""
    return lambda rcode, records: sorted(records) == sorted(addresses)


def is_gone(rcode, _):
    return rcode == NXDOMAIN


def dns_server(api, *arguments, kubeconfig=None, ready="ready"):
    """A waypost-dns over the API server `api`, once it has printed a line that matches `ready`."""
    source = (("--kubeconfig", kubeconfig) if kubeconfig else ("--api-server", api.url))
    return Server(*source, *TRANSFERS, *arguments, ready=ready)


def zone_of(server, zone):
    """Every record of a zone as text, sorted, by zone transfer; without the SOA, which counts
    versions."""
    done = subprocess.run(["dig", f"@{server.address}", "-p", str(server.port), "+tcp", "+noall",
                           "+answer", "+time=5", "+tries=1", zone, "AXFR"], capture_output=True,
                          text=True, timeout=30, check=False)
    records = (line.split(None, 4) for line in done.stdout.splitlines())
    return sorted(" ".join(record) for record in records if len(record) == 5 and
                  record[3] != "SOA")


def answer_to(client, number, name, qtype):
    client.send(encode_query(number & 0xFFFF, name, qtype))
    rcode, records = decode_answer(client.recv(4096))
    return rcode, sorted(map(repr, records))


def answers(server, questions):
    """(rcode, sorted records) for each question, over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect((server.address, server.port))
        return {question: answer_to(client, number, *question)
                for number, question in enumerate(questions)}


def everything(server, questions):
    """All that a client can find out about the cluster."""
    found = answers(server, questions)
    found[cluster.CLUSTER_DOMAIN] = zone_of(server, cluster.CLUSTER_DOMAIN)
    return found


def check_equal_worlds(checks, what, one, other):
    """Compares two everything(), and shows the first names that differ."""
    differing = [(question, one.get(question), other.get(question))
                 for question in sorted({*one, *other}, key=str)
                 if one.get(question) != other.get(question)]
    shown = [(question, [r for r in a or () if r not in (b or ())][:3],
              [r for r in b or () if r not in (a or ())][:3]) for question, a, b in differing[:3]]
    checks.equal(f"{what}: all {len(one)} answers are equal", shown, [])
    checks.less(f"{what}: and not empty", 10, len(one.get(cluster.CLUSTER_DOMAIN, ())))


def objects(api):
    return [thing for kind in KINDS for thing in api.objects(kind=kind)]


def from_manifests(api):
    """Everything that a server says which reads the same objects from a folder."""
    things = objects(api)
    with Folder() as folder:
        cluster.write_manifests(folder.path, things)
        with Server("--manifests", folder.path, *TRANSFERS) as server:
            return everything(server, cluster.questions(things))


def from_fresh(api, *arguments, kubeconfig=None):
    """Everything that a server says which has just been started."""
    with dns_server(api, *arguments, kubeconfig=kubeconfig) as server:
        return everything(server, cluster.questions(objects(api)))


def settles(server, api, wanted, timeout=LIMIT):
    """Waits until a server says everything that `wanted` holds.  Returns what it says last."""
    questions = [question for question in wanted if isinstance(question, tuple)]
    end = time.monotonic() + timeout
    while True:
        found = everything(server, questions)
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.05)


class Steady:
    """Asks for one address again and again, and remembers every other answer."""

    def __init__(self, server, name, address):
        self.asked = 0
        self.strange = []
        self._wanted = (0, [repr(address)])
        self._name = name
        self._is_over = False
        self._client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._client.settimeout(1)
        self._client.connect((server.address, server.port))
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self):
        while not self._is_over:
            self.asked += 1
            try:
                answer = answer_to(self._client, self.asked, self._name, "A")
            except OSError as wrong:
                answer = repr(wrong)
            if answer != self._wanted and len(self.strange) < 10:
                self.strange.append(answer)
            time.sleep(0.002)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over = True
        self._thread.join()
        self._client.close()

    def check(self, checks, what):
        checks.equal(f"{what}: a name that did not change is answered throughout", self.strange, [])
        checks.less(f"{what}: and was asked for", 0, self.asked)
