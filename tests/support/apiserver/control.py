"""The test's end of a test API server that runs as a process of its own, so that what the test does
never delays an answer."""

import json
import pathlib
import subprocess
import sys
import threading
import time

from .kubeconfig import write_kubeconfig

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "api_server.py"


class ApiServer:
    """A running test API server; stopped at the end of a with block.

    Every method but those below is a command of child.Commands: server.put(object={...}),
    server.fault(resource="services", verb="watch", status=503, times=2).  A command that the server
    refuses raises ValueError.  Threads may share an ApiServer.
    """

    def __init__(self, listen=("127.0.0.1",), port=0, unix=None, certificate=None, key=None,
                 client_ca=None, **settings):
        command = [sys.executable, str(PROGRAM), "--control", "--port", str(port)]
        for host in listen:
            command += ["--listen", host]
        for flag, value in (("--unix", unix), ("--certificate", certificate), ("--key", key),
                            ("--client-ca", client_ca)):
            if value is not None:
                command += [flag, str(value)]
        self._lock = threading.Lock()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, encoding="utf-8")
        first = self.process.stdout.readline()
        if not first:
            self.stop()
            raise RuntimeError(f"{command} did not start")
        self.urls = json.loads(first)["urls"]
        self.url = self.urls[0]
        if settings:
            self.set(**settings)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)

        def command(**fields):
            return self.command(name, **fields)

        return command

    def command(self, do, **fields):
        with self._lock:
            self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the test API server is gone")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer.get("result")

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def put(self, thing=None, **fields):
        """Stores an object.  Returns its version, its uid, and `at`: the moment, in the seconds of
        time.monotonic(), just before it was sent to the watches."""
        return self.command("put", object=thing, **fields)

    def requests(self, resource=None, verb=None, path=None, clear=False):
        """The records of the requests so far, oldest first, of a resource, verb or path."""
        return [record for record in self.command("requests", clear=clear)
                if resource in (None, record["resource"]) and verb in (None, record["verb"])
                and path in (None, record["path"])]

    def wait_for(self, condition, timeout=5.0):
        """Waits until condition(self) holds.  Returns whether it does."""
        end = time.monotonic() + timeout
        while not condition(self):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def wait_for_watches(self, *resources, timeout=5.0):
        """Waits until each of these resources is watched."""
        return self.wait_for(lambda server: all(server.watches(kind=resource) > 0
                                                for resource in resources), timeout)

    def kubeconfig(self, path, certificate_authority=None, user=None, url=None, **cluster):
        """Writes a kubeconfig that leads here."""
        return write_kubeconfig(path, url or self.url, certificate_authority, user, **cluster)

    def stop(self):
        """Ends the process.  What clients see is what a killed server leaves."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
