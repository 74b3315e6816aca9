#!/usr/bin/env python3
"""Kills training runs with SIGKILL and compares what they resume to with runs that nobody killed, bit for bit.

Over threads x windows x blocks x rules x optimisers, on a recipe of a second on drawn digits.  Each run is killed at
points drawn from --seed and started again with --resume until it is done; then the data of its last checkpoint and of its
best weights, where the run stands, and metrics.jsonl (without what a clock or the memory tells) must be those of the
uninterrupted run of the same setting.  Runs that differ in threads alone must agree as well.  Exit code 0: all do.

  python3 tools/kill_test.py --cli build/dev/bin/spiketrain --kills 300 --seed 1
"""
import argparse
import collections
import hashlib
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

RECIPE = """
steps = 6
epochs = 3
data = {name = "glyphs", batch = 20, train_size = 120, test_size = 40}
network = {name = "spec", spec = "4C5-P2-20-10"}
train = {checkpoint_batches = 2, keep = 2, clip_norm = 1.0}
"""
AXES = {
    "threads": ["1", "2"],
    "windows": {"whole": [], "2 steps": ['schedule={name="truncated", window=2, update="window"}']},
    "blocks": {"one": [], "two": ["blocks.size=1"]},
    "rule": {"bptt": ["neuron.name=lif", "rule.name=bptt", "objective.name=rate_ce"],
             "tssl_bp": ["neuron.name=psp_lif", "rule.name=tssl_bp", "objective.name=van_rossum",
                         "objective.target=[0,1]"]},
    "optimizer": {"sgd": ['optimizer={name="sgd", lr=0.01, momentum=0.9}'], "adamw": ['optimizer={name="adamw", lr=0.01}']},
}
# When a process is killed; "time" is any moment from the start of the program to its end.
POINTS = ["time", "temporary file", "new checkpoint", "metrics line", "best weights"]
CLOCK = {"seconds", "evaluation_seconds", "samples_per_second", "peak_memory_mib"}
MOST_KILLS_OF_A_RUN = 5


def command(cli, recipe, setting, out, resume):
    threads, *rest = setting
    sets = [s for axis, value in zip(list(AXES)[1:], rest) for s in AXES[axis][value]]
    line = [cli, "train", recipe, "--out", out, "--threads", threads]
    for s in sets:
        line += ["--set", s]
    return line + (["--resume"] if resume else [])


def without_clock(value):
    if isinstance(value, dict):
        return {k: without_clock(v) for k, v in value.items() if k not in CLOCK}
    return [without_clock(v) for v in value] if isinstance(value, list) else value


