#!/usr/bin/env python3
"""An analog network of plain torch, trained, converted to spikes, and both measured: accuracy against the number of steps.

usage: from_an_ann.py [--data mnist] [--data-dir DIR] [--epochs 5] [--limit N] [--seed 1]
       --data glyphs needs no files; for mnist and fashion-mnist DIR (default: SPIKETRAIN_DATA) holds mnist/ and fashion-mnist/"""
import argparse

import spiketrain as st  # before torch
import torch
from torch import nn

STEPS = [2, 4, 8, 16, 32]


def ann(activation):
    return nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), activation(), nn.AvgPool2d(2),
                         nn.Conv2d(16, 32, 5, padding=2), nn.BatchNorm2d(32), activation(), nn.AvgPool2d(2),
                         nn.Flatten(), nn.Linear(32 * 49, 128), activation(), nn.Linear(128, 10))


def train(model, loader, epochs):
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for _ in range(epochs):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def open_split(options, split):
    sizes = {"limit": options.limit} if options.data != "glyphs" else {"train_size": options.limit or 5000}
    return getattr(st.datasets, options.data.replace("-", "_"))(split, root=options.data_dir, **(sizes if split == "train" else {}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist", choices=["mnist", "fashion-mnist", "glyphs"])
    parser.add_argument("--data-dir")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--limit", type=int, default=0, help="training samples; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    train_set, test_set = open_split(options, "train"), open_split(options, "test")
    batches = torch.utils.data.DataLoader(test_set, 500)
    samples = torch.stack([train_set[i][0] for i in range(min(500, len(train_set)))])
    print("| activation | ANN |" + "".join(f" T = {t} |" for t in STEPS))
    print("|---|---|" + "---|" * len(STEPS))
    for name, activation in (("ReLU", nn.ReLU), ("QCFS, 4 levels", lambda: st.convert.QCFS(4, lam=4.0)), ("QCFS, 8 levels", lambda: st.convert.QCFS(8, lam=4.0))):
        torch.manual_seed(options.seed)
        loader = torch.utils.data.DataLoader(train_set, 100, shuffle=True)
        model = train(ann(activation), loader, options.epochs)
        net, _ = st.from_torch(model, input_shape=(1, 28, 28), samples=samples)
        shares = st.convert.accuracy(net, batches, STEPS)
        cells = [st.convert.accuracy(model, batches), *(shares[t] for t in STEPS)]
        print(f"| {name} | " + " | ".join(f"{100 * c:.2f}" for c in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
