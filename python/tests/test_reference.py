"""Every neuron and rule through Python against its definition in plain torch, float64: outputs, loss and gradients to 1e-12."""
import pytest

import spiketrain as st
import torch
from torch.nn import functional as F

T, B, IN, HIDDEN, OUT = 7, 3, 5, 6, 3
D = torch.float64


class Surrogate(torch.autograd.Function):
    """1 where x >= 0 (or > 0); backward by a derivative."""

    @staticmethod
    def forward(ctx, x, derivative, strict):
        ctx.save_for_backward(x)
        ctx.derivative = derivative
        return ((x > 0) if strict else (x >= 0)).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.derivative(ctx.saved_tensors[0]), None, None


def atan(x, a=2.0):
    return a / 2 / (1 + (torch.pi / 2 * a * x) ** 2)


def triangle(x, a=0.3):
    return a * torch.clamp(1 - x.abs(), min=0)


def fire(x, derivative=atan, strict=False):
    return Surrogate.apply(x, derivative, strict)


def default(name, option):
    return {o["name"]: o["default"] for o in st.neurons[name].options}[option]


# Each: (state before the first step as factors of ones, step(I, state, p) -> output, next state); threshold 1, soft reset with leak.
def lif(I, z, p):
    u = 0.8 * z[0] + I
    s = fire(u - 1)
    return s, [u - s]


def lif_hard(I, z, p):
    u = 0.8 * z[0] + 0.2 * I + 0.2 * 0.1
    s = fire(u - 0.7, strict=True)
    return s, [u * (1 - s) - 0.2 * s]


def integrate(I, z, p):
    u = z[0] + I
    s = fire(u - 1)
    return s, [u - s]


def cuba(I, z, p):
    i = 0.6 * z[0] + I
    u = 0.8 * z[1] + i
    s = fire(u - 1)
    return s, [i, u - s]


def alif(I, z, p):
    u = z[0] + I
    s = fire(u - 1 - 0.1 * z[1], triangle)
    return s, [0.9 * u - s, 0.99 * z[1] + s]


def klif(I, z, p):
    u = torch.relu(p["k"] * (0.5 * z[0] + I))
    s = fire(u - 1)
    return s, [u - s]


def liaf(I, z, p):
    u = 0.5 * z[0] + I
    s = fire(u - 1)
    return torch.relu(u), [u - s]


def membrane(I, z, p):
    u = 0.8 * z[0] + I
    return u, [u - fire(u - 1)]


def eif(I, z, p):
    v = z[0]
    u = v + (I - v + 0.2 * torch.exp((v - 0.8) / 0.2)) / 2
    s = fire(u - 1)
    return s, [u * (1 - s) - 0.1 * s]


def qif(I, z, p):
    v = z[0]
    u = v + (I + default("qif", "a0") * v * (v - default("qif", "v_c"))) / 2
    s = fire(u - 1)
    return s, [u * (1 - s) - 0.1 * s]


def psp_lif(I, z, p):
    m, a = z

    def slope(x):
        f = torch.exp(torch.clamp(-x / default("psp_lif", "surrogate_width"), -8, 8))
        return f / (default("psp_lif", "surrogate_width") * (1 + f) ** 2)

    u = m + I - m / 5
    s = fire(u - 1, slope, strict=True)
    a = a + (s - a) / 3
    return a, [u * (1 - s), a]


def srm0(I, z, p):
    u = I + z[0]
    s = fire(u, lambda x: 1 / (1 + 10 * x.abs()) ** 2, strict=True)
    return s, [0.65 * z[0] - 0.35 * s.detach()]


def mlf(I, z, p):
    u = [0.25 * v + I for v in z]
    s = [fire(x - threshold, lambda x: (x.abs() < 0.5).to(D), strict=True) for x, threshold in zip(u, (0.6, 1.6, 2.6))]
    return s[0] + s[1] + s[2], [x * (1 - y) for x, y in zip(u, s)]


def readout(I, z, p):
    u = 0.9 * z[0] + I
    return u, [u]


