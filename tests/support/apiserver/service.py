"""What the test API server does with a request: may it be asked, what goes wrong, the answer."""

import asyncio
import collections
import dataclasses
import itertools
import json
import time

from . import discovery, http, kinds, listing, statuses
from .faults import (END_OF_CHUNKS, NO_FAULT, BufferedChunker, Cut, Fault, SizedChunker,
                     WholeChunker, Wire, reset)
from .selectors import Selector
from .store import Store
from .watching import Watch, error_line

MAX_RECORDS = 200_000
VERSION = """{
  "major": "1",
  "minor": "36",
  "emulationMajor": "1",
  "emulationMinor": "36",
  "minCompatibilityMajor": "1",
  "minCompatibilityMinor": "35",
  "gitVersion": "v1.36.2",
  "gitCommit": "98b35193b2ac7a23a673325f5e9b830ecd5ba406",
  "gitTreeState": "clean",
  "buildDate": "1970-01-01T00:00:00Z",
  "goVersion": "go1.26.10",
  "compiler": "gc",
  "platform": "linux/amd64"
}"""
PROBES = ("/readyz", "/livez", "/healthz")


@dataclasses.dataclass
class Settings:
    watch_list: bool = True  # Whether the WatchList feature is on.
    tokens: list | None = None  # None: every client is let in, with a token or without.
    denied: list = dataclasses.field(default_factory=list)  # [verb, resource], "*" for any.
    user: str = "system:serviceaccount:dev:nobody"  # In refusals.
    bookmark_every_s: float = 60.0
    unready: bool = False  # /readyz fails.


@dataclasses.dataclass
class Target:
    """What a path names.  `kind` is None for the paths without objects."""

    kind: kinds.Kind | None = None
    namespace: str | None = None
    name: str | None = None
    verb: str = "get"


def find_target(request):
    """Takes a path apart.  Raises a Refusal for one that leads nowhere."""
    if request.path in PROBES + ("/version",) or request.path in discovery.DOCUMENTS:
        return Target()
    for kind in kinds.KINDS.values():
        if not request.path.startswith(kind.prefix + "/"):
            continue
        parts = request.path.removeprefix(kind.prefix + "/").split("/")
        namespace = None
        if kind.namespaced and len(parts) >= 3 and parts[0] == "namespaces":
            namespace = parts[1]
            parts = parts[2:]
        if parts[0] != kind.resource or len(parts) > 2:
            continue
        if len(parts) == 2:
            if kind.namespaced and namespace is None:
                continue
            return Target(kind, namespace, parts[1], "get")
        return Target(kind, namespace, None, "watch" if request.flag("watch") else "list")
    raise statuses.no_such_resource()


def wants_metadata_only(request):
    """Reads Accept.  Raises a Refusal when nothing in it can be served; protobuf cannot."""
    for offer in request.headers.get("accept", "*/*").split(","):
        media, *parameters = [part.strip() for part in offer.split(";")]
        if media in ("application/json", "application/*", "*/*"):
            return any(part.startswith("as=PartialObjectMetadata") for part in parameters)
    raise statuses.not_acceptable()


