"""HTTP/1.1 as the test API server speaks it: requests in, response heads out."""

import asyncio
import time
import urllib.parse
import uuid

from .statuses import REASONS

MAX_HEAD = 64 << 10
FLOW_HEADERS = {"X-Kubernetes-Pf-Flowschema-Uid": "3359302b-f8a4-4e2d-835e-14c86ffad31a",
                "X-Kubernetes-Pf-Prioritylevel-Uid": "9a0e512c-99d6-49dd-8d09-4593474d4ce0"}


class Reader(asyncio.StreamReader):
    """A reader with a future that is done once the client is gone.  Like Go's server this takes a
    client that will send nothing more for one that has left."""

    def __init__(self):
        super().__init__(limit=MAX_HEAD)
        self.closed = asyncio.get_running_loop().create_future()

    def _close(self):
        if not self.closed.done():
            self.closed.set_result(None)

    def feed_eof(self):
        super().feed_eof()
        self._close()

    def set_exception(self, exc):
        super().set_exception(exc)
        self._close()


class Request:
    def __init__(self, method, target, headers):
        self.method = method
        self.target = target
        self.headers = headers  # By lower-case name.
        path, _, query = target.partition("?")
        self.path = urllib.parse.unquote(path)
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    def flag(self, name):
        return self.query.get(name) in ("1", "true", "True", "t")

    @property
    def wants_close(self):
        return "close" in self.headers.get("connection", "").lower()

    @property
    def takes_gzip(self):
        return "gzip" in self.headers.get("accept-encoding", "")

    @property
    def token(self):
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else None


async def read_request(reader):
    """The next request of a connection, or None when the client has none left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        return None
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    size = headers.get("content-length", "0")
    if size.isdigit() and 0 < int(size) <= MAX_HEAD:
        try:
            await reader.readexactly(int(size))
        except (asyncio.IncompleteReadError, OSError):
            return None
    return Request(parts[0], parts[1], headers)


def response_head(code, content_type, extra=None, flow=True, length=None, close=False):
    """The head in the real server's order.  Without `length` the body is chunked."""
    named = {"Audit-Id": str(uuid.uuid4()), "Cache-Control": "no-cache, private",
             "Content-Type": content_type, **(extra or {}), **(FLOW_HEADERS if flow else {})}
    lines = [f"HTTP/1.1 {code} {REASONS.get(code, 'Unknown')}"]
    lines += [f"{name}: {named[name]}" for name in sorted(named)]
    lines.append(time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime()))
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    if length is None:
        lines.append("Transfer-Encoding: chunked")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
