#!/usr/bin/env python3
"""Every option that a page or a recipe names has to be known to the command line.

Usage: check_doc_options.py --cli build/dev/bin/spiketrain
Checked in README.md, docs/ and recipes/: dotted names such as `events.sensor` outside C++, and the keys of
TOML blocks and recipes. Exit code 1 and one line for each that is not known.
"""
import argparse
import pathlib
import re
import sys
import tomllib

from make_docs import LISTS, Cli

ROOT = pathlib.Path(__file__).resolve().parent.parent
FREE = {"paper"}  # holds what it likes
FILE_ENDINGS = {"h", "cpp", "md", "toml", "json", "jsonl", "txt", "csv", "html", "py", "safetensors"}
OPTION = re.compile(r"^ {4}(\w+) {2,}\w+ *= ")


def known_options(cli):
    """Section -> its options; "" is the top level."""
    known, section = {}, None
    for line in cli("list", "recipe"):
        if match := OPTION.match(line):
            known[section].add(match.group(1))
        elif not line.startswith(" "):
            section = "" if line == "top level" else line.strip("[]")
            known[section] = set()
    for plural, word in LISTS:
        known[word] = {"name"} | {m.group(1) for m in map(OPTION.match, cli("list", plural)) if m}
    known["readout"] = known["neuron"]
    known["rules"] = known["rule"]
    return known


def is_known(known, section, option):
    return section in FREE or section == "rules" or option in known.get(section, ())


def toml_keys(text):
    """(section, option) of a TOML text."""
    for key, value in tomllib.loads(text).items():
        if isinstance(value, dict):
            yield from ((key, option) for option in value)
        else:
            yield ("", key)


def without_code(text):
    """Text without its C++ blocks."""
    return re.sub(r"```(?:cpp|c\+\+|cmake|python)\n.*?```", "", text, flags=re.S)


def toml_blocks(text):
    return re.findall(r"```toml\n(.*?)```", text, flags=re.S)


def unknown_in(path, known):
    text = path.read_text(encoding="utf-8")
    sections = "|".join(sorted((s for s in known if s), key=len, reverse=True))
    dotted = re.compile(rf"(?<![\w./\-\[])({sections})\.([a-z]\w*)(?![\w(/.])")
    for section, option in dotted.findall(without_code(text)):
        if option not in FILE_ENDINGS and not is_known(known, section, option):
            yield f"{section}.{option}"
    for block in [text] if path.suffix == ".toml" else toml_blocks(text):
        for section, option in toml_keys(block):
            if section == "" and option in known:
                continue  # a part by its name
            if not is_known(known, section, option):
                yield f"{section}.{option}" if section else option


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", required=True)
    known = known_options(Cli(parser.parse_args().cli))
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")),
             *sorted((ROOT / "recipes").glob("*.toml"))]
    wrong = [f"{page.relative_to(ROOT)}: no recipe has {name}" for page in pages for name in unknown_in(page, known)]
    print("\n".join(wrong) or f"{len(pages)} files")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
