"""Linear layers as products of polynomials: packing, arithmetic modulo X^n + 1 and t, and where results wrap around."""
import json
import os
import pathlib
import struct

import pytest
from conftest import ROOT

import spiketrain as st
import torch
from spiketrain.private import FixedPoint, Linear, Packing, Shape, centred
from spiketrain.private.ring import multiply, noise_bits

TYPES = {"I64": torch.int64, "F64": torch.float64}


def record(name):
    """A golden vector: its tensors, and the metadata under "about"."""
    places = [ROOT / "golden" / "related", pathlib.Path(os.environ.get("SPIKETRAIN_GOLDEN", ROOT / "none")) / "related"]
    file = next((p / f"{name}.safetensors" for p in places if (p / f"{name}.safetensors").exists()), None)
    if file is None:
        pytest.skip(f"the golden vector {name} is not there")
    data = file.read_bytes()
    size, = struct.unpack_from("<Q", data)
    head = json.loads(data[8:8 + size])
    found = {"about": head.pop("__metadata__")}
    for key, entry in head.items():
        begin, end = (8 + size + k for k in entry["data_offsets"])
        found[key] = torch.frombuffer(bytearray(data[begin:end]), dtype=TYPES[entry["dtype"]]).view(entry["shape"])
    return found


def by_hand(a, b, modulus):
    """The product modulo X^n + 1, term by term."""
    n, out = len(a), [0] * len(a)
    for i, x in enumerate(a.tolist()):
        for j, y in enumerate(b.tolist()):
            out[(i + j) % n] += x * y if i + j < n else -x * y
    return torch.tensor([v % modulus for v in out])


def product(x, weight, shape, degree, modulus=2 ** 30):
    """A layer through packed polynomials: x [N,C,H,W] -> [N,O,OH,OW] modulo the modulus, centred."""
    packing = Packing(shape, degree)
    answers = []
    for sample in packing.pack(x):
        rows = [sum(multiply(p, w, modulus) for p, w in zip(sample, row)) % modulus for row in packing.polynomials(weight)]
        answers.append(torch.stack(rows))
    return centred(packing.unpack(torch.stack(answers)), modulus)


def test_products_of_polynomials():
    for n, modulus in [(1, 5), (2, 7), (8, 17), (32, 97), (16, 2 ** 20)]:
        for _ in range(10):
            a, b = torch.randint(0, modulus, (n,)), torch.randint(-30, 31, (n,))
            assert torch.equal(multiply(a, b, modulus), by_hand(a, b, modulus))
    with pytest.raises(st.UsageError, match="more than 63 bits"):
        multiply(torch.zeros(1024, dtype=torch.int64), torch.full((1024,), 2 ** 20), 2 ** 40)


def test_residues():
    for modulus in (2, 7, 8, 1001):
        y = torch.arange(-3 * modulus, 3 * modulus + 1)
        r = centred(y, modulus)
        assert bool(((y - r) % modulus == 0).all()) and bool((2 * r > -modulus).all()) and bool((2 * r <= modulus).all())


@pytest.mark.parametrize("seed", range(40))
def test_a_packed_layer_is_the_layer(seed):
    """Random shapes, channels that need one ciphertext or several, strides and padding."""
    rand = torch.Generator().manual_seed(seed)

    def draw(low, high):
        return int(torch.randint(low, high + 1, (1,), generator=rand))

    kernel = (draw(1, 3), draw(1, 3))
    padding, stride, channels, out = draw(0, 1), draw(1, 2), draw(1, 7), draw(1, 9)
    input = (channels, draw(3, 5), draw(3, 5))
    weight = torch.randint(-9, 10, (out, channels, *kernel), generator=rand)
    x = torch.randint(-5, 6, (2, *input), generator=rand)
    layer = Linear(weight, torch.zeros(out), input=input, stride=stride, padding=padding, low=-5, high=5)
    assert torch.equal(product(x, weight, layer.shape, 64), layer(x))
    expected = torch.nn.functional.conv2d(x.double(), weight.double(), stride=stride, padding=padding).long()
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize("window,stride,padding", [(2, 1, 0), (2, 2, 1), (3, 1, 1), (4, 3, 0)])
def test_windows_are_part_of_the_kernel(window, stride, padding):
    """A layer behind sums over windows, by itself and as a packed kernel that reads what lies before them."""
    weight, x = torch.randint(-9, 10, (5, 3, 2, 2)), torch.randint(0, 2, (2, 3, 4 * window, 3 * window))
    layer = Linear(weight, torch.zeros(5), input=x.shape[1:], stride=stride, padding=padding, window=window)
    sums = x.view(2, 3, 4, window, 3, window).sum((3, 5))
    assert torch.equal(layer(x), torch.nn.functional.conv2d(sums.double(), weight.double(), stride=stride, padding=padding).long())
    assert torch.equal(product(x, layer.kernel, layer.shape, 512), layer(x))
    most = Linear(weight, torch.zeros(5), input=(3, 2 * window, 2 * window), window=window)
    up = torch.stack([(w > 0).long().repeat_interleave(window, 1).repeat_interleave(window, 2) for w in weight])
    assert int(most(up).max()) == most.range[1] and int(most(1 - up).min()) == most.range[0]
    with pytest.raises(st.UsageError, match="does not fit"):
        Linear(weight, torch.zeros(5), input=(3, 4 * window + 1, 3 * window), window=window)


