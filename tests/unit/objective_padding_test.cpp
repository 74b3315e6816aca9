// Padding: in a batch of samples of several lengths, every objective gives each sample the error that it would have
// alone at its length, in one segment and in several, and padding none.  All in float64.
#include <gtest/gtest.h>

#include "spiketrain/core/objective.h"

namespace spiketrain::objective_padding_test {

constexpr int64_t kSteps = 6, kSamples = 3, kOut = 4;
const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);
using Segments = std::vector<std::pair<int64_t, int64_t>>;

std::vector<int64_t> lengths() { return {6, 4, 2}; }

Target random_target(Target::Kind kind) {
  Target target = {kind, {}, torch::randn({kSamples, kOut}, kDouble)};
  switch (kind) {
    case Target::Kind::class_index:
      target.y = torch::tensor(std::vector<int64_t>{2, 0, 3});
      break;
    case Target::Kind::values:
      target.y = torch::randn({kSamples, kOut}, kDouble);
      break;
    case Target::Kind::sequence:
      target.y = torch::randn({kSteps, kSamples, kOut}, kDouble);
      break;
    case Target::Kind::spike_times:  // steps 0 and 1, which every sample has
      target.y = torch::randint(-1, 2, {kSamples, kOut, 2}, kDouble);
      break;
  }
  return target;
}

Target alone(const Target& target, int64_t b, int64_t length) {
  const int64_t dim = target.kind == Target::Kind::sequence ? 1 : 0;
  Target one = {target.kind, target.y.slice(dim, b, b + 1), target.teacher.slice(0, b, b + 1)};
  if (dim == 1) one.y = one.y.slice(0, 0, length);
  return one;
}

std::shared_ptr<Objective> prepared(const Config& config, Target::Kind kind, int64_t steps, bool segments) {
  const auto objective = make<Objective>(config);
  const Emission emission = {1, segments || config["name"] != "van_rossum" ? 3.0 : 0.0};
  objective->prepare({{kOut}, steps, emission, segments, kind});
  return objective;
}

/// Sum of the losses of the segments; `length` undefined: no padding.
Tensor total(const Objective& objective, const Tensor& a, const Target& target, const Segments& segments,
             const Tensor& length) {
  std::vector<Tensor> scored;
  int64_t steps = 0;
  const Tensor t = torch::arange(a.size(0)).unsqueeze(1);
  for (const auto& [t0, t1] : segments) {
    steps += t1 - t0;
    if (length.defined()) scored.push_back((t < length).slice(0, t0, t1));
  }
  Tensor sum = torch::zeros({}, kDouble);
  for (size_t i = 0; i < segments.size(); ++i) {
    const auto [t0, t1] = segments[i];
    Output out = {Signal::dense(a.slice(0, t0, t1)), Segment{t0, t1}, steps};
    if (length.defined()) {
      out.valid = scored[i];
      out.lengths = torch::cat(scored).sum(0);
      out.all_lengths = length;
    }
    sum = sum + objective.loss(out, target);
  }
  return sum;
}

/// Segments up to a length.
Segments clipped(const Segments& segments, int64_t length) {
  Segments list;
  for (const auto& [t0, t1] : segments) {
    if (t0 < length) list.emplace_back(t0, std::min(t1, length));
  }
  return list;
}

