"""A trained network taken apart: integer weights for a server; neurons, scales and shapes for a client."""
import math

import torch

from .. import _C
from ..network import Network
from .linear import Linear


class Sender:
    """How real values become the whole numbers that are encrypted: round(x / step), cut to low ... high; it counts what it cut."""

    def __init__(self, step, low, high):
        self.step, self.low, self.high, self.cut = float(step), int(low), int(high), 0

    def __call__(self, x):
        q = torch.round(x.double() / self.step).long()
        cut = q.clamp(self.low, self.high)
        self.cut += int((q != cut).sum())
        return cut

    @classmethod
    def of(cls, bits, low, high):
        """With so many bits, for values that were seen between low and high; with a sign only if some are below 0."""
        levels = 2 ** bits - 1 if low >= 0 else 2 ** (bits - 1) - 1
        step = max(-low, high, 1e-30) / levels
        return cls(step, 0 if low >= 0 else -levels, levels)

    @classmethod
    def of_seen(cls, bits, values):
        """Whole numbers from 0 to 255, as spikes and counts are, are sent as they are; other values with so many bits."""
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high < 256 and bool((values == values.round()).all()):
            return cls(1, 0, max(1, high))
        return cls.of(bits, low, high)

    def __repr__(self):
        return f"{self.low} to {self.high}" + ("" if self.step == 1 else f" in steps of {self.step:.4g}")


class ClientLayer:
    """A layer without its weights.

    neurons: a Network of them alone.  scale: of a pre-activation in whole numbers.  crop: rows and columns of what comes before that the
    layer reads (None: all); input: (C, H, W) as the server reads it.  shape: of the layer's output.  send: Sender; None: the last layer."""

    def __init__(self, name, notation, neurons, scale, crop, input, shape, send):
        self.name, self.notation, self.neurons, self.scale = name, notation, neurons, scale
        self.crop, self.input, self.shape, self.send = crop, input, shape, send

    def view(self, values):
        """[T,B,*] -> [T,B,C,H,W]"""
        if self.crop is not None:
            values = values[..., :self.crop[0], :self.crop[1]]
        return values.reshape(*values.shape[:2], *self.input)

    def fire(self, current, state):
        """Pre-activations [T,B,*] in whole numbers -> output [T,B,*] float64, next state"""
        with torch.no_grad():
            if state is None:
                return self.neurons(current.double() * self.scale, return_state=True)
            return self.neurons(current.double() * self.scale, state, return_state=True)


class Split:
    """linears: the server's layers (Linear).  first, layers: the client's Sender and ClientLayers.  bits, value_bits: as asked for."""

    def __init__(self, linears, first, layers, bits, value_bits):
        self.linears, self.first, self.layers, self.bits, self.value_bits = linears, first, layers, bits, value_bits

    @property
    def plain_modulus(self):
        """The smallest plain modulus with which no input can make a result wrap around."""
        return max(linear.plain_modulus for linear in self.linears)

    @property
    def shapes(self):
        return [linear.shape for linear in self.linears]


class _Between:
    """What stands between two layers, all of it linear: windows that are summed, and a factor."""

    def __init__(self):
        self.window, self.factor = 1, 1.0


def _refuse(node, why):
    raise _C.UsageError(f"private: node {node['name']} ({node['token'] or node['stage']['name']}): {why}")


_WHY_NOT = {"pool": "maximum pooling is not linear; train with pool = \"avg\"",
            "psp_filter": "neurons such as psp_lif send filtered spikes; train with spikes themselves, as lif sends them"}


