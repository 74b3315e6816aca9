// Neurons and rules whose equations are written in Python.  They cost a Python call per step or segment.
#include "python/src/bind.h"

namespace spiketrain::python {
namespace {

/// A Python object that may die on a thread without the GIL: a tape can outlive the call that made it.
class Held {
 public:
  explicit Held(py::object object) : object_(std::move(object)) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    const py::gil_scoped_acquire gil;
    object_ = py::object();
  }
  const py::object& get() const { return object_; }

 private:
  py::object object_;
};

/// A list of tensors from a list or tuple; `what` is named in errors.
State tensors(const py::object& from, const std::string& what) {
  if (!py::isinstance<py::list>(from) && !py::isinstance<py::tuple>(from))
    throw UsageError(what + ": expected a list of tensors, got " +
                     py::str(py::type::of(from)).cast<std::string>());
  State list;
  for (const auto& item : py::reinterpret_borrow<py::sequence>(from)) {
    if (!THPVariable_Check(item.ptr()))
      throw UsageError(what + ": expected a list of tensors, one element is " +
                       py::str(py::type::of(item)).cast<std::string>());
    list.push_back(item.cast<Tensor>());
  }
  return list;
}

Tensor tensor(const py::handle& from, const std::string& what) {
  if (!THPVariable_Check(from.ptr()))
    throw UsageError(what + ": expected a tensor, got " + py::str(py::type::of(from)).cast<std::string>());
  return from.cast<Tensor>();
}

struct PythonNeuron final : Stepped {
  explicit PythonNeuron(const py::object& object)
      : self_(object),
        name_(py::str(py::type::of(object).attr("__name__")).cast<std::string>()),
        analog_(object.attr("analog").cast<bool>()),
        membrane_(object.attr("membrane").cast<bool>()) {
    call(name_);
    // A torch parameter is the same tensor here: what backward adds to it arrives there.
    for (const auto& item : object.attr("named_parameters")()) {
      const auto pair = item.cast<py::tuple>();
      const auto p = pair[1].cast<Tensor>();
      register_parameter(flat(pair[0].cast<std::string>()), p, p.requires_grad());
    }
    for (const auto& item : object.attr("named_buffers")()) {
      const auto pair = item.cast<py::tuple>();
      register_buffer(flat(pair[0].cast<std::string>()), pair[1].cast<Tensor>());
    }
  }
  Emission emits() const override { return analog_ ? Emission::analog_values() : Emission(); }
  uint32_t provides() const override { return kPsi | (membrane_ ? kU : 0U); }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    const py::gil_scoped_acquire gil;
    State state =
        tensors(self_.get().attr("initial")(shape.vec(), torch::empty({0}, options)), name_ + ".initial()");
    for (const Tensor& z : state) check(z, shape, ".initial(): a state");
    return state;
  }
  Step step(const Tensor& I, const State& state) const override {
    const py::gil_scoped_acquire gil;
    State own;  // what step() changes in place is not the caller's
    for (const Tensor& z : state) own.push_back(at::GradMode::is_enabled() ? z : z.clone());
    const py::object result = self_.get().attr("step")(I, own);
    const size_t parts = membrane_ ? 4 : 3;
    if (!py::isinstance<py::tuple>(result) || py::len(result) != parts)
      throw UsageError(name_ + ".step(): expected (output, spikes, next state" +
                       (membrane_ ? ", membrane before reset)" : ")") + ", a tuple of " +
                       std::to_string(parts));
    const auto tuple = result.cast<py::tuple>();
    Step step;
    step.a = tensor(tuple[0], name_ + ".step(): output");
    if (!analog_) step.s = tensor(tuple[1], name_ + ".step(): spikes");
    step.next = tensors(tuple[2], name_ + ".step(): next state");
    if (membrane_) step.u = tensor(tuple[3], name_ + ".step(): membrane");
    check(step, I.sizes());
    return step;
  }
  Config config() const override {
    throw UsageError("neuron " + name_ +
                     " is written in Python: it has no options to write, so the network can be kept by its "
                     "state_dict only");
  }

 private:
  void check(const Tensor& x, at::IntArrayRef shape, const char* what) const {
    if (x.sizes() != shape)
      throw UsageError(
          spiketrain::str(name_, what, " of shape ", shape, " is expected, one of ", x.sizes(), " came"));
  }
  void check(const Step& step, at::IntArrayRef shape) const {
    check(step.a, shape, ".step(): an output");
    for (const Tensor& z : step.next) check(z, shape, ".step(): a next state");
    if (membrane_) check(step.u, shape, ".step(): a membrane");
    if (analog_) return;
    check(step.s, shape, ".step(): spikes");
    const Tensor s = step.s.detach();
    if (!((s == 0) | (s == 1)).all().item<bool>() || !step.a.detach().equal(s))
      throw UsageError(
          name_ +
          ".step(): expected spikes of 0 and 1, and an output equal to them; set analog = True for others");
  }
  static std::string flat(std::string name) {
    for (char& c : name) c = c == '.' ? '_' : c;
    return name;
  }
  Held self_;
  std::string name_;
  bool analog_, membrane_;
};

