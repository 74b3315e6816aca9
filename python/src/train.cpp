// Recipes: resolved, trained and evaluated, with callbacks and Ctrl-C.
#include "python/src/recipes.h"
#include "revision.h"
#include "spiketrain/deploy/export.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/recipe/memory.h"
#include "spiketrain/recipe/run_training.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/version.h"

namespace spiketrain::python {
namespace {

/// Calls Python after batches and epochs.  What is raised there stops the run, which writes its checkpoint, and is raised
/// again when it has ended.
class Callbacks : public Observer {
 public:
  Callbacks(py::object on_epoch, py::object on_batch, py::object on_message, std::atomic<bool>& stop)
      : on_epoch_(std::move(on_epoch)),
        on_batch_(std::move(on_batch)),
        on_message_(std::move(on_message)),
        stop_(stop) {}
  void on_batch(const BatchReport& report) override {
    const py::gil_scoped_acquire gil;
    guarded([&] {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (on_batch_.is_none()) return;
      py::dict d;
      d["epoch"] = report.progress.epoch + 1;
      d["batch"] = report.progress.batch;
      d["batches"] = report.batches;
      d["iteration"] = report.progress.iteration;
      d["loss"] = report.loss;
      on_batch_(d);
    });
  }
  void on_epoch(const EpochReport& report) override {
    const py::gil_scoped_acquire gil;
    guarded([&] {
      if (!on_epoch_.is_none()) on_epoch_(to_python(to_json(report)));
    });
  }
  void on_message(const std::string& text, bool warning) override {
    const py::gil_scoped_acquire gil;
    guarded([&] {
      if (!on_message_.is_none()) on_message_(text, warning);
    });
  }
  /// With the GIL.
  void rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  bool failed() const { return error_ != nullptr; }

