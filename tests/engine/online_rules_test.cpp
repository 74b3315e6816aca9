// Rules whose credit stays at its step (sltt, ottt, s_tllr), and the trace over cuts (bptt_trace): where theory says that
// two of them are equal, or that the segments do not matter, they are, in float64; where it says that they differ, they do.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::online_rules_test {

constexpr int64_t kSteps = 9, kBatch = 4, kIn = 5, kClasses = 3;

std::vector<Tensor> gradients(const std::shared_ptr<Network>& net, const RuleP& rule, const Batch& batch,
                              std::shared_ptr<const Schedule> schedule = {}) {
  return spiketrain::gradients(net, rule, batch, kSteps, std::move(schedule));
}

Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }
Batch image() { return image_batch(kBatch, kIn, label_target(kBatch, kClasses)); }

/// Spiking layers of these widths, and a readout with this leak.
std::shared_ptr<Network> network(const Config& neuron, const std::vector<int64_t>& widths,
                                 double readout_leak) {
  auto net = std::make_shared<Network>(Shape{kIn});
  for (const int64_t width : widths) net->add(dense_layer(width, make<Neuron>(neuron)), true);
  net->add(dense_layer(kClasses, make<Neuron>("leaky_readout", {{"leak", readout_leak}})), true);
  draw_weights(*net);
  return net;
}

std::shared_ptr<Network> recurrent_network() {
  auto net = std::make_shared<Network>(Shape{kIn});
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(6), linear(6)}, lif()),
           {{Network::kInput}, {0, 1}}, true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  return net;
}

Config lif_with(const Config& options = Config::object()) {
  Config neuron = {{"name", "lif"}, {"leak", kNetLeak}};
  neuron.update(options);
  return neuron;
}

/// Segments that end at these steps, one update at the end.
std::shared_ptr<const Schedule> cuts(const std::vector<int64_t>& ends) {
  Plan plan;
  int64_t t = 0;
  for (const int64_t end : ends) {
    plan.push_back({t, end, Role::live, end == kSteps});
    t = end;
  }
  return std::make_shared<FixedPlan>(plan);
}

std::vector<std::shared_ptr<const Schedule>> segmentations() {
  std::vector<std::shared_ptr<const Schedule>> list;
  for (const int64_t window : {1, 2, 3, 5, 8, 9})
    list.push_back(make<Schedule>("truncated", {{"window", window}}));
  list.push_back(cuts({1, 4, 5, 9}));
  list.push_back(cuts({2, 3, 7, 8, 9}));
  list.push_back(cuts({6, 9}));
  return list;
}

std::vector<Config> neurons_without_reset_gradient() {
  std::vector<Config> list = {lif_with({{"reset", "none"}}),
                              {{"name", "if"}, {"detach_reset", true}},
                              lif_with({{"reset_delay", true}}),
                              lif_with({{"detach_reset", true}, {"decay_input", true}, {"gain", 2}})};
  for (const char* reset : {"soft_decayed", "soft"})
    list.push_back(lif_with({{"reset", reset}, {"detach_reset", true}}));
  return list;
}

/// With OTTT, and with BPTT and a trace over the cuts; without the trace the cuts cost something.
TEST(OnlineRules, ATraceIsExactForOneLayerWithoutResetGradientWhateverTheCuts) {
  for (const Config& neuron : neurons_without_reset_gradient()) {
    for (const Batch& batch : {frames(), image()}) {
      SCOPED_TRACE(neuron.dump());
      const auto net = network(neuron, {6}, 0);
      const auto exact = gradients(net, bptt(), batch);
      for (const auto& schedule : segmentations())
        for (const char* rule : {"ottt", "bptt_trace"})
          EXPECT_LE(distance(gradients(net, make<Rule>(rule), batch, schedule), exact), 1e-12) << rule;
      EXPECT_GT(distance(gradients(net, bptt(), batch, cuts({4, 9})), exact), 1e-2);
    }
  }
}

