"""Runs of the library, taken apart and evaluated, in whole numbers or encrypted."""
import math
import time
import warnings

import torch

from .. import _C
from ..training import Run, _dir
from . import seal
from .packing import Packing
from .parties import Channel, Client, FixedPoint, Server
from .ring import SECURE_BITS, Parameters, PlainEvaluator, PlainKeys, noise_bits
from .split import split


def _in_place(run, of, answer, limit, data_dir, data, batch=0):
    return _C.evaluate_in_place(run.network._core, run.config, of, _dir(data_dir or run._data_dir), run._given(data), batch, limit, answer)


def split_run(run, *, bits=6, value_bits=8, samples=200, data_dir=None, data=None):
    """A Split of a run's network, with ranges seen on `samples` of its training samples.  See split()."""
    if not isinstance(run, Run):
        raise _C.UsageError(f"private: expected a Run, from train() or load(), got {type(run).__name__}")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise _C.UsageError(f"private: expected at least one sample to see ranges on, got {samples!r}")
    seen = []

    def look(x, steps):
        seen.append((x, steps))
        return torch.zeros(steps, x.shape[1], *run.network.output_shape)

    _in_place(run, "train", look, samples, data_dir, data)
    return split(run.network, torch.cat([x for x, _ in seen], 1), steps=seen[0][1], bits=bits, value_bits=value_bits)


def packed(parts, degree):
    """The Packing of each of a Split's layers.  UsageError if one does not fit the ring degree."""
    return [Packing(shape, degree) for shape in parts.shapes]


def norms(parts, packings):
    """Of each layer, the largest sum of sizes of the weights in an answer."""
    return [int(p.polynomials(linear.kernel).abs().flatten(1).sum(1).max()) for p, linear in zip(packings, parts.linears)]


def spare_bits(parts, parameters):
    """Of each layer, bits by which the coefficient modulus exceeds what noise and values need at most; below 0: decryption may fail."""
    room = seal.data_bits(parameters) - 1 - math.log2(parameters.plain_modulus)
    return [room - noise_bits(norm, parameters.ring_degree) for norm in norms(parts, packed(parts, parameters.ring_degree))]


def choose(parts, *, plain_modulus=None, ring_degree=None, coefficient_bits=(), overflow="refuse"):
    """Parameters for a Split: by default the smallest plain modulus with which nothing wraps around, and the smallest ring degree at 128
    bits of security whose noise bound leaves every layer room.

    overflow: what to do with a plain modulus with which results could wrap around: "refuse" it, or "warn" and take it.
    UsageError for what is refused, with the number that would do."""
    if overflow not in ("refuse", "warn"):
        raise _C.UsageError(f"private: overflow: expected refuse or warn, got {overflow!r}")
    enough = parts.plain_modulus
    modulus = enough if plain_modulus is None else plain_modulus
    if modulus < enough:
        text = f"private: with plain modulus {modulus} results can wrap around; from {enough} on none can"
        if overflow == "refuse":
            raise _C.UsageError(f"{text} (overflow = warn takes it all the same)")
        warnings.warn(text, stacklevel=2)
    seal.library()
    if coefficient_bits and ring_degree is None:
        raise _C.UsageError("private: coefficient bits belong to a ring degree; give both")
    why = ""
    for degree in SECURE_BITS if ring_degree is None else [ring_degree]:
        parameters = Parameters(degree, modulus, coefficient_bits)
        try:
            spare = spare_bits(parts, parameters)
        except _C.UsageError as error:
            why = str(error)
            continue
        if min(spare) > 0:
            return parameters
        why = f"private: ring degree {degree} lacks {-min(spare):.1f} bits for the noise of layer {spare.index(min(spare))} with plain modulus {modulus}"
    raise _C.UsageError(f"{why}; give fewer bits for weights and values, or a larger ring degree")


class Encrypted:
    """Client and server of a Split, with a channel between them.

    parameters: as choose() gives them.  library: "seal", or "plain", which hides nothing.  window: see Client.  The two objects share
    nothing but `channel`: `server.answer` may as well run elsewhere."""

    def __init__(self, parts, parameters, *, library="seal", window=0):
        if library not in ("seal", "plain"):
            raise _C.UsageError(f"private: library: expected seal or plain, got {library!r}")
        if isinstance(window, bool) or not isinstance(window, int) or window < 0:
            raise _C.UsageError(f"private: window: expected steps asked together, 0 for all, got {window!r}")
        keys, evaluator = (seal.SealKeys, seal.SealEvaluator) if library == "seal" else (PlainKeys, PlainEvaluator)
        begin = time.perf_counter()
        self.parameters = parameters
        self.server = Server(parts.linears, evaluator(parameters))
        self.channel = Channel(keys(parameters), parts.shapes, self.server.answer)
        self.client = Client(parts.first, parts.layers, window)
        self.setup_seconds = time.perf_counter() - begin

    def __call__(self, x, steps, seen=None):
        """x [T,B,*] encoded, or [1,B,*] for the same at each step -> output [T,B,*out] float64"""
        return self.client(x, steps, self.channel.ask, seen)


class Fixed:
    """The network of a Split in whole numbers, without encryption; modulus None: exact, else modulo t.  `numbers` holds its ranges."""

    def __init__(self, parts, modulus=None):
        self.numbers = FixedPoint(parts.linears, modulus)
        self.client = Client(parts.first, parts.layers)

    def __call__(self, x, steps, seen=None):
        """As Encrypted."""
        return self.client(x, steps, self.numbers.ask, seen)


def evaluate(run, answer, split="test", *, limit=0, data_dir=None, data=None, batch=0):
    """Metrics and predictions with `answer` (Encrypted, Fixed, or a function (x, steps) like theirs) in the place of a run's network, with the recipe's
    encoder, objective and metrics: a dict of the metrics, `samples`, `targets` and `outputs`.

    limit: only so many samples, at equal distances; 0: all.  UsageError where the recipe's predictions leave out steps."""
    return _in_place(run, split, answer, limit, data_dir, data, batch)


class Compared:
    """`answer` and others side by side, on the same samples: how many of the values that each layer sends are not equal.

    values, spikes: of all layers but the last, in all; spikes counts those that are not 0.  different: {name: values that differ}.
    outputs_different: {name: outputs of the last layer}."""

    def __init__(self, answer, others):
        self.answer, self.others = answer, others
        self.values = self.spikes = 0
        self.different = dict.fromkeys(others, 0)
        self.outputs_different = dict.fromkeys(others, 0)
        self.samples, self.seconds = 0, 0.0

    def __call__(self, x, steps):
        mine = {}
        begin = time.perf_counter()
        out = self.answer(x, steps, lambda k, values: mine.setdefault(k, []).append(values))
        self.seconds += time.perf_counter() - begin
        self.samples += x.shape[1]
        mine = {k: torch.cat(parts) for k, parts in mine.items()}
        last = max(mine)
        self.values += sum(mine[k].numel() for k in mine if k != last)
        self.spikes += sum(int((mine[k] != 0).sum()) for k in mine if k != last)
        for name, other in self.others.items():
            theirs = {}
            other(x, steps, lambda k, values: theirs.setdefault(k, []).append(values))
            for k in mine:
                count = int((mine[k] != torch.cat(theirs[k])).sum())
                target = self.outputs_different if k == last else self.different
                target[name] += count
        return out
