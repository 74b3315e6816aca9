"""A spiking network as a torch module."""
import copy
import numbers
import re

import torch

from . import _C
from ._parts import Part, PartMaker, _kinds, config_of
from .prototype import PythonNeuron, PythonRule

try:  # the layers are C++: nothing to compile, and nothing that a tracer could see
    from torch._dynamo import disable as _eager
except ImportError:

    def _eager(function):
        return function


def _neuron(value):
    """What the library makes neurons from: options, or a factory of PythonNeuron."""
    if isinstance(value, type) and issubclass(value, PythonNeuron):
        return value
    if isinstance(value, PythonNeuron):
        raise _C.UsageError(f"neuron: expected the class {type(value).__name__} or a function that makes one, one for each layer, got an "
                            "instance")
    if isinstance(value, torch.nn.Module):
        raise _C.UsageError(f"neuron: {type(value).__name__} is a torch module; give one of st.neurons, the same under its name in another "
                            "framework (st.compat), or a PythonNeuron class")
    if callable(value) and not isinstance(value, PartMaker):
        return value
    return config_of("neurons", value)


def _watched(made, maker):
    """A factory that remembers what it made."""
    if isinstance(maker, dict):
        return maker

    def make():
        neuron = maker()
        made.append(neuron)
        return neuron

    return make


def _rule(value):
    if isinstance(value, PythonRule):
        return value
    if isinstance(value, type) and issubclass(value, PythonRule):
        return value()
    return config_of("rules", value)


def _positive(name, value):
    """As the library takes it: 0 stands for None."""
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < float("inf"):
        raise _C.UsageError(f"{name}: expected a number above 0, got {value!r}")
    return float(value)


def _output_of(spec):
    """Shape of the output that the notation's last token names."""
    match = re.fullmatch(r"(\d+)R?\d*", spec.rsplit("-", 1)[-1])
    if not match:
        raise _C.UsageError(f"network {spec}: the last layer does not say how many outputs there are; give output_shape, such as (10,) or (C, H, W)")
    return (int(match.group(1)),)


def _transform_of(x):
    """What of torch looks at the call instead of making it; empty: nothing."""
    if torch._C._get_tracing_state() is not None:
        return "torch.jit.trace"
    functorch = getattr(torch._C, "_functorch", None)
    if isinstance(x, torch.Tensor) and functorch is not None and functorch.is_functorch_wrapped_tensor(x):
        return "torch.func (vmap, grad, jvp, ...)"
    return ""


