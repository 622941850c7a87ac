#!/usr/bin/env python3
"""Counts the instructions that an answer costs, kind by kind.

usage: tests/bench/instructions.py BUILD [--functions N]

Runs BUILD/tests/bench/waypost-bench-instructions under callgrind and prints a line for each kind of question: how
many were answered, and instructions for each.  The same build counts the same every time, on a busy machine too.
--functions also lists the N functions that the whole mix spends most in, without what they call.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOOLS = ("valgrind", "llvm-strip-19")
TIMEOUT_S = 120


def missing_tools():
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def program_of(build):
    """Not there when valgrind's header was not, or when the build has no benchmarks."""
    return pathlib.Path(build) / "tests/bench/waypost-bench-instructions"


def count(build, keep=None):
    """Returns a list of (kind, answers, instructions per answer).  `keep` is a folder for callgrind's files."""
    program = program_of(build)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(keep or scratch)
        # valgrind 3.19 does not read the debug information that clang 19 writes; names of functions stay.
        stripped = folder / "program"
        subprocess.run(["llvm-strip-19", "--strip-debug", "-o", stripped, program], check=True)
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no", "--combine-dumps=no",
             f"--callgrind-out-file={folder}/counts", stripped],
            # What stands in the environment moves the stack, and copies of other alignment cost otherwise.
            env={"PATH": os.environ["PATH"]},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S)
        if done.returncode != 0:
            raise RuntimeError(f"{program} under callgrind: exit {done.returncode}\n{done.stderr}")
        answers = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
        totals = {}
        for dump in folder.glob("counts.*"):
            text = dump.read_text()
            kind = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.MULTILINE)
            total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
            if kind and total:
                totals[kind.group(1)] = (int(total.group(1)), dump)
        if keep and "mix" in totals:
            shutil.copy(totals["mix"][1], folder / "mix")
        return [(kind, int(n), totals[kind][0] / int(n)) for kind, n in answers.items()]


def print_table(rows):
    print(f"{'kind':10} {'answers':>8} {'instructions each':>18}")
    for kind, answers, each in rows:
        print(f"{kind:10} {answers:8} {each:18.1f}")


def print_functions(dump, most):
    listed = subprocess.run(["callgrind_annotate", "--threshold=100", dump], check=True, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    lines = [line for line in listed.splitlines() if re.match(r"\s*[\d,]+ \(", line)]
    for line in lines[:most + 1]:
        print(re.sub(r"\s*\[.*\]$", "", line))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", help="the build folder, made with optimization")
    parser.add_argument("--functions", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    if missing_tools():
        sys.exit(f"instructions: not installed: {', '.join(missing_tools())}; ./dev setup installs them")
    with tempfile.TemporaryDirectory() as folder:
        print_table(count(arguments.build, folder))
        if arguments.functions:
            print_functions(pathlib.Path(folder) / "mix", arguments.functions)


if __name__ == "__main__":
    main()
