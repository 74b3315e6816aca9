// The examples of docs/add-a-*.md: they are registered, do what their head comments say, and train.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/file.h"
#include "spiketrain/data/images/image_dataset.h"
#include "tests/support/network_fixture.h"
#include "tests/support/neuron_cases.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

double train_on_tensors(const torch::Tensor& x, const torch::Tensor& y, const std::string& recipe_file,
                        const std::string& out);  // of the README

namespace spiketrain {

RawImages open_raw_digits(const std::string& path);
std::shared_ptr<Network> train_without_recipe(const Tensor& x, const Tensor& y);  // of docs/cpp.md
Tensor classes_of(const std::string& run, const Tensor& x);

namespace {

/// Trains one batch on the tiny task; returns its loss and checks that every weight has moved.
double train_one_batch(const std::vector<std::string>& sets) {
  Experiment experiment = tiny_experiment(sets);
  const Network& network = experiment.training.network();
  const NamedTensors before = copy_of(network_tensors(network));
  StopAfter observer(1);
  TrainerOptions options;
  options.observers = {&observer};
  options.stop = &observer.stop;
  Trainer(experiment.training, options).run();
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_FALSE(torch::equal(before[i].second, network_tensors(network)[i].second)) << before[i].first;
  return observer.losses.at(0);
}

/// Weight gradients of one pass over still images, shown in segments of `window` steps; two hidden layers and the
/// output layer.
std::vector<Tensor> weight_gradients(const char* rule, int64_t steps, int64_t window) {
  LearnerParts parts;
  parts.network = make_spec("6C3-P2-8-4", make_context({{"name", "lif"}}, {1, 6, 6}, 4));
  exact_weights(*parts.network, 3);
  parts.method.rule = make<Rule>(rule);
  parts.objective = make<Objective>("tet_ce");
  parts.steps = steps;
  parts.schedule = make<Schedule>("truncated", {{"window", window}});
  torch::manual_seed(6);
  Batch batch;
  batch.x = torch::rand({8, 1, 6, 6}) * 2;
  batch.target.y = torch::arange(8).remainder(4);
  const Learner learner(parts);
  learner.pass(batch, 0);
  std::vector<Tensor> gradients;
  for (const Tensor& p : parts.network->parameters()) gradients.push_back(p.grad());
  return gradients;
}

TEST(Docs, NeuronOscillates) {
  const auto neuron =
      make_neuron({{"name", "resonate"}, {"damping", 0.9}, {"omega", 0.6}, {"threshold", 1e6}});
  Tensor I = torch::zeros({7, 1, 1}, torch::kDouble);
  I[0] += 1;
  const auto record = run_all(*neuron, I, {}, kU);
  EXPECT_NEAR(record->state[0].item<double>(), std::pow(0.9, 7) * std::cos(7 * 0.6), 1e-14);
  EXPECT_NEAR(record->state[1].item<double>(), std::pow(0.9, 7) * std::sin(7 * 0.6), 1e-14);
  EXPECT_EQ(record->u[6].item<double>(), record->state[1].item<double>());
  EXPECT_EQ(record->spikes().total(), 0);
}

TEST(Docs, NeuronAndRuleTrain) {
  for (const char* rule : {"bptt", "same_step", "presynaptic_trace"}) {
    const std::string name = std::string("rule={name=\"") + rule + "\"}";
    const double loss = train_one_batch(
        {name, "neuron={name=\"resonate\", threshold=0.2}", "objective={name=\"mse_count\"}"});
    EXPECT_TRUE(std::isfinite(loss));
    EXPECT_GT(loss, 0);
  }
}

TEST(Docs, RuleIsExactForOneStep) {
  const auto exact = weight_gradients("bptt", 1, 1), got = weight_gradients("presynaptic_trace", 1, 1);
  ASSERT_EQ(exact.size(), 3u);
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_GT(exact[i].abs().max().item<float>(), 0);
    EXPECT_TRUE(torch::allclose(got[i], exact[i], 1e-5, 1e-7)) << i;
  }
}

TEST(Docs, SameStepIsSltt) {
  const auto sltt = weight_gradients("sltt", 5, 5);
  for (const int64_t window : {1, 5}) {
    const auto got = weight_gradients("same_step", 5, window);
    for (size_t i = 0; i < sltt.size(); ++i) EXPECT_TRUE(torch::allclose(got[i], sltt[i], 1e-5, 1e-7)) << i;
  }
}

TEST(Docs, LabelGroupsTeachEachBlockItsClasses) {
  const auto signal = make<LearningSignal>("label_groups");
  const auto network = make_spec("8-6-4", make_context({{"name", "lif"}}, {5}, 4));
  network->partition({1, 1});
  signal->build(*network, 1);
  const Target target = {Target::Kind::class_index, torch::tensor({1, 3}, torch::kLong)};
  const Tensor delta = signal->delta(0, {}, target, 3, {});
  ASSERT_EQ(delta.sizes(), (at::IntArrayRef{3, 2, 8}));
  EXPECT_LT(delta[0][0][1].item<float>(), 0);
  EXPECT_GT(delta[0][0][0].item<float>(), 0);
  EXPECT_NEAR(delta.sum().item<double>(), 0, 1e-6);
  EXPECT_TRUE(std::isfinite(
      train_one_batch({"neuron=lif", "readout=leaky_readout", "rule=same_step", "objective=tet_ce",
                       "network.spec=6C3-P2-12-4", "blocks.size=1", "learning_signal=label_groups"})));
}

TEST(Docs, RuleDoesNotDependOnTheSegment) {
  const auto whole = weight_gradients("presynaptic_trace", 5, 5),
             parts = weight_gradients("presynaptic_trace", 5, 2);
  const auto bptt = weight_gradients("bptt", 5, 5);
  ASSERT_EQ(whole.size(), 3u);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(torch::allclose(parts[i], whole[i], 1e-4, 1e-5)) << i;
    EXPECT_FALSE(torch::allclose(bptt[i], whole[i], 1e-2)) << i;
  }
}

