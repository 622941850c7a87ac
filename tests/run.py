#!/usr/bin/env python3
"""Runs the whole test suite and adds it up.

usage: tests/run.py BUILD [SANITIZER_BUILD...]

In the first build folder: every unit test program, the guard tests, the integration tests and the
bound on instructions.  In an address-sanitizer build: every unit test program, the integration tests
of bad input, and each fuzzer for a moment.  In a thread-sanitizer build: the programs of the suite
'threads'.

Prints a line for each program, what it skipped and why, the output of those that failed, and last
"N passed, N failed", with ", N skipped" when something could not be tested here.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT_S = 300
FUZZ_RUNS = 20000
FUZZ_SECONDS = 20
DOCTEST = re.compile(r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed")
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed", re.MULTILINE)
SKIPPED = re.compile(r"^skipped: .*$", re.MULTILINE)


class Totals:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def add(self, name, passed, failed, seconds, output):
        skipped = SKIPPED.findall(output)
        self.passed += passed
        self.failed += failed
        self.skipped += len(skipped)
        print(f"{'ok  ' if failed == 0 else 'FAIL'} {name}: {passed} passed, {failed} failed"
              f" ({seconds:.1f} s)", flush=True)
        for line in skipped:
            print(f"     {line}", flush=True)
        if failed:
            print(output, flush=True)


def run(totals, name, command, env=None, pattern=None):
    """Runs one program.  A crash, a timeout, or no count at all is one failure more."""
    started = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, errors="replace", timeout=TIMEOUT_S)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        output, code = f"{late.stdout or ''}\ntimed out after {TIMEOUT_S} s", -1
    counts = pattern.findall(output) if pattern else []
    passed, failed = (int(n) for n in counts[-1]) if counts else (0, 0)
    if pattern is None:
        passed = 1 if code == 0 else 0
    if (code != 0 and failed == 0) or (pattern and passed + failed == 0 and not SKIPPED.search(output)):
        failed += 1
    totals.add(name, passed, failed, time.monotonic() - started, output)


def unit_tests(build, suite=None):
    listed = subprocess.run(["meson", "introspect", "--tests", build], cwd=ROOT, check=True,
                            capture_output=True, text=True)
    for test in json.loads(listed.stdout):
        suites = {entry.split(":")[-1] for entry in test["suite"]}
        if suite is None or suite in suites:
            yield test["name"], test["cmd"]


def sanitizer_of(build):
    listed = subprocess.run(["meson", "introspect", "--buildoptions", build], cwd=ROOT, check=True,
                            capture_output=True, text=True)
    return next(o["value"] for o in json.loads(listed.stdout) if o["name"] == "b_sanitize")


def run_release(totals, build):
    for name, command in unit_tests(build):
        run(totals, name, command, pattern=DOCTEST)
    for kind in ("guard", "integration", "bench"):
        for script in sorted((ROOT / "tests" / kind).glob("*_test.py")):
            run(totals, f"{kind}/{script.stem}", [sys.executable, str(script)],
                env={"WAYPOST_BUILD_DIR": str(ROOT / build)}, pattern=CLOSING)


def run_address(totals, build):
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    for name, command in unit_tests(build):
        run(totals, f"{name} (address)", command, env=env, pattern=DOCTEST)
    run(totals, "integration/bad_input_test (address)",
        [sys.executable, str(ROOT / "tests/integration/bad_input_test.py")],
        # Without the quarantine, which keeps freed memory and so looks like growth.
        env={**env, "ASAN_OPTIONS": env["ASAN_OPTIONS"] + ":quarantine_size_mb=0",
             "WAYPOST_BUILD_DIR": str(ROOT / build)}, pattern=CLOSING)
    for source in sorted((ROOT / "tests/fuzz").glob("*_fuzzer.cpp")):
        name = source.name.removesuffix("_fuzzer.cpp")
        scratch = ROOT / build / "corpus" / name  # New inputs stay out of the tree.
        scratch.mkdir(parents=True, exist_ok=True)
        run(totals, f"fuzz {name}",
            [f"{build}/tests/fuzz/{name}-fuzzer", f"-runs={FUZZ_RUNS}", "-seed=1", "-max_len=4096",
             f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", f"-artifact_prefix={build}/{name}-",
             str(scratch), f"tests/fuzz/corpus/{name}"], env=env)


def run_thread(totals, build):
    env = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
    for name, command in unit_tests(build, suite="threads"):
        run(totals, f"{name} (thread)", command, env=env, pattern=DOCTEST)


def main():
    totals = Totals()
    jobs = {"none": run_release, "address,undefined": run_address, "thread": run_thread}
    for build in sys.argv[1:]:
        jobs[sanitizer_of(build)](totals, build)
    skipped = f", {totals.skipped} skipped" if totals.skipped else ""
    print(f"{totals.passed} passed, {totals.failed} failed{skipped}")
    return 1 if totals.failed or totals.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
