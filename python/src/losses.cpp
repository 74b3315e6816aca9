// The objectives as losses of a network's output, and the spike function, for training loops of one's own.
#include "python/src/bind.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/ops/surrogate.h"

namespace spiketrain::python {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Target::Kind kind_named(const std::string& name) {
  for (const Target::Kind kind :
       {Target::Kind::class_index, Target::Kind::values, Target::Kind::sequence, Target::Kind::spike_times}) {
    if (name == to_string(kind)) return kind;
  }
  throw UsageError("target: expected class_index, values, sequence or spike_times, got '" + name + "'");
}

struct Prepared : torch::CustomClassHolder {
  std::shared_ptr<Objective> objective;
  Target target;
  Tensor lengths;
};

/// The whole sequence as one segment.
Output whole(const Tensor& out, const Tensor& lengths) {
  const int64_t T = out.size(0);
  Output output{Signal::dense(out), Segment{0, T}, T};
  if (lengths.defined()) {
    ST_CHECK(lengths.numel() == out.size(1) && lengths.numel() > 0 && lengths.min().item<int64_t>() >= 1 &&
                 lengths.max().item<int64_t>() <= T,
             "lengths: expected one between 1 and ", T, " for each of the ", out.size(1), " samples");
    output.lengths = output.all_lengths = lengths.to(out.device(), torch::kLong);
    output.valid = torch::arange(T, output.lengths.options()).unsqueeze(1) < output.lengths.unsqueeze(0);
  }
  return output;
}

struct Loss : torch::autograd::Function<Loss> {
  static Tensor forward(AutogradContext* ctx, const Tensor& out, c10::intrusive_ptr<Prepared> prepared) {
    const ops::OneThread one_thread;
    Objective::Error error =
        prepared->objective->error(whole(out.detach(), prepared->lengths), prepared->target);
    ctx->save_for_backward({error.delta});
    return error.loss;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    ST_CHECK(!at::GradMode::is_enabled(), "losses have first derivatives only: create_graph must be false");
    return {ctx->get_saved_variables()[0] * g[0], Tensor()};
  }
};

c10::intrusive_ptr<Prepared> prepare(const py::dict& config, const Tensor& out, const Tensor& y,
                                     const std::string& kind, const py::object& teacher,
                                     const py::object& lengths, double tau_s, bool analog) {
  ST_CHECK(out.dim() >= 3 && out.is_floating_point(),
           "loss: expected an output [T,B,*] of a floating-point type, got ", out.sizes(), " of type ",
           c10::toString(out.scalar_type()));
  auto prepared = c10::make_intrusive<Prepared>();
  prepared->objective = make<Objective>(to_config(config));
  prepared->target = {kind_named(kind), y};
  if (!teacher.is_none()) prepared->target.teacher = teacher.cast<Tensor>();
  if (!lengths.is_none()) prepared->lengths = lengths.cast<Tensor>();
  const Shape shape = out.sizes().slice(2).vec();
  const Emission emission = analog ? Emission::analog_values() : Emission{1, tau_s};
  prepared->objective->prepare({shape, out.size(0), emission, false, prepared->target.kind});
  if (prepared->target.kind == Target::Kind::class_index) {
    ST_CHECK(y.scalar_type() == torch::kLong && y.dim() == 1 && y.size(0) == out.size(1),
             "loss: expected classes [B] = [", out.size(1), "] of type int64, got ", y.sizes(), " of type ",
             c10::toString(y.scalar_type()));
    ST_CHECK(y.numel() == 0 || (y.min().item<int64_t>() >= 0 && y.max().item<int64_t>() < shape[0]),
             "loss: expected classes from 0 to ", shape[0] - 1, ", got ", y.min().item<int64_t>(), " to ",
             y.max().item<int64_t>());
  }
  return prepared;
}

}  // namespace

void bind_losses(py::module_& m) {
  m.def("surrogates", &surrogate_names);
  m.def("spike", [](const Tensor& x, const std::string& surrogate, double scale, double threshold,
                    bool strict) { return spike(x, surrogate_curve(surrogate, scale, threshold), strict); });
  m.def("loss", [](const py::dict& config, const Tensor& out, const Tensor& y, const std::string& kind,
                   const py::object& teacher, const py::object& lengths, double tau_s, bool analog) {
    const auto prepared = prepare(config, out, y, kind, teacher, lengths, tau_s, analog);
    const py::gil_scoped_release no_gil;
    return Loss::apply(out, prepared);
  });
  m.def("predict", [](const py::dict& config, const Tensor& out, const py::object& lengths) {
    const auto objective = make<Objective>(to_config(config));
    const Shape shape = out.sizes().slice(2).vec();
    const auto kinds = objective->targets();
    const bool classes = std::find(kinds.begin(), kinds.end(), Target::Kind::class_index) != kinds.end();
    objective->prepare(
        {shape, out.size(0), Emission{}, false, classes ? Target::Kind::class_index : kinds.front()});
    const torch::NoGradGuard no_grad;
    const Output output = whole(out.detach(), lengths.is_none() ? Tensor() : lengths.cast<Tensor>());
    return objective->prediction(objective->evidence(output), output.lengths);
  });
}

}  // namespace spiketrain::python
