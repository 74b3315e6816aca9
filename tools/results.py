#!/usr/bin/env python3
"""Prints rows of docs/results.md from finished run directories: tools/results.py RUN_DIR..."""
import argparse
import json
import pathlib
import statistics
import sys
import tomllib

COLUMNS = ["recipe", "seed", "epochs", "metric", "best test (epoch)", "last", "at best validation (epoch)",
           "rates per layer", "minutes", "threads", "revision"]


def first_metric(summary):
    """Name of the metric that decided which epoch was best: the first in summary.json."""
    return next(key.removeprefix("last_test_") for key in summary if key.startswith("last_test_"))


def is_share(metric):
    return metric == "accuracy" or metric.startswith("top")


def shown(metric, value):
    """Shares in percent, other values with four digits."""
    return f"{100 * value:.2f}" if is_share(metric) else f"{value:.4g}"


def row(run):
    summary = json.loads((run / "summary.json").read_text())
    environment = json.loads((run / "environment.json").read_text())
    recipe = tomllib.loads((run / "config.toml").read_text())
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    metric = first_metric(summary)
    chosen = "-"
    if f"test_{metric}_at_best_validation" in summary:
        chosen = (f"{shown(metric, summary[f'test_{metric}_at_best_validation'])}"
                  f" ({summary['best_validation_epoch']})")
    return summary, [recipe["title"], recipe["seed"], summary["epochs"], metric,
                     f"{shown(metric, summary[f'best_test_{metric}'])} ({summary['best_test_epoch']})",
                     shown(metric, summary[f"last_test_{metric}"]), chosen,
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
        metric = first_metric(summaries[0])
        for key in [f"best_test_{metric}", f"last_test_{metric}", f"test_{metric}_at_best_validation"]:
            values = [summary[key] for summary in summaries if key in summary]
            if len(values) > 1:
                print(f"{title}: {key}: mean {shown(metric, statistics.mean(values))}, "
                      f"standard deviation {shown(metric, statistics.stdev(values))}")


if __name__ == "__main__":
    main()