def _check(k, node):
    """UsageError unless node k reads the one before and is a layer that a server can evaluate, or a linear stage between layers."""
    stage = node["stage"]
    name = stage["name"]
    if len(node["inputs"]) > 1 or len(stage.get("connections", [])) > 1:
        _refuse(node, "it has a second input, as residual and recurrent layers have; train a chain of layers")
    if node["inputs"][0] != {"node": k - 1, "delay": 0}:
        _refuse(node, "it reads another node than the one before; train a chain of layers")
    if name == "layer":
        connection = stage["connections"][0]
        if connection["synapse"]["name"] not in ("conv2d", "linear"):
            _refuse(node, f"synapse {connection['synapse']['name']} cannot be evaluated; expected conv2d or linear")
        if "norm" in connection and connection["norm"]["name"] not in ("bn", "tdbn"):
            _refuse(node, f"norm {connection['norm']['name']} cannot be folded into weights; train with norm = \"bn\", \"tdbn\" or without one")
    elif name not in ("pool", "global_average", "scale", "dropout") or stage.get("kind") == "max":
        _refuse(node, _WHY_NOT.get(name, f"stage {name} cannot be evaluated; expected pool (sum or avg), global_average, scale or dropout"))


def _pass(node, between, shape):
    """Takes a stage that is no layer into what is between."""
    stage = node["stage"]
    name = stage["name"]
    if name == "pool":
        between.factor *= stage["scale"] if stage["kind"] == "sum" else stage["window"] ** -2
        between.window *= stage["window"]
    elif name == "global_average":
        if shape[1] != shape[2]:
            _refuse(node, f"expected square maps, got {shape[1]} x {shape[2]}")
        side = shape[1] // between.window
        between.factor /= side ** 2
        between.window *= side
    elif name == "scale":
        between.factor *= stage["factor"]


def _folded(node, tensors, weight):
    """Weight and bias with the norm's running statistics in them, float64."""
    connection = node["stage"]["connections"][0]
    name, weight = node["name"], weight.double()
    channel = (-1,) + (1,) * (weight.dim() - 1)
    bias = tensors.get(f"{name}.synapse.bias", weight.new_zeros(len(weight))).double().flatten()
    norm = connection.get("norm")
    if norm is None:
        return weight, bias
    gamma, beta, mean, var = (tensors[f"{name}.norm.{key}"].double() for key in ("weight", "bias", "running_mean", "running_var"))
    deviation = var.sqrt() + norm["eps"] if norm["eps_outside"] else (var + norm["eps"]).sqrt()
    factor = gamma / deviation * norm.get("scale", 1.0)
    return weight * factor.view(channel), bias * factor + beta - factor * mean


