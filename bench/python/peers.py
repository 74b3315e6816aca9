#!/usr/bin/env python3
"""A training step through Python beside the peers', on the networks of docs/performance.md: milliseconds and peak memory.

usage: peers.py [--networks cifar,mnist,dense,shallow] [--frameworks spiketrain,spikingjelly,snntorch,norse] [--threads 2] [--steps 7]

Each pair runs in a process of its own, interleaved over --rounds; waiting threads are passive and freed memory is kept in all of them
(MALLOC_* tunables), so that nobody pays for the default allocator.  A framework that is not installed is left out and named.
All have float32, the same shapes, batch, loss (cross entropy of the mean rate, `dense`: the sum) and Adam; each its own LIF in its fastest
form on a CPU: SpikingJelly step_mode="m", snnTorch and Norse one step at a time.  Weights are N(0, 2.5/sqrt(fan_in)) as in the benchmark."""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

NETWORKS = {"cifar": (4, 64, (3, 32, 32)), "mnist": (5, 50, (1, 28, 28)), "dense": (500, 16, (512,)), "shallow": (25, 128, (784,))}
LAYERS = {  # convolution (in, out, kernel, padding), pooling, linear (in, out)
    "cifar": [("c", 3, 64, 3, 1), ("n",), ("c", 64, 128, 3, 1), ("n",), ("p",), ("c", 128, 128, 3, 1), ("n",), ("p",), ("f",), ("l", 8192, 10), ("n",)],
    "mnist": [("c", 1, 15, 5, 0), ("n",), ("p",), ("c", 15, 40, 5, 0), ("n",), ("p",), ("f",), ("l", 640, 300), ("n",), ("l", 300, 10), ("n",)],
    "dense": [("l", 512, 512), ("n",)],
    "shallow": [("l", 784, 1000), ("n",), ("l", 1000, 10), ("n",)],
}
STILL = {"shallow"}  # an image shown T times; spiketrain takes it as such and multiplies it once, the peers' users repeat it
SPEC = {"cifar": "64C3p1-128C3p1-AP2-128C3p1-AP2-10", "mnist": "15C5-AP2-40C5-AP2-300-10", "dense": "512", "shallow": "1000-10"}


def spiketrain(name):
    import spiketrain as st

    steps, _, shape = NETWORKS[name]
    net = st.Network(SPEC[name], input_shape=shape, neuron=st.lif(leak=0.5, surrogate="atan"))
    return net, (lambda x: net(x[0], steps=steps)) if name in STILL else net


def torch_layer(layer, nn, module=None):
    kind, *size = layer
    of = module or nn
    if kind == "c":
        return of.Conv2d(size[0], size[1], size[2], padding=size[3], bias=False)
    if kind == "p":
        return of.AvgPool2d(2)
    return of.Flatten() if kind == "f" else of.Linear(*size, bias=False)


def spikingjelly(name):
    import torch.nn as nn
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    stages = [neuron.LIFNode(tau=2.0, decay_input=False, v_reset=None, surrogate_function=surrogate.ATan()) if l[0] == "n" else
              torch_layer(l, nn, layer) for l in LAYERS[name]]
    net = nn.Sequential(*stages)
    functional.set_step_mode(net, "m")

    def run(x):
        functional.reset_net(net)
        return net(x)

    return net, run


def snntorch(name):
    import torch
    import torch.nn as nn
    import snntorch as snn

    stages = nn.ModuleList(snn.Leaky(beta=0.5) if l[0] == "n" else torch_layer(l, nn) for l in LAYERS[name])

    def run(x):
        states = [s.init_leaky() if isinstance(s, snn.Leaky) else None for s in stages]
        out = []
        for t in range(len(x)):
            a = x[t]
            for k, stage in enumerate(stages):
                if states[k] is None:
                    a = stage(a)
                else:
                    a, states[k] = stage(a, states[k])
            out.append(a)
        return torch.stack(out)

    return stages, run


def norse(name):
    import torch
    import torch.nn as nn
    import norse.torch as norse

    cell = norse.LIFBoxCell
    stages = nn.ModuleList(cell(norse.LIFBoxParameters(tau_mem_inv=torch.as_tensor(500.0))) if l[0] == "n" else torch_layer(l, nn)
                           for l in LAYERS[name])

    def run(x):
        states = [None] * len(stages)
        out = []
        for t in range(len(x)):
            a = x[t]
            for k, stage in enumerate(stages):
                if isinstance(stage, cell):
                    a, states[k] = stage(a, states[k])
                else:
                    a = stage(a)
            out.append(a)
        return torch.stack(out)

    return stages, run


def measure(framework, name, threads, steps):
    if framework == "spiketrain":
        import spiketrain  # noqa: F401  before torch
    import torch

    torch.manual_seed(1)
    torch.set_num_threads(threads)
    T, B, shape = NETWORKS[name]
    net, run = globals()[framework](name)
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() > 1:
                p.normal_(0, 2.5 / (p[0].numel() ** 0.5))
    x = (torch.rand(T, B, *shape) < 0.2).float() if name == "dense" else torch.rand(1 if name in STILL else T, B, *shape).expand(T, B, *shape)
    y = torch.randint(0, 10, (B,))
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times, rate = [], 0.0
    for step in range(steps + 2):
        start = time.perf_counter()
        out = run(x)
        loss = out.sum() if name == "dense" else torch.nn.functional.cross_entropy(out.mean(0), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step >= 2:
            times.append(time.perf_counter() - start)
        rate = out.detach().mean().item()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"ms": statistics.median(times) * 1e3, "mib": peak / 1024, "output_rate": rate}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--frameworks", default="spiketrain,spikingjelly,snntorch,norse")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return measure(*args.one, args.threads, args.steps)
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000", "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
                   "MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_TOP_PAD_": str(64 << 20)}
    results, missing = {}, {}
    for _ in range(args.rounds):
        for name in args.networks.split(","):
            for framework in args.frameworks.split(","):
                if framework in missing:
                    continue
                done = subprocess.run([sys.executable, __file__, "--one", framework, name, "--threads", str(args.threads), "--steps",
                                       str(args.steps)], env=environment, capture_output=True, text=True)
                if done.returncode:
                    missing[framework] = done.stderr.strip().splitlines()[-1]
                else:
                    results.setdefault((name, framework), []).append(json.loads(done.stdout.splitlines()[-1]))
    print("| network | framework | ms, best median of rounds | times ours | samples/s | peak MiB | output rate |\n|---|---|---|---|---|---|---|")
    for (name, framework), runs in results.items():
        best = min(r["ms"] for r in runs)
        ours = min(r["ms"] for r in results.get((name, "spiketrain"), runs))
        print(f"| {name} | {framework} | {best:.1f} | {best / ours:.2f} | {NETWORKS[name][1] * 1e3 / best:.0f} | {min(r['mib'] for r in runs):.0f} | {runs[0]['output_rate']:.3f} |")
    for framework, why in missing.items():
        print(f"left out: {framework}: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
