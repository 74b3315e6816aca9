"""spiketrain.private without encryption: networks in whole numbers, client and server, messages, and the command."""
import json
import subprocess
import sys

import pytest
from conftest import ROOT

import spiketrain as st
import torch
from spiketrain import private
from spiketrain.private.__main__ import main, network_of


def recipe(spec="4C5s2-AP2-6C3p1-20-10", **more):
    made = {"seed": 1, "steps": 4, "epochs": 1, "data": {"name": "glyphs", "train_size": 300, "test_size": 60, "batch": 50, "mean": [0.0], "std": [1.0]},
            "encoder": {"name": "constant_current", "leak": 0.5, "threshold": 0.3},
            "network": st.networks.spec(spec=spec, bias=True, conv_init="kaiming_normal"), "neuron": st.lif(leak=0.5, threshold=0.3),
            "readout": st.leaky_readout(leak=1), "rule": st.bptt(), "objective": st.objectives.rate_ce(), "optimizer": st.optimizers.adamw(lr=2e-3)}
    made.update(more)
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return st.train(recipe(), out=tmp_path_factory.mktemp("private") / "run")


@pytest.fixture(scope="module")
def parts(run):
    return private.split_run(run, bits=5, samples=50)


@pytest.fixture(scope="module")
def samples(run):
    """Encoded test samples [T,3,*]."""
    found = []

    def look(x, steps):
        found.append(x)
        return torch.zeros(steps, x.shape[1], 10)

    private.evaluate(run, look, limit=3)
    return torch.cat(found, 1)


def whole_weights(net, bits=8, exponent=-6):
    """Weights that are multiples of a power of two, the largest as large as so many bits can say: rounding them changes nothing."""
    for name, p in net.named_parameters():
        if name.endswith("weight"):
            most = 2 ** (bits - 1) - 1
            q = torch.randint(-most, most + 1, p.shape).float()
            q.flatten()[0] = most
            p.data.copy_(q * 2.0 ** exponent)
        else:
            p.data.copy_(torch.randint(-20, 20, p.shape).float() * 2.0 ** exponent)


def sent(answer, x, steps):
    """{layer: what it sends, in all steps}, and the output"""
    seen = {}
    out = answer(x, steps, lambda k, values: seen.setdefault(k, []).append(values))
    return {k: torch.cat(v) for k, v in seen.items()}, out


def test_not_loaded_unless_asked_for():
    code = "import sys, spiketrain; print([m for m in sys.modules if 'tenseal' in m or 'private' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["[]"]


@pytest.mark.parametrize("spec,shape", [("4C5s2-P2-6C3p1-20-10", (1, 20, 20)), ("4C3-AP2-AP2-6C3p1-10", (2, 19, 15)), ("30-20-10", (50,)),
                                        ("4C3-AP2-20-10", (3, 9, 9)), ("6C3p1-AP2-GAP-10", (1, 16, 16))])
@pytest.mark.parametrize("neuron", [st.lif(leak=0.5), st.lif(leak=0.25, reset="hard", per="channel", learn_leak=True), st.neurons.alif(leak=0.5)],
                         ids=["lif", "plif", "alif"])
def test_whole_numbers_are_the_network(spec, shape, neuron):
    """Where rounding changes no weight: every spike and output of the network, also behind windows that leave a rest."""
    net = st.Network(spec, input_shape=shape, neuron=neuron, readout=st.leaky_readout(), bias=True, pool_scale=0.5).double()
    whole_weights(net)
    x = (torch.rand(5, 3, *shape) < 0.4).double()
    parts = private.split(net, x, bits=8)
    layers = [layer.name for layer in parts.layers]
    net.eval().record(*(f"{name}.neuron.output" for name in layers))
    with torch.no_grad():
        expected = net(x)
    found, out = sent(private.Fixed(parts), x.float(), 5)
    assert torch.allclose(out, expected, rtol=0, atol=1e-9)
    for k, name in enumerate(layers[:-1]):
        spikes = net.records[f"{name}.neuron.output"]
        assert spikes.sum() > 0 and torch.equal(found[k], spikes.long())


