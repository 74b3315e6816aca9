"""Neurons and rules whose equations are written in Python: to try an idea before it becomes one C++ file."""
import torch

from . import _C


def spike(x, surrogate="atan", scale=0.0, threshold=1.0, strict=False):
    """1 where x >= 0 (`strict`: x > 0), else 0; in backward the surrogate replaces its derivative.

    x: membrane potential minus threshold, any shape.  surrogate: a name that ``help(st.neurons.lif)`` lists; scale: its own number, 0: its
    default; threshold: for the surrogates whose width is in units of it.  First derivatives only.  UsageError for an unknown
    name."""
    return _C.spike(x, surrogate, float(scale), float(threshold), strict)


class PythonNeuron(torch.nn.Module):
    """Your own neuron: `initial` and `step`, both in differentiable torch.

    The rules bptt, sltt and s_tllr train it: those that need only the derivative of a step.  Each layer makes one, so
    give a class or a factory to Network.  Parameters (``torch.nn.Parameter``) learn under bptt.  `step` must be a pure function of its
    arguments and act on each neuron separately: it is called on parts of the batch, in several threads, and again in backward.
    Calling Python at every time step is slow (some milliseconds per training step of a small network); once the neuron works, write it
    in C++ (docs/add-a-neuron.md)."""

    #: True: the output is any real number, and step() returns None for the spikes
    analog = False
    #: True: step() returns a fourth value, the membrane potential before reset [B,*], for rules and recordings that read it
    membrane = False

    def initial(self, shape, like):
        """States before the first step: a list of tensors [B,*] = `shape`, made by like.new_zeros(shape) and so on."""
        raise NotImplementedError(f"{type(self).__name__}.initial(shape, like) is missing")

    def step(self, current, state):
        """One step: input current [B,*] and the list of states -> (output, spikes, next state), all [B,*]."""
        raise NotImplementedError(f"{type(self).__name__}.step(current, state) is missing")


class PythonRule:
    """Your own learning rule: override `trace`, `credit` or both; the defaults are those of bptt.

    The weight gradient is sum_t g[t] (x) q[t]: `credit` computes the error signal g, `trace` chooses q."""

    #: what `record` holds in both: names from "I", "u" and "psi" (the derivative of the output by the current at the same step)
    needs = ()
    #: True: no gradient flows to earlier steps
    local_in_time = False

    def trace(self, record, pre):
        """After a segment's forward: pre.x [T,B,*] is the input; set pre.q [T,B,*] (None: the input itself) and pre.trace, a list
        of tensors that is carried from segment to segment ([] at first).  No gradient."""
        raise NotImplementedError

    def credit(self, record, delta):
        """delta = dL/d(output) [T,B,*] -> error signal g = dL/d(input current) [T,B,*].  record.s: spikes, record.leak: the neuron's."""
        raise NotImplementedError
