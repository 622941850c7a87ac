"""The process of the test API server: sockets, and the commands that change what it does.

Commands are JSON objects, one a line, from a script or from the test that started the process:
{"do": "put", "object": {...}}.  With --control each gets one line back: {"result": ...} or
{"error": "..."}, in order.
"""

import argparse
import asyncio
import json
import pathlib
import signal
import ssl
import sys

import cluster_objects

from . import certificates, http, kinds
from .kubeconfig import write_kubeconfig
from .service import Service

MAX_COMMAND = 1 << 30  # Octets: a bulk load is one line.


class Server:
    """Listeners around a Service.  They can go down and come back at the same addresses."""

    def __init__(self, arguments):
        self.service = Service()
        self._arguments = arguments
        self._listeners = []
        self._ports = {}
        self._tls = None
        if arguments.certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(arguments.certificate, arguments.key)
            if arguments.client_ca:
                self._tls.load_verify_locations(arguments.client_ca)
                self._tls.verify_mode = ssl.CERT_OPTIONAL

    @property
    def urls(self):
        scheme = "https" if self._tls else "http"
        shown = {"127.0.0.1": "127.0.0.1", "::1": "[::1]"}
        urls = [f"{scheme}://{shown.get(host, host)}:{port}" for host, port in self._ports.items()]
        if self._arguments.unix:
            urls.append(f"unix://{self._arguments.unix}")
        return urls

    def _protocol(self):
        return asyncio.StreamReaderProtocol(http.Reader(), self.service.serve)

    async def up(self):
        loop = asyncio.get_running_loop()
        for host in self._arguments.listen:
            listener = await loop.create_server(
                self._protocol, host, self._ports.get(host, self._arguments.port), ssl=self._tls,
                backlog=256)
            self._ports[host] = listener.sockets[0].getsockname()[1]
            self._listeners.append(listener)
        if self._arguments.unix:
            pathlib.Path(self._arguments.unix).unlink(missing_ok=True)
            self._listeners.append(
                await loop.create_unix_server(self._protocol, self._arguments.unix))

    def down(self, gently=False):
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self.service.drop_all(gently)

    def use_certificate(self, certificate, key):
        """For handshakes from now on."""
        self._tls.load_cert_chain(certificate, key)


class Commands:
    """Each method is a command, its parameters are the command's fields."""

    def __init__(self, server):
        self._server = server
        self._service = server.service
        self._store = server.service.store

    async def run(self, line):
        command = json.loads(line)
        name = command.pop("do", "")
        method = getattr(self, f"do_{name}", None)
        if method is None:
            known = ", ".join(sorted(n[3:] for n in dir(self) if n.startswith("do_")))
            raise ValueError(f"there is no command {name!r}; there are {known}")
        result = method(**command)
        return await result if asyncio.iscoroutine(result) else result

    # ---- The world.

    def do_put(self, object, silent=False, version=None):
        return self._change(self._service.put(object, silent, version))

    def do_delete(self, kind, name, namespace="default", silent=False, version=None):
        return self._change(
            self._service.delete(kinds.kind_of(kind), namespace, name, silent, version))

    def _change(self, entry):
        return {"version": entry.version, "uid": entry.uid, "at": self._service.told_at}

    def do_load(self, objects=None, file=None, keep_versions=False):
        """Many objects at once, as if they had always been there; `file` has one a line."""
        if file is not None:
            with open(file, encoding="utf-8") as lines:
                return self._store.load((json.loads(line) for line in lines), keep_versions)
        return self._store.load(objects, keep_versions)

    def do_load_cluster(self, **shape):
        return self._store.load(cluster_objects.Cluster(**shape).objects())

    def do_objects(self, kind):
        return self._service.objects(kinds.kind_of(kind))

    def do_version(self):
        return self._store.version

    def do_set_version(self, version):
        self._store.set_version(version)

    def do_compact(self):
        self._store.compact()

    # ---- What clients see.

    def do_set(self, **settings):
        """Fields of service.Settings."""
        self._service.change_settings(settings)

    def do_deny(self, verb="*", resource="*"):
        self._service.settings.denied.append([verb, resource])

    def do_allow_all(self):
        self._service.settings.denied.clear()

    def do_fault(self, **fields):
        return self._service.add_fault(fields)

    def do_clear_fault(self, number):
        self._service.faults[:] = [f for f in self._service.faults if f.number != number]

    def do_clear_faults(self):
        self._service.faults.clear()

    def do_fault_hits(self, number):
        return next(f.hits for f in self._service.faults if f.number == number)

    def do_emit(self, kind, line):
        """A line of any content, in every open watch of a kind."""
        self._service.emit(kinds.kind_of(kind), line.encode() + b"\n")

    def do_emit_error(self, kind, code=410, message="too old resource version: 1 (2)",
                      reason="Expired"):
        self._service.emit_error(kinds.kind_of(kind), code, message, reason)

    def do_bookmark(self, kind=None):
        self._service.bookmark(kinds.kind_of(kind) if kind else None)

    def do_freeze(self, kind=None):
        """The open watches stay open and hear nothing any more.  Returns how many there are."""
        watches = self._service.watches(kinds.kind_of(kind) if kind else None)
        for watch in watches:
            watch.freeze()
        return len(watches)

    def do_watches(self, kind=None):
        return len(self._service.watches(kinds.kind_of(kind) if kind else None))

    def do_end_watches(self, kind=None):
        for watch in self._service.watches(kinds.kind_of(kind) if kind else None):
            watch.end()

    # ---- Connections.

    async def do_up(self):
        await self._server.up()

    def do_down(self, gently=False):
        self._server.down(gently)

    def do_drop_connections(self, gently=False):
        self._service.drop_all(gently)

    def do_use_certificate(self, certificate, key):
        self._server.use_certificate(certificate, key)

    # ---- What happened, and time.

    def do_requests(self, clear=False):
        records = list(self._service.records)
        if clear:
            self._service.records.clear()
        return records

    async def do_sleep(self, seconds):
        await asyncio.sleep(seconds)


