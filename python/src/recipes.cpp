#include "python/src/recipes.h"

#include "spiketrain/data/tensor_dataset.h"
#include "spiketrain/recipe/overrides.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain::python {
namespace {

Config recipe_config(const py::object& from) {
  if (py::isinstance<py::dict>(from)) return to_config(from);
  return load_config(py::str(from).cast<std::string>());
}

}  // namespace

Recipe resolved_recipe(const py::object& from, const std::vector<std::string>& sets) {
  return overridden(recipe_config(from), sets);
}

namespace {

/// (x, y) of tensors: images [N,*] or frames [N,T,*], classes or values.
std::shared_ptr<const Dataset> tensors_of(const py::tuple& pair, int64_t sample_dims, bool frames,
                                          int64_t classes, const std::vector<std::string>& names) {
  const Tensor x = pair[0].cast<Tensor>(), y = pair[1].cast<Tensor>();
  ST_CHECK(sample_dims >= 1, "data: expected samples of at least one dimension, got ", x.sizes());
  TensorDatasetOptions options;
  options.form = frames ? Batch::Form::frames : Batch::Form::image;
  options.classes = y.is_floating_point() ? 0 : classes;
  options.class_names = names;
  return tensor_dataset(x, {y.is_floating_point() ? Target::Kind::values : Target::Kind::class_index, y},
                        options);
}

int64_t classes_of(const py::dict& data) {
  int64_t classes = 0;
  for (const auto& item : data) {
    if (!py::isinstance<py::tuple>(item.second)) continue;
    const Tensor y = item.second.cast<py::tuple>()[1].cast<Tensor>();
    if (!y.is_floating_point() && y.numel() > 0) classes = std::max(classes, y.max().item<int64_t>() + 1);
  }
  return classes;
}

}  // namespace

Datasets given_splits(const py::dict& given) {
  Datasets all;
  const auto names = given.contains("class_names") ? given["class_names"].cast<std::vector<std::string>>()
                                                   : std::vector<std::string>();
  const int64_t classes = names.empty() ? classes_of(given) : static_cast<int64_t>(names.size());
  const bool frames = given["frames"].cast<bool>();
  const auto split = [&](const char* name) -> std::shared_ptr<const Dataset> {
    if (!given.contains(name)) return nullptr;
    const auto pair = given[name].cast<py::tuple>();
    return tensors_of(pair, pair[0].cast<Tensor>().dim() - (frames ? 2 : 1), frames, classes, names);
  };
  all.train = split("train");
  all.validation = split("validation");
  all.test = split("test");
  return all;
}

Datasets splits(const Recipe& recipe, const py::object& data, const std::string& dir) {
  if (!data.is_none()) return given_splits(data.cast<py::dict>());
  const py::gil_scoped_release no_gil;
  return open_datasets(recipe, dir);
}

Experiment experiment_of(const Trainable& t, const Recipe& recipe, Datasets data, const std::string& device) {
  Experiment experiment = build_experiment(recipe, std::move(data), parse_device(device));
  const torch::NoGradGuard no_grad;
  auto from = network_tensors(*t.network), to = network_tensors(experiment.training.network());
  ST_CHECK(from.size() == to.size(), "the network is not that of the recipe");
  for (size_t k = 0; k < from.size(); ++k) {
    ST_CHECK(from[k].first == to[k].first && from[k].second.sizes() == to[k].second.sizes(),
             "the network is not that of the recipe: ", from[k].first, " ", from[k].second.sizes(),
             " against ", to[k].first, " ", to[k].second.sizes());
    to[k].second.copy_(from[k].second);
  }
  return experiment;
}

}  // namespace spiketrain::python