TEST(Docs, ObjectiveTrainsAndIsZeroWithTheLead) {
  EXPECT_TRUE(std::isfinite(train_one_batch({"objective={name=\"hinge_count\"}"})));
  const auto objective = make<Objective>("hinge_count", {{"margin", 0.5}});
  objective->prepare({{3}, 4});
  Tensor a = torch::zeros({4, 1, 3});
  const Target target = {Target::Kind::class_index, torch::tensor({2}, torch::kLong)};
  const auto loss = [&] { return objective->loss({Signal::dense(a), {0, 4}, 4}, target).item<float>(); };
  EXPECT_EQ(loss(), 0.5F);             // two outputs, 0.5^2 each
  a.select(2, 2).slice(0, 0, 2) += 1;  // leads by 2 of 4 steps
  EXPECT_EQ(loss(), 0);
}

TEST(Docs, SynapseIsAdjoint) {
  const auto synapse = make<Synapse>("per_neuron", {{"weight_scale", 0.75}});
  EXPECT_EQ(synapse->build({2, 3}), (Shape{2, 3}));
  synapse->initialise(1, 0);
  torch::manual_seed(5);
  const Tensor W = synapse->weight(), a = torch::randn({4, 2, 2, 3}), g = torch::randn({4, 2, 2, 3});
  const double left = (g * synapse->apply(Signal::dense(a), W)).sum().item<double>();
  EXPECT_NEAR(left, (synapse->pull(g, W) * a).sum().item<double>(), 1e-5);
  EXPECT_NEAR(left, (synapse->outer(g, Signal::dense(a)) * W).sum().item<double>(), 1e-5);
}

TEST(Docs, ImagesAreReadFromTheirFile) {
  TempDir dir;
  std::vector<uint8_t> bytes(2 * 65, 7);
  bytes[66] = 9;
  const auto open = [&] {
    write_file_atomic(dir / "f", {bytes});
    return open_raw_digits(dir / "f");
  };
  const RawImages raw = open();
  EXPECT_EQ(raw.labels, (std::vector<uint8_t>{7, 7}));
  std::vector<uint8_t> pixels(64);
  raw.read(1, pixels.data());
  EXPECT_EQ(pixels[0], 9);
  EXPECT_EQ(pixels[63], 7);
  bytes[65] = 10;
  EXPECT_THROW(open(), DataError);
  bytes.pop_back();
  EXPECT_THROW(open(), DataError);
}

TEST(Docs, DataSetIsFoundByItsName) {
  const DatasetInfo info = dataset_info("raw-digits");
  EXPECT_EQ(info.shape, (Shape{1, 8, 8}));
  EXPECT_EQ(info.target.classes, 10);
  DataOptions options;
  options.name = "raw-digits";
  options.dir = "/nonexistent";
  EXPECT_THROW(open_dataset(options), DataError);
}

/// Pictures [N,1,28,28] with a bright row of pixels, whose place is the class.
Tensor bright_rows(int64_t n, double value) {
  Tensor x = torch::zeros({n, 1, 28, 28});
  for (int64_t i = 0; i < n; ++i) x[i][0].slice(0, 2 + 2 * (i % 10), 5 + 2 * (i % 10)).fill_(value);
  return x;
}
Tensor ten_classes(int64_t n) { return torch::arange(n, torch::kLong).remainder(10); }

TEST(Docs, TheLibraryExampleLearns) {
  TempDir dir;
  const Tensor y = ten_classes(1100), x = bright_rows(1100, 3);
  const double best = train_on_tensors(x, y, ST_SOURCE_DIR "/recipes/quickstart.toml", dir / "run");
  EXPECT_GE(best, 0.5);
  const Tensor classes = classes_of(dir / "run", x.slice(0, 0, 100));
  EXPECT_DOUBLE_EQ((classes == y.slice(0, 0, 100)).to(torch::kDouble).mean().item<double>(), best);
  EXPECT_THROW(train_on_tensors(x, y, ST_SOURCE_DIR "/recipes/quickstart.toml", dir / "run"), UsageError);
}

TEST(Docs, ThePartsExampleLearns) {
  const Tensor y = ten_classes(640), x = bright_rows(640, 2);
  const auto network = train_without_recipe(x, y);
  Carry carry = network->start();
  const Signal input = Signal::constant(x.slice(0, 0, 10).unsqueeze(0), torch::ones({4}));
  const torch::NoGradGuard no_grad;
  const Tensor evidence = network->forward(input, {}, carry).values().sum(0);
  EXPECT_GE((evidence.argmax(1) == y.slice(0, 0, 10)).sum().item<int64_t>(), 5);
}

}  // namespace
}  // namespace spiketrain