async def follow_control(commands):
    """Commands on stdin, answers on stdout, until the test closes its end."""
    reader = asyncio.StreamReader(limit=MAX_COMMAND)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer = {"result": await commands.run(line)}
        except (ValueError, TypeError, KeyError, OSError, StopIteration) as wrong:
            answer = {"error": f"{type(wrong).__name__}: {wrong}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


async def follow_script(commands, path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                result = await commands.run(line)
            except (ValueError, TypeError, KeyError, OSError, StopIteration) as wrong:
                raise SystemExit(f"{path}:{number}: {wrong}") from None
            print(f"{line.strip()[:100]} -> {json.dumps(result)[:200]}", flush=True)


async def run(arguments):
    server = Server(arguments)
    await server.up()
    commands = Commands(server)
    bookmarks = asyncio.ensure_future(server.service.send_bookmarks())
    if arguments.control:
        print(json.dumps({"urls": server.urls}), flush=True)
        await follow_control(commands)
        bookmarks.cancel()
        return
    print("\n".join(server.urls), flush=True)
    if arguments.kubeconfig:
        write_kubeconfig(arguments.kubeconfig, server.urls[0],
                         certificate_authority=arguments.certificate_authority)
        print(f"kubeconfig: {arguments.kubeconfig}", flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    if arguments.script:
        await follow_script(commands, arguments.script)
    await stopped.wait()


def main():
    parser = argparse.ArgumentParser(
        prog="api_server.py", description="An API server to test clients with, driven by a script: "
        "one JSON command a line, such as {\"do\": \"load_cluster\", \"services\": 100}.")
    parser.add_argument("--listen", action="append", help="127.0.0.1 (default) or ::1; repeatable")
    parser.add_argument("--port", type=int, default=0, help="0: the kernel chooses")
    parser.add_argument("--unix", help="also listen on this socket")
    parser.add_argument("--tls", metavar="FOLDER", type=pathlib.Path,
                        help="serve TLS with certificates made in this folder")
    parser.add_argument("--certificate", help="serve TLS with this certificate and --key")
    parser.add_argument("--key")
    parser.add_argument("--client-ca", help="accept client certificates of this authority")
    parser.add_argument("--kubeconfig", type=pathlib.Path, help="write one for the first address")
    parser.add_argument("--script", type=pathlib.Path)
    parser.add_argument("--control", action="store_true",
                        help="take commands from stdin, end with it")
    arguments = parser.parse_args()
    arguments.listen = arguments.listen or ["127.0.0.1"]
    arguments.certificate_authority = None
    if arguments.tls:
        authority = certificates.Authority(arguments.tls)
        arguments.certificate, arguments.key = authority.server()
        arguments.certificate_authority = authority.certificate
    asyncio.run(run(arguments))
