"""Neurons and rules written in Python, inside the library's layers."""
import pytest

import spiketrain as st
import torch


class AdaptiveLIF(st.PythonNeuron):
    def __init__(self, leak=0.9, beta=0.1):
        super().__init__()
        self.leak, self.beta = leak, beta

    def initial(self, shape, like):
        return [like.new_zeros(shape), like.new_zeros(shape)]

    def step(self, current, state):
        v, a = state
        u = self.leak * v + current
        s = st.spike(u - 1 - a, surrogate="atan")
        return s, s, [u * (1 - s), 0.9 * a + self.beta * s]


class Lif(st.PythonNeuron):
    """The library's lif, with a membrane to be seen and a leak that learns."""
    membrane = True

    def __init__(self, learns=False):
        super().__init__()
        self.leak = torch.nn.Parameter(torch.tensor(0.8)) if learns else 0.8

    def initial(self, shape, like):
        return [like.new_zeros(shape)]

    def step(self, current, state):
        u = self.leak * state[0] + current
        s = st.spike(u - 1)
        return s, s, [u - s], u


def trained(neuron, rule="bptt", record=None, **options):
    net = st.Network("10-3", input_shape=(20,), neuron=neuron, readout=st.leaky_readout(leak=0.9), rule=rule, linear_scale=2.0, **options)
    torch.manual_seed(1)
    x = torch.rand(8, 4, 20)
    if record:
        net.record(record)
    out = net(x)
    out.pow(2).sum().backward()
    return net, out.detach(), [p.grad.clone() for p in net.parameters() if p.grad is not None]


def test_the_snippet_of_the_readme_learns():
    net = st.Network("100-10", input_shape=(20,), neuron=AdaptiveLIF)
    out = net(torch.rand(6, 5, 20))
    assert out.shape == (6, 5, 10)
    out.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("rule", ["bptt", "sltt"])
def test_a_neuron_in_python_is_the_one_in_the_library(rule):
    ours, out, gradients = trained(st.lif(leak=0.8), rule)
    theirs, out2, gradients2 = trained(Lif, rule, record="0.neuron.u")
    assert torch.allclose(out, out2, atol=1e-5) and out.abs().sum() > 0
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(gradients, gradients2))
    assert theirs.records["0.neuron.u"].shape == (8, 4, 10)
    assert theirs.rates == pytest.approx(ours.rates)


def test_its_parameters_learn():
    net, _, _ = trained(lambda: Lif(learns=True))
    leak = dict(net.named_parameters())["0.neuron.leak"]
    assert isinstance(leak, torch.nn.Parameter) and leak.grad.abs() > 0


def test_an_analog_neuron():
    class Relu(st.PythonNeuron):
        analog = True

        def initial(self, shape, like):
            return []

        def step(self, current, state):
            return torch.relu(current), None, []

    net, _, gradients = trained(Relu)
    assert len(gradients) == 2 and "0" not in net.rates


@pytest.mark.parametrize("step, error, words", [
    (lambda self, I, z: {}["missing"], KeyError, "missing"),
    (lambda self, I, z: I, st.UsageError, "a tuple of 3"),
    (lambda self, I, z: (I * 0, I * 0, [I * 0, I * 0]), st.UsageError, "states"),
    (lambda self, I, z: (1, I, z), st.UsageError, "output: expected a tensor"),
    (lambda self, I, z: (I, I, z[0]), st.UsageError, "list of tensors"),
])
def test_errors_in_forward_arrive_as_they_were_raised(step, error, words):
    kind = type("Broken", (Lif,), {"step": step, "membrane": False})
    with pytest.raises(error, match=words):
        st.Network("10-3", input_shape=(20,), neuron=kind)(torch.rand(2, 2, 20))


def test_what_is_no_neuron_is_refused():
    with pytest.raises(st.UsageError, match="instance"):
        st.Network("10-3", input_shape=(20,), neuron=Lif())
    with pytest.raises(st.UsageError, match="PythonNeuron"):
        st.Network("10-3", input_shape=(20,), neuron=lambda: torch.nn.ReLU())
    with pytest.raises(st.UsageError, match="state_dict only"):
        st.Network("10-3", input_shape=(20,), neuron=Lif).config()
    with pytest.raises(NotImplementedError, match="initial"):
        st.Network("10-3", input_shape=(20,), neuron=st.PythonNeuron)(torch.rand(2, 2, 20))