def _real(node, fact, tensors, between, below):
    """The layer's real weight [O,C,K,L] and bias [O], what Linear wants to know beside them, and how much of the maps below it reads."""
    synapse, window = node["stage"]["connections"][0]["synapse"], between.window
    weight, bias = _folded(node, tensors, fact["weight"])
    weight, shape = weight * between.factor, (below[0], *(n // window * window for n in below[1:]))
    crop = shape[1:] if shape != tuple(below) else None
    if synapse["name"] == "conv2d":
        return weight, bias, dict(input=shape, stride=synapse["stride"], padding=synapse["padding"], window=window), crop
    if window > 1:
        return weight.view(len(weight), shape[0], *(n // window for n in shape[1:])), bias, dict(input=shape, window=window), crop
    return weight.view(*weight.shape, 1, 1), bias, dict(input=(weight.shape[1], 1, 1)), crop


def _neurons(node, shape, tensors):
    """The layer's neurons alone, float64: their weights are ones (parameters, which say what type the network has)."""
    stage = {"name": "layer", "connections": [{"synapse": {"name": "one_to_one"}}], "neuron": node["stage"]["neuron"]}
    alone = {"name": "0", "token": node["token"], "unit": 0, "inputs": [{"node": -1, "delay": 0}], "stage": stage}
    net = Network.from_config({"input": list(shape), "nodes": [alone], "blocks": [1], "heads": []}).double()
    own = net.state_dict()
    before = f"{node['name']}.neuron."
    with torch.no_grad():
        own["0.synapse.weight"].fill_(1)
        for key, value in own.items():
            if key.startswith("0.neuron."):
                value.copy_(tensors[before + key[len("0.neuron."):]])
    return net.eval()


def _sender(node, fact, value_bits, seen):
    """Spikes and counts as they are; values of ReLUs with a ceiling by their ceiling and bits; others by what was seen."""
    if fact["levels"] > 0:
        return Sender(1, 0, fact["levels"])
    neuron = node["stage"]["neuron"]
    if neuron["name"] == "relu" and neuron["ceiling"] > 0:
        if neuron["bits"] > 0:
            return Sender(math.ldexp(neuron["ceiling"], -neuron["bits"]), 0, 2 ** neuron["bits"] - 1)
        return Sender.of(value_bits, 0.0, neuron["ceiling"])
    return Sender.of(value_bits, *seen)


def _bits(name, value):
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= 16:
        raise _C.UsageError(f"private: {name}: expected whole bits from 2 to 16, got {value!r}")
    return value


def _seen(network, x, steps):
    """{layer: (least, greatest) output} for samples x [T,B,*], or [1,B,*] with steps."""
    names = [n["name"] for n in network._core.nodes() if n["layer"] and n["head_of"] < 0]
    wanted, training = network._wanted, network.training
    network.eval().record(*(f"{name}.neuron.output" for name in names))
    try:
        with torch.no_grad():
            if len(x) == 1:
                network(x[0], steps=steps)
            else:
                network(x)
        return {name: (float(v.min()), float(v.max())) for name in names for v in [network.records[f"{name}.neuron.output"]]}
    finally:
        network._wanted = wanted
        network.train(training)


def split(network, x, *, steps=1, bits=6, value_bits=8):
    """Takes a network apart.

    x: encoded samples to see ranges on, [T,B,*], or [1,B,*] for the same at each of `steps` steps.
    bits: of weights, with their sign.  value_bits: of inputs and outputs of layers that are neither spikes nor counts.
    UsageError names the node that cannot be evaluated so: a chain of conv2d and linear layers with norms bn and tdbn, sum and average
    pooling, and neurons that send spikes, counts or real values can."""
    bits, value_bits = _bits("bits", bits), _bits("value_bits", value_bits)
    config, facts = network.config(), _C.layer_facts(network._core)
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    tensors = {key: value.detach() for key, value in tensors.items()}
    shapes = {n["name"]: n["shape"] for n in network._core.nodes()}
    nodes = config["nodes"]
    for k, node in enumerate(nodes):
        _check(k, node)
    seen = _seen(network, x, steps)
    places = [k for k, node in enumerate(nodes) if node["stage"]["name"] == "layer"]
    first = sender = Sender.of_seen(value_bits, x)
    linears, layers, between, below = [], [], _Between(), tuple(config["input"])
    for k, node in enumerate(nodes):
        if node["stage"]["name"] != "layer":
            _pass(node, between, below)
            continue
        fact, last = facts[node["name"]], k == places[-1]
        weight, bias, geometry, crop = _real(node, fact, tensors, between, below)
        if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            raise _C.NumericError(f"private: layer {node['name']} has weights that are not finite")
        step = max(float(weight.abs().max()), 1e-30) / (2 ** (bits - 1) - 1)
        scale = step * sender.step
        linears.append(Linear(torch.round(weight / step).long(), torch.round(bias / scale).long(), low=sender.low, high=sender.high, **geometry))
        out = shapes[node["name"]]
        sender = None if last else _sender(node, fact, value_bits, seen[node["name"]])
        layers.append(ClientLayer(node["name"], node["token"], _neurons(node, out, tensors), scale, crop, geometry["input"], tuple(out),
                                  sender))
        between, below = _Between(), out
    if not layers or places[-1] != len(nodes) - 1:
        raise _C.UsageError(f"private: network {network.notation} does not end in a layer")
    return Split(linears, first, layers, bits, value_bits)
