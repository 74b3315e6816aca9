"""The objectives of recipes as losses of a network's output: ``st.losses.rate_ce(net(x), y)``.

One function for each of ``st.objectives``, with its options by keyword.  out: [T,B,*]; y: classes [B] (int64), values [B,*],
sequences [T,B,*] or spike times [B,*,n]; which of them is meant follows from y, or is said by `target_kind` ("class_index", ...)."""
import functools

import torch

from . import _C
from ._parts import _kinds


def _kind_of(out, y, target_kind):
    if target_kind is not None:
        return target_kind
    if not y.is_floating_point():
        return "class_index"
    return "sequence" if y.dim() == out.dim() else "values"


def _make(maker):
    def loss(out, y, *, target_kind=None, lengths=None, teacher=None, psp=0.0, analog=False, **options):
        if not torch.is_tensor(out) or not torch.is_tensor(y):
            raise _C.UsageError(f"losses.{maker.name}: expected tensors out [T,B,*] and y, got {type(out).__name__} and "
                                f"{type(y).__name__}")
        y = y.to(torch.int64) if not y.is_floating_point() else y.to(out.dtype)
        return _C.loss(maker(**options).config(), out, y, _kind_of(out, y, target_kind), teacher, lengths, psp, analog)

    loss.__name__ = loss.__qualname__ = maker.name
    loss.__doc__ = maker.__doc__ + """

    lengths [B]: steps of each sample, the rest is padding; teacher [B,*]: outputs to learn from (distillation);
    psp: time constant of the PSP that the output neuron sends, 0: none; analog: the output is not spikes.
    Returns a scalar in autograd.  UsageError if shapes, types or classes do not fit."""
    return loss


def predict(out, objective="rate_ce", lengths=None):
    """What the objective reads from an output [T,B,*]: scores [B,*], whose largest is the class."""
    from ._parts import config_of

    return _C.predict(config_of("objectives", objective), out, lengths)


for _maker in _kinds["objectives"]:
    globals()[_maker.name] = _make(_maker)
__all__ = [m.name for m in _kinds["objectives"]] + ["predict"]
del _maker, functools
