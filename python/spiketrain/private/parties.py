"""Client and server.  The client holds the key, the neurons and the scales, and no weight; the server holds weights and no key.

What passes between them is bytes: a greeting once (the public key), then for each layer a question (the encrypted inputs of all
samples and steps that are asked at once) and an answer (the encrypted pre-activations)."""
import secrets
import struct
import time

import torch

from .. import _C
from .linear import centred
from .packing import Packing

_MAGIC = b"stpr"
_HEAD = struct.Struct("<4sHII")  # magic, layer, groups (one sample at one step each), ciphertexts of a group
_GREETING = 0xFFFF


def _write(layer, groups):
    """[groups][ciphertexts] bytes -> a message"""
    parts = [_HEAD.pack(_MAGIC, layer, len(groups), len(groups[0]))]
    for item in (item for group in groups for item in group):
        parts += [struct.pack("<I", len(item)), item]
    return b"".join(parts)


def _bad(offset, text):
    error = _C.DataError(f"private: message, byte {offset}: {text}")
    error.path, error.byte_offset = "message", offset
    return error


def _read(message, layer, each):
    """The groups of a message about this layer with `each` ciphertexts a group.  DataError if it is damaged."""
    if len(message) < _HEAD.size:
        raise _bad(0, f"expected at least {_HEAD.size} bytes, got {len(message)}")
    magic, found, groups, size = _HEAD.unpack_from(message)
    if magic != _MAGIC or found != layer or size != each or groups == 0:
        raise _bad(0, f"expected {each} ciphertexts a group of layer {layer}, got {magic!r}, layer {found}, {groups} groups of {size}")
    items, at = [], _HEAD.size
    while at < len(message):
        length = struct.unpack_from("<I", message, at)[0] if at + 4 <= len(message) else len(message)
        if at + 4 + length > len(message):
            raise _bad(at, f"a ciphertext of {length} bytes goes beyond the end at {len(message)}")
        items.append((at, message[at + 4:at + 4 + length]))
        at += 4 + length
    if len(items) != groups * size:
        raise _bad(at, f"expected {groups * size} ciphertexts, got {len(items)}")
    return [items[k:k + size] for k in range(0, len(items), size)]


def _layer_of(message):
    if len(message) < _HEAD.size:
        raise _bad(0, f"expected at least {_HEAD.size} bytes, got {len(message)}")
    return _HEAD.unpack_from(message)[1]


def _loaded(group, load):
    """Each of a group's bytes through `load`.  DataError with the place of what it refuses."""
    made = []
    for at, data in group:
        try:
            made.append(load(data))
        except ValueError as error:
            raise _bad(at, str(error)) from None
    return made


class Server:
    """Holds the weights, answers questions about encrypted inputs, and has no secret key.

    layers: Linear, in order.  evaluator: SealEvaluator or PlainEvaluator.  What the client does not need of an answer is hidden behind
    random numbers: it decrypts pre-activations, no partial sums."""

    def __init__(self, layers, evaluator):
        self.evaluator, self._greeted = evaluator, False
        self._packings = [Packing(layer.shape, evaluator.parameters.ring_degree) for layer in layers]
        self._weights = [[[evaluator.weights(poly) for poly in row] for row in packing.polynomials(layer.kernel)]
                         for layer, packing in zip(layers, self._packings)]
        self._bias = [layer.bias.view(-1, 1, 1) for layer in layers]

    def answer(self, message):
        """bytes -> bytes; empty for a greeting.  DataError for a damaged message, UsageError for one out of turn."""
        layer = _layer_of(message)
        if layer == _GREETING:
            _loaded(_read(message, _GREETING, 1)[0], self.evaluator.take)
            self._greeted = True
            return b""
        if not self._greeted:
            raise _C.UsageError("private: a server answers after a greeting, which a Channel sends when it is made")
        if layer >= len(self._weights):
            raise _bad(0, f"expected a layer below {len(self._weights)}, got {layer}")
        groups = _read(message, layer, self._packings[layer].inputs)
        return _write(layer, [self._answer(layer, _loaded(group, self.evaluator.load)) for group in groups])

    def _answer(self, layer, inputs):
        mask = self._mask(layer)
        return [self.evaluator.combine(inputs, row, mask[k]) for k, row in enumerate(self._weights[layer])]

    def _mask(self, layer):
        """[outputs,degree]: the bias where an output lies, else a random residue (to 2^-63 t of uniform)."""
        packing, modulus = self._packings[layer], self.evaluator.parameters.plain_modulus
        count = packing.outputs * packing.degree
        random = torch.frombuffer(bytearray(secrets.token_bytes(8 * count)), dtype=torch.int64)
        mask = torch.bitwise_and(random, 2 ** 63 - 1).remainder(modulus)
        mask[packing.places()] = self._bias[layer].expand(packing.shape.output).clone()
        return mask.view(packing.outputs, packing.degree)


