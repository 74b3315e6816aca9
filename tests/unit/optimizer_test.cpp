// Optimizers: state out and in, learning rates, clipping and clamping.
#include "spiketrain/core/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/engine/gradients.h"
#include "tests/support/tiny.h"

namespace spiketrain::optimizer_test {

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
  Config config;
  int64_t words;  ///< of state per weight
};

std::vector<OptimizerCase> cases() {
  return {{"sgd", {{"name", "sgd"}}, 0},
          {"momentum", {{"name", "sgd"}, {"momentum", 0.9}}, 1},
          {"nesterov", {{"name", "sgd"}, {"momentum", 0.9}, {"nesterov", true}}, 1},
          {"adam", {{"name", "adam"}, {"weight_decay", 0.1}}, 2},
          {"adamw", {{"name", "adamw"}, {"weight_decay", 0.01}}, 2}};
}

std::shared_ptr<Optimizer> attached(const Config& config, const NamedTensors& parameters) {
  auto optimizer = make<Optimizer>(config);
  optimizer->attach(parameters);
  return optimizer;
}

TEST(Optimizer, RestoredStateContinuesTheSame) {
  for (const OptimizerCase& c : cases()) {
    SCOPED_TRACE(c.label);
    const NamedTensors through = make_parameters(), first = make_parameters();
    const auto a = attached(c.config, through), b = attached(c.config, first);
    for (int i = 0; i < 6; ++i) {
      set_gradients(through, i);
      a->step(0.1 / (i + 1));
    }
    for (int i = 0; i < 3; ++i) {
      set_gradients(first, i);
      b->step(0.1 / (i + 1));
    }
    const NamedTensors second = copy_of(first);
    for (const auto& [name, tensor] : second) Tensor(tensor).set_requires_grad(true);
    const auto resumed = attached(c.config, second);
    resumed->load(b->state());
    EXPECT_TRUE(same_tensors(b->state(), resumed->state()));
    for (int i = 3; i < 6; ++i) {
      set_gradients(second, i);
      resumed->step(0.1 / (i + 1));
    }
    EXPECT_TRUE(same_tensors(copy_of(through), copy_of(second)));
    EXPECT_TRUE(same_tensors(a->state(), resumed->state()));
    EXPECT_EQ(a->state_words(), c.words);
    EXPECT_EQ(a->state().empty(), c.words == 0);
  }
}

TEST(Optimizer, StateKeepsItsNames) {
  const NamedTensors parameters = make_parameters();
  const auto names = [&](const Config& config) {
    const auto optimizer = attached(config, parameters);
    EXPECT_TRUE(optimizer->state().empty()) << "before the first step";
    set_gradients(parameters, 0);
    optimizer->step(0.1);
    std::vector<std::string> list;
    for (const auto& item : optimizer->state()) list.push_back(item.first);
    return list;
  };
  const std::vector<std::string> adam = {"0.weight.step", "0.weight.exp_avg", "0.weight.exp_avg_sq",
                                         "1.weight.step", "1.weight.exp_avg", "1.weight.exp_avg_sq"};
  EXPECT_EQ(names({{"name", "adam"}}), adam);
  EXPECT_EQ(names({{"name", "adamw"}}), adam);
  EXPECT_EQ(names({{"name", "sgd"}, {"momentum", 0.5}}),
            (std::vector<std::string>{"0.weight.momentum_buffer", "1.weight.momentum_buffer"}));
}

