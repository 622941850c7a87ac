#!/usr/bin/env python3
"""Runs the examples of docs/resolv-conf.md, from the folder of the project, and compares what they print."""

import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import TOOL_PROGRAM, Checks, examples  # noqa: E402

checks = Checks()

ran = 0
for line, wanted in examples((ROOT / "docs" / "resolv-conf.md").read_text()):
    command, _, source = line.partition(" < ")
    words = shlex.split(command)
    checks.equal("an example is one of waypost", words[0], "waypost")
    stdin = (ROOT / source).read_text() if source else None
    done = subprocess.run([str(TOOL_PROGRAM), *words[1:]], capture_output=True, text=True, timeout=30, cwd=ROOT,
                          input=stdin, check=False)
    checks.equal(line, (done.returncode, done.stderr, done.stdout.splitlines()), (0, "", wanted))
    ran += 1
checks.equal("the page has its examples", ran >= 4, True)
checks.finish()
