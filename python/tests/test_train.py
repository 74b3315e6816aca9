"""Training from Python: the same bytes as the command line, callbacks, Ctrl-C, loading, resuming, data of one's own, errors."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, small

import spiketrain as st
import torch


def without_times(path):
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    timed = ("seconds", "samples_per_second", "memory")
    return [{k: v for k, v in line.items() if not any(t in k for t in timed)} for line in lines]


def weights(path):
    return (path / "ckpt" / "best.safetensors").read_bytes()


def tensors_of(path):
    """Name -> bytes of a safetensors file, metadata left out."""
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + n])
    return {name: raw[8 + n + d["data_offsets"][0]:8 + n + d["data_offsets"][1]] for name, d in header.items() if name != "__metadata__"}


def test_the_command_line_and_python_write_the_same(recipe, cli, tmp_path):
    sets = [f"--set={k}={v}" for k, v in small.items()]
    threads = str(torch.get_num_threads())
    subprocess.run([cli, "train", recipe, *sets, "--out", str(tmp_path / "cli"), "--threads", threads], check=True, capture_output=True)
    run = st.train(recipe, small, out=tmp_path / "py")
    assert without_times(tmp_path / "cli") == without_times(tmp_path / "py") and len(run.history) == 2
    assert (tmp_path / "cli" / "config.toml").read_text() == (tmp_path / "py" / "config.toml").read_text()
    for name in ("best.safetensors", *sorted(p.name for p in (tmp_path / "cli" / "ckpt").glob("0*"))):
        a, b = tensors_of(tmp_path / "cli" / "ckpt" / name), tensors_of(tmp_path / "py" / "ckpt" / name)
        assert a == b and a
    names = {p.name for p in (tmp_path / "cli").iterdir()} - {"log.txt"}  # what the command line prints
    assert names == {p.name for p in (tmp_path / "py").iterdir()}
    # and without a directory
    assert st.train(recipe, small).summary["last_test_accuracy"] == run.summary["last_test_accuracy"]


def test_callbacks_see_batches_and_epochs(recipe):
    epochs, batches = [], []
    run = st.train(recipe, small, on_epoch=lambda e: epochs.append((e.epoch, e.test_accuracy)), on_batch=batches.append)
    assert [e for e, _ in epochs] == [1, 2] and len(batches) == 2 * 6
    assert batches[-1]["batch"] == batches[-1]["batches"] == 6 and batches[-1]["loss"] > 0
    assert run.last_test == epochs[-1][1] and run.complete
    with pytest.raises(AttributeError, match="epoch has no 'tost'"):
        run.history[0].tost
    with pytest.raises(AttributeError, match="summary has"):
        run.tost


@pytest.mark.parametrize("where", ["on_epoch", "on_batch"])
def test_what_a_callback_raises_ends_the_run_and_arrives(recipe, where, tmp_path):
    class Enough(Exception):
        pass

    def stop(_):
        raise Enough("here")

    with pytest.raises(Enough, match="here"):
        st.train(recipe, small, out=tmp_path / "run", **{where: stop})
    assert list((tmp_path / "run" / "ckpt").glob("0*.safetensors"))  # it can go on
    run = st.train(recipe, small, out=tmp_path / "run", resume=True)
    whole = st.train(recipe, small, out=tmp_path / "whole")
    assert run.complete and without_times(tmp_path / "run") == without_times(tmp_path / "whole")
    assert tensors_of(tmp_path / "run/ckpt/best.safetensors") == tensors_of(tmp_path / "whole/ckpt/best.safetensors")


def test_ctrl_c_is_a_keyboard_interrupt(recipe, tmp_path):
    # what runs in a shell's background ignores Ctrl-C, and so would this
    code = f"""
import signal
import spiketrain as st
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    st.train({recipe!r}, {{"epochs": 1000, "data.train_size": 2000}}, out={str(tmp_path / 'run')!r}, on_batch=lambda b: print("batch", flush=True))
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "batch"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert out.splitlines()[-1] == "interrupted"
    assert list((tmp_path / "run" / "ckpt").glob("0*.safetensors"))


def test_load_and_evaluate(recipe, tmp_path, cli):
    run = st.train(recipe, small, out=tmp_path / "run")
    loaded = st.load(tmp_path / "run")
    result = loaded.evaluate()
    best = max(e.test_accuracy for e in run.history)
    assert result["accuracy"] == pytest.approx(best, abs=1e-12) and result["samples"] == 100
    assert loaded.best_test == run.best_test and len(loaded.history) == 2 and loaded.complete
    last = st.load(tmp_path / "run", "last")
    assert last.evaluate()["accuracy"] == pytest.approx(run.last_test, abs=1e-12)
    alone = st.load(tmp_path / "run" / "ckpt" / "best.safetensors")
    assert alone.evaluate()["accuracy"] == result["accuracy"]
    # evaluate() takes the network as it is now
    with torch.no_grad():
        for p in alone.network.parameters():
            p.zero_()
    assert alone.evaluate()["accuracy"] < best
    assert "Run(" in repr(run)
    told = subprocess.run([cli, "eval", str(tmp_path / "run"), "--json"], check=True, capture_output=True, text=True)
    assert json.loads(told.stdout)["accuracy"] == pytest.approx(result["accuracy"], abs=1e-12)


