#!/usr/bin/env python3
"""The proxy part of `./dev bench`: what rules for many Services cost, in a network namespace, as root.

First the memory that the world takes, from a folder of manifests and from an API server, beside what it may take at
10 000 Services with 10 endpoints each. Then for each backend: the first full sync beside a bare iptables-restore of the same rules, one change of one endpoint
beside a bare iptables-restore of one line, rules, memory, and the first packet of a flow through the first
and the last Service beside one that no Service wants.
"""

import argparse
import json
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from api_server import ApiServer  # noqa: E402
from harness import Folder, wait_until  # noqa: E402
from netns import Namespace, NodeProgram, why_not, why_not_backend  # noqa: E402

MEMORY_BUDGET_MB = 64  # Resident, with 10 000 Services of 10 endpoints.
LISTENER = "10.255.0.1"  # Of the node, and the endpoint of the Services that packets are sent through.
NOBODY = "10.255.0.2"


def vip(number):
    return f"10.{96 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}"


def service(number, endpoints):
    """One Service and its slice, short: there are many."""
    name = f"s{number}"
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "bench"},
         "spec": {"clusterIP": vip(number), "ports": [{"port": 80, "protocol": "UDP" if endpoints[0] == LISTENER else "TCP"}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"name": name, "namespace": "bench", "labels": {"kubernetes.io/service-name": name}},
         "ports": [{"port": 8080, "protocol": "UDP" if endpoints[0] == LISTENER else "TCP"}],
         "endpoints": [{"addresses": [address], "nodeName": f"node-{i}"} for i, address in enumerate(endpoints)]}]


def pods(number, count, shift=0):
    return [f"10.{128 + (n >> 16)}.{(n >> 8) & 255}.{n & 255}"
            for n in range(number * count + shift, number * count + shift + count)]


def write(folder, name, objects):
    folder.replace(name, json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def timed_restore(space, backend, text):
    """Seconds that iptables-restore --noflush takes, without starting `ip netns exec`."""
    command = [f"{backend}-restore", "--noflush", "-w", "5"]

    def work():
        started = time.perf_counter()
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)
        return time.perf_counter() - started

    return space.inside(work)


def memory(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE).group(1)) / 1024


def written(node):
    """(rules, milliseconds) of every commit of IPv4 so far."""
    found = (re.search(r"IPv4: (\d+) rules written in ([0-9.]+) ms", line) for line in list(node.log))
    return [(int(match.group(1)), float(match.group(2))) for match in found if match]


def first_packets(space, targets, rounds=4000):
    """Median microseconds of sending the first datagram of a flow to each target, one after the other in turn."""
    def work():
        times = {target: [] for target in targets}
        for _ in range(rounds):
            for target in targets:
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sock.connect((target, 80))
                started = time.perf_counter_ns()
                try:
                    sock.send(b"?")
                except OSError:
                    pass
                times[target].append(time.perf_counter_ns() - started)
                sock.close()
        return {target: statistics.median(values) / 1000 for target, values in times.items()}

    return space.inside(work)


def measure_memory(backend, services, endpoints):
    """Prints what a node program holds once the rules are in force and were read back, and the most that it held."""
    print(f"\nmemory, {services} Services, {endpoints} endpoints each, {backend}"
          f"   (budget with 10000 x 10: {MEMORY_BUDGET_MB} MB)")
    objects = [one for number in range(services) for one in service(number, pods(number, endpoints))]
    with Folder() as folder, ApiServer(unix=folder / "api.sock") as api:
        write(folder, "many.json", objects)
        api.load(objects=objects)
        del objects
        for source, manifests, arguments in (("manifests", folder.path, ()),
                                             ("API server", None, ("--api-server", f"unix://{folder / 'api.sock'}"))):
            space = Namespace("bench-mem")  # A fresh one: all rules have to be written.
            space.run("ip", "route", "add", "default", "dev", "lo")
            node = NodeProgram(space, manifests, *arguments, "--cluster-cidr", "10.128.0.0/9", backend=backend,
                               wait=False)
            if not node.wait_for(lambda: "ready" in node.out, 900):
                raise RuntimeError("\n".join(node.out + node.log))
            pid = node.process.pid
            at_ready = memory(pid, "VmRSS")
            node.wait_for(lambda: False, 4)  # Rules are read back within a second of being written.
            steady = memory(pid, "VmRSS")
            print(f"  from {source:14} {steady:9.1f} MB resident   {at_ready:.1f} MB when ready   "
                  f"peak {memory(pid, 'VmHWM'):.1f} MB   {'over' if steady > MEMORY_BUDGET_MB else 'within'} the budget")
            node.stop()
            space.remove()


