#!/usr/bin/env python3
"""The test API server says what kube-apiserver 1.36.2 said: each recorded request is sent to it, over
the recorded objects, and its response compared with the recorded one, octet by octet."""

import json
import pathlib
import re
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from api_server import ApiServer  # noqa: E402
from harness import Checks  # noqa: E402

RECORDINGS = ROOT / "tests" / "data" / "api"
LISTS = ("services", "endpointslices", "namespaces", "nodes", "pods")
KINDS = {"services": ("Service", "v1"), "namespaces": ("Namespace", "v1"), "pods": ("Pod", "v1"),
         "nodes": ("Node", "v1"), "endpointslices": ("EndpointSlice", "discovery.k8s.io/v1")}
TIMEOUT = 5

checks = Checks()


def recorded(name):
    return (RECORDINGS / f"{name}.http").read_bytes()


def masked(response):
    """Without what is different each time: the audit id, the date, and whom fairness counted."""
    head, _, body = response.partition(b"\r\n\r\n")
    head = re.sub(rb"(Audit-Id|Date|X-Kubernetes-Pf-\w+-Uid): [^\r]*", rb"\1: *", head)
    return head + b"\r\n\r\n" + body


def body_of(response):
    """The body without its framing."""
    _, _, rest = response.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            break
        body += rest[:int(size, 16)]
        rest = rest[int(size, 16) + 2:]
    return body


def asked(api, name):
    """A connection on which the recorded request was sent."""
    connection = socket.create_connection(("127.0.0.1", api.port), timeout=TIMEOUT)
    connection.sendall((RECORDINGS / f"{name}.request").read_bytes())
    return connection


def receive(connection, size):
    """What comes until the end, or until `size` octets are there."""
    got = b""
    while len(got) < size:
        piece = connection.recv(1 << 16)
        if not piece:
            break
        got += piece
    return got


def equal_octets(what, got, wanted):
    """Like checks.equal, but shows only the place where two long texts part."""
    if got == wanted:
        checks.equal(what, True, True)
        return
    at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b),
              min(len(got), len(wanted)))
    checks.equal(f"{what}, from octet {at}", got[max(0, at - 80):at + 120],
                 wanted[max(0, at - 80):at + 120])


def replay(api, name):
    wanted = recorded(name)
    with asked(api, name) as connection:
        got = receive(connection, 1 << 24)
    equal_octets(f"{name} is answered as recorded", masked(got), masked(wanted))


def recorded_objects():
    for resource in LISTS:
        kind, version = KINDS[resource]
        for item in json.loads(body_of(recorded(f"list-{resource}")))["items"]:
            yield {"kind": kind, "apiVersion": version, **item}


def loaded(version):
    api = ApiServer(tokens=["TOKEN"])
    api.load(objects=list(recorded_objects()), keep_versions=True)
    api.set_version(version=version)
    return api


def lists_and_pages():
    with loaded(368) as api:
        for resource in LISTS:
            replay(api, f"list-{resource}")
        for name in ("list-services-gzip", "list-services-metadata-only", "page-services-0",
                     "page-services-1", "page-services-2", "version"):
            replay(api, name)


def errors():
    with loaded(369) as api:
        for name in ("error-401", "error-404", "watch-too-large-rv"):
            replay(api, name)
        api.deny(verb="list", resource="services")
        replay(api, "error-403")
        api.allow_all()
        api.deny(verb="watch", resource="services")
        replay(api, "error-403-watch")
    with loaded(481) as api:
        api.compact()
        replay(api, "watch-too-old")


def unframed(response):
    """With a body without chunks: where a watch's chunks end depends on how fast events come."""
    return masked(response).partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body_of(response)


def streaming_lists():
    """A recording ends where the recorder stopped listening; so does the comparison."""
    for resource in ("services", "endpointslices"):
        name = f"watchlist-{resource}"
        wanted = recorded(name)
        marked = re.search(rb'"resourceVersion":"(\d+)","annotations":\{"k8s.io/initial', wanted)
        with loaded(int(marked.group(1))) as api, asked(api, name) as connection:
            api.wait_for_watches(resource)
            api.end_watches(kind=resource)
            got = receive(connection, 1 << 24)
            lines = len(body_of(got).splitlines())
            wanted_lines = unframed(wanted).splitlines(keepends=True)
            head = wanted_lines.index(b"\r\n") + 1
            equal_octets(f"{name} is answered as recorded", unframed(got),
                         b"".join(wanted_lines[:head + lines]))
            checks.less(f"{name} holds events", 20, lines)


def watches():
    """What happened while the recorder watched happens again, at the same versions."""
    for resource in ("services", "endpointslices", "namespaces", "pods"):
        name = f"watch-{resource}-scripted"
        wanted = recorded(name)
        events = [json.loads(line) for line in body_of(wanted).splitlines()]
        with loaded(372) as api, asked(api, name) as connection:
            api.wait_for_watches(resource)
            for event in events:
                thing = event["object"]
                version = int(thing["metadata"]["resourceVersion"])
                if event["type"] == "BOOKMARK":
                    api.set_version(version=version)
                    api.bookmark(kind=resource)
                elif event["type"] == "DELETED":
                    api.delete(kind=resource, name=thing["metadata"]["name"], version=version,
                               namespace=thing["metadata"].get("namespace", ""))
                else:
                    api.put(thing, version=version)
            api.end_watches(kind=resource)
            got = receive(connection, 1 << 24)
            equal_octets(f"{name} is answered as recorded", unframed(got), unframed(wanted))
            checks.less(f"{name} holds events", 5, len(events))


lists_and_pages()
errors()
streaming_lists()
watches()
checks.finish()
