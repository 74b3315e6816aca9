"""From an analog network (ANN) of torch to a spiking one, with the accuracy of both.

    net, notes = st.from_torch(ann, input_shape=(3, 32, 32), samples=x)       # thresholds balanced on samples
    st.convert.accuracy(net, loader, steps=32), st.convert.accuracy(ann, loader)

A ReLU becomes an integrate-and-fire neuron with soft reset whose rate over T steps is the activation, up to 1/T of the largest activation
of its layer.  For few steps train the ANN with ``st.convert.QCFS`` in place of ReLU (Bu et al. 2022, "Optimal ANN-SNN conversion for
high-accuracy and ultra-low-latency spiking neural networks"): the conversion is then exact in expectation at T = L steps."""
import copy

import torch
from torch import nn

from . import _C
from ._parts import _kinds
from .network import Network


class QCFS(nn.Module):
    """Clip and round to L levels of a learned maximum: h(x) = lam/L * clip(floor(x*L/lam + 1/2), 0, L), straight through the floor.

    Trains an ANN whose activations L steps of spikes can represent.  lam: the maximum, a learned parameter."""

    def __init__(self, levels=8, lam=8.0):
        super().__init__()
        if levels < 1 or lam <= 0:
            raise _C.UsageError(f"QCFS: expected levels >= 1 and lam > 0, got {levels} and {lam}")
        self.levels = levels
        self.lam = nn.Parameter(torch.tensor(float(lam)))

    def forward(self, x):
        scaled = torch.clamp(x / self.lam, 0, 1)
        rounded = torch.floor(scaled * self.levels + 0.5) / self.levels
        return (scaled + (rounded - scaled).detach()) * self.lam

    def extra_repr(self):
        return f"levels={self.levels}"


class _Layer:
    """A weighted layer on its way: weights with the norm folded in, the pooling before it, the activation behind it."""

    def __init__(self, name, module, pools):
        self.name, self.module, self.pools = name, module, pools
        self.weight = module.weight.detach().double().clone()
        bias = module.bias
        self.bias = torch.zeros(len(self.weight), dtype=torch.double) if bias is None else bias.detach().double().clone()
        self.activation = None

    def fold(self, norm):
        """y -> (y - mean) / sqrt(var + eps) * weight + bias"""
        scale = 1 / torch.sqrt(norm.running_var.double() + norm.eps)
        if norm.affine:
            scale = scale * norm.weight.detach().double()
        self.weight = self.weight * scale.view(-1, *[1] * (self.weight.dim() - 1))
        self.bias = (self.bias - norm.running_mean.double()) * scale + (norm.bias.detach().double() if norm.affine else 0)

    @property
    def notation(self):
        m = self.module
        if isinstance(m, nn.Linear):
            return str(m.out_features)
        stride = f"s{m.stride[0]}" if m.stride[0] != 1 else ""
        return f"{m.out_channels}C{m.kernel_size[0]}p{m.padding[0]}{stride}"


def _refuse(name, module, why):
    raise _C.UsageError(f"from_torch: layer '{name}' ({type(module).__name__}) {why}")


def _flat(model, prefix=""):
    """Leaves of a plain stack in their order; one that stands at two places comes twice."""
    if type(model) is not nn.Sequential:
        _refuse(prefix or "model", model, "is no torch.nn.Sequential, so what its forward does is not known; give a Sequential of plain layers")
    for name, module in model._modules.items():
        if isinstance(module, nn.Sequential):
            yield from _flat(module, f"{prefix}{name}.")
        elif any(True for _ in module.children()):
            _refuse(prefix + name, module, "holds other layers in a way that cannot be read; give a torch.nn.Sequential of plain layers")
        else:
            yield prefix + name, module


def _square(name, module, *values):
    for value in values:
        if isinstance(value, str):
            _refuse(name, module, f"has padding '{value}'; give it as a number")
        if isinstance(value, tuple) and len(set(value)) > 1:
            _refuse(name, module, f"is not square: {value}")


def _one(value):
    return value[0] if isinstance(value, tuple) else value


