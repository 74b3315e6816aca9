#!/usr/bin/env python3
"""Compares learning rules on the same networks with the same budget of tuning.

  compare_rules.py search --cli CLI --data-dir D --out OUT [--task T] [--method M]   random search on the validation split; the
                          best setting becomes recipes/rules/TASK/METHOD.toml
  compare_rules.py run    --cli CLI --data-dir D --out OUT [--task T] [--method M]   trains the committed recipes, three seeds each
  compare_rules.py time   --cli CLI --data-dir D --out OUT [--task T] [--method M]   three epochs of each, one at a time: for a quiet machine
  compare_rules.py table  --out OUT [--write]                                        tables and plots of finished runs; --write puts
                          them into docs/results-rules.md and docs/plots

Tasks are recipes/rules/TASK.toml, methods recipes/rules/methods.toml.  Finished runs are left alone: the same command goes on.
"""
import argparse
import datetime
import json
import math
import pathlib
import random
import statistics
import subprocess
import sys
import tomllib

import svg_plot

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECIPES = ROOT / "recipes" / "rules"
TASKS = ["fashion-mlp", "fashion-cnn", "nmnist", "motion-events", "delayed-memory", "delayed-memory-200"]
DRAWS, SEEDS = 6, (1, 2, 3)
PAGE = """# Learning rules compared

Made by `tools/compare_rules.py`: every method on the same network and data, with the same budget of tuning: the task's own settings and five
random draws, half the epochs each, the best by validation accuracy. The chosen settings are `recipes/rules/TASK/METHOD.toml`, run with three
seeds; accuracy is that of the test set at the epoch with the best validation accuracy; seconds are the median of three epochs, training alone,
one thread, one run at a time. Small networks, parts of the data and few epochs: a point or
two between methods mean little, and nothing here is comparable with a paper. Bytes and operations are per training sample
([cost-meter.md](cost-meter.md)): AC products with spikes, MAC those with real numbers, forward, error and weights together; a constant image counts as often as it is
multiplied, once per update under most rules.

    tools/compare_rules.py search --cli build/dev/bin/spiketrain --data-dir D --out runs/rules
    tools/compare_rules.py run    --cli build/dev/bin/spiketrain --data-dir D --out runs/rules
    tools/compare_rules.py time   --cli build/dev/bin/spiketrain --data-dir D --out runs/rules
    tools/compare_rules.py table  --out runs/rules --write
"""


def methods():
    return tomllib.loads((RECIPES / "methods.toml").read_text())


def chosen(arguments):
    """(task, method, settings) of everything that was asked for."""
    table = methods()
    for task in arguments.task or TASKS:
        for name, method in table["methods"].items():
            if arguments.method and name not in arguments.method:
                continue
            if task in method.get("tasks", TASKS):
                yield task, name, {"search": table["search"], **method}


def literal(value):
    return json.dumps(value) if isinstance(value, str) else repr(value)


def train(arguments, recipe, sets, out):
    """Runs or resumes a run; its summary, or None if it failed."""
    if not (out / "DONE").exists():
        command = [arguments.cli, "train", str(recipe), "--out", str(out), "--threads", str(arguments.threads)]
        if arguments.data_dir:
            command += ["--data-dir", arguments.data_dir]
        if (out / "config.toml").exists():
            command.append("--resume")
        else:
            for setting in sets:
                command += ["--set", setting]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            print(f"{out}: exit {done.returncode}: {done.stdout.strip().splitlines()[-1:]}", flush=True)
            return None
    return json.loads((out / "summary.json").read_text())


def draws(task, method):
    """Settings to try: the recipe's own first, then random ones, in which every value of an option comes up before one comes up again.
    All methods of a task meet the same values of an option in the same order."""
    yield {}
    columns = {}
    for key, values in method["search"].items():
        rng, column = random.Random(f"{task} {key}"), []
        while len(column) < DRAWS - 1:
            column += rng.sample(values, len(values))
        columns[key] = column
    for k in range(DRAWS - 1):
        yield {key: column[k] for key, column in columns.items()}


