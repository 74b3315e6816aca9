// Methods that are backpropagation through time with another derivative of the spike or of the reset, against the authors'
// code: S3GD (a gate around the threshold) and BPSA, BPTA (1/u where a neuron spikes, and a derivative across the reset).
// Files as in golden/rules_test.cpp, where the tolerances are, too; BPSA in float64 1e-11, because its code divides by
// u + 1e-12 and so has spikes of 1 - 2e-12.
#include <gtest/gtest.h>

#include "spiketrain/train/checkpoint.h"
#include "tests/support/engine.h"
#include "tests/support/golden_files.h"

namespace spiketrain::bptt_rules_golden_test {

struct Record {
  SafetensorsFile file;
  std::string word(const char* key) const { return file.metadata().at(key); }
  double number(const char* key) const { return std::stod(word(key)); }
  Tensor at(const std::string& name) const { return to_tensor(file.at(name)); }
  bool in_float() const { return word("dtype") == "F32"; }
};

void expect_close(const Tensor& ours, const Tensor& reference, double tolerance, const std::string& what) {
  ASSERT_EQ(ours.numel(), reference.numel()) << what;
  const Tensor r = reference.to(torch::kDouble).flatten(),
               o = ours.detach().to(torch::kDouble).contiguous().flatten();
  const double scale = 1 + r.abs().max().item<double>();
  EXPECT_LE((o - r).abs().max().item<double>() / scale, tolerance) << what;
}

struct Task {
  std::shared_ptr<Network> network = {};
  Config objective = {};
  Tensor x = {};
};

Batch batch_of(const Record& r, const Tensor& x) {
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = x;
  batch.target = {Target::Kind::class_index, r.at("labels")};
  return batch;
}

/// Gradients by name, and the result of the pass.
std::map<std::string, Tensor> learn(const Record& r, const Task& task, PassResult& result) {
  LearnerParts parts = learner_parts(task.network, task.x.size(0));
  parts.objective = make<Objective>(task.objective);
  result = Learner(parts).pass(batch_of(r, task.x), 0);
  std::map<std::string, Tensor> gradients;
  for (const auto& [name, gradient] : take_gradients(*task.network)) gradients[name] = gradient;
  return gradients;
}

/// What each node sends over the whole sequence.
std::vector<Signal> run_nodes(const Task& task) {
  const torch::NoGradGuard no_grad;
  Context context = train_context();
  context.method = {bptt()};
  Carry carry = task.network->start();
  std::vector<Signal> shown;
  Signal x = Signal::dense(task.x);
  for (const Network::Node& node : task.network->nodes())
    shown.push_back(x = node.stage->forward({x}, context, carry));
  return shown;
}

void set(Network& network, const std::string& name, const Tensor& values) {
  const torch::NoGradGuard no_grad;
  Tensor(network.named_parameters()[name]).copy_(values);
}

// ---- S3GD.  There a layer shows at t + 1 what its input at t made of it; here at t.  Three layers late is three steps
// late, so that the input shifted by three steps gives the recorded output, its zeros before the first spike included.

constexpr int64_t kShift = 3;

Task s3gd(const Record& r) {
  const Tensor x = r.at("x");
  const int64_t T = x.size(0);
  const Config spiking = {{"name", "lif"},          {"leak", r.number("beta")},
                          {"reset", "soft"},        {"strict", true},
                          {"detach_reset", true},   {"surrogate", "fast_sigmoid"},
                          {"surrogate_scale", 100}, {"surrogate_gate", 1 - r.number("b_th")}};
  const Config readout = {
      {"name", "leaky_readout"}, {"leak", r.number("beta_readout")}, {"decay_input", true}};
  Task task;
  task.network = std::make_shared<Network>(Shape{x.size(2)});
  for (int64_t l = 1; l <= 3; ++l) {
    const int64_t width = r.at(str("W", l)).size(1);
    task.network->add(dense_layer(width, make<Neuron>(l == 3 ? readout : spiking)), true);
  }
  task.network->to(x.scalar_type());
  for (int64_t l = 1; l <= 3; ++l) set(*task.network, str(l - 1, ".synapse.weight"), r.at(str("W", l)).t());
  task.x = torch::cat({torch::zeros_like(x.slice(0, 0, kShift)), x.slice(0, 0, T - kShift)});
  const bool max = r.word("lossk") == "max";
  task.objective = max ? Config{{"name", "max_ce"}}  // the sum over time is T times the mean
                       : Config{{"name", "rate_ce"}, {"scale", static_cast<double>(T)}};
  return task;
}

void check_s3gd(const Record& r) {
  const Task task = s3gd(r);
  const std::vector<Signal> shown = run_nodes(task);
  const int64_t T = task.x.size(0);
  for (int64_t l = 1; l <= 2; ++l) {
    const Tensor ours = shown[static_cast<size_t>(l - 1)].spikes().dense(torch::kDouble);
    const int64_t late = kShift - l;  // ours at t is theirs at t - late
    EXPECT_TRUE(torch::equal(ours.slice(0, late), r.at(str("s", l)).slice(0, 0, T - late))) << "s" << l;
  }
  expect_close(shown[2].values(), r.at("out"), 1e-12, "out");
  PassResult result;
  const auto gradients = learn(r, task, result);
  expect_close(result.loss.view({1}), r.at("loss"), 1e-12, "loss");
  for (int64_t l = 1; l <= 3; ++l) {
    const std::string name = str("grad_W", l);
    EXPECT_GT(r.at(name).abs().max().item<double>(), 0) << name;
    expect_close(gradients.at(str(l - 1, ".synapse.weight")).t(), r.at(name), 1e-12, name);
  }
}

// ---- BPSA and BPTA.

Task bpsa(const Record& r) {
  const Config net = Config::parse(r.word("net"));
  const Config neuron = {{"name", "lif"},
                         {"leak", r.number("decay")},
                         {"threshold", r.number("th")},
                         {"reset", "hard"},
                         {"detach_reset", true},
                         {"reset_slope", r.number("coef")},
                         {"surrogate", "inverse_membrane"}};
  Task task;
  task.x = r.at("x");
  task.network = std::make_shared<Network>(Shape{task.x.size(2)});
  for (const auto& width : net.at("dims")) {
    Connection c;
    c.synapse = make<Synapse>("linear", {{"features", width}, {"bias", true}});
    if (r.word("relu") == "1") c.norm = make<Norm>("relu");
    task.network->add(std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>(neuron)), true);
  }
  task.network->add(make<Stage>("average_to", {{"grid", net.at("C")}}), false);  // the voters of a class
  task.network->to(task.x.scalar_type());
  for (int64_t l = 1; l <= 2; ++l) {
    set(*task.network, str(l - 1, ".synapse.weight"), r.at(str("W", l)));
    set(*task.network, str(l - 1, ".synapse.bias"), r.at(str("b", l)));
  }
  task.objective = {{"name", "mse"}, {"over", "window"}};
  return task;
}

