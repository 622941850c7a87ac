#!/usr/bin/env python3
"""waypost-dns over an API server, with the cluster of the benchmark: how long until it is ready, what it holds in
memory, how long a change takes, and what 1000 changes a second do to the answers.

The server is on the first core; the API server (tests/support/api_server.py) and the load are on the second.
The API server is a Python program: what it takes to send its lists is told beside the start.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import world_report
from dns_servers import CORES, LOAD, cpu_model, pinned

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import harness  # noqa: E402
from api_server import ApiServer  # noqa: E402

harness.START_TIMEOUT = 120
LISTS = ("/api/v1/namespaces", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices")
IDLE_CONNECTIONS = 10000


@contextlib.contextmanager
def on_core(index):
    """Programs that are started meanwhile run on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[min(index, len(CORES) - 1)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def memory_mib(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE).group(1)) / 1024


def forget_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def world_objects(options):
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as folder:
        subprocess.run([str(LOAD), *world_flags(options), "--write-world", folder], check=True)
        for file in sorted(pathlib.Path(folder).glob("*.json")):
            yield from json.loads(file.read_text())["items"]


def world_flags(options):
    return ["--services", str(options.services), "--endpoints", str(options.endpoints)]


def load(server, options, seconds, *flags):
    """One round of questions; what the generator tells.  A wrong answer ends the benchmark."""
    command = [LOAD, f"127.0.0.1:{server.port}", *world_flags(options), "--seconds", str(seconds), *flags]
    done = subprocess.run(pinned(CORES[-1:], command), capture_output=True, text=True, timeout=seconds + 120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def read_lists(api):
    """Seconds that the API server takes to send what waypost-dns lists."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=120)
    for path in LISTS:
        connection.request("GET", path)
        response = connection.getresponse()
        while response.read(1 << 20):
            pass
    connection.close()
    return time.monotonic() - started


class Changes:
    """Changes a second of an object's own kind, one endpoint of a slice or a Node's label, until the end of the block."""

    def __init__(self, api, rate, objects):
        self._api = api
        self._rate = rate
        self._objects = objects
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.made = 0
        self.seconds = 0.0

    def _run(self):
        started = time.monotonic()
        while not self._stop.is_set():
            due = started + self.made / self._rate
            late = due - time.monotonic()
            if late > 0:
                time.sleep(late)
            thing = self._objects[self.made * 7919 % len(self._objects)]
            change(thing, self.made)
            self._api.put(thing)
            self.made += 1
        self.seconds = time.monotonic() - started

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def change(thing, number):
    if thing["kind"] == "EndpointSlice":
        one = thing["endpoints"][number % len(thing["endpoints"])]
        one["addresses"] = [f"100.{64 + number % 63}.{number // 250 % 250}.{number % 250 + 1}"]
    else:
        thing["metadata"]["labels"] = {"number": str(number)}


def nodes(count, size):
    """Objects that waypost-dns does not watch, of about as many octets as a slice."""
    return [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{i}", "annotations": {"padding": "x" * size}},
             "spec": {}} for i in range(count)]


class Reader:
    """Watches the Nodes and looks at nothing, until the end of the block.

    It takes what has come only now and then, so that it wakes up neither the load nor the server: what the API server
    has to do for a change is then the same whoever the change is for.
    """

    def __init__(self, api):
        self._socket = socket.create_connection(("127.0.0.1", api.port), timeout=10)
        self._socket.sendall(b"GET /api/v1/nodes?watch=true HTTP/1.1\r\nHost: bench\r\n\r\n")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.octets = 0

    def _run(self):
        self._socket.setblocking(False)
        while not self._stop.wait(0.02):
            with contextlib.suppress(BlockingIOError):
                while piece := self._socket.recv(1 << 20):
                    self.octets += len(piece)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._socket.close()


def start(api, options):
    times = []
    for _ in range(options.starts):
        with on_core(0):
            started = time.monotonic()
            server = harness.Server("--api-server", api.url, "--workers", "1")
        times.append(time.monotonic() - started)
        server.kill()
    lists = statistics.median(read_lists(api) for _ in range(options.starts))
    return {"ready_s": statistics.median(times), "ready_worst_s": max(times), "lists_s": lists}


def memory(api, server):
    pid = server.process.pid
    first_peak = memory_mib(pid, "VmHWM")
    before = memory_mib(pid, "VmRSS")
    own = memory_mib(pid, "RssAnon")
    forget_peak(pid)
    lists = len(api.requests())
    api.compact()
    for kind in ("Service", "EndpointSlice"):
        api.emit_error(kind=kind)
    if not api.wait_for(lambda one: len(one.requests()) >= lists + 2 and one.watches(kind="EndpointSlice") > 0
                        and one.watches(kind="Service") > 0, timeout=120):
        raise RuntimeError("no new list was asked for")
    time.sleep(3)
    return {"resident_mib": before, "own_mib": own, "first_peak_mib": first_peak, "relist_peak_mib": memory_mib(pid, "VmHWM")}


def change_to_answer(api, server, slices, options):
    times = []
    headless = [one for one in slices if one["endpoints"][0].get("hostname")]
    for number in range(options.changes):
        thing = headless[number % len(headless)]
        address = f"100.127.{number // 250}.{number % 250 + 1}"
        thing["endpoints"][0]["addresses"] = [address]
        name = (f"{thing['endpoints'][0]['hostname']}.{thing['metadata']['labels']['kubernetes.io/service-name']}."
                f"{thing['metadata']['namespace']}.svc.cluster.local")
        told_at = api.put(thing)["at"]
        if server.poll(name, "A", lambda _, records, wanted=address: records == [wanted], timeout=10, interval=0) is None:
            raise RuntimeError(f"{name} never had {address}")
        times.append((time.monotonic() - told_at) * 1000)
    times.sort()
    return {"changes": len(times), "change_p50_ms": times[len(times) // 2], "change_p99_ms": times[len(times) * 99 // 100],
            "change_worst_ms": times[-1]}


def worker_waits_ms(pid):
    """Milliseconds that the worker was ready and had no core, since its start: `schedstat` of proc(5)."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("worker-"):
            return int((task / "schedstat").read_text().split()[1]) / 1e6
    raise RuntimeError("no thread is a worker")


def load_and_wait(server, options):
    """A round of questions: what the load tells, and how long the worker waited for its core, in ms of each second."""
    before = worker_waits_ms(server.process.pid), time.monotonic()
    told = load(server, options, options.seconds, "--rate", str(options.rate))
    after = worker_waits_ms(server.process.pid), time.monotonic()
    return told, (after[0] - before[0]) / (after[1] - before[1])


# Ways to schedule the control thread, which is the main one: policy and niceness (sched(7)).
SCHEDULING = {"SCHED_OTHER": (os.SCHED_OTHER, 0), "SCHED_OTHER, nice 5": (os.SCHED_OTHER, 5),
              "SCHED_OTHER, nice 19": (os.SCHED_OTHER, 19), "SCHED_BATCH": (os.SCHED_BATCH, 0)}


def scheduling(api, server, slices, options):
    """The worker's waits with the control thread scheduled in each way, in turn; needs CAP_SYS_NICE."""
    waits = {name: [] for name in ("without changes", *SCHEDULING)}
    for _ in range(options.rounds):
        waits["without changes"].append(load_and_wait(server, options)[1])
        for name, (policy, nice) in SCHEDULING.items():
            os.setpriority(os.PRIO_PROCESS, server.process.pid, nice)
            os.sched_setscheduler(server.process.pid, policy, os.sched_param(0))
            with Changes(api, options.change_rate, slices):
                time.sleep(0.2)
                waits[name].append(load_and_wait(server, options)[1])
    print(f"how long the worker waited for its core in each second, at {options.rate} questions and "
          f"{options.change_rate} changes a second; median of {options.rounds} rounds (least to most):")
    for name, values in waits.items():
        print(f"  {name:<22}{statistics.median(values):6.1f} ms  ({min(values):.1f} to {max(values):.1f})")


def answers_under_changes(api, server, slices, options):
    """Rounds at a fixed rate, in turn with changes that concern waypost-dns and with some that do not."""
    told = {"EndpointSlice": [], "Node": []}
    made = {"EndpointSlice": [], "Node": []}
    waited = {"EndpointSlice": [], "Node": []}
    quiet = nodes(1000, len(json.dumps(slices[0], separators=(",", ":"))))
    api.load(objects=quiet)
    for _ in range(options.rounds):
        for kind, objects in (("Node", quiet), ("EndpointSlice", slices)):
            with Reader(api) as reader, Changes(api, options.change_rate, objects) as changes:
                time.sleep(0.2)
                answered, wait = load_and_wait(server, options)
            told[kind].append(answered)
            waited[kind].append(wait)
            made[kind].append(changes.made / changes.seconds)
            if kind == "Node" and reader.octets < changes.made * 1000:
                raise RuntimeError("the changes of Nodes were not sent")
    found = {"question_rate": options.rate, "change_rate": statistics.median(made["EndpointSlice"])}
    for kind, name in (("Node", "quiet"), ("EndpointSlice", "changing")):
        for field in ("p50_us", "p99_us"):
            found[f"{name}_{field}"] = statistics.median(one[field] for one in told[kind])
        found[f"{name}_waited_ms"] = statistics.median(waited[kind])
        found[f"{name}_lost"] = sum(one["lost"] for one in told[kind])
    return found


def soak(api, server, slices, options):
    pid = server.process.pid
    before = memory_mib(pid, "VmRSS")
    with Changes(api, 1e6, slices) as changes:  # As many as the API server can send.
        time.sleep(options.soak)
    time.sleep(1)
    return {"churn": changes.made, "churn_s": changes.seconds, "churn_before_mib": before,
            "churn_after_mib": memory_mib(pid, "VmRSS")}


def tcp(server, options):
    rates = {"udp": [], "tcp": []}
    for _ in range(options.rounds):
        for kind, flags in (("udp", ()), ("tcp", ("--tcp",))):
            one = load(server, options, options.seconds, *flags)
            rates[kind].append(one["answers"] / one["seconds"])
    return {"udp_per_second": statistics.median(rates["udp"]), "tcp_per_second": statistics.median(rates["tcp"])}


def idle_connections(server):
    """What so many connections cost that have asked once and stay."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE_CONNECTIONS + 500:
        print(f"skipped: idle TCP connections: only {hard} open files are allowed")
        return {}
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = memory_mib(server.process.pid, "VmRSS")
    question = harness.encode_query(7, "svc-1.ns-1.svc.cluster.local", "A")
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(IDLE_CONNECTIONS):
            clients.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)))
            clients[-1].sendall(len(question).to_bytes(2, "big") + question)
        for client in clients:
            if len(client.recv(512)) < 14:
                raise RuntimeError("a connection was closed")
        after = memory_mib(server.process.pid, "VmRSS")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return {"idle_connections": IDLE_CONNECTIONS, "idle_kib": (after - before) * 1024 / IDLE_CONNECTIONS}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench world", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10000)
    parser.add_argument("--endpoints", type=int, default=10, help="of each Service, at most 12")
    parser.add_argument("--starts", type=int, default=3, help="starts that are timed (3)")
    parser.add_argument("--changes", type=int, default=300, help="changes that are timed (300)")
    parser.add_argument("--rate", type=int, default=20000, help="questions a second under changes (20000)")
    parser.add_argument("--change-rate", type=int, default=1000, help="changes a second (1000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of questions (5)")
    parser.add_argument("--seconds", type=float, default=2, help="length of a round (2)")
    parser.add_argument("--soak", type=float, default=20, help="seconds of changes as fast as they come (20)")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmarks")
    parser.add_argument("--scheduling", action="store_true",
                        help="only compare how the control thread may be scheduled beside a worker (as root)")
    options = parser.parse_args()
    things = list(world_objects(options))
    slices = [thing for thing in things if thing["kind"] == "EndpointSlice" and thing["metadata"]["namespace"] != "large"]
    result = {"machine": {"cpu": cpu_model(), "cores": len(CORES)}, "load_before": os.getloadavg()[0],
              "world": {"services": options.services, "endpoints": options.endpoints}}
    with on_core(1), ApiServer() as api:
        api.load(objects=things)
        if not options.scheduling:
            result.update(start(api, options))
        with on_core(0):
            server = harness.Server("--api-server", api.url, "--workers", "1", "--max-tcp-connections",
                                    str(IDLE_CONNECTIONS + 100), "--tcp-idle-timeout", "10m")
        with server:
            if options.scheduling:
                scheduling(api, server, slices, options)
                return
            for part in (lambda: memory(api, server), lambda: change_to_answer(api, server, slices, options),
                         lambda: answers_under_changes(api, server, slices, options), lambda: tcp(server, options),
                         lambda: soak(api, server, slices, options), lambda: idle_connections(server)):
                result.update(part())
    result = {name: round(value, 3) if isinstance(value, float) else value for name, value in result.items()}
    print(world_report.text(result))
    if options.publish:
        world_report.publish(result)


if __name__ == "__main__":
    main()