class Service:
    def __init__(self):
        self.store = Store()
        self.settings = Settings()
        self.faults = []
        self.records = collections.deque(maxlen=MAX_RECORDS)
        self._watches = {name: set() for name in kinds.KINDS}
        self._writers = set()
        self._connection_numbers = itertools.count(1)
        self._fault_numbers = itertools.count(1)
        self._is_silent = False
        self.told_at = 0.0  # When the last change went to the watches: time.monotonic().
        self._news_of_settings = asyncio.Event()
        self.store.listen(self._tell)

    # ---- What happens to watches.

    def _tell(self, kind, event):
        self.told_at = time.monotonic()
        if not self._is_silent:
            for watch in tuple(self._watches[kind.name]):
                watch.tell(event)

    def put(self, thing, silent=False, version=None):
        """Stores an object.  `silent`: the watches do not hear of it, now or later."""
        self._is_silent = silent
        try:
            return self.store.put(thing, version)
        finally:
            self._is_silent = False

    def delete(self, kind, namespace, name, silent=False, version=None):
        self._is_silent = silent
        try:
            return self.store.delete(kind, namespace, name, version)
        finally:
            self._is_silent = False

    def watches(self, kind=None):
        names = [kind.name] if kind else list(kinds.KINDS)
        return [watch for name in names for watch in self._watches[name]]

    def change_settings(self, changes):
        for name in changes:
            if name not in Settings.__dataclass_fields__:
                raise ValueError(f"there is no setting {name!r}")
        self.settings = dataclasses.replace(self.settings, **changes)
        self._news_of_settings.set()

    def add_fault(self, fields):
        unknown = set(fields) - {field.name for field in dataclasses.fields(Fault)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        fault = Fault(**fields)
        fault.number = next(self._fault_numbers)
        self.faults.append(fault)
        return fault.number

    # ---- Connections.

    def drop_all(self, gently=False):
        """Ends every connection: with a reset, or watches in good order and then the connection."""
        if gently:
            for watch in self.watches():
                watch.end()
        for writer in tuple(self._writers):
            if gently:
                asyncio.get_running_loop().call_later(0.05, writer.close)
            else:
                reset(writer)

    async def serve(self, reader, writer):
        """One connection, request after request.  `reader` is an http.Reader."""
        number = next(self._connection_numbers)
        self._writers.add(writer)
        try:
            while request := await http.read_request(reader):
                if not await self._respond(request, reader, writer, number):
                    break
        except (Cut, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _record(self, request, target, number, peer_certificate):
        record = {
            "time": time.monotonic(), "method": request.method, "path": request.path,
            "query": request.query, "resource": target.kind.resource if target.kind else "",
            "verb": target.verb, "user_agent": request.headers.get("user-agent", ""),
            "accept": request.headers.get("accept", ""), "host": request.headers.get("host", ""),
            "gzip": request.takes_gzip, "token": request.token,
            "client_certificate": peer_certificate, "connection": number, "status": 0,
            "sent": 0, "fault": 0, "end": "open"}
        self.records.append(record)
        return record

    def _fault_for(self, request, target):
        resource = target.kind.resource if target.kind else ""
        for fault in self.faults:
            if fault.meets(resource, request.path, target.verb, request.query):
                return fault
        return NO_FAULT

    async def _respond(self, request, reader, writer, number):
        """Answers one request.  Returns whether the connection goes on."""
        refusal = None
        try:
            target = find_target(request)
        except statuses.Refusal as wrong:
            target, refusal = Target(), wrong
        certificate = bool(writer.get_extra_info("peercert"))
        record = self._record(request, target, number, certificate)
        fault = self._fault_for(request, target)
        record["fault"] = fault.number
        wire = Wire(writer, fault, reader.closed)
        close = fault.close or request.wants_close
        try:
            if fault.delay_ms:
                await asyncio.wait([reader.closed], timeout=fault.delay_ms / 1000)
            if fault.status:
                refusal = statuses.of_code(fault.status, fault.retry_after)
            if refusal is None:
                refusal = self._check(request, target, certificate)
            try:
                if refusal is not None:
                    raise refusal
                await self._answer(request, target, wire, fault, close, record)
            except statuses.Refusal as wrong:
                record["status"] = wrong.code
                await self._send_whole(wire, wrong.code, wrong.content_type, wrong.body, fault,
                                       close, wrong.headers, wrong.flow)
            record["end"] = "complete"
        except Cut:
            record["end"] = "cut"
            raise
        except OSError:
            record["end"] = "client left"
            raise
        finally:
            record["sent"] = wire.sent
        return not close

    def _check(self, request, target, certificate):
        """Authentication, authorization, method: a Refusal or None."""
        settings = self.settings
        if settings.tokens is not None and request.token not in settings.tokens and not (
                certificate and request.token is None):
            return statuses.unauthorized()
        if target.kind is not None:
            for verb, resource in settings.denied:
                if verb in ("*", target.verb) and resource in ("*", target.kind.resource):
                    return statuses.forbidden(target.kind, target.verb, settings.user,
                                              target.namespace)
        if request.method != "GET":
            return statuses.method_not_allowed()
        return None

    async def _send_whole(self, wire, code, content_type, body, fault, close, headers=None,
                          flow=True):
        if fault.garbage:
            body = b"\x00<html>]"
        if fault.truncate_body is not None:
            body = body[:fault.truncate_body]
        head = http.response_head(code, content_type, headers, flow, len(body), close)
        await wire.send(head + body)

    async def _answer(self, request, target, wire, fault, close, record):
        record["status"] = 200
        if target.kind is None:
            await self._answer_plain(request, wire, fault, close)
        elif target.verb == "get":
            entry = self.store.find(target.kind, target.namespace, target.name)
            if entry is None:
                raise statuses.no_such_object(target.kind, target.name)
            body = entry.metadata_only() if wants_metadata_only(request) else entry.watched()
            await self._send_whole(wire, 200, "application/json", body + b"\n", fault, close)
        elif target.verb == "list":
            await self._answer_list(request, target, wire, fault, close)
        else:
            await self._answer_watch(request, target, wire, fault, close)

    async def _answer_plain(self, request, wire, fault, close):
        if request.path == "/version":
            await self._send_whole(wire, 200, "application/json", VERSION.encode(), fault, close)
        elif request.path in discovery.DOCUMENTS:
            await self._send_whole(wire, 200, "application/json",
                                   discovery.DOCUMENTS[request.path], fault, close)
        elif self.settings.unready:
            raise statuses.Refusal(500, "[-]etcd failed: reason withheld\nreadyz check failed\n",
                                   "text/plain; charset=utf-8",
                                   {"X-Content-Type-Options": "nosniff"})
        else:
            await self._send_whole(wire, 200, "text/plain; charset=utf-8", b"ok", fault, close,
                                   {"X-Content-Type-Options": "nosniff"})

    def _selector(self, request, target):
        try:
            return Selector(target.kind, request.query.get("labelSelector", ""),
                            request.query.get("fieldSelector", ""), target.namespace)
        except ValueError as wrong:
            raise statuses.bad_request(str(wrong)) from None

    async def _answer_list(self, request, target, wire, fault, close):
        metadata_only = wants_metadata_only(request)
        selector = self._selector(request, target)
        page = listing.choose_page(self.store, target.kind, selector, request.query, fault.expired)
        pieces = listing.page_pieces(target.kind, page, metadata_only)
        if fault.garbage:
            pieces = iter([b'{"kind":"%sList","items":[{]]}\n' % target.kind.name.encode()])
        if fault.truncate_body is not None:
            pieces = listing.first_octets(pieces, fault.truncate_body)
        headers = {}
        chunker = BufferedChunker()
        if metadata_only:  # Is not streamed object by object.
            pieces = listing.in_blocks(pieces)
            chunker = WholeChunker()
        if request.takes_gzip:
            is_packed, pieces = listing.gzip_if_large(pieces)
            chunker = WholeChunker()
            if is_packed:
                headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if fault.chunks:
            chunker = SizedChunker(fault.chunks)
        await wire.send(http.response_head(200, "application/json", headers, close=close))
        for block in listing.framed(pieces, chunker):
            await wire.send(block)
        await wire.send(END_OF_CHUNKS)

    async def _answer_watch(self, request, target, wire, fault, close):
        if wants_metadata_only(request):
            raise statuses.not_acceptable()
        query = request.query
        if "sendInitialEvents" in query:
            if not self.settings.watch_list:
                raise statuses.watch_list_is_off()
            if query.get("resourceVersionMatch") != "NotOlderThan":
                raise statuses.invalid_option(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        elif "resourceVersionMatch" in query:
            raise statuses.invalid_option(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        chunker = SizedChunker(fault.chunks) if fault.chunks else BufferedChunker()
        watch = Watch(target.kind, self._selector(request, target), request, wire, chunker)
        watch.start(self.store, query, fault.expired)
        watches = self._watches[target.kind.name]
        watches.add(watch)
        try:
            await wire.send(http.response_head(200, "application/json", close=close))
            await watch.run(self.store, fault.garbage)
            await wire.send(END_OF_CHUNKS)
        finally:
            watches.discard(watch)

    # ---- What a test puts into watches by hand.

    def emit(self, kind, line):
        for watch in self.watches(kind):
            watch.deliver(line)

    def emit_error(self, kind, code, message, reason):
        """The ERROR event, after which the real server ends the watch."""
        for watch in self.watches(kind):
            watch.deliver(error_line(code, message, reason))
            watch.end()

    def bookmark(self, kind=None):
        for watch in self.watches(kind):
            watch.bookmark(self.store.version)

    async def send_bookmarks(self):
        """Runs as long as the server does."""
        while True:
            self._news_of_settings.clear()
            try:
                await asyncio.wait_for(self._news_of_settings.wait(),
                                       self.settings.bookmark_every_s)
            except TimeoutError:
                self.bookmark()

    def objects(self, kind):
        return [json.loads(entry.watched()) for entry in self.store.entries(kind)]

