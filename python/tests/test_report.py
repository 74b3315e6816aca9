"""Reports from Python: the command line's files, runs on tensors, notebooks, and what is refused."""
import html
import json
import re
import subprocess

import pytest

import spiketrain as st
import torch


def recipe(**more):
    return {"seed": 1, "steps": 4, "epochs": 1, "data": {"name": "glyphs", "train_size": 200, "test_size": 60, "batch": 50},
            "network": st.networks.spec(spec="4C5-P2-10"), "neuron": st.lif(leak=0.5), "rule": st.bptt(), "objective": st.objectives.rate_ce(),
            **more}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return st.train(recipe(title="na\u00efve"), out=tmp_path_factory.mktemp("report") / "run")


def without_times(data):
    for one in data["runs"]:
        one.get("passes", {}).pop("seconds", None)
    return data


def test_report_is_the_command_lines(tmp_path, run, cli):
    own = run.report(tmp_path / "own.html", samples=30)
    subprocess.run([cli, "report", run.path, "--out", tmp_path / "cli.html", "--samples", "30"], check=True, capture_output=True)
    assert own.path == tmp_path / "own.html" and own.json_path == tmp_path / "own.json"
    assert without_times(json.loads(own.json_path.read_text())) == without_times(json.loads((tmp_path / "cli.json").read_text()))
    assert without_times(own.data) == without_times(json.loads(own.json_path.read_text()))
    timed = re.compile(r" in [0-9.]+ s, weights")
    pages = [timed.sub("", (tmp_path / name).read_text(encoding="utf-8")) for name in ("own.html", "cli.html")]
    assert pages[0] == pages[1]


def test_a_report_lies_in_the_run(run):
    report = st.report(run.path, samples=10)
    assert report.path == run.path / "report.html" and report.path.exists() and (run.path / "report.json").exists()
    assert report.data["runs"][0]["passes"]["samples"] == 10


def test_runs_on_tensors_are_measured_on_them(tmp_path):
    x, y = torch.rand(120, 1, 28, 28), torch.randint(0, 10, (120,))
    data = {"train": (x, y), "test": (x[:40], y[:40])}
    run = st.train(recipe(), data=data, out=tmp_path / "run")
    passes = run.report().data["runs"][0]["passes"]
    assert passes["samples"] == 40 and sum(map(sum, passes["confusion"])) == 40 and passes["rasters"]
    assert passes["value"] == pytest.approx(run.evaluate()["accuracy"])
    again = st.load(tmp_path / "run")
    assert "passes" not in again.report().data["runs"][0]
    assert again.report(data=data).data["runs"][0]["passes"]["confusion"] == passes["confusion"]
    other = st.report([again], tmp_path / "other.html", data={"train": (x, y), "test": (x[:30], y[:30])})
    assert any("another than the run was measured on" in line for line in other.data["runs"][0]["warnings"])


def test_notebooks_show_the_page_and_its_links_stay_there(run):
    shown = html.unescape(run.report(samples=10)._repr_html_())
    assert '<head><base href="about:srcdoc"/>' in shown and "na\u00efve" in shown and 'href="#curves"' in shown


@pytest.mark.parametrize("arguments, message", [(dict(samples=-3), "got -3"), (dict(samples=2.5), "got 2.5"), (dict(samples=True), "got True"),
                                                (dict(out="p.json"), "expected a name for the page")])
def test_bad_arguments_are_refused(run, arguments, message):
    with pytest.raises(st.UsageError, match=message):
        run.report(**arguments)


def test_what_is_no_run_is_refused(tmp_path):
    for bad, message in (([], "at least one run"), (3, "expected runs"), (tmp_path, "is no run directory"),
                         (st.train(recipe()), "was not written")):
        with pytest.raises(st.UsageError, match=message):
            st.report(bad)
