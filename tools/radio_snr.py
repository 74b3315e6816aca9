"""Accuracy of predictions on the built-in set `radio` at each signal-to-noise ratio.

  spiketrain eval RUN --predictions FILE.csv
  python3 tools/radio_snr.py FILE.csv [MORE.csv ...]

Sample i has -10 + 2*(i mod 15) dB (spiketrain/data/synthetic/radio.cpp).  A column for each file; standard library only.
"""
import csv
import sys

RATIOS = [-10 + 2 * k for k in range(15)]


def accuracies(path):
    """By ratio, and of all."""
    right, total = [0] * len(RATIOS), [0] * len(RATIOS)
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            k = int(row["sample"]) % len(RATIOS)
            total[k] += 1
            right[k] += row["label"] == row["predicted"]
    if not all(total):
        sys.exit(f"radio_snr: {path}: expected samples at all of the {len(RATIOS)} ratios, got {sum(total)} samples")
    return [100 * r / t for r, t in zip(right, total)] + [100 * sum(right) / sum(total)]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    columns = [accuracies(path) for path in sys.argv[1:]]
    print("dB     " + "  ".join(sys.argv[1:]))
    for k, name in enumerate([*RATIOS, "all"]):
        print(f"{name!s:>4}   " + "  ".join(f"{column[k]:{len(path)}.1f}" for column, path in zip(columns, sys.argv[1:])))


if __name__ == "__main__":
    main()
