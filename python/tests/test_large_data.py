"""Arrays that are mapped from files are trained on where they are, without a copy."""
import numpy
import pytest
import spiketrain as st
import torch
from spiketrain.training import _tensors


@pytest.mark.parametrize("name,type,shape", [("images", "float32", (30, 1, 28, 28)), ("frames", "uint8", (30, 5, 1, 28, 28))])
def test_mapped_arrays(name, type, shape, tmp_path):
    numpy.save(tmp_path / "x.npy", (numpy.arange(numpy.prod(shape)).reshape(shape) % 3).astype(type))
    mapped, y = numpy.load(tmp_path / "x.npy", mmap_mode="c"), torch.arange(30) % 10
    data = {"train": (mapped, y), "test": (mapped[:20], y[:20]), "frames": name == "frames"}
    made = _tensors(data)
    assert made["train"][0].data_ptr() == mapped.ctypes.data
    assert made["test"][0].data_ptr() == mapped.ctypes.data
    recipe = {"seed": 1, "steps": 5, "epochs": 1, "data": {"batch": 10}, "network": st.networks.spec(spec="20-10"), "neuron": st.lif(leak=0.8),
              "readout": st.leaky_readout(leak=0.9), "rule": "bptt", "objective": "rate_ce", "optimizer": st.optimizers.adamw(lr=1e-2)}
    copied = {**data, "train": (numpy.array(mapped), y)}
    assert st.train(recipe, data=data).history[0]["train_loss"] == st.train(recipe, data=copied).history[0]["train_loss"]
