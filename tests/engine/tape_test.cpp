// A chain of bare layers on a tape against the same chain in autograd's graph: the same bits.
#include "spiketrain/core/tape.h"

#include "spiketrain/parts/neurons/lif_core.h"
#include "tests/support/engine.h"
#include "tests/support/graph_pass.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::tape_test {

constexpr int64_t kSteps = 6, kBatch = 4, kIn = 5, kClasses = 3;

using Gradients = std::vector<std::pair<std::string, Tensor>>;

std::shared_ptr<Layer> biased(int64_t features, std::shared_ptr<Neuron> neuron) {
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", features}, {"bias", true}});
  return std::make_shared<Layer>(std::vector<Connection>{c}, std::move(neuron));
}

/// Three layers of `neuron`, float.
std::shared_ptr<Network> chain(const Config& neuron) {
  auto network = std::make_shared<Network>(Shape{kIn});
  for (const int64_t width : {int64_t{6}, int64_t{5}, kClasses})
    network->add(biased(width, make<Neuron>(neuron)), /*new_unit=*/true);
  draw_weights(*network);
  network->to(torch::kFloat);
  return network;
}

Batch batch(Batch::Form form) {
  const Target target = label_target(kBatch, kClasses);
  Batch b = form == Batch::Form::frames ? frames_batch(kSteps, kBatch, kIn, target)
                                        : image_batch(kBatch, kIn, target);
  b.x = b.x.to(torch::kFloat);
  return b;
}

void expect_same(const Gradients& tape, const Gradients& graph) {
  ASSERT_EQ(tape.size(), graph.size());
  double size = 0;
  for (size_t k = 0; k < tape.size(); ++k) {
    ASSERT_TRUE(tape[k].second.defined() && graph[k].second.defined()) << tape[k].first;
    EXPECT_TRUE(torch::equal(tape[k].second, graph[k].second)) << tape[k].first;
    size += graph[k].second.norm().item<double>();
  }
  EXPECT_GT(size, 0);
}

void compare(const LearnerParts& parts, const Batch& batch) {
  const Learner learner(parts);
  for (int64_t b = 0; b < parts.network->blocks(); ++b) ASSERT_TRUE(parts.network->is_chain(b));
  const Tensor loss = learner.pass(batch, 0).loss;
  const Gradients tape = take_gradients(*parts.network);
  const Tensor expected = graph_pass(learner, batch);
  expect_same(tape, take_gradients(*parts.network));
  EXPECT_TRUE(torch::equal(loss, expected)) << loss << expected;
}

void compare(const LearnerParts& parts) {
  for (const auto form : {Batch::Form::frames, Batch::Form::image}) compare(parts, batch(form));
}

TEST(EngineTape, GivesTheBitsOfTheGraphForEveryNeuron) {
  std::vector<Config> neurons = default_neurons();
  neurons.push_back({{"name", "lif"}, {"learn_leak", true}, {"decay_input", true}});
  neurons.push_back({{"name", "lif"}, {"learn_leak", true}, {"per", "neuron"}});
  for (const Config& neuron : neurons) {
    SCOPED_TRACE(neuron.dump());
    if (make<Neuron>(neuron)->whole_sequence()) continue;  // of other tests, for another number of steps
    if (neuron.at("name") == "complex_shrink") continue;   // pairs of numbers, of a network of their own
    compare(learner_parts(chain(neuron), kSteps, "rate_ce"));
    LearnerParts parts = learner_parts(chain(neuron), kSteps, "rate_ce");
    parts.schedule = make<Schedule>("truncated", {{"window", 2}, {"update", "batch"}});
    compare(parts);
  }
}

TEST(EngineTape, GivesTheBitsOfTheGraphForTssl) {
  for (const char* variant : {"dec2020", "sep2020"}) {
    LearnerParts parts = learner_parts(chain({{"name", "psp_lif"}}), kSteps, "rate_ce");
    parts.method = {make<Rule>("tssl_bp", {{"variant", variant}})};
    parts.schedule = make<Schedule>("truncated", {{"window", 3}, {"update", "batch"}});
    compare(parts);
  }
}

