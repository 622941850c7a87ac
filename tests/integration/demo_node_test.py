#!/usr/bin/env python3
"""The demonstration of `./dev demo-node` works, and leaves nothing behind."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Checks, run  # noqa: E402
from netns import why_not  # noqa: E402

checks = Checks()
reason = why_not()
if reason:
    checks.skip(reason)
else:
    process = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("demo_node.py"))],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=120)
    checks.equal(f"it succeeds {err[-2000:]}", process.returncode, 0)
    checks.contains("the name is resolved through the DNS Service", out, "\n10.")
    checks.matches("a Pod answers and sees the client's own address", out, "^the Pod web-.* sees the address 10.244.1.99$")
    checks.matches("it shows the rules", out, "-j DNAT --to-destination 10.244.1.10:8080$")
    left = run("ip", "netns", "list")[1]
    checks.lacks("no namespace is left", left, f"wp{process.pid}-")
checks.finish()