TEST(OnlineRules, TheTraceIsNotExactUnderAResetThatCounts) {
  for (const Config& neuron : {lif_with({{"reset", "hard"}, {"detach_reset", true}}), lif_with()}) {
    SCOPED_TRACE(neuron.dump());
    const auto net = network(neuron, {6}, 0);
    const auto exact = gradients(net, bptt(), frames());
    EXPECT_GT(distance(gradients(net, make<Rule>("ottt", {{"trace_leak", kNetLeak}}), frames()), exact),
              1e-2);
  }
}

TEST(OnlineRules, SlttIsExactWhereNothingIsRemembered) {
  const auto net = network(lif_with({{"leak", 0}, {"detach_reset", true}}), {6, 5}, 0);
  for (const Batch& batch : {frames(), image()}) {
    const auto exact = gradients(net, bptt(), batch);
    for (const char* rule : {"sltt", "ottt"})
      EXPECT_LE(distance(gradients(net, make<Rule>(rule), batch), exact), 1e-12) << rule;
  }
  const auto leaky = network(lif_with({{"detach_reset", true}}), {6, 5}, kNetLeak);
  EXPECT_GT(distance(gradients(leaky, make<Rule>("sltt"), frames()), gradients(leaky, bptt(), frames())),
            1e-2);

  LearnerParts parts = learner_parts(leaky, 1);
  const Batch one_step = one_sample(frames(), 1, 1);
  Learner(parts).pass(one_step, 0);
  std::vector<Tensor> exact;
  for (auto& item : take_gradients(*leaky)) exact.push_back(item.second);
  parts.method = {make<Rule>("sltt")};
  Learner(parts).pass(one_step, 0);
  expect_gradients(*leaky, exact);
}

TEST(OnlineRules, SegmentsDoNotMatter) {
  for (const char* rule : {"sltt", "ottt", "s_tllr"}) {
    for (const Batch& batch : {frames(), image()}) {
      for (const bool recurrent : {false, true}) {
        SCOPED_TRACE(str(rule, recurrent ? ", recurrent" : ""));
        const auto net = recurrent ? recurrent_network() : network(lif_with(), {6, 5}, kNetLeak);
        const auto whole = gradients(net, make<Rule>(rule), batch);
        auto schedules = segmentations();
        schedules.push_back(make<Schedule>("checkpointed", {{"segment", 2}}));
        for (const auto& schedule : schedules)
          EXPECT_LE(distance(gradients(net, make<Rule>(rule), batch, schedule), whole), 1e-12);
      }
    }
  }
}

TEST(OnlineRules, STllrIsOtttWithoutItsNonCausalTerm) {
  const auto net = network(lif_with(), {6, 5}, kNetLeak);
  const RuleP causal = make<Rule>("s_tllr", {{"alpha_post", 0}, {"lambda_pre", kNetLeak}});
  const RuleP both = make<Rule>("s_tllr", {{"lambda_pre", kNetLeak}});
  for (const Batch& batch : {frames(), image()}) {
    const auto ottt = gradients(net, make<Rule>("ottt"), batch);
    EXPECT_LE(distance(gradients(net, causal, batch), ottt), 1e-12);
    EXPECT_GT(distance(gradients(net, both, batch), ottt), 1e-2);
  }
}

/// The two conventions differ by the factor lambda_post on the non-causal term.
TEST(OnlineRules, LambdaPostOfPaperAndCode) {
  const auto net = network(lif_with(), {6, 5}, kNetLeak);
  const auto rule = [](double alpha_post, const char* form) {
    return make<Rule>("s_tllr", {{"alpha_post", alpha_post}, {"lambda_post", 0.25}, {"post_trace", form}});
  };
  const auto paper = gradients(net, rule(-1, "paper"), frames());
  EXPECT_LE(distance(gradients(net, rule(-0.25, "released_code"), frames()), paper), 1e-12);
  EXPECT_GT(distance(gradients(net, rule(-1, "released_code"), frames()), paper), 1e-2);
}

