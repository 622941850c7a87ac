"""What can go wrong between the test API server and a client, on purpose.

A Fault says which requests it meets and what then happens.  A Wire writes one response's octets as
the fault in force wants them.
"""

import asyncio
import dataclasses
import socket
import struct

HIGH_WATER = 1 << 20  # Unsent octets at which a sender waits.
PARKED_S = 300  # How long a connection that was left hanging is kept, if its client stays.


@dataclasses.dataclass
class Fault:
    """Which requests: every one that matches, the first `skip` of them not, then `times` of them.

    Positions count the response's octets on the wire, its head included.
    """

    resource: str = "*"  # "services", or "*" for any, or a path such as "/version".
    verb: str = "*"  # "list", "watch", "get".
    query: dict = dataclasses.field(default_factory=dict)  # Parameter: its value, "*" for any.
    skip: int = 0
    times: int | None = None  # None: for ever.

    delay_ms: int = 0  # Before the head.
    status: int = 0  # A refusal instead of the answer.
    retry_after: int | None = None  # Seconds, in that refusal.
    expired: bool = False  # 410, as the real server would say it here.
    close: bool = False  # Connection: close.
    chunks: list | None = None  # Sizes of HTTP chunks, in turn.
    slow_bytes: int = 0  # Octets at once...
    slow_ms: int = 0  # ...and the pause between.
    reset_after: int | None = None  # Then a TCP reset.
    close_after: int | None = None  # Then the end of the sending direction.
    stall_after: int | None = None  # Then nothing, and the connection stays.
    truncate_body: int | None = None  # The body ends after so many octets, properly framed.
    garbage: bool = False  # A body, or a first event, that is no JSON.

    hits: int = 0
    number: int = 0

    def __post_init__(self):
        for name, kind in (("chunks", list), ("query", dict)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise ValueError(f"fault: {name} is {value!r}, expected a {kind.__name__}")
        if self.chunks is not None and (not self.chunks or min(self.chunks) < 1):
            raise ValueError("fault: chunks must be sizes of at least one octet")

    def meets(self, resource, path, verb, query):
        """Whether this request is one of mine; counts it if it is."""
        if self.resource not in ("*", resource, path) or self.verb not in ("*", verb):
            return False
        for name, value in self.query.items():
            if name not in query or value not in ("*", query[name]):
                return False
        self.hits += 1
        return self.hits > self.skip and (self.times is None or self.hits <= self.skip + self.times)

    @property
    def shapes_octets(self):
        return bool(self.slow_bytes) or any(
            at is not None for at in (self.reset_after, self.close_after, self.stall_after))


NO_FAULT = Fault()


class Cut(Exception):
    """The response ends here, not where it should."""


class Wire:
    """The way out for one response.  `closed` is a future that is done once the client is gone."""

    def __init__(self, writer, fault, closed):
        self._writer = writer
        self._fault = fault
        self.closed = closed
        self.sent = 0
        cuts = [(at, act) for at, act in ((fault.reset_after, self._reset),
                                          (fault.close_after, self._half_close),
                                          (fault.stall_after, self._park)) if at is not None]
        self._cut_at, self._cut = min(cuts, default=(None, None), key=lambda cut: cut[0])

    @property
    def is_plain(self):
        return not self._fault.shapes_octets

    @property
    def backlog(self):
        return self._writer.transport.get_write_buffer_size()

    def write(self, octets):
        """Hands octets to the socket at once.  Only on a plain wire."""
        self.sent += len(octets)
        self._writer.write(octets)

    async def send(self, octets):
        """Sends octets, slowly or not to their end if the fault says so.  Raises Cut or OSError."""
        if self.is_plain:
            self.write(octets)
            if self.backlog > HIGH_WATER:
                await self._writer.drain()
            if self.closed.done():
                raise ConnectionResetError
            return
        cut_here = self._cut_at is not None and self._cut_at <= self.sent + len(octets)
        if cut_here:
            octets = octets[:max(0, self._cut_at - self.sent)]
        step = self._fault.slow_bytes or max(1, len(octets))
        for at in range(0, len(octets), step):
            self.write(octets[at:at + step])
            await self._flush()
            if self._fault.slow_bytes:
                await asyncio.sleep(self._fault.slow_ms / 1000)
        if cut_here:
            await self._cut()
            raise Cut

    async def _flush(self):
        """Waits until the kernel has everything."""
        while self.backlog:
            if self.closed.done():
                raise ConnectionResetError
            await asyncio.sleep(0.001)

    async def _reset(self):
        reset(self._writer)

    async def _half_close(self):
        self._writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await self._park()

    async def _park(self):
        await asyncio.wait([self.closed], timeout=PARKED_S)


def reset(writer):
    """Ends a connection with a TCP reset."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.family != socket.AF_UNIX:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


END_OF_CHUNKS = b"0\r\n\r\n"


def _chunk(octets):
    return b"%x\r\n%b\r\n" % (len(octets), octets)


class SizedChunker:
    """Frames a body's octets as HTTP chunks (RFC 9112, 7.1) of the given sizes in turn."""

    def __init__(self, sizes):
        self._sizes = sizes
        self._turn = 0

    def frame(self, octets):
        parts = []
        at = 0
        while at < len(octets):
            piece = octets[at:at + self._sizes[self._turn % len(self._sizes)]]
            self._turn += 1
            at += len(piece)
            parts.append(_chunk(piece))
        return b"".join(parts)

    def flush(self):
        return b""


class BufferedChunker:
    """Frames a body's pieces as Go's HTTP server does: through a buffer of 2048 octets, which larger
    pieces pass by when it is empty."""

    SIZE = 2048

    def __init__(self):
        self._held = b""

    def frame(self, piece):
        held = self._held + piece
        if len(held) <= self.SIZE:
            self._held = held
            return b""
        if not self._held:
            return _chunk(piece)
        rest = held[self.SIZE:]
        self._held = b""
        return _chunk(held[:self.SIZE]) + self.frame(rest)

    def flush(self):
        held, self._held = self._held, b""
        return _chunk(held) if held else b""


class WholeChunker:
    """Frames each piece as one chunk."""

    def frame(self, piece):
        return _chunk(piece) if piece else b""

    def flush(self):
        return b""
