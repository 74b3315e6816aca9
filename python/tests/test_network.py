"""A Network as a torch module: parameters, types, copies, states, inputs and what it refuses."""
import copy
import gc
import io
import pickle
import subprocess
import sys
import threading
import time

import pytest

import spiketrain as st
import torch


def net_of(spec="6C3p1-P2-8-3", input_shape=(2, 6, 6), **options):
    options.setdefault("neuron", st.lif(leak=0.8))
    options.setdefault("readout", st.leaky_readout(leak=0.9))
    options.setdefault("linear_scale", 3.0)
    options.setdefault("conv_scale", 3.0)
    return st.Network(spec, input_shape=input_shape, **options)


def input_of(net, T=4, B=3, dtype=torch.float32):
    return torch.rand(T, B, *net.input_shape, dtype=dtype)


def test_parameters_are_what_the_library_reads():
    net = net_of()
    x = input_of(net)
    before = net(x)
    for p in net.parameters():
        assert isinstance(p, torch.nn.Parameter) and p.is_leaf
    assert [n for n, _ in net.named_parameters()] == [n for n, _ in net._core.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    before.pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    optimizer.step()
    assert not torch.equal(before, net(x))
    # The objects stay: two calls of the library hand out the same tensor.
    for (_, ours), (_, theirs) in zip(net.named_parameters(), net._core.parameters()):
        assert ours is theirs and ours.data_ptr() == theirs.data_ptr()


def test_it_learns_with_torch_losses_and_optimizers():
    net = net_of("20-3", (8,), linear_scale=1.0)
    centres = torch.rand(3, 8)
    y = torch.arange(60) % 3
    x = (centres[y] + 0.1 * torch.randn(60, 8)).expand(5, 60, 8).contiguous()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(net(x).mean(0), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert (net.eval()(x).mean(0).argmax(1) == y).float().mean() > 0.9


def test_state_dict_has_torch_names_and_loads():
    net = net_of(norm="bn")
    other = net_of(norm="bn", seed=2)
    names = set(net.state_dict())
    assert "0.synapse.weight" in names and "0.norm.running_mean" in names
    x = input_of(net)
    net(x)  # statistics move
    assert not torch.equal(net.eval()(x), other.eval()(x))
    result = other.load_state_dict(net.state_dict())
    assert not result.missing_keys and not result.unexpected_keys
    assert torch.equal(net(x), other(x))
    with pytest.raises(RuntimeError):
        other.load_state_dict({})


def test_to_and_double_move_parameters_and_buffers():
    net = net_of(norm="bn").double()
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    assert {b.dtype for b in net.buffers() if b.is_floating_point()} == {torch.float64}
    x = input_of(net, dtype=torch.float64)
    net(x).sum().backward()
    mean = dict(net.named_buffers())["0.norm.running_mean"]
    assert mean.abs().sum() > 0  # the library writes the one that is registered
    assert next(net.parameters()).grad.dtype == torch.float64
    assert net.float().eval()(x.float()).dtype == torch.float32
    assert next(net.parameters()).grad.dtype == torch.float32


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_are_equal_and_apart(copied):
    net = net_of(norm="bn")
    x = input_of(net)
    net(x)
    net.double()
    next(net.parameters()).requires_grad_(False)
    other = copied(net)
    assert torch.equal(net.eval()(x.double()), other.eval()(x.double()))
    assert [p.requires_grad for p in other.parameters()] == [p.requires_grad for p in net.parameters()]
    assert other._core.frozen_norms == [False] * len(net._core.frozen_norms) and other._core.frozen_norms
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1)
    assert not torch.equal(net(x.double()), other(x.double()))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_frozen_norm_stays_frozen_in_a_copy(copied):
    run = st.train({"seed": 1, "steps": 2, "epochs": 1, "data": {"name": "glyphs", "train_size": 60, "test_size": 20, "batch": 20},
                    "network": st.networks.spec(spec="4C5-P2-10", norm={"name": "bn"}), "neuron": st.lif(), "rule": st.bptt(),
                    "objective": st.objectives.rate_ce(), "train": {"freeze": ["0"]}})
    other = copied(run.network)
    before = [b.clone() for b in other.buffers()]
    other.train()
    other(torch.rand(2, 4, 1, 28, 28))
    assert other._core.frozen_norms == run.network._core.frozen_norms and True in other._core.frozen_norms
    assert torch.equal(before[0], list(other.buffers())[0])


def test_config_builds_an_equal_network():
    net = net_of()
    other = st.Network.from_config(net.config())
    other.load_state_dict(net.state_dict())
    x = input_of(net)
    assert torch.equal(net.eval()(x), other.eval()(x))
    assert torch.equal(copy.deepcopy(other)(x), net(x))


def test_save_and_load(tmp_path):
    net = net_of()
    net.save(tmp_path / "net.safetensors")
    other = st.Network.load(tmp_path / "net.safetensors")
    x = input_of(net)
    assert torch.equal(net.eval()(x), other.eval()(x))
    with pytest.raises(st.DataError, match="without a recipe"):
        st.load(tmp_path / "net.safetensors")
    with pytest.raises(st.DataError) as error:
        st.Network.load(tmp_path / "none.safetensors")
    assert error.value.path.endswith("none.safetensors") and isinstance(error.value, OSError)


def test_torch_save_of_weights(tmp_path):
    net = net_of()
    torch.save(net.state_dict(), tmp_path / "w.pt")
    other = net_of(seed=9)
    other.load_state_dict(torch.load(tmp_path / "w.pt"))
    x = input_of(net)
    assert torch.equal(net.eval()(x), other.eval()(x))


def test_frozen_parameters_get_no_gradient():
    net = net_of()
    first = next(net.parameters())
    first.requires_grad_(False)
    net(input_of(net)).sum().backward()
    assert first.grad is None
    assert all(p.grad is not None for p in list(net.parameters())[1:])


def test_gradient_of_the_input_and_of_layers_before():
    net = net_of("8-3", (5,))
    front = torch.nn.Linear(4, 5)
    x = torch.rand(6, 2, 4, requires_grad=True)
    net(torch.relu(front(x))).sum().backward()
    assert x.grad.abs().sum() > 0 and front.weight.grad.abs().sum() > 0


def test_gradients_add_up_and_autograd_grad():
    net = net_of()
    x = input_of(net)
    net(x).pow(2).sum().backward()
    once = [p.grad.clone() for p in net.parameters()]
    net(x).pow(2).sum().backward()
    for p, g in zip(net.parameters(), once):
        assert torch.allclose(p.grad, 2 * g)
    net.zero_grad(set_to_none=True)
    asked = torch.autograd.grad(net(x).pow(2).sum(), list(net.parameters()))
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.allclose(a, b) for a, b in zip(asked, once))