void check(const Config& config, Target::Kind kind, const Segments& segments) {
  SCOPED_TRACE(config.dump() + " " + to_string(kind) + " " + std::to_string(segments.size()));
  const Target target = random_target(kind);
  const Tensor length = torch::tensor(lengths());
  Tensor a = torch::randn({kSteps, kSamples, kOut}, kDouble);
  for (int64_t b = 0; b < kSamples; ++b) a.select(1, b).slice(0, lengths()[b]).mul_(1000);
  a.requires_grad_();
  const bool several = segments.size() > 1 || segments[0].first > 0;
  const auto objective = prepared(config, kind, kSteps, several);
  const Tensor loss = total(*objective, a, target, segments, length);
  const Tensor got = torch::autograd::grad({loss}, {a})[0];
  Tensor want = torch::zeros_like(got), value = torch::zeros({}, kDouble);
  const double share = objective->sums_over_samples() ? 1 : 1.0 / kSamples;
  for (int64_t b = 0; b < kSamples; ++b) {
    const int64_t L = lengths()[b];
    if (clipped(segments, L).empty()) continue;
    const Tensor x = a.detach().slice(0, 0, L).slice(1, b, b + 1).clone().requires_grad_();
    const Tensor of_one =
        total(*prepared(config, kind, L, several), x, alone(target, b, L), clipped(segments, L), {});
    value += share * of_one.detach();
    want.slice(0, 0, L).slice(1, b, b + 1).copy_(share * torch::autograd::grad({of_one}, {x})[0]);
  }
  EXPECT_NEAR(loss.item<double>(), value.item<double>(), 1e-12 * (1 + std::abs(value.item<double>())));
  ASSERT_GT(want.norm().item<double>(), 0);
  EXPECT_LE((got - want).norm().item<double>(), 1e-12 * want.norm().item<double>());
}

std::vector<Config> configs() {
  std::vector<Config> list;
  for (const std::string& name : Registry<Objective>::get().names()) list.push_back({{"name", name}});
  list.push_back({{"name", "mse"}, {"over", "window"}});
  list.push_back({{"name", "rate_ce"}, {"class_weights", {0.5, 1.0, 2.0, 4.0}}});
  list.push_back({{"name", "tet_ce"}, {"class_weights", {0.5, 1.0, 2.0, 4.0}}});
  list.push_back({{"name", "smooth_l1"}, {"over", "window"}, {"value", 2.0}});
  list.push_back({{"name", "tet_ce"}, {"mse_weight", 0.25}});
  list.push_back({{"name", "distillation"}, {"match", "steps"}});
  list.push_back({{"name", "mse_count"}, {"correct_rate", 0.75}, {"incorrect_rate", 0.25}});
  list.push_back({{"name", "count"}, {"desired", 2.0}, {"undesired", 0.5}});
  return list;
}

void check_all(const Segments& segments) {
  for (Config config : configs()) {
    if (config["name"] == "max_ce" && segments != Segments{{0, kSteps}}) continue;  // refused
    const bool filters = config["name"] == "van_rossum";
    if (filters && segments == Segments{{0, kSteps}})
      config["tau_s"] = 2.0;  // spikes, filtered by the objective
    for (const Target::Kind kind : make<Objective>(config)->targets()) {
      if (kind == Target::Kind::sequence && config.value("over", "step") == "window") continue;
      check(config, kind, segments);
    }
  }
}

TEST(ObjectivePadding, OneSegment) { check_all({{0, kSteps}}); }
TEST(ObjectivePadding, SegmentsOfOneLength) { check_all({{0, 2}, {2, 4}, {4, 6}}); }
TEST(ObjectivePadding, SegmentsAcrossTheEnds) { check_all({{0, 3}, {3, 5}, {5, 6}}); }
/// The shortest sample ends before the first step with error.
TEST(ObjectivePadding, BurnIn) { check_all({{2, 6}}); }

TEST(ObjectivePadding, PredictionOfValuesIsTheMeanOverValidSteps) {
  const auto objective = prepared({{"name", "mse"}}, Target::Kind::values, kSteps, false);
  const Tensor a = torch::randn({kSteps, kSamples, kOut}, kDouble), length = torch::tensor(lengths());
  Output out = {Signal::dense(a), Segment{0, kSteps}, kSteps};
  out.valid = torch::arange(kSteps).unsqueeze(1) < length;
  out.lengths = out.all_lengths = length;
  const Tensor prediction = objective->prediction(objective->evidence(out), length);
  for (int64_t b = 0; b < kSamples; ++b)
    EXPECT_TRUE(
        torch::allclose(prediction[b], a.select(1, b).slice(0, 0, lengths()[b]).mean(0), 1e-12, 1e-12));
}

}  // namespace spiketrain::objective_padding_test
