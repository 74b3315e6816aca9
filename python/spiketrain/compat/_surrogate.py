from .. import _C
from .._parts import near

NAMES = {"ste": "straight_through", "straight_through_estimator": "straight_through", "SFS": "sparse_fast_sigmoid",
         "sfs": "sparse_fast_sigmoid", "LSO": "leaky_spike", "lso": "leaky_spike", "super": "fast_sigmoid"}


def options(surrogate, scale, default=0.0, names=()):
    """surrogate: a name as the other framework's, which is mostly ours; scale: its own number, None: the default."""
    name = NAMES.get(surrogate, surrogate)
    known = _C.surrogates()
    if name not in known:
        raise _C.UsageError(f"surrogate: unknown '{surrogate}'{near(surrogate, known)}; there are: {', '.join(known)}")
    return {"surrogate": name, "surrogate_scale": float(default if scale is None else scale)}