def test_still_images_once():
    net = net_of()
    image = torch.rand(3, *net.input_shape)
    out = net(image, steps=4)
    assert out.shape == (4, 3, 3)
    assert torch.allclose(out, net(image.expand(4, *image.shape).contiguous()), atol=1e-5)
    image.requires_grad_()
    net(image, steps=4).sum().backward()
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8])
def test_spikes_in(dtype):
    net = net_of().eval()
    x = torch.rand(4, 3, *net.input_shape) < 0.3
    assert torch.allclose(net(x.to(dtype)), net(x.float()), atol=1e-5)
    counts = torch.randint(0, 4, (4, 3, *net.input_shape), dtype=torch.uint8)
    assert torch.allclose(net(counts), net(counts.float()), atol=1e-4)


def test_windows_and_steps_with_state():
    net = net_of().eval()
    x = input_of(net, T=6)
    whole = net(x)
    first, state = net(x[:2], return_state=True)
    second, state = net(x[2:3], state, return_state=True)
    third = net(x[3:], state)
    assert torch.allclose(whole, torch.cat([first, second, third]), atol=1e-6)
    # A state is not changed by what follows.
    again = net(x[3:], state)
    assert torch.equal(third, again)
    assert len(state.tensors()) == len(net.layers)


def test_joined_windows_learn_as_one_and_cut_ones_do_not():
    net = net_of("8-3", (5,)).double()
    x = torch.rand(6, 2, 5, dtype=torch.float64)

    def gradients(windows, cut):
        net.zero_grad(set_to_none=True)
        loss, state = 0, None
        for part in x.split(windows):
            out, state = net(part, state, return_state=True)
            state = state.detach() if cut else state
            loss = loss + out.pow(2).sum()
        loss.backward()
        return [p.grad.clone() for p in net.parameters()]

    whole = gradients(6, False)
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(whole, gradients(2, False)))
    assert not all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole, gradients(2, True)))