 private:
  template <class F>
  void guarded(F&& call) {
    if (error_) return;  // the run is ending
    try {
      call();
    } catch (...) {
      error_ = std::current_exception();
      stop_ = true;
    }
  }
  py::object on_epoch_, on_batch_, on_message_;
  std::atomic<bool>& stop_;
  std::exception_ptr error_;
};

std::unique_ptr<Trainable> trainable_of(const LearnerParts& parts) {
  auto made = std::make_unique<Trainable>();
  made->network = parts.network;
  made->method = parts.method;
  return made;
}

struct TrainArguments {
  py::object recipe;
  std::vector<std::string> sets;
  std::string data_dir, out, device;
  bool resume, tensorboard;
  py::object on_epoch, on_batch, on_message, data;
};

py::dict train(const TrainArguments& a) {
  Recipe recipe = resolved_recipe(a.recipe, a.sets);
  if (!a.data.is_none()) {
    const DataSection& d = recipe.data;
    ST_CHECK(
        !d.augment && d.rotate == 0 && d.zoom == 0 && d.limit == 0 && d.test_limit == 0 && d.validation == 0,
        "train: data.augment, rotate, zoom, limit, test_limit and validation are for data sets by name; give the tensors as they shall "
        "be, also data[\"validation\"]");
    recipe.data.name = "given";
  }
  Datasets data = splits(recipe, a.data, a.data_dir);
  std::atomic<bool> stop{false};
  Callbacks callbacks(a.on_epoch, a.on_batch, a.on_message, stop);
  RunEnd end;
  std::unique_ptr<Experiment> experiment;
  {
    const py::gil_scoped_release no_gil;
    experiment =
        std::make_unique<Experiment>(build_experiment(recipe, std::move(data), parse_device(a.device)));
    begin_training(*experiment, a.out, a.resume);
    fit_memory(*experiment);
    check_memory(experiment->recipe, experiment->training);
    std::unique_ptr<RunDir> dir;
    if (!a.out.empty()) dir = std::make_unique<RunDir>(a.out, a.resume);
    RunSettings settings;
    settings.resume = a.resume;
    settings.tensorboard = a.tensorboard;
    settings.observers = {&callbacks};
    settings.stop = &stop;
    settings.environment = environment(ST_VERSION " " ST_REVISION);
    settings.environment["device"] = a.device;
    end = run_training(*experiment, dir.get(), settings);
  }
  callbacks.rethrow();
  const MetricSet metrics(experiment->training.metrics, experiment->training.learner->parts().target);
  py::dict result;
  result["complete"] = end.complete;
  result["summary"] =
      to_python(summarize(metrics, end.progress, experiment->training.data.validation != nullptr));
  result["epochs"] = end.progress.epoch;
  result["config"] = to_python(experiment->training.config);
  result["network"] = trainable_of(experiment->training.learner->parts());
  return result;
}

/// Writes C and returns its bytes and operations, and how it differs from the library's network.
py::dict to_c(const Trainable& t, const py::object& recipe_from, const std::string& out,
              const std::string& type, int64_t samples, int64_t check, const std::string& data_dir,
              const py::object& data, const std::string& source) {
  const Recipe recipe = resolved_recipe(recipe_from, {});
  Datasets all = splits(recipe, data, data_dir);
  deploy::Exported made;
  {
    const py::gil_scoped_release no_gil;
    const Experiment experiment = experiment_of(t, recipe, std::move(all), "cpu");
    made = deploy::export_c(experiment.training, {type, source, samples, check});
    deploy::write_files(out, made.files);
  }
  const deploy::CFootprint& f = made.footprint;
  py::dict d, spikes;
  d["weight_bytes"] = f.weight_bytes;
  d["coefficient_bytes"] = f.coefficient_bytes;
  d["ram_bytes"] = f.ram_bytes;
  d["additions"] = f.additions;
  d["most_additions"] = f.most_additions;
  d["updates"] = f.updates;
  const deploy::Comparison& compared = made.check;
  d["checked"] = compared.samples;
  d["decisions_different"] = made.decides ? py::object(py::int_(compared.decisions)) : py::none();
  d["outputs_differ_by"] = compared.output;
  d["largest_output"] = compared.largest_output;
  for (const deploy::Agreement& layer : compared.layers)
    spikes[py::str(layer.layer)] =
        py::dict(py::arg("spikes") = layer.spikes, py::arg("different") = layer.different);
  d["layers"] = spikes;
  return d;
}

py::dict load(const std::string& path, const std::string& config_path) {
  const SafetensorsFile file = open_checkpoint(path);
  const Config config = config_path.empty() ? checkpoint_config(file) : load_config(config_path);
  auto made = std::make_unique<Trainable>();
  made->network = load_network(path);
  const Recipe recipe = make_recipe(config);
  made->method = make_method(recipe, *made->network);
  py::dict d;
  d["network"] = std::move(made);
  d["config"] = to_python(resolve(recipe));
  return d;
}

}  // namespace

void bind_train(py::module_& m) {
  m.attr("version") = ST_VERSION;
  m.attr("revision") = ST_REVISION;
  m.def("resolve", [](const py::object& from, const std::vector<std::string>& sets) {
    return to_python(resolve(resolved_recipe(from, sets)));
  });
  m.def("to_toml", [](const py::dict& config) { return write_toml(to_config(config)); });
  m.def("train", [](const py::object& recipe, const std::vector<std::string>& sets,
                    const std::string& data_dir, const std::string& out, const std::string& device,
                    bool resume, bool tensorboard, const py::object& on_epoch, const py::object& on_batch,
                    const py::object& on_message, const py::object& data) {
    return train(
        {recipe, sets, data_dir, out, device, resume, tensorboard, on_epoch, on_batch, on_message, data});
  });
  m.def("to_c", &to_c);
  m.def("load", &load);
  m.def("keep_memory", &keep_memory);
  m.def(
      "simd", [] { return std::string(active_isa()); }, "The instruction set that the kernels use here.");
}

}  // namespace spiketrain::python
