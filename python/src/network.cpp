// Networks: built from notation or configuration, run on torch tensors.
#include <optional>

#include "python/src/bind.h"
#include "spiketrain/core/extras.h"
#include "spiketrain/core/forward.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/core/watch.h"
#include "spiketrain/engine/learner.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/rates.h"

namespace spiketrain::python {
namespace {

/// UsageError, which begins with `who`, if there is no such layer.
const Network::Node& node_named(const Network& network, const std::string& name, const char* who) {
  std::vector<std::string> names;
  for (const Network::Node& node : network.nodes()) {
    if (!std::dynamic_pointer_cast<const Layer>(node.stage)) continue;
    if (node.name == name) return node;
    names.push_back(node.name);
  }
  throw UsageError(std::string(who) + ": the network " + network.notation() + " has no layer '" + name +
                   "'; it has " + join(names));
}

std::unique_ptr<Trainable> build(const py::dict& config, const Shape& input, const Shape& output,
                                 const py::object& neuron, const py::object& readout, const py::object& rule,
                                 const py::dict& rules, const py::object& feedback, uint64_t seed) {
  NetworkContext context;
  context.input = input;
  context.output = output;
  context.neuron = neuron_maker(neuron);
  context.readout = neuron_maker(readout);
  if (!feedback.is_none()) context.feedback = to_config(feedback);
  auto made = std::make_unique<Trainable>();
  made->network = make<NetworkBuilder>(to_config(config))->build(context);
  made->network->initialise(seed);
  made->method.rule = rule_from(rule);
  for (const auto& item : rules) {
    const auto place = item.first.cast<std::string>();
    made->method.layers[node_named(*made->network, place, "rules").stage->slot()] =
        rule_from(py::reinterpret_borrow<py::object>(item.second));
  }
  check_method(*made->network, made->method, {Segment{0, 1}});
  return made;
}

py::list named(const torch::OrderedDict<std::string, Tensor>& tensors) {
  py::list list;
  for (const auto& item : tensors) list.append(py::make_tuple(item.key(), item.value()));
  return list;
}

py::list nodes(const Trainable& t) {
  py::list list;
  for (const Network::Node& node : t.network->nodes()) {
    py::dict d;
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    d["name"] = node.name;
    d["notation"] = node.token;
    d["shape"] = py::tuple(py::cast(node.out));
    d["layer"] = layer != nullptr;
    d["neuron"] = layer ? layer->neuron()->part_name() : "";
    d["head_of"] = node.head_of;
    list.append(d);
  }
  return list;
}

/// Type of the weights; float for a network without any.
torch::ScalarType type_of(const Network& network) {
  for (const Tensor& p : network.parameters()) return p.scalar_type();
  return torch::kFloat;
}

/// What a torch tensor means to a network: `steps` 0: x [T,B,*]; else a constant input [B,*] shown for `steps` steps.
Signal signal_of(const Network& network, const Tensor& x, int64_t steps) {
  const Shape& shape = network.input_shape();
  const int64_t before = steps > 0 ? 1 : 2;
  const bool fits = x.dim() == before + static_cast<int64_t>(shape.size()) &&
                    x.sizes().slice(static_cast<size_t>(before)).equals(shape);
  ST_CHECK(fits, "network ", network.notation(), ": expected an input [", steps > 0 ? "B" : "T, B",
           ", *] with samples of shape ", at::IntArrayRef(shape), ", got ", x.sizes(),
           steps > 0 ? "" : "; for constant input give steps=T");
  ST_CHECK(steps > 0 || x.size(0) > 0, "network ", network.notation(),
           ": expected at least one step, got a tensor of shape ", x.sizes());
  const torch::ScalarType type = type_of(network);
  ST_CHECK(type == torch::kFloat || type == torch::kDouble, "network ", network.notation(),
           ": expected weights of type Float or Double, they are ", c10::toString(type),
           "; for bfloat16 products give precision=\"mixed\"");
  if (x.scalar_type() == torch::kBool || x.scalar_type() == torch::kByte) {
    if (steps > 0) return signal_of(network, x.to(type), steps);
    const Tensor bytes = x.to(torch::kByte).contiguous();
    const int64_t most = x.scalar_type() == torch::kBool || x.numel() == 0 ? 1 : x.max().item<uint8_t>();
    return Signal::spikes(Spikes::from_bytes(bytes, -1, std::max<int64_t>(1, most)), type);
  }
  ST_CHECK(x.scalar_type() == type, "network ", network.notation(), ": expected an input of type ",
           c10::toString(type), ", as its weights are, or bool or uint8 spikes, got ",
           c10::toString(x.scalar_type()), "; use x.to(...) or net.double()/net.float()");
  return steps > 0 ? Signal::constant(x.unsqueeze(0), torch::ones({steps}, x.options().requires_grad(false)))
                   : Signal::dense(x);
}

uint32_t slot_named(const std::string& what) {
  if (what == "I") return kI;
  if (what == "u") return kU;
  if (what == "psi") return kPsi;
  ST_CHECK(what == "output", "record: expected NAME.neuron.u, .I, .psi or .output, got .", what);
  return 0;
}

/// [(layer, quantity)]
using Wanted = std::vector<std::pair<std::string, std::string>>;

void ask(Recorder& recorder, const Network& network, const Wanted& wanted) {
  for (const auto& [name, what] : wanted) {
    const Network::Node& node = node_named(network, name, "record");
    const uint32_t slot = slot_named(what);
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    ST_CHECK(slot == 0 || slot == kI || (layer->neuron()->provides() & slot), "record: neuron ",
             layer->neuron()->part_name(), " of layer ", name, " has no ", what);
    recorder.ask(node.stage->slot(), slot);
  }
}

py::dict recorded(const Recorder& recorder, const Network& network, const Wanted& wanted) {
  py::dict result;
  for (const auto& [name, what] : wanted) {
    const auto& traces = recorder.traces();
    const auto it = traces.find(node_named(network, name, "record").stage->slot());
    if (it == traces.end()) continue;
    const Recorder::Trace& trace = it->second;
    const auto& list = what == "u"     ? trace.u
                       : what == "I"   ? trace.I
                       : what == "psi" ? trace.psi
                                       : trace.output;
    if (!list.empty())
      result[py::str(name + ".neuron." + what)] = list.size() == 1 ? list[0] : torch::cat(list);
  }
  return result;
}

/// What one call leaves for the next.
struct WindowState {
  Carry carry;
  std::string of;  ///< whose it is, see signature()
  int64_t batch;
};

/// Notation, neurons and type of a network: what its states look like.
std::string signature(const Network& network) {
  std::string text = network.notation();
  for (const Network::Node& node : network.nodes())
    if (const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage))
      text += " " + layer->neuron()->part_name();
  return text + " " + c10::toString(type_of(network));
}

void check_state(const WindowState& state, const Network& network, int64_t batch) {
  ST_CHECK(state.of == signature(network) && state.batch == batch, "network ", signature(network),
           ": expected a state of its own for ", batch, " samples, got one of network ", state.of, " for ",
           state.batch);
}

struct Forward {
  bool train, joined;
  uint64_t seed, iteration;
  int64_t steps;
};

py::tuple forward(const Trainable& t, const Tensor& x, const WindowState* state, const Forward& how,
                  const Wanted& wanted) {
  Tally tally;
  std::optional<Recorder> recorder;
  py::dict records;
  auto after = std::make_unique<WindowState>();
  Tensor values;
  {
    const py::gil_scoped_release no_gil;
    Context context;
    context.method = t.method;
    context.mode = how.train ? Mode::train : Mode::evaluate;
    context.seed = how.seed;
    context.iteration = how.iteration;
    context.tally = &tally;
    if (!wanted.empty()) {
      recorder.emplace();
      ask(*recorder, *t.network, wanted);
    }
    const Signal signal = signal_of(*t.network, x, how.steps);
    if (state) check_state(*state, *t.network, signal.batch());
    *after = {state ? state->carry : t.network->start(), signature(*t.network), signal.batch()};
    values =
        forward_values(t.network, signal, context, after->carry, how.joined ? States::joined : States::cut);
  }
  if (recorder) records = recorded(*recorder, *t.network, wanted);
  py::dict rates;
  for (const Network::Node& node : t.network->nodes()) {
    const auto slot = static_cast<size_t>(std::max<int64_t>(0, node.stage->slot()));
    const bool counted = std::dynamic_pointer_cast<const Layer>(node.stage) && slot < tally.counts().size() &&
                         tally.counts()[slot].sites > 0;
    if (counted) rates[py::str(node.name)] = tally.counts()[slot].rate();
  }
  return py::make_tuple(values, std::move(after), rates, records);
}

/// The flags `frozen` of layers' norms and of neurons with one.
std::vector<bool*> frozen_norms(const Trainable& t) {
  std::vector<bool*> flags;
  for (const auto& module : t.network->modules()) {
    if (const auto norm = std::dynamic_pointer_cast<Norm>(module)) flags.push_back(&norm->frozen);
    if (const auto neuron = std::dynamic_pointer_cast<NormedNeuron>(module)) flags.push_back(&neuron->frozen);
  }
  return flags;
}

}  // namespace