def bench(backend, services, endpoints, changes):
    print(f"\n{backend}, {services} Services, {endpoints} endpoints each")
    space = Namespace("bench")
    space.run("ip", "addr", "add", LISTENER + "/32", "dev", "lo")
    space.run("ip", "addr", "add", NOBODY + "/32", "dev", "lo")
    space.run("ip", "route", "add", "default", "dev", "lo")
    sink = space.socket(4, socket.SOCK_DGRAM)
    sink.bind((LISTENER, 8080))
    other = space.socket(4, socket.SOCK_DGRAM)
    other.bind((NOBODY, 80))
    with Folder() as folder:
        objects = []
        for number in range(1, services - 1):
            objects += service(number, pods(number, endpoints))
        write(folder, "many.json", objects)
        write(folder, "ends.json", service(0, [LISTENER]) + service(services - 1, [LISTENER]))
        write(folder, "change.json", service(services, pods(services, endpoints)))
        del objects
        started = time.monotonic()
        node = NodeProgram(space, folder.path, "--cluster-cidr", "10.128.0.0/9", backend=backend, wait=False)
        if not node.wait_for(lambda: "ready" in node.out, 900):
            raise RuntimeError("\n".join(node.out + node.log))
        ready = time.monotonic() - started
        time.sleep(0.5)
        rules, full = written(node)[0]
        text = space.run(f"{backend}-save", "-t", "nat", timeout=300)
        fresh = Namespace("bench-floor")
        floor = timed_restore(fresh, backend, text)
        fresh.remove()
        print(f"  first full sync     {full:9.1f} ms   {rules} rules   bare restore {floor * 1000:.1f} ms   ratio {full / 1000 / floor:.2f}")
        print(f"  start to ready      {ready * 1000:9.1f} ms   (reading manifests included)")
        print(f"  resident memory     {memory(node.process.pid, 'VmRSS'):9.1f} MB   peak {memory(node.process.pid, 'VmHWM'):.1f} MB")

        timed_restore(space, backend, "*nat\n:BENCH - [0:0]\n-A BENCH -j RETURN\nCOMMIT\n")
        floors = [timed_restore(space, backend, "*nat\n-R BENCH 1 -p tcp -j RETURN\nCOMMIT\n") for _ in range(changes)]
        floor = statistics.median(floors) * 1000
        node.wait_for(lambda: False, 1.5)  # Until the foreign chain was looked at.
        totals = []
        lines = []
        for number in range(changes):
            before = len(written(node))
            started = time.perf_counter()
            write(folder, "change.json", service(services, pods(services, endpoints, shift=number + 1)))
            if wait_until(lambda: len(written(node)) > before, 120, 0.001) is None:
                raise RuntimeError("a change was not written\n" + "\n".join(node.log[-20:]))
            totals.append((time.perf_counter() - started) * 1000)
            lines.append(written(node)[-1])
            time.sleep(0.3 + 2 * lines[-1][1] / 1000)
        change = statistics.median(ms for _, ms in lines)
        print(f"  one change          {change:9.1f} ms   {lines[-1][0]} rules written   bare restore of one line {floor:.1f} ms"
              f"   ratio {change / floor:.2f}")
        print(f"  file to rules       {statistics.median(totals):9.1f} ms   (20 ms of collecting and the file's reading included)")

        medians = first_packets(space, [vip(0), vip(services - 1), NOBODY])
        first, last, none = medians[vip(0)], medians[vip(services - 1)], medians[NOBODY]
        print(f"  first packet        first Service {first:.1f} µs, last {last:.1f} µs, no Service {none:.1f} µs   "
              f"last/first {last / first:.2f}")
        print(f"  memory at the end   {memory(node.process.pid, 'VmRSS'):9.1f} MB   peak {memory(node.process.pid, 'VmHWM'):.1f} MB")
        node.stop()
    sink.close()
    other.close()
    space.remove()


def main():
    parser = argparse.ArgumentParser(prog="./dev bench proxy", description=__doc__.split("\n\n")[0])
    parser.add_argument("--services", type=int, default=2000, help="how many Services (2000)")
    parser.add_argument("--endpoints", type=int, default=10, help="endpoints of each (10)")
    parser.add_argument("--changes", type=int, default=11, help="changes that are measured (11)")
    parser.add_argument("--memory", action="store_true", help="only what the world takes of memory")
    parser.add_argument("--backend", action="append", choices=["iptables-legacy", "iptables-nft"],
                        help="only this backend")
    arguments = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"proxy: skipped: {reason}")
        return
    backends = arguments.backend or ["iptables-legacy", "iptables-nft"]
    # Memory does not depend on the backend; the first that works here will do.
    working = [backend for backend in backends if not why_not_backend(backend)]
    if working:
        measure_memory(working[0], arguments.services, arguments.endpoints)
    for backend in backends if not arguments.memory else []:
        reason = why_not_backend(backend)
        if reason:
            print(f"{backend}: skipped: {reason}")
        else:
            bench(backend, arguments.services, arguments.endpoints, arguments.changes)


if __name__ == "__main__":
    main()
