"""snnTorch's neurons: fire above the threshold only, and reset one step late and without gradient unless reset_delay=False.
surrogate: the name of its function ("atan", "fast_sigmoid", "sigmoid", ...), slope: its number."""
from .. import _C
from .._parts import _kinds
from ._surrogate import options as _surrogate

_neurons = _kinds["neurons"]


def _common(beta, threshold, reset_mechanism, resets):
    if reset_mechanism not in resets:
        raise _C.UsageError(f"reset_mechanism: expected {', '.join(resets)}, got {reset_mechanism!r}")
    return {"leak": min(max(float(beta), 0.0), 1.0), "threshold": float(threshold), "strict": True, **resets[reset_mechanism]}


def Leaky(beta, threshold=1.0, surrogate="atan", slope=None, reset_mechanism="subtract", reset_delay=True):
    """LIF: u[t+1] = beta u[t] + I[t+1] - reset."""
    subtract = {"reset": "soft"} if reset_delay else {"reset": "soft_decayed", "raise_after_overshoot": True}
    resets = {"subtract": subtract, "zero": {"reset": "hard"}, "none": {"reset": "none"}}
    return _neurons["lif"](reset_delay=reset_delay, **_common(beta, threshold, reset_mechanism, resets),
                           **_surrogate(surrogate, slope, 25 if surrogate == "sigmoid" else 0))


def Synaptic(alpha, beta, threshold=1.0, surrogate="atan", slope=None, reset_mechanism="subtract"):
    """LIF with a synaptic current, reset one step late."""
    resets = {"subtract": {"reset": "soft"}, "zero": {"reset": "hard_input"}, "none": {"reset": "none"}}
    return _neurons["cuba_lif"](reset_delay=True, leak_syn=min(max(float(alpha), 0.0), 1.0),
                                **_common(beta, threshold, reset_mechanism, resets),
                                **_surrogate(surrogate, slope, 25 if surrogate == "sigmoid" else 0))