def test_rates_and_records():
    net = net_of()
    names = [l["name"] for l in net.layers]
    net.record(f"{names[0]}.neuron.u", f"{names[0]}.neuron.output", f"{names[-1]}.neuron.output")
    x = input_of(net)
    out = net(x)
    u, s = net.records[f"{names[0]}.neuron.u"], net.records[f"{names[0]}.neuron.output"]
    assert u.shape == s.shape and torch.equal(s.bool(), u >= 1.0) and s.sum() > 0
    assert torch.equal(net.records[f"{names[-1]}.neuron.output"], out.detach())
    assert net.rates[names[0]] == pytest.approx(s.float().mean().item())
    net.record()
    net(x)
    assert net.records == {}
    with pytest.raises(st.UsageError, match="no layer"):
        net.record("nine.neuron.u")
    with pytest.raises(st.UsageError, match="expected LAYER"):
        net.record("u")
    net.record(f"{names[0]}.neuron.membrane")
    with pytest.raises(st.UsageError, match="expected NAME.neuron.u"):
        net(x)


def test_evaluation_has_no_graph_and_dropout_rests():
    net = net_of("20-D0.5-3", (5,))
    x = input_of(net)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x)) and not net(x).requires_grad


@pytest.mark.parametrize("call, words", [
    (lambda n: n(torch.rand(3, 2, 6, 6)), "steps=T"),
    (lambda n: n(torch.rand(4, 3, 2, 5, 6)), "expected an input"),
    (lambda n: n(torch.rand(4, 3, 2, 6, 6, dtype=torch.float64)), "of type Float"),
    (lambda n: n(torch.zeros(4, 3, 2, 6, 6, dtype=torch.int64)), "of type Float"),
    (lambda n: n(torch.rand(0, 3, 2, 6, 6)), "at least one step"),
    (lambda n: n([1, 2]), "expected a tensor"),
    (lambda n: n(torch.rand(3, 2, 6, 6), steps=0), "at least 1"),
    (lambda n: n(torch.rand(4, 3, 2, 6, 6), 5), "expected a state"),
])
def test_wrong_input_is_one_clear_line(call, words):
    with pytest.raises(st.UsageError, match=words) as error:
        call(net_of())
    assert isinstance(error.value, ValueError) and "\n" not in str(error.value)


@pytest.mark.parametrize("make, words", [
    (lambda: st.Network("8-3", input_shape=(5,), neuron=st.lif(leek=0.9)), "did you mean 'leak'"),
    (lambda: st.Network("8-3", input_shape=(5,), neuron={"name": "lif", "leek": 0.9}), "did you mean"),
    (lambda: st.Network("8-3", input_shape=(5,), neuron="lof"), "unknown neuron 'lof'"),
    (lambda: st.Network("8-3", input_shape=(5,), neuron=st.bptt()), "expected one of neurons"),
    (lambda: st.Network("8-3", input_shape=(5,), rule="tssl_bp"), "psp_lif"),
    (lambda: st.Network("8-3", input_shape=(5,), rules={"seven": "sltt"}), "no layer 'seven'"),
    (lambda: st.Network("8-P3", input_shape=(5,)), "output_shape"),
    (lambda: st.Network(input_shape=(5,)), "expected a notation"),
    (lambda: st.Network("8-3", input_shape=(5,), precision="half"), "fp32 or mixed"),
    (lambda: st.Network("8-3", input_shape=(5,), paddin="same"), "padding"),
])
def test_wrong_networks(make, words):
    with pytest.raises(st.UsageError, match=words):
        make()


