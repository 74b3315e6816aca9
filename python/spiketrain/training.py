"""Recipes: trained, loaded and evaluated."""
import json
import os
import pathlib
import sys

import torch

from . import _C, _parts
from ._parts import plain
from .network import Network


class Epoch(dict):
    """The results of an epoch, as a line of metrics.jsonl; also as attributes: e.epoch, e.test_accuracy."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"epoch has no '{name}'; it has: {', '.join(self)}") from None


class Predictions:
    """What a network makes of the samples of a split, see Run.predict().

    samples [N]: their indices in the split.  outputs [N,K]: what the objective makes of the network's output, row-major over its shape.
    targets: classes [N] int64, or values [N,K].  Where the targets are classes also predicted [N], class_names (None: numbers are their
    names), and confusion [K,K] int64: rows are the classes of the samples, columns the predictions; else None."""

    def __init__(self, samples, targets, predicted, outputs, confusion, class_names):
        self.samples, self.targets, self.predicted, self.outputs = samples, targets, predicted, outputs
        self.confusion = torch.tensor(confusion, dtype=torch.int64) if confusion else None
        self.class_names = class_names or None

    @property
    def class_accuracy(self):
        """[K]: share of each class's samples that was recognised; NaN where there is none."""
        if self.confusion is None:
            raise AttributeError("class_accuracy: the targets are values, not classes")
        return self.confusion.diagonal().double() / self.confusion.sum(1)

    def __len__(self):
        return len(self.samples)

    def __repr__(self):
        if self.predicted is None:
            return f"Predictions({len(self)} samples)"
        return f"Predictions({len(self)} samples, {int((self.predicted == self.targets).sum())} right)"


class Run:
    """A training run: `network`, `config` (the resolved recipe), `summary` (best and last values), `history` (an Epoch each), and
    `path` of its directory (None: nothing was written)."""

    def __init__(self, network, config, summary, history, path, complete, data_dir=None, data=None):
        self.network, self.config, self.summary, self.history = network, config, summary, history
        self.path, self.complete = path, complete
        self._data_dir, self._data = data_dir, data

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        summary = self.__dict__.get("summary", {})
        for key in (name, name + "_accuracy", name + "_loss"):  # run.best_test, run.last_test
            if key in summary:
                return summary[key]
        raise AttributeError(f"run has no '{name}'; its summary has: {', '.join(summary)}")

    def evaluate(self, split="test", *, data_dir=None, data=None, batch=0, device="cpu", integer=None):
        """Loss, metrics and firing rates of the network as it is now on a split of the recipe's data ("train", "validation", "test").

        data: tensors as in `train`; a run that was trained on some and loaded again needs them.
        integer: "q7" or "q15": under "integer" also the network in integer arithmetic, as `to_c` writes it (on the CPU)."""
        if integer is not None and str(device) != "cpu":
            raise _C.UsageError(f"evaluate: integers run on the CPU, got device={device!r}")
        return _C.evaluate(self.network._core, self.config, split, _dir(data_dir or self._data_dir), self._given(data), batch, device,
                           integer or "")

    def predict(self, split="test", *, limit=0, data_dir=None, data=None, batch=0, device="cpu"):
        """Predictions of the network as it is now for the samples of a split, in their order; arguments as `evaluate`.

        limit: only so many samples, at equal distances; 0: all.  UsageError for targets that are neither classes nor values."""
        return Predictions(**_C.predict(self.network._core, self.config, split, _dir(data_dir or self._data_dir), self._given(data), batch,
                                        device, limit))

    def to_c(self, out, type="f32", *, samples=2, check=100, data_dir=None, data=None):
        """Writes the network as it is now as C99 for microcontrollers to the folder `out`, as ``spiketrain export c`` does (docs/deploy.md).

        type: "f32"; "q7", "q15": integers, weights of 8 or 16 bits.  samples: of the test split, held by model_test.c.
        check: test samples on which the program is compared with the library's network.
        Returns bytes (weight_bytes, coefficient_bytes, ram_bytes), per step additions, most_additions and updates; of the comparison
        decisions_different (None without classes), outputs_differ_by (the most at a step) and largest_output, and layers: per layer how many
        spikes there were and how many differ.  UsageError names the layer that cannot be exported.  An error, and no files, if "f32" differs
        by more than rounding."""
        source = self.path.name if self.path is not None else "a network in memory"
        return _C.to_c(self.network._core, self.config, str(out), type, samples, check, _dir(data_dir or self._data_dir), self._given(data),
                       source)

    def _given(self, data):
        return self._data if data is None else _tensors(data)

    def report(self, out=None, *, data_dir=None, data=None, samples=2000):
        """The page of ``spiketrain report``: writes it (default: report.html of the run) and returns a Report, which a notebook shows.

        data: tensors as in `train`; a run that was trained on some and loaded again needs them."""
        return report(self, out, data_dir=data_dir or self._data_dir, data=data, samples=samples)

    def __repr__(self):
        values = ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.summary.items())
        return f"Run({self.network.notation}, {values or 'no complete epoch'})"


