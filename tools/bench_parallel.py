#!/usr/bin/env python3
"""Several processes of one thread each beside one process of as many threads: samples per second, waiting, bytes on the wire.

usage: bench_parallel.py --cli build/dev/bin/spiketrain [--processes 2] [--rounds 3] [--data-dir DIR] [--sets ...] RECIPE...

Each recipe is trained for one epoch in each form, in turns; the best of the rounds counts, as the machine may do other work.  Prints a
row a recipe for docs/performance.md.  Bytes are those that process 0 has sent, beside 2 (W - 1)/W times the parameters for each update."""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile


def train(args, recipe, processes, threads):
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", recipe, "--out", folder + "/run", "--threads", str(threads), "--set", "epochs=1"]
        for option in args.sets:
            words += ["--set", option]
        if args.data_dir:
            words += ["--data-dir", args.data_dir]
        launch = ["launch", "--processes", str(processes), "--"] if processes > 1 else []
        done = subprocess.run([args.cli, *launch, *words], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr or done.stdout)
        epoch = json.loads(pathlib.Path(folder, "run/metrics.jsonl").read_text().splitlines()[0])
        epoch["parameters"] = json.loads(pathlib.Path(folder, "run/summary.json").read_text())["parameters"]
        return epoch


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--cli", required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", default=os.environ.get("SPIKETRAIN_DATA", ""))
    parser.add_argument("--sets", nargs="*", default=[], help="options of the recipes, such as data.limit=2000")
    args = parser.parse_args()
    W = args.processes
    print(f"| recipe | one process, {W} threads, samples/s | {W} processes, samples/s | ratio | waiting | MB sent a step | predicted |\n"
          "|---|---|---|---|---|---|---|")
    for recipe in args.recipes:
        one, several = [], []
        for _ in range(args.rounds):
            one.append(train(args, recipe, 1, W))
            several.append(train(args, recipe, W, 1))
        best, rival = (max(runs, key=lambda e: e["samples_per_second"]) for runs in (several, one))
        updates = best["optimizer_steps"]
        predicted = 2 * (W - 1) / W * 4 * best["parameters"]
        print(f"| {pathlib.Path(recipe).stem} | {rival['samples_per_second']:.0f} | {best['samples_per_second']:.0f} "
              f"| {best['samples_per_second'] / rival['samples_per_second']:.2f} | {100 * best['seconds_waiting'] / best['seconds']:.1f} % "
              f"| {best['bytes_sent'] / updates / 1e6:.3f} | {predicted / 1e6:.3f} |", flush=True)


if __name__ == "__main__":
    main()
