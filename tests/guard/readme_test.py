#!/usr/bin/env python3
"""Runs the examples of README.md and compares what they print, on a port of the kernel's choice."""

import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import TOOL_PROGRAM, Checks, Server, examples  # noqa: E402

checks = Checks()
README = (ROOT / "README.md").read_text()


def demo_arguments():
    found = re.search(r"^DEMO=\((.*)\)$", (ROOT / "dev").read_text(), re.MULTILINE)
    return shlex.split(found.group(1))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT, check=False)
    return done.returncode, done.stdout.splitlines()


ran = 0
with Server(*demo_arguments(), cwd=ROOT) as dns:
    for line, wanted in examples(README):
        ran += 1
        words = shlex.split(line)
        if line == "./dev run":
            got = [text.replace(str(dns.port), "1053") for text in dns.out]
            checks.equal(line, got, wanted)
        elif words[0] == "dig":
            words[words.index("1053")] = str(dns.port)
            _, got = run(words)
            checks.equal(line, sorted(got), sorted(wanted))
        elif words[:2] == ["waypost", "explain"]:
            code, got = run([str(TOOL_PROGRAM), *words[1:]])
            checks.equal(line, (code, got), (0, wanted))
        elif words[0] == "waypost":
            code, got = run([str(TOOL_PROGRAM), *words[1:]])
            checks.equal(f"{line}: exit code", code, 0)
            checks.equal(f"{line}: says ok", got[0], f"{words[-1]}: ok")
        else:
            checks.equal("an example that this test knows how to run", line, "dig, waypost or ./dev run")
checks.equal("README has its examples", ran >= 9, True)

for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README):
    checks.equal(f"the link to {target} leads somewhere", (ROOT / target).exists(), True)
for page in sorted((ROOT / "docs").glob("*.md")):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        checks.equal(f"{page.name}: the link to {target} leads somewhere", (page.parent / target).exists(), True)
checks.finish()