def search(arguments):
    for task, name, method in chosen(arguments):
        target = RECIPES / task / f"{name}.toml"
        if target.exists() and not arguments.again:
            continue
        epochs = tomllib.loads((RECIPES / f"{task}.toml").read_text())["epochs"]
        tried = []
        for k, drawn in enumerate(draws(task, method)):
            sets = [*method["set"], *method.get("at", {}).get(task, []), *(f"{key}={literal(value)}" for key, value in drawn.items()),
                    f"epochs={math.ceil(epochs / 2)}"]
            out = arguments.out / "search" / task / name / str(k)
            summary = train(arguments, RECIPES / f"{task}.toml", sets, out)
            if summary and summary.get("best_validation_accuracy") is not None:
                tried.append((summary["best_validation_accuracy"], k, drawn, out))
        if not tried:
            print(f"{task} {name}: no run finished", flush=True)
            continue
        best = max(tried, key=lambda one: (one[0], -one[1]))
        print(f"{task:16} {name:14} {100 * best[0]:6.2f} of {len(tried)}: {best[2]}", flush=True)
        write_recipe(target, task, name, best, epochs)


def write_recipe(target, task, name, best, epochs):
    text = (best[3] / "config.toml").read_text()
    lines = [f"epochs = {epochs}" if line.startswith("epochs = ") else line for line in text.splitlines()
             if not line.startswith("#")]
    drawn = ", ".join(f"{key} = {value}" for key, value in best[2].items()) or "the task's own settings"
    head = [f"# {name} on {task}: the best of {DRAWS} settings by validation accuracy ({100 * best[0]:.2f} %): {drawn}.",
            f"#   tools/compare_rules.py run --cli CLI --data-dir D --out OUT --task {task} --method {name}"]
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(head + lines) + "\n")


def run(arguments):
    for task, name, _ in chosen(arguments):
        recipe = RECIPES / task / f"{name}.toml"
        if not recipe.exists():
            continue
        for seed in SEEDS:
            summary = train(arguments, recipe, [f"seed={seed}"], arguments.out / "run" / task / name / str(seed))
            if summary:
                print(f"{task:16} {name:14} seed {seed}: {100 * summary['test_accuracy_at_best_validation']:.2f}", flush=True)


def time(arguments):
    for task, name, _ in chosen(arguments):
        recipe = RECIPES / task / f"{name}.toml"
        if recipe.exists() and train(arguments, recipe, ["epochs=3"], arguments.out / "time" / task / name):
            print(f"{task:16} {name:14} {seconds_of(arguments.out / 'time' / task / name):.3f} s", flush=True)


def seconds_of(out):
    """Median over the epochs of a run."""
    return statistics.median(json.loads(line)["seconds"] for line in (out / "metrics.jsonl").read_text().splitlines())


def measured(out):
    """One finished run: accuracy, and what cost.json counts."""
    summary = json.loads((out / "summary.json").read_text())
    cost = json.loads((out / "cost.json").read_text())
    return {"accuracy": 100 * summary["test_accuracy_at_best_validation"],
            "bytes": cost.get("activation_bytes", cost.get("activation_bytes_measured")), "ac": cost["ac"],
            "mac": cost["mac_error"] + sum(cost.get(f"mac_{way}_run", cost[f"mac_{way}"]) for way in ("forward", "weight"))}


def origin(out):
    """What the page says of its runs: revisions, processor, days; and whether timed runs, which begin like those of seed 1, have their losses."""
    runs = [done.parent for kind in ("run", "time") for done in sorted((out / kind).glob("**/DONE"))]
    environments = [json.loads((run / "environment.json").read_text()) for run in runs]
    days = sorted({datetime.date.fromtimestamp((run / "DONE").stat().st_mtime).isoformat() for run in runs})
    same = total = 0
    for timed in (run for run in runs if run.parts[-3] == "time"):
        losses = [[json.loads(line)["train_loss"] for line in (run / "metrics.jsonl").read_text().splitlines()[:3]]
                  for run in (timed, out / "run" / timed.parts[-2] / timed.parts[-1] / str(SEEDS[0])) if (run / "metrics.jsonl").exists()]
        total += len(losses) == 2
        same += len(losses) == 2 and losses[0] == losses[1]
    revisions = {kind: " and ".join(sorted({e["revision"] for e, run in zip(environments, runs) if run.is_relative_to(out / kind)}))
                 for kind in ("run", "time")}
    return (f"{' and '.join(sorted({e['cpu'] for e in environments}))}, {' to '.join([days[0], days[-1]] if len(days) > 1 else days)}; revision of the runs "
            f"{revisions['run']} (+: changes that were committed later), of the timed ones {revisions['time']}; {same} of {total} timed runs have the losses "
            f"of the run of the same seed, to the last bit.")


