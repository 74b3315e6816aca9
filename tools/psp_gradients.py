#!/usr/bin/env python3
"""How large |dt/dw| gets for the first spike of a neuron with the rectified linear PSP and with an alpha PSP, on the same inputs.

    python3 tools/psp_gradients.py [--neurons 20000] [--inputs 100] [--seed 1]

Each neuron has inputs that spike once, at a time drawn from [0, 15), and weights w = (mean + std*sqrt(inputs)*normal)/inputs. Threshold 1, window
of 20 steps.

    rectified linear   K(x) = x                  dt/dw_i = -(t - t_i)/S,         S the sum of the weights that have arrived
    alpha              K(x) = x exp(-x/tau)      dt/dw_i = -K(t - t_i)/V'(t)     the same slope at x = 0

Both first crossings are exact: between two inputs one membrane is a straight line, the other (V0 + J x) exp(-x/tau), whose maximum is known. Printed
are the median, the 99th percentile and the maximum over neurons of max_i |dt/dw_i|, and of those neurons that spike with either PSP. Needs nothing
but Python. The numbers in docs/methods/stdbp.md are its output.
"""
import argparse
import math
import random

WINDOW, LAST_INPUT = 20.0, 15.0


def linear_spike(inputs):
    """(time, slope) of the first crossing, or None. inputs: (time, weight), by time."""
    potential, slope, now = 0.0, 0.0, 0.0
    for time, weight in inputs + [(WINDOW, 0.0)]:
        gap = time - now
        if slope > 0 and potential + slope * gap >= 1:
            return now + (1 - potential) / slope, slope
        potential, slope, now = potential + slope * gap, slope + weight, time
    return None


def alpha_spike(inputs, tau):
    """The same of the alpha PSP; J is V' + V/tau."""
    potential, drive, now = 0.0, 0.0, 0.0

    def at(x):
        return (potential + drive * x) * math.exp(-x / tau)

    for time, weight in inputs + [(WINDOW, 0.0)]:
        gap = time - now
        if drive > 0:
            top = min(gap, max(0.0, tau - potential / drive))
            if at(top) >= 1:
                low, high = 0.0, top
                for _ in range(100):
                    middle = 0.5 * (low + high)
                    low, high = (middle, high) if at(middle) < 1 else (low, middle)
                return now + high, drive * math.exp(-high / tau) - at(high) / tau
        potential, drive, now = at(gap), drive * math.exp(-gap / tau) + weight, time
    return None


def greatest(inputs, spike, kernel):
    time, slope = spike
    return max(kernel(time - t) for t, _ in inputs if t < time) / slope if slope > 0 else math.inf


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def compare(args, mean, std, tau):
    rng = random.Random(args.seed)
    linear, alpha = [], []
    for _ in range(args.neurons):
        times = sorted(rng.uniform(0, LAST_INPUT) for _ in range(args.inputs))
        inputs = [(t, (mean + std * math.sqrt(args.inputs) * rng.gauss(0, 1)) / args.inputs) for t in times]
        first, second = linear_spike(inputs), alpha_spike(inputs, tau)
        if first is None or second is None:
            continue
        linear.append(greatest(inputs, first, lambda x: x))
        alpha.append(greatest(inputs, second, lambda x: x * math.exp(-x / tau)))
    print(f"mean {mean}, std {std}, tau {tau}: {len(linear)} of {args.neurons} neurons spike with both")
    for name, values in (("rectified linear", linear), ("alpha", alpha)):
        print(f"  {name:17} median {quantile(values, 0.5):9.3g}   99 % {quantile(values, 0.99):9.3g}   max {max(values):9.3g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--neurons", type=int, default=20000)
    parser.add_argument("--inputs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for mean, std, tau in ((0.5, 0.05, 10.0), (0.35, 0.05, 10.0), (0.5, 0.05, 7.0), (0.5, 0.3, 10.0)):
        compare(args, mean, std, tau)


if __name__ == "__main__":
    main()
