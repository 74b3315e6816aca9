// Graphs of the Neuromorphic Intermediate Representation, with what a plain simulation in float64 makes of them: every NAME.nir with a
// NAME.safetensors beside it, in golden/nir and in the folder nir of SPIKETRAIN_GOLDEN, is imported, run, exported and imported again.
// Files bad_*.nir have to be refused.  Runs are called euler_DT, with a suffix for what they do otherwise.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/nir/export.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/import.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/golden_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::nir_test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> graphs(bool bad) {
  std::vector<std::string> files, folders = {std::string(ST_SOURCE_DIR) + "/golden/nir"};
  if (const char* more = std::getenv("SPIKETRAIN_GOLDEN")) {
    folders.emplace_back(more);
    folders.push_back(std::string(more) + "/nir");
  }
  for (const std::string& folder : folders) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const fs::path& path = entry.path();
      const bool is_bad = path.filename().string().rfind("bad_", 0) == 0;
      if (path.extension() != ".nir" || is_bad != bad) continue;
      if (bad || fs::exists(fs::path(path).replace_extension(".safetensors"))) files.push_back(path.string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

SafetensorsFile numbers_of(const std::string& graph) {
  return SafetensorsFile::open(fs::path(graph).replace_extension(".safetensors").string());
}

struct Stepping {
  std::string name;
  NirImportOptions options;
};

/// The runs in a file that an option of ours stands for.
std::vector<Stepping> runs(const SafetensorsFile& file) {
  std::vector<Stepping> list;
  const std::string prefix = "euler_", output = "/output";
  for (const std::string& name : file.names()) {
    const size_t slash = name.find(output);
    if (name.rfind(prefix, 0) != 0 || slash == std::string::npos || slash + output.size() != name.size())
      continue;
    const std::string run = name.substr(0, slash), rest = run.substr(prefix.size());
    const size_t bar = rest.find('_');
    const std::string suffix = bar == std::string::npos ? "" : rest.substr(bar);
    NirImportOptions options;
    options.dt = std::stod(rest.substr(0, bar));
    options.reset = "zero";
    options.threshold = "strict";
    if (suffix == "_strict") options.order = "old";
    if (suffix == "_v0leak") options.start = "rest";
    if (suffix == "_delta") continue;  // a spike is the number 1 here
    list.push_back({run, options});
  }
  return list;
}

/// Whether a time constant of the graph, at this step, is as `is` says.
bool any_tau(const NirGraph& graph, double dt, bool (*is)(double tau, double dt)) {
  for (const auto& [name, node] : graph.nodes) {
    if (node.graph && any_tau(*node.graph, dt, is)) return true;
    for (const char* field : {"tau", "tau_syn", "tau_mem"}) {
      const auto it = node.fields.arrays.find(field);
      if (it == node.fields.arrays.end()) continue;
      for (const double tau : it->second.values)
        if (is(tau, dt)) return true;
    }
  }
  return false;
}

bool diverges(const NirGraph& graph, double dt) {
  return any_tau(graph, dt, [](double tau, double step) { return step > 2 * tau; });
}

/// A time constant that float32 has made a little shorter than the step is taken for the step itself.
double tolerance(const NirGraph& graph, double dt) {
  const bool rounded =
      any_tau(graph, dt, [](double tau, double step) { return step > tau && step < tau * (1 + 1e-6); });
  return rounded ? 1e-6 : 1e-9;
}

/// Output of a whole sequence.
Tensor output_of(Network& network, const Signal& x) {
  torch::NoGradGuard no_grad;
  Carry carry = network.start();
  return network.forward(x, Context(), carry).values();
}

Tensor input_of(const SafetensorsFile& file, torch::ScalarType type) {
  return to_tensor(file.at("input")).to(type);
}

int64_t differences(const Tensor& a, const Tensor& b, double tolerance) {
  return ((a.to(torch::kDouble) - b.to(torch::kDouble)).abs() > tolerance * (1 + b.to(torch::kDouble).abs()))
      .sum()
      .item<int64_t>();
}

/// What the file has of a run after each step: a neuron's state, and what it is called there.
struct Kept {
  std::string node;  ///< as a module is called
  bool current;      ///< the synaptic one, not the membrane
  Tensor values;
};

std::vector<Kept> kept_states(const SafetensorsFile& file, const std::string& run) {
  std::vector<Kept> list;
  for (const std::string& name : file.names()) {
    const std::string ending = name.size() > 2 ? name.substr(name.size() - 2) : "";
    if (name.rfind(run + "/", 0) != 0 || (ending != ".v" && ending != ".i")) continue;
    std::string node = name.substr(run.size() + 1, name.size() - run.size() - 3);
    std::replace(node.begin(), node.end(), '.', '_');
    list.push_back({node, ending == ".i", to_tensor(file.at(name))});
  }
  return list;
}

/// Membranes and currents after each step, every one that the file has, to within a share of the largest.
void compare_states(Network& network, const SafetensorsFile& file, const std::string& run, double within) {
  torch::NoGradGuard no_grad;
  const Tensor x = input_of(file, torch::kDouble), wanted = to_tensor(file.at(run + "/output"));
  const std::vector<Kept> kept = kept_states(file, run);
  Carry carry = network.start();
  size_t compared = 0;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const Tensor y = network.forward(Signal::dense(x.slice(0, t, t + 1)), Context(), carry).values()[0];
    ASSERT_EQ(differences(y, wanted[t], 1e-9), 0) << "output at step " << t;
    for (const Kept& state : kept) {
      for (const Network::Node& node : network.nodes()) {
        const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
        if (!layer || node.name != state.node) continue;
        const State& all = carry.state.at(static_cast<size_t>(layer->slot()));
        const size_t k = all.size() == 2 && !state.current ? 1 : 0;
        ASSERT_LT(k, all.size()) << node.name;
        const double most = state.values.abs().max().item<double>();
        ASSERT_EQ(differences(all[k], state.values[t], within * (1 + most)), 0)
            << node.name << " at step " << t;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, kept.size() * static_cast<size_t>(x.size(0)));
}

}  // namespace

TEST(NirGolden, EqualsTheSimulation) {
  const std::vector<std::string> files = graphs(false);
  ASSERT_FALSE(files.empty());
  for (const std::string& path : files) {
    SCOPED_TRACE(fs::path(path).filename());
    const SafetensorsFile file = numbers_of(path);
    const NirGraph graph = read_nir(path);
    const std::vector<Stepping> list = runs(file);
    EXPECT_FALSE(list.empty());
    for (Stepping run : list) {
      SCOPED_TRACE(run.name);
      run.options.type = torch::kDouble;
      if (diverges(graph, run.options.dt)) {
        EXPECT_THROW(network_from_nir(graph, run.options), UsageError);
        continue;
      }
      const auto network = network_from_nir(graph, run.options).network;
      const Tensor y = output_of(*network, Signal::dense(input_of(file, torch::kDouble)));
      const Tensor wanted = to_tensor(file.at(run.name + "/output"));
      ASSERT_EQ(y.sizes(), wanted.sizes());
      EXPECT_EQ(differences(y, wanted, 1e-9), 0);
      compare_states(*network, file, run.name, tolerance(graph, run.options.dt));
    }
  }
}

/// In float32 a membrane that comes within its rounding of the threshold may fall to the other side.
TEST(NirGolden, SinglePrecision) {
  for (const std::string& path : graphs(false)) {
    SCOPED_TRACE(fs::path(path).filename());
    const SafetensorsFile file = numbers_of(path);
    const NirGraph graph = read_nir(path);
    for (const Stepping& run : runs(file)) {
      SCOPED_TRACE(run.name);
      if (diverges(graph, run.options.dt)) continue;
      const auto network = network_from_nir(graph, run.options).network;
      const Tensor x = to_tensor(file.at("input"));
      const bool spikes = x.scalar_type() == torch::kUInt8 && x.max().item<int64_t>() <= 1;
      const Signal signal =
          spikes ? Signal::spikes(Spikes::from_bytes(x), torch::kFloat) : Signal::dense(x.to(torch::kFloat));
      const Tensor wanted = to_tensor(file.at(run.name + "/output"));
      const int64_t wrong = differences(output_of(*network, signal), wanted, 1e-4);
      EXPECT_LE(static_cast<double>(wrong), 0.002 * static_cast<double>(wanted.numel())) << wrong;
    }
  }
}

TEST(NirGolden, ExportedAndImportedAgain) {
  TempDir dir;
  for (const std::string& path : graphs(false)) {
    SCOPED_TRACE(fs::path(path).filename());
    const SafetensorsFile file = numbers_of(path);
    const NirGraph graph = read_nir(path);
    for (const Stepping& run : runs(file)) {
      SCOPED_TRACE(run.name);
      if (diverges(graph, run.options.dt)) continue;
      const auto first = network_from_nir(graph, run.options).network;
      const Tensor x = input_of(file, torch::kFloat), wanted = output_of(*first, Signal::dense(x));
      for (const bool fold : {false, true}) {
        const NirExport exported = to_nir(*first, {run.options.dt, fold});
        write_nir(dir / "again.nir", exported.graph);
        const NirImport again = network_from_nir(read_nir(dir / "again.nir"));
        EXPECT_EQ(again.dt, run.options.dt);
        const Tensor y = output_of(*again.network, Signal::dense(x));
        // A weight times its gain is rounded once more.
        EXPECT_EQ(differences(y, wanted, fold ? 1e-5 : 0), 0) << "fold " << fold;
      }
    }
  }
}

TEST(NirGolden, MalformedFilesAreRefused) {
  const std::map<std::string, std::vector<std::string>> says = {
      {"bad_edge_to_missing_node", {"nowhere", "does not exist"}},
      {"bad_unknown_field", {"node 'lif' (LIF)", "v_peak"}},
      {"bad_shapes_differ", {"node 'lif' (LIF)", "[4]", "[3]"}},
      {"bad_weight_does_not_fit", {"node 'fc' (Linear)", "[5]", "[4]"}},
      {"bad_tau_negative", {"node 'lif' (LIF)", "tau", "more than 0"}},
      {"bad_no_edges", {"no edges"}},
      {"bad_empty_edges", {"no edges"}},
      {"bad_no_output", {"Output"}},
      {"bad_weight_is_string", {"node 'fc' (Linear)", "weight", "text"}},
      {"bad_weight_int", {"node 'fc' (Linear)", "floating-point"}},
      {"bad_weight_1d", {"node 'fc' (Linear)", "two dimensions"}}};
  const std::vector<std::string> files = graphs(true);
  if (files.empty()) GTEST_SKIP() << "no bad_*.nir; set SPIKETRAIN_GOLDEN";
  for (const std::string& path : files) {
    const std::string name = fs::path(path).stem().string();
    SCOPED_TRACE(name);
    try {
      network_from_nir(read_nir(path));
      ADD_FAILURE() << "accepted";
    } catch (const DataError& error) {
      const std::string what = error.what();
      EXPECT_EQ(what.rfind(path, 0), 0u) << what;
      if (!says.count(name)) continue;
      for (const std::string& word : says.at(name)) EXPECT_NE(what.find(word), std::string::npos) << what;
    } catch (const UsageError& error) {
      EXPECT_FALSE(says.count(name)) << error.what();
    }
  }
}

}  // namespace spiketrain::nir_test