TEST(EngineTape, GivesTheBitsOfTheGraphForBlocksWithHeadsAndFeedback) {
  const auto network = std::make_shared<Network>(Shape{kIn});
  for (const int64_t width : {int64_t{6}, int64_t{5}, kClasses}) {
    Connection c = linear(width);
    if (width == kClasses) c.feedback = make<Feedback>("random");
    network->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), /*new_unit=*/true);
  }
  network->partition({1, 1});
  network->attach_head(0, {dense_layer(kClasses, leaky_readout())});
  draw_weights(*network);
  network->to(torch::kFloat);
  for (const bool block_major : {true, false}) {
    LearnerParts parts = learner_parts(network, kSteps);
    parts.block_major = block_major;
    parts.schedule = make<Schedule>("truncated", {{"window", 1}, {"update", "batch"}});
    compare(parts);
  }
}

/// Sums over windows, whose errors are not written out on a tape where the neuron below reads them as they are: bare, two in a
/// row, with a rest that no window fills, under rules and neurons that do and do not.
TEST(EngineTape, GivesTheBitsOfTheGraphForPooledMaps) {
  const std::pair<Config, Config> methods[] = {
      {{{"name", "lif"}}, {{"name", "bptt"}}},
      {{{"name", "lif"}, {"raise_after_overshoot", true}}, {{"name", "bptt"}}},
      {{{"name", "lif"}, {"per", "channel"}}, {{"name", "bptt"}}},
      {{{"name", "lif"}}, {{"name", "sltt"}}},
      {{{"name", "psp_lif"}}, {{"name", "tssl_bp"}}}};
  const std::vector<std::vector<Config>> poolings = {
      {{{"name", "pool"}, {"kind", "avg"}}},
      {{{"name", "pool"}, {"scale", 1.1}}, {{"name", "pool"}}},
      {{{"name", "pool"}, {"scale", 1.1}, {"window", 1}}},
      {{{"name", "pool"}, {"kind", "max"}}, {{"name", "pool"}}}};
  for (const auto& [neuron, rule] : methods) {
    for (const auto& pooling : poolings) {
      SCOPED_TRACE(neuron.dump() + rule.dump() + Config(pooling).dump());
      auto network = std::make_shared<Network>(Shape{2, 11, 9});
      for (const int64_t channels : {24, 25}) {
        Connection c;
        c.synapse = make<Synapse>("conv2d", {{"channels", channels}, {"kernel", 3}, {"padding", 1}});
        network->add(std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>(neuron)),
                     /*new_unit=*/true);
        if (channels == 25) {
          for (const Config& pool : pooling) network->add(make<Stage>(pool), /*new_unit=*/false);
        }
      }
      network->add(biased(kClasses, make<Neuron>(neuron)), /*new_unit=*/true);
      draw_weights(*network);
      network->to(torch::kFloat);
      LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
      parts.method = {make<Rule>(rule)};
      Batch frames = batch(Batch::Form::frames);
      frames.x = torch::rand({kSteps, kBatch, 2, 11, 9});
      compare(parts, frames);
      Batch image = batch(Batch::Form::image);
      image.x = torch::rand({kBatch, 2, 11, 9});
      compare(parts, image);
    }
  }
}

/// Notes whether the membrane takes the place of the current.
struct Spy final : LifNeuron {
  void run(Record& record, Steps steps) const override {
    in_place = record.u.defined() && record.u.data_ptr() == record.I.data_ptr();
    LifNeuron::run(record, steps);
  }
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override {
    last_read = record.last_read;
    side = record.windows.k;
    return LifNeuron::vjp(record, delta, g_after);
  }
  mutable bool in_place = false, last_read = false;
  mutable int64_t side = 0;
};

TEST(EngineTape, MembranesTakeThePlaceOfCurrentsThatNobodyElseReads) {
  for (const char* synapse : {"conv2d", "linear"}) {
    const auto below = std::make_shared<Spy>(), above = std::make_shared<Spy>();
    auto network = std::make_shared<Network>(Shape{2, 6, 6});
    for (const auto& neuron : {below, above}) {
      Connection c;
      c.synapse = make<Synapse>(synapse);
      network->add(std::make_shared<Layer>(std::vector<Connection>{c}, neuron), /*new_unit=*/true);
    }
    network->add(biased(kClasses, make<Neuron>("lif")), /*new_unit=*/true);
    draw_weights(*network);
    network->to(torch::kFloat);
    LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
    Batch frames = batch(Batch::Form::frames), image = batch(Batch::Form::image);
    frames.x = torch::rand({kSteps, kBatch, 2, 6, 6});
    image.x = torch::rand({kBatch, 2, 6, 6});
    Learner(parts).pass(frames, 0);
    EXPECT_TRUE(below->in_place) << synapse;
    EXPECT_TRUE(above->in_place) << synapse;
    Learner(parts).pass(image, 0);
    EXPECT_FALSE(below->in_place) << synapse;  // one current for all steps
    EXPECT_TRUE(above->in_place) << synapse;
  }
}

