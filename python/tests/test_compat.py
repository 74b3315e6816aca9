"""Neurons under other frameworks' names: against what those frameworks computed (SPIKETRAIN_GOLDEN), and against themselves if installed."""
import os

import pytest
from conftest import require

import spiketrain as st
import torch


def layer(neuron, readout=None):
    """Neurons alone: an identity before them."""
    net = st.Network("4", input_shape=(4,), neuron=neuron, rule="bptt").double()
    with torch.no_grad():
        net.get_parameter("0.synapse.weight").copy_(torch.eye(4, dtype=torch.float64))
    return net


def currents(T=30):
    torch.manual_seed(4)
    return torch.rand(T, 2, 4, dtype=torch.float64) * 1.2


def steps(neuron_step, x, state):
    out = []
    for t in range(len(x)):
        s, state = neuron_step(x[t], state)
        out.append(s)
    return torch.stack(out)


def test_snntorch_leaky_by_its_equations():
    def leaky(I, mem):
        reset = (mem - 1 > 0).to(I.dtype)
        mem = 0.9 * mem + I - reset
        return (mem - 1 > 0).to(I.dtype), mem

    x = currents()
    out = layer(st.compat.snntorch.Leaky(beta=0.9))(x)
    assert torch.equal(out.detach(), steps(leaky, x, torch.zeros(2, 4, dtype=x.dtype))) and 0 < out.mean() < 1


def test_snntorch_synaptic_by_its_equations():
    def synaptic(I, z):
        syn, mem = z
        reset = (mem - 1 > 0).to(I.dtype)
        syn = 0.7 * syn + I
        mem = 0.8 * mem + syn - reset
        return (mem - 1 > 0).to(I.dtype), (syn, mem)

    x = currents()
    zero = torch.zeros(2, 4, dtype=x.dtype)
    out = layer(st.compat.snntorch.Synaptic(alpha=0.7, beta=0.8))(x)
    assert torch.equal(out.detach(), steps(synaptic, x, (zero, zero))) and 0 < out.mean() < 1


@pytest.mark.parametrize("v_reset", [0.0, -0.1, None])
def test_spikingjelly_lif_by_its_equations(v_reset):
    def lif(I, v):
        rest = 0.0 if v_reset is None else v_reset
        h = v + (I - (v - rest)) / 2.0
        s = (h - 0.5 >= 0).to(I.dtype)
        return s, (h - 0.5 * s if v_reset is None else (1 - s) * h + s * v_reset)

    x = currents()
    start = torch.full((2, 4), v_reset or 0.0, dtype=x.dtype)
    out = layer(st.compat.spikingjelly.LIFNode(tau=2.0, v_threshold=0.5, v_reset=v_reset))(x)
    assert torch.equal(out.detach(), steps(lif, x, start)) and 0 < out.mean() < 1


def test_norse_lif_box_by_its_equations():
    def lif(I, v):
        v = v + 0.001 * 100 * ((0.0 - v) + I)
        s = (v - 0.3 > 0).to(I.dtype)
        return s, v - s * v

    x = currents()
    out = layer(st.compat.norse.LIFBox(v_th=0.3))(x)
    assert torch.equal(out.detach(), steps(lif, x, torch.zeros(2, 4, dtype=x.dtype))) and 0 < out.mean() < 1


@pytest.mark.parametrize("name", ["IFNode", "ParametricLIFNode", "KLIFNode", "LIAFNode", "CUBALIFNode", "EIFNode", "QIFNode"])
def test_spikingjelly_names_make_networks(name):
    out = layer(getattr(st.compat.spikingjelly, name)())(currents())
    out.sum().backward()


def test_wrong_names():
    with pytest.raises(st.UsageError, match="reset_mechanism"):
        st.compat.snntorch.Leaky(0.9, reset_mechanism="soft")
    with pytest.raises(st.UsageError, match="did you mean 'atan'"):
        st.compat.snntorch.Leaky(0.9, surrogate="attan")
    with pytest.raises(TypeError):
        st.compat.snntorch.Leaky(beta=0.9, learn_beta=True)


def gradients(net, x, weights):
    x = x.clone().requires_grad_()
    out = net(x)
    (out * weights).sum().backward()
    return out.detach(), x.grad


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_against_snntorch_itself(reset):
    snn = require("snntorch")
    theirs = snn.Leaky(beta=0.9, reset_mechanism=reset)
    x, weights = currents(), torch.rand(30, 2, 4, dtype=torch.float64)
    out, g = gradients(layer(st.compat.snntorch.Leaky(0.9, reset_mechanism=reset)), x, weights)

    def run(x):
        mem, out = torch.zeros(2, 4, dtype=x.dtype), []
        for t in range(len(x)):
            s, mem = theirs(x[t], mem)
            out.append(s)
        return torch.stack(out)

    out2, g2 = gradients(run, x, weights)
    assert torch.equal(out, out2) and torch.allclose(g, g2, atol=1e-6)


def test_against_spikingjelly_itself():
    neuron = require("spikingjelly.activation_based.neuron")
    x, weights = currents(), torch.rand(30, 2, 4, dtype=torch.float64)
    for v_reset in (0.0, None):
        theirs = neuron.LIFNode(tau=2.0, v_threshold=0.5, v_reset=v_reset, step_mode="m")
        out, g = gradients(layer(st.compat.spikingjelly.LIFNode(tau=2.0, v_threshold=0.5, v_reset=v_reset)), x, weights)
        out2, g2 = gradients(theirs, x, weights)
        assert torch.equal(out, out2) and torch.allclose(g, g2, atol=1e-6)


def test_against_norse_itself():
    norse = require("norse.torch")
    theirs = norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.as_tensor(0.3)))
    x, weights = currents(), torch.rand(30, 2, 4, dtype=torch.float64)
    # Norse 1.1.0 takes no notice of alpha: its surrogate is that of alpha = 1.
    from norse.torch.functional.threshold import threshold

    probe = torch.tensor([0.5], requires_grad=True)
    threshold(probe, "super", 100.0).sum().backward()
    alpha = 1.0 if probe.grad.item() > 0.4 else 100.0
    out, g = gradients(layer(st.compat.norse.LIFBox(v_th=0.3, alpha=alpha)), x, weights)

    def run(x):
        state, out = None, []
        for t in range(len(x)):
            s, state = theirs(x[t], state)
            out.append(s)
        return torch.stack(out)

    out2, g2 = gradients(run, x, weights)
    assert torch.equal(out, out2) and torch.allclose(g, g2, atol=1e-6)


def test_norse_computes_with_an_alpha_of_one():
    for neuron, scale in ((st.compat.norse.LIF(), 1), (st.compat.norse.LIFBox(), 1), (st.compat.norse.LIFBox(alpha=100), 100)):
        assert neuron.options["surrogate"] == "fast_sigmoid" and neuron.options["surrogate_scale"] == scale
