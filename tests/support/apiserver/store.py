"""The objects of the test API server: what there is, and what happened since the last compaction.

One thread uses a Store.  Every object is kept as the text that lists and watches send, written
once; of its parts only those that selectors ask for are kept beside it.
"""

import bisect
import hashlib
import json
import time
import uuid

from . import kinds

HISTORY = 100_000  # Events of one kind that are kept; older ones are compacted away.


class Entry:
    """One version of one object."""

    __slots__ = ("kind", "key", "name", "namespace", "labels", "fields", "version", "uid",
                 "created", "generation", "text", "meta_end")

    def watched(self):
        """The object's text as events hold it: with kind and apiVersion."""
        return b'{"kind":"%s","apiVersion":"%s",%s' % (
            self.kind.name.encode(), self.kind.api_version.encode(), self.text[1:])

    def metadata_only(self):
        """The object as PartialObjectMetadata."""
        return (b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",'
                + self.text[1:self.meta_end] + b"}")

    def with_version(self, version):
        """The same content at another resourceVersion, as the event of a deletion shows it."""
        copy = Entry()
        for name in Entry.__slots__:
            setattr(copy, name, getattr(self, name))
        old, new = (b'"resourceVersion":"%d"' % number for number in (self.version, version))
        copy.text = self.text.replace(old, new, 1)
        copy.meta_end = self.meta_end + len(new) - len(old)
        copy.version = version
        return copy


class Event:
    """What happened to one object.  `before` is None when it was added."""

    __slots__ = ("type", "entry", "before", "version")

    def __init__(self, type_, entry, before):
        self.type = type_
        self.entry = entry
        self.before = before
        self.version = entry.version


class _Shelf:
    """All objects of one kind, in the order of their keys, and what happened to them."""

    def __init__(self):
        self.entries = {}
        self.keys = []
        self.events = []
        self.oldest = 0  # Events up to this version are gone.


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _field(thing, path):
    for part in path.split("."):
        thing = thing.get(part) if isinstance(thing, dict) else None
    return "" if thing is None else thing if isinstance(thing, str) else json.dumps(thing)


def _new_uid(kind, entry):
    """Derived, so that two runs make the same objects; of the version, so that an object that was
    deleted and made anew is another one."""
    seed = hashlib.md5(f"{kind.name} {entry.key} {entry.version}".encode()).digest()
    return str(uuid.UUID(bytes=seed, version=4))


def _key(kind, namespace, name):
    return f"{namespace}/{name}" if kind.namespaced else name


