#!/usr/bin/env python3
"""The rules that no compiler checks: which room may include which, one door for each library, and what must
not stand in the tree."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What a room may see besides itself.
ARROWS = {
    "base": set(),
    "dns": {"base"},
    "corefile": {"base"},
    "policy": {"base", "dns"},
    "kube": {"base"},
    "cache": {"base", "kube"},
    "sources": {"base", "kube", "cache"},
    "proxy": {"base", "kube", "cache"},
    "node": {"base", "kube"},
    "records": {"base", "kube", "cache", "dns"},
    "search": {"base", "kube", "cache", "dns", "node"},
    "zones": {"base", "dns"},
    "resolver": {"base", "dns"},
    "server": {"base", "dns", "policy", "records", "resolver", "search", "zones"},
    "ops": {"base", "corefile", "dns", "kube", "cache", "node", "policy", "proxy", "sources", "records", "resolver",
            "search", "zones", "server"},
    "programs": {"base", "ops"},
}

# Third-party headers and the only files that may include them.
DOORS = {
    "ldns/": {"src/dns/ldns_bridge.cpp", "src/zones/master_file.cpp", "src/zones/record_text.cpp"},
    "yaml-cpp/": {"src/kube/yaml_tree.cpp", "src/ops/config_reader.cpp"},
    "simdjson": {"src/kube/json_tree.cpp"},
    "spdlog/": {"src/base/log.h", "src/base/log.cpp"},
    "CLI/": {"src/ops/flags.cpp"},
    "prometheus/": {"src/ops/metrics.cpp"},
    "pcre2.h": {"src/policy/pattern.cpp"},
    "libmnl/": {"src/proxy/netlink.cpp"},
    "urcu": {"src/base/rcu.cpp"},
    "zlib.h": {"src/kube/gunzip.cpp"},
    "boost/beast/http": {"src/kube/http_response.cpp", "src/ops/http_server.cpp"},
    "boost/asio/ssl": {"src/base/tls.cpp", "src/base/tls_stream.h"},
    "boost/url": {"src/kube/api_endpoint.cpp"},
    "xxhash.h": {"src/base/checksum.cpp"},
}

failures = []
passed = 0


def check(holds, message):
    global passed
    if holds:
        passed += 1
    else:
        failures.append(message)


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#include\s+(["<])([^">]+)[">]', line)
        if found:
            yield number, found.group(1), found.group(2)


def tracked():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


def rooms_see_only_the_rooms_below():
    rooms = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    check(rooms == set(ARROWS), f"src/ has {sorted(rooms)}, the arrows know {sorted(ARROWS)}")
    for path in sorted((ROOT / "src").rglob("*.[ch]*")):
        room = path.relative_to(ROOT / "src").parts[0]
        for number, kind, name in includes(path):
            if kind != '"' or "/" not in name:
                continue
            other = name.split("/")[0]
            check(other == room or other in ARROWS[room],
                  f"{path.relative_to(ROOT)}:{number}: {room} must not see {other}")


def libraries_have_one_door():
    for path in sorted((ROOT / "src").rglob("*.[ch]*")):
        relative = str(path.relative_to(ROOT))
        for number, _, name in includes(path):
            for library, doors in DOORS.items():
                if name.startswith(library) and not name.startswith("spdlog/fmt/"):
                    check(relative in doors, f"{relative}:{number}: {name} has its door elsewhere")


def nothing_is_left_to_do_or_tied_to_a_machine():
    # Put together, so that this file does not find itself.
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"]
    places = ["/wo" + "rk/", "deb.deb" + "ian.org", "/ro" + "ot/"]
    for path in tracked():
        if not path.is_file() or path.name == "LICENSE" or "corpus" in path.parts:
            continue
        text = path.read_text(errors="replace")
        for word in words + places:
            check(word not in text, f"{path.relative_to(ROOT)}: has '{word}'")


def sources_are_not_too_long():
    for path in sorted((ROOT / "src").rglob("*.[ch]*")):
        lines = len(path.read_text().splitlines())
        check(lines <= 700, f"{path.relative_to(ROOT)}: {lines} lines; split it above 700")


rooms_see_only_the_rooms_below()
libraries_have_one_door()
nothing_is_left_to_do_or_tied_to_a_machine()
sources_are_not_too_long()
for failure in failures:
    print(f"FAILED: {failure}")
print(f"{passed} passed, {len(failures)} failed")
sys.exit(1 if failures else 0)
