"""A client for tests of the test API server: sockets, Python's own HTTP, watches event by event."""

import http.client
import json
import pathlib
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import cluster_objects as cluster  # noqa: E402

SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
STREAM = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
TIMEOUT = 5
QUIET = 0.2  # Seconds without an octet that count as silence.

def connect(api):
    return socket.create_connection(("127.0.0.1", api.port), timeout=TIMEOUT)


def request_text(path, **headers):
    lines = [f"GET {path} HTTP/1.1", "Host: api"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def get(api, path, connection=None, **headers):
    """Returns (status, headers, body) of one request, through Python's own HTTP client."""
    own = connection or http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
    own.request("GET", path, headers={name.replace("_", "-"): value
                                      for name, value in headers.items()})
    response = own.getresponse()
    body = response.read()
    if connection is None:
        own.close()
    return response.status, dict(response.getheaders()), body


def get_json(api, path, **headers):
    return json.loads(get(api, path, **headers)[2])


def names(listed):
    return [item["metadata"]["name"] for item in listed["items"]]


class Watcher:
    """A watch seen event by event."""

    def __init__(self, api, path):
        self.connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
        self.connection.request("GET", path)
        self._response = self.connection.getresponse()
        self.status = self._response.status

    def next(self):
        """The next event as (type, name or resourceVersion), None at the stream's end."""
        line = self._response.readline()
        if not line:
            return None
        event = json.loads(line)
        thing = event["object"]
        if event["type"] == "ERROR":
            return "ERROR", thing["code"], thing["message"]
        metadata = thing["metadata"]
        return event["type"], metadata.get("name") or metadata["resourceVersion"]

    def close(self):
        self._response.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def web(name="web", **spec):
    return cluster.service(name, "shop", "10.96.0.7", [cluster.port(80, "http")], {"app": name},
                           **spec)


def receive(connection, timeout=TIMEOUT):
    """What comes, and how it ends: "end", "reset" or "silence"."""
    got = b""
    connection.settimeout(timeout)
    try:
        while piece := connection.recv(1 << 16):
            got += piece
    except ConnectionResetError:
        return got, "reset"
    except TimeoutError:
        return got, "silence"
    return got, "end"


def ask(api, path, timeout=TIMEOUT, **headers):
    with connect(api) as connection:
        connection.sendall(request_text(path, **headers))
        return receive(connection, timeout)
