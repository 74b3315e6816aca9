// Layers with a norm on a tape against the same layers in autograd's graph.
#include <map>

#include "spiketrain/core/tape.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/parts/neurons/lif_core.h"
#include "tests/support/graph_pass.h"

namespace spiketrain::normed_tape_test {

constexpr int64_t kSteps = 6, kBatch = 4, kClasses = 3;

using Gradients = std::vector<std::pair<std::string, Tensor>>;

/// Layers of maps with norms on their currents, double.
std::shared_ptr<Network> normed_chain(const Config& norm, const Config& neuron, bool bias) {
  auto network = std::make_shared<Network>(Shape{2, 6, 6});
  const auto add = [&](const char* synapse, Config options) {
    options["bias"] = bias;
    Connection c;
    c.synapse = make<Synapse>(synapse, options);
    if (options.value("features", int64_t{0}) != kClasses) c.norm = make<Norm>(norm);
    network->add(std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>(neuron)),
                 /*new_unit=*/true);
  };
  add("conv2d", {{"channels", 5}, {"kernel", 3}});
  add("conv2d", {{"channels", 4}, {"kernel", 2}});
  add("linear", {{"features", 7}});
  add("linear", {{"features", kClasses}});
  draw_weights(*network);
  return network;
}

Batch maps_batch(Batch::Form form, int64_t steps) {
  const Target target = label_target(kBatch, kClasses);
  Batch b =
      form == Batch::Form::frames ? frames_batch(steps, kBatch, 1, target) : image_batch(kBatch, 1, target);
  std::vector<int64_t> sizes = {kBatch, 2, 6, 6};
  if (form == Batch::Form::frames) sizes.insert(sizes.begin(), steps);
  torch::manual_seed(5);
  b.x = torch::rand(sizes, torch::kDouble) * 2;
  return b;
}

std::map<std::string, Tensor> statistics_of(const Network& network) {
  std::map<std::string, Tensor> statistics;
  for (const auto& buffer : network.named_buffers()) {
    if (buffer.key().find("running") != std::string::npos) statistics[buffer.key()] = buffer.value().clone();
  }
  return statistics;
}

/// A norm's own way back on a tape, and once for all steps of a still image, is that of autograd's graph; so are the running
/// statistics.
struct NormedCase {
  Config norm, neuron;
  const char* rule;
  int64_t window = 0;
  bool bias = false;
  int64_t steps = kSteps;
};
void compare_normed(const NormedCase& c) {
  for (const auto form : {Batch::Form::frames, Batch::Form::image}) {
    SCOPED_TRACE(str(c.norm.dump(), " ", c.neuron.dump(), " ", c.rule, " window ", c.window, " bias ", c.bias,
                     " steps ", c.steps, " form ", static_cast<int>(form)));
    std::vector<std::map<std::string, Tensor>> statistics;
    std::vector<Gradients> gradients;
    std::vector<Tensor> losses;
    for (const bool tape : {true, false}) {
      LearnerParts parts = learner_parts(normed_chain(c.norm, c.neuron, c.bias), c.steps, "rate_ce");
      parts.method = {make<Rule>(c.rule)};
      if (c.window > 0)
        parts.schedule = make<Schedule>("truncated", {{"window", c.window}, {"update", "batch"}});
      ASSERT_TRUE(parts.network->is_chain(0));
      const Learner learner(parts);
      const Batch data = maps_batch(form, c.steps);
      losses.push_back(tape ? learner.pass(data, 0).loss : graph_pass(learner, data));
      gradients.push_back(take_gradients(*parts.network));
      statistics.push_back(statistics_of(*parts.network));
    }
    EXPECT_NEAR(losses[0].item<double>(), losses[1].item<double>(), 1e-10);
    ASSERT_EQ(gradients[0].size(), gradients[1].size());
    for (size_t k = 0; k < gradients[0].size(); ++k) {
      const auto& [name, got] = gradients[0][k];
      const Tensor& wanted = gradients[1][k].second;
      ASSERT_TRUE(got.defined() && wanted.defined()) << name;
      EXPECT_LE((got - wanted).norm().item<double>(), 1e-9 * (1e-3 + wanted.norm().item<double>())) << name;
    }
    ASSERT_EQ(statistics[0].size(), 6U);
    for (const auto& [name, value] : statistics[0])
      EXPECT_LE((value - statistics[1].at(name)).abs().max().item<double>(), 1e-10) << name;
  }
}

