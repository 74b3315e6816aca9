#!/usr/bin/env python3
"""Draws what `spiketrain inspect RECIPE --parallel N` predicts: how many times as fast a step is, and how idle its processes are.

usage: parallel_curve.py --cli build/dev/bin/spiketrain --out docs/plots/parallel-NAME.svg [--processes 64] RECIPE [more options of inspect ...]"""
import argparse
import json
import pathlib
import subprocess

import svg_plot

NAMES = {"data": "shares of the batch", "blocks": "blocks in a line", "pipeline": "end to end in a line"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("--cli", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--processes", type=int, default=64)
    args, more = parser.parse_known_args()
    done = subprocess.run([args.cli, "inspect", args.recipe, "--parallel", str(args.processes), "--json", *more], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    model = json.loads(done.stdout)
    rows = model["predictions"]
    alone = next(row["seconds"] for row in rows if row["processes"] == 1)
    faster, idle = ({name: [] for name in NAMES.values()} for _ in range(2))
    for row in rows:
        line = NAMES[row["way"]]
        faster[line].append((row["processes"], alone / row["seconds"]))
        idle[line].append((row["processes"], 100 * row["idle"]))
    counts = [row["processes"] for row in rows]

    def panel(left, label, lines, up):
        values = [y for points in lines.values() for _, y in points]
        axis = svg_plot.Axis([1, *values] if up else [0, 100, *values], up)
        shown = svg_plot.Panel(left, label, svg_plot.Axis(counts, True), axis)
        svg_plot.curves(shown, {name: points for name, points in lines.items() if points})
        return shown

    title = f"{model['network']}, {model['batch']} samples a step, {1e3 * alone:.0f} ms in one process"
    args.out.write_text(svg_plot.document(title, [panel(45, "processes; times as fast", faster, True),
                                                  panel(525, "processes; % of the time without work", idle, False)]))
    print(f"writes {args.out}")


if __name__ == "__main__":
    main()
