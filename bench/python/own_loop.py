#!/usr/bin/env python3
"""A training step in a Python loop of one's own beside the same step of ``st.train`` (which is the command line's trainer), and what a call
costs: milliseconds per step of 15C5-AP2-40C5-AP2-300-10, T = 5, batch 50, rule bptt; microseconds of a call of one layer.

usage: own_loop.py [--rounds 5] [--threads 2]"""
import argparse
import statistics
import time

import spiketrain as st
import torch

RECIPE = {"seed": 1, "steps": 5, "epochs": 1, "data": {"name": "glyphs", "train_size": 1500, "test_size": 50, "batch": 50},
          "network": st.networks.spec(spec="15C5-AP2-40C5-AP2-300-10"), "neuron": st.lif(leak=0.5), "rule": st.bptt(),
          "objective": st.objectives.rate_ce(), "optimizer": st.optimizers.adamw(lr=1e-3)}


def trainer():
    at = []
    st.train(RECIPE, on_batch=lambda _: at.append(time.perf_counter()))
    return [b - a for a, b in zip(at[3:], at[4:])]


def own(batches):
    net = st.Network("15C5-AP2-40C5-AP2-300-10", input_shape=(1, 28, 28), neuron=st.lif(leak=0.5))
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    times = []
    for x, y in batches:
        start = time.perf_counter()
        loss = st.losses.rate_ce(net(x, steps=5), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(time.perf_counter() - start)
    return times[3:]


def call(function, n=2000):
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(n // 10):
            function()
        best = min(best, (time.perf_counter() - start) / (n // 10))
    return best * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = st.datasets.glyphs(train_size=1500)
    batches = [data.collate([data[i] for i in range(k, k + 50)]) for k in range(0, 1500, 50)]
    ours, theirs = [], []
    for _ in range(args.rounds):
        theirs.append(statistics.median(trainer()))
        ours.append(statistics.median(own(batches)))
    print(f"step: own loop {min(ours) * 1e3:.2f} ms, trainer {min(theirs) * 1e3:.2f} ms, ratio {min(ours) / min(theirs):.3f}")
    net = st.Network("10", input_shape=(20,), neuron=st.lif())
    linear = torch.nn.Linear(20, 10, bias=False)
    x = torch.rand(1, 1, 20)

    def of_torch():
        u = linear(x)
        return (u >= 1).to(u.dtype)

    print(f"call of one layer, T = B = 1: {call(lambda: net(x)):.1f} us in training; torch's linear and comparison {call(of_torch):.1f} us")
    net.eval()
    with torch.no_grad():
        print(f"  in evaluation: {call(lambda: net(x)):.1f} us; torch's {call(of_torch):.1f} us")


if __name__ == "__main__":
    main()