def _dir(path):
    return str(path) if path else os.environ.get("SPIKETRAIN_DATA", "")


def _recipe(recipe):
    return plain(recipe) if isinstance(recipe, dict) else str(recipe)


def _sets(overrides):
    """{"epochs": 3, "rule.variant": "jun2020"} as the command line's --set."""
    return [f"{key}={_toml(plain(value))}" for key, value in (overrides or {}).items()]


def _toml(value):
    if hasattr(value, "item"):  # a number of numpy or torch
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    return repr(value)


def resolve(recipe, overrides=None):
    """The recipe (a file or a dict) with `overrides` and every option's default.  UsageError names what does not fit."""
    return _C.resolve(_recipe(recipe), _sets(overrides))


def _print_epoch(epoch):
    values = [f"{key.replace('_', ' ')} {value:.4f}" for key, value in epoch.items()
              if isinstance(value, float) and key.split("_")[0] in ("train", "validation", "test")]
    print(f"epoch {epoch['epoch']}  " + "  ".join(values) + f"  {epoch.get('seconds', 0):.1f} s", flush=True)


def _tensors(data):
    """{"train": (x, y), "test": (x, y)} as the library takes it: frames if T is among the recipe's business."""
    made = {"frames": bool(data.get("frames", False))}
    for split in ("train", "validation", "test"):
        if split in data:
            if not isinstance(data[split], (tuple, list)) or len(data[split]) != 2:
                raise _C.UsageError(f'data["{split}"]: expected a pair of tensors (x, y), got {type(data[split]).__name__}')
            x, y = data[split]
            x, y = torch.as_tensor(x), torch.as_tensor(y)
            x = x if x.dtype == torch.uint8 and made["frames"] else x.to(torch.float32)
            made[split] = (x.contiguous(), y.to(torch.float32 if y.is_floating_point() else torch.int64).contiguous())
    if "class_names" in data:
        made["class_names"] = [str(name) for name in data["class_names"]]
    unknown = set(data) - {"train", "validation", "test", "frames", "class_names"}
    if unknown or "train" not in made or "test" not in made:
        raise _C.UsageError('data: expected {"train": (x, y), "test": (x, y)}, also "validation", "class_names": [...], and "frames": True if samples are '
                            f"frames [N,T,*]; got {', '.join(data)}")
    return made


def train(recipe, overrides=None, *, data_dir=None, data=None, out=None, resume=False, tensorboard=False, device="cpu", on_epoch=None,
          on_batch=None, progress=False):
    """Trains as ``spiketrain train`` does, with byte-identical files (except log.txt), and returns a Run.

    recipe: a TOML file, or a dict.  overrides: {"epochs": 3, "neuron": st.lif(leak=0.9), "rule.variant": "jun2020"}.
    data_dir: folder of the data sets (default: SPIKETRAIN_DATA).  data: your own tensors instead of the recipe's data set:
        {"train": (x, y), "test": (x, y)}, images [N,*], or with "frames": True frames [N,T,*]; y: classes [N] or values; "class_names":
        what the classes are called.
    out: run directory (None: nothing is written).  resume: continue from its newest checkpoint.
    on_epoch(e): after each epoch, e.epoch, e.test_accuracy, ...; on_batch(b): after each batch, a dict.
        What they raise ends the run after its checkpoint is written, and arrives here.  So does Ctrl-C, as KeyboardInterrupt.
    progress: print a line per epoch.

    UsageError, DataError and NumericError as the command line's exit codes 2, 3 and 4."""
    history = []

    def epoch_done(report):
        history.append(Epoch(report))
        if progress:
            _print_epoch(report)
        if on_epoch is not None:
            on_epoch(history[-1])

    def message(text, warning):
        if progress or warning:
            print(("warning: " if warning else "") + text, file=sys.stderr, flush=True)

    given = None if data is None else _tensors(data)
    result = _C.train(_recipe(recipe), _sets(overrides), _dir(data_dir), str(out or ""), device, resume, tensorboard, epoch_done, on_batch,
                      message, given)
    if out:
        history = _history(pathlib.Path(out))
    return _run(result["network"], result["config"], result["summary"], history, out, result["complete"], data_dir, given)


