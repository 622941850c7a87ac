"""Watches: from which event on, what is sent first, and what follows."""

import asyncio
import collections
import random

from . import statuses
from .faults import Cut
from .listing import BLOCK, version_of

MAX_BACKLOG = 64 << 20  # Octets that wait for a slow client before its watch is ended.
# What the real server chooses from when a client names no timeout, in seconds.
DEFAULT_TIMEOUT = (1800, 3600)
GARBAGE_EVENT = b'{"type":"ADDED","object":{"kind":]]}\n'


def event_line(type_, entry):
    return b'{"type":"%s","object":%b}\n' % (type_.encode(), entry.watched())


def error_line(code, message, reason):
    body = statuses.status_object(code, message, reason)
    return f'{{"type":"ERROR","object":{body}}}\n'.encode()


def bookmark_line(kind, version, ends_initial_events=False):
    annotations = (',"annotations":{"k8s.io/initial-events-end":"true"}' if ends_initial_events
                   else "")
    return (f'{{"type":"BOOKMARK","object":{{"kind":"{kind.name}","apiVersion":'
            f'"{kind.api_version}","metadata":{{"resourceVersion":"{version}"{annotations}}},'
            f'{kind.bookmark}}}}}\n').encode()


def line_for(event, selector):
    """What a watch with this selector is told about an event; None if it is none of its business.
    An object that leaves the selection is deleted for the watch, as it was last, at the new
    version."""
    now = event.type != "DELETED" and selector.matches(event.entry)
    before = event.before is not None and selector.matches(event.before)
    if now:
        return event_line("MODIFIED" if before else "ADDED", event.entry)
    if before:
        return event_line("DELETED", event.before.with_version(event.version))
    return None


class Watch:
    """One client's watch.  Others hand lines to deliver(); run() sends them.

    Once everything that waited is sent, deliver() writes to the socket itself, so that an event is
    on its way when the change that caused it returns.
    """

    def __init__(self, kind, selector, request, wire, chunker):
        self.kind = kind
        self.selector = selector
        self.wants_bookmarks = request.flag("allowWatchBookmarks")
        self.is_frozen = False
        self._wire = wire
        self._chunker = chunker
        self._waiting = collections.deque()
        self._news = asyncio.Event()
        self._is_direct = False
        self._is_ended = False
        self._floor = 0  # Events up to this version are not for this client.
        timeout = request.query.get("timeoutSeconds", "")
        self._timeout = int(timeout) if timeout.isdigit() and int(timeout) else random.uniform(
            *DEFAULT_TIMEOUT)

    def tell(self, event):
        if event.version > self._floor:
            line = line_for(event, self.selector)
            if line is not None:
                self.deliver(line)

    def deliver(self, line):
        if self.is_frozen or self._is_ended:
            return
        if self._wire.backlog > MAX_BACKLOG or len(self._waiting) > 1_000_000:
            self.end()  # As the real server does with a client that does not keep up.
        elif self._is_direct:
            self._wire.write(self._chunker.frame(line) + self._chunker.flush())
        else:
            self._waiting.append(line)
            self._news.set()

    def bookmark(self, version):
        if self.wants_bookmarks:
            self.deliver(bookmark_line(self.kind, version))

    def freeze(self):
        """Sends nothing from now on, and stays open."""
        self.is_frozen = True
        self._news.set()

    def end(self):
        """Ends the stream in good order once everything before is sent."""
        self._is_ended = True
        self._news.set()

    def start(self, store, query, expired):
        """Queues what comes first.  Raises a Refusal."""
        asked = version_of(query)
        sends_initial = query.get("sendInitialEvents") == "true"
        oldest = store.oldest(self.kind)
        if sends_initial or not asked:
            if asked and asked > store.version:
                raise statuses.too_large_version(asked, store.version)
            self._floor = store.version
            for entry in store.entries(self.kind):
                if self.selector.matches(entry):
                    self._waiting.append(("ADDED", entry))
            if sends_initial and self.wants_bookmarks:
                self._waiting.append(bookmark_line(self.kind, store.version, True))
            return
        self._floor = asked
        if expired or asked < oldest:
            self._waiting.append(error_line(410, statuses.too_old_message(asked, oldest),
                                            "Expired"))
            self.end()
            return
        for event in store.events_after(self.kind, asked):
            self.tell(event)

    async def run(self, store, garbage):
        """Sends until the timeout, the client's end, or end().  Raises Cut or an OSError."""
        if garbage:
            self._waiting.appendleft(GARBAGE_EVENT)
        deadline = asyncio.get_running_loop().time() + self._timeout
        while True:
            await self._send_waiting()
            if self._is_ended:
                break
            self._news.clear()
            self._is_direct = self._wire.is_plain
            news = asyncio.ensure_future(self._news.wait())
            left = max(0, deadline - asyncio.get_running_loop().time())
            try:
                # A frozen watch does not even end.
                await asyncio.wait([news, self._wire.closed],
                                   timeout=None if self.is_frozen else left,
                                   return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
                self._is_direct = False
            if self._wire.closed.done():
                raise Cut
            if not self.is_frozen and asyncio.get_running_loop().time() >= deadline:
                self.bookmark(store.version)
                self.end()

    async def _send_waiting(self):
        """Flushes, like the real server, only when nothing waits any more: chunks end anywhere."""
        held = []
        size = 0
        while self._waiting:
            line = self._waiting.popleft()
            if isinstance(line, tuple):
                line = event_line(*line)
            held.append(self._chunker.frame(line))
            size += len(held[-1])
            if not self._waiting:
                held.append(self._chunker.flush())
            if size >= BLOCK or not self._waiting:
                await self._wire.send(b"".join(held))
                held.clear()
                size = 0
