"""Makes a man page of what a program says about itself.

usage: manual.py PROGRAM SECTION OUTPUT

The text of PROGRAM --help is the page, so that neither can say something else than the other: its first sentence is the
name's, `Usage:` the synopsis, what is indented by two blanks an option or a command with its text below it, and a line
that ends with a colon the heading of what follows.  What is added here is in no --help: exit status, related pages.
"""

import pathlib
import re
import subprocess
import sys

PAGES = {"waypost": 1, "waypost-dns": 8, "waypost-node": 8}
EXIT_STATUS = {
    "waypost": "0 when everything is well, 1 with what is not on standard error.",
    "waypost-dns": "0 when it was stopped by a signal, 1 when it could not start, with the reason on standard error.",
    "waypost-node": "0 when it was stopped by a signal or has cleaned up, 1 when it could not start or clean up, with the "
                    "reason on standard error.",
}


def escaped(text):
    """Text for troff: what it would take for requests or typography is taken literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def styled(head):
    """The head of an item: words in capitals are values, others are typed as they are."""
    def word(found):
        text = found.group(0)
        if text == "|":
            return text
        return f"\\f{'I' if re.fullmatch(r'[A-Z][A-Z:/.]*', text) else 'B'}{escaped(text)}\\fR"

    return re.sub(r"[^\s,\[\]]+", word, head)


def blocks_of(text):
    """(kind, head, text) of a help: "usage", "paragraph", "item" and "heading"; lines are joined."""
    found = []
    for line in text.splitlines():
        last = found[-1] if found else None
        if not line:
            found.append(["gap", "", []])
        elif line.startswith("Usage: "):
            found.append(["usage", "", [line.removeprefix("Usage: ")]])
        elif last and last[0] == "usage":
            last[2].append(line.strip())
        elif line.startswith(" " * 10):
            last[2].append(line.strip())
        elif line.startswith("  "):
            found.append(["item", line.strip(), []])
        elif line.endswith(":"):
            found.append(["heading", line.removesuffix(":"), []])
        elif last and last[0] == "paragraph":
            last[2].append(line)
        else:
            found.append(["paragraph", "", [line]])
    return [block for block in found if block[0] != "gap"]


def page(name, section, version, text):
    blocks = blocks_of(text)
    summary = " ".join(blocks[0][2])
    lines = [f'.TH {name.upper()} {section} "" "Waypost {escaped(version)}" "Waypost"', ".nh", ".ad l", ".SH NAME",
             f"{escaped(name)} \\- {escaped(summary.removeprefix(name + ' ').rstrip('.'))}"]
    has_items = False
    for number, (kind, head, body) in enumerate(blocks):
        if kind == "usage":
            lines += [".SH SYNOPSIS", ".nf", *(styled(line) for line in body), ".fi", ".SH DESCRIPTION", escaped(summary)]
        elif kind == "heading":
            lines.append(f'.SH "{escaped(head.upper())}"')
            has_items = True
        elif kind == "item":
            if not has_items:
                lines.append(".SH OPTIONS" if head.startswith("--") else ".SH COMMANDS")
            has_items = True
            lines += [".TP", styled(head), *(escaped(line) for line in body)]
        elif number > 0:
            lines += [".PP", *(escaped(line) for line in body)]
    others = ", ".join(f"\\fB{escaped(other)}\\fR({PAGES[other]})" for other in sorted(PAGES) if other != name)
    lines += [".SH EXIT STATUS", escaped(EXIT_STATUS[name]), ".SH SEE ALSO", others]
    return "\n".join(lines) + "\n"


def output_of(program, flag):
    return subprocess.run([program, flag], capture_output=True, text=True, check=True).stdout


def main():
    program, section, output = sys.argv[1:]
    name = pathlib.Path(program).name
    version = output_of(program, "--version").split()[-1]
    pathlib.Path(output).write_text(page(name, section, version, output_of(program, "--help")))


if __name__ == "__main__":
    main()
