#!/usr/bin/env python3
"""waypost-dns beside a bare UDP echo, and beside other servers where they are installed.

Every server is a process with one worker on the first core, the load generator is on the second; with
more cores, each worker has one of its own and so has the load.  All serve the same zone: the others load what waypost-dns
transfers.  Rounds go from server to server in turn; medians are told.  An answer with another rcode or another
number of records than it must have is wrong, and no figure of a server with wrong answers counts.

With fewer than four cores, two workers share theirs with the load, a generator on each. They are compared with one
worker that shares one core with one generator: each worker has as many questions under way and as much else on its core.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import dns_report
from dns_servers import CORES, LOAD, PEERS, Echo, NoServer, Waypost, cpu_model, pinned

MIXES = {  # What is asked, and how.
    "cluster": (),
    "cluster, EDNS": ("--edns", "all"),
    "cluster, no EDNS": ("--edns", "none"),
    "hits": ("--mix", "hits"),
    "NXDOMAIN": ("--mix", "nxdomain"),
    "10 endpoints": ("--mix", "headless-10"),
    "100 endpoints": ("--mix", "headless-100"),
    "1000 endpoints": ("--mix", "headless-1000"),
    "TCP, cluster": ("--tcp",),
    "TCP, 10 endpoints": ("--tcp", "--mix", "headless-10"),
    "TCP, 100 endpoints": ("--tcp", "--mix", "headless-100"),
    "TCP, 1000 endpoints": ("--tcp", "--mix", "headless-1000"),
}
TWO_WORKERS = dns_report.TWO_WORKERS
SHARING_WORKER = dns_report.SHARING_WORKER
MAIN_ROUNDS = ("cluster", TWO_WORKERS, SHARING_WORKER)
SHARES = (10, 50, 90)  # Of a server's own maximum, in percent.


def cores_for(workers):
    """(cores of the server, cores of the load); the same ones when there are too few."""
    if len(CORES) >= 2 * workers:
        return CORES[:workers], CORES[workers:2 * workers]
    return CORES[:workers], CORES[:workers]


class Bench:
    def __init__(self, options):
        self.options = options
        self.samples = {}  # By server, then by mix: a list of what a round told.
        self.skipped = {}

    def load(self, server, cores, seconds, *flags):
        """One round.  Several generators, one for each of these cores, count together."""
        command = [LOAD, f"127.0.0.1:{server.port}", "--services", self.options.services, "--endpoints",
                   self.options.endpoints, "--seconds", seconds, "--window",
                   self.options.window, *flags]
        if isinstance(server, Echo):
            command.append("--echo")
        before = server.cpu_seconds()
        running = [subprocess.Popen(pinned([core], command), stdout=subprocess.PIPE, text=True)
                   for core in cores]
        told = []
        for process in running:
            out, _ = process.communicate(timeout=seconds + 120)
            if not out:
                raise RuntimeError(f"{command} failed")
            told.append(json.loads(out))
        answers = sum(one["answers"] for one in told)
        return {
            "per_second": sum(one["answers"] / one["seconds"] for one in told),
            "server_us": (server.cpu_seconds() - before) * 1e6 / max(answers, 1),
            "load_us": sum(one["cpu_seconds"] for one in told) * 1e6 / max(answers, 1),
            "wrong": sum(one["wrong"] for one in told),
            "lost": sum(one["lost"] for one in told),
            **{field: max(one[field] for one in told) for field in ("p50_us", "p99_us", "p999_us")},
        }

    def round(self, servers, mix, cores=cores_for(1)[1], flags=None):
        for server in servers:
            options = MIXES[mix] if flags is None else flags(server)
            if isinstance(server, Echo) and "--tcp" in options:
                continue
            say(f"  {server.title}: {mix}")
            seconds = self.options.seconds if mix in MAIN_ROUNDS else self.options.seconds / 2
            told = self.load(server, cores, seconds, *options)
            self.samples.setdefault(server.title, {}).setdefault(mix, []).append(told)

    def median(self, title, mix, field="per_second"):
        return statistics.median(told[field] for told in self.samples[title][mix])

    def one_worker(self, servers):
        for _ in range(self.options.rounds):
            self.round(servers, "cluster")
        for mix in list(MIXES)[1:]:
            for _ in range(self.options.mix_rounds):
                self.round(servers, mix)
        for share in SHARES:
            for _ in range(self.options.mix_rounds):
                self.round(servers, f"{share} %", flags=lambda server, share=share: (
                    "--rate", self.median(server.title, "cluster") * share / 100))

    def result(self, servers):
        found = {}
        for server in servers:
            medians = {mix: {field: round(statistics.median(one[field] for one in rounds), 3)
                             for field in rounds[0]}
                       for mix, rounds in self.samples[server.title].items()}
            for mix, rounds in self.samples[server.title].items():
                medians[mix]["wrong"] = sum(one["wrong"] for one in rounds)
                medians[mix]["lost"] = sum(one["lost"] for one in rounds)
            found[server.title] = {"version": server.version, "resident_mib": server.resident, "mixes": medians}
        return found


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def started(bench, kinds, folder, zone, workers):
    """Running servers of these kinds; why one is missing is noted."""
    servers = []
    try:
        for kind in kinds:
            own = pathlib.Path(tempfile.mkdtemp(dir=folder))
            say(f"starting {kind.title}")
            try:
                servers.append(kind(own, zone, workers, cores_for(workers)[0]))
            except NoServer as reason:
                bench.skipped[kind.title] = str(reason)
                say(f"skipped: {kind.title}: {reason}")
                continue
            if kind is Waypost and not zone.exists():
                servers[-1].write_zone(zone)
        yield servers
    finally:
        for server in servers:
            server.stop()


def measure(options):
    load_before = round(os.getloadavg()[0], 2)
    bench = Bench(options)
    kinds = [Echo, Waypost, *(PEERS if options.peers else ())]
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "world").mkdir()
        zone = folder / "zone"
        subprocess.run([str(LOAD), "--services", str(options.services), "--endpoints", str(options.endpoints),
                        "--write-world", str(folder / "world")], check=True)
        with started(bench, kinds, folder, zone, 1) as servers:
            bench.one_worker(servers)
            for server in servers:
                server.resident = round(server.resident_mib(), 1)
            one = list(servers)
        if len(CORES) > 1:
            kinds = [kind for kind in kinds if kind.title not in bench.skipped]
            # One worker and two, in turn: what else the machine does concerns both.
            with started(bench, kinds, folder, zone, 1) as single, started(bench, kinds, folder, zone, 2) as double:
                for _ in range(options.rounds):
                    if len(CORES) < 4:
                        bench.round(single, SHARING_WORKER, CORES[:1], lambda server: ("--sockets", 32))
                    bench.round(double, TWO_WORKERS, cores_for(2)[1], lambda server: ("--sockets", 32))
        return {
            "machine": {"cpu": cpu_model(), "cores": len(CORES)},
            "load_before": load_before,
            "world": {"services": options.services, "endpoints": options.endpoints},
            "rounds": {"cluster": options.rounds, "others": options.mix_rounds, "seconds": options.seconds,
                       "window": options.window},
            "servers": bench.result(one),
            "skipped": bench.skipped,
        }


def main():
    parser = argparse.ArgumentParser(prog="./dev bench dns", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="the other servers as well")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmarks and README's figures")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures into this file as well")
    parser.add_argument("--services", type=int, default=10000)
    parser.add_argument("--endpoints", type=int, default=10, help="of each Service, at most 12")
    parser.add_argument("--rounds", type=int, default=5, help="of the cluster mix (5)")
    parser.add_argument("--mix-rounds", type=int, default=3, help="of the others (3)")
    parser.add_argument("--seconds", type=float, default=2, help="length of a round of the cluster mix; others take half (2)")
    parser.add_argument("--window", type=int, default=192, help="questions under way (192: more overflow the buffer of Knot's socket)")
    options = parser.parse_args()
    if shutil.which("taskset") is None:
        sys.exit("dns_bench: taskset is not installed")
    result = measure(options)
    print(dns_report.text(result))
    if options.json:
        options.json.write_text(dns_report.to_json(result))
    if options.publish:
        dns_report.publish(result)
    wrong = sum(mix["wrong"] for mix in result["servers"][Waypost.title]["mixes"].values())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
