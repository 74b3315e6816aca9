"""spiketrain.private with encryption (TenSEAL): arithmetic on ciphertexts, noise, the overflow of the plain modulus, who holds what."""
import json

import pytest
from conftest import require
from test_private import recipe, sent
from test_private_packing import centred, cliff_layer, record

import spiketrain as st
import torch
from spiketrain import private
from spiketrain.private.__main__ import main
from spiketrain.private.ring import multiply

require("tenseal")
from spiketrain.private import seal  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return st.train(recipe(), out=tmp_path_factory.mktemp("encrypted") / "run")


@pytest.fixture(scope="module")
def parts(run):
    return private.split_run(run, bits=5, samples=50)


@pytest.fixture(scope="module")
def sample(run):
    """An encoded test sample [T,1,*]."""
    found = []
    private.evaluate(run, lambda x, steps: found.append(x) or torch.zeros(steps, 1, 10), limit=1)
    return found[0]


@pytest.mark.parametrize("degree,modulus", [(1024, 2), (1024, 17), (2048, 1000), (2048, 2 ** 20), (4096, 12289), (4096, 2 ** 33 + 1)])
def test_arithmetic(degree, modulus):
    """decrypt(encrypt(m)) = m;  E(a) p + E(b) r + c modulo X^n + 1 and t, also where nothing but the plain polynomial is left."""
    parameters = private.Parameters(degree, modulus)
    keys, server = seal.SealKeys(parameters), seal.SealEvaluator(parameters)
    server.take(keys.public())
    for _ in range(3):
        a, b, c = (torch.randint(0, modulus, (degree,)) for _ in range(3))
        values, fresh = keys.decrypt(keys.encrypt(a))
        assert torch.equal(values, a) and fresh > 0
        p, r = torch.zeros(degree, dtype=torch.int64), torch.randint(-4, 5, (degree,))
        p[torch.randint(0, degree, (20,))] = -1
        if degree == 1024:  # what its 27 bits leave room for
            r = p.roll(5)
        answer = server.combine([server.load(keys.encrypt(x)) for x in (a, b)], [server.weights(p), server.weights(r)], c)
        values, budget = keys.decrypt(answer)
        assert torch.equal(values, (multiply(a, p, modulus) + multiply(b, r, modulus) + c) % modulus)
        assert budget <= fresh
    nothing = server.combine([server.load(keys.encrypt(a))], [server.weights(modulus * p)], c)
    assert torch.equal(keys.decrypt(nothing)[0], c)


def test_noise_keeps_the_bound():
    """The measured budget of answers is never below what choose() counts on."""
    for degree, modulus, size in [(1024, 4, 3), (2048, 5000, 40), (2048, 2 ** 20, 500), (4096, 2 ** 24, 3000)]:
        layer = private.Linear(torch.randint(-size, size + 1, (8, 300, 1, 1)), torch.zeros(8), input=(300, 1, 1), high=1)
        parts = private.Split([layer], None, [], 8, 8)
        parameters = private.Parameters(degree, modulus)
        guaranteed, = private.spare_bits(parts, parameters)
        server = private.Server([layer], seal.SealEvaluator(parameters))
        channel = private.Channel(seal.SealKeys(parameters), [layer.shape], server.answer)
        x = torch.randint(0, 2, (2, 300, 1, 1))
        assert torch.equal(channel.ask(0, x), centred(layer(x), modulus))
        assert 0 < guaranteed - 1 <= channel.budgets[0] <= guaranteed + 14


def test_too_much_noise_is_an_error():
    """Not a wrong answer: parameters that choose() refuses, taken by force."""
    layer = private.Linear(torch.full((4, 500, 1, 1), 1000), torch.zeros(4), input=(500, 1, 1))
    parts = private.Split([layer], None, [], 8, 8)
    with pytest.raises(st.UsageError, match=r"ring degree 1024 lacks \d+\.\d bits for the noise of layer 0"):
        private.choose(parts, ring_degree=1024)
    parameters = private.Parameters(1024, layer.plain_modulus)
    server = private.Server([layer], seal.SealEvaluator(parameters))
    channel = private.Channel(seal.SealKeys(parameters), [layer.shape], server.answer)
    with pytest.raises(st.NumericError, match="noise is as large as the values"):
        channel.ask(0, torch.ones(1, 500, 1, 1, dtype=torch.int64))


