// Multi-level firing beyond its defaults, in float64: against autograd through the steps, against lif, and in networks whose
// layers, pooling and shortcuts pass counts on.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/engine.h"
#include "tests/support/message.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::mlf_test {

Config mlf(int64_t levels) { return {{"name", "mlf"}, {"levels", levels}}; }

void expect_near(const Tensor& got, const Tensor& want, const char* what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const double scale = 1 + want.abs().max().item<double>();
  EXPECT_LE((got - want).abs().max().item<double>(), 1e-12 * scale) << what;
}

/// Maps [7,3,4,3,5] that lie map by map, pixel by pixel, or are one step seven times.
std::vector<Tensor> currents() {
  torch::manual_seed(5);
  const Tensor I = torch::randn({7, 3, 4, 3, 5}, torch::kDouble) * 1.5 + 0.8;
  return {I, I.movedim(2, 4).contiguous().movedim(4, 2), I.slice(0, 0, 1).expand({7, -1, -1, -1, -1})};
}

TEST(Mlf, AdjointEqualsAutogradOfTheSteps) {
  for (Config config : {mlf(1), mlf(2), mlf(5)}) {
    for (const char* surrogate : {"rect", "triangle", "sigmoid"}) {
      config["surrogate"] = surrogate;
      config["leak"] = 0.7;
      config["spacing"] = 0.6;
      config["threshold"] = 0.4;
      SCOPED_TRACE(config.dump());
      const auto neuron = make_neuron(config, {4, 3, 5});
      for (const Tensor& I : currents()) {
        const Tensor delta = torch::randn(I.sizes(), torch::kDouble);
        State before, after;
        for (int64_t k = 0; k < config["levels"].get<int64_t>(); ++k) {
          before.push_back(torch::randn({3, 4, 3, 5}, torch::kDouble));
          after.push_back(torch::randn({3, 4, 3, 5}, torch::kDouble));
        }
        const auto fused = run_all(*neuron, I, before, kU | kPsi),
                   looped = record_of(*neuron, I, before, kU | kPsi);
        by_steps(*neuron).Stepped::run(*looped, looped->all());
        EXPECT_TRUE(torch::equal(fused->s, looped->s));
        EXPECT_EQ(fused->s.max().item<int64_t>(), config["levels"].get<int64_t>());
        EXPECT_EQ(fused->total, fused->s.sum().item<int64_t>());
        expect_near(fused->u, looped->u, "u");
        expect_near(fused->psi, looped->psi, "psi");
        const Credit got = neuron->vjp(*fused, delta, after),
                     want = by_steps(*neuron).Stepped::vjp(*looped, delta, after);
        expect_near(got.g, want.g, "g");
        ASSERT_EQ(got.g_before.size(), want.g_before.size());
        for (size_t k = 0; k < got.g_before.size(); ++k)
          expect_near(got.g_before[k], want.g_before[k], "g_before");
      }
    }
  }
}

TEST(Mlf, OneLevelIsLif) {
  const auto one = make_neuron(mlf(1), {4, 3, 5}), lif = make_neuron({{"name", "lif"},
                                                                      {"leak", 0.25},
                                                                      {"threshold", 0.6},
                                                                      {"reset", "hard"},
                                                                      {"strict", true},
                                                                      {"surrogate", "rect"}},
                                                                     {4, 3, 5});
  for (const Tensor& I : currents()) {
    const Tensor delta = torch::randn(I.sizes(), torch::kDouble);
    const auto a = run_all(*one, I, {}, kU | kPsi), b = run_all(*lif, I, {}, kU | kPsi);
    EXPECT_TRUE(torch::equal(a->s, b->s) && torch::equal(a->u, b->u) && torch::equal(a->psi, b->psi));
    EXPECT_TRUE(torch::equal(one->vjp(*a, delta, {}).g, lif->vjp(*b, delta, {}).g));
    EXPECT_TRUE(torch::equal(a->state[0], b->state[0]));
  }
}

/// Levels reset by themselves: while the first fires, the third gathers until it fires too.
TEST(Mlf, EachLevelKeepsItsOwnCharge) {
  const auto neuron = make_neuron({{"name", "mlf"}, {"leak", 1}}, {1});
  const Tensor I = torch::full({4, 1, 1}, 1.0, torch::kDouble);
  const auto record = run_all(*neuron, I);
  // u_1 = 1 1 1 1; u_2 = 1 2 1 2; u_3 = 1 2 3 1
  EXPECT_TRUE(torch::equal(record->s.flatten(), torch::tensor({1, 2, 2, 2}).to(torch::kUInt8)));
}

/// At a threshold nothing fires, and at the border of two windows both are shut: all are strict.
TEST(Mlf, BordersAreStrict) {
  const auto neuron = make_neuron({{"name", "mlf"}, {"threshold", 0.5}, {"leak", 0.5}}, {4});
  const Tensor I = torch::tensor({0.5, 1.0, 1.5, 2.0}, torch::kDouble).view({1, 1, 4});
  const auto record = run_all(*neuron, I, {}, kPsi);
  EXPECT_TRUE(torch::equal(record->s.flatten(), torch::tensor({0, 1, 1, 2}).to(torch::kUInt8)));
  EXPECT_TRUE(torch::equal(record->psi.flatten(), torch::tensor({1.0, 0.0, 1.0, 0.0}, torch::kDouble)));
}