def cuba_readout(I, z, p):
    i = 0.6 * z[0] + I
    u = 0.8 * z[1] + i
    return u, [i, u]


def sliding(I, z, p):
    x = [I, *z]
    return fire(sum(p["weight"][i] * x[2 * (2 - i)] for i in range(3)) + p["bias"]), x[:-1]


def channelwise(I, z, p):
    x = [I, *z]
    return fire(sum(p["weight"][:, i] * x[2 * (2 - i)] for i in range(3)) + p["bias"]), x[:-1]


def masked(I, z, p):
    x, t = [I, *z[:-1]], int(z[-1][0, 0])
    h = sum(p["weight"][t, t - lag] * x[lag] for lag in range(3) if lag <= t) + p["bias"][t]
    return fire(h), [*x[:-1], z[-1] + 1]


def psn(I, p):
    return fire(torch.einsum("tj,jbn->tbn", p["weight"], I) + p["bias"][:, None, None])


psn.whole = True

def phase_weight(n):
    return 0.5 ** (1 + n.detach() % 8)


def phase_if(I, z, p):
    w = phase_weight(z[1])
    v = z[0] + w * I
    s = fire(v / w - 1)
    return s, [v - s * w, z[1] + 1]


def phase_readout(I, z, p):
    return 8 * phase_weight(z[0]) * I, [z[0] + 1]


def relu(I, z, p):
    return torch.relu(I), z


def digits(alpha):
    """Weights of the phases where a period is the sequence."""
    return alpha * 0.5 ** torch.arange(1, T + 1, dtype=D)


def few_spikes(I, p):
    v, out = torch.einsum("t,tbn->bn", digits(1), I), []
    for weight in digits(1):
        w = (v - weight) / (v.abs() + 1)
        s = (w > 0).to(D) + (w - w.detach()) * (1 - w.detach().abs()).clamp(min=0)
        out.append(s)
        v = v - s * weight
    return torch.stack(out)


def few_spikes_readout(I, z, p):
    return T * digits(1)[z[0][0, 0].long()] * I, [z[0] + 1]


def shrunk(z, threshold):
    re, im = z.chunk(2, 1)
    gain = torch.relu(1 - threshold / torch.sqrt(re ** 2 + im ** 2))
    return torch.cat([re * gain, im * gain], 1)


def complex_shrink(I, z, p):
    return shrunk(I, p["threshold"]), z