uint32_t slots_named(const py::object& names, const std::string& owner) {
  uint32_t slots = 0;
  for (const auto& item : names) {
    const auto name = item.cast<std::string>();
    const uint32_t slot = name == "I" ? kI : name == "u" ? kU : name == "psi" ? kPsi : 0U;
    if (slot == 0) throw UsageError(owner + ".needs: expected names from I, u and psi, got '" + name + "'");
    slots |= slot;
  }
  return slots;
}

/// None for an undefined tensor.
py::object optional(const Tensor& x) { return x.defined() ? py::cast(x) : py::object(py::none()); }

struct PythonRule final : Rule {
  explicit PythonRule(const py::object& object)
      : self_(object),
        name_(py::str(py::type::of(object).attr("__name__")).cast<std::string>()),
        namespace_(py::module_::import("types").attr("SimpleNamespace")),
        needs_(slots_named(object.attr("needs"), name_)) {
    const py::object base = py::module_::import("spiketrain").attr("PythonRule");
    const auto own = [&](const char* method) {
      return !py::type::of(object).attr(method).is(base.attr(method));
    };
    traces_ = own("trace");
    credits_ = own("credit");
    call(name_);
    local_ = object.attr("local_in_time").cast<bool>();
  }
  uint32_t needs() const override { return needs_; }
  bool uses_vjp() const override { return !credits_; }
  bool q_is_input() const override { return !traces_; }
  bool local_in_time() const override { return local_; }
  bool works_by_step() const override { return !credits_ || local_; }

  void trace(const Record& record, Presynaptic& pre) const override {
    if (!traces_) return Rule::trace(record, pre);
    const py::gil_scoped_acquire gil;
    const py::object side = namespace_.get()();
    side.attr("x") = pre.x.values();
    side.attr("q") = py::none();
    side.attr("trace") = py::cast(pre.trace);
    self_.get().attr("trace")(seen(record), side);
    const py::object q = side.attr("q");
    pre.q = q.is_none() ? pre.x : Signal::dense(tensor(q, name_ + ".trace(): q"));
    pre.trace = tensors(side.attr("trace"), name_ + ".trace(): trace");
  }
  Credit credit(const Neuron& neuron, const Record& record, const Tensor& delta,
                const State& g_after) const override {
    if (!credits_) return Rule::credit(neuron, record, delta, g_after);
    const py::gil_scoped_acquire gil;
    Credit credit;
    credit.g = tensor(self_.get().attr("credit")(seen(record), delta), name_ + ".credit()");
    if (credit.g.sizes() != record.sizes())
      throw UsageError(spiketrain::str(name_, ".credit(): expected credit of shape ", record.sizes(),
                                       ", got ", credit.g.sizes()));
    credit.g = credit.g.contiguous();
    return credit;
  }
  Config config() const override {
    throw UsageError("rule " + name_ + " is written in Python: it has no options to write");
  }

 private:
  py::object seen(const Record& record) const {
    const py::object view = namespace_.get()();
    view.attr("I") = optional(record.I);
    view.attr("u") = optional(record.u);
    view.attr("psi") = optional(record.psi);
    view.attr("leak") = record.neuron ? record.neuron->leak() : 0.0;
    view.attr("s") = record.spiking() ? py::cast(record.spikes().dense(record.type)) : py::object(py::none());
    return view;
  }
  Held self_;
  std::string name_;
  Held namespace_;
  uint32_t needs_;
  bool traces_ = false, credits_ = false, local_ = false;
};

}  // namespace

std::function<std::shared_ptr<Neuron>()> neuron_maker(py::object from) {
  if (py::isinstance<py::dict>(from)) {
    const Config config = to_config(from);
    return [config] { return make<Neuron>(config); };
  }
  const auto held = std::make_shared<Held>(std::move(from));
  return [held]() -> std::shared_ptr<Neuron> {
    const py::gil_scoped_acquire gil;
    const py::object object = held->get()();
    if (!py::isinstance(object, py::module_::import("spiketrain").attr("PythonNeuron")))
      throw UsageError("neuron: expected a factory of a PythonNeuron, it gave " +
                       py::str(py::type::of(object)).cast<std::string>());
    return std::make_shared<PythonNeuron>(object);
  };
}

RuleP rule_from(const py::object& from) {
  if (py::isinstance<py::dict>(from)) return make<Rule>(to_config(from));
  return std::make_shared<PythonRule>(from);
}

}  // namespace spiketrain::python
