#!/usr/bin/env python3
"""Accuracy in whole numbers modulo t, without encryption, of runs that are evaluated by `python3 -m spiketrain.private` (docs/methods/homomorphic.md).

usage: PYTHONPATH=build/dev/python python3 tools/private_table.py [--data-dir DIR] [--samples N] [--moduli T,T,...] GROUP...

GROUP: NAME=BITS/VALUE_BITS:RUN,RUN,...     runs that differ in their seed; bits of weights, and of values that are no spikes

Prints a table in Markdown: a row for each group; mean and standard deviation in %."""
import argparse
import statistics
import sys

import spiketrain as st
from spiketrain import private
from spiketrain.private.__main__ import network_of


def group(text):
    try:
        name, rest = text.split("=", 1)
        bits, runs = rest.split(":", 1)
        weight, value = bits.split("/")
        return name, int(weight), int(value), runs.split(",")
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME=BITS/VALUE_BITS:RUN,RUN,..., got '{text}'") from None


def spread(values):
    values = [100 * v for v in values]
    return f"{statistics.mean(values):.2f}" + (f" +- {statistics.pstdev(values):.2f}" if len(values) > 1 else "")


def measure(path, bits, value_bits, args):
    """Accuracy of the network itself and in whole numbers, the two plain moduli that are enough, and {t: accuracy}."""
    run = st.load(path, checkpoint="last")
    where = dict(limit=args.samples, data_dir=args.data_dir)
    parts = private.split_run(run, bits=bits, value_bits=value_bits, data_dir=args.data_dir)
    fixed = private.Fixed(parts)
    itself = private.evaluate(run, network_of(run), **where)["accuracy"]
    exact = private.evaluate(run, fixed, **where)["accuracy"]
    enough = fixed.numbers.plain_modulus  # from here on nothing wraps around
    at = {t: exact if t >= enough else private.evaluate(run, private.Fixed(parts, t), **where)["accuracy"] for t in args.moduli}
    return itself, exact, parts.plain_modulus, enough, at


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--samples", type=int, default=0, help="of the test split, at equal distances; 0: all")
    parser.add_argument("--moduli", type=lambda text: [int(t) for t in text.split(",")], default=[2 ** k for k in range(4, 21, 2)])
    parser.add_argument("groups", nargs="+", type=group, metavar="GROUP")
    args = parser.parse_args()
    heads = ["network", "weights, values (bits)", "itself", "whole numbers", "t for any input", "t seen", *(f"t = {t}" for t in args.moduli)]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for name, bits, value_bits, runs in args.groups:
        found = [measure(path, bits, value_bits, args) for path in runs]
        itself, exact, bound, enough, at = zip(*found)
        cells = [name, f"{bits}, {value_bits}", spread(itself), spread(exact), str(max(bound)), str(max(enough)),
                 *(spread([one[t] for one in at]) for t in args.moduli)]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (st.UsageError, st.DataError) as error:
        sys.exit(f"private_table: {error}")
