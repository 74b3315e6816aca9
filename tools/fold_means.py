"""Accuracy of k-fold cross-validation: means over the folds of a sweep that has table.fold among its axes.

  spiketrain sweep RECIPE --over table.fold=0,1,2,3,4 --seeds 3 --out OUT
  python3 tools/fold_means.py OUT [METRIC]

METRIC is accuracy unless given.  The metric of a seed is its mean over the folds; shown are mean and sample standard deviation over
the seeds, of the last epoch and of the best one, which is chosen on the test part, and the epoch at which a run first had its best, mean over
runs.  A row for each setting of the other axes.  Standard library only.
"""
import json
import pathlib
import statistics
import sys


def value(config, key):
    for name in key.split("."):
        config = config[name]
    return config["name"] if isinstance(config, dict) and "name" in config else config


def runs_of(out):
    """(settings of the other axes, seed, fold, run folder) of every finished run, and the folds there should be."""
    grid = json.loads((out / "sweep.json").read_text())
    axes = {axis["key"]: axis["values"] for axis in grid["axes"]}
    if "table.fold" not in axes:
        sys.exit(f"fold_means: {out}: table.fold is not among the axes of this sweep; add --over table.fold=0,1,2,3,4")
    others = [key for key in axes if key != "table.fold"]
    found = []
    for run in sorted((out / "runs").iterdir()):
        if (run / "DONE").exists():
            config = json.loads((run / "config.json").read_text())
            setting = tuple((key, str(value(config, key))) for key in others)
            found.append((setting, config["seed"], config["table"]["fold"], run))
    return found, len(axes["table.fold"])


def table(out, metric):
    found, folds = runs_of(out)
    settings = {}
    for setting, seed, fold, run in found:
        summary = json.loads((run / "summary.json").read_text())
        history = [json.loads(line).get(f"test_{metric}") for line in (run / "metrics.jsonl").read_text().splitlines()]
        last, best = (summary.get(f"{which}_test_{metric}") for which in ("last", "best"))
        if last is None or best is None:
            sys.exit(f"fold_means: {run}: has no {metric}")
        settings.setdefault(setting, {}).setdefault(seed, {})[fold] = (last, best, 1 + history.index(best))
    rows = []
    for setting, seeds in sorted(settings.items()):
        whole = [list(of_fold.values()) for of_fold in seeds.values() if len(of_fold) == folds]
        if not whole:
            sys.exit(f"fold_means: {out}: no seed has all {folds} folds of {setting}")
        means = [[statistics.mean(run[k] for run in runs) for runs in whole] for k in range(3)]
        rows.append((setting, len(whole), means))
    return rows


def shown(values, percent):
    scale = 100 if percent else 1
    spread = f" +- {scale * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{scale * statistics.mean(values):.2f}{spread}"


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    metric = sys.argv[2] if len(sys.argv) == 3 else "accuracy"
    percent = metric in ("accuracy", "balanced_accuracy", "f1", "exact_match")
    print(f"| setting | seeds | last test {metric} | best test {metric} | epoch of the best |\n|---|---|---|---|---|")
    for setting, seeds, (last, best, epoch) in table(pathlib.Path(sys.argv[1]), metric):
        words = ", ".join(f"{key} = {text}" for key, text in setting) or "recipe"
        print(f"| {words} | {seeds} | {shown(last, percent)} | {shown(best, percent)} | {statistics.mean(epoch):.1f} |")


if __name__ == "__main__":
    main()
