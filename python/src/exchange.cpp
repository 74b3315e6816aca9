// NIR and ONNX graphs, and the report of runs.
#include "python/src/recipes.h"
#include "spiketrain/base/file.h"
#include "spiketrain/deploy/onnx.h"
#include "spiketrain/deploy/read_network.h"
#include "spiketrain/nir/export.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/import.h"
#include "spiketrain/report/run_report.h"

namespace spiketrain::python {
namespace {

py::tuple from_nir(const std::string& path, const py::dict& given, const py::object& rule,
                   bool double_precision) {
  NirImportOptions options;
  const Config config = to_config(given);
  options.dt = config.value("dt", 0.0);
  options.reset = config.value("reset", "");
  options.reset_delay = config.value("reset_delay", "");
  options.threshold = config.value("threshold", "");
  options.order = config.value("order", "");
  options.start = config.value("start", "");
  options.surrogate = config.value("surrogate", "");
  options.surrogate_scale = config.value("surrogate_scale", 0.0);
  if (double_precision) options.type = torch::kDouble;
  auto made = std::make_unique<Trainable>();
  NirImport result = network_from_nir(read_nir(path), options);
  made->network = std::move(result.network);
  made->method.rule = rule_from(rule);
  return py::make_tuple(std::move(made), result.notes);
}

std::vector<std::string> write_nir_file(const Trainable& t, const std::string& path, double dt, bool fold) {
  NirExportOptions options;
  options.dt = dt;
  options.fold = fold;
  const NirExport result = to_nir(*t.network, options);
  write_nir(path, result.graph);
  return result.notes;
}

void write_onnx_file(const Trainable& t, const std::string& path, bool spikes) {
  const deploy::Model model = deploy::read_network(*t.network);
  write_file_atomic(path, deploy::write_onnx(model, "One time step of " + model.notation, spikes));
}

/// Measures and writes the page and its numbers; their paths.  `data`: for each run the tensors that it was trained on, or None.
std::pair<std::string, std::string> report(const std::vector<std::string>& paths, const std::string& out,
                                           const std::string& data_dir, int64_t samples,
                                           const std::vector<py::object>& data) {
  const ReportFiles files = report_files(paths, out);
  std::vector<std::optional<Datasets>> given;
  for (const py::object& one : data)
    given.push_back(one.is_none() ? std::nullopt : std::make_optional(given_splits(one.cast<py::dict>())));
  std::vector<RunData> runs;
  {
    const py::gil_scoped_release no_gil;
    for (size_t i = 0; i < paths.size(); ++i) {
      PassOptions options;
      options.data_dir = data_dir;
      options.samples = samples;
      options.data = given.at(i);
      runs.push_back(read_run_data(paths[i]));
      measure_run(runs.back(), options);
    }
    write_report(runs, files);
  }
  return {files.page, files.json};
}

}  // namespace

void bind_exchange(py::module_& m) {
  m.def("from_nir", &from_nir);
  m.def("to_nir", &write_nir_file);
  m.def("to_onnx", &write_onnx_file);
  m.def("report", &report);
}

}  // namespace spiketrain::python