@pytest.mark.parametrize("norm", ["none", "bn", "tdbn"])
def test_norms_are_folded(norm):
    """Pre-activations against the network's own, with the running statistics of a few batches; weights of 16 bits."""
    net = st.Network("6C3-AP2-10", input_shape=(2, 8, 8), neuron=st.lif(leak=0.5, threshold=0.7), norm=norm, bias=True, conv_init="kaiming_normal")
    x = (torch.rand(4, 6, 2, 8, 8) < 0.5).float()
    net.train()
    for _ in range(5):
        net(x)
    parts = private.split(net, x, bits=16)
    net.eval().record("0.neuron.I")
    with torch.no_grad():
        net(x)
    linear, layer = parts.linears[0], parts.layers[0]
    mine = linear(parts.first(x).flatten(0, 1)).double() * layer.scale
    assert torch.allclose(mine.view(4, 6, 6, 6, 6), net.records["0.neuron.I"].double(), atol=2e-3)
    weight = net.state_dict()["0.synapse.weight"].double()
    assert (norm == "none") == torch.allclose(linear.weight.double() * (layer.scale / parts.first.step), weight, atol=1e-3)


def test_counts_and_values():
    """Levels of mlf are sent as they are, ReLUs with digits exactly, others in so many bits, with a sign where there is one."""
    def senders(neuron, **options):
        net = st.Network("20-10", input_shape=(8,), neuron=neuron, readout=st.leaky_readout(), linear_scale=3.0)
        return private.split(net, torch.rand(3, 9, 8), **options).layers[0].send

    assert (lambda s: (s.step, s.low, s.high))(senders(st.neurons.mlf(levels=3))) == (1, 0, 3)
    assert (lambda s: (s.step, s.low, s.high))(senders(st.neurons.relu(ceiling=2, bits=3))) == (0.25, 0, 7)
    assert (lambda s: (s.step, s.low, s.high))(senders(st.neurons.relu(ceiling=2), value_bits=2)) == (2 / 3, 0, 3)
    real = senders(st.neurons.relu(), value_bits=4)
    assert (real.low, real.high) == (0, 15) and 0 < real.step < 1
    signed = senders(st.neurons.leaky_readout(), value_bits=4)
    assert (signed.low, signed.high) == (-7, 7)
    assert signed(torch.tensor([100.0, -100.0, 0.0])).tolist() == [7, -7, 0] and signed.cut == 2


def test_inputs_are_cut_to_what_was_seen():
    net = st.Network("10", input_shape=(4,), neuron=st.leaky_readout())
    counts = private.split(net, torch.tensor([[[0.0, 1, 3, 2]]])).first
    assert (counts.step, counts.low, counts.high) == (1, 0, 3)
    assert counts(torch.tensor([5.0, 3.0])).tolist() == [3, 3] and counts.cut == 1
    values = private.split(net, torch.tensor([[[-0.5, 1.0, 0.25, 0.0]]]), value_bits=8).first
    assert (values.low, values.high) == (-127, 127) and values.step == 1 / 127


def test_evaluated_as_the_engine_does(run):
    """The network itself in its own place has the engine's accuracy and predictions."""
    own = private.evaluate(run, network_of(run))
    assert own["accuracy"] == run.evaluate()["accuracy"]
    predictions = run.predict()
    assert torch.equal(own["targets"], predictions.targets) and torch.allclose(own["outputs"], predictions.outputs, atol=1e-4)
    some = private.evaluate(run, network_of(run), limit=7, batch=3)
    assert some["samples"].tolist() == run.predict(limit=7).samples.tolist()
    with pytest.raises(st.UsageError, match=r"expected an output \[4, 50, 10\]"):
        private.evaluate(run, lambda x, steps: torch.zeros(steps, x.shape[1], 9))
    with pytest.raises(ZeroDivisionError):
        private.evaluate(run, lambda x, steps: 1 / 0)


def test_more_bits_come_closer(run):
    limit = 60
    exact = private.evaluate(run, network_of(run), limit=limit)["outputs"]
    far = [float((private.evaluate(run, private.Fixed(private.split_run(run, bits=bits, samples=50)), limit=limit)["outputs"] - exact).abs().mean())
           for bits in (2, 6, 14)]
    assert far[0] > 3 * far[1] > 9 * far[2]


