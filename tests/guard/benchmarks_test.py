#!/usr/bin/env python3
"""Published figures are those of the JSON files of docs/benchmarks, everywhere, and name no machine but by CPU and cores."""

import json
import pathlib
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import dns_report  # noqa: E402
import world_report  # noqa: E402
from harness import Checks  # noqa: E402

checks = Checks()


def figures_are_those_of(report):
    """Returns what the JSON has."""
    result = json.loads(report.JSON_FILE.read_text())
    source = report.JSON_FILE.name
    for file, fragment in report.fragments(result).items():
        checks.equal(f"{file.relative_to(ROOT)} has the figures of {source}",
                     dns_report.marked_in(file, source), fragment)
    checks.equal(f"{source} is as it is written", report.JSON_FILE.read_text(), dns_report.to_json(result))
    checks.equal(f"{source}: a machine is its CPU and its cores", sorted(result["machine"]), ["cores", "cpu"])
    return result


figures_are_those_of(world_report)
result = figures_are_those_of(dns_report)
for file in dns_report.fragments(result):
    checks.contains(f"{file.relative_to(ROOT)} shows the chart", file.read_text(), "dns.svg)")
checks.equal("the chart has the figures of the JSON", dns_report.CHART_FILE.read_text(), dns_report.chart(result))
tree = xml.etree.ElementTree.fromstring(dns_report.CHART_FILE.read_text())
checks.equal("the chart is an SVG", tree.tag, "{http://www.w3.org/2000/svg}svg")

ours = result["servers"][dns_report.WAYPOST]["mixes"]
checks.equal("no answer of ours was wrong", [mix for mix, told in ours.items() if told["wrong"]], [])
for title, server in result["servers"].items():
    checks.equal(f"{title} answered the cluster mix", server["mixes"]["cluster"]["per_second"] > 0, True)

# Figures that changed since are noticed.
changed = json.loads(dns_report.JSON_FILE.read_text())
changed["servers"][dns_report.WAYPOST]["mixes"]["cluster"]["per_second"] *= 1.01
for file, fragment in dns_report.fragments(changed).items():
    checks.equal(f"{file.name} would differ by one percent", dns_report.marked_in(file, "dns.json") != fragment, True)
checks.finish()