void check_bpsa(const Record& r) {
  const double tolerance = r.in_float() ? 1e-5 : 1e-11;
  const Task task = bpsa(r);
  const std::vector<Signal> shown = run_nodes(task);
  for (int64_t l = 1; l <= 2; ++l) {
    const Tensor spikes = shown[static_cast<size_t>(l - 1)].spikes().dense(torch::kDouble);
    EXPECT_TRUE(torch::equal(spikes, r.at(str("s", l)).to(torch::kDouble).round())) << "s" << l;
  }
  expect_close(shown[2].values().mean(0), r.at("out"), tolerance, "out");
  PassResult result;
  const auto gradients = learn(r, task, result);
  expect_close(result.loss.view({1}), r.at("loss"), tolerance, "loss");
  for (int64_t l = 1; l <= 2; ++l) {
    for (const auto& [ours, theirs] : {std::pair{"weight", "grad_W"}, std::pair{"bias", "grad_b"}}) {
      const Tensor reference = r.at(str(theirs, l));
      EXPECT_GT(reference.abs().max().item<double>(), 0) << theirs << l;
      expect_close(gradients.at(str(l - 1, ".synapse.", ours)), reference, tolerance, str(theirs, l));
    }
  }
}

TEST(BpttRulesGolden, EveryFileIsMatched) {
  std::map<std::string, int64_t> compared;
  for (const std::string& path : golden_files("rules")) {
    SCOPED_TRACE(path);
    const Record r{SafetensorsFile::open(path)};
    const auto rule = r.file.metadata().find("rule");
    if (rule == r.file.metadata().end()) continue;
    if (rule->second == "S3GD") check_s3gd(r);
    if (rule->second == "BPSA" || rule->second == "BPSA+BPTA") check_bpsa(r);
    ++compared[rule->second];
  }
  EXPECT_GE(compared["S3GD"], 2);
  EXPECT_GE(compared["BPSA"], 1);
  EXPECT_GE(compared["BPSA+BPTA"], 2);
}

}  // namespace spiketrain::bptt_rules_golden_test