class Network(torch.nn.Module):
    """A network in the notation of the papers, e.g. ``Network("32C3-P2-64C3-P2-128-10", input_shape=(2, 34, 34))``.

    spec: the layers (docs/recipes.md: 15C5 convolution, P2 pooling, 300 fully connected, 300R recurrent, D0.2 dropout, ...), or
        one of ``st.networks`` with its options.
    input_shape: of a sample at one step.  output_shape: of the last layer; by default as the notation says.
    neuron, readout: of the hidden layers and of the last (default: as the hidden ones): one of ``st.neurons``, a PythonNeuron class, or a
        function that makes one.
    rule: how the error signal flows in time, one of ``st.rules`` or a PythonRule; rules: {layer: rule} for single layers.
    feedback: what errors are backpropagated through instead of the transposed weights, one of ``st.feedback``.
    seed: of the initial weights.  precision: "fp32", or "mixed" (dense products in bfloat16).
    options: of the notation, such as padding="same", norm="tdbn", bias=True (``help(st.networks.spec)``).

    Parameters are torch parameters that share the library's memory: any torch optimizer trains them.  UsageError if parts do not fit
    each other."""

    def __init__(self, spec=None, *, input_shape, output_shape=None, neuron="lif", readout=None, rule="bptt", rules=None,
                 feedback=None, seed=1, precision="fp32", **options):
        super().__init__()
        if precision not in ("fp32", "mixed"):
            raise _C.UsageError(f"precision: expected fp32 or mixed, got {precision!r}")
        if isinstance(spec, str):
            config = _kinds["networks"].spec(spec=spec, **options).config()
            output_shape = output_shape or _output_of(spec)
        elif isinstance(spec, (Part, PartMaker)):
            config = config_of("networks", spec)
            if options:
                raise _C.UsageError(f"network: give the options to st.networks.{config['name']}(...): {', '.join(options)}")
        else:
            raise _C.UsageError(f"network: expected a notation such as '15C5-P2-300-10' or one of st.networks, got {spec!r}")
        if output_shape is None:
            raise _C.UsageError(f"network {config['name']}: give output_shape, such as (10,)")
        self._neurons = []  # those written in Python
        hidden = _watched(self._neurons, _neuron(neuron))
        last = hidden if readout is None else _watched(self._neurons, _neuron(readout))
        core = _C.Network(config, list(input_shape), list(output_shape), hidden, last, _rule(rule),
                          {str(k): _rule(v) for k, v in (rules or {}).items()},
                          None if feedback is None else config_of("feedback", feedback), int(seed))
        self._made = dict(spec=spec, input_shape=tuple(input_shape), output_shape=tuple(output_shape), neuron=neuron, readout=readout,
                          rule=rule, rules=rules, feedback=feedback, seed=seed, precision=precision, **options)
        self._adopt(core, seed, precision)

    @classmethod
    def _of(cls, core, seed=1, learns="bptt", precision="fp32"):
        """Around a network that the library made.  learns: the rule, or the recipe that says which layer has which."""
        net = cls.__new__(cls)
        torch.nn.Module.__init__(net)
        net._made, net._neurons, net._learns = None, [], learns
        net._adopt(core, seed, precision)
        return net

    def _adopt(self, core, seed, precision):
        self._core, self.seed, self.precision = core, seed, precision
        self._draws = core.draws()
        self._wanted, self._rates, self._records, self.notes = [], {}, {}, []
        core.set_precision(precision == "mixed")
        self._tensors = []  # (module, name, tensor, is a parameter)
        for name, tensor in core.parameters():
            tensor.__class__ = torch.nn.Parameter  # the same tensor: what an optimizer changes is what the library reads
            self._mirror(name, tensor, True)
        for name, tensor in core.buffers():
            self._mirror(name, tensor, False)
        self._mirrors = {id(m) for m in self.modules()}

    def _mirror(self, path, tensor, is_parameter):
        module, parts = self, path.split(".")
        for part in parts[:-1]:
            if part not in module._modules:
                module.add_module(part, torch.nn.Module())
            module = module._modules[part]
        if is_parameter:
            module.register_parameter(parts[-1], tensor)
        else:
            module.register_buffer(parts[-1], tensor)
        self._tensors.append((module, parts[-1], tensor, is_parameter))

    @_eager
    def forward(self, x, state=None, *, steps=None, return_state=False):
        """x [T,B,*], or with steps=T constant input [B,*] shown for T steps -> [T,B,*out].

        x: of the weights' type, or spikes as bool or uint8, which are cheaper.  States start at their initial values, or from `state`.
        return_state: also return the states after the last step, in the graph: gradients then flow from a window to the one before;
        state.detach() cuts them.
        In training (``net.train()``) rules record what backward needs, and dropout uses torch's generator; in evaluation there is no
        graph.  UsageError if shape or type do not fit."""
        transform = _transform_of(x)
        if transform:
            raise _C.UsageError(f"network {self.notation}: {transform} cannot see into the layers; call the network as it is, with batches "
                                "[T,B,*]")
        if not isinstance(x, torch.Tensor):
            raise _C.UsageError(f"network {self.notation}: expected a tensor [T,B,*], got {type(x).__name__}")
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise _C.UsageError(f"network {self.notation}: expected steps, an integer of at least 1, got {steps}")
        if state is not None and not isinstance(state, _C.State):
            raise _C.UsageError(f"network {self.notation}: expected a state that a call with return_state=True gave, got "
                                f"{type(state).__name__}")
        self._check_own()
        key = torch.randint(2**62, ()).item() if self._draws and self.training else 0
        out, state, self._rates, self._records = self._core.forward(
            x, state, steps or 0, self.training, bool(return_state or state is not None), self.seed, key, self._wanted)
        return (out, state) if return_state else out

    def _check_own(self):
        for module, name, tensor, _ in self._tensors:
            if getattr(module, name, None) is not tensor:
                raise _C.UsageError(f"network {self.notation}: {name} was replaced by another tensor (parametrize, prune, functional_call and "
                                    "load_state_dict(assign=True) do that); the layers would not see it. Change tensors in place instead")

    def train(self, mode=True):
        """As torch's; neurons written in Python are told, too."""
        for neuron in self._neurons:
            neuron.train(mode)
        return super().train(mode)

    def _apply(self, fn, *args, **kwargs):
        for module in self.children():
            if id(module) not in self._mirrors:  # what a user has added
                module._apply(fn, *args, **kwargs)
        for module, name, tensor, _ in self._tensors:
            with torch.no_grad():
                self._core.set_data(tensor, fn(tensor.detach()))
                if tensor.grad is not None:
                    tensor.grad.data = fn(tensor.grad.detach())
        return self

    def _replicate_for_data_parallel(self):
        raise _C.UsageError("DataParallel copies parameters, which the layers would not see; use DistributedDataParallel")

    @property
    def notation(self):
        """The network in the papers' notation."""
        return self._core.notation

    @property
    def spec(self):
        """The same: what ``Network(spec, ...)`` takes."""
        return self.notation

    @property
    def input_shape(self):
        return self._core.input_shape

    @property
    def output_shape(self):
        return self._core.output_shape

    @property
    def layers(self):
        """The spiking layers: a list of {name, notation, shape, neuron}."""
        return [{k: n[k] for k in ("name", "notation", "shape", "neuron")} for n in self._core.nodes() if n["layer"]]

    @property
    def rates(self):
        """{layer: spikes per neuron and step} of the last call."""
        return dict(self._rates)

    def record(self, *names):
        """Records in each following call, by layer: "0.neuron.u" (membrane potential before reset), ".I" (input current), ".psi", ".output".
        No names: stops recording.  `records` holds the result.  UsageError for an unknown name."""
        wanted = []
        for name in names:
            match = re.fullmatch(r"(.+)\.neuron\.(\w+)", name)
            if not match:
                raise _C.UsageError("record: expected LAYER.neuron.u, LAYER.neuron.I, LAYER.neuron.psi or LAYER.neuron.output, such as "
                                    f"'0.neuron.output', got {name!r}")
            layer, what = match.groups()
            known = [n["name"] for n in self._core.nodes() if n["layer"]]
            if layer not in known:
                raise _C.UsageError(f"record: the network {self.notation} has no layer '{layer}'; it has: {', '.join(known)}")
            wanted.append((layer, what))
        self._wanted = wanted
        return self

    @property
    def records(self):
        """{name: tensor [T,B,*]} of the last call, without gradient."""
        return dict(self._records)

    def config(self):
        """The network as the library writes it: a dict from which ``Network.from_config`` builds an equal one.  UsageError with a
        PythonNeuron."""
        return self._core.config()

    @classmethod
    def from_config(cls, config, rule="bptt", seed=1):
        """From what `config` gave; weights are zero until they are loaded."""
        return cls._of(_C.network_from_config(config, _rule(rule)), seed, rule)

    def save(self, path):
        """Weights and network in the library's own format, without a recipe; `load` reads it."""
        self._core.save(str(path), {})

    @classmethod
    def load(cls, path, rule="bptt", seed=1, precision="fp32"):
        """A network that `save` or a training run wrote.  DataError if the file is missing or damaged."""
        return cls._of(_C.load_network(str(path), _rule(rule)), seed, rule, precision)

    @property
    def dt(self):
        """Seconds a step: what `from_nir` found or was given; None: the network has none.  `save` keeps it, `to_nir` writes it."""
        return self._core.dt or None

    @dt.setter
    def dt(self, seconds):
        self._core.dt = _positive("dt", seconds)

    def to_nir(self, path, dt=None, fold=True):
        """Writes the network as a NIR graph (docs/nir.md) and returns notes: what the format cannot say.

        dt: seconds a step; None: the network's own, or else 1e-4.  fold: the input gain goes into the weights, for programs that ignore r; False keeps their bits.
        UsageError names the layer that NIR cannot express."""
        return _C.to_nir(self._core, str(path), _positive("to_nir: dt", dt), bool(fold))

    def to_onnx(self, path, spikes=False):
        """Writes one time step as an ONNX graph (docs/deploy.md): (x, states) -> (y, states after it); the caller loops.

        spikes: the spikes of every layer are outputs, too.  UsageError names the layer that cannot be exported."""
        _C.to_onnx(self._core, str(path), bool(spikes))

    @classmethod
    def from_nir(cls, path, rule="bptt", *, dt=None, reset=None, reset_delay=None, threshold=None, order=None, start=None, surrogate=None,
                 surrogate_scale=None, double=False):
        """A network from a NIR graph; `notes` say what was chosen where the format is ambiguous, and why (docs/nir.md).

        dt: seconds a step; reset: "zero", "subtract" or "none"; reset_delay: it is part of the next step; threshold: "strict" or "at";
        order: of CubaLIF, "new" or "old" current; start: membrane potentials start at "zero" or "rest"; surrogate, surrogate_scale: for training.
        None: as the file says, or NIR.  The network keeps `dt`.
        DataError for a damaged file, UsageError for what cannot be expressed."""
        if isinstance(reset_delay, bool):
            reset_delay = "true" if reset_delay else "false"
        given = dict(dt=dt, reset=reset, reset_delay=reset_delay, threshold=threshold, order=order, start=start, surrogate=surrogate,
                     surrogate_scale=surrogate_scale)
        given = {k: v for k, v in given.items() if v is not None}
        for name, value in given.items():
            if name in ("dt", "surrogate_scale"):
                given[name] = _positive(f"from_nir: {name}", value)
            elif not isinstance(value, str):
                raise _C.UsageError(f"from_nir: {name}: expected a text, got {value!r}")
        core, notes = _C.from_nir(str(path), given, _rule(rule), bool(double))
        net = cls._of(core, 1, rule)
        net.notes = notes
        return net

    def reset_parameters(self, seed=None):
        """Draws new initial weights."""
        self._core.initialise(self.seed if seed is None else seed)

    def __deepcopy__(self, memo):
        build, arguments, state = self.__reduce__()
        other = build(*arguments)
        memo[id(self)] = other
        other._restore({**state, "tensors": [t.clone() for t in state["tensors"]]})
        for (_, _, old, _), (_, _, new, _) in zip(self._tensors, other._tensors):
            memo[id(old)] = new  # an optimizer that is copied along has the copy's parameters
            new.grad = None if old.grad is None else old.grad.clone()
        for old, new in zip(self._neurons, other._neurons):
            own = {k: v for k, v in vars(old).items() if k not in ("_parameters", "_buffers", "_modules")}
            vars(new).update(copy.deepcopy(own, memo))
        return other

    def __reduce__(self):
        if type(self) is not Network:
            raise _C.UsageError(f"{type(self).__name__} derives from Network, which cannot be copied; let a torch module hold the network instead")
        if self._made is not None:
            made = dict(self._made)
            return _build, (made.pop("spec"), made), self.__getstate__()
        return _build_config, (self.config(), self._learns, self.seed, self.precision), self.__getstate__()

    def __getstate__(self):
        return {"tensors": [t.detach() for _, _, t, _ in self._tensors], "training": self.training,
                "requires_grad": [t.requires_grad for _, _, t, _ in self._tensors], "wanted": list(self._wanted), "dt": self.dt,
                "notes": list(self.notes), "frozen_norms": self._core.frozen_norms}

    def __setstate__(self, state):
        self._restore(state)

    def _restore(self, state):
        for (_, _, tensor, _), value, grad in zip(self._tensors, state["tensors"], state["requires_grad"]):
            self._core.set_data(tensor, value)
            tensor.requires_grad_(grad)
        self._core.frozen_norms = state.get("frozen_norms", self._core.frozen_norms)
        self._wanted, self.dt, self.notes = list(state["wanted"]), state.get("dt"), list(state.get("notes", []))
        self.train(state["training"])

    def extra_repr(self):
        return f"{self.notation}, input {self.input_shape}, output {self.output_shape}"

    def __repr__(self):
        return f"Network({self.extra_repr()})"


def _build(spec, made):
    return Network(spec, **made)


def _build_config(config, learns, seed, precision):
    if isinstance(learns, dict) and "rule" in learns:  # a recipe
        return Network._of(_C.network_of_recipe(config, learns), seed, learns, precision)
    return Network._of(_C.network_from_config(config, _rule(learns)), seed, learns, precision)
