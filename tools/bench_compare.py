#!/usr/bin/env python3
"""Compares two files of `spiketrain bench --json`: tools/bench_compare.py OLD.json NEW.json [--margin 0.1].

Exits with 1 if a case became slower by more than the margin, 2 if the files cannot be compared.
"""
import argparse
import json
import pathlib
import sys

COLUMNS = ["case", "density", "threads", "old ms", "new ms", "new / old", "old plain / ours", "new plain / ours", ""]
MACHINE = ["cpu", "isa", "torch", "blas", "compiler"]


def fail(message):
    print(f"bench_compare: {message}", file=sys.stderr)
    sys.exit(2)


def load(path):
    """What a file holds, and its cases by what they are."""
    try:
        data = json.loads(path.read_text())
        cases = {(c["level"], c["name"], c["product"], c["density"], c["threads"]): c for c in data["cases"]}
        for case in cases.values():
            if not (case["ours_ms"] > 0 and case["ratio"] > 0):
                fail(f"{path}: {case['name']}: expected times above 0")
    except (OSError, ValueError, TypeError, KeyError) as error:
        fail(f"{path}: expected a file of `spiketrain bench --json`; {type(error).__name__}: {error}")
    return data, cases


def row(key, old, new, margin):
    level, name, product, density, threads = key
    change = new["ours_ms"] / old["ours_ms"]
    verdict = "SLOWER" if change > 1 + margin else "faster" if change < 1 / (1 + margin) else ""
    return [f"{level} {name}, {product}", "natural" if density is None else f"{density:g}", str(threads),
            f"{old['ours_ms']:.3f}", f"{new['ours_ms']:.3f}", f"{change:.2f}", f"{old['ratio']:.2f}",
            f"{new['ratio']:.2f}", verdict]


def print_table(rows):
    widths = [max(len(cells[c]) for cells in rows) for c in range(len(COLUMNS))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("old", type=pathlib.Path, metavar="OLD.json")
    parser.add_argument("new", type=pathlib.Path, metavar="NEW.json")
    parser.add_argument("--margin", type=float, default=0.1, help="share of the old time; default 0.1")
    arguments = parser.parse_args()
    if not arguments.margin >= 0:
        fail(f"--margin: expected a number of at least 0, got {arguments.margin}")
    (old_data, old), (new_data, new) = load(arguments.old), load(arguments.new)
    both = [key for key in old if key in new]
    if not both:
        fail("no case is in both files; cases are the same if level, name, product, density and threads are")
    rows = [row(key, old[key], new[key], arguments.margin) for key in both]
    print_table([COLUMNS] + rows)
    for name in MACHINE:
        before, now = (data.get("machine", {}).get(name) for data in (old_data, new_data))
        if before != now:
            print(f"note: {name} was {before}, is {now}: times of different machines; compare the ratios")
    for path, ours, others in ((arguments.old, old, new), (arguments.new, new, old)):
        alone = sum(key not in others for key in ours)
        if alone:
            print(f"note: {alone} cases are in {path} only")
    slower = sum(cells[-1] == "SLOWER" for cells in rows)
    print(f"{slower} of {len(rows)} cases slower by more than {100 * arguments.margin:g} %")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
