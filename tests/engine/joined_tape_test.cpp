// Networks in which paths meet, on a tape against the same network in autograd's graph: the same bits.
#include "spiketrain/core/tape.h"
#include "spiketrain/parts/neurons/lif_core.h"
#include "tests/support/engine.h"
#include "tests/support/graph_pass.h"

namespace spiketrain::joined_tape_test {

constexpr int64_t kSteps = 5, kBatch = 4, kClasses = 3;
const Shape kInput = {2, 8, 8};

using Gradients = std::vector<std::pair<std::string, Tensor>>;

Batch maps_batch(Batch::Form form) {
  const Target target = label_target(kBatch, kClasses);
  Batch b =
      form == Batch::Form::frames ? frames_batch(kSteps, kBatch, 1, target) : image_batch(kBatch, 1, target);
  std::vector<int64_t> sizes = {kBatch, 2, 8, 8};
  if (form == Batch::Form::frames) sizes.insert(sizes.begin(), kSteps);
  torch::manual_seed(5);
  b.x = torch::rand(sizes) * 2;
  return b;
}

struct Pass {
  Tensor loss;
  Gradients gradients;
  std::vector<Tensor> buffers;
};
Pass pass_of(const LearnerParts& parts, const Batch& data, bool tape) {
  for (const Tensor& x : parts.network->buffers()) x.zero_();
  const Learner learner(parts);
  Pass p;
  p.loss = tape ? learner.pass(data, 0).loss : graph_pass(learner, data);
  p.gradients = take_gradients(*parts.network);
  for (const Tensor& x : parts.network->buffers()) p.buffers.push_back(x.clone());
  return p;
}

void compare(const LearnerParts& parts) {
  for (int64_t b = 0; b < parts.network->blocks(); ++b) ASSERT_FALSE(parts.network->runs_by_step(b));
  for (const auto form : {Batch::Form::frames, Batch::Form::image}) {
    SCOPED_TRACE(static_cast<int>(form));
    const Batch data = maps_batch(form);
    const Pass tape = pass_of(parts, data, true), graph = pass_of(parts, data, false);
    EXPECT_TRUE(torch::equal(tape.loss, graph.loss)) << tape.loss << graph.loss;
    ASSERT_EQ(tape.gradients.size(), graph.gradients.size());
    double size = 0;
    for (size_t k = 0; k < tape.gradients.size(); ++k) {
      const auto& [name, wanted] = graph.gradients[k];
      ASSERT_EQ(tape.gradients[k].second.defined(), wanted.defined()) << name;
      if (!wanted.defined()) continue;
      EXPECT_TRUE(torch::equal(tape.gradients[k].second, wanted)) << name;
      size += wanted.norm().item<double>();
    }
    EXPECT_GT(size, 0);
    for (size_t k = 0; k < tape.buffers.size(); ++k)
      EXPECT_TRUE(torch::equal(tape.buffers[k], graph.buffers[k])) << k;
  }
}

std::shared_ptr<Network> joined(const std::string& spec, const Config& neuron, const char* norm) {
  Config options = Config::object();
  if (norm) options["norm"] = {{"name", norm}};
  auto network = make_spec(spec, make_context(neuron, kInput, kClasses), options);
  draw_weights(*network);
  network->to(torch::kFloat);
  return network;
}

/// Shortcuts that are added to currents and to spikes, as they are and through a convolution, with pooling and dropout between.
TEST(JoinedTape, GivesTheBitsOfTheGraphForResidualUnits) {
  const Config lif = {{"name", "lif"}, {"threshold", 0.5}}, psp = {{"name", "psp_lif"}, {"threshold", 0.5}},
               cuba = {{"name", "cuba_lif"}, {"threshold", 0.5}};
  const std::vector<std::pair<Config, const char*>> methods = {
      {lif, "bptt"}, {lif, "sltt"}, {lif, "ottt"}, {psp, "tssl_bp"}, {cuba, "bptt"}};
  for (const char* spec : {"RB2-3", "4C3p1-RB4-RB6s2-3", "SEW2-3", "4C3p1-SEW4-D0.3-SEW6s2-3",
                           "4C3p1-AP2-RB4-AP2-3", "4C3p1-SEW4-MP2-RB4-5-3"}) {
    for (const auto& [neuron, rule] : methods) {
      for (const char* norm : {static_cast<const char*>(nullptr), "bn"}) {
        SCOPED_TRACE(str(spec, " ", neuron.dump(), " ", rule, " ", norm ? norm : ""));
        LearnerParts parts = learner_parts(joined(spec, neuron, norm), kSteps, "rate_ce");
        parts.method = {make<Rule>(rule)};
        compare(parts);
        if (rule == std::string("tssl_bp")) continue;  // its credit does not leave a segment
        parts.schedule = make<Schedule>("truncated", {{"window", 2}, {"update", "batch"}});
        compare(parts);
      }
    }
  }
}

TEST(JoinedTape, GivesTheBitsOfTheGraphForPenaltiesAndHeads) {
  const Config lif = {{"name", "lif"}, {"threshold", 0.5}};
  for (const char* penalty : {static_cast<const char*>(nullptr), "rate", "voltage"}) {
    for (const bool block_major : {true, false}) {
      SCOPED_TRACE(str(penalty ? penalty : "", " ", block_major));
      const auto network = joined("4C3p1-RB4-SEW4-3", lif, "bn");
      network->partition({1, 2});
      network->attach_head(0, {dense_layer(kClasses, leaky_readout())});
      draw_weights(*network);
      network->to(torch::kFloat);
      LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
      parts.block_major = block_major;
      if (penalty) {
        parts.regularizers = {make<Regularizer>(penalty)};
        const Learner learner(parts);  // graph_pass() knows no penalties
        const PassResult one = learner.pass(maps_batch(Batch::Form::frames), 0);
        EXPECT_TRUE(one.loss.defined());
        EXPECT_GT(take_gradients(*network)[0].second.abs().max().item<double>(), 0);
        continue;
      }
      compare(parts);
    }
  }
}

/// Three readers of one node, one of which reads it twice.
TEST(JoinedTape, AddsTheErrorsOfAllReaders) {
  const auto network = std::make_shared<Network>(Shape{5});
  const auto layer = [](int64_t features) { return dense_layer(features, make<Neuron>("lif")); };
  const int64_t stem = network->add(layer(6), true);
  const int64_t one = network->add(layer(6), {{stem}}, true);
  const int64_t sum = network->add(make<Stage>("sum"), {{one}, {stem}, {stem}}, false);
  Connection shortcut;
  network->add(
      std::make_shared<Layer>(std::vector<Connection>{linear(6), shortcut, linear(6)}, make<Neuron>("lif")),
      {{sum}, {stem}, {one}}, true);
  network->add(layer(kClasses), true);
  draw_weights(*network);
  network->to(torch::kFloat);
  const LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
  Batch data = frames_batch(kSteps, kBatch, 5, label_target(kBatch, kClasses));
  data.x = data.x.to(torch::kFloat);
  const Pass tape = pass_of(parts, data, true), graph = pass_of(parts, data, false);
  for (size_t k = 0; k < graph.gradients.size(); ++k) {
    const Tensor &got = tape.gradients[k].second, &wanted = graph.gradients[k].second;
    // Sums of three errors: in another order.
    EXPECT_LE((got - wanted).norm().item<double>(), 1e-6 * wanted.norm().item<double>())
        << graph.gradients[k].first;
    EXPECT_GT(wanted.norm().item<double>(), 0) << graph.gradients[k].first;
  }
}

/// Nothing is backpropagated into paths that do not learn.
TEST(JoinedTape, StopsWhereNothingLearns) {
  const auto network = joined("4C3p1-RB4-3", {{"name", "lif"}, {"threshold", 0.5}}, nullptr);
  const auto freeze = [&](const std::string& prefix) {
    for (auto& item : network->named_parameters())
      if (item.key().rfind(prefix, 0) == 0) item.value().requires_grad_(false);
  };
  compare(learner_parts(network, kSteps, "rate_ce"));
  freeze("0.");
  compare(learner_parts(network, kSteps, "rate_ce"));
  freeze("1_first.");
  compare(learner_parts(network, kSteps, "rate_ce"));
}

TEST(JoinedTape, EvaluationGivesTheBitsOfTraining) {
  for (const char* spec : {"4C3p1-RB4-RB6s2-3", "4C3p1-SEW4-SEW6s2-3"}) {
    const auto network = joined(spec, {{"name", "lif"}, {"threshold", 0.5}}, nullptr);
    const Signal x = Signal::dense(maps_batch(Batch::Form::frames).x);
    Carry carry = network->start();
    const Tensor trained = network->forward(x, train_context(), carry).values().detach();
    EXPECT_TRUE(torch::equal(evaluate(*network, x), trained)) << spec;
    EXPECT_GT(trained.sum().item<double>(), 0) << spec;
  }
}

/// A pass through three residual units of six layers.
double arrays_of_units(const char* unit, const char* norm, bool tape) {
  Config options = Config::object();
  if (norm) options["norm"] = {{"name", norm}};
  const auto network = make_spec(str(unit, "-", unit, "-", unit, "-", kClasses),
                                 make_context({{"name", "lif"}}, {8, 16, 16}, kClasses), options);
  return arrays_at_once(network, kSteps, kClasses, tape);
}

TEST(JoinedTape, KeepsFewerArraysThanTheGraph) {
  struct How {
    const char *unit, *norm;
    double most;  ///< of the graph's
  };
  for (const How& how : {How{"RB8", nullptr, 0.8}, {"RB8", "bn", 0.72}, {"SEW8", "bn", 0.65}}) {
    const double tape = arrays_of_units(how.unit, how.norm, true),
                 graph = arrays_of_units(how.unit, how.norm, false);
    EXPECT_LT(tape, how.most * graph)
        << how.unit << " " << (how.norm ? how.norm : "") << ": " << tape << " of " << graph;
  }
}

}  // namespace spiketrain::joined_tape_test