def test_golden_cliff_on_ciphertexts():
    r = record("bfv_plain_modulus_cliff")
    for k, t in enumerate(r["t"].tolist()):
        for column, (name, exact) in enumerate([("x", "exact"), ("spikes", "exact_spikes")]):
            layer, x = cliff_layer(r[name], r)
            parameters = private.Parameters(1024, t)
            server = private.Server([layer], seal.SealEvaluator(parameters))
            y = private.Channel(seal.SealKeys(parameters), [layer.shape], server.answer).ask(0, x).flatten()
            assert torch.equal(y, r["modular"][k] if name == "x" else centred(r[exact], t))
            assert bool(torch.equal(y, r[exact])) == bool(r["right"][k, column])


@pytest.mark.parametrize("network", ["spiking", "relu"])
def test_encrypted_is_the_whole_numbers(network, parts, sample):
    """Every value that is sent: below the cliff the exact whole numbers, beyond it those modulo t, which differ."""
    steps = 4
    if network == "relu":
        net = st.Network("4C5s2-AP2-20-10", input_shape=(1, 28, 28), neuron=st.neurons.relu(), readout=st.leaky_readout(leak=0), bias=True)
        sample, steps = torch.rand(1, 1, 1, 28, 28), 1
        parts = private.split(net, sample, bits=6, value_bits=6)
    exact, out = sent(private.Fixed(parts), sample, steps)
    assert all(v.any() for v in exact.values())
    pair = private.Encrypted(parts, private.choose(parts))
    found, mine = sent(pair, sample, steps)
    assert torch.equal(out, mine) and all(torch.equal(exact[k], found[k]) for k in exact)
    assert min(pair.channel.budgets) >= min(private.spare_bits(parts, pair.parameters)) - 1 > 0
    t = private.Fixed(parts)
    t(sample, steps)
    small = t.numbers.plain_modulus // 4
    with pytest.warns(UserWarning, match=f"with plain modulus {small} results can wrap around; from {parts.plain_modulus} on none can"):
        parameters = private.choose(parts, plain_modulus=small, overflow="warn")
    found, mine = sent(private.Encrypted(parts, parameters), sample, steps)
    modular, expected = sent(private.Fixed(parts, small), sample, steps)
    assert torch.equal(expected, mine) and all(torch.equal(modular[k], found[k]) for k in exact)
    assert not all(torch.equal(exact[k], found[k]) for k in exact)


def test_as_a_stream(parts, sample):
    together, stream = (private.Encrypted(parts, private.choose(parts), window=w) for w in (0, 1))
    assert torch.equal(together(sample, 4), stream(sample, 4))
    assert (together.channel.rounds, stream.channel.rounds) == (4, 16)


def test_choices(parts):
    parameters = private.choose(parts)
    assert parameters.plain_modulus == parts.plain_modulus and min(private.spare_bits(parts, parameters)) > 0
    assert private.choose(parts, ring_degree=4096).ring_degree == 4096
    with pytest.raises(st.UsageError, match=f"with plain modulus 100 results can wrap around; from {parts.plain_modulus} on none can"):
        private.choose(parts, plain_modulus=100)
    with pytest.raises(st.UsageError, match="refuse or warn"):
        private.choose(parts, overflow="ignore")
    with pytest.raises(st.UsageError, match="give both"):
        private.choose(parts, coefficient_bits=(54,))
    with pytest.raises(st.UsageError, match="less than 128 bits of security"):
        private.choose(parts, ring_degree=2048, coefficient_bits=(60,))
    assert private.choose(parts, ring_degree=2048, coefficient_bits=(50,)).coefficient_bits == (50,)
    big = private.Split([private.Linear(torch.ones(1, 1, 3, 3, dtype=torch.int64), torch.zeros(1), input=(1, 40, 40))], None, [], 8, 8)
    assert private.choose(big).ring_degree == 2048
    with pytest.raises(st.UsageError, match="40 x 40 pixels does not fit 1024"):
        private.choose(big, ring_degree=1024)


def reachable(thing, seen=None):
    """Every object that can be reached from one through attributes and containers."""
    seen = {} if seen is None else seen
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type(None), type)):
        return seen
    seen[id(thing)] = thing
    inner = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    if isinstance(thing, dict):
        inner += list(thing.values())
    elif isinstance(thing, (list, tuple, set)):
        inner += list(thing)
    if hasattr(thing, "__self__"):
        inner.append(thing.__self__)
    for each in inner:
        reachable(each, seen)
    return seen


