"""What users of torch do with a module: hooks, threads, copies, checkpoints, functional calls.  Each was wrong once."""
import copy
import os
import pickle
import threading

import pytest
from conftest import small

import spiketrain as st
import torch
import torch.fx


def net_of(spec="8-3", shape=(5,), **options):
    options.setdefault("linear_scale", 3.0)
    return st.Network(spec, input_shape=shape, neuron=st.lif(leak=0.8), readout=st.leaky_readout(leak=0.9), **options)


def gradients(net, x):
    net.zero_grad(set_to_none=True)
    net(x).pow(2).sum().backward()
    return [p.grad.clone() for p in net.parameters()]


@pytest.mark.parametrize("options", [{}, {"norm": "bn"}, {"quantizer": "uniform"}])
def test_hooks_on_parameters_run_once(options):
    net = net_of(**options)
    x = torch.rand(4, 6, 5)
    before = gradients(net, x)
    hooks = [p.register_hook(lambda g: 2 * g) for p in net.parameters()]
    after = gradients(net, x)
    assert all(torch.allclose(b, 2 * a, rtol=1e-4, atol=1e-6) for a, b in zip(before, after))
    assert len(hooks) == len(before) and before[0].abs().sum() > 0


def test_distributed_data_parallel(tmp_path):
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        net = net_of(norm="bn")
        expected = gradients(net, torch.ones(4, 6, 5))
        both = torch.nn.parallel.DistributedDataParallel(net)
        net.zero_grad(set_to_none=True)
        both(torch.ones(4, 6, 5)).pow(2).sum().backward()
        assert all(torch.allclose(p.grad, g) for p, g in zip(net.parameters(), expected))
    finally:
        torch.distributed.destroy_process_group()


def worker(rank, store, out):
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    net = net_of()
    both = torch.nn.parallel.DistributedDataParallel(net)
    x = shared_batch()
    optimizer = torch.optim.SGD(both.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        both(x[:, 3 * rank:3 * rank + 3]).pow(2).mean().backward()
        optimizer.step()
    torch.save([p.detach() for p in net.parameters()], f"{out}/{rank}.pt")
    torch.distributed.destroy_process_group()


def shared_batch():
    return (torch.arange(4 * 6 * 5).view(4, 6, 5) * 7 % 11) / 11


def test_two_processes_train_as_one(tmp_path):
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    torch.multiprocessing.spawn(worker, (f"{tmp_path}/store", str(tmp_path)), nprocs=2)
    net = net_of()
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net(shared_batch()).pow(2).mean().backward()
        optimizer.step()
    for rank in range(2):
        for p, q, old in zip(net.parameters(), torch.load(tmp_path / f"{rank}.pt"), before):
            assert torch.allclose(p, q, rtol=1e-5, atol=1e-7) and not torch.equal(p, old)


def test_compile_leaves_the_network_as_it_is():
    if not hasattr(torch, "compile"):
        pytest.skip("this torch has no torch.compile")
    net, x = net_of(), torch.rand(4, 6, 5)
    compiled = torch.compile(net, backend="eager")
    assert torch.equal(compiled(x), net(x))
    expected = gradients(net, x)
    net.zero_grad(set_to_none=True)
    compiled(x).pow(2).sum().backward()
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), expected))


def test_transforms_are_refused():
    if not hasattr(torch, "func"):
        pytest.skip("this torch has no torch.func")
    net, x = net_of(), torch.rand(2, 4, 6, 5)
    with pytest.raises(torch.fx.proxy.TraceError):  # torch's own words: its wrapper of uncompiled functions is looked into first
        torch.fx.symbolic_trace(net)
    with pytest.raises(st.UsageError, match="torch.func.* cannot see into"):
        torch.func.vmap(net)(x)


def test_backward_in_several_threads():
    net = net_of("30-3", (20,))
    x = torch.rand(5, 8, 20)
    expected = torch.autograd.grad(net(x).sum(), list(net.parameters()))
    for p in net.parameters():
        p.grad = torch.full_like(p, 7)
    wrong = []

    def work():
        for _ in range(40):
            got = torch.autograd.grad(net(x).sum(), list(net.parameters()))
            if not all(torch.allclose(a, b) for a, b in zip(got, expected)):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong and all((p.grad == 7).all() for p in net.parameters())


def test_tensors_changed_before_the_way_back_are_noticed():
    net = net_of()
    x = torch.rand(4, 6, 5)
    loss = net(x).sum()
    with torch.no_grad():
        next(net.parameters()).mul_(2)
    with pytest.raises((RuntimeError, ValueError), match="changed in place"):
        loss.backward()
    loss = net(x).sum()
    x.zero_()
    with pytest.raises((RuntimeError, ValueError), match="changed in place"):
        loss.backward()