class Channel:
    """What a client says to a server, encrypted; how many bytes and rounds it took, and seconds until answers came.

    keys: SealKeys or PlainKeys.  shapes: of the server's layers.  send: the server's answer(bytes) -> bytes, wherever it runs."""

    def __init__(self, keys, shapes, send):
        self.keys, self._send = keys, send
        self._packings = [Packing(shape, keys.parameters.ring_degree) for shape in shapes]
        self.bytes_up = self.bytes_down = self.rounds = 0
        self.seconds = 0.0
        self.budgets = [float("inf")] * len(shapes)  #: smallest noise budget of each layer's answers, in bits
        greeting = _write(_GREETING, [[keys.public()]])
        self.greeting_bytes = len(greeting)  #: once, not in bytes_up
        send(greeting)

    def ask(self, layer, x):
        """x [N,C,H,W] int64 -> y [N,O,OH,OW] int64 in (-t/2, t/2].  NumericError if the noise has eaten the values."""
        packing, modulus = self._packings[layer], self.keys.parameters.plain_modulus
        question = _write(layer, [[self.keys.encrypt(poly) for poly in sample] for sample in packing.pack(x)])
        begin = time.perf_counter()
        answer = self._send(question)
        self.seconds += time.perf_counter() - begin
        self.bytes_up, self.bytes_down, self.rounds = self.bytes_up + len(question), self.bytes_down + len(answer), self.rounds + 1
        groups = _read(answer, layer, packing.outputs)
        if len(groups) != len(x):
            raise _bad(0, f"expected answers to {len(x)} inputs, got {len(groups)}")
        return centred(packing.unpack(torch.stack([self._values(layer, group) for group in groups])), modulus)

    def _values(self, layer, group):
        found = _loaded(group, self.keys.decrypt)
        self.budgets[layer] = min([self.budgets[layer], *(budget for _, budget in found)])
        if self.budgets[layer] <= 0:
            raise _C.NumericError(f"private: layer {layer}: the noise is as large as the values; give a larger ring degree")
        return torch.stack([values for values, _ in found])


class FixedPoint:
    """The same numbers without encryption, of whole batches: exact (modulus None), or modulo t as an encrypted network computes them.

    lowest, highest: of each layer's exact results so far."""

    def __init__(self, layers, modulus=None):
        self.layers, self.modulus = layers, modulus
        self.lowest, self.highest = [0] * len(layers), [0] * len(layers)

    def ask(self, layer, x):
        """x [N,C,H,W] int64 -> y [N,O,OH,OW] int64"""
        y = self.layers[layer](x)
        self.lowest[layer], self.highest[layer] = min(self.lowest[layer], int(y.min())), max(self.highest[layer], int(y.max()))
        return y if self.modulus is None else centred(y, self.modulus)

    @property
    def plain_modulus(self):
        """The smallest t with which no result so far would have wrapped around."""
        return max(2, 2 * max(self.highest), 2 * -min(self.lowest) + 1)


class Client:
    """Computes neurons, step by step or all steps at once, and asks for what lies between them.

    layers: ClientLayer, in order; first: the Sender of the encoder's values.  window: steps that are asked together (0: all of them, one
    round for each layer; 1: as a stream, a round for each layer and step)."""

    def __init__(self, first, layers, window=0):
        self.first, self.layers, self.window = first, layers, window

    def __call__(self, x, steps, ask, seen=None):
        """x [T,B,*] float, or [1,B,*] for the same at every step -> output [T,B,*out] float64.

        ask(layer, x [N,C,H,W]) -> y [N,O,OH,OW].  seen(layer, values [T,B,*]): told what each layer sends, in whole numbers, and the last
        one's output."""
        states, parts = [None] * len(self.layers), []
        window = self.window or steps
        held = None  # the first layer's answer to an input that stays
        for begin in range(0, steps, window):
            now = min(window, steps - begin)
            values, out = self.first(x if len(x) == 1 else x[begin:begin + now]), None
            for k, layer in enumerate(self.layers):
                if k == 0 and len(x) == 1 and steps > 1:
                    held = self._ask(ask, 0, values) if held is None else held
                    current = held.expand(now, *held.shape[1:])
                else:
                    current = self._ask(ask, k, values)
                out, states[k] = layer.fire(current, states[k])
                values = layer.send(out) if layer.send else None
                if seen is not None:
                    seen(k, out if values is None else values)
            parts.append(out)
        return torch.cat(parts)

    def _ask(self, ask, k, values):
        layer = self.layers[k]
        y = ask(k, layer.view(values).flatten(0, 1))
        return y.reshape(*values.shape[:2], *layer.shape)