def tensors(path):
    """Digest of the tensors, and the progress, of a safetensors file."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    progress = without_clock(json.loads(header.pop("__metadata__")["progress"]))
    progress.pop("metrics_bytes", None)  # the clock's digits count
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode() + raw[8 + length:]).hexdigest(), progress


def outcome(run):
    run = pathlib.Path(run)
    last = sorted(p for p in (run / "ckpt").glob("[0-9]*.safetensors"))[-1]
    lines = [without_clock(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {"last": tensors(last), "best": tensors(run / "ckpt/best.safetensors")[0], "metrics": lines,
            "done": (run / "DONE").exists()}


def listing(run):
    """What the kill points wait for: temporary files, newest checkpoint, bytes of metrics, time of the best weights."""
    try:
        names = os.listdir(run + "/ckpt")
    except OSError:
        return set(), "", 0, 0
    def stat(name, what):
        try:
            return getattr(os.stat(run + name), what)
        except OSError:
            return 0
    temporary = {n for n in names if ".tmp." in n}
    newest = max((n for n in names if n[0].isdigit() and n.endswith(".safetensors")), default="")
    return temporary, newest, stat("/metrics.jsonl", "st_size"), stat("/ckpt/best.safetensors", "st_mtime_ns")


def reached(point, before, now):
    if point == "temporary file":
        return bool(now[0] - before[0])
    return now[POINTS.index(point) - 1] != before[POINTS.index(point) - 1]


def kill_at(process, run, point, draw, seconds):
    """True if the process was killed, False if it ended before."""
    before, begin = listing(run), time.monotonic()
    delay = draw.uniform(0, seconds)
    times = draw.randint(1, 3)  # the first such moment, the second or the third
    while process.poll() is None:
        if point == "time":
            due = time.monotonic() - begin >= delay
        else:
            now = listing(run)
            if reached(point, before, now):
                times, before = times - 1, now
            due = times == 0
        if due:
            process.send_signal(signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        time.sleep(0.002 if point == "time" else 0.0002)
    return False


class Test:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.recipe = os.path.join(folder, "recipe.toml")
        pathlib.Path(self.recipe).write_text(RECIPE)
        self.settings = list(itertools.product(*AXES.values()))
        random.Random(options.seed).shuffle(self.settings)
        self.lock = threading.Lock()
        self.whole, self.seconds, self.busy = {}, {}, collections.defaultdict(threading.Lock)
        self.kills, self.runs, self.failures = collections.Counter(), collections.Counter(), []
        self.next, self.until = 0, time.monotonic() + options.seconds

    def start(self, setting, run, resume):
        with open(run + ".txt", "a", encoding="utf-8") as log:
            return subprocess.Popen(command(self.options.cli, self.recipe, setting, run, resume), stdout=log,
                                    stderr=subprocess.STDOUT)

    def finish(self, process, run):
        if process.wait() != 0:
            text = pathlib.Path(run + ".txt").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"exit code {process.returncode}: {text[-300:]}")

    def uninterrupted(self, setting):
        """Outcome of the setting with one thread: threads must change nothing."""
        key = ("1",) + setting[1:]
        with self.busy[key]:
            if key not in self.whole:
                run, begin = os.path.join(self.folder, "whole-" + "-".join(key).replace(" ", "")), time.monotonic()
                self.finish(self.start(key, run, False), run)
                self.seconds[key] = time.monotonic() - begin
                self.whole[key] = outcome(run)
        return self.whole[key], self.seconds[key]

    def enough(self):
        return sum(self.kills.values()) >= self.options.kills or time.monotonic() > self.until

    def one_run(self, number):
        setting = self.settings[number % len(self.settings)]
        draw = random.Random(f"{self.options.seed}/{number}")
        expected, seconds = self.uninterrupted(setting)
        run = os.path.join(self.folder, f"run{number}")
        points, resume = [], False
        while len(points) < MOST_KILLS_OF_A_RUN and not self.enough():
            point = POINTS[(number + len(points)) % len(POINTS)]
            process = self.start(setting, run, resume)
            if not kill_at(process, run, point, draw, seconds):
                self.finish(process, run)
                break
            points.append(point)
            resume = True
            with self.lock:
                self.kills[point] += 1
        if not os.path.exists(run + "/DONE"):
            self.finish(self.start(setting, run, resume), run)
        if outcome(run) != expected:
            raise RuntimeError("the resumed run differs")
        with self.lock:
            for axis, value in zip(AXES, setting):
                self.runs[axis, value] += 1
                self.runs[axis, value, "kills"] += len(points)
        shutil.rmtree(run)

    def work(self):
        while not self.enough():
            with self.lock:
                number, self.next = self.next, self.next + 1
            try:
                self.one_run(number)
            except Exception as error:  # told at the end, with the others
                with self.lock:
                    self.failures.append(f"run {number}, {self.settings[number % len(self.settings)]}: {error}")

    def report(self):
        print(f"seed {self.options.seed}: {sum(self.kills.values())} kills, "
              f"{sum(n for key, n in self.runs.items() if key[0] == 'threads' and len(key) == 2)} runs resumed to the bits of "
              f"{len(self.whole)} uninterrupted ones, {len(self.failures)} failures\n")
        print("| killed at | kills |\n|---|---|")
        for point in POINTS:
            print(f"| {point} | {self.kills[point]} |")
        print("\n| setting | runs | kills |\n|---|---|---|")
        for axis, values in AXES.items():
            for value in values:
                print(f"| {axis} {value} | {self.runs[axis, value]} | {self.runs[axis, value, 'kills']} |")
        for failure in self.failures:
            print("FAILED", failure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", default="build/dev/bin/spiketrain", help="the program")
    parser.add_argument("--kills", type=int, default=300, help="stop after so many")
    parser.add_argument("--seconds", type=float, default=3600, help="start no run after so many seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    options = parser.parse_args()
    options.cli = os.path.abspath(options.cli)
    with tempfile.TemporaryDirectory(prefix="kill_test_") as folder:
        test = Test(options, folder)
        workers = [threading.Thread(target=test.work) for _ in range(options.jobs)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        test.report()
    return 1 if test.failures or not test.kills else 0


if __name__ == "__main__":
    sys.exit(main())
