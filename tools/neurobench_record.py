#!/usr/bin/env python3
"""Writes golden/neurobench/snntorch_conv.json: NeuroBench's metrics of an snnTorch network on random spikes, as NeuroBench itself has
them. Weights are multiples of 1/64, so that spikes are the same whatever the order of sums. Needs neurobench, snntorch and torch (PyPI);
nothing else here does.

  neurobench_record.py OUT.json
"""
import importlib.metadata
import json
import sys

import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
from neurobench.models import SNNTorchModel
from snntorch import Leaky, utils

STEPS, BATCHES, BETA, UNIT = 6, (3, 2), 0.75, 64
INPUT, CLASSES = (2, 8, 8), 5


def weights(shape, scale, generator):
    """A third of them zero."""
    drawn = torch.round(UNIT * scale * torch.randn(shape, generator=generator)) / UNIT
    return drawn * (torch.rand(shape, generator=generator) > 1 / 3)


def network(generator):
    """4C3p1-AP2-6C3p1-5: the second convolution reads averages, the last layer spikes."""
    def leaky(last=False):
        return Leaky(beta=BETA, threshold=1.0, reset_mechanism="subtract", init_hidden=True, output=last)

    net = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3, padding=1, bias=False), leaky(), torch.nn.AvgPool2d(2),
                              torch.nn.Conv2d(4, 6, 3, padding=1, bias=False), leaky(), torch.nn.Flatten(),
                              torch.nn.Linear(96, CLASSES, bias=False), leaky(last=True))
    layers = [module for module in net if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))]
    for layer, scale in zip(layers, (0.9, 1.6, 0.8)):
        layer.weight.data = weights(layer.weight.shape, scale, generator)
    return net, layers


def firing_rates(net, x):
    """Of each layer of neurons, to see that they are neither silent nor always on."""
    utils.reset(net)
    sums, hooks = {}, []
    for name, module in net.named_children():
        if isinstance(module, Leaky):
            first = lambda _, __, out, name=name: sums.setdefault(name, []).append(
                (out[0] if isinstance(out, tuple) else out).detach().mean())
            hooks.append(module.register_forward_hook(first))
    for t in range(x.shape[1]):
        net(x[:, t])
    for hook in hooks:
        hook.remove()
    return [round(float(torch.stack(s).mean()), 4) for s in sums.values()]


def main():
    generator = torch.Generator().manual_seed(7)
    net, layers = network(generator)
    data = [(torch.rand((B, STEPS, *INPUT), generator=generator) < 0.2, torch.zeros(B, dtype=torch.long)) for B in BATCHES]
    data[0][0][:, 2] = False  # a step without any spike
    data = [(x.float(), y) for x, y in data]
    rates = firing_rates(net, torch.cat([x for x, _ in data]))
    footprint = {name: value.numel() * value.element_size() for name, value in [*net.named_parameters(), *net.named_buffers()]}
    samples = torch.utils.data.TensorDataset(*(torch.cat(part) for part in zip(*data)))
    loader = torch.utils.data.DataLoader(samples, batch_size=BATCHES[0])  # the batches above
    benchmark = Benchmark(SNNTorchModel(net), loader, [], [lambda spikes: spikes.sum(1).argmax(-1)],
                          [[Footprint, ParameterCount, ConnectionSparsity], [ActivationSparsity, SynapticOperations, MembraneUpdates]])
    results = benchmark.run(quiet=True)
    record = {
        "source": {name: importlib.metadata.version(name) for name in ("neurobench", "snntorch", "torch")},
        "spec": "4C3p1-AP2-6C3p1-5", "steps": STEPS, "leak": BETA, "input": list(INPUT), "unit": UNIT, "rates": rates,
        "weights": [torch.round(UNIT * layer.weight).to(int).flatten().tolist() for layer in layers],
        "batches": [{"size": len(x), "spikes": "".join(str(int(v)) for v in x.transpose(0, 1).flatten())} for x, _ in data],
        "weight_bytes": sum(bytes for name, bytes in footprint.items() if name.endswith("weight")),
        "other_bytes": {name: bytes for name, bytes in footprint.items() if not name.endswith("weight")},
        "metrics": results,
    }
    with open(sys.argv[1], "w", encoding="ascii") as file:
        json.dump(record, file)
        file.write("\n")


if __name__ == "__main__":
    main()
