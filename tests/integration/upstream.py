"""A DNS server that a test plays, over UDP and TCP: others forward to it, and it does as the test says."""

import dataclasses
import socket
import struct
import threading
import typing

from harness import skip_name

A, SOA, PTR, AAAA = 1, 6, 12, 28
QUESTION = b"\xc0\x0c"  # As an owner: the name that was asked for.


class Question(typing.NamedTuple):
    name: str  # In lower case, without the dot at its end.
    qtype: int
    transport: str = "udp"


@dataclasses.dataclass
class Reply:
    rcode: int = 0
    answer: typing.Sequence[bytes] = ()  # Of record().
    authority: typing.Sequence[bytes] = ()
    flags: int = 0x8180  # QR, RD, RA.
    truncated: bool = False  # Then no record is sent.
    id_mask: int = 0  # What its id is changed by.
    delay: float = 0.0  # Seconds.


def record(qtype, data, ttl, owner=QUESTION):
    return owner + struct.pack(">HHIH", qtype, 1, ttl, len(data)) + data


def soa(ttl, minimum=60, owner=QUESTION):
    return record(SOA, b"\0\0" + struct.pack(">5I", 1, 2, 3, 4, minimum), ttl, owner)


def address_record(text, ttl):
    family, qtype = (socket.AF_INET6, AAAA) if ":" in text else (socket.AF_INET, A)
    return record(qtype, socket.inet_pton(family, text), ttl)


class Upstream:
    """Answers A questions with `address`, and denies that there are other records; listens until close(), or the end
    of a with block. Other answers are those of a class derived from it, see answer_to().

    `space`: the Namespace that it listens in. `questions` are those for names in `zone`, `others` the rest, such as
    those that a server asks by itself, about health and loops.
    """

    def __init__(self, address="192.0.2.1", ttl=60, *, delay=0.0, place=("127.0.0.1", 0), space=None, tcp=True, zone=""):
        self.address, self.ttl, self.delay, self.zone = address, ttl, delay, zone
        self.questions, self.others = [], []
        self._sockets = self._open(place, space, tcp)
        self.host, self.port = self._sockets[0].getsockname()[:2]
        loops = (self._serve_udp, self._serve_tcp)[:len(self._sockets)]
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in loops]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _open(place, space, tcp):
        family = 6 if ":" in place[0] else 4

        def opened(kind):
            if space is not None:
                return space.socket(family, kind)
            return socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)

        for attempt in range(8):  # A port that is free for UDP is nearly always free for TCP too.
            udp = opened(socket.SOCK_DGRAM)
            stream = opened(socket.SOCK_STREAM) if tcp else None
            try:
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                udp.bind(place)
                if stream is None:
                    return [udp]
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                stream.bind(udp.getsockname())
                stream.listen(128)
                return [udp, stream]
            except OSError:
                udp.close()
                if stream is not None:
                    stream.close()
                if attempt == 7:
                    raise
        raise AssertionError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)  # Wakes the thread that waits on it, and holds the port until then.
            except OSError:
                pass
        for thread in self._threads:
            thread.join(timeout=5)
        for each in self._sockets:
            each.close()

    @property
    def where(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def answer_to(self, question):
        """A Reply, or None for silence. Called by the thread that received the question."""
        if question.qtype == A:
            return Reply(answer=[address_record(self.address, self.ttl)], delay=self.delay)
        return Reply(authority=[soa(self.ttl)], delay=self.delay)

    def _take(self, request, transport):
        """(message, delay) of the reply, or None."""
        end = skip_name(request, 12)
        labels, at = [], 12
        while request[at] != 0:
            labels.append(request[at + 1:at + 1 + request[at]].decode("latin-1"))
            at += request[at] + 1
        question = Question(".".join(labels).lower(), struct.unpack(">H", request[end:end + 2])[0], transport)
        is_within = not self.zone or ("." + question.name).endswith("." + self.zone)
        (self.questions if is_within else self.others).append(question)
        reply = self.answer_to(question)
        if reply is None:
            return None
        sections = ((), ()) if reply.truncated else (reply.answer, reply.authority)
        number = struct.unpack(">H", request[:2])[0] ^ reply.id_mask
        head = struct.pack(">6H", number, reply.flags | reply.rcode | (0x0200 if reply.truncated else 0), 1,
                           len(sections[0]), len(sections[1]), 0)
        return head + request[12:end + 4] + b"".join([*sections[0], *sections[1]]), reply.delay

    @staticmethod
    def _later(delay, send):
        """Calls `send` after a delay; that the other side, or this one, has gone then is no error."""

        def sent():
            try:
                send()
            except OSError:
                pass

        if delay:
            timer = threading.Timer(delay, sent)
            timer.daemon = True
            timer.start()
        else:
            sent()

    def _serve_udp(self):
        udp = self._sockets[0]
        while True:
            try:
                request, client = udp.recvfrom(4096)
            except OSError:
                return
            if client is None:  # It was shut down.
                return
            if taken := self._take(request, "udp"):
                self._later(taken[1], lambda message=taken[0], client=client: udp.sendto(message, client))

    def _serve_tcp(self):
        while True:
            try:
                connection = self._sockets[1].accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(connection,), daemon=True).start()

    def _serve_stream(self, connection):
        connection.settimeout(30)
        with connection, connection.makefile("rb") as stream:
            try:
                while size := stream.read(2):
                    if taken := self._take(stream.read(struct.unpack(">H", size)[0]), "tcp"):
                        message = struct.pack(">H", len(taken[0])) + taken[0]
                        self._later(taken[1], lambda message=message: connection.sendall(message))
            except (OSError, struct.error):  # It was closed, within a message perhaps.
                pass