/// Credit takes the memory of a membrane, and errors stay on windows, but where somebody reads them afterwards or in full.
TEST(EngineTape, CreditTakesThePlaceOfMembranesAndErrorsStayOnWindows) {
  struct How {
    const char* rule;
    const char* penalty;
    bool last_read;
    int64_t side;
  };
  for (const How& how : {How{"bptt", nullptr, true, 2},
                         {"bptt", "voltage", false, 2},
                         {"bptt", "rate", true, 1},
                         {"sltt", nullptr, false, 1}}) {
    SCOPED_TRACE(str(how.rule, " ", how.penalty ? how.penalty : ""));
    const auto spy = std::make_shared<Spy>();
    auto network = std::make_shared<Network>(Shape{2, 6, 6});
    Connection c;
    c.synapse = make<Synapse>("conv2d", {{"channels", 3}, {"kernel", 3}, {"padding", 1}});
    network->add(std::make_shared<Layer>(std::vector<Connection>{c}, spy), /*new_unit=*/true);
    network->add(make<Stage>("pool", {{"kind", "avg"}}), /*new_unit=*/false);
    network->add(biased(kClasses, make<Neuron>("lif")), /*new_unit=*/true);
    draw_weights(*network);
    network->to(torch::kFloat);
    LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
    parts.method = {make<Rule>(how.rule)};
    if (how.penalty) parts.regularizers = {make<Regularizer>(how.penalty)};
    Batch frames = batch(Batch::Form::frames);
    frames.x = torch::rand({kSteps, kBatch, 2, 6, 6});
    spy->side = 1;
    Learner(parts).pass(frames, 0);
    EXPECT_EQ(spy->last_read, how.last_read);
    EXPECT_EQ(spy->side, how.side);
  }
  Record record;
  record.u = ops::laid_empty({2, 1, 3, 4, 4}, torch::kFloat, /*last=*/true);
  EXPECT_TRUE(make<Rule>("tssl_bp")->takes_windows(*make<Neuron>("psp_lif"), record));
  EXPECT_TRUE(make<Rule>("tssl_bp")->is_done_with_membrane());
}

TEST(EngineTape, StopsAboveLayersThatDoNotLearn) {
  const auto network = chain({{"name", "lif"}});
  const Learner learner(learner_parts(network, kSteps, "rate_ce"));
  learner.pass(batch(Batch::Form::frames), 0);
  const Gradients all = take_gradients(*network);
  for (auto& item : network->named_parameters()) {
    if (item.key().rfind("0.", 0) == 0) item.value().requires_grad_(false);
  }
  learner.pass(batch(Batch::Form::frames), 0);
  const Gradients some = take_gradients(*network);
  for (size_t k = 0; k < all.size(); ++k) {
    const bool frozen = all[k].first.rfind("0.", 0) == 0;
    ASSERT_EQ(some[k].second.defined(), !frozen) << all[k].first;
    if (frozen) continue;
    EXPECT_TRUE(torch::equal(some[k].second, all[k].second)) << all[k].first;
  }
}

/// A norm, a quantizer, dropout and a filter: stages that autograd differentiates, between and below taped ones.
TEST(EngineTape, GivesTheBitsOfTheGraphForOtherStages) {
  const auto network = std::make_shared<Network>(Shape{kIn});
  Connection normed = linear(6), quantized = linear(5);
  normed.norm = make<Norm>("bn");
  quantized.quantizer = make<Quantizer>("uniform");
  network->add(make<Stage>("psp_filter", {{"tau_s", 2.0}}), /*new_unit=*/true);
  network->add(std::make_shared<Layer>(std::vector<Connection>{normed}, lif()), true);
  network->add(make<Stage>("dropout", {{"probability", 0.3}}), false);
  network->add(std::make_shared<Layer>(std::vector<Connection>{quantized}, lif()), true);
  network->add(make<Stage>("psp_filter", {{"tau_s", 2.0}}), false);
  network->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*network);
  network->to(torch::kFloat);
  for (const Network::Node& node : network->nodes())
    EXPECT_EQ(node.stage->taped(), node.stage->notation() == "3" || node.stage->notation() == "6")
        << node.name;
  for (const int64_t window : {2, 6}) {
    LearnerParts parts = learner_parts(network, kSteps);
    parts.schedule = make<Schedule>("truncated", {{"window", window}, {"update", "batch"}});
    compare(parts);
  }
}