def test_no_wrap_from_the_bound_on(run, parts, samples):
    exact, out = sent(private.Fixed(parts), samples, 4)
    assert all(v.any() for v in exact.values())
    at_bound = private.Fixed(parts, parts.plain_modulus)
    same, also = sent(at_bound, samples, 4)
    assert torch.equal(out, also) and all(torch.equal(exact[k], same[k]) for k in exact)
    enough = at_bound.numbers.plain_modulus
    assert enough < parts.plain_modulus
    assert torch.equal(private.Fixed(parts, enough)(samples, 4), out)
    assert not torch.equal(private.Fixed(parts, enough - 1)(samples, 4), out)


@pytest.mark.parametrize("modulus", [None, 40])
def test_client_and_server_are_the_whole_numbers(parts, samples, modulus):
    """Through messages, with packing and masks: every value that is sent, below the cliff and beyond it."""
    t = modulus or parts.plain_modulus
    parameters = private.Parameters(1024, t)
    pair = private.Encrypted(parts, parameters, library="plain")
    expected, out = sent(private.Fixed(parts, t), samples[:, :1], 4)
    found, mine = sent(pair, samples[:, :1], 4)
    assert torch.equal(out, mine) and all(torch.equal(expected[k], found[k]) for k in expected)
    exact, _ = sent(private.Fixed(parts), samples[:, :1], 4)
    assert all(torch.equal(exact[k], found[k]) for k in exact) == (modulus is None)
    channel = pair.channel
    packings = [private.Packing(shape, 1024) for shape in parts.shapes]
    assert channel.rounds == len(parts.layers)
    assert channel.bytes_up == sum(14 + 4 * (4 + 8192) * p.inputs for p in packings)
    assert channel.bytes_down == sum(14 + 4 * (4 + 8192) * p.outputs for p in packings)


def test_windows(parts, samples):
    """Steps that are asked one by one, in twos and threes, or together: the same states, more rounds."""
    whole = private.Fixed(parts)(samples, 4)
    for window, rounds in [(1, 16), (2, 8), (3, 8), (9, 4)]:
        asked = []

        def ask(layer, x, asked=asked, numbers=private.FixedPoint(parts.linears)):
            asked.append(layer)
            return numbers.ask(layer, x)

        assert torch.equal(private.Client(parts.first, parts.layers, window)(samples, 4, ask), whole)
        assert len(asked) == rounds


def test_a_still_input_is_asked_once():
    net = st.Network("6-4", input_shape=(5,), neuron=st.lif(leak=0.5), readout=st.leaky_readout(), linear_scale=3.0)
    x = torch.rand(1, 3, 5)
    parts = private.split(net, x, steps=6, bits=12, value_bits=12)
    asked, numbers = [], private.FixedPoint(parts.linears)

    def ask(layer, x):
        asked.append((layer, len(x)))
        return numbers.ask(layer, x)

    out = private.Client(parts.first, parts.layers, 2)(x, 6, ask)
    assert asked == [(0, 3), (1, 6), (1, 6), (1, 6)]
    with torch.no_grad():
        assert torch.allclose(out, net.eval()(x[0], steps=6).double(), atol=0.05)


def chain(weights, **layer):
    """Server and greeted channel over plain polynomials of one fully connected layer."""
    linear = private.Linear(torch.tensor(weights).view(len(weights), -1, 1, 1), torch.arange(len(weights)), input=(len(weights[0]), 1, 1), **layer)
    parameters = private.Parameters(1024, 101)
    server = private.Server([linear], private.PlainEvaluator(parameters))
    return linear, server, private.PlainKeys(parameters)


def test_only_outputs_leave_the_server():
    """Where an answer holds no output there are random numbers, other ones each time; weights of zero are no special case."""
    linear, server, keys = chain([[3, -4], [0, 0]])
    answers = []
    channel = private.Channel(keys, [linear.shape], lambda message: answers.append(server.answer(message)) or answers[-1])
    x = torch.tensor([[1, 1]]).view(1, 2, 1, 1)
    assert channel.ask(0, x).flatten().tolist() == [-1, 1] and channel.ask(0, x).flatten().tolist() == [-1, 1]
    first, second = (torch.frombuffer(bytearray(a[18:]), dtype=torch.int64) for a in answers[1:])
    places = private.Packing(linear.shape, 1024).places().flatten()
    differ = first != second
    assert not bool(differ[places].any()) and int(differ.sum()) > 900
    assert float(first.double().mean()) == pytest.approx(50, abs=8)


