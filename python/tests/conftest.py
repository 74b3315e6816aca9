import os
import pathlib

import pytest

import spiketrain as st  # before torch: it settles how threads wait
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(1)


@pytest.fixture
def recipe():
    return str(ROOT / "recipes" / "quickstart.toml")


@pytest.fixture
def cli():
    path = os.environ.get("SPIKETRAIN_CLI")
    if not path:
        pytest.skip("SPIKETRAIN_CLI does not name the command line")
    return path


def require(module):
    """The module, or the test is skipped: it is on PyPI and not among Debian's packages."""
    return pytest.importorskip(module, reason=f"{module} is not installed (PyPI)")


small = dict(epochs=2, **{"data.train_size": 300, "data.test_size": 100, "data.batch": 50})