TEST(OnlineRules, TruncatedWithTraceMissesTheGradientOfResets) {
  const auto net = network(lif_with(), {6}, 0);  // with gradient through the reset
  EXPECT_GT(distance(gradients(net, make<Rule>("bptt_trace"), frames(), cuts({4, 9})),
                     gradients(net, bptt(), frames())),
            1e-3);
}

TEST(OnlineRules, WhatTheSummedLossIsDividedBy) {
  const auto net = network(lif_with(), {6, 5}, kNetLeak);
  const auto schedule = [](const char* name, const char* divide_by) {
    return make<Schedule>(name, {{"live", 3}, {"divide_by", divide_by}});
  };
  for (const char* name : {"random_steps", "last_steps"}) {
    const auto mean = gradients(net, make<Rule>("ottt"), frames(), schedule(name, "scored"));
    for (const auto& [divide_by, factor] : {std::pair{"steps", 3.0 / kSteps}, std::pair{"one", 3.0}}) {
      auto got = gradients(net, make<Rule>("ottt"), frames(), schedule(name, divide_by));
      for (Tensor& g : got) g.div_(factor);
      EXPECT_LE(distance(got, mean), 1e-12) << name << ' ' << divide_by;
    }
  }
}

std::string refusal(const std::shared_ptr<Network>& net, const RuleP& rule, const char* schedule = "whole") {
  LearnerParts parts = learner_parts(net, kSteps);
  parts.method = {rule};
  parts.schedule = make<Schedule>(schedule);
  return message_of<UsageError>([&] { const Learner learner(parts); });
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(OnlineRules, WhatIsRefused) {
  const std::string hard = refusal(network(lif_with({{"reset", "hard"}}), {6}, 0), make<Rule>("ottt"));
  EXPECT_TRUE(has(hard, "a leak that is one number and that no spike changes")) << hard;
  EXPECT_TRUE(has(hard, "neuron 'lif' does not provide with these options; neurons that do: if")) << hard;
  EXPECT_TRUE(has(hard, "trace_leak")) << hard;
  const std::string current = refusal(network({{"name", "cuba_lif"}}, {6}, 0), make<Rule>("ottt"));
  EXPECT_FALSE(has(current, "with these options")) << current;
  EXPECT_TRUE(
      has(refusal(network(lif_with({{"per", "neuron"}}), {6}, 0), make<Rule>("bptt_trace")), "one number"));
  for (const char* rule : {"sltt", "ottt", "s_tllr"}) {
    const std::string learns = refusal(network(lif_with({{"learn_leak", true}}), {6}, 0), make<Rule>(rule));
    EXPECT_TRUE(has(learns, "neuron 'lif' with these options learns w; use rule bptt")) << learns;
  }
  EXPECT_TRUE(has(refusal(recurrent_network(), make<Rule>("bptt_trace")), "recurrent connection"));
  EXPECT_TRUE(has(refusal(network(lif_with(), {6}, 0), make<Rule>("bptt_trace"), "checkpointed"),
                  "backpropagates nothing to the segment before"));
  const auto normed = std::make_shared<Network>(Shape{kIn});
  Connection c = linear(6);
  c.norm = make<Norm>("bn");
  normed->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), true);
  const std::string norm = refusal(normed, make<Rule>("s_tllr"));
  EXPECT_TRUE(has(norm, "weight_standardisation")) << norm;
  EXPECT_TRUE(has(norm, "sltt")) << norm;
  LearnerParts parts = learner_parts(normed, kSteps);
  parts.method = {make<Rule>("s_tllr", {{"alpha_post", 0}})};
  const Learner accepted(parts);
  EXPECT_TRUE(has(message_of<UsageError>([] {
                    make<Rule>("ottt", {{"trace_leak", -0.5}});
                  }),
                  "between 0 and 1"));
}

}  // namespace spiketrain::online_rules_test