def test_messages_are_checked():
    linear, server, keys = chain([[1, 2], [3, 4]])
    question = []
    x = torch.ones(2, 2, 1, 1, dtype=torch.int64)
    with pytest.raises(st.UsageError, match="after a greeting"):
        server.answer(b"stpr" + bytes(10))
    channel = private.Channel(keys, [linear.shape], lambda message: question.append(message) or server.answer(message))
    channel.ask(0, x)
    good = question[-1]
    for bad, why in [(b"", "at least 14 bytes"), (good[:13], "at least 14 bytes"), (b"x" + good[1:], "expected 1 ciphertexts"),
                     (good[:-1], "goes beyond the end"), (good + b"\0", "goes beyond the end"), (good[:14], "expected 2 ciphertexts, got 0"),
                     (good[:4] + b"\1\0" + good[6:], "layer below 1"), (good[:6] + b"\3" + good[7:], "expected 3 ciphertexts, got 2"),
                     (good[:6] + bytes(4) + good[10:], "0 groups"), (good[:18] + b"\xff" * 8 + good[26:], r"not in \[0, 101\)")]:
        with pytest.raises(st.DataError, match=why) as error:
            server.answer(bad)
        assert error.value.path == "message" and 0 <= error.value.byte_offset <= len(bad)
    rand = torch.Generator().manual_seed(1)
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(int(torch.randint(1, 4, (1,), generator=rand))):
            bad[int(torch.randint(0, len(bad), (1,), generator=rand))] = int(torch.randint(0, 256, (1,), generator=rand))
        cut = int(torch.randint(0, len(bad) + 1, (1,), generator=rand))
        for message in (bytes(bad), bytes(bad[:cut])):
            try:
                server.answer(message)
            except (st.DataError, st.UsageError):
                pass
    with pytest.raises(st.DataError, match="expected answers to 2 inputs, got 1"):
        private.Channel(keys, [linear.shape], lambda message: server.answer(good[:6] + b"\1" + good[7:14 + 4 + 8192]) if len(message) > 9000 else
                        server.answer(message)).ask(0, x)


def refused(match, spec="6C3-AP2-10", shape=(1, 8, 8), neuron=st.lif(leak=0.5), **options):
    net = st.Network(spec, input_shape=shape, neuron=neuron, **options)
    with pytest.raises(st.UsageError, match=match):
        private.split(net, torch.rand(2, 2, *shape))


def test_refusals():
    refused("maximum pooling is not linear", "6C3-MP2-10")
    refused("second input", "20R-10", (8,))
    refused("norm relu", norm="relu")
    refused("filtered spikes", neuron=st.neurons.psp_lif(), rule="tssl_bp")
    refused("stage taps cannot be evaluated", "20-10", (8,), longest_delay=3)
    refused("reads another node|second input", "6C3-RB6-10")
    events = st.Network(st.networks.event(hidden=[6]), input_shape=(4,), output_shape=(3,))
    with pytest.raises(st.UsageError, match="stage event_lif cannot be evaluated"):
        private.split(events, torch.rand(2, 2, 4))
    net = st.Network("10", input_shape=(4,))
    for options in (dict(bits=1), dict(bits=17), dict(bits=2.5), dict(value_bits=True)):
        with pytest.raises(st.UsageError, match="whole bits from 2 to 16"):
            private.split(net, torch.rand(2, 2, 4), **options)
    with torch.no_grad():
        next(net.parameters())[0, 0] = float("nan")
    with pytest.raises(st.NumericError, match="not finite"):
        private.split(net, torch.ones(2, 2, 4))


def test_parameters_below_128_bits_are_refused():
    for args, why in [((512, 17), "expected a ring degree of 1024"), ((2048, 17, (55,)), "less than 128 bits of security; expected at most 54"),
                      ((4096, 17, (50, 60)), "less than 128 bits"), ((2048, 1), "plain modulus from 2"), ((2048, 2 ** 60), "plain modulus from 2")]:
        with pytest.raises(st.UsageError, match=why):
            private.Parameters(*args)
    assert private.Parameters(4096, 17, (49, 60)).coefficient_bits == (49, 60)