def test_who_holds_what(parts):
    """The server reaches no key; the client, its keys and packings reach no weight (its neurons' ones have one element a neuron)."""
    sealapi = seal.library()
    pair = private.Encrypted(parts, private.choose(parts))
    secret = (sealapi.SecretKey, sealapi.Decryptor, sealapi.KeyGenerator, seal.SealKeys)
    assert not [o for o in reachable(pair.server).values() if isinstance(o, secret)]
    pair.channel._send = None  # the way to the server, which may be a connection to elsewhere
    mine = [*reachable(pair.client).values(), *reachable(pair.channel).values()]
    assert [o for o in mine if isinstance(o, secret)]
    assert not [o for o in mine if isinstance(o, (private.Linear, private.Server))]
    tensors = [o for o in mine if isinstance(o, torch.Tensor)]
    assert tensors and all(t.numel() in {torch.Size(layer.shape).numel() for layer in parts.layers} | {1} for t in tensors)


def test_damaged_ciphertexts(parts, sample):
    """DataError, or numbers that mean nothing: never a crash."""
    pair = private.Encrypted(parts, private.choose(parts))
    layer = pair.client.layers[0]
    kept = []
    send = pair.channel._send
    pair.channel._send = lambda message: kept.append(message) or send(message)
    pair.channel.ask(0, layer.view(pair.client.first(sample[:1])).flatten(0, 1))
    good = kept[0]
    rand = torch.Generator().manual_seed(1)
    refused = 0
    for k in range(200):
        bad = bytearray(good)
        for _ in range(1 + k % 3):
            bad[int(torch.randint(14, 200 if k % 2 else len(bad), (1,), generator=rand))] = int(torch.randint(0, 256, (1,), generator=rand))
        try:
            pair.server.answer(bytes(bad))
        except st.DataError:
            refused += 1
    assert refused > 50
    for bad in (good[:18] + b"\0" * 16 + good[34:], b"stpr\xff\xff\1\0\0\0\1\0\0\0" + b"\4\0\0\0junk"):
        with pytest.raises(st.DataError, match="message, byte 14"):
            pair.server.answer(bad)


def test_answers_are_encrypted_anew(parts, sample):
    """The same question has answers that share neither polynomial: what the client sent does not show in them."""
    pair = private.Encrypted(parts, private.choose(parts))
    kept, send = [], pair.channel._send
    pair.channel._send = lambda message: kept.append(send(message)) or kept[-1]
    x = pair.client.layers[0].view(pair.client.first(sample[:1])).flatten(0, 1)
    asked = pair.channel.keys.encrypt
    fixed = {}
    pair.channel.keys.encrypt = lambda values: fixed.setdefault(tuple(values.tolist()), asked(values))
    assert torch.equal(pair.channel.ask(0, x), pair.channel.ask(0, x))
    first, second = kept
    same = sum(a == b for a, b in zip(first[200:], second[200:])) / len(first)
    assert same < 0.05


def test_the_command_encrypts(run, capsys):
    command = [str(run.path), "--bits", "5", "--calibrate", "50", "--samples", "5", "--images", "1"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "128 bits of security" in text and "0 from exact whole numbers" in text and "sees every pre-activation" in text
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["encrypted"]
    assert told["different"] == {"modulo_t": 0, "exact": 0} and told["not_zero"] > 0 and told["rounds"] == 4
    assert told["bytes_up"] > 10000 and sum(told["coefficient_bits"]) <= private.SECURE_BITS[told["ring_degree"]]
    assert all(measured >= guaranteed - 1 for measured, guaranteed in zip(told["noise_budgets"], told["guaranteed_budgets"]))
    assert main([*command, "--json", "--plain-modulus", "20", "--overflow", "warn"]) == 0
    told, err = capsys.readouterr()
    told = json.loads(told)["encrypted"]
    assert told["different"]["modulo_t"] == 0 and told["different"]["exact"] > 0 and told["plain_modulus"] == 20
    assert err.startswith("spiketrain: warning: private: with plain modulus 20 results can wrap around") and err.count("\n") == 1
    assert main([*command, "--plain-modulus", "20"]) == 2
    assert main([*command, "--ring-degree", "2048", "--coefficient-bits", "60"]) == 2
    assert main([*command, "--ring-degree", "512"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3 and "wrap around" in errors[0] and "128 bits of security" in errors[1] and "ring degree" in errors[2]