def _conv(name, m, pools):
    _square(name, m, m.kernel_size, m.stride, m.padding, m.dilation)
    if m.groups != 1 or _one(m.dilation) != 1 or m.padding_mode != "zeros":
        _refuse(name, m, "has groups, dilation or a padding mode, which no synapse here has")
    return _Layer(name, m, pools)


def _pool(name, m):
    kernel, stride = _one(m.kernel_size), _one(m.stride if m.stride is not None else m.kernel_size)
    _square(name, m, m.kernel_size, m.padding, m.stride)
    if m.divisor_override is not None:
        _refuse(name, m, "has a divisor_override")
    if stride != kernel or _one(m.padding) != 0 or m.ceil_mode:
        _refuse(name, m, "has windows that overlap, padding or ceil_mode; only whole windows side by side are converted")
    return kernel


def _read(model):
    """[(_Layer)] in order; what cannot be converted is refused by name."""
    layers, pools = [], []
    last = None
    for name, m in _flat(model):
        kind = type(m)  # exactly: what derives from a layer may do something else
        if kind is nn.Conv2d:
            last = _conv(name, m, pools)
        elif kind is nn.Linear:
            last = _Layer(name, m, pools)
        if kind in (nn.Conv2d, nn.Linear):
            if layers and layers[-1].activation is None:
                _refuse(name, m, "follows another weighted layer without a ReLU or QCFS between them")
            layers.append(last)
            pools = []
        elif kind in (nn.BatchNorm2d, nn.BatchNorm1d):
            if last is None or last.activation is not None or pools:
                _refuse(name, m, "must stand right behind a Conv2d or Linear to be folded into it")
            if m.running_var is None:
                _refuse(name, m, "keeps no running statistics")
            last.fold(m)
        elif kind in (nn.ReLU, QCFS):
            if last is None or last.activation is not None or pools:
                _refuse(name, m, "must stand behind a Conv2d or Linear")
            last.activation = m
        elif kind is nn.AvgPool2d:
            if last is not None and last.activation is None:
                _refuse(name, m, "must stand behind the activation")
            pools.append(_pool(name, m))
        elif kind in (nn.Flatten, nn.Dropout, nn.Dropout2d, nn.Identity):
            if kind is nn.Flatten and (m.start_dim, m.end_dim) != (1, -1):
                _refuse(name, m, "flattens some dimensions only")
        else:
            hint = "; use AvgPool2d, which is linear" if "MaxPool" in type(m).__name__ else ""
            _refuse(name, m, "cannot be converted" + hint)
    if not layers:
        raise _C.UsageError("from_torch: the module has no Conv2d or Linear layer")
    if layers[-1].activation is not None or pools:
        _refuse(layers[-1].name, layers[-1].module, "is the last one and must end the network, without activation or pooling behind it")
    return layers


def _spec(layers):
    tokens = []
    for layer in layers:
        tokens += [f"P{k}" for k in layer.pools] + [layer.notation]
    return "-".join(tokens)


@torch.no_grad()
def _greatest(model, layers, samples, percentile):
    """Of each activation, what it rarely exceeds on samples; of a QCFS its lam.  Runs the layers as they were read, and compares with what
    the module says."""
    found = {l.name: abs(l.activation.lam.item()) for l in layers if type(l.activation) is QCFS}
    if samples is None:
        return found
    x = samples.double()
    for layer in layers:
        for k in layer.pools:
            x = nn.functional.avg_pool2d(x, k)
        m = layer.module
        x = (nn.functional.linear(x.flatten(1), layer.weight, layer.bias) if type(m) is nn.Linear else
             nn.functional.conv2d(x, layer.weight, layer.bias, m.stride, m.padding))
        if layer.activation is not None:
            x = layer.activation.double()(x)
        if type(layer.activation) is nn.ReLU:
            flat = x.flatten()
            found[layer.name] = flat.kthvalue(max(1, round(flat.numel() * percentile / 100))).values.item()
    expected = model.double()(samples.double())
    if x.shape != expected.shape or not torch.allclose(x, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item()):
        raise _C.UsageError("from_torch: on the samples the module gives other values than its layers one after the other; hooks, or layers that "
                            "are called otherwise, cannot be converted")
    for name, value in found.items():
        if not value > 0:
            raise _C.UsageError(f"from_torch: the activation behind layer '{name}' is never positive on the samples; its neurons could not fire")
    return found


