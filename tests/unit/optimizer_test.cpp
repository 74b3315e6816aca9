// Optimisers: state out and in, learning rates, clipping and clamping.
#include "spiketrain/train/optimizer.h"

#include <gtest/gtest.h>

#include "tests/support/tiny.h"

namespace spiketrain {
namespace {

NamedTensors make_parameters() {
  torch::manual_seed(1);
  NamedTensors list = {{"0.weight", torch::randn({3, 4})},
                       {"1.weight", torch::randn({2, 3})},
                       {"never_used", torch::randn({5})}};
  for (auto& item : list) item.second.set_requires_grad(true);
  return list;
}

/// Deterministic gradients for step i; the last parameter never gets one.
void set_gradients(const NamedTensors& parameters, int i) {
  for (size_t p = 0; p + 1 < parameters.size(); ++p) {
    Tensor parameter = parameters[p].second;
    parameter.mutable_grad() = torch::sin(parameter.detach() * (i + 1.0));
  }
}

struct OptimizerCase {
  const char* label;
  OptimizerOptions options;
};

std::vector<OptimizerCase> cases() {
  OptimizerOptions sgd, momentum, nesterov, adam, adamw;
  sgd.name = momentum.name = nesterov.name = "sgd";
  momentum.momentum = nesterov.momentum = 0.9;
  nesterov.nesterov = true;
  adam.name = "adam";
  adam.weight_decay = 0.1;
  adamw.name = "adamw";
  adamw.weight_decay = 0.01;
  return {{"sgd", sgd}, {"momentum", momentum}, {"nesterov", nesterov}, {"adam", adam}, {"adamw", adamw}};
}

TEST(Optimizer, RestoredStateContinuesTheSame) {
  for (const OptimizerCase& c : cases()) {
    SCOPED_TRACE(c.label);
    const NamedTensors through = make_parameters(), first = make_parameters();
    Optimizer a(c.options, through), b(c.options, first);
    for (int i = 0; i < 6; ++i) {
      set_gradients(through, i);
      a.step(0.1 / (i + 1));
    }
    for (int i = 0; i < 3; ++i) {
      set_gradients(first, i);
      b.step(0.1 / (i + 1));
    }
    const NamedTensors second = copy_of(first);
    for (const auto& [name, tensor] : second) Tensor(tensor).set_requires_grad(true);
    Optimizer resumed(c.options, second);
    resumed.load(b.state());
    EXPECT_TRUE(same_tensors(b.state(), resumed.state()));
    for (int i = 3; i < 6; ++i) {
      set_gradients(second, i);
      resumed.step(0.1 / (i + 1));
    }
    EXPECT_TRUE(same_tensors(copy_of(through), copy_of(second)));
    EXPECT_TRUE(same_tensors(a.state(), resumed.state()));
    const bool keeps_state = c.options.name != "sgd" || c.options.momentum > 0;
    EXPECT_EQ(a.state().empty(), !keeps_state);
  }
}

TEST(Optimizer, LoadSaysWhatDoesNotFit) {
  OptimizerOptions adam;
  adam.name = "adam";
  const NamedTensors parameters = make_parameters();
  Optimizer optimizer(adam, parameters);
  set_gradients(parameters, 0);
  optimizer.step(0.1);
  const NamedTensors good = copy_of(optimizer.state());
  const auto expect_error = [&](NamedTensors state, const std::string& part) {
    const std::string message = message_of<UsageError>([&] { optimizer.load(state); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  NamedTensors bad = good;
  bad[1].second = torch::zeros({4, 3});
  expect_error(bad, "0.weight.exp_avg: expected");
  bad = good;
  bad[1].second = bad[1].second.to(torch::kDouble);
  expect_error(bad, "0.weight.exp_avg: expected");
  bad = good;
  bad.erase(bad.begin());
  expect_error(bad, "0.weight.step is missing");
  bad = good;
  bad.emplace_back("other.step", bad[0].second);
  expect_error(bad, "no parameter is called 'other'");
  bad = good;
  bad[0].first = "0.weight.momentum_buffer";
  expect_error(bad, "momentum_buffer");
  EXPECT_TRUE(same_tensors(good, optimizer.state())) << "a refused state must leave the old one";
}

TEST(Optimizer, AdamWDecaysAsPublished) {
  OptimizerOptions options;
  options.weight_decay = 0.5;
  const Tensor w = torch::full({1}, 2.0, torch::kDouble).set_requires_grad(true);
  Optimizer optimizer(options, {{"w", w}});
  Tensor(w).mutable_grad() = torch::full({1}, 3.0, torch::kDouble);
  optimizer.step(0.1);
  // w*(1 - lr*decay) - lr * m/(sqrt(v) + eps), with m = v^(1/2) = 3 after bias correction
  EXPECT_NEAR(w.item<double>(), 2.0 * 0.95 - 0.1 * 3.0 / (3.0 + 1e-8), 1e-12);
}

TEST(Optimizer, LearningRates) {
  LrOptions lr;
  EXPECT_EQ(learning_rate(lr, 0.5, 123, 10, 20), 0.5);
  lr.warmup_epochs = 0.5;  // 5 iterations
  EXPECT_DOUBLE_EQ(learning_rate(lr, 0.5, 0, 10, 20), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(lr, 0.5, 3, 10, 20), 0.4);
  EXPECT_DOUBLE_EQ(learning_rate(lr, 0.5, 4, 10, 20), 0.5);
  lr = {};
  lr.name = "step";
  lr.step_epochs = 2;
  EXPECT_DOUBLE_EQ(learning_rate(lr, 1, 19, 10, 20), 1);
  EXPECT_DOUBLE_EQ(learning_rate(lr, 1, 20, 10, 20), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(lr, 1, 45, 10, 20), 0.01);
  lr = {};
  lr.name = "cosine";
  lr.min = 0.2;
  EXPECT_DOUBLE_EQ(learning_rate(lr, 1, 0, 10, 20), 1);
  EXPECT_DOUBLE_EQ(learning_rate(lr, 1, 100, 10, 20), 0.6);
  EXPECT_NEAR(learning_rate(lr, 1, 200, 10, 20), 0.2, 1e-15);
}

TEST(Optimizer, ClipsTheGlobalNorm) {
  NamedTensors parameters = make_parameters();
  Tensor(parameters[0].second).mutable_grad() = torch::full({3, 4}, 1.0f);
  Tensor(parameters[1].second).mutable_grad() = torch::full({2, 3}, -1.0f);
  const double norm = grad_norm(parameters).item<double>();
  EXPECT_DOUBLE_EQ(norm, std::sqrt(18.0));
  clip_grads(parameters, norm, 100);
  EXPECT_EQ(parameters[0].second.grad()[0][0].item<float>(), 1.0f);
  clip_grads(parameters, norm, 1);
  EXPECT_FLOAT_EQ(parameters[1].second.grad()[0][0].item<float>(), static_cast<float>(-1 / (norm + 1e-6)));
  Tensor(parameters[1].second).mutable_grad()[0][0] = std::nanf("");
  EXPECT_TRUE(std::isnan(grad_norm(parameters).item<double>()));
}

TEST(Optimizer, ClampsWeights) {
  const Tensor weight = torch::tensor({-5.0f, 0.5f, 9.0f}).set_requires_grad(true);
  clamp_weights({weight}, 4);
  EXPECT_TRUE(torch::equal(weight, torch::tensor({-4.0f, 0.5f, 4.0f})));
}

TEST(Optimizer, RefusesContradictions) {
  OptimizerOptions options;
  options.momentum = 0.9;
  EXPECT_THROW(options.check(), UsageError);
  options.name = "sgd";
  EXPECT_NO_THROW(options.check());
  options.momentum = 0;
  options.nesterov = true;
  EXPECT_THROW(options.check(), UsageError);
  options.nesterov = false;
  options.eps = 1e-6;
  EXPECT_THROW(options.check(), UsageError);
  EXPECT_THROW(Optimizer(OptimizerOptions(), {}), UsageError);
  LrOptions lr;
  lr.gamma = 0.5;
  EXPECT_THROW(lr.check(), UsageError);
  lr.name = "step";
  EXPECT_NO_THROW(lr.check());
  lr.min = 1e-5;
  EXPECT_THROW(lr.check(), UsageError);
  lr = {};
  lr.name = "cosine";
  lr.min = 1e-5;
  EXPECT_NO_THROW(lr.check());
}

}  // namespace
}  // namespace spiketrain
