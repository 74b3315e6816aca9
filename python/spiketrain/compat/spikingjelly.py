"""SpikingJelly's neurons (`activation_based.neuron`): fire at the threshold; v_reset=None is a soft reset; a hard reset's value is also
the resting potential.  surrogate: the name of its function in snake_case, alpha: its number."""
from .._parts import _kinds
from ._surrogate import options as _surrogate

_neurons = _kinds["neurons"]


def _reset(v_threshold, v_reset, detach_reset, surrogate, alpha, rest=False):
    made = {"threshold": float(v_threshold), "detach_reset": bool(detach_reset)}
    if v_reset is None:
        made.update(reset="soft_decayed", v_reset=0.0)
    else:
        made.update(reset="hard", v_reset=float(v_reset))
        if rest:
            made["v_rest"] = float(v_reset)
    return {**made, **_surrogate(surrogate, alpha)}


def IFNode(v_threshold=1.0, v_reset=0.0, surrogate="sigmoid", alpha=None, detach_reset=False):
    """Integrate-and-fire."""
    return _neurons["if"](**_reset(v_threshold, v_reset, detach_reset, surrogate, alpha))


def LIFNode(tau=2.0, decay_input=True, v_threshold=1.0, v_reset=0.0, surrogate="sigmoid", alpha=None, detach_reset=False):
    """Leaky integrate-and-fire; tau in steps."""
    return _neurons["lif"](leak=1 - 1 / tau, decay_input=decay_input,
                           **_reset(v_threshold, v_reset, detach_reset, surrogate, alpha, rest=True))


def ParametricLIFNode(init_tau=2.0, decay_input=True, v_threshold=1.0, v_reset=0.0, surrogate="sigmoid", alpha=None, detach_reset=False):
    """LIF that learns 1/tau = sigmoid(w)."""
    return _neurons["lif"](leak=1 - 1 / init_tau, decay_input=decay_input, learn_leak=True,
                           **_reset(v_threshold, v_reset, detach_reset, surrogate, alpha, rest=True))


def KLIFNode(scale_reset=False, tau=2.0, decay_input=True, v_threshold=1.0, v_reset=0.0, surrogate="sigmoid", alpha=None,
             detach_reset=False):
    """LIF with a learned scale k of the membrane."""
    return _neurons["klif"](scale_reset=scale_reset, leak=1 - 1 / tau, decay_input=decay_input,
                            **_reset(v_threshold, v_reset, detach_reset, surrogate, alpha, rest=True))


def LIAFNode(act="relu", threshold_related=False, tau=2.0, decay_input=True, v_threshold=1.0, v_reset=0.0, surrogate="sigmoid", alpha=None,
             detach_reset=False):
    """LIF membrane with an analog output; act: "relu", "tanh" or "identity"."""
    return _neurons["liaf"](act=act, threshold_related=threshold_related, leak=1 - 1 / tau, decay_input=decay_input,
                            **_reset(v_threshold, v_reset, detach_reset, surrogate, alpha, rest=True))


def CUBALIFNode(c_decay=0.5, v_decay=0.75, v_threshold=0.5, v_reset=0.0, surrogate="rect", alpha=None, detach_reset=False):
    """LIF with a synaptic current."""
    return _neurons["cuba_lif"](leak_syn=c_decay, leak=v_decay, **_reset(v_threshold, v_reset, detach_reset, surrogate, alpha))


def EIFNode(tau=2.0, delta_T=1.0, theta_rh=0.8, v_threshold=1.0, v_rest=0.0, v_reset=-0.1, surrogate="sigmoid", alpha=None,
            detach_reset=False):
    """Exponential integrate-and-fire."""
    return _neurons["eif"](tau_m=tau, sharpness=delta_T, theta_rh=theta_rh, v_rest=float(v_rest),
                           **_reset(v_threshold, v_reset, detach_reset, surrogate, alpha))


def QIFNode(tau=2.0, v_c=0.8, a0=1.0, v_threshold=1.0, v_rest=0.0, v_reset=-0.1, surrogate="sigmoid", alpha=None, detach_reset=False):
    """Quadratic integrate-and-fire."""
    return _neurons["qif"](tau_m=tau, v_c=v_c, a0=a0, v_rest=float(v_rest),
                           **_reset(v_threshold, v_reset, detach_reset, surrogate, alpha))
