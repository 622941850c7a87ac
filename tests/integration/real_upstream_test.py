#!/usr/bin/env python3
"""Names that real name servers have: forwarded over UDP, TCP and verified TLS, compared with what the servers
say themselves; and servers that are killed, and started again, while many ask."""

import collections
import shutil
import socket
import struct
import threading
import time

from harness import SHOP, Checks, Folder, Server, total
from real_servers import KINDS, NUMBERED, SIGNED, make_certificate, number_address, number_query

checks = Checks()


def serving(folder, *arguments):
    manifests = folder.path / "manifests"
    manifests.mkdir(exist_ok=True)
    (manifests / "shop.yaml").write_text(SHOP)
    return Server("--manifests", manifests, *arguments)


PLAIN = [("www", "A"), ("wWw", "A"), ("www", "AAAA"), ("www", "MX"), ("", "MX"), ("", "SOA"), ("", "NS"),
         ("alias", "A"), ("aliAs", "AAAA"), ("chain", "AAAA"), ("chain", "CNAME"), ("gone", "A"), ("outside", "A"),
         ("_sip._tcp", "SRV"), ("text", "TXT"), ("a.wild", "A"), ("a.wild", "AAAA"), ("empty", "A"), ("nowhere", "A"),
         ("a.b.Nowhere", "TXT"), ("large", "TXT"), ("short", "A"), ("n1499", "A")]
SECURE = [("www", "A"), ("alias", "AAAA"), ("gone", "A"), ("nowhere", "A"), ("a.wild", "A"), ("empty", "A"),
          ("large", "TXT"), ("", "DNSKEY")]


def questions_for(upstream):
    """(name, type, dig's options): without DO and then with it, and the other way around."""
    for label, qtype in PLAIN:
        yield f"{label}.example.com".strip("."), qtype, ()
    if upstream.signs:
        for number, (label, qtype) in enumerate(SECURE):
            for options in ((), ("+dnssec",))[::1 if number % 2 else -1]:
                yield f"{label}.{SIGNED}".strip("."), qtype, options


class Told:
    """What an answer says: its rcode, (owner, class, type and data) of the records of each section, all TTLs."""

    def __init__(self, answer):
        self.status = answer.status
        self.answer = sorted(self._split(record) for record in answer.answer)
        self.authority = sorted(self._split(record) for record in answer.authority)
        self.ttls = {int(record.split()[1]) for record in answer.answer + answer.authority}

    @staticmethod
    def _split(record):
        owner, _, rest = record.split(" ", 2)
        return owner, rest

    def passed_on(self, name, qtype):
        """Makes of what a server says what is expected of who forwards it, to the letter."""
        # Owners are in the asker's case. BIND 9 has them in the zone's.
        self.answer = sorted((name + "." if owner.lower() == name.lower() + "." else owner, rest)
                             for owner, rest in self.answer)
        # Who else has the zone is not told, unless it is asked for; what denies something is.
        self.authority = [(owner, rest) for owner, rest in self.authority
                          if not rest.startswith(("IN NS ", "IN RRSIG NS "))]
        # An answer is kept as a whole, for its shortest TTL; a denial not without an SOA, nor longer than that says
        # (RFC 2308, 5).
        soa = [rest for _, rest in self.authority if rest.startswith("IN SOA ")]
        if not any(rest.startswith(f"IN {qtype} ") for _, rest in self.answer):
            self.ttls.add(int(soa[0].split()[-1]) if soa else 0)
        self.ttls = {min(self.ttls)}
        return self


def direct_answers(server, upstream):
    return {(name, qtype, options): Told(server.dig(
        name, qtype, "+recurse", *options, address="127.0.0.1", port=upstream.port)).passed_on(name, qtype)
            for name, qtype, options in questions_for(upstream)}


def metric(server, name):
    return total(server.metrics(), name + r"\{[^}]*\}")


def same_as_itself(folder, upstream):
    """Every answer, asked and cached, is what the server says itself."""
    direct = None
    for transport, place in upstream.places():
        with serving(folder, "--forward", place, *upstream.authority(), "--metrics-listen", "127.0.0.1:0") as server:
            if direct is None:
                direct = direct_answers(server, upstream)
                for zone in ("example.com", SIGNED) if upstream.signs else ("example.com",):
                    checks.contains(f"{upstream.title}: large.{zone} does not fit into a datagram", server.dig(
                        f"large.{zone}", "TXT", "+ignore", address="127.0.0.1", port=upstream.port).flags, "tc")
            for name, qtype, options in questions_for(upstream):
                said = direct[name, qtype, options]
                what = f"{upstream.title}, {transport}: {' '.join([name, qtype, *options])}"
                began = time.monotonic()
                for turn in ("asked", "cached"):
                    got = Told(server.dig(name, qtype, "+recurse", *options))
                    checks.equal(f"{what}, {turn}", (got.status, got.answer, got.authority),
                                 (said.status, said.answer, said.authority))
                    oldest = min(said.ttls) - int(time.monotonic() - began) - 1
                    checks.equal(f"{what}, {turn}: its TTLs {got.ttls} are {said.ttls}, a moment later", [
                        ttl for ttl in got.ttls if not max(oldest, 0) <= ttl <= min(said.ttls)], [])
            checks.equal(f"{upstream.title}, {transport}: messages that were no answer",
                         metric(server, "waypost_upstream_mismatches_total"), 0)
            checks.equal(f"{upstream.title}, {transport}: some were asked again over TCP", metric(
                server, "waypost_upstream_truncated_total") > 0, transport == "udp")