class Store:
    def __init__(self):
        self.version = 1
        self._shelves = {name: _Shelf() for name in kinds.KINDS}
        self._listeners = []

    def listen(self, listener):
        """Calls listener(kind, event) for every event from now on."""
        self._listeners.append(listener)

    def set_version(self, version):
        """The next change gets the version after this one.  Going back is what a restored backup of
        etcd does; the history goes with it, since its versions would no longer rise."""
        if version < self.version:
            for shelf in self._shelves.values():
                shelf.events.clear()
                shelf.oldest = version
        self.version = version

    def _entry(self, kind, thing, before):
        """Writes an object at the store's version.  What the server fills in is filled in, unless the
        object has it already."""
        metadata = dict(thing["metadata"])
        now = _now()
        if kind.namespaced:
            metadata.setdefault("namespace", "default")
        entry = Entry()
        entry.kind = kind
        entry.name = metadata["name"]
        entry.namespace = metadata.get("namespace", "")
        entry.key = _key(kind, entry.namespace, entry.name)
        entry.version = self.version
        if "uid" not in metadata:
            metadata["uid"] = before.uid if before else _new_uid(kind, entry)
        entry.uid = metadata["uid"]
        entry.created = metadata.setdefault("creationTimestamp", before.created if before else now)
        metadata["resourceVersion"] = str(entry.version)
        entry.generation = before.generation + 1 if before else 1
        if kind.has_generation:
            metadata.setdefault("generation", entry.generation)
        if kind.name == "Namespace":
            metadata["labels"] = {**metadata.get("labels", {}),
                                  "kubernetes.io/metadata.name": entry.name}
        thing = {**thing, "metadata": metadata}
        if "managedFields" not in metadata:
            metadata["managedFields"] = kinds.managed_fields(kind, thing, now)
        metadata, body = kinds.in_order(kind, thing)
        head = '{"metadata":' + kinds.to_text(metadata)
        rest = kinds.to_text(body)[1:]
        entry.text = (head + ("," if rest != "}" else "") + rest).encode()
        entry.meta_end = len(head.encode())
        labels = metadata.get("labels")
        entry.labels = labels if isinstance(labels, dict) else {}
        entry.fields = {path: _field(thing, path) for path in kind.fields}
        entry.fields["metadata.name"] = entry.name
        entry.fields["metadata.namespace"] = entry.namespace
        return entry

    def _tell(self, kind, event):
        shelf = self._shelves[kind.name]
        shelf.events.append(event)
        if len(shelf.events) > 2 * HISTORY:
            shelf.oldest = shelf.events[-HISTORY - 1].version
            del shelf.events[:-HISTORY]
        for listener in self._listeners:
            listener(kind, event)

    def _next_version(self, wanted):
        if wanted is not None and wanted <= self.version:
            raise ValueError(f"version {wanted} is not after {self.version}")
        self.version = wanted or self.version + 1

    def put(self, thing, version=None):
        """Adds or replaces one object.  Returns its entry.  With `version`, that becomes the
        store's."""
        kind = kinds.kind_of(thing["kind"])
        shelf = self._shelves[kind.name]
        key = _key(kind, thing["metadata"].get("namespace", "default"), thing["metadata"]["name"])
        before = shelf.entries.get(key)
        self._next_version(version)
        entry = self._entry(kind, thing, before)
        shelf.entries[key] = entry
        if before is None:
            bisect.insort(shelf.keys, key)
        self._tell(kind, Event("MODIFIED" if before else "ADDED", entry, before))
        return entry

    def delete(self, kind, namespace, name, version=None):
        """Removes one object.  Returns its last entry, at the version of the deletion."""
        shelf = self._shelves[kind.name]
        key = _key(kind, namespace, name)
        before = shelf.entries.get(key)
        if before is None:
            raise ValueError(f"there is no {kind.name} {key}")
        self._next_version(version)
        del shelf.entries[key]
        del shelf.keys[bisect.bisect_left(shelf.keys, key)]
        entry = before.with_version(self.version)
        self._tell(kind, Event("DELETED", entry, before))
        return entry

    def load(self, things, keep_versions=False):
        """Adds many objects that nobody watches yet, as if they had been there long: without events.
        With keep_versions each keeps its metadata.resourceVersion.  Returns how many there were."""
        count = 0
        touched = set()
        last = self.version
        for thing in things:
            kind = kinds.kind_of(thing["kind"])
            shelf = self._shelves[kind.name]
            last += 1
            self.version = int(thing["metadata"]["resourceVersion"]) if keep_versions else last
            key = _key(kind, thing["metadata"].get("namespace", "default"),
                       thing["metadata"]["name"])
            shelf.entries[key] = self._entry(kind, thing, None)
            touched.add(kind.name)
            count += 1
        self.version = last
        for name in touched:
            shelf = self._shelves[name]
            shelf.keys = sorted(shelf.entries)
            shelf.oldest = self.version
            shelf.events.clear()
        return count

    def find(self, kind, namespace, name):
        return self._shelves[kind.name].entries.get(_key(kind, namespace, name))

    def count(self, kind):
        return len(self._shelves[kind.name].entries)

    def oldest(self, kind):
        """The version from which a watch can still be resumed."""
        return self._shelves[kind.name].oldest

    def compact(self):
        """Forgets what happened.  Watches and pages from before are gone."""
        for shelf in self._shelves.values():
            shelf.events.clear()
            shelf.oldest = self.version

    def events_after(self, kind, version):
        events = self._shelves[kind.name].events
        return events[bisect.bisect_right(events, version, key=lambda event: event.version):]

    def entries(self, kind, version=None):
        """All entries in the order of their keys, as they were at `version`, which must not be
        older than oldest()."""
        shelf = self._shelves[kind.name]
        undone = self.events_after(kind, version) if version is not None else ()
        if not undone:
            return [shelf.entries[key] for key in shelf.keys]
        past = dict(shelf.entries)
        for event in reversed(undone):
            if event.before is None:
                past.pop(event.entry.key, None)
            else:
                past[event.entry.key] = event.before
        return [past[key] for key in sorted(past)]
