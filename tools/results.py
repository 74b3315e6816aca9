#!/usr/bin/env python3
"""Prints rows of docs/results.md from finished run directories: tools/results.py RUN_DIR..."""
import argparse
import json
import pathlib
import statistics
import sys
import tomllib

COLUMNS = ["recipe", "seed", "epochs", "best test (epoch)", "last", "at best validation (epoch)",
           "rates per layer", "minutes", "threads", "revision"]


def percent(value):
    return f"{100 * value:.2f}"


def row(run):
    summary = json.loads((run / "summary.json").read_text())
    environment = json.loads((run / "environment.json").read_text())
    recipe = tomllib.loads((run / "config.toml").read_text())
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    chosen = "-"
    if "test_accuracy_at_best_validation" in summary:
        chosen = (f"{percent(summary['test_accuracy_at_best_validation'])}"
                  f" ({summary['best_validation_epoch']})")
    return summary, [recipe["title"], recipe["seed"], summary["epochs"],
                     f"{percent(summary['best_test_accuracy'])} ({summary['best_test_epoch']})",
                     percent(summary["last_test_accuracy"]), chosen,
                     " ".join(f"{layer['rate']:.3f}" for layer in last["rates"]),
                     f"{summary['seconds'] / 60:.0f}", environment["threads"], environment["revision"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN_DIR")
    runs = parser.parse_args().runs
    unfinished = [str(run) for run in runs if not (run / "DONE").exists()]
    if unfinished:
        sys.exit(f"not finished: {', '.join(unfinished)}")
    empty = [str(run) for run in runs if not (run / "metrics.jsonl").exists()]
    if empty:
        sys.exit(f"trained no epoch: {', '.join(empty)}")
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    by_recipe = {}
    for run in runs:
        summary, cells = row(run)
        by_recipe.setdefault(cells[0], []).append(summary)
        print("| " + " | ".join(str(cell) for cell in cells) + " |")
    for title, summaries in by_recipe.items():
        for key in ["best_test_accuracy", "last_test_accuracy", "test_accuracy_at_best_validation"]:
            values = [100 * summary[key] for summary in summaries if key in summary]
            if len(values) > 1:
                print(f"{title}: {key}: mean {statistics.mean(values):.2f}, "
                      f"standard deviation {statistics.stdev(values):.2f}")


if __name__ == "__main__":
    main()
