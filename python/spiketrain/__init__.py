"""Deep spiking neural networks: fast, exact, reproducible training, in the same library as the command line ``spiketrain``.

Time comes first: inputs and outputs are ``[T, B, *]``.  A network is a ``torch.nn.Module`` that runs a whole sequence; its
states start afresh at each call and are explicit when wanted.

    net = st.Network("32C3-P2-64C3-P2-128-10", input_shape=(2, 34, 34), neuron=st.lif(leak=0.9), rule=st.bptt())
    loss = st.losses.rate_ce(net(x), y)

Kinds of parts (``st.neurons``, ``st.rules``, ``st.objectives``, ...) list what there is; ``help(st.neurons.lif)`` shows options.
"""
from . import _process  # before torch: how its threads wait is settled when it is loaded
import torch  # noqa: F401  before _C: a tensor that crosses needs torch's types

from . import _C
from ._C import DataError, NumericError, State, UsageError
from ._parts import Kind, Part, PartMaker, _kinds
from .prototype import PythonNeuron, PythonRule, spike
from .network import Network
from .training import Predictions, Report, Run, load, report, resolve, train
from . import compat, convert, datasets, losses
from .convert import from_torch

__version__ = _C.version
_process.settle(_C)

#: kinds of parts by their plural, as ``spiketrain list`` names them
globals().update(_kinds)
#: neurons and rules by their own name, for short: ``st.lif(leak=0.9)``
for _kind in (neurons, rules):  # noqa: F821
    for _maker in _kind:
        globals()[_maker.name.replace("-", "_")] = _maker
del _kind, _maker


#: a network from a NIR graph
from_nir = Network.from_nir


def load_plugin(path):
    """Loads a shared library with parts of one's own (docs/install.md); its parts are there from then on.

    Raises UsageError if the file is not there or does not fit."""
    from . import _parts

    _C.load_plugin(str(path))
    _parts.refresh()


__all__ = ["DataError", "Kind", "Network", "NumericError", "Part", "PartMaker", "Predictions", "PythonNeuron", "PythonRule", "Report", "Run", "State",
           "UsageError", "compat", "convert", "datasets", "from_nir", "from_torch", "load", "load_plugin", "losses", "report", "resolve", "spike",
           "train", *_kinds]
