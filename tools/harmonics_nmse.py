"""Error of predictions on the built-in sets of harmonics at each signal-to-noise ratio.

  spiketrain eval RUN --predictions FILE.csv
  python3 tools/harmonics_nmse.py FILE.csv [MORE.csv ...]

Sample i has 5*(i mod 7) dB (spiketrain/data/synthetic/harmonics.cpp).  For each file two columns, in dB: the mean of
|error|^2/|wanted|^2 over the samples, and its median.  Standard library only.
"""
import csv
import math
import statistics
import sys

RATIOS = [5 * k for k in range(7)]


def errors(path):
    """Error ratios of the samples, by signal-to-noise ratio."""
    found = [[] for _ in RATIOS]
    with open(path, newline="") as file:
        rows = csv.reader(file)
        names = next(rows)
        targets = [k for k, name in enumerate(names) if name.startswith("target")]
        outputs = [k for k, name in enumerate(names) if name.startswith("output")]
        if not targets or len(targets) != len(outputs):
            sys.exit(f"harmonics_nmse: {path}: expected columns target0, ... and as many output0, ...; made by eval --predictions")
        for row in rows:
            pairs = [(float(row[t]), float(row[o])) for t, o in zip(targets, outputs)]
            ratio = sum((t - o) ** 2 for t, o in pairs) / sum(t * t for t, _ in pairs)
            found[int(row[0]) % len(RATIOS)].append(ratio)
    if not all(found):
        sys.exit(f"harmonics_nmse: {path}: expected samples at all of the {len(RATIOS)} ratios, got {sum(map(len, found))} samples")
    return found


def decibels(ratio):
    return 10 * math.log10(max(ratio, 1e-12))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    files = [errors(path) for path in sys.argv[1:]]
    print("dB     " + "  ".join(f"{path + ' mean':>16}  {'median':>8}" for path in sys.argv[1:]))
    for k, name in enumerate([*RATIOS, "all"]):
        cells = []
        for found in files:
            ratios = sum(found, []) if name == "all" else found[k]
            cells.append(f"{decibels(statistics.fmean(ratios)):16.2f}  {decibels(statistics.median(ratios)):8.2f}")
        print(f"{name!s:>4}   " + "  ".join(cells))


if __name__ == "__main__":
    main()
