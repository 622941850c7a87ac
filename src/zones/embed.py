#!/usr/bin/env python3
"""Writes a C++ source that holds master files: embed.py OUTPUT INPUT...

*.zone and *.inc are taken as they are.  A *.list names zones, one a line, which all have the content
of the *.inc with the same stem.
"""

import pathlib
import sys


def embedded_files(paths):
    files = {}
    for path in paths:
        text = path.read_text(encoding="ascii")
        if path.suffix != ".list":
            files[path.name] = text
            continue
        for line in text.splitlines():
            zone = line.split(";")[0].strip()
            if zone:
                files[f"{zone}.zone"] = f"$INCLUDE {path.stem}.inc\n"
    return sorted(files.items())


def literal(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return "\n     ".join(f'"{line}\\n"' for line in escaped.splitlines()) or '""'


def main(output, *inputs):
    entries = "".join(
        f'    {{"{name}",\n     {literal(text)}}},\n'
        for name, text in embedded_files(map(pathlib.Path, inputs))
    )
    pathlib.Path(output).write_text(
        '#include "zones/embedded_zones.h"\n\n'
        "namespace waypost::zones {\n\n"
        "namespace {\n\n"
        f"constexpr EmbeddedFile Files[] = {{\n{entries}}};\n\n"
        "}  // namespace\n\n"
        "std::span<const EmbeddedFile> embedded_files() noexcept { return Files; }\n\n"
        "}  // namespace waypost::zones\n",
        encoding="ascii",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