/// A stage of one's own: a learned factor, which keeps a constant signal constant.
class Scale : public Stage {
 public:
  enum class Reads { signal, value };  ///< value: no credit goes to what the stage reads
  explicit Scale(Reads reads, bool learns = true) : reads_(reads) {
    const Tensor one = torch::ones({1});
    if (learns) {
      factor_ = register_parameter("factor", one);
    } else {
      factor_ = register_buffer("factor", one);
    }
  }
  Shape build(const std::vector<Shape>& in) override { return in[0]; }
  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    const Signal x = reads_ == Reads::value ? in[0].detached() : in[0];
    return x.map_linear([this](const Tensor& values) { return values * factor_; });
  }
  std::vector<StageInfo> describe() const override { return {}; }

 private:
  Reads reads_;
  Tensor factor_;
};

/// `scales` below, between and above three layers, the first of which may be missing.
void compare_with_scales(const std::vector<std::shared_ptr<Scale>>& scales, bool first_layer) {
  const auto network = std::make_shared<Network>(Shape{kIn});
  for (size_t k = 0; k < 3; ++k) {
    if (k > 0 || first_layer) network->add(dense_layer(k == 2 ? kClasses : 6, lif()), /*new_unit=*/true);
    if (k < scales.size()) network->add(scales[k], /*new_unit=*/true);
  }
  draw_weights(*network);
  network->to(torch::kFloat);
  LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
  parts.schedule = make<Schedule>("truncated", {{"window", 2}, {"update", "batch"}});
  const Learner learner(parts);
  ASSERT_TRUE(network->is_chain(0));
  for (const auto form : {Batch::Form::frames, Batch::Form::image}) {
    learner.pass(batch(form), 0);
    const Gradients tape = take_gradients(*network);
    graph_pass(learner, batch(form));
    const Gradients graph = take_gradients(*network);
    ASSERT_EQ(tape.size(), graph.size());
    for (size_t k = 0; k < tape.size(); ++k) {
      ASSERT_EQ(tape[k].second.defined(), graph[k].second.defined()) << tape[k].first;
      if (!tape[k].second.defined()) continue;
      EXPECT_TRUE(torch::equal(tape[k].second, graph[k].second)) << tape[k].first;
    }
  }
}

TEST(EngineTape, GivesTheBitsOfTheGraphForStagesOfOnesOwn) {
  using Reads = Scale::Reads;
  const auto scale = [](Reads reads, bool learns = true) { return std::make_shared<Scale>(reads, learns); };
  compare_with_scales({scale(Reads::signal)},
                      /*first_layer=*/false);  // below: a constant signal stays constant
  compare_with_scales({scale(Reads::signal), scale(Reads::signal)}, true);
  compare_with_scales({scale(Reads::signal), scale(Reads::value)}, true);  // learns, asks for nothing below
  compare_with_scales({scale(Reads::signal), scale(Reads::value, false)}, true);  // stops all credit
  compare_with_scales({scale(Reads::value, false), scale(Reads::value)}, false);
}

TEST(EngineTape, NeedsAWholeSegmentAtOnce) {
  Network network({kIn});
  network.add(dense_layer(6, lif()), true);
  network.add(dense_layer(6, lif()), true);
  EXPECT_TRUE(network.is_chain(0));
  EXPECT_FALSE(network.runs_by_step(0));
  network.add(make<Stage>("sum"), {{1}, {0}}, false);
  EXPECT_FALSE(network.is_chain(0));
  EXPECT_FALSE(network.runs_by_step(0));
  Network recurrent({kIn});
  recurrent.add(std::make_shared<Layer>(std::vector<Connection>{linear(6), linear(6)}, lif()), {{-1}, {0, 1}},
                true);
  EXPECT_TRUE(recurrent.runs_by_step(0));
}

}  // namespace spiketrain::tape_test
