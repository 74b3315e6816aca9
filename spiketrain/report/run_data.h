// What the report of a run says, as plain numbers.  Read from the run directory (run_files.cpp) and measured by passes of its network
// over test samples (run_passes.cpp); the page (run_page.h) and report.json show them.
// Tests: unit/run_data_test.cpp, unit/run_kinds_test.cpp.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/base/event_records.h"
#include "spiketrain/cost/neurobench.h"
#include "spiketrain/data/dataset.h"
#include "spiketrain/report/sweep_results.h"
#include "spiketrain/train/progress.h"
#include "spiketrain/train/run_dir.h"

namespace spiketrain {

/// Over epochs, steps or whatever `x` counts; values that are no numbers are left out.
using Points = std::vector<std::pair<double, double>>;
struct Curve {
  std::string name;
  Points points;
};

/// One metric, or "loss", on the splits that were measured.
struct MetricCurves {
  std::string metric;
  std::vector<Curve> splits;  ///< "train", "validation", "test"
  Best best;
};

/// Neurons of one layer over the test samples.
struct LayerActivity {
  std::string name;  ///< node and token: "0 12C5"
  int64_t neurons = 0;
  double rate = 0;    ///< spikes per neuron and step
  double silent = 0;  ///< share of the neurons that never fire
  Histogram rates;    ///< over the neurons
};

struct WeightValues {
  std::string name;
  int64_t count = 0;
  double zeros = 0;  ///< share
  Histogram values;
};

/// What some neurons of a layer, or elements of the input, sent while one sample was shown.
struct RasterLayer {
  std::string name;
  int64_t neurons = 0;
  std::vector<int64_t> shown;               ///< which of them
  bool spikes = true;                       ///< else real numbers
  std::vector<std::vector<double>> values;  ///< [shown][step]
};
struct Raster {
  int64_t sample = 0, label = -1, predicted = -1;  ///< -1: the targets are no classes
  std::vector<RasterLayer> layers;                 ///< the input first
  std::vector<std::vector<double>> membranes;      ///< [output][step] before reset; empty: not known
};

/// A sample as a grey picture.
struct SamplePicture {
  int64_t sample = 0, width = 0, height = 0;
  std::string png;
};
struct Mistake {
  int64_t label = 0, predicted = 0, count = 0;
  std::vector<SamplePicture> pictures;
};

/// What passes over samples of the test split measured.
struct RunPasses {
  std::string weights;                 ///< the file they are from
  std::vector<std::string> sets;       ///< overrides of the run's recipe that they were made with
  int64_t steps = 0;                   ///< of the sequences
  int64_t samples = 0, available = 0;  ///< test samples that were taken, and that there are
  std::string metric;                  ///< the first
  double value = 0, loss = 0, seconds = 0;
  std::vector<LayerActivity> layers;
  std::vector<Raster> rasters;
  std::vector<std::vector<int64_t>> confusion;  ///< [label][predicted]; empty: the targets are no classes
  TargetSpec target;                            ///< of the test split: names of the classes
  std::vector<Mistake> mistakes;                ///< the most frequent first
  Points latency;                               ///< value of the metric by the number of steps used
  std::vector<std::string> notes;               ///< what could not be measured, and why
  std::optional<NeuroBench> neurobench;
};

struct RunData {
  std::string path, title, network, method, data;
  int64_t seed = 0, steps = 0, epochs_planned = 0, epochs_done = 0, parameters = 0, batch = 0;
  RunStatus status = RunStatus::stopped;
  double seconds = 0;            ///< of all epochs, evaluation included
  double step_milliseconds = 0;  ///< of an update, mean over the last epoch
  double peak_memory_mib = 0;
  std::string first_metric;
  std::vector<MetricCurves> metrics;  ///< the one that decides which epoch is best first, the loss last
  Curve learning_rate;
  std::vector<Curve> rates, grad_norms;            ///< by layer, over epochs
  int64_t clipped = -1, skipped = 0, updates = 0;  ///< clipped -1: not recorded
  std::vector<std::string> warnings, missing;      ///< missing: what, and how to get it
  std::vector<WeightValues> weights;
  std::string weights_file;  ///< they are of; "": none can be read
  Config config = Config::object(), environment = Config::object(), cost = Config::object();
  Config fingerprint = Config::object();  ///< of the data sets
  std::string recipe, command;            ///< TOML; how to train it again, "" if a program gave the data
  std::optional<RunPasses> passes;

  const MetricCurves* curves(const std::string& metric) const;
};

/// Complete, with fewer epochs than planned (train.patience).
inline bool stopped_early(const RunData& run) {
  return run.status == RunStatus::complete && run.epochs_done < run.epochs_planned;
}

/// "complete", "stopped", ...; for people what has failed with where to look.
const char* to_string(RunStatus status);
std::string status_text(RunStatus status);

/// The recipe, curves and warnings of a run directory, finished or not, without its weights.  UsageError if it is none, DataError if
/// its recipe or a line of its metrics is not as expected.
RunData read_run_curves(const std::string& path);
/// The same with weights, network, data and cost; what of these cannot be read is among `missing`.
RunData read_run_data(const std::string& path);

struct PassOptions {
  std::string data_dir;
  std::vector<std::string> sets;      ///< overrides of the recipe
  int64_t samples = 2000;             ///< of the test split, evenly spaced; 0: all
  int64_t rasters = 20;               ///< most classes of which a sample is shown
  std::optional<Datasets> data = {};  ///< instead of those that the recipe names
};
/// Passes over test samples with the best weights there are.  What cannot be done goes to `missing` or to the notes; what was measured
/// otherwise than the recipe says, or on other data than the run's, to the warnings.  UsageError for overrides that do not fit.
void measure_run(RunData& run, const PassOptions& options);

/// All of it.
Config to_json(const RunData& run);

}  // namespace spiketrain
