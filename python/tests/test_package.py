"""The stubs are current and typed; the README's examples of the package run."""
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import ROOT, require

import spiketrain as st


def test_stubs_are_current():
    result = subprocess.run([sys.executable, str(ROOT / "tools" / "make_stubs.py"), "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_stubs_are_typed(tmp_path):
    require("mypy")
    user = tmp_path / "user.py"
    user.write_text("import spiketrain as st\nnet = st.Network('4-2', input_shape=(3,), neuron=st.neurons.lif(leak=0.5))\nst.lif(leek=1)\n")
    result = subprocess.run([sys.executable, "-m", "mypy", "--cache-dir", os.devnull, str(user)], capture_output=True, text=True)
    assert "leek" in result.stdout and len(re.findall("error:", result.stdout)) == 1


def examples(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md", "docs/python-from-peers.md", "docs/checkpoints.md"])
def test_examples_of_the_docs_run(page, tmp_path, monkeypatch):
    """One after the other in one scope, as a notebook would; those of other frameworks where they are installed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    found = examples(page)
    assert found
    scope = {}
    for code in found:
        needs = re.match(r"# needs (\w+)", code)
        if needs and importlib.util.find_spec(needs.group(1)) is None:
            continue
        exec(compile(code, page, "exec"), scope)


def test_plugins(tmp_path):
    with pytest.raises(st.UsageError, match="none.so"):
        st.load_plugin(tmp_path / "none.so")
    assert pathlib.Path(st.__file__).with_name("py.typed").exists()


def test_a_run_loads_its_plugins(tmp_path):
    """As the command line does: load() and report() know the parts that the run was trained with."""
    cli = os.environ.get("SPIKETRAIN_CLI", "")
    plugin = pathlib.Path(cli).resolve().parents[1] / "tests" / "plugin" / "libst_plugin_neuron.so" if cli else pathlib.Path("none")
    if not plugin.exists():
        pytest.skip("the C++ tests' plugin is not built")
    name = re.search(r'ST_REGISTER\(Neuron, "(\w+)"', (ROOT / "tests" / "plugin" / "neuron.cpp").read_text()).group(1)
    command = [cli, "train", str(ROOT / "recipes" / "quickstart.toml"), "--plugin", str(plugin), "--out", str(tmp_path / "run"), "--threads", "1"]
    for override in (f"neuron={name}", "readout=leaky_readout", "rule=bptt", "objective=rate_ce", "epochs=1", "network.spec=4C5-P4-10",
                     "data.train_size=60", "data.test_size=20"):
        command += ["--set", override]
    subprocess.run(command, check=True, capture_output=True)
    code = ("import sys, spiketrain as st\nrun = st.load(sys.argv[1])\nprint(run.network.notation)\n"
            "st.report(sys.argv[1], samples=10)\nprint(hasattr(st.neurons, sys.argv[2]))\n")
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run"), name], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["4C5-P4-10", "True"]


def configure(tmp_path, *options):
    return subprocess.run(["cmake", "-S", str(ROOT), "-B", str(tmp_path / "build"), "-G", "Ninja", "-DST_PYTHON=ON", *options],
                          capture_output=True, text=True)


def test_an_interpreter_without_torch_is_named(tmp_path):
    bare = tmp_path / "python3"
    bare.write_text(f"#!/bin/sh\nexec {sys.executable} -S -I \"$@\"\n")  # no packages
    bare.chmod(0o755)
    result = configure(tmp_path, f"-DPython_EXECUTABLE={bare}")
    said = " ".join(result.stderr.split())
    assert result.returncode != 0 and "none of these interpreters can import torch" in said and str(bare) in said
    assert "--no-build-isolation" in said


def test_another_torch_than_the_interpreters_is_refused(tmp_path):
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\ncase \"$2\" in *cmake_prefix_path*) echo '9.9.0;/nowhere;lib/python3/site-packages' ;; "
                     f"*) exec {sys.executable} \"$@\" ;; esac\n")
    other.chmod(0o755)
    result = configure(tmp_path, f"-DPython_EXECUTABLE={other}", "-DST_APPS=OFF", "-DST_DEV=OFF", "-DST_TESTS=OFF")
    said = " ".join(result.stderr.split())
    assert result.returncode != 0 and "9.9.0, but the library is built with LibTorch" in said
