#!/usr/bin/env python3
"""The first tutorials of snnTorch, SpikingJelly and Norse beside the recipes of recipes/peers: test accuracy and time of both, for docs/peers.md.

Needs the peers (as in tools/pypi_check.sh) and MNIST.
Usage: PYTHON tools/peer_tutorials.py --cli build/dev/bin/spiketrain --data-dir DIR [--only snntorch] [--seeds 2]
"""
import argparse
import gzip
import json
import pathlib
import subprocess
import tempfile
import time

import numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent


def mnist(folder, part):
    """Pixels [N,1,28,28] from 0 to 1, and labels."""
    def read(name, skip):
        for path in (folder / "mnist" / name, folder / "mnist" / f"{name}.gz"):
            if path.exists():
                opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
                with opened as file:
                    return numpy.frombuffer(file.read(), numpy.uint8)[skip:]
        raise SystemExit(f"no {name} in {folder / 'mnist'}")
    x = torch.from_numpy(read(f"{part}-images-idx3-ubyte", 16).copy()).view(-1, 1, 28, 28).float() / 255
    return x, torch.from_numpy(read(f"{part}-labels-idx1-ubyte", 8).copy()).long()


def batches(x, y, size, shuffle):
    order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
    stop = len(x) // size * size if shuffle else len(x)  # drop_last in training
    for i in range(0, stop, size):
        k = order[i:i + size]
        yield x[k], y[k]


def snntorch(train, test):
    import snntorch as snn

    steps = 25
    fc1, fc2 = torch.nn.Linear(784, 1000), torch.nn.Linear(1000, 10)
    lif1, lif2 = snn.Leaky(beta=0.95), snn.Leaky(beta=0.95)
    parameters = [*fc1.parameters(), *fc2.parameters()]

    def forward(x):
        mem1, mem2, spikes, membranes = lif1.init_leaky(), lif2.init_leaky(), [], []
        for _ in range(steps):
            spk1, mem1 = lif1(fc1(x.flatten(1)), mem1)
            spk2, mem2 = lif2(fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)

    loss = torch.nn.CrossEntropyLoss()
    run_epochs(1, train, 128, torch.optim.Adam(parameters, lr=5e-4), lambda x, y: sum(loss(m, y) for m in forward(x)[1]))
    return accuracy(test, lambda x: forward(x)[0].sum(0))


def spikingjelly(train, test):
    from spikingjelly.activation_based import encoding, functional, layer, neuron, surrogate

    net = torch.nn.Sequential(layer.Flatten(), layer.Linear(784, 10, bias=False),
                              neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()))
    encoder = encoding.PoissonEncoder()

    def rate(x):
        total = 0
        for _ in range(100):
            total = total + net(encoder(x))
        functional.reset_net(net)
        return total / 100

    def loss(x, y):
        return torch.nn.functional.mse_loss(rate(x), torch.nn.functional.one_hot(y, 10).float())

    run_epochs(3, train, 64, torch.optim.Adam(net.parameters(), lr=1e-3), loss)
    return accuracy(test, rate)


def norse(train, test):
    import norse.torch as norse

    steps = 32
    encoder = norse.ConstantCurrentLIFEncoder(steps)
    p = norse.LIFParameters(v_th=torch.as_tensor(0.5), alpha=100, method="super")
    fc1, lif, fc2, li = torch.nn.Linear(784, 100, bias=False), norse.LIFCell(p=p), torch.nn.Linear(100, 10, bias=False), norse.LICell()

    def voltage(x):
        spikes, s1, s2, voltages = encoder(((x - 0.1307) / 0.3081).flatten(1)), None, None, []
        for t in range(steps):
            z, s1 = lif(fc1(spikes[t]), s1)
            v, s2 = li(fc2(z), s2)
            voltages.append(v)
        return torch.stack(voltages).max(0).values

    def loss(x, y):
        return torch.nn.functional.nll_loss(torch.log_softmax(voltage(x), 1), y)

    run_epochs(1, train, 256, torch.optim.Adam([*fc1.parameters(), *fc2.parameters()], lr=2e-3), loss)
    return accuracy(test, voltage)


def run_epochs(epochs, data, size, optimizer, loss_of):
    for _ in range(epochs):
        for x, y in batches(*data, size, True):
            optimizer.zero_grad()
            loss_of(x, y).backward()
            optimizer.step()


@torch.no_grad()
def accuracy(data, output):
    right = sum((output(x).argmax(1) == y).sum().item() for x, y in batches(*data, 256, False))
    return right / len(data[0])


def ours(cli, recipe, data_dir, seed):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        begin = time.time()
        subprocess.run([cli, "train", str(ROOT / "recipes" / "peers" / recipe), "--data-dir", str(data_dir), "--out", str(out),
                        "--set", f"seed={seed}"], check=True, stdout=subprocess.DEVNULL)
        return json.loads((out / "summary.json").read_text())["last_test_accuracy"], time.time() - begin


TUTORIALS = {"snntorch": (snntorch, "snntorch-tutorial-5.toml"), "spikingjelly": (spikingjelly, "spikingjelly-lif-fc-mnist.toml"),
             "norse": (norse, "norse-mnist.toml")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", required=True)
    parser.add_argument("--data-dir", required=True, type=pathlib.Path)
    parser.add_argument("--only", choices=TUTORIALS, action="append")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    train, test = mnist(given.data_dir, "train"), mnist(given.data_dir, "t10k")
    print("| tutorial | seed | there: test accuracy | seconds | here: test accuracy | seconds |\n|---|---|---|---|---|---|", flush=True)
    for name in given.only or TUTORIALS:
        theirs, recipe = TUTORIALS[name]
        for seed in range(1, given.seeds + 1):
            torch.manual_seed(seed)
            begin = time.time()
            there = theirs(train, test)
            seconds = time.time() - begin
            here, own = ours(given.cli, recipe, given.data_dir, seed)
            print(f"| {name} | {seed} | {100 * there:.2f} | {seconds:.0f} | {100 * here:.2f} | {own:.0f} |", flush=True)


if __name__ == "__main__":
    main()
