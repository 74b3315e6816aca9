// What a computation in a network's place needs to know of it, and that computation measured on a split: spiketrain.private.
#include "python/src/recipes.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/engine/run.h"
#include "spiketrain/report/predictions.h"
#include "spiketrain/report/some_samples.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain::python {
namespace {

/// (x [T,B,*] float, or [1,B,*] if it is the same at every step, T) -> output [T,B,*out].
using Answer = std::function<Tensor(const Tensor&, int64_t)>;

/// A whole network that Python computes.
class AnswerStage final : public Stage {
 public:
  AnswerStage(Answer answer, Shape output) : answer_(std::move(answer)), output_(std::move(output)) {}

  Shape build(const std::vector<Shape>& /*in*/) override { return output_; }
  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    const Signal& x = in[0];
    const bool still = x.is_constant() && torch::equal(x.gain(), torch::ones_like(x.gain()));
    const Tensor values = (still ? x.image() : x.values()).detach().to(torch::kFloat).contiguous();
    Tensor y = answer_(values, x.steps());
    Shape wanted = output_;
    wanted.insert(wanted.begin(), {x.steps(), x.batch()});
    ST_CHECK(y.sizes().equals(wanted), "expected an output ", at::IntArrayRef(wanted), ", got ", y.sizes());
    return Signal::dense(y.to(torch::kFloat).contiguous());
  }
  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.kind = "computed elsewhere";
    row.out = output_;
    return {row};
  }

 private:
  Answer answer_;
  Shape output_;
};

/// All steps in one segment.  UsageError if a prediction leaves out some.
Plan in_one(const Plan& plan) {
  for (const Segment& s : plan)
    ST_CHECK(s.unread == 0, "the schedule's predictions leave out steps; expected one that reads all steps");
  return {Segment{0, plan.back().t1}};
}

/// Metrics and predictions of `answer` on a split, `limit` samples of it (0: all), in batches.
py::dict evaluate_in_place(const Trainable& t, const py::object& from, const std::string& split,
                           const std::string& data_dir, const py::object& data, int64_t batch, int64_t limit,
                           const Answer& answer) {
  ST_CHECK(limit >= 0 && batch >= 0, "expected limit >= 0 and batch >= 0, got ", limit, " and ", batch);
  const Recipe recipe = resolved_recipe(from, {});
  Datasets all = splits(recipe, data, data_dir);
  Evaluation result;
  Tensor samples, targets, outputs;
  {
    const py::gil_scoped_release no_gil;
    const Experiment experiment = experiment_of(t, recipe, std::move(all), "cpu");
    const Training& training = experiment.training;
    const Learner& learner = *training.learner;
    LearnerParts parts = learner.parts();
    parts.network = std::make_shared<Network>(learner.network().input_shape());
    parts.network->add(std::make_shared<AnswerStage>(answer, learner.network().out_shape()),
                       {{Network::kInput}}, true);
    const SomeSamples some(training.data.split(split), limit);
    Predictions predictions(some);
    const auto infer = [&](const Batch& x, Tally* tally) {
      PassResult pass = Run(parts, x, Mode::evaluate, 0, tally).infer(in_one(learner.plan(0, x.lengths)));
      predictions.add(x, pass);
      return pass;
    };
    result = evaluate(training, some, batch > 0 ? batch : recipe.data.batch, *parts.network, infer);
    samples = predictions.samples(), targets = predictions.targets(), outputs = predictions.outputs();
  }
  py::dict d;
  for (const auto& [name, value] : result.metrics) d[py::str(name)] = value;
  d["samples"] = samples;
  d["targets"] = targets;
  d["outputs"] = outputs;
  return d;
}

/// {layer: its weight as it is deployed, and what its neurons send}
py::dict layer_facts(const Trainable& t) {
  py::dict all;
  for (const Network::Node& node : t.network->nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (!layer || node.head_of >= 0) continue;
    const Connection& connection = layer->connections()[0];
    const torch::NoGradGuard no_grad;
    py::dict d;
    d["weight"] = connection.weight(/*training=*/false).detach().clone();
    d["levels"] = layer->neuron()->emits().levels;
    all[py::str(node.name)] = d;
  }
  return all;
}

}  // namespace

void bind_in_place(py::module_& m) {
  m.def("evaluate_in_place", &evaluate_in_place);
  m.def("layer_facts", &layer_facts);
}

}  // namespace spiketrain::python