def test_a_trained_network_goes_on_in_ones_own_loop(recipe):
    run = st.train(recipe, small)
    net = run.network.train()
    data = st.datasets.glyphs(train_size=100)
    x, y = data.collate([data[i] for i in range(50)])
    first = st.losses.van_rossum if run.config["objective"]["name"] == "van_rossum" else st.losses.rate_ce
    tau_s = 3.0 if run.config["neuron"]["name"] == "psp_lif" else 0.0
    options = {k: v for k, v in run.config["objective"].items() if k != "name"}
    loss = first(net(x, steps=run.config["steps"]), y, psp=tau_s, **options)
    loss.backward()
    assert all(p.grad is not None for p in net.parameters())
    import copy

    net.eval()
    assert torch.equal(copy.deepcopy(net)(x, steps=5), net(x, steps=5))


def test_data_of_ones_own(recipe):
    torch.manual_seed(3)
    centres = torch.rand(4, 1, 8, 8)
    y = torch.arange(200) % 4
    x = centres[y] + 0.05 * torch.randn(200, 1, 8, 8)
    data = {"train": (x[:160], y[:160]), "test": (x[160:], y[160:])}
    config = {"seed": 1, "steps": 5, "epochs": 15, "data": {"batch": 20}, "network": st.networks.spec(spec="20-4"), "neuron": st.lif(leak=0.8),
              "readout": st.leaky_readout(leak=0.9), "rule": "bptt", "objective": "rate_ce", "optimizer": st.optimizers.adamw(lr=1e-2)}
    config["rule"], config["objective"] = {"name": "bptt"}, {"name": "rate_ce"}
    run = st.train(config, data=data)
    assert run.last_test > 0.9 and run.evaluate("train")["samples"] == 160
    frames = {"train": (x[:160].unsqueeze(1).repeat(1, 5, 1, 1, 1), y[:160]), "test": (x[160:].unsqueeze(1).repeat(1, 5, 1, 1, 1), y[160:]),
              "frames": True}
    assert st.train(config, {"epochs": 2}, data=frames).evaluate()["samples"] == 40
    with pytest.raises(st.UsageError, match="expected"):
        st.train(config, data={"training": (x, y)})


def test_resolve_and_overrides(recipe):
    config = st.resolve(recipe, {"epochs": 7, "neuron": st.lif(leak=0.25), "rule": st.bptt(), "objective": st.objectives.rate_ce()})
    assert config["epochs"] == 7 and config["neuron"]["leak"] == 0.25 and config["rule"]["name"] == "bptt"
    assert isinstance(config["epochs"], int) and st.resolve(config) == config


@pytest.mark.parametrize("overrides, words", [
    ({"epoch": 3}, "epoch"), ({"neuron.leek": 0.5}, "leek"), ({"epochs": "many"}, "epochs"), ({"data.name": "mnost"}, "mnost"),
])
def test_wrong_recipes(recipe, overrides, words):
    with pytest.raises(st.UsageError, match=words):
        st.train(recipe, overrides)


def test_errors_have_their_class(recipe, tmp_path):
    with pytest.raises(st.UsageError, match="no such file"):
        st.train(str(tmp_path / "none.toml"))
    with pytest.raises(st.NumericError) as error:
        st.train(recipe, {**small, "optimizer.lr": 1e6, "train.clip_norm": 0, "train.clamp": 0})
    assert isinstance(error.value, ArithmeticError)
    with pytest.raises(st.UsageError, match="no run directory"):
        st.load(tmp_path)
    st.train(recipe, {**small, "epochs": 0}, out=tmp_path / "empty")
    with pytest.raises(st.UsageError, match="no epoch"):
        st.load(tmp_path / "empty")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\xff" * 100)
    with pytest.raises(st.DataError) as error:
        st.load(damaged)
    assert isinstance(error.value, OSError) and error.value.path == str(damaged)


def test_progress_is_printed(recipe, capsys):
    st.train(recipe, {**small, "epochs": 1}, progress=True)
    assert "epoch 1" in capsys.readouterr().out


def test_options_of_named_data_sets_are_refused_beside_tensors():
    x, y = torch.rand(20, 1, 28, 28), torch.randint(0, 10, (20,))
    data = {"train": (x, y), "test": (x, y)}
    for option in ({"data.augment": True}, {"data.limit": 5}, {"data.validation": 5}):
        with pytest.raises(st.UsageError, match="by name"):
            st.train(str(ROOT / "recipes" / "quickstart.toml"), {"epochs": 1, **option}, data=data)
    with pytest.raises(st.UsageError, match="pair of tensors"):
        st.train(str(ROOT / "recipes" / "quickstart.toml"), {"epochs": 1}, data={"train": x, "test": (x, y)})
    with pytest.raises(st.UsageError, match="validation"):
        st.train(str(ROOT / "recipes" / "quickstart.toml"), {"epochs": 1, "train.patience": 2}, data=data)
    run = st.train(str(ROOT / "recipes" / "quickstart.toml"), {"epochs": 3, "train.patience": 1, "optimizer.lr": 0.0},
                   data={**data, "validation": (x, y)})
    assert run.summary["best_validation_epoch"] == 1 and len(run.history) == 2