class MySltt(st.PythonRule):
    needs = ("psi",)
    local_in_time = True

    def credit(self, record, delta):
        return record.psi * delta


class MyOttt(MySltt):
    def trace(self, record, pre):
        x = pre.x
        kept = pre.trace[0] if pre.trace else torch.zeros_like(x[0])
        q = []
        for t in range(len(x)):
            kept = record.leak * kept + x[t]
            q.append(kept)
        pre.q, pre.trace = torch.stack(q), [kept]


@pytest.mark.parametrize("mine, name", [(MySltt, "sltt"), (MyOttt, "ottt")])
def test_a_rule_in_python_is_the_one_in_the_library(mine, name):
    readout = {"readout": st.leaky_readout(leak=0.9)}
    results = []
    for rule in (mine(), name):
        net = st.Network("10-3", input_shape=(20,), neuron=st.lif(leak=0.8), rule=rule, rules={"1": "bptt"}, linear_scale=2.0, **readout)
        torch.manual_seed(1)
        net(torch.rand(8, 4, 20)).pow(2).sum().backward()
        results.append([p.grad for p in net.parameters()])
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-5) for a, b in zip(*results))
    assert results[0][0].abs().sum() > 0


def test_modes_and_frozen_parameters_reach_the_neurons():
    made = []

    class Watched(Lif):
        def __init__(self):
            super().__init__(learns=True)
            self.leak.requires_grad_(False)
            made.append(self)

    net = st.Network("10-3", input_shape=(20,), neuron=Watched)
    assert len(made) == 2 and not dict(net.named_parameters())["0.neuron.leak"].requires_grad
    net.eval()
    assert not any(n.training for n in made)
    net.train()
    assert all(n.training for n in made)


def test_copies_keep_what_a_neuron_is():
    import copy

    class Own(Lif):
        def __init__(self):
            super().__init__()
            self.leak = 0.1

    net = st.Network("10-3", input_shape=(20,), neuron=Own)
    for neuron in net._neurons:
        neuron.leak = 0.8
    x = torch.rand(6, 2, 20) * 3
    assert torch.equal(copy.deepcopy(net).eval()(x), net.eval()(x))


@pytest.mark.parametrize("step, words", [
    (lambda self, I, z: (I.sum().view(1) * 0, I * 0, z), "an output of shape"),
    (lambda self, I, z: (I * 0, I * 0, [z[0][:1]]), "a next state of shape"),
    (lambda self, I, z: (I * 0 + 0.5, I * 0 + 0.5, z), "spikes of 0 and 1"),
    (lambda self, I, z: (I * 0 + 3, I * 0 + 1, z), "an output equal to them"),
])
def test_what_step_gives_is_checked(step, words):
    kind = type("Broken", (Lif,), {"step": step, "membrane": False})
    with pytest.raises(st.UsageError, match=words):
        st.Network("10-3", input_shape=(20,), neuron=kind)(torch.rand(2, 2, 20))


def test_states_of_the_caller_stay():
    class InPlace(Lif):
        def step(self, current, state):
            u = state[0].mul_(0.8).add_(current) if not torch.is_grad_enabled() else self.leak * state[0] + current
            s = st.spike(u - 1)
            return s, s, [u - s], u

    net = st.Network("10-3", input_shape=(20,), neuron=InPlace).eval()
    x = torch.rand(4, 2, 20)
    _, state = net(x, return_state=True)
    assert torch.equal(net(x, state), net(x, state))


def test_rules_that_are_wrong():
    class Shape(MySltt):
        def credit(self, record, delta):
            return delta[0]

    class Needs(MySltt):
        needs = ("membrane",)

    with pytest.raises((st.UsageError, RuntimeError), match="expected credit of shape"):
        trained(st.lif(), Shape())
    with pytest.raises(st.UsageError, match="expected names from I, u and psi"):
        trained(st.lif(), Needs())


def test_spike_and_its_surrogates():
    x = torch.tensor([-0.5, 0.0, 0.5], dtype=torch.float64, requires_grad=True)
    st.spike(x, "atan", 2.0).sum().backward()
    assert torch.allclose(x.grad, 1 / (1 + (torch.pi * x.detach()) ** 2))
    assert st.spike(x).tolist() == [0, 1, 1] and st.spike(x, strict=True).tolist() == [0, 0, 1]
    with pytest.raises(st.UsageError, match="atam"):
        st.spike(x, "atam")
