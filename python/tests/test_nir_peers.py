"""NIR graphs between this library and others, where they are installed: each side's spikes from the other side's file."""
import contextlib
import io
import warnings

import pytest
from conftest import require

import spiketrain as st
import torch

STEPS = 30
NETWORKS = {
    "lif": lambda: st.Network("20-10", input_shape=(5,), neuron=st.lif(leak=0.9, strict=True, reset="hard"), linear_scale=4.0),
    "cuba_lif": lambda: st.Network("20-10", input_shape=(5,), neuron=st.neurons.cuba_lif(leak_syn=0.6, leak=0.9, strict=True, reset="hard"),
                                   linear_scale=4.0),
    "if": lambda: st.Network("20-10", input_shape=(5,), neuron=st.neurons.if_(strict=True, reset="hard"), linear_scale=2.0),
    "convolutions": lambda: st.Network("6C3p1-AP2-20-10", input_shape=(2, 8, 8), neuron=st.lif(leak=0.9, strict=True, reset="hard"),
                                       linear_scale=4.0, conv_scale=4.0),
}


def snntorch(graph):
    return require("snntorch.import_nir").import_from_nir(graph)


def norse(graph):
    return require("norse.torch").from_nir(graph, dt=1e-4)


def spikingjelly(graph):
    return require("spikingjelly.activation_based.nir_exchange").import_from_nir(graph, dt=1e-4)


def steps_of(module, x):
    state, out = None, []
    with torch.no_grad():
        for frame in x:
            y = module(frame, state)
            y, state = y if isinstance(y, tuple) else (y, None)
            out.append(y[0] if isinstance(y, tuple) else y)
    return torch.stack(out)


@contextlib.contextmanager
def quiet():
    """Some of them print every number of a layer."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("peer", [snntorch, norse, spikingjelly], ids=lambda f: f.__name__)
def test_others_send_our_spikes(tmp_path, name, peer):
    nir = require("nir")
    if (name, peer) == ("if", snntorch):
        pytest.skip("snntorch refuses IF neurons whose r is not 1, and r is 1/dt")
    net = NETWORKS[name]().eval()
    net.to_nir(tmp_path / "net.nir")
    x = (torch.rand(STEPS, 1, *net.input_shape) < 0.4).float()
    ours = net(x)
    with quiet():
        theirs = steps_of(peer(nir.read(tmp_path / "net.nir")), x)
    assert ours.sum() > 0 and torch.equal(theirs.view(ours.shape), ours)


def test_we_send_the_spikes_of_spikingjelly(tmp_path):
    require("nir")
    exchange = require("spikingjelly.activation_based.nir_exchange")
    from spikingjelly.activation_based import layer, neuron

    net = torch.nn.Sequential(layer.Linear(5, 20), neuron.LIFNode(tau=3.0, v_threshold=0.4), layer.Linear(20, 10), neuron.IFNode(v_threshold=0.3))
    x = (torch.rand(STEPS, 1, 5) < 0.5).float()
    with quiet():
        exchange.export_to_nir(net, x[0], tmp_path / "net.nir", dt=1e-4)
        theirs = torch.stack([net(frame) for frame in x]).detach()
    ours = st.from_nir(tmp_path / "net.nir", threshold="at").eval()(x)
    assert theirs.sum() > 0 and torch.equal(ours, theirs)


def test_we_send_the_spikes_of_snntorch(tmp_path):
    nir = require("nir")
    export = require("snntorch.export_nir")
    import snntorch as snn

    net = torch.nn.Sequential(torch.nn.Linear(5, 20), snn.Leaky(beta=torch.full((20,), 0.9), threshold=torch.full((20,), 0.6), reset_mechanism="zero", init_hidden=True),
                              torch.nn.Linear(20, 10), snn.Leaky(beta=torch.full((10,), 0.8), threshold=torch.full((10,), 0.4), reset_mechanism="zero", init_hidden=True))
    x = (torch.rand(STEPS, 1, 5) < 0.5).float()
    with quiet():
        graph = export.export_to_nir(net, x[0, 0])
        nir.write(tmp_path / "net.nir", graph)
        for module in net:
            if isinstance(module, snn.Leaky):
                module.reset_mem()
        theirs = torch.stack([net(frame) for frame in x]).detach()
    ours = st.from_nir(tmp_path / "net.nir").eval()(x)
    assert theirs.sum() > 0 and torch.equal(ours.view(theirs.shape), theirs)


def test_we_send_the_spikes_of_norse(tmp_path):
    nir = require("nir")
    norse_torch = require("norse.torch")
    # to_nir takes tau_mem_inv for a decay per step: a cell with another dt than 1 is written with a time constant that it does not have
    p = norse_torch.LIFBoxParameters(tau_mem_inv=torch.full((20,), 0.1), v_th=torch.full((20,), 0.3), v_leak=torch.zeros(20), v_reset=torch.zeros(20))
    net = norse_torch.SequentialState(torch.nn.Linear(5, 20), norse_torch.LIFBoxCell(p, dt=1))
    x = (torch.rand(STEPS, 1, 5) < 0.5).float() * 4
    with quiet():
        nir.write(tmp_path / "net.nir", norse_torch.to_nir(net, x[0, 0], dt=0.001))
        theirs = steps_of(net, x)
    ours = st.from_nir(tmp_path / "net.nir", dt=0.001).eval()(x)
    assert theirs.sum() > 0 and torch.equal(ours, theirs)


def test_snn_mlir_reads_our_layers(tmp_path):
    require("nir")
    mlir = require("snn_mlir")
    NETWORKS["convolutions"]().to_nir(tmp_path / "net.nir")
    kinds = [type(layer).__name__ for layer in mlir.parse_graph(tmp_path / "net.nir")]
    assert kinds == ["ConvInfo", "LIFInfo", "SumPool2dInfo", "FlattenInfo", "LinearInfo", "LIFInfo", "LinearInfo", "LIFInfo"]
    assert "snn.lif" in mlir.to_mlir(tmp_path / "net.nir")


def test_frames_are_tonics():
    transforms = require("tonic.transforms")
    numpy = require("numpy")
    draw = numpy.random.default_rng(1)
    events = numpy.zeros(4000, dtype=[("x", numpy.int16), ("y", numpy.int16), ("t", numpy.int64), ("p", bool)])
    events["x"], events["y"], events["p"] = draw.integers(0, 9, 4000), draw.integers(0, 7, 4000), draw.integers(0, 2, 4000)
    events["t"] = numpy.sort(draw.integers(0, 100000, 4000))
    events["t"][0], events["t"][-1] = 0, 100000
    theirs = transforms.ToFrame(sensor_size=(9, 7, 2), time_window=10000)(events)
    ours = st.datasets.frames(events, (9, 7, 2), 10, dt_us=10000, clip=255)
    assert ours.shape == (10, 2, 7, 9) and torch.equal(ours.long(), torch.from_numpy(theirs[:10].astype("int64")))