def from_torch(model, *, input_shape, samples=None, percentile=99.9, seed=1):
    """A plain stack of Conv2d, Linear, BatchNorm, ReLU or QCFS, AvgPool2d, Flatten and Dropout as a spiking Network.

    input_shape: of one sample.  samples [N,*]: of the training data, on which the thresholds are balanced: the greatest activation of a
    ReLU layer, its `percentile`, becomes one spike per step; not needed if all activations are QCFS.
    Neurons are integrate-and-fire with soft reset, and begin half way to the threshold; images are shown as they are at each step;
    the output integrates.  Returns (network, notes): notes say what was folded and every layer's greatest activation.
    UsageError names the layer that cannot be converted."""
    model = copy.deepcopy(model).cpu().float().eval()
    samples = samples if samples is None else samples.detach().cpu().float()
    layers = _read(model)
    if samples is None and any(type(l.activation) is nn.ReLU for l in layers):
        raise _C.UsageError("from_torch: give samples=x [N,*] of training data: the thresholds behind ReLU are balanced on them")
    if samples is not None and tuple(samples.shape[1:]) != tuple(input_shape):
        raise _C.UsageError(f"from_torch: expected samples [N, {', '.join(map(str, input_shape))}], got {tuple(samples.shape)}")
    greatest = _greatest(model, layers, samples, percentile)
    neurons = _kinds["neurons"]
    net = Network(_kinds["networks"].spec(spec=_spec(layers), pool="avg", bias=True), input_shape=input_shape,
                  output_shape=(layers[-1].module.weight.shape[0],), seed=seed, rule="bptt",
                  # Without leak v_rest is the membrane before the first step alone: half a threshold rounds to the nearest rate.
                  neuron=neurons.lif(leak=1.0, reset="soft_decayed", v_rest=0.5),
                  readout=neurons.leaky_readout(leak=1.0))
    notes = []
    weighted = [n["name"] for n in net._core.nodes() if n["layer"]]
    before = 1.0
    with torch.no_grad():
        state = dict(net.named_parameters())
        for name, layer in zip(weighted, layers):
            now = greatest.get(layer.name, 1.0)
            # A neuron's rate stands for activation / greatest: weights see rates of the layer below.
            state[f"{name}.synapse.weight"].copy_((layer.weight * before / now).view_as(state[f"{name}.synapse.weight"]))
            state[f"{name}.synapse.bias"].copy_(layer.bias.view_as(state[f"{name}.synapse.bias"]) / now)
            if layer.activation is not None:
                notes.append(f"{layer.name} -> {name}: greatest activation {now:.4g} is one spike per step")
            before = now
    return net.eval(), notes


@torch.no_grad()
def accuracy(model, batches, steps=None):
    """Share of right decisions over batches (x [B,*], y [B]); steps: of a Network, which shows each image for so many; a list of
    steps gives a dict of accuracies, from one pass of the longest."""
    several = list(steps) if isinstance(steps, (list, tuple, range)) else None
    longest = max(several) if several else steps
    right, total = {t: 0 for t in several or [longest]}, 0
    was_training = model.training
    model.eval()
    try:
        for x, y in batches:
            out = model(x, steps=longest) if isinstance(model, Network) else model(x)
            for t in right:
                # the readout integrates: its membrane at step t is the sum up to there
                decided = (out[t - 1] if isinstance(model, Network) else out).argmax(1)
                right[t] += (decided == y).sum().item()
            total += len(y)
    finally:
        model.train(was_training)
    if total == 0:
        raise _C.UsageError("accuracy: there are no batches")
    shares = {t: n / total for t, n in right.items()}
    return shares if several else shares[longest]