/// Gradients of a learner, kernels and tape included, against autograd through the steps of every neuron.
void compare(const std::string& spec, const std::function<Tensor(const Network&, const Tensor&)>& reference) {
  SCOPED_TRACE(spec);
  const Shape in = {2, 8, 8};
  NetworkContext context = make_context(mlf(3), in, 3);
  context.readout = leaky_readout;
  const auto network = make_spec(spec, context);
  exact_weights(*network, 9);
  network->to(torch::kDouble);
  {
    const torch::NoGradGuard no_grad;  // counts are larger than spikes: windows shall stay open
    for (const Tensor& p : network->parameters()) p.mul_(p.dim() == 2 ? 0.125 : 0.5);
  }
  LearnerParts parts = learner_parts(network, 5, "rate_ce");
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = 2 * binary_input(5, 3, in, 9).to(torch::kDouble);
  batch.target = label_target(3, 3);
  Tally tally;
  const Learner learner(parts);
  learner.infer(batch, &tally);
  EXPECT_GT(tally.counts()[0].rate(), 0.5);  // counts, not spikes
  const PassResult pass = learner.pass(batch, 0);
  std::vector<Tensor> got;
  for (const Tensor& p : network->parameters()) got.push_back(p.grad().clone());
  network->zero_grad();
  const Tensor loss = torch::cross_entropy_loss(reference(*network, batch.x).mean(0), batch.target.y);
  loss.backward();
  EXPECT_NEAR(pass.loss.item<double>(), loss.item<double>(), 1e-12);
  for (size_t k = 0; k < got.size(); ++k) {
    EXPECT_GT(network->parameters()[k].grad().abs().max().item<double>(), 0) << k;
    expect_near(got[k], network->parameters()[k].grad(), "parameter");
  }
}

Tensor weight(const Layer& layer) { return layer.connections()[0].synapse->weight(); }

TEST(Mlf, CountsTravelThroughAChain) {
  compare("4C3p1-AP2-8-3", [](const Network& network, const Tensor& x) {
    const Layer &conv = layer_of(network, "0"), &hidden = layer_of(network, "2"),
                &out = layer_of(network, "3");
    Cell first(conv), second(hidden), output(out);
    std::vector<Tensor> steps;
    for (int64_t t = 0; t < x.size(0); ++t) {
      const Tensor a = torch::avg_pool2d(first(torch::conv2d(x[t], weight(conv), {}, 1, 1)), 2);
      steps.push_back(output(second(a.flatten(1).mm(weight(hidden).t())).mm(weight(out).t())));
    }
    return torch::stack(steps);
  });
}

TEST(Mlf, CountsTravelThroughAUnit) {
  compare("4C3p1-SEW4-GAP-3", [](const Network& network, const Tensor& x) {
    const Layer &conv = layer_of(network, "0"), &one = layer_of(network, "1_first"),
                &two = layer_of(network, "1_second"), &out = layer_of(network, "3");
    Cell stem(conv), first(one), second(two), output(out);
    std::vector<Tensor> steps;
    for (int64_t t = 0; t < x.size(0); ++t) {
      const Tensor a = stem(torch::conv2d(x[t], weight(conv), {}, 1, 1));
      const Tensor b = first(torch::conv2d(a, weight(one), {}, 1, 1));
      const Tensor c = second(torch::conv2d(b, weight(two), {}, 1, 1)) + a;
      EXPECT_GT(c.max().item<double>(), 3);  // more than one layer sends
      steps.push_back(output(c.mean({2, 3}).mm(weight(out).t())));
    }
    return torch::stack(steps);
  });
}

TEST(Mlf, RefusesWhatMakesNoSense) {
  for (const char* surrogate : {"threshold_triangle", "single_exponential", "inverse_membrane"}) {
    EXPECT_NE(message_of<UsageError>([&] {
                make<Neuron>({{"name", "mlf"}, {"surrogate", surrogate}});
              }).find("has a width in units of the threshold, of which there are several"),
              std::string::npos);
  }
  EXPECT_THROW(make<Neuron>({{"name", "mlf"}, {"levels", 0}}), UsageError);
  EXPECT_THROW(make<Neuron>({{"name", "mlf"}, {"levels", 65}}), UsageError);
  EXPECT_THROW(make<Neuron>({{"name", "mlf"}, {"spacing", 0}}), UsageError);
  EXPECT_THROW(make<Neuron>("mlf")->initial({1, 1}, torch::kFloat), UsageError);
  const auto neuron = make_neuron(mlf(3));
  EXPECT_FALSE(compatible(*make<Rule>("tssl_bp"), *neuron));
  EXPECT_FALSE(compatible(*make<Rule>("ottt"), *neuron));  // a hard reset: no leak that all share
  EXPECT_TRUE(compatible(*make<Rule>("sltt"), *neuron));
}

}  // namespace spiketrain::mlf_test
