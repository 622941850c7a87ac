#!/usr/bin/env python3
"""Variants of waypost-dns beside a bare UDP echo: other programs, or the same one with other options.

  ./dev bench variants 'batch of 64=build/src/programs/waypost-dns' 'of 16=build-16/src/programs/waypost-dns'
  ./dev bench variants 'default=build/src/programs/waypost-dns' 'small=build/src/programs/waypost-dns --receive-buffer 65536'

Each has one worker on the first core, the load is on the second. Rounds of the cluster mix go from one to the next in
turn, and what is told are medians: of the rate, of the server's CPU for an answer, of that to the echo's in the same turn
(rates and CPU follow what else the machine does, this much less), of the latency at a rate that all can answer, and
how many questions were lost.
"""

import argparse
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

from dns_bench import Bench
from dns_servers import CORES, LOAD, Echo, Waypost


def variant(title, words):
    """A kind of server."""
    program, *flags = words

    class Variant(Waypost):
        def program(self):
            return str(pathlib.Path(program).resolve())

        def command(self, program, zone, workers):
            return [*super().command(program, zone, workers), *flags]

    Variant.title = title
    return Variant


def show(bench, titles):
    def median(title, mix, field):
        return statistics.median(one[field] for one in bench.samples[title][mix])

    print(f"{'':24} {'answers/s':>10} {'CPU, µs':>8} {'to echo':>8} {'p50, µs':>8} {'p99, µs':>8} {'lost':>6}")
    for title in titles:
        rounds = bench.samples[title]["cluster"]
        beside = statistics.median(one["server_us"] / echo["server_us"]
                                   for one, echo in zip(rounds, bench.samples[Echo.title]["cluster"], strict=True))
        lost = sum(one["lost"] for mix in bench.samples[title].values() for one in mix)
        print(f"{title:24} {median(title, 'cluster', 'per_second'):10.0f} {median(title, 'cluster', 'server_us'):8.2f} {beside:8.3f} "
              f"{median(title, 'rate', 'p50_us'):8.0f} {median(title, 'rate', 'p99_us'):8.0f} {lost:6}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench variants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+", metavar="TITLE=PROGRAM OPTIONS")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1, help="length of a round (1)")
    parser.add_argument("--rate", type=int, default=20000, help="questions a second for latencies (20000)")
    parser.add_argument("--services", type=int, default=10000)
    parser.add_argument("--endpoints", type=int, default=10, help="of each Service, at most 12")
    parser.add_argument("--window", type=int, default=192, help="questions under way (192)")
    options = parser.parse_args()
    kinds = [Echo]
    for text in options.variants:
        title, equals, command = text.partition("=")
        if not equals or not shlex.split(command):
            sys.exit(f"variants: {text!r} is not TITLE=PROGRAM OPTIONS")
        kinds.append(variant(title, shlex.split(command)))
    options.mix_rounds = options.rounds
    bench = Bench(options)
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "world").mkdir()
        subprocess.run([str(LOAD), "--services", str(options.services), "--endpoints", str(options.endpoints),
                        "--write-world", str(folder / "world")], check=True)
        servers = []
        try:
            for kind in kinds:
                servers.append(kind(pathlib.Path(tempfile.mkdtemp(dir=folder)), folder / "zone", 1, CORES[:1]))
            for _ in range(options.rounds):
                bench.round(servers, "cluster")
                bench.round(servers, "rate", flags=lambda _: ("--rate", options.rate))
        finally:
            for server in servers:
                server.stop()
    wrong = sum(one["wrong"] for mixes in bench.samples.values() for rounds in mixes.values() for one in rounds)
    show(bench, [kind.title for kind in kinds])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