def rows_of(task, out):
    """[(method, mean and deviation of accuracy, number of seeds, others)], the best first."""
    rows = []
    for folder in sorted((out / "run" / task).glob("*")):
        runs = [measured(run) for run in sorted(folder.glob("*")) if (run / "DONE").exists()]
        if not runs:
            continue
        accuracy = [one["accuracy"] for one in runs]
        deviation = statistics.stdev(accuracy) if len(runs) > 1 else float("nan")
        others = {key: statistics.median(one[key] for one in runs) for key in ("bytes", "ac", "mac")}
        timed = out / "time" / task / folder.name
        others["seconds"] = seconds_of(timed) if (timed / "DONE").exists() else float("nan")
        rows.append((folder.name, statistics.mean(accuracy), deviation, len(runs), others))
    return sorted(rows, key=lambda row: -row[1])


def table_of(task, rows):
    title = tomllib.loads((RECIPES / f"{task}.toml").read_text())["title"].removesuffix(", learning rules")
    lines = [f"## {title}", "", f"![accuracy against memory and time](plots/rules-{task}.svg)", "",
             "| method | test accuracy, % | seeds | s per epoch | activation bytes per sample | AC | MAC |", "|---|---|---|---|---|---|---|"]
    for name, mean, deviation, seeds, others in rows:
        spread = "" if math.isnan(deviation) else f" +- {deviation:.2f}"
        lines.append(f"| {name} | {mean:.2f}{spread} | {seeds} | {others['seconds']:.2f} | {others['bytes']:,.0f} | "
                     f"{others['ac'] / 1e6:.2f} M | {others['mac'] / 1e6:.2f} M |")
    return lines + [""]


def panel(rows, key, label, left):
    """Points of accuracy against a quantity on a logarithmic axis."""
    one = svg_plot.Panel(left, label, svg_plot.Axis([row[4][key] for row in rows], logarithmic=True),
                         svg_plot.Axis([row[1] for row in rows], logarithmic=False, text=lambda value: f"{value:.1f}"))
    svg_plot.scatter(one, [(row[0], row[4][key], row[1]) for row in rows])
    return one


def plot(rows):
    return svg_plot.document("test accuracy, %", [panel(rows, "bytes", "activation bytes per sample", 45),
                                                  panel(rows, "seconds", "seconds per epoch", 525)])


def table(arguments):
    text = []
    for task in TASKS:
        rows = rows_of(task, arguments.out)
        if not rows:
            continue
        text += table_of(task, rows)
        if arguments.write:
            (ROOT / "docs" / "plots").mkdir(exist_ok=True)
            (ROOT / "docs" / "plots" / f"rules-{task}.svg").write_text(plot(rows))
    if not arguments.write:
        print("\n".join(text))
        return
    (ROOT / "docs" / "results-rules.md").write_text("\n".join([*PAGE.splitlines(), "", origin(arguments.out), "", *text]).rstrip() + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["search", "run", "time", "table"])
    parser.add_argument("--cli", default="spiketrain")
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--task", action="append", choices=TASKS)
    parser.add_argument("--method", action="append")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="search where a recipe is there already, too")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.method or []) - set(methods()["methods"])
    if unknown:
        parser.error(f"unknown method {', '.join(sorted(unknown))}; expected one of {', '.join(methods()['methods'])}")
    {"search": search, "run": run, "time": time, "table": table}[arguments.action](arguments)


if __name__ == "__main__":
    main()
