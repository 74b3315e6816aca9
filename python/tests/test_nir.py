"""NIR from Python: the library's golden graphs, round trips, and the reference reader and peers where they are installed."""
import copy
import pickle

import pytest
from conftest import ROOT, require

import spiketrain as st
import torch


def net_of():
    return st.Network("6C3p1-AP2-8-3", input_shape=(2, 6, 6), neuron=st.lif(leak=0.9, strict=True, reset="hard"), linear_scale=3.0, conv_scale=3.0).eval()


def test_round_trip(tmp_path):
    net = net_of()
    notes = net.to_nir(tmp_path / "net.nir", fold=False)
    other = st.from_nir(tmp_path / "net.nir").eval()
    x = torch.rand(6, 4, 2, 6, 6)
    assert torch.equal(net(x), other(x)) and net(x).sum() > 0
    assert isinstance(notes, list) and other.dt == pytest.approx(1e-4) and all(isinstance(n, str) for n in other.notes)
    other.train()(x).sum().backward()
    assert all(p.grad is not None for p in other.parameters())


def test_a_committed_graph():
    found = sorted((ROOT / "golden" / "nir").glob("*.nir"))
    good = [f for f in found if not f.name.startswith("bad_")]
    assert good
    for file in good:
        net = st.from_nir(file, dt=1e-4, double=True).eval()
        assert net(torch.zeros(3, 2, *net.input_shape, dtype=torch.float64)).shape[:2] == (3, 2)
    for file in found:
        if file.name.startswith("bad_"):
            with pytest.raises((st.DataError, st.UsageError)):
                st.from_nir(file)


def test_errors(tmp_path):
    with pytest.raises(st.DataError):
        st.from_nir(tmp_path / "none.nir")
    (tmp_path / "text.nir").write_text("no graph")
    with pytest.raises(st.DataError, match="text.nir"):
        st.from_nir(tmp_path / "text.nir")
    with pytest.raises(st.UsageError, match="neuron psp_lif: NIR has no such neuron"):
        st.Network("8-3", input_shape=(5,), neuron=st.neurons.psp_lif(), rule="tssl_bp").to_nir(tmp_path / "psp.nir")


def test_the_step_stays_with_the_network(tmp_path):
    net_of().to_nir(tmp_path / "a.nir", dt=0.002)
    net = st.from_nir(tmp_path / "a.nir")
    net.save(tmp_path / "a.safetensors")
    others = [copy.deepcopy(net), pickle.loads(pickle.dumps(net)), st.Network.load(tmp_path / "a.safetensors"), st.Network.from_config(net.config())]
    for other in [net, *others]:
        assert other.dt == 0.002
        other.to_nir(tmp_path / "b.nir")
        assert st.from_nir(tmp_path / "b.nir").dt == 0.002
    assert others[0].notes == others[1].notes == net.notes != []
    own = net_of()
    assert own.dt is None and own.notes == []
    own.dt = 0.5
    assert copy.deepcopy(own).dt == 0.5
    with pytest.raises(st.UsageError, match="dt"):
        own.dt = -1


@pytest.mark.parametrize("option, value", [("dt", "x"), ("dt", -1), ("dt", True), ("reset", 3), ("reset", "bogus"), ("order", "bogus"),
                                           ("surrogate_scale", -1), ("surrogate", "bogus"), ("reset_delay", 1)])
def test_options_of_the_wrong_kind(tmp_path, option, value):
    net_of().to_nir(tmp_path / "net.nir")
    with pytest.raises(st.UsageError, match=option if option != "surrogate" else "bogus"):
        st.from_nir(tmp_path / "net.nir", **{option: value})
    with pytest.raises(st.UsageError, match="dt"):
        net_of().to_nir(tmp_path / "other.nir", dt="x")


def test_the_reference_reader_takes_our_graphs(tmp_path):
    nir = require("nir")
    net_of().to_nir(tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    assert {type(n).__name__ for n in graph.nodes.values()} >= {"Input", "Output", "Conv2d", "LIF"}


def test_snntorch_gives_our_spikes(tmp_path):
    require("nir")
    snn = require("snntorch.import_nir")
    nir = require("nir")
    net = st.Network("20-10", input_shape=(5,), neuron=st.lif(leak=0.9, strict=True, reset="hard"), linear_scale=4.0).eval()
    net.to_nir(tmp_path / "net.nir")
    theirs = snn.import_from_nir(nir.read(tmp_path / "net.nir"))
    x = torch.rand(12, 1, 5)
    state, out = None, []
    for t in range(12):
        y, state = theirs(x[t], state)
        out.append(y)
    ours = net(x)
    assert ours.sum() > 0 and torch.equal(torch.stack(out).detach(), ours)