def test_pairs_are_checked(run, parts):
    with pytest.raises(st.UsageError, match="seal or plain"):
        private.Encrypted(parts, private.Parameters(1024, 17), library="paper")
    with pytest.raises(st.UsageError, match="window"):
        private.Encrypted(parts, private.Parameters(1024, 17), library="plain", window=-1)
    with pytest.raises(st.UsageError, match="expected a Run"):
        private.split_run(run.network)
    with pytest.raises(st.UsageError, match="at least one sample"):
        private.split_run(run, samples=0)


def test_predictions_that_leave_out_steps_are_refused(tmp_path):
    late = st.train(recipe("20-10", schedule={"name": "last_steps", "live": 2, "predict": "scored"}))
    with pytest.raises(st.UsageError, match="leave out steps"):
        private.split_run(late)
    windows = st.train(recipe("20-10", schedule={"name": "truncated", "window": 2}))
    assert private.evaluate(windows, network_of(windows))["accuracy"] == windows.evaluate()["accuracy"]


def test_without_the_library(run, parts, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tenseal", None)
    monkeypatch.setitem(sys.modules, "tenseal.sealapi", None)
    with pytest.raises(st.UsageError, match="pip install tenseal"):
        private.choose(parts)
    with pytest.raises(st.UsageError, match="pip install tenseal"):
        private.Encrypted(parts, private.Parameters(2048, 1000))
    assert main([str(run.path)]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and "pip install tenseal" in err[0]


def test_the_command(run, tmp_path, capsys):
    command = [str(run.path), "--images", "0", "--bits", "5", "--calibrate", "50"]
    assert main([*command, "--sweep", "3,100000"]) == 0
    text = capsys.readouterr().out
    assert "modulo 3  accuracy" in text and "from" in text and "encrypted" not in text
    assert main([*command, "--sweep", "3,100000", "--json", "--samples", "20"]) == 0
    told = json.loads(capsys.readouterr().out)
    parts = private.split_run(run, bits=5, samples=50)
    assert told["enough"]["for_any_input"] == parts.plain_modulus and told["samples"] == 20
    assert told["sweep"][1]["accuracy"] == told["whole_numbers"]["accuracy"] and "encrypted" not in told
    assert [row["layer"] for row in told["layers"]] == ["0 4C5s2", "2 6C3p1", "3 20", "4 10"]
    for bad, code in [([str(tmp_path / "none")], 2), ([*command, "--bits", "1"], 2), ([*command, "--checkpoint", "none.safetensors"], 2)]:
        assert main(bad) == code
        assert len(capsys.readouterr().err.splitlines()) == 1
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes((run.path / "ckpt" / "best.safetensors").read_bytes()[:-100])
    assert main([str(damaged), "--images", "0"]) == 3
    for bad in (["--images", "x"], ["--bits", "-3"], ["--overflow", "maybe"], []):
        with pytest.raises(SystemExit) as error:
            main([str(run.path), *bad] if bad else [])
        assert error.value.code == 2
    with pytest.raises(SystemExit) as error:
        main(["--help"])
    assert error.value.code == 0


def test_the_table_tool(run):
    def tool(*arguments):
        return subprocess.run([sys.executable, str(ROOT / "tools" / "private_table.py"), *arguments], capture_output=True, text=True)

    done = tool("--samples", "20", "--moduli", "3,100000", f"net=5/8:{run.path},{run.path}")
    head, _, row = (line.strip("| ").split(" | ") for line in done.stdout.splitlines())
    assert head[:4] == ["network", "weights, values (bits)", "itself", "whole numbers"] and head[-2:] == ["t = 3", "t = 100000"]
    assert row[:2] == ["net", "5, 8"] and row[3] == row[-1] and row[3].endswith("+- 0.00")
    for bad, code, why in [("net=5:run", 2, "BITS/VALUE_BITS"), (f"net=1/8:{run.path}", 1, "whole bits from 2 to 16"), ("net=5/8:none", 1, "no run directory")]:
        done = tool(bad)
        assert done.returncode == code and why in done.stderr.splitlines()[-1]