@pytest.mark.parametrize("call", [lambda n, x: n(x), lambda n, x: n(x, return_state=True)[0]])
def test_a_pass_goes_back_once_whatever_its_form(call):
    loss = call(net_of(), torch.rand(4, 6, 5)).sum()
    loss.backward(retain_graph=True)
    with pytest.raises((RuntimeError, ValueError), match="goes back once"):
        loss.backward()


def test_outputs_can_be_changed_in_place():
    for call in (lambda n, x: n(x), lambda n, x: n(x, return_state=True)[0]):
        out = call(net_of(), torch.rand(4, 6, 5))
        out /= 4
        torch.relu_(out).sum().backward()


def test_copies_of_a_run_keep_the_rule_of_each_layer(recipe):
    config = {"seed": 1, "steps": 4, "epochs": 1, "data": {"train_size": 100, "test_size": 50}, "network": st.networks.spec(spec="30-20-10"),
              "neuron": st.lif(leak=0.8), "readout": st.leaky_readout(leak=0.9), "rule": st.bptt(), "rules": {"0": {"name": "sltt"}},
              "objective": st.objectives.rate_ce()}
    net = st.train(config).network.train()
    x = torch.rand(4, 6, 1, 28, 28)
    expected = gradients(net, x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert all(torch.equal(a, b) for a, b in zip(gradients(other, x), expected))
    plain = st.Network.from_config(net.config())
    plain.load_state_dict(net.state_dict())
    assert not torch.equal(gradients(plain, x)[0], expected[0])  # the rule of layer 0 matters


def test_a_copied_optimizer_has_the_copys_parameters():
    net = net_of()
    both = copy.deepcopy({"net": net, "optimizer": torch.optim.SGD(net.parameters(), 0.1)})
    before = [p.clone() for p in both["net"].parameters()]
    gradients(both["net"], torch.rand(4, 6, 5))
    both["optimizer"].step()
    assert not any(torch.equal(a, b) for a, b in zip(before, both["net"].parameters()))

    class Mine(st.Network):
        pass

    with pytest.raises(st.UsageError, match="derives from Network"):
        copy.deepcopy(Mine("4-2", input_shape=(3,)))


def test_layers_that_a_user_adds_move_along():
    net = net_of()
    net.head = torch.nn.Linear(3, 2)
    net.double()
    assert net.head.weight.dtype == torch.float64 and next(net.parameters()).dtype == torch.float64


def test_functional_call_and_tracing_are_refused():
    net = net_of()
    x = torch.rand(4, 6, 5)
    try:
        from torch.func import functional_call
    except ImportError:
        from torch.nn.utils.stateless import functional_call
    with pytest.raises(st.UsageError, match="replaced"):
        functional_call(net, {n: p.detach() * 2 for n, p in net.named_parameters()}, (x,))
    with pytest.raises((st.UsageError, RuntimeError), match="trace"):
        torch.jit.trace(net, x)
    with pytest.raises(st.UsageError, match="Float or Double"):
        net.half()(x)


def test_dropout_follows_torchs_generator_and_checkpointing():
    from torch.utils.checkpoint import checkpoint

    net = net_of("20-D0.5-3")
    x = torch.rand(4, 6, 5, requires_grad=True)
    torch.manual_seed(3)
    first = net(x)
    torch.manual_seed(3)
    assert torch.equal(first, net(x)) and not torch.equal(first, net(x))
    torch.manual_seed(3)
    expected = gradients(net, x)
    net.zero_grad(set_to_none=True)
    torch.manual_seed(3)
    checkpoint(net, x, use_reentrant=True).pow(2).sum().backward()
    assert all(torch.allclose(p.grad, g) for p, g in zip(net.parameters(), expected))


def test_second_derivatives_of_losses_are_refused():
    out = torch.rand(4, 2, 3, requires_grad=True)
    loss = st.losses.rate_ce(out, torch.tensor([0, 1]))
    with pytest.raises((RuntimeError, ValueError), match="first derivatives only"):
        torch.autograd.grad(loss, out, create_graph=True)


def test_states_of_other_neurons_are_refused():
    x = torch.rand(4, 6, 5)
    _, state = net_of()(x, return_state=True)
    other = st.Network("8-3", input_shape=(5,), neuron=st.neurons.cuba_lif(), readout=st.leaky_readout(leak=0.9))
    with pytest.raises(st.UsageError, match="a state of its own"):
        other(x, state)
    with pytest.raises(st.UsageError, match="a state of its own"):
        net_of()(x[:, :3], state)
    with pytest.raises(st.UsageError, match="a state of its own"):
        net_of().double()(x.double(), state)


def test_empty_batches():
    for net, x in ((net_of(), torch.rand(4, 0, 5)), (net_of("4C3-3", (1, 5, 5)), torch.rand(4, 0, 1, 5, 5))):
        out = net(x)
        assert out.shape == (4, 0, 3)
        out.sum().backward()
        assert all(p.grad is None or p.grad.abs().sum() == 0 for p in net.parameters())
    assert net_of()(torch.rand(0, 5), steps=4).shape == (4, 0, 3)


def test_recurrent_networks():
    net = net_of("8R-3").double()
    x = torch.rand(5, 4, 5, dtype=torch.float64)
    (net(x) ** 2).sum().backward()
    names = dict(net.named_parameters())
    w, r, v = (names[n].detach().clone().requires_grad_() for n in ("0.synapse.weight", "0.synapse1.weight", "1.synapse.weight"))

    def spike(u):
        s = (u >= 1).to(u.dtype)
        slope = 1 / (1 + (torch.pi * (u - 1)) ** 2)
        return s + (u - u.detach()) * slope.detach()

    m, s, out, total = torch.zeros(4, 8, dtype=x.dtype), torch.zeros(4, 8, dtype=x.dtype), torch.zeros(4, 3, dtype=x.dtype), 0
    for t in range(5):
        u = 0.8 * m + x[t] @ w.t() + s @ r.t()
        s = spike(u)
        m = u - s
        out = 0.9 * out + s @ v.t()
        total = total + (out ** 2).sum()
    total.backward()
    for mine, theirs in ((names["0.synapse.weight"], w), (names["0.synapse1.weight"], r), (names["1.synapse.weight"], v)):
        assert torch.allclose(mine.grad, theirs.grad, rtol=1e-10, atol=1e-10) and theirs.grad.abs().sum() > 0


def test_data_of_ones_own_are_asked_for_again(recipe, tmp_path):
    torch.manual_seed(3)
    x, y = torch.rand(60, 1, 28, 28), torch.arange(60) % 10
    data = {"train": (x[:40], y[:40]), "test": (x[40:], y[40:])}
    run = st.train(recipe, {"epochs": 1, "data.batch": 20}, data=data, out=tmp_path / "run")
    loaded = st.load(tmp_path / "run")
    with pytest.raises(st.UsageError, match="give them again"):
        loaded.evaluate()
    assert loaded.evaluate(data=data)["samples"] == 20 and run.evaluate()["loss"] == loaded.evaluate(data=data)["loss"]


def test_data_sets_travel_to_workers():
    data = st.datasets.glyphs(train_size=40)
    other = pickle.loads(pickle.dumps(data))
    assert torch.equal(data[3][0], other[3][0])
    loader = torch.utils.data.DataLoader(data, batch_size=20, num_workers=1, multiprocessing_context="spawn", collate_fn=data.collate)
    assert [tuple(x.shape) for x, _ in loader] == [(20, 1, 28, 28)] * 2


def test_events_of_whole_numbers_collate():
    numpy = pytest.importorskip("numpy")
    events = numpy.zeros(3, dtype=[("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    events["t"] = [0, 5, 9]
    data = st.datasets.Events([(events, 0), (events, 1)], (4, 4, 2), 3)
    x, y = next(iter(torch.utils.data.DataLoader(data, batch_size=2, collate_fn=data.collate)))
    assert x.shape == (3, 2, 2, 4, 4) and y.tolist() == [0, 1]
    with pytest.raises(st.UsageError, match="whole microseconds"):
        st.datasets.frames({"x": [0, 1], "t": numpy.array([0.0, 0.5])}, (4, 4, 2), 3)


def test_modules_of_others_are_no_neurons():
    with pytest.raises(st.UsageError, match="st.compat"):
        st.Network("8-3", input_shape=(5,), neuron=torch.nn.ReLU())


def test_numbers_of_numpy_and_torch_are_options(recipe):
    numpy = pytest.importorskip("numpy")
    for leak in (numpy.float32(0.5), torch.tensor(0.5), numpy.float64(0.5)):
        assert st.Network("4-2", input_shape=(3,), neuron=st.lif(leak=leak)).config()
    assert st.resolve(recipe, {"epochs": numpy.int64(3), "neuron.tau_m": torch.tensor(4.0)})["epochs"] == 3


def test_memory_is_kept_unless_told_otherwise():
    import subprocess
    import sys

    code = ("import spiketrain._process as p\n"
            "class Core:\n    def keep_memory(self): print('kept')\n"
            "p.settle(Core())")
    run = lambda **e: subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **e}).stdout
    assert "kept" in run() and "kept" not in run(SPIKETRAIN_KEEP_MEMORY="0")
