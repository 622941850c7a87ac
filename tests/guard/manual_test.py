#!/usr/bin/env python3
"""Man pages say all that --help says, are well-formed, and are installed."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import BUILD, Checks, run  # noqa: E402

checks = Checks()
PROGRAMS = BUILD / "src" / "programs"
PAGES = {"waypost": "1", "waypost-dns": "8", "waypost-node": "8"}


def plain(page):
    """The text of a page, without what troff takes for itself."""
    lines = [line for line in page.splitlines() if not re.match(r"\.(TH|nh|ad|nf|fi|TP|PP)\b", line)]
    lines = [line for line in lines if not line.startswith(".SH ")]
    text = re.sub(r"\\f[BIR]|\\&", "", "\n".join(lines))
    return text.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")


def first_missing(words, others):
    """The first of the words that does not follow the one before it among the others, or None."""
    rest = iter(others)
    return next((word for word in words if word not in rest), None)


def contents(name, section):
    page = (PROGRAMS / f"{name}.{section}").read_text()
    _, told, _ = run(PROGRAMS / name, "--help")
    summary, _, rest = re.split(r"^(Usage: )", told, maxsplit=1, flags=re.MULTILINE)
    words = plain(page).split()
    checks.equal(f"{name}({section}): the summary", first_missing(summary.split(), words), None)
    checks.equal(f"{name}({section}): the first word of --help that is not there, in order",
                 first_missing(re.sub(r"^\S.*:$", "", rest, flags=re.MULTILINE).split(), words), None)
    options = re.findall(r"^  (-.*)$", told, re.MULTILINE)
    heads = re.findall(r"^\.TP\n(.*)$", page, re.MULTILINE)
    checks.equal(f"{name}({section}): options", [plain(head) for head in heads if plain(head).startswith("-")], options)
    for heading in re.findall(r"^(\S.*):$", told, re.MULTILINE):
        checks.contains(f"{name}({section}): a heading", page, f'.SH "{heading.upper()}"')
    sections = re.findall(r'^\.SH "?([^"\n]*)', page, re.MULTILINE)
    checks.equal(f"{name}({section}): sections", (sections[:3], sections[-2:]),
                 (["NAME", "SYNOPSIS", "DESCRIPTION"], ["EXIT STATUS", "SEE ALSO"]))
    checks.matches(f"{name}({section}): what apropos shows", page, rf"^\.SH NAME\n{name.replace('-', '.*-')} \\- \w")
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", PROGRAMS / f"{name}.{section}"],
                              capture_output=True, text=True, check=False)
        checks.equal(f"{name}({section}): groff has nothing to say", (done.returncode, done.stderr), (0, ""))
    else:
        checks.skip(f"{name}({section}) is not typeset: there is no groff")


def installation():
    code, out, err = run("meson", "introspect", "--installed", BUILD, timeout=60)
    checks.equal("meson introspect", (code, err), (0, ""))
    places = {pathlib.Path(target).name: pathlib.Path(target) for target in json.loads(out).values()}
    for name, section in PAGES.items():
        checks.equal(f"{name} is installed", places[name].parent.name, "bin")
        checks.equal("its page, too", places[f"{name}.{section}"].parent.parts[-2:], ("man", f"man{section}"))


missing = [f"{name}.{section}" for name, section in PAGES.items() if not (PROGRAMS / f"{name}.{section}").exists()]
if checks.equal(f"pages that 'ninja -C {BUILD}' has not made", missing, []):
    for name, section in PAGES.items():
        contents(name, section)
    installation()
checks.finish()
