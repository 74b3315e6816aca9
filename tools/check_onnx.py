#!/usr/bin/env python3
"""Runs an exported ONNX step beside the C program of the same network, step by step, and compares outputs and spikes.

    spiketrain export onnx RUN --out step.onnx --spikes
    spiketrain export c RUN --type f32 --out c
    tools/check_onnx.py step.onnx c

With onnxruntime if it is installed, else with the operators below in numpy; the module onnx is needed in any case.  States begin as the
file's metadata say; membranes are compared through what they lead to.  Sums are made in other orders than in C, so outputs agree to
rounding, and a spike may differ where a membrane lies that near to the threshold: such samples are counted.  Exit code 1 if more than one
sample in fifty differs, or an output by more than 1e-3.
"""
import argparse
import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper


def conv(x, w, pads, strides, **_):
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, :: strides[0], :: strides[1]]
    return np.einsum("bcyxij,fcij->bfyx", windows, w, dtype=np.float32, casting="same_kind")


def average_pool(x, kernel_shape, strides, **_):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel_shape, axis=(2, 3))
    return windows[:, :, :: strides[0], :: strides[1]].mean(axis=(4, 5), dtype=np.float32)


OPERATORS = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Greater": lambda a, b: a > b,
    "GreaterOrEqual": lambda a, b: a >= b,
    "Where": np.where,
    "Identity": lambda a: a,
    "Cast": lambda a, to: a.astype(np.float32),
    "Flatten": lambda a, axis: a.reshape(a.shape[0], -1),
    "Gemm": lambda a, b, transB: a @ b.T,
    "Conv": conv,
    "AveragePool": average_pool,
}


class NumpySession:
    def __init__(self, model):
        self.graph = model.graph

    def run(self, names, feeds):
        values = dict(feeds)
        values.update({t.name: numpy_helper.to_array(t) for t in self.graph.initializer})
        for node in self.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            values[node.output[0]] = OPERATORS[node.op_type](*[values[i] for i in node.input], **attributes)
        return [values[name] for name in names]


def session(path, model):
    try:
        import onnxruntime
    except ImportError:
        return "numpy", NumpySession(model)
    return "onnxruntime " + onnxruntime.__version__, onnxruntime.InferenceSession(path)


def dims(value):
    return [d.dim_value for d in value.type.tensor_type.shape.dim][1:]


def initial(value, batch, metadata):
    """The state before the first step: zeros unless the metadata have NAME_first, one number, one per channel or one per neuron."""
    first = np.array(metadata.get(value.name + "_first", "0").split(), np.float32)
    shape = dims(value)
    if first.size not in (1, int(np.prod(shape))):
        first = first.reshape([-1, 1, 1])
    return np.broadcast_to(first if first.ndim == 3 or first.size == 1 else first.reshape(shape), [batch] + shape).copy()


def run_steps(path, model, x):
    """(What ran it, its outputs by name at each step) for the inputs x [T,B,*]."""
    engine, run = session(path, model)
    names = [o.name for o in model.graph.output]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    state = {i.name: initial(i, x.shape[1], metadata) for i in model.graph.input if i.name != "x"}
    shown = []
    for frame in x:
        out = dict(zip(names, run.run(names, {"x": frame, **state})))
        state = {name: out[name + "_next"] for name in state}
        shown.append(out)
    return engine, shown


class CProgram:
    """model.c as a shared library."""

    def __init__(self, folder, build):
        header = (pathlib.Path(folder) / "model.h").read_text()
        self.size = {name: int(n) for name, n in re.findall(r"#define MODEL_(INPUTS|OUTPUTS|LAYERS) (\d+)", header)}
        types = {name: c for c, name in re.findall(r"typedef (\w+) (\w+)", header)}
        assert types["model_output_t"] == "float", "expected an export of type f32"
        self.input = np.float32 if types["model_input_t"] == "float" else np.uint8
        self.site = {"uint8_t": np.uint8, "uint16_t": np.uint16, "uint32_t": np.uint32}[types["model_site_t"]]
        library = pathlib.Path(build) / "model.so"
        subprocess.run(["cc", "-std=c99", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", library,
                        pathlib.Path(folder) / "model.c"], check=True)
        self.code = ctypes.CDLL(str(library))
        self.code.model_spikes.restype = ctypes.c_void_p

    def reset(self):
        self.code.model_reset()

    def step(self, x):
        x = np.ascontiguousarray(x.reshape(-1).astype(self.input))
        y = np.zeros(self.size["OUTPUTS"], np.float32)
        self.code.model_step(x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p))
        return y

    def spikes(self, layer):
        count = ctypes.c_int32()
        at = self.code.model_spikes(ctypes.c_int(layer), ctypes.byref(count))
        if not at or not count.value:
            return []
        buffer = (ctypes.c_char * (count.value * np.dtype(self.site).itemsize)).from_address(at)
        return np.frombuffer(buffer, self.site).tolist()


def sites(fired):
    """Sites of a sample's spikes in H, W, C order, as the C program numbers them."""
    return np.nonzero((fired.transpose(1, 2, 0) if fired.ndim == 3 else fired).reshape(-1))[0].tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("onnx")
    parser.add_argument("c")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--outputs-only", action="store_true", help="compare no spikes: the file was written without --spikes")
    given = parser.parse_args()
    model = onnx.load(given.onnx)
    onnx.checker.check_model(model, full_check=True)
    fired = [o.name for o in model.graph.output if o.name.startswith("fired_")]
    if not fired and not given.outputs_only:
        sys.exit(f"{given.onnx}: it shows no spikes; expected a file written with --spikes, or --outputs-only to compare outputs alone")
    shape = dims(next(i for i in model.graph.input if i.name == "x"))
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as build:
        program = CProgram(given.c, build)
        x = random.random([given.steps, given.batch] + shape, dtype=np.float32)
        if program.input is np.uint8:
            x = np.floor(x * 2.2).astype(np.float32)
        engine, shown = run_steps(given.onnx, model, x)
        different, furthest, spikes = 0, 0.0, 0
        for b in range(given.batch):
            program.reset()
            same, far = True, 0.0
            for t in range(given.steps):
                y = program.step(x[t, b])
                wanted = shown[t]["y"][b]
                wanted = (wanted.transpose(1, 2, 0) if wanted.ndim == 3 else wanted).reshape(-1)
                for name in fired:
                    mine = program.spikes(int(name[6:]))
                    spikes += len(mine)
                    same = same and mine == sites(shown[t][name][b])
                far = max(far, float(np.abs(y - wanted).max()))
            different += not same
            if same:
                furthest = max(furthest, far)
    print(f"{engine}: {given.batch} samples, {given.steps} steps, {spikes} spikes; {different} samples with other spikes; "
          f"outputs of the others differ by at most {furthest:.2g}")
    if fired and spikes == 0:
        print("warning: nothing fired, so that this says little; give larger inputs or another network", file=sys.stderr)
    return 1 if different * 50 > given.batch or furthest > 1e-3 else 0


if __name__ == "__main__":
    sys.exit(main())