def test_a_state_of_another_network_is_refused():
    _, state = net_of()(torch.rand(4, 3, 2, 6, 6), return_state=True)
    with pytest.raises(st.UsageError, match="a state of its own"):
        net_of("8-8-8-3", (5,))(torch.rand(4, 3, 5), state)


def test_second_derivatives_are_refused_in_words():
    net = net_of("8-3", (5,))
    out = net(torch.rand(4, 3, 5)).sum()
    with pytest.raises((RuntimeError, ValueError), match="first derivatives only"):
        torch.autograd.grad(out, list(net.parameters()), create_graph=True)
    out = net(torch.rand(4, 3, 5)).sum()
    out.backward(retain_graph=True)
    with pytest.raises((RuntimeError, ValueError), match="goes back once"):
        out.backward()


def test_replaced_parameters_are_noticed():
    net = net_of("8-3", (5,))
    layer = net._modules["0"]._modules["synapse"]
    torch.nn.utils.parametrizations.spectral_norm(layer, "weight")
    with pytest.raises(st.UsageError, match="replaced"):
        net(torch.rand(4, 3, 5))
    with pytest.raises(st.UsageError, match="DataParallel"):
        net_of("8-3", (5,))._replicate_for_data_parallel()


def test_backward_after_the_network_is_gone():
    net = net_of("8-3", (5,))
    parameters = list(net.parameters())
    loss = net(torch.rand(4, 3, 5)).pow(2).sum()
    del net
    gc.collect()
    loss.backward()
    assert parameters[0].grad is not None


def test_memory_is_flat_over_a_thousand_passes():
    import resource

    net = net_of("40-30-10", (20,))
    x = torch.rand(8, 16, 20)

    def passes(n):
        for _ in range(n):
            net.zero_grad(set_to_none=True)
            net(x).sum().backward()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = passes(100)
    assert passes(1000) - before < 4 * 1024  # KiB


def test_other_threads_run_meanwhile():
    net = net_of("800-800-10", (400,))
    x = torch.rand(30, 64, 400)
    ticks, done = [0], threading.Event()

    def count():
        while not done.is_set():
            ticks[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    start = time.time()
    for _ in range(3):
        net(x)
    spent = time.time() - start
    done.set()
    thread.join()
    # With the lock held for all of it there would be a handful of ticks, one between two calls.
    assert ticks[0] > min(20, spent * 50)


def python(code, **environment):
    import os

    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment})


def test_import_alone_and_after_torch():
    code = "import spiketrain as st; net = st.Network('4-2', input_shape=(3,)); print(net._core.parameters()[0][1].shape)"
    for before in ("", "import torch; ", "import spiketrain._C; "):
        result = python(before + code)
        assert result.returncode == 0 and "[4, 3]" in result.stdout, result.stderr


def test_threads_wait_passively_unless_told_otherwise():
    show = "import os, spiketrain; print(os.environ.get('OMP_WAIT_POLICY'))"
    import os

    unset = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}

    def run(**extra):
        return subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, env={**unset, **extra}).stdout.strip()

    assert run() == "passive"
    assert run(OMP_WAIT_POLICY="active") == "active"
    assert run(SPIKETRAIN_PASSIVE="0") == "None"


def test_repr_and_help():
    net = net_of()
    assert "6C3p1-P2-8-3" in repr(net)
    assert "membrane potential decays" in st.neurons.lif.__doc__
    assert "leak" in str(__import__("inspect").signature(st.neurons.lif))
    assert "lif" in dir(st.neurons) and "if_" in dir(st.neurons) and st.neurons.if_.name == "if"
    with pytest.raises(AttributeError, match="did you mean 'lif'"):
        st.neurons.lief
    assert st.lif(leak=0.5) == st.neurons["lif"](leak=0.5) != st.lif(leak=0.6)
    for kind in (st.neurons, st.rules, st.objectives, st.optimizers):
        assert len(kind) > 1 and all(entry.name and entry.doc for entry in kind)
