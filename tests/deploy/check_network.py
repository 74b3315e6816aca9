"""Runs exported ONNX steps on inputs of tests/deploy/onnx_test.cpp and compares y with what the library's network gave.

    check_network.py FOLDER...    each with step.onnx, and x.bin [T,B,*] and y.bin [T,B,*] in float32; the first argument T, the second B

Exit code 1 if an output differs by more than 1e-4.
"""
import pathlib
import sys

import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_onnx  # noqa: E402

steps, batch, wrong = int(sys.argv[1]), int(sys.argv[2]), 0
for folder in map(pathlib.Path, sys.argv[3:]):
    model = onnx.load(str(folder / "step.onnx"))
    shape = check_onnx.dims(next(i for i in model.graph.input if i.name == "x"))
    x = np.fromfile(folder / "x.bin", np.float32).reshape([steps, batch] + shape)
    y = np.fromfile(folder / "y.bin", np.float32).reshape([steps, batch, -1])
    _, shown = check_onnx.run_steps(str(folder / "step.onnx"), model, x)
    furthest = max(float(np.abs(out["y"].reshape(batch, -1) - wanted).max()) for out, wanted in zip(shown, y))
    if not furthest <= 1e-4:
        print(f"{folder.name}: outputs differ by {furthest}")
        wrong = 1
print("compared", len(sys.argv) - 3)
sys.exit(wrong)
