// Networks measured on a split of their recipe's data: loss and metrics, in integer arithmetic too, and predictions.
#include "spiketrain/train/evaluate.h"

#include "python/src/recipes.h"
#include "spiketrain/deploy/export.h"
#include "spiketrain/report/predictions.h"

namespace spiketrain::python {
namespace {

/// Where a network is measured.
struct Where {
  py::object recipe;
  std::string split, data_dir;
  py::object data;
  int64_t batch = 0;  ///< 0: the recipe's
  std::string device;
};

/// Calls measure(training, split, batch) without the GIL.
template <class F>
void on_split(const Trainable& t, const Where& where, F&& measure) {
  const Recipe recipe = resolved_recipe(where.recipe, {});
  Datasets all = splits(recipe, where.data, where.data_dir);
  const py::gil_scoped_release no_gil;
  const Experiment experiment = experiment_of(t, recipe, std::move(all), where.device);
  const Training& training = experiment.training;
  measure(training, training.data.split(where.split), where.batch > 0 ? where.batch : recipe.data.batch);
}

py::dict evaluation_dict(const Evaluation& result) {
  py::dict d;
  d["loss"] = result.loss;
  for (const auto& [name, value] : result.metrics) d[py::str(name)] = value;
  d["samples"] = result.samples;
  d["seconds"] = result.seconds;
  return d;
}

/// Loss and metrics; `integer`: also in integer arithmetic, q7 or q15.
py::dict evaluate_split(const Trainable& t, const Where& where, const std::string& integer) {
  Evaluation result;
  std::optional<deploy::IntegerEvaluation> whole;
  on_split(t, where,
           [&](const Training& training, const std::shared_ptr<const Dataset>& data, int64_t batch) {
             result = evaluate(training, *data, batch);
             if (!integer.empty()) whole = deploy::evaluate_integer(training, *data, batch, integer);
           });
  py::dict d = evaluation_dict(result);
  py::dict rates;
  for (const LayerRate& layer : result.rates) rates[py::str(layer.spec)] = layer.rate;
  d["rates"] = rates;
  if (whole) d["integer"] = evaluation_dict(whole->result);
  return d;
}

py::dict predict_split(const Trainable& t, const Where& where, int64_t limit) {
  ST_CHECK(limit >= 0, "predict: expected limit >= 0, got ", limit);
  Tensor samples, targets, predicted, outputs;
  std::vector<std::vector<int64_t>> confusion;
  std::vector<std::string> names;
  on_split(t, where,
           [&](const Training& training, const std::shared_ptr<const Dataset>& data, int64_t batch) {
             const SomeSamples some(data, limit);
             Predictions all(some);
             evaluate(training, some, batch,
                      [&](const Batch& there, const PassResult& pass) { all.add(there, pass); });
             samples = all.samples(), targets = all.targets(), outputs = all.outputs();
             if (all.classes()) predicted = all.predicted();
             confusion = all.confusion();
             names = all.target().class_names;
           });
  py::dict d;
  d["samples"] = samples;
  d["targets"] = targets;
  d["predicted"] = predicted.defined() ? py::cast(predicted) : py::none();
  d["outputs"] = outputs;
  d["confusion"] = confusion;
  d["class_names"] = names;
  return d;
}

}  // namespace

void bind_evaluate(py::module_& m) {
  m.def("evaluate", [](const Trainable& t, const py::object& recipe, const std::string& split,
                       const std::string& data_dir, const py::object& data, int64_t batch,
                       const std::string& device, const std::string& integer) {
    return evaluate_split(t, {recipe, split, data_dir, data, batch, device}, integer);
  });
  m.def("predict", [](const Trainable& t, const py::object& recipe, const std::string& split,
                      const std::string& data_dir, const py::object& data, int64_t batch,
                      const std::string& device, int64_t limit) {
    return predict_split(t, {recipe, split, data_dir, data, batch, device}, limit);
  });
}

}  // namespace spiketrain::python