def complex_few_spikes(I, p):
    w = digits(2)
    v = shrunk(torch.einsum("t,tbn->bn", w, I[:, :, :I.shape[2] // 2]), p["threshold"])
    m = torch.cat([v, -v], 1)
    rest, out = m.detach(), []
    for weight in w:
        s = (rest >= weight).to(D)
        way_back = m * ((m.detach() >= 0) * (m.detach() <= 2) * weight / (w ** 2).sum())
        out.append(s + way_back - way_back.detach())
        rest = rest - s * weight
    return torch.stack(out)


def complex_few_spikes_readout(I, p):
    return shrunk(torch.einsum("t,tbn->bn", digits(2), I), p["threshold"]).expand(T, -1, -1)


few_spikes.whole = complex_few_spikes.whole = complex_few_spikes_readout.whole = True

def count_relu(I, p):
    sent = torch.relu(I.sum(0, keepdim=True))
    return torch.cat([sent, torch.zeros_like(I[1:])])


count_relu.whole = True
def qcfs(I, z, p):
    x = (I / p["up"]).clamp(0, 1)
    return p["up"] * (torch.floor(4 * x.detach() + 0.5) / 4 + x - x.detach()), z


CASES = {
    "lif": (st.lif(leak=0.8), [0.0], lif),
    "lif_hard": (st.lif(leak=0.8, decay_input=True, v_rest=0.1, threshold=0.7, strict=True, reset="hard", v_reset=-0.2), [0.1], lif_hard),
    "if": (st.neurons.if_(), [0.0], integrate),
    "cuba_lif": (st.neurons.cuba_lif(leak_syn=0.6, leak=0.8), [0.0, 0.0], cuba),
    "alif": (st.neurons.alif(), [0.0, 0.0], alif),
    "klif": (st.neurons.klif(), [0.0], klif),
    "liaf": (st.neurons.liaf(), [0.0], liaf),
    "membrane_readout": (st.neurons.membrane_readout(leak=0.8), [0.0], membrane),
    "eif": (st.neurons.eif(), [-0.1], eif),
    "qif": (st.neurons.qif(), [-0.1], qif),
    "psp_lif": (st.neurons.psp_lif(), [0.0, 0.0], psp_lif),
    "srm0": (st.neurons.srm0(), [0.0], srm0),
    "mlf": (st.neurons.mlf(), [0.0, 0.0, 0.0], mlf),
    "cuba_readout": (st.neurons.cuba_readout(leak_syn=0.6, leak=0.8), [0.0, 0.0], cuba_readout),
    "leaky_readout": (st.leaky_readout(leak=0.9), [0.0], readout),
    "sliding_psn": (st.neurons.sliding_psn(k=3, dilation=2), [0.0] * 4, sliding),
    "cw_psn": (st.neurons.cw_psn(k=3, dilation=2), [0.0] * 4, channelwise),
    "masked_psn": (st.neurons.masked_psn(k=3, steps=T), [0.0] * 3, masked),
    "psn": (st.neurons.psn(steps=T, threshold=0.1), [], psn),
    "phase_if": (st.neurons.phase_if(), [0.0, 0.0], phase_if),
    "phase_readout": (st.neurons.phase_readout(), [0.0], phase_readout),
    "relu": (st.neurons.relu(), [], relu),
    "few_spikes": (st.neurons.few_spikes(phases=T, alpha=1.0), [], few_spikes),
    "few_spikes_readout": (st.neurons.few_spikes_readout(phases=T, alpha=1.0), [0.0], few_spikes_readout),
    "complex_shrink": (st.neurons.complex_shrink(threshold=0.125), [], complex_shrink),
    "complex_few_spikes": (st.neurons.complex_few_spikes(phases=T, threshold=0.125), [], complex_few_spikes),
    "complex_few_spikes_readout": (st.neurons.complex_few_spikes_readout(phases=T, threshold=0.125), [], complex_few_spikes_readout),
    "count_relu": (st.neurons.count_relu(), [], count_relu),
    "qcfs": (st.neurons.qcfs(initial_up=1.0), [], qcfs),
}


def test_no_neuron_is_left_out():
    assert {name.split("_hard")[0] for name in CASES} == {entry.name for entry in st.neurons}


def psp(x, before=0.0):
    """The PSP of spikes [T,*], tau 3; as all filters here, of a signal with time first."""
    a, out = torch.full_like(x[0], before), []
    for t in range(len(x)):
        a = a + (x[t] - a) / 3
        out.append(a)
    return torch.stack(out)


def double_filter(x):
    """What srm0 has before its weights: the second filter reads the first one of the step before."""
    q, p, out = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for t in range(len(x)):
        p = 0.9 * p + 0.1 * q
        q = 0.85 * q + 0.15 * x[t]
        out.append(p)
    return torch.stack(out)


def layer(x, weight, step, start, params):
    if getattr(step, "whole", False):
        return step(F.linear(x, weight), params)
    z, out = [torch.full((x.shape[1], len(weight)), v, dtype=D) for v in start], []
    for t in range(len(x)):
        a, z = step(F.linear(x[t], weight), z, params)
        out.append(a)
    return torch.stack(out)


#: what comes before the first layer's weights, and before the second's
FILTERS = {"psp_lif": (psp, lambda x: x), "srm0": (double_filter, double_filter)}


def reference(name, x, weights, step, start, params):
    """Two layers of the neuron and an integrating readout."""
    first, second = FILTERS.get(name, (lambda x: x,) * 2)
    a = layer(first(x), weights[0], step, start, params[0])
    a = layer(second(a), weights[1], step, start, params[1])
    return layer(a, weights[2], readout, [0.0], {})


@pytest.mark.parametrize("name", CASES)
def test_bptt_of_every_neuron(name):
    part, start, step = CASES[name]
    hidden = 8 if name.startswith("complex") else HIDDEN  # pairs, of either sign
    net = st.Network(f"{hidden}-{hidden}-{OUT}", input_shape=(IN,), neuron=part, readout=st.leaky_readout(leak=0.9)).double()
    weights = [p for n, p in net.named_parameters() if n.endswith("synapse.weight")]
    with torch.no_grad():
        for w in weights:
            w.copy_(torch.randn(w.shape, dtype=D) * 0.9)
        for b in net.buffers():  # beta of alif: 0.1 was rounded to float32 before double() came
            b.fill_(0.1)
    x = torch.rand(T, B, IN, dtype=D, requires_grad=True)
    target = torch.rand(T, B, OUT, dtype=D)
    out = net(x)
    loss = (out * target).sum()
    loss.backward()
    ours = [p.grad.clone() for p in net.parameters()] + [x.grad.clone()]
    if name not in ("leaky_readout", "cuba_readout", "liaf", "membrane_readout", "phase_readout", "relu", "few_spikes_readout", "complex_shrink",
                    "complex_few_spikes_readout", "count_relu", "qcfs"):
        assert 0.02 < sum(net.rates.values()) / len(net.rates) < 0.98  # they fire, and not always

    x2 = x.detach().clone().requires_grad_()
    copies = {n: p.detach().clone().requires_grad_() for n, p in net.named_parameters()}
    params = [{n.split(".")[-1]: p for n, p in copies.items() if n.startswith(f"{layer['name']}.neuron.")} for layer in net.layers]
    expected = reference(name, x2, [p for n, p in copies.items() if n.endswith("synapse.weight")], step, start, params)
    other = (expected * target).sum()
    other.backward()
    theirs = [p.grad for p in copies.values()] + [x2.grad]
    assert torch.allclose(out, expected, rtol=1e-12, atol=1e-12)
    assert abs(loss.item() - other.item()) <= 1e-12 * max(1, abs(other.item()))
    for a, b in zip(ours, theirs):
        assert (a - b).abs().max() <= 1e-12 * max(1.0, b.abs().max().item())
    assert theirs[0].abs().max() > 0


def one_layer(rule, with_weight=False):
    """A spiking layer of lif, leak 0.8, from which the loss is read; its credit by hand."""
    net = st.Network(f"{OUT}", input_shape=(IN,), neuron=st.lif(leak=0.8), rule=rule).double()
    with torch.no_grad():
        net.get_parameter("0.synapse.weight").copy_(torch.randn(OUT, IN, dtype=D) * 0.8)
    x = torch.rand(T, B, IN, dtype=D)
    delta = torch.randn(T, B, OUT, dtype=D)
    (net(x) * delta).sum().backward()
    w = net.get_parameter("0.synapse.weight")
    # membranes, spikes and psi of the same run
    u, v, psi = [], torch.zeros(B, OUT, dtype=D), []
    for t in range(T):
        now = 0.8 * v + F.linear(x[t], w.detach())
        s = (now >= 1).to(D)
        u.append(now)
        psi.append(atan(now - 1))
        v = now - s
    result = w.grad, x, delta, torch.stack(psi)
    return (*result, w.detach()) if with_weight else result


def outer(g, q):
    return torch.einsum("tbo,tbi->oi", g, q)


def leaky_sum(x, leak, factor=1.0):
    total, out = torch.zeros_like(x[0]), []
    for t in range(len(x)):
        total = leak * total + factor * x[t]
        out.append(total)
    return torch.stack(out)


def test_sltt():
    grad, x, delta, psi = one_layer("sltt")
    assert torch.allclose(grad, outer(psi * delta, x), rtol=0, atol=1e-12)


def test_ottt():
    grad, x, delta, psi = one_layer("ottt")
    assert torch.allclose(grad, outer(psi * delta, leaky_sum(x, 0.8)), rtol=0, atol=1e-12)


def test_s_tllr():
    grad, x, delta, psi = one_layer(st.s_tllr(alpha_pre=0.9, alpha_post=-0.6, lambda_pre=0.75, lambda_post=0.2))
    before = torch.cat([torch.zeros(1, B, OUT, dtype=D), leaky_sum(psi, 0.2)[:-1]]) * 0.2  # the psi of earlier steps
    expected = outer(psi * delta, 0.9 * leaky_sum(x, 0.75)) - 0.6 * outer(before * delta, x)
    assert torch.allclose(grad, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", ["bptt", "bptt_trace", "rtrl"])
def test_rules_that_are_exact_for_one_layer(rule):
    grad, x, delta, _, weight = one_layer(rule, with_weight=True)
    w = weight.clone().requires_grad_()
    z, total = [torch.zeros(B, OUT, dtype=D)], 0
    for t in range(T):
        a, z = lif(F.linear(x[t], w), z, {})
        total = total + (a * delta[t]).sum()
    total.backward()
    assert torch.allclose(grad, w.grad, rtol=0, atol=1e-12) and grad.abs().max() > 0


def test_e_prop():
    """With kappa: the product of error and the filtered eligibility trace psi[t] * (leaky sum of x), no credit through the reset."""
    torch.manual_seed(1)
    net = st.Network(f"{OUT}", input_shape=(IN,), neuron=st.lif(leak=0.8, detach_reset=True), rule=st.e_prop(kappa=0.7)).double()
    w = net.get_parameter("0.synapse.weight")
    with torch.no_grad():
        w.copy_(torch.randn(OUT, IN, dtype=D) * 0.8)
    x, delta = torch.rand(T, B, IN, dtype=D), torch.randn(T, B, OUT, dtype=D)
    (net(x) * delta).sum().backward()
    v, psi = torch.zeros(B, OUT, dtype=D), []
    for t in range(T):
        u = 0.8 * v + F.linear(x[t], w.detach())
        psi.append(atan(u - 1))
        v = u - (u >= 1).to(D)
    trace = torch.stack(psi).unsqueeze(-1) * leaky_sum(x, 0.8).unsqueeze(2)  # [T,B,OUT,IN]
    expected = (delta.unsqueeze(-1) * leaky_sum(trace, 0.7)).sum((0, 1))
    assert torch.allclose(w.grad, expected, rtol=0, atol=1e-12) and expected.abs().max() > 0


def test_event_prop():
    """The adjoint pair as the rule's page gives it, by hand."""
    torch.manual_seed(2)
    net = st.Network(f"{OUT}", input_shape=(IN,), rule=st.event_prop(form="adjoint_pair", min_slope=0.0),
                     neuron=st.neurons.cuba_lif(leak_syn=0.8, leak=0.9, decay_input=True, reset="hard", strict=True)).double()
    w = net.get_parameter("0.synapse.weight")
    with torch.no_grad():
        w.copy_(torch.rand(OUT, IN, dtype=D) * 3)
    x, delta = torch.rand(T, B, IN, dtype=D), torch.randn(T, B, OUT, dtype=D)
    out = net(x)
    (out * delta).sum().backward()
    j, v, currents, spikes = torch.zeros(B, OUT, dtype=D), torch.zeros(B, OUT, dtype=D), [], []
    for t in range(T):
        j = 0.8 * j + F.linear(x[t], w.detach())
        u = 0.9 * v + 0.1 * j
        s = (u > 1).to(D)
        v = u * (1 - s)
        currents.append(j)
        spikes.append(s)
    assert torch.equal(torch.stack(spikes), out.detach()) and 0 < out.sum() < out.numel()
    lv = lj = torch.zeros(B, OUT, dtype=D)
    expected = torch.zeros_like(w)
    for t in reversed(range(T)):
        lj, lv = (lj + (lv - lj) * 0.2,
                  lv * 0.9 + torch.where(spikes[t] > 0, (lv + delta[t]) / (currents[t] - 1), torch.zeros_like(lv)))
        expected = expected + (lj + (lv - lj) * 0.2).t() @ x[t]
    assert torch.allclose(w.grad, expected, rtol=1e-10, atol=1e-10) and expected.abs().max() > 0


def tssl_credit(variant, u, m_before, s, a, delta, tau_m=5.0, tau_s=3.0):
    """Credit of the membranes [T,*] from errors of the PSP, as the rule's page has it; clipped as in the authors' code."""
    clip, leak = (8.0 if variant == "dec2020" else 10.0), 1 - 1 / tau_m
    r = torch.where(s > 0, (1 / (u - m_before)).clamp(0, clip), torch.zeros_like(u))
    f = torch.exp(((1 - u) / 0.2).clamp(-8, 8))
    psi = f / (0.2 * (1 + f) ** 2)
    credit, A, theta, reach = [], torch.zeros_like(u[0]), torch.zeros_like(u[0]), torch.zeros_like(u[0])
    for t in reversed(range(len(u))):
        d = delta[t]
        if variant == "sep2020":  # what a spike does to the next one through the reset
            d = d + s[t] * u[t] / tau_m * reach
            reach = torch.where(s[t] > 0, delta[t], leak * reach)
        A = d / tau_s + (1 - 1 / tau_s) * A
        if variant == "dec2020":
            theta = torch.where(s[t] > 0, r[t] * (A + u[t] / tau_m * theta), leak * theta)
            credit.append(torch.where(a[t] < 1 / (4 * tau_s), A * psi[t], theta))
        else:
            credit.append(A * psi[t] if variant == "surrogate" else r[t] * A)
    return torch.stack(credit[::-1])


@pytest.mark.parametrize("variant", ["dec2020", "jun2020", "sep2020", "surrogate"])
def test_tssl_bp(variant):
    net = st.Network(f"{OUT}", input_shape=(IN,), neuron=st.psp_lif(tau_m=5, tau_s=3), rule=st.tssl_bp(variant=variant)).double()
    (w,) = net.parameters()
    with torch.no_grad():
        w.copy_(torch.rand(OUT, IN, dtype=D) * 1.5)
    x, delta = torch.rand(2 * T, B, IN, dtype=D), torch.randn(2 * T, B, OUT, dtype=D)
    out = net(x)
    (out * delta).sum().backward()
    q, m, u, before, spikes = psp(x), torch.zeros(B, OUT, dtype=D), [], [], []
    for t in range(len(x)):
        before.append(m)
        u.append(m + F.linear(q[t], w.detach()) - m / 5)
        spikes.append((u[-1] > 1).to(D))
        m = u[-1] * (1 - spikes[-1])
    u, before, s = torch.stack(u), torch.stack(before), torch.stack(spikes)
    assert torch.allclose(out, psp(s), rtol=0, atol=1e-12) and 0.1 < s.mean() < 0.9  # above the rate at which 2020's variants warm up
    expected = outer(tssl_credit(variant, u, before, s, psp(s), delta), q)
    assert torch.allclose(w.grad, expected, rtol=1e-12, atol=1e-12) and expected.abs().max() > 0


def test_tandem():
    """The gradient of relu(sum of currents), which is that of an analog neuron that reads counts, at every step; only an error that is the same at
    all of them has a meaning."""
    torch.manual_seed(1)
    net = st.Network(f"{OUT}", input_shape=(IN,), neuron=st.neurons.if_(), rule=st.rules.tandem()).double()
    w = net.get_parameter("0.synapse.weight")
    with torch.no_grad():
        w.copy_(torch.randn(OUT, IN, dtype=D) * 0.8)
    x, delta = torch.rand(T, B, IN, dtype=D), torch.randn(B, OUT, dtype=D)
    (net(x).sum(0) * delta).sum().backward()
    passes = (F.linear(x, w.detach()).sum(0) > 0).to(D)
    assert 0 < passes.mean() < 1
    assert torch.allclose(w.grad, torch.einsum("bo,bi->oi", delta * passes, x.sum(0)), rtol=0, atol=1e-12)


RULES = {"tandem", "sltt", "ottt", "s_tllr", "bptt", "bptt_trace", "rtrl", "e_prop", "event_prop", "tssl_bp"}


def test_no_rule_is_left_out():
    assert RULES == {entry.name for entry in st.rules}
