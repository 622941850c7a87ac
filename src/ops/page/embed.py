#!/usr/bin/env python3
"""Writes a C++ source that holds the files of the status page: embed.py OUTPUT INPUT..."""

import pathlib
import sys

# What a compiler takes at least as one literal (C++23, annex B).
MAX_LITERAL = 65536


def entry(path):
    text = path.read_text(encoding="ascii")
    if ')page"' in text or len(text) > MAX_LITERAL:
        sys.exit(f'{path}: found )page" or more than {MAX_LITERAL} octets, expected neither')
    return f'    {{"{path.name}", R"page({text})page"}},\n'


def main(output, *inputs):
    entries = "".join(entry(path) for path in sorted(map(pathlib.Path, inputs), key=lambda p: p.name))
    pathlib.Path(output).write_text(
        '#include "ops/page/page_files.h"\n\n'
        "#include <algorithm>\n#include <cassert>\n#include <iterator>\n\n"
        "namespace waypost::ops {\n\n"
        "namespace {\n\n"
        f"constexpr PageFile Files[] = {{\n{entries}}};\n\n"
        "}  // namespace\n\n"
        "std::span<const PageFile> page_files() noexcept { return Files; }\n\n"
        "std::string_view page_file(std::string_view name) noexcept {\n"
        "  const auto* found = std::ranges::find(Files, name, &PageFile::name);\n"
        "  assert(found != std::end(Files));\n"
        "  return found->text;\n"
        "}\n\n"
        "}  // namespace waypost::ops\n",
        encoding="ascii",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