@pytest.mark.parametrize("inputs,outputs", [(1, 1), (5, 3), (64, 2), (65, 70), (200, 100)])
def test_fully_connected(inputs, outputs):
    weight = torch.randint(-9, 10, (outputs, inputs, 1, 1))
    x = torch.randint(0, 2, (1, inputs, 1, 1))
    layer = Linear(weight, torch.arange(outputs), input=(inputs, 1, 1))
    assert torch.equal(product(x, weight, layer.shape, 64).flatten(), weight[:, :, 0, 0] @ x.flatten())
    assert torch.equal(layer(x).flatten(), weight[:, :, 0, 0] @ x.flatten() + torch.arange(outputs))


def test_few_ciphertexts():
    """784 inputs and 100 outputs: 2048 coefficients hold 38 products, so about twice their root, not 784 or 50 ciphertexts."""
    packing = Packing(Shape((784, 1, 1), (100, 1, 1), (1, 1), 1, 0), 2048)
    assert packing.inputs + 2 * packing.outputs <= 20
    with pytest.raises(st.UsageError, match="34 x 34 pixels does not fit 1024"):
        Packing(Shape((1, 32, 32), (1, 32, 32), (3, 3), 1, 1), 1024)


def test_bounds_hold_and_are_reached():
    for low, high in ((0, 1), (-3, 7)):
        weight, bias = torch.randint(-9, 10, (4, 3, 2, 2)), torch.randint(-20, 20, (4,))
        layer = Linear(weight, bias, input=(3, 2, 2), low=low, high=high)
        extreme = torch.stack([torch.where((w > 0) == up, high, low) for w in weight for up in (True, False)])
        y = layer(torch.cat([extreme, torch.randint(low, high + 1, (50, 3, 2, 2))]))
        assert layer.range == (int(y.min()), int(y.max()))
        t = layer.plain_modulus
        assert torch.equal(centred(y, t), y) and not torch.equal(centred(y, t - 1), y)
    with pytest.raises(st.UsageError, match="no longer exact"):
        Linear(torch.full((1, 4, 1, 1), 2 ** 52), torch.zeros(1), input=(4, 1, 1))
    with pytest.raises(st.UsageError, match="does not fit"):
        Linear(weight, bias, input=(2, 2, 2))
    with pytest.raises(st.UsageError, match="holds 0"):
        Linear(weight, bias, input=(3, 2, 2), low=1)


def cliff_layer(values, r):
    w = r["w"].view(1, 1, 1, -1)
    return Linear(w, torch.zeros(1), input=(1, 1, len(values)), low=0, high=max(1, int(values.max()))), values.view(1, 1, 1, -1)


def test_golden_cliff():
    """Residues of a correlation at six moduli, of values and of spikes; right below the cliff, wrong above it."""
    r = record("bfv_plain_modulus_cliff")
    for k, t in enumerate(r["t"].tolist()):
        for column, (name, exact) in enumerate([("x", "exact"), ("spikes", "exact_spikes")]):
            layer, x = cliff_layer(r[name], r)
            assert torch.equal(layer(x).flatten(), r[exact])
            numbers = FixedPoint([layer], t)
            y = numbers.ask(0, x).flatten()
            assert torch.equal(y, r["modular"][k] if name == "x" else centred(r[exact], t))
            assert torch.equal(product(x, layer.weight, layer.shape, 32, t).flatten(), y)
            assert bool(torch.equal(y, r[exact])) == bool(r["right"][k, column]) == (t >= numbers.plain_modulus)
            assert t < layer.plain_modulus or bool(r["right"][k, column])


def test_golden_toy():
    """Textbook BFV at n = 8: its sums and products are our polynomials modulo q, its plaintexts those modulo t; its noise keeps our bound."""
    r = record("bfv_toy_n8")
    q, t = int(r["about"]["q"]), int(r["about"]["t"])
    fresh = {k: (q // t * r[f"m{k}"] + r[f"e{k}"] - multiply(r[f"a{k}"], r["secret"], q)) % q for k in (1, 2)}
    assert torch.equal(fresh[1], r["c1_0"])
    assert torch.equal((fresh[1] + fresh[2]) % q, r["sum_0"]) and torch.equal((r["a1"] + r["a2"]) % q, r["sum_1"])
    for part in ("0", "1"):
        assert torch.equal(multiply(r[f"c1_{part}"], r["plain"], q), r[f"product_{part}"])
    assert torch.equal(multiply(r["m1"], r["plain"], t), r["decrypt_product"])
    assert torch.equal((r["m1"] + r["m2"]) % t, r["decrypt_sum"])
    phase = (r["product_0"] + multiply(r["product_1"], r["secret"], q)) % q
    assert torch.equal((2 * t * phase + q).div(2 * q, rounding_mode="floor") % t, r["decrypt_product"])
    norm = int(r["plain"].abs().sum())
    # The record scales by floor(q/t): what wraps around modulo t adds q mod t each time, which round(q m / t) does not.
    wrapped = norm * (t - 1) // t + 1
    assert float(r["noise"][2]) <= 2 ** noise_bits(norm, 0) + (q % t) * wrapped
