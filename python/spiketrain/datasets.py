"""The library's data sets as torch data sets, and frames from events.

``st.datasets.glyphs()``, ``st.datasets.mnist(root="data")``, ``st.datasets.nmnist(root="data", steps=10)``; ``names()`` lists all."""
import torch

from . import _C
from .training import _dir


class Dataset(torch.utils.data.Dataset):
    """Samples (x, y) by index: images x [*], or frames x [T,*] (uint8 counts of events), and the class or values y.

    A batch of a DataLoader is [B,*] or [B,T,*]; `collate` makes [T,B,*] of frames."""

    def __init__(self, core, name, split, options):
        self._core, self.name, self.split, self._options = core, name, split, options
        self.epoch = 0  #: augmentation depends on it

    def __len__(self):
        return len(self._core)

    def __getitem__(self, index):
        index = int(index)
        return self._core.item(index + len(self) if index < 0 else index, self.epoch)

    @property
    def classes(self):
        return self._core.classes

    @property
    def class_names(self):
        """What the classes are called; []: by their numbers."""
        return self._core.class_names

    @property
    def steps(self):
        """T of the frames; 0: images."""
        return self._core.frames

    @property
    def sample_shape(self):
        return self._core.sample_shape

    def collate(self, samples):
        """For DataLoader(collate_fn=data.collate): x [T,B,*] of frames or [B,*] of images, y [B,...]."""
        x, y = torch.utils.data.default_collate(list(samples))
        return (x.transpose(0, 1).contiguous() if self.steps else x), y

    def __reduce__(self):
        return _reopened, (self.name, self.split, self._options, self.epoch)

    def __repr__(self):
        return self._core.describe()


def load(name, split="train", *, root=None, steps=0, seed=1, validation=0, augment=False, limit=0, train_size=10000, test_size=2000,
         mean=None, std=None, **events):
    """A split ("train", "validation", "test") of a data set of the library.

    root: folder that holds mnist/, nmnist/, ... (default: SPIKETRAIN_DATA).  steps: frames T of recordings of events, whose further
    options are those of a recipe's section [events].  The rest is as in [data] (docs/options.md).
    DataError if a file is missing, with how to get it."""
    data = dict(name=name, validation=validation, augment=augment, train_size=train_size, test_size=test_size)
    data["test_limit" if split == "test" else "limit"] = limit
    for key, value in (("mean", mean), ("std", std)):
        if value is not None:
            data[key] = [float(value)]
    options = dict(root=_dir(root), steps=steps, seed=seed, validation=validation, augment=augment, limit=limit, train_size=train_size,
                   test_size=test_size, mean=mean, std=std, **events)
    return Dataset(_C.open_split(data, events, steps, seed, split, _dir(root)), name, split, options)


def _reopened(name, split, options, epoch):
    data = load(name, split, **options)
    data.epoch = epoch
    return data


def names():
    """{name: what it is}"""
    return {name: doc for name, doc, _ in _C.data_sets()}


def _make(name, doc):
    function_name = name.replace("-", "_")

    def function(split="train", **options):
        return load(name, split, **options)

    function.__name__ = function.__qualname__ = function_name
    function.__doc__ = f"{doc}\n\nOptions as ``datasets.load``."
    return function


for _name, _doc, _ in _C.data_sets():
    globals()[_name.replace("-", "_")] = _make(_name, _doc)
del _name, _doc


def frames(events, sensor_size, steps, **options):
    """Events -> frames [T,P,H,W] uint8.

    events: a structured array with fields x, y, t, p as Tonic's (t in microseconds; without y, as from a cochlea: y = 0), or a dict of
    such columns.  sensor_size: (W, H, P), as Tonic's.  options: those of [events], e.g. by="count", accumulate="or", dt_us=1000.
    UsageError for events outside the sensor."""
    fields = events.dtype.names if hasattr(events, "dtype") and events.dtype.names else None
    if fields is None and not isinstance(events, dict):
        raise _C.UsageError(f"frames: expected a structured array with fields x, y, t, p, or a dict of them, got {type(events).__name__}")
    have = set(fields or events)
    if not {"x", "t"} <= have:
        raise _C.UsageError(f"frames: expected fields x, y, t, p; got {', '.join(sorted(have))}")

    if len(sensor_size) != 3:
        raise _C.UsageError(f"frames: expected sensor_size (W, H, P), got {sensor_size!r}")

    def column(name):
        import numpy

        if name not in have:
            return torch.zeros(len(events["t"]), dtype=torch.int64)
        values = numpy.asarray(events[name])
        return torch.from_numpy(numpy.ascontiguousarray(values if values.dtype.kind == "f" else values.astype(numpy.int64)))

    return _C.frames(column("x"), column("y"), column("t"), column("p"), steps, tuple(int(n) for n in sensor_size), options)


class Events(torch.utils.data.Dataset):
    """A data set of (events, label), such as one of Tonic's, as frames: items are (x [T,P,H,W] uint8, label)."""

    def __init__(self, source, sensor_size, steps, **options):
        self.source, self.sensor_size, self.steps, self.options = source, tuple(sensor_size), steps, options

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        events, label = self.source[index]
        return frames(events, self.sensor_size, self.steps, **self.options), label

    collate = Dataset.collate