def _run(core, config, summary, history, path, complete, data_dir=None, data=None):
    precision = config.get("compute", {}).get("precision", "fp32")
    network = Network._of(core, config["seed"], config, precision)
    return Run(network, config, summary, history, None if path is None else pathlib.Path(path), complete, data_dir, data)


def _history(path):
    file = path / "metrics.jsonl"
    return [Epoch(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def _load_plugins(run):
    """Those that a run's environment.json names."""
    file = pathlib.Path(run) / "environment.json"
    recorded = json.loads(file.read_text()) if file.exists() else {}
    for entry in recorded.get("plugins", []):
        path = entry["path"] if isinstance(entry, dict) else entry
        if not pathlib.Path(path).exists():
            raise _C.UsageError(f"{file} names the plugin {path}, which is not there; give its place with load_plugin()")
        _C.load_plugin(path)
        _parts.refresh()


def load(path, checkpoint="best"):
    """A Run from its directory, or from a .safetensors file alone.

    checkpoint: "best", "last", or a .safetensors file.  UsageError if there is no such run; DataError if a file is damaged."""
    path = pathlib.Path(path)
    if path.suffix == ".safetensors":
        result = _C.load(str(path), "")
        return _run(result["network"], result["config"], {}, [], None, True)
    if not (path / "config.toml").exists():
        raise _C.UsageError(f"load: {path} is no run directory; expected one that train(out=...) or `spiketrain train --out` wrote, or a "
                            ".safetensors file")
    _load_plugins(path)
    file = pathlib.Path(checkpoint)
    if checkpoint == "best":
        file = path / "ckpt" / "best.safetensors"
    elif checkpoint == "last":
        numbered = sorted(f for f in (path / "ckpt").glob("*.safetensors") if f.stem.isdigit())
        file = numbered[-1] if numbered else path / "ckpt" / "none.safetensors"
    if not file.exists():
        raise _C.UsageError(f"load: {file} does not exist; no epoch of {path} is complete yet")
    result = _C.load(str(file), str(path / "config.toml"))
    summary = path / "summary.json"
    return _run(result["network"], result["config"], json.loads(summary.read_text()) if summary.exists() else {}, _history(path), path,
                (path / "DONE").exists())


class Report:
    """A page on disk, `path`, and its numbers, `data`, which are also in the file `json_path`."""

    def __init__(self, path, json_path, data):
        self.path, self.json_path, self.data = path, json_path, data

    def _repr_html_(self):
        import html

        # Links within the page would else lead to the notebook's own address.
        page = self.path.read_text(encoding="utf-8").replace("<head>", '<head><base href="about:srcdoc"/>', 1)
        return f'<iframe srcdoc="{html.escape(page)}" width="100%" height="800" style="border:0"></iframe>'

    def __repr__(self):
        return f"Report({self.path})"


def report(runs, out=None, *, data_dir=None, data=None, samples=2000):
    """One page of one or several runs, and its numbers as JSON beside it, as ``spiketrain report`` writes them (docs/report.md).

    runs: a Run or its directory, or a list of them.  out: the page (default: report.html in the run, or here for several).
    data: tensors as in `train` for the runs that were trained on some; a Run of this process has its own.
    samples: of the test split to measure on, 0: all.  UsageError if a folder is no run."""
    runs = list(runs) if isinstance(runs, (list, tuple)) else [runs]
    for r in runs:
        if not isinstance(r, (Run, str, os.PathLike)):
            raise _C.UsageError(f"report: expected runs or their directories, got {r!r}")
        if isinstance(r, Run) and r.path is None:
            raise _C.UsageError("report: the run was not written; give train(..., out=...)")
    if isinstance(samples, bool) or not isinstance(samples, int):
        raise _C.UsageError(f"report: expected a number of samples, 0 for all, got {samples!r}")
    given = None if data is None else _tensors(data)
    each = [given if given is not None else r._data if isinstance(r, Run) else None for r in runs]
    paths = [str(r.path if isinstance(r, Run) else r) for r in runs]
    for path in paths:
        _load_plugins(path)
    page, numbers = (pathlib.Path(p) for p in _C.report(paths, str(out or ""), _dir(data_dir), samples, each))
    return Report(page, numbers, json.loads(numbers.read_text(encoding="utf-8")))