void bind_network(py::module_& m) {
  py::class_<WindowState>(m, "State",
                          "States and traces of a network between two windows; made by Network.forward(..., "
                          "return_state=True) and given to the next call.")
      .def(
          "detach",
          [](const WindowState& state) {
            WindowState cut = state;
            cut.carry.detach();
            return cut;
          },
          "The same states, detached: no gradient flows to what came before.")
      .def(
          "tensors",
          [](const WindowState& state) {
            py::list list;
            for (size_t slot = 0; slot < state.carry.state.size(); ++slot)
              for (const Tensor& z : state.carry.state[slot])
                if (z.defined()) list.append(py::make_tuple(slot, z));
            return list;
          },
          "[(slot, tensor [B,*])] of what has states, in its order.");
  py::class_<Trainable>(m, "Network")
      .def(py::init(&build), py::arg("config"), py::arg("input"), py::arg("output"), py::arg("neuron"),
           py::arg("readout"), py::arg("rule"), py::arg("rules"), py::arg("feedback"), py::arg("seed"))
      .def("parameters", [](const Trainable& t) { return named(t.network->named_parameters()); })
      .def("buffers", [](const Trainable& t) { return named(t.network->named_buffers()); })
      .def(
          "set_data",
          [](const Trainable&, Tensor of, const Tensor& value) {
            const torch::NoGradGuard no_grad;
            of.set_data(value);
          },
          "Gives the tensor of a parameter or buffer another storage.")
      .def_property(
          "frozen_norms",
          [](const Trainable& t) {
            std::vector<bool> frozen;
            for (const bool* flag : frozen_norms(t)) frozen.push_back(*flag);
            return frozen;
          },
          [](const Trainable& t, const std::vector<bool>& frozen) {
            const std::vector<bool*> flags = frozen_norms(t);
            ST_CHECK(flags.size() == frozen.size(), "network: expected ", flags.size(), " norms, got ",
                     frozen.size());
            for (size_t k = 0; k < flags.size(); ++k) *flags[k] = frozen[k];
          },
          "Of each normalisation whether it uses and keeps its running statistics in training, too.")
      .def("nodes", &nodes)
      .def(
          "draws",
          [](const Trainable& t) {
            for (const Network::Node& node : t.network->nodes())
              if (node.stage->part_name() == "dropout") return true;
            return false;
          },
          "Whether passes in training draw random numbers.")
      .def("initialise", [](const Trainable& t, uint64_t seed) { t.network->initialise(seed); })
      .def("set_precision",
           [](const Trainable& t, bool mixed) {
             set_precision(*t.network, mixed ? Precision::mixed : Precision::fp32);
           })
      .def("config", [](const Trainable& t) { return to_python(t.network->config()); })
      .def("save", [](const Trainable& t, const std::string& path,
                      const py::dict& config) { save_weights(path, *t.network, {to_config(config)}, {}); })
      .def("forward",
           [](const Trainable& t, const Tensor& x, const WindowState* state, int64_t steps, bool train,
              bool joined, uint64_t seed, uint64_t iteration, const Wanted& wanted) {
             return forward(t, x, state, {train, joined, seed, iteration, steps}, wanted);
           })
      .def_property(
          "dt", [](const Trainable& t) { return t.network->dt(); },
          [](const Trainable& t, double seconds) { t.network->set_dt(seconds); })
      .def_property_readonly("notation", [](const Trainable& t) { return t.network->notation(); })
      .def_property_readonly("input_shape",
                             [](const Trainable& t) { return py::tuple(py::cast(t.network->input_shape())); })
      .def_property_readonly("output_shape",
                             [](const Trainable& t) { return py::tuple(py::cast(t.network->out_shape())); });
  m.def("network_from_config", [](const py::dict& config, const py::object& rule) {
    auto made = std::make_unique<Trainable>();
    made->network = Network::from_config(to_config(config));
    made->method.rule = rule_from(rule);
    return made;
  });
  m.def("network_of_recipe", [](const py::dict& config, const py::dict& recipe) {
    auto made = std::make_unique<Trainable>();
    made->network = Network::from_config(to_config(config));
    made->method = make_method(make_recipe(to_config(recipe)), *made->network);
    return made;
  });
  m.def("load_network", [](const std::string& path, const py::object& rule) {
    auto made = std::make_unique<Trainable>();
    made->network = load_network(path);
    made->method.rule = rule_from(rule);
    return made;
  });
}

}  // namespace spiketrain::python
