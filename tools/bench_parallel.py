#!/usr/bin/env python3
"""Several processes of one thread each beside one process: samples per second, waiting, bytes on the wire.

usage: bench_parallel.py --cli build/dev/bin/spiketrain [--processes 2] [--line] [--rounds 3] [--data-dir DIR] [--sets ...] RECIPE...

Each recipe is trained in each form, in turns; the second epoch counts, as the first one may still be making its data, and the best of
the rounds, as the machine may do other work.  Prints a
row a recipe for docs/performance.md.
Without --line processes share batches, beside one process of as many threads; bytes are those that process 0 has sent, beside
2 (W - 1)/W times the parameters for each update.
With --line they share blocks (parallel.line), beside one process of one thread; the ratio and the bytes are those that
`spiketrain inspect --parallel` predicts, and the bytes stand beside those of gradients that as many processes would send that share
batches."""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile


class Bench:
    def __init__(self, args):
        self.args = args
        self.data = ["--data-dir", args.data_dir] if args.data_dir else []
        self.sets = [word for option in args.sets for word in ("--set", option)]

    def output(self, words):
        done = subprocess.run([self.args.cli, *words], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr or done.stdout)
        return done.stdout

    def train(self, recipe, processes, threads, more=()):
        with tempfile.TemporaryDirectory() as folder:
            words = ["train", recipe, "--out", folder + "/run", "--threads", str(threads), *self.data, *self.sets, "--set", "epochs=2", *more]
            launch = ["launch", "--processes", str(processes), "--"] if processes > 1 else []
            self.output([*launch, *words])
            first, epoch = map(json.loads, pathlib.Path(folder, "run/metrics.jsonl").read_text().splitlines())
            epoch["updates"] = epoch["optimizer_steps"] - first["optimizer_steps"]
            epoch["batches"] = epoch["iteration"] - first["iteration"]
            epoch["parameters"] = json.loads(pathlib.Path(folder, "run/summary.json").read_text())["parameters"]
            log = pathlib.Path(folder, "run/log.txt").read_text()
            epoch["group"] = next((line.split("processes, ", 1)[1] for line in log.splitlines() if "processes, " in line), "")
            return epoch

    def best(self, runs):
        return max(runs, key=lambda epoch: epoch["samples_per_second"])

    def shares(self, recipe):
        W = self.args.processes
        one, several = [], []
        for _ in range(self.args.rounds):
            one.append(self.train(recipe, 1, W))
            several.append(self.train(recipe, W, 1))
        rival, best = self.best(one), self.best(several)
        predicted = 2 * (W - 1) / W * 4 * best["parameters"]
        return (f"{rival['samples_per_second']:.0f} | {best['samples_per_second']:.0f} "
                f"| {best['samples_per_second'] / rival['samples_per_second']:.2f} | {100 * best['seconds_waiting'] / best['seconds']:.1f} % "
                f"| {best['bytes_sent'] / best['updates'] / 1e6:.3f} | {predicted / 1e6:.3f}")

    def line(self, recipe):
        W = self.args.processes
        one, several = [], []
        for _ in range(self.args.rounds):
            one.append(self.train(recipe, 1, 1))
            several.append(self.train(recipe, W, 1, ["--set", f"parallel.line={W}"]))
        rival, best = self.best(one), self.best(several)
        model = json.loads(self.output(["inspect", recipe, "--parallel", str(W), "--json", "--cores", str(os.cpu_count()), *self.data, *self.sets]))
        here = [p for p in model["predictions"] if p["way"] == "blocks" and p["processes"] == W and p["shares"] == 1]
        alone = next(p["seconds"] for p in model["predictions"] if p["processes"] == 1)
        ratio = f"{alone / here[0]['seconds']:.2f}" if here else "-"
        handed = best["bytes_sent"] / best["batches"]
        cuts, at = [], 0
        for size in [int(n) for n in best["group"].split("blocks ")[1].split(" from")[0].split(" + ")][:-1]:
            at += size
            cuts.append(at - 1)
        predicted = sum(model["blocks"][b]["bytes_handed_on"] for b in cuts)
        gradients = 2 * (W - 1) / W * 4 * best["parameters"]
        return (f"{best['group']} | {rival['samples_per_second']:.0f} | {best['samples_per_second']:.0f} "
                f"| {best['samples_per_second'] / rival['samples_per_second']:.2f} | {ratio} | {handed / 1e3:.1f} | {predicted / 1e3:.1f} "
                f"| {gradients / 1e3:.0f} | 1/{gradients / handed:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--cli", required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--line", action="store_true", help="processes share blocks, not batches")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", default=os.environ.get("SPIKETRAIN_DATA", ""))
    parser.add_argument("--sets", nargs="*", default=[], help="options of the recipes, such as data.limit=2000")
    args = parser.parse_args()
    W, bench = args.processes, Bench(args)
    if args.line:
        print(f"| recipe | layout | one process, samples/s | {W} in a line, samples/s | ratio | predicted | kB handed on a step | predicted "
              "| kB of gradients | of that |\n|---|---|---|---|---|---|---|---|---|---|")
    else:
        print(f"| recipe | one process, {W} threads, samples/s | {W} processes, samples/s | ratio | waiting | MB sent a step | predicted |\n"
              "|---|---|---|---|---|---|---|")
    for recipe in args.recipes:
        row = bench.line(recipe) if args.line else bench.shares(recipe)
        print(f"| {pathlib.Path(recipe).stem} | {row} |", flush=True)


if __name__ == "__main__":
    main()
