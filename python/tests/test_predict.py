"""Run.predict: predictions and confusions as the command line gives them."""
import csv
import json
import subprocess

import pytest

import spiketrain as st
import torch


def recipe(**more):
    return {"seed": 1, "steps": 4, "epochs": 1, "data": {"name": "glyphs", "train_size": 300, "test_size": 60, "batch": 50},
            "network": st.networks.spec(spec="4C5-P2-10"), "neuron": st.lif(leak=0.5), "rule": st.bptt(), "objective": st.objectives.rate_ce(),
            **more}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return st.train(recipe(), out=tmp_path_factory.mktemp("predict") / "run")


def test_predictions_are_the_command_lines(tmp_path, run, cli):
    found = run.predict(limit=30)
    table = tmp_path / "predictions.csv"
    text = subprocess.run([cli, "eval", run.path, "--json", "--confusion", "--predictions", table, "--limit", "30"], check=True,
                          capture_output=True).stdout
    theirs = json.loads(text)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(r["sample"]) for r in rows] == found.samples.tolist() == list(range(0, 60, 2))
    assert [int(r["label"]) for r in rows] == found.targets.tolist()
    assert [int(r["predicted"]) for r in rows] == found.predicted.tolist()
    assert torch.equal(torch.tensor([[float(r[f"output{k}"]) for k in range(10)] for r in rows]), found.outputs)
    assert theirs["confusion"] == found.confusion.tolist() and int(found.confusion.sum()) == 30
    assert theirs["class_accuracy"] == pytest.approx(found.class_accuracy.tolist(), nan_ok=True)
    assert len(found) == 30 and found.class_names is None
    assert theirs["accuracy"] == pytest.approx((found.predicted == found.targets).double().mean().item())


def test_the_network_as_it_is_now(run):
    net = run.network
    before = [p.detach().clone() for p in net.parameters()]
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    assert run.predict().outputs.unique().numel() == 1
    with torch.no_grad():
        for p, value in zip(net.parameters(), before):
            p.copy_(value)
    assert run.predict().outputs.unique().numel() > 1


def test_names_of_the_classes():
    x, y = torch.rand(60, 1, 28, 28), torch.randint(0, 2, (60,))
    data = {"train": (x, y), "test": (x[:20], y[:20]), "class_names": ["cup", "box", "pen"]}
    run = st.train(recipe(network=st.networks.spec(spec="4C5-P2-3")), data=data)
    found = run.predict()
    assert found.class_names == ["cup", "box", "pen"] and found.confusion.shape == (3, 3)
    assert torch.isnan(found.class_accuracy[2])
    with pytest.raises(st.UsageError, match="expected names of 3 classes, got 2|expected classes from 0 to"):
        st.train(recipe(network=st.networks.spec(spec="4C5-P2-2")), data={**data, "train": (x, y + 1), "class_names": ["cup", "box"]})
    assert st.datasets.motion_events(steps=4, train_size=6).class_names[:2] == ["left", "right"]


def test_values_have_no_confusions():
    x, y = torch.rand(60, 8), torch.rand(60, 2)
    run = st.train(recipe(network=st.networks.spec(spec="6-2"), objective=st.objectives.mse(), readout=st.leaky_readout()),
                   data={"train": (x, y), "test": (x[:20], y[:20])})
    found = run.predict()
    assert found.predicted is None and found.confusion is None and found.outputs.shape == (20, 2)
    assert torch.equal(found.targets, y[:20])
    with pytest.raises(AttributeError, match="values"):
        found.class_accuracy


def test_what_is_refused(run):
    with pytest.raises(st.UsageError, match="limit >= 0"):
        run.predict(limit=-1)
    with pytest.raises(st.UsageError, match="no validation split"):
        run.predict("validation")
    with pytest.raises(st.UsageError, match="expected train, validation or test"):
        run.predict("all")