def a_certificate_for_another(folder, upstream):
    other = folder.path / f"other-{upstream.program}"
    other.mkdir()
    make_certificate(other)
    for what, name, authority in (("another name", "wrong.test", upstream.folder / "server.pem"),
                                  ("another authority", "dns.test", other / "server.pem")):
        with serving(folder, "--forward", upstream.place_of_tls(name), "--upstream-ca-file", authority) as server:
            got = server.dig("www.example.com", "A", "+recurse", "+time=4")
            checks.equal(f"{upstream.title}, {what}: nothing is believed", (got.status, got.values()),
                         ("SERVFAIL", []))
            checks.contains(f"{upstream.title}, {what}: and why", got.text, "EDE: 23")
            checks.equal(f"{upstream.title}, {what}: the operator is told once",
                         len(server.wait_for_log("TLS", timeout=2)), 1)


class Load(threading.Thread):
    """Asks for n0 and on at a steady rate, each name once."""

    PER_SECOND = 1000
    PATIENCE = 6  # Seconds to wait for the last answers: more than queryDeadline.

    def __init__(self, server):
        super().__init__(daemon=True)
        self.asked = 0  # Read by others, who then know a name that was not asked for yet.
        self.when = {}  # By number.
        self.rcodes = {}
        self.slowest = 0.0
        self.wrong = []  # (number, what came): neither the address nor SERVFAIL.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((server.address, server.port))

    def run(self):
        begin = time.monotonic()
        with self._socket:
            while self.asked < NUMBERED:
                if begin + self.asked / self.PER_SECOND <= time.monotonic():
                    self.when[self.asked] = time.monotonic()
                    self._socket.send(number_query(self.asked))
                    self.asked += 1
                self._take(0.001)
            end = time.monotonic() + self.PATIENCE
            while len(self.rcodes) < NUMBERED and time.monotonic() < end:
                self._take(0.1)

    def _take(self, seconds):
        self._socket.settimeout(seconds)
        try:
            message = self._socket.recv(4096)
        except TimeoutError:
            return
        number, rcode = struct.unpack(">H", message[:2])[0], message[3] & 15
        self.slowest = max(self.slowest, time.monotonic() - self.when[number])
        self.rcodes[number] = rcode
        right = message[-4:] == number_address(number) if rcode == 0 else rcode == 2
        if not right:
            self.wrong.append((number, message.hex()))


def one_of_two_is_killed(folder, kinds):
    """Nobody asks twice."""
    titles = " and ".join(kind.title for kind in kinds)
    with kinds[0](folder, "first") as first, kinds[1](folder, "second") as second, serving(
            folder, "--forward", f"{first.where},{second.where}") as server:
        load = Load(server)
        load.start()
        server.wait_for(lambda: load.asked >= NUMBERED // 3, 10)
        first.kill()
        load.join(timeout=60)
        checks.equal(f"{titles}: wrong answers while the first is killed", load.wrong, [])
        checks.equal(f"{titles}: queries lost", collections.Counter(load.rcodes.values()), {0: NUMBERED})
        checks.less(f"{titles}: seconds that the slowest one took", load.slowest, 2)
    for name in "first", "second":
        shutil.rmtree(folder / name)


def killed_and_started_again(folder, upstream):
    """There is no other: no query is answered wrongly, and those of the last second before it is back wait for it."""
    transport, place = list(upstream.places())[-1]
    for transport, place in dict.fromkeys([("udp", upstream.where), (transport, place)]):
        what = f"{upstream.title}, {transport}, killed and started again"
        with serving(folder, "--forward", place, *upstream.authority()) as server:
            load = Load(server)
            load.start()
            server.wait_for(lambda: load.asked >= 200, 10)
            upstream.kill()
            gone = load.asked
            server.wait_for(lambda: load.asked >= gone + 100, 10)
            upstream.start()
            back_at = time.monotonic()
            load.join(timeout=60)
            checks.equal(f"{what}: wrong answers", load.wrong, [])
            checks.equal(f"{what}: queries without an answer", NUMBERED - len(load.rcodes), 0)
            failed = sorted(number for number, rcode in load.rcodes.items() if rcode != 0)
            checks.less(f"{what}: {len(failed)} of {NUMBERED} fail; seconds until the last of them was asked", max(
                [load.when[number] - back_at for number in failed], default=-float("inf")), -1)
            # What is under way at that moment may be lost with it.
            checks.less(f"{what}: how long before it was killed the first that fails was asked", max(
                [load.when[gone - 1] - load.when[number] for number in failed if number < gone], default=0), 0.5)


def main():
    kinds = [kind for kind in KINDS if kind.path() is not None]
    for kind in KINDS:
        if kind not in kinds:
            checks.skip(f"{kind.package} is not installed")
    with Folder() as folder:
        for kind in kinds:
            with kind(folder, kind.program) as upstream:
                same_as_itself(folder, upstream)
                if upstream.has_tls:
                    a_certificate_for_another(folder, upstream)
                killed_and_started_again(folder, upstream)
        for number, kind in enumerate(kinds):
            one_of_two_is_killed(folder, (kind, kinds[(number + 1) % len(kinds)]))
    checks.finish()


main()