TEST(Optimizer, LoadSaysWhatDoesNotFit) {
  const NamedTensors parameters = make_parameters();
  const auto optimizer = attached({{"name", "adam"}}, parameters);
  set_gradients(parameters, 0);
  optimizer->step(0.1);
  const NamedTensors good = copy_of(optimizer->state());
  const auto expect_error = [&](const NamedTensors& state, const std::string& part) {
    const std::string message = message_of<UsageError>([&] { optimizer->load(state); });
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
  bad[0].second = torch::zeros({2}, torch::kInt64);
  expect_error(bad, "0.weight.step: expected one int64");
  bad = good;
  bad.emplace_back("other.step", bad[0].second);
  expect_error(bad, "no parameter is called 'other'");
  bad = good;
  bad[0].first = "0.weight.momentum_buffer";
  expect_error(bad, "momentum_buffer");
  EXPECT_TRUE(same_tensors(good, optimizer->state())) << "a refused state must leave the old one";
}

TEST(Optimizer, LoadedStateIsACopy) {
  const NamedTensors parameters = make_parameters();
  const auto optimizer = attached({{"name", "adam"}}, parameters);
  set_gradients(parameters, 0);
  optimizer->step(0.1);
  const NamedTensors kept = copy_of(optimizer->state());
  const NamedTensors given = copy_of(kept);
  optimizer->load(given);
  for (const auto& item : given) Tensor(item.second).zero_();
  EXPECT_TRUE(same_tensors(kept, optimizer->state()));
}

TEST(Optimizer, AdamWDecaysAsPublished) {
  const Tensor w = torch::full({1}, 2.0, torch::kDouble).set_requires_grad(true);
  const auto optimizer = attached({{"name", "adamw"}, {"weight_decay", 0.5}}, {{"w", w}});
  Tensor(w).mutable_grad() = torch::full({1}, 3.0, torch::kDouble);
  optimizer->step(0.1);
  // w*(1 - lr*decay) - lr * m/(sqrt(v) + eps), with m = v^(1/2) = 3 after bias correction
  EXPECT_NEAR(w.item<double>(), 2.0 * 0.95 - 0.1 * 3.0 / (3.0 + 1e-8), 1e-12);
}

TEST(Optimizer, SgdFollowsItsEquation) {
  const Tensor w = torch::full({1}, 2.0, torch::kDouble).set_requires_grad(true);
  const auto optimizer =
      attached({{"name", "sgd"}, {"momentum", 0.5}, {"nesterov", true}, {"weight_decay", 0.25}}, {{"w", w}});
  double expected = 2, m = 0;
  for (int i = 0; i < 3; ++i) {
    Tensor(w).mutable_grad() = torch::full({1}, 3.0, torch::kDouble);
    optimizer->step(0.1);
    const double g = 3 + 0.25 * expected;
    m = i == 0 ? g : 0.5 * m + g;
    expected -= 0.1 * (g + 0.5 * m);
    EXPECT_NEAR(w.item<double>(), expected, 1e-12);
  }
}

TEST(Optimizer, LearningRates) {
  const auto constant = make<LearningRate>("constant");
  EXPECT_EQ(constant->at(0.5, 123, 10, 20), 0.5);
  const auto warm = make<LearningRate>("constant", {{"warmup_epochs", 0.5}});  // 5 iterations
  EXPECT_DOUBLE_EQ(warm->at(0.5, 0, 10, 20), 0.1);
  EXPECT_DOUBLE_EQ(warm->at(0.5, 3, 10, 20), 0.4);
  EXPECT_DOUBLE_EQ(warm->at(0.5, 4, 10, 20), 0.5);
  const auto step = make<LearningRate>("step", {{"step_epochs", 2}});
  EXPECT_DOUBLE_EQ(step->at(1, 19, 10, 20), 1);
  EXPECT_DOUBLE_EQ(step->at(1, 20, 10, 20), 0.1);
  EXPECT_DOUBLE_EQ(step->at(1, 45, 10, 20), 0.01);
  const auto cosine = make<LearningRate>("cosine", {{"min", 0.2}});
  EXPECT_DOUBLE_EQ(cosine->at(1, 0, 10, 20), 1);
  EXPECT_DOUBLE_EQ(cosine->at(1, 100, 10, 20), 0.6);
  EXPECT_NEAR(cosine->at(1, 200, 10, 20), 0.2, 1e-15);
  EXPECT_NEAR(cosine->at(1, 300, 10, 20), 0.2, 1e-15) << "it stays there";
  const auto warm_cosine = make<LearningRate>("cosine", {{"warmup_epochs", 10.0}});
  EXPECT_DOUBLE_EQ(warm_cosine->at(1, 49, 10, 20), 0.5);
  EXPECT_DOUBLE_EQ(warm_cosine->at(1, 100, 10, 20), 1);
  EXPECT_DOUBLE_EQ(warm_cosine->at(1, 150, 10, 20), 0.5);
  // Only a course that reads the number of epochs binds a resumed run to it.
  EXPECT_FALSE(constant->reads_epochs());
  EXPECT_FALSE(step->reads_epochs());
  EXPECT_TRUE(cosine->reads_epochs());
}

TEST(Optimizer, ClipsTheGlobalNorm) {
  NamedTensors parameters = make_parameters();
  Tensor(parameters[0].second).mutable_grad() = torch::full({3, 4}, 1.0f);
  Tensor(parameters[1].second).mutable_grad() = torch::full({2, 3}, -1.0f);
  const double norm = grad_norm(parameters).item<double>();
  EXPECT_DOUBLE_EQ(norm, std::sqrt(18.0));
  std::vector<Tensor> squares;
  EXPECT_EQ(grad_norm(parameters, &squares).item<double>(), norm) << "the same bits";
  ASSERT_EQ(squares.size(), 3U);
  EXPECT_EQ(squares[0].item<double>(), 12);
  EXPECT_EQ(squares[1].item<double>(), 6);
  EXPECT_EQ(squares[2].item<double>(), 0);
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

TEST(Optimizer, HasOnlyTheOptionsOfItsMethod) {
  for (const char* adam : {"adam", "adamw"}) {
    EXPECT_THROW(make<Optimizer>(adam, {{"momentum", 0.9}}), UsageError);
    EXPECT_THROW(make<Optimizer>(adam, {{"nesterov", true}}), UsageError);
    EXPECT_NO_THROW(make<Optimizer>(adam, {{"beta1", 0.8}}));
  }
  EXPECT_NO_THROW(make<Optimizer>("sgd", {{"momentum", 0.9}, {"nesterov", true}}));
  EXPECT_THROW(make<Optimizer>("sgd", {{"nesterov", true}}), UsageError) << "it needs momentum";
  for (const char* option : {"beta1", "beta2", "eps"})
    EXPECT_THROW(make<Optimizer>("sgd", {{option, 1e-6}}), UsageError) << option;
  EXPECT_THROW(make<LearningRate>("constant", {{"gamma", 0.5}}), UsageError);
  EXPECT_NO_THROW(make<LearningRate>("step", {{"gamma", 0.5}}));
  EXPECT_THROW(make<LearningRate>("step", {{"min", 1e-5}}), UsageError);
  EXPECT_NO_THROW(make<LearningRate>("cosine", {{"min", 1e-5}}));
}

TEST(Optimizer, IsAttachedOnceBeforeItSteps) {
  const auto optimizer = make<Optimizer>("adamw", {{"lr", 0.25}});
  EXPECT_EQ(optimizer->base_rate(), 0.25);
  EXPECT_THROW(optimizer->attach({}), UsageError);
  EXPECT_THROW(optimizer->step(0.1), UsageError);
  EXPECT_THROW(optimizer->load({}), UsageError);
  EXPECT_TRUE(optimizer->state().empty());
}

}  // namespace spiketrain::optimizer_test