TEST(NormedTape, NormsGoBackAsInTheGraph) {
  const Config lif = {{"name", "lif"}, {"threshold", 0.5}}, psp = {{"name", "psp_lif"}, {"threshold", 0.5}};
  for (const bool bias : {false, true}) {
    for (const int64_t window : {0, 2}) {
      compare_normed({{{"name", "bn"}}, lif, "bptt", window, bias});
      compare_normed({{{"name", "tdbn"}, {"scale", 0.5}}, lif, "sltt", window, bias});
      compare_normed({{{"name", "bn"}, {"eps_outside", true}}, lif, "ottt", window, bias});
      compare_normed({{{"name", "bn"}}, psp, "tssl_bp", window, bias});
    }
  }
  {
    const ops::GenericOnly generic;  // as where there is no kernel
    for (const bool outside : {false, true}) {
      const Config norm = {{"name", "tdbn"}, {"scale", 0.5}, {"eps_outside", outside}};
      compare_normed({norm, lif, "bptt"});
      compare_normed({norm, lif, "bptt", 2});
      compare_normed({norm, psp, "tssl_bp"});
    }
  }
  const Config delayed = {{"name", "lif"}, {"threshold", 0.5}, {"reset", "hard"}, {"reset_delay", true}};
  const int64_t many = cpu::CurrentMap<float>::kSteps + 1;  // more than a scan takes with a map
  compare_normed({{{"name", "bn"}}, delayed, "bptt"});
  compare_normed({{{"name", "bn"}}, lif, "bptt", 0, false, many});
  compare_normed({{{"name", "bn"}}, psp, "tssl_bp", 0, false, many});
}

/// Notes what it is given to go back from.
struct Witness final : LifNeuron {
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override {
    mapped = record.map.defined();
    membrane = record.u.defined();
    return LifNeuron::vjp(record, delta, g_after);
  }
  mutable bool mapped = false, membrane = false;
};

/// Behind a norm no membrane is kept, but where somebody reads it, or there are more steps than a scan finds again.
TEST(NormedTape, MembranesBehindANormAreFoundAgain) {
  struct How {
    const char* rule;
    const char* penalty;
    int64_t steps;
    bool mapped;
  };
  const int64_t most = cpu::CurrentMap<float>::kSteps;
  for (const How& how : {How{"bptt", nullptr, kSteps, true},
                         {"bptt", nullptr, most, true},
                         {"bptt", nullptr, most + 1, false},
                         {"bptt", "voltage", kSteps, false}}) {
    SCOPED_TRACE(str(how.rule, " ", how.penalty ? how.penalty : "", " ", how.steps));
    const auto spy = std::make_shared<Witness>();
    auto network = std::make_shared<Network>(Shape{2, 6, 6});
    Connection c;
    c.synapse = make<Synapse>("conv2d", {{"channels", 3}, {"kernel", 3}});
    c.norm = make<Norm>("bn");
    network->add(std::make_shared<Layer>(std::vector<Connection>{c}, spy), /*new_unit=*/true);
    network->add(dense_layer(kClasses, make<Neuron>("lif")), /*new_unit=*/true);
    draw_weights(*network);
    network->to(torch::kFloat);
    LearnerParts parts = learner_parts(network, how.steps, "rate_ce");
    parts.method = {make<Rule>(how.rule)};
    if (how.penalty) parts.regularizers = {make<Regularizer>(how.penalty)};
    Batch frames = maps_batch(Batch::Form::frames, how.steps);
    frames.x = frames.x.to(torch::kFloat);
    Learner(parts).pass(frames, 0);
    EXPECT_EQ(spy->mapped, how.mapped);
    EXPECT_EQ(spy->membrane, !how.mapped);
  }
}

/// A pass through three convolutions of this kind, whose maps are as large as the input.
double arrays_of_layers(const char* norm) {
  constexpr int64_t kMaps = 8, kSide = 16;
  auto network = std::make_shared<Network>(Shape{kMaps, kSide, kSide});
  for (int64_t k = 0; k < 3; ++k) {
    Connection c;
    c.synapse = make<Synapse>("conv2d", {{"channels", kMaps}, {"kernel", 3}, {"padding", 1}});
    if (norm) c.norm = make<Norm>(norm);
    network->add(std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>("lif")), /*new_unit=*/true);
  }
  network->add(dense_layer(kClasses, make<Neuron>("lif")), /*new_unit=*/true);
  return arrays_at_once(network, kSteps, kClasses);
}

/// One array of each layer is kept, normed or not; going back, a normed layer holds its error beside its current.
TEST(NormedTape, KeepsOneArrayOfALayer) {
  EXPECT_LT(arrays_of_layers(nullptr), 5.0);
  EXPECT_LT(arrays_of_layers("bn"), 5.3);
}

}  // namespace spiketrain::normed_tape_test
