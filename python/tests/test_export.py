"""C and ONNX from Python: the command line's files, C that runs, graphs that onnxruntime steps through."""
import shutil
import subprocess

import pytest
from conftest import require

import spiketrain as st
import torch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "run"
    return st.train({**small_recipe(), "epochs": 1}, out=out)


def small_recipe():
    return {"seed": 1, "steps": 4, "data": {"name": "glyphs", "train_size": 300, "test_size": 60, "batch": 50},
            "network": st.networks.spec(spec="4C5-P2-20-10"), "neuron": st.lif(leak=0.5), "rule": st.bptt(),
            "objective": st.objectives.rate_ce(), "optimizer": st.optimizers.adamw(lr=2e-3)}


def body(path):
    """A file without the comment that says where the weights are from."""
    return [line for line in path.read_text().splitlines() if " as f32" not in line and " as q7" not in line]


@pytest.mark.parametrize("type", ["f32", "q7"])
def test_c_is_the_command_lines(tmp_path, run, cli, type):
    run = st.load(run.path, checkpoint="last")
    told = run.to_c(tmp_path / "own", type, samples=3, check=20)
    subprocess.run([cli, "export", "c", run.path, "--checkpoint", "last", "--out", tmp_path / "cli", "--type", type, "--samples", "3"], check=True,
                   capture_output=True)
    names = sorted(p.relative_to(tmp_path / "cli") for p in (tmp_path / "cli").rglob("*") if p.is_file())
    assert names and names == sorted(p.relative_to(tmp_path / "own") for p in (tmp_path / "own").rglob("*") if p.is_file())
    for name in names:
        assert body(tmp_path / "own" / name) == body(tmp_path / "cli" / name), name
    assert told["checked"] == 20 and told["weight_bytes"] > 0 and told["additions"] <= told["most_additions"]
    assert all(v["spikes"] > 0 and v["different"] <= v["spikes"] for v in told["layers"].values())
    if type == "f32":
        assert all(v["different"] == 0 for v in told["layers"].values())
        assert told["decisions_different"] == 0
        assert told["largest_output"] > 0 and told["outputs_differ_by"] <= 1e-4 * told["largest_output"]
    assert 0 <= told["decisions_different"] <= 20 and told["outputs_differ_by"] <= told["largest_output"]


def test_c_runs(tmp_path, run):
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    run.to_c(tmp_path, "q15")
    subprocess.run(["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "test", "model.c", "model_test.c", "-lm"], cwd=tmp_path, check=True)
    assert subprocess.run(["./test"], cwd=tmp_path).returncode == 0
    text = (tmp_path / "model_test.c").read_text()
    assert len(text) > 1000


def test_whole_numbers(run):
    result = run.evaluate(integer="q15")
    whole = result["integer"]
    assert whole["samples"] == result["samples"] == 60
    assert abs(whole["accuracy"] - result["accuracy"]) <= 0.05
    assert "integer" not in run.evaluate()
    with pytest.raises(st.UsageError, match="expected q7 or q15, got 'q8'"):
        run.evaluate(integer="q8")
    with pytest.raises(st.UsageError, match="run on the CPU"):
        run.evaluate(integer="q7", device="cuda")


def test_own_tensors_and_changed_weights(tmp_path):
    x, y = torch.rand(40, 1, 8, 8), torch.arange(40) % 4
    data = {"train": (x, y), "test": (x, y)}
    recipe = {**small_recipe(), "network": st.networks.spec(spec="8-4"), "epochs": 1}
    del recipe["data"]
    run = st.train({**recipe, "data": {"batch": 20}}, data=data)
    before = run.to_c(tmp_path / "a", check=0)
    assert before["checked"] == 0 and before["layers"] == {}
    with torch.no_grad():
        for p in run.network.parameters():
            p.mul_(2)
    run.to_c(tmp_path / "b", check=0)
    assert (tmp_path / "a" / "model.c").read_text() != (tmp_path / "b" / "model.c").read_text()


def test_values_are_not_decided(tmp_path):
    x, y = torch.rand(40, 1, 8, 8), torch.rand(40, 3)
    data = {"train": (x, y), "test": (x, y)}
    recipe = {**small_recipe(), "network": st.networks.spec(spec="8-3"), "objective": st.objectives.mse(), "epochs": 1, "data": {"batch": 20}}
    told = st.train(recipe, data=data).to_c(tmp_path)
    assert told["decisions_different"] is None
    assert "model_decide" not in (tmp_path / "model.h").read_text() + (tmp_path / "README.md").read_text()


def test_refusals(tmp_path, run):
    with pytest.raises(st.UsageError, match="expected type f32, q7 or q15, got 'f16'"):
        run.to_c(tmp_path / "x", "f16")
    with pytest.raises(st.UsageError, match="at least one sample"):
        run.to_c(tmp_path / "x", samples=0)
    assert not (tmp_path / "x").exists()
    net = st.Network("10-4", input_shape=(5,), neuron=st.neurons.alif())
    with pytest.raises(st.UsageError, match="alif"):
        net.to_onnx(tmp_path / "net.onnx")


def test_onnx_is_the_command_lines(tmp_path, run, cli):
    run = st.load(run.path, checkpoint="last")
    run.network.to_onnx(tmp_path / "own.onnx", spikes=True)
    subprocess.run([cli, "export", "onnx", run.path, "--checkpoint", "last", "--out", tmp_path / "cli.onnx", "--spikes"], check=True, capture_output=True)
    assert (tmp_path / "own.onnx").read_bytes() == (tmp_path / "cli.onnx").read_bytes()


def test_onnx_steps(tmp_path, run):
    ort = require("onnxruntime")
    run = st.load(run.path, checkpoint="last")
    net = run.network.eval()
    with torch.no_grad():
        list(net.parameters())[-1].mul_(3)  # so that the output fires, too, whatever the one epoch has learned
    net.to_onnx(tmp_path / "net.onnx")
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    x = 2 * torch.rand(6, 3, 1, 28, 28)
    states = {i.name: torch.zeros([3, *[int(d) for d in i.shape[1:]]]).numpy() for i in session.get_inputs() if i.name != "x"}
    names = [o.name for o in session.get_outputs()]
    steps = []
    for t in range(6):
        out = dict(zip(names, session.run(None, {"x": x[t].numpy(), **states})))
        states = {name: out[name + "_next"] for name in states}
        steps.append(torch.from_numpy(out["y"]))
    expected = net(x)
    assert expected.sum() > 0 and torch.equal(torch.stack(steps), expected)
