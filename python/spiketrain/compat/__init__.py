"""Neurons under the names, options and defaults of other frameworks (docs/conventions.md): the same equations, checked against numbers
those frameworks computed.

    st.compat.snntorch.Leaky(beta=0.9)
    st.compat.spikingjelly.LIFNode(tau=2.0, v_reset=None)
    st.compat.norse.LIFBox(tau_mem_inv=100.0, dt=1e-3)

Each gives a part for ``Network(neuron=...)``.  Classes and options that are not here have no translation."""
from . import norse, snntorch, spikingjelly

__all__ = ["norse", "snntorch", "spikingjelly"]
