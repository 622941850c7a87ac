#!/usr/bin/env python3
"""Published figures are those of docs/benchmarks/dns.json, everywhere, and name no machine but by CPU and cores."""

import json
import pathlib
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import dns_report  # noqa: E402
from harness import Checks  # noqa: E402

checks = Checks()
result = json.loads(dns_report.JSON_FILE.read_text())

for file, fragment in dns_report.fragments(result).items():
    name = file.relative_to(ROOT)
    checks.equal(f"{name} has the figures of the JSON", dns_report.marked_in(file), fragment)
    checks.contains(f"{name} shows the chart", file.read_text(), "dns.svg)")
checks.equal("the chart has the figures of the JSON", dns_report.CHART_FILE.read_text(), dns_report.chart(result))
tree = xml.etree.ElementTree.fromstring(dns_report.CHART_FILE.read_text())
checks.equal("the chart is an SVG", tree.tag, "{http://www.w3.org/2000/svg}svg")
checks.equal("the JSON is as it is written", dns_report.JSON_FILE.read_text(), dns_report.to_json(result))
checks.equal("a machine is its CPU and its cores", sorted(result["machine"]), ["cores", "cpu"])

ours = result["servers"][dns_report.WAYPOST]["mixes"]
checks.equal("no answer of ours was wrong", [mix for mix, told in ours.items() if told["wrong"]], [])
for title, server in result["servers"].items():
    checks.equal(f"{title} answered the cluster mix", server["mixes"]["cluster"]["per_second"] > 0, True)

# Figures that changed since are noticed.
changed = json.loads(dns_report.JSON_FILE.read_text())
changed["servers"][dns_report.WAYPOST]["mixes"]["cluster"]["per_second"] *= 1.01
for file, fragment in dns_report.fragments(changed).items():
    checks.equal(f"{file.name} would differ by one percent", dns_report.marked_in(file) != fragment, True)
checks.finish()
