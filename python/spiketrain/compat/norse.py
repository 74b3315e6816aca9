"""Norse's neurons: fire above the threshold only, hard reset in the same step, Euler steps of dt.  method: "super" (Norse's default) or the
name of a surrogate, alpha: its number.  None is 1 for "super": Norse 1.1 takes no notice of its alpha of 100 and computes with 1."""
from .._parts import _kinds
from ._surrogate import options as _surrogate

_neurons = _kinds["neurons"]


def _common(tau_mem_inv, v_leak, v_th, v_reset, method, alpha, dt):
    return {"leak": 1 - dt * tau_mem_inv, "decay_input": True, "v_rest": float(v_leak), "threshold": float(v_th), "reset": "hard",
            "v_reset": float(v_reset), "strict": True, **_surrogate(method, alpha, 1)}


def LIFBox(tau_mem_inv=100.0, v_leak=0.0, v_th=1.0, v_reset=0.0, method="super", alpha=None, dt=0.001):
    """LIF whose input acts on the membrane at once."""
    return _neurons["lif"](**_common(tau_mem_inv, v_leak, v_th, v_reset, method, alpha, dt))


def LIF(tau_syn_inv=200.0, tau_mem_inv=100.0, v_leak=0.0, v_th=1.0, v_reset=0.0, method="super", alpha=None, dt=0.001):
    """LIF with a synaptic current, onto which the input jumps.  The carried current is Norse's before it decays."""
    return _neurons["cuba_lif"](leak_syn=1 - dt * tau_syn_inv, gain_syn=1.0,
                                **_common(tau_mem_inv, v_leak, v_th, v_reset, method, alpha, dt))


LIFCell, LIFBoxCell = LIF, LIFBox
