#!/usr/bin/env python3
"""Writes the C++ examples of the documentation into files, so that a build can compile them.

A block is taken if it begins with ```cpp and its first line is   // file: NAME.cpp
Usage: extract_docs.py OUT_DIR DOCUMENT.md...        --list: print the names instead, one per line
"""
import argparse
import pathlib
import re
import sys

BLOCK = re.compile(r"^```cpp\n// file: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"[a-z0-9_]+\.(cpp|h)$")


def blocks(documents):
    """(file name, text) of every marked block; ValueError if two have the same name or a name is no file name."""
    found = {}
    for document in documents:
        for name, body in BLOCK.findall(pathlib.Path(document).read_text("ascii")):
            if not NAME.match(name):
                raise ValueError(f"{document}: '{name}' is no file name; expected lower_case.cpp or .h")
            if name in found:
                raise ValueError(f"{document}: a block named {name} exists already")
            found[name] = f"// From {pathlib.Path(document).name}; edit it there.\n{body}"
    if not found:
        raise ValueError("no block begins with '// file: NAME.cpp'")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("documents", nargs="+")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    try:
        found = blocks(arguments.documents)
    except (OSError, ValueError) as error:
        print(f"extract_docs: {error}", file=sys.stderr)
        return 1
    out = pathlib.Path(arguments.out)
    if arguments.list:
        print("\n".join(found))
        return 0
    out.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (out / name).write_text(text, "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
