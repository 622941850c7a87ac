#!/usr/bin/env python3
"""The bound on what an answer costs, in instructions: they do not wobble as time does, so that a path that has become
longer is seen on any machine."""

import json
import os
import pathlib
import subprocess
import sys

from instructions import count, missing_tools, print_table, program_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WAYPOST_BUILD_DIR", ROOT / "build"))

# Instructions for each answer of the cluster mix.  1519 were counted with clang 19 on x86-64, 50 of them for counting
# what dashboards want to know of a query (server/query_counts.h), and a hundredth is left for what a compiler or a
# C library does differently.  Who makes the path shorter makes this smaller.
MIX_BOUND = 1540


def reason_to_skip():
    if missing_tools():
        return f"the count of instructions: not installed: {', '.join(missing_tools())}"
    listed = subprocess.run(["meson", "introspect", "--buildoptions", BUILD], cwd=ROOT, check=True,
                            capture_output=True, text=True)
    options = {option["name"]: option["value"] for option in json.loads(listed.stdout)}
    if options["optimization"] not in ("2", "3") or options["b_sanitize"] != "none" or not program_of(BUILD).exists():
        return "the count of instructions: this build is not one for benchmarks"
    return None


def main():
    skip = reason_to_skip()
    if skip:
        print(f"skipped: {skip}")
        return 0
    first = count(BUILD)
    second = count(BUILD)
    print_table(first)
    failures = []
    if first != second:
        failures.append(f"a second run counted otherwise: {second}")
    mix = next(each for kind, _, each in first if kind == "mix")
    if mix > MIX_BOUND:
        failures.append(f"an answer of the cluster mix takes {mix:.1f} instructions, expected at most {MIX_BOUND}")
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{2 - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
