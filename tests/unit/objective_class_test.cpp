// What classes ask of objectives: weights, how one is decided, losses of steps added up, and several labels of a sample.
#include <functional>

#include "tests/support/message.h"
#include "tests/support/objective_case.h"

namespace spiketrain::objective_class_test {

/// Weights of the classes multiply the loss of their samples, whose number divides the sum.
TEST(ObjectiveClass, ClassWeights) {
  const std::vector<double> w = {0.5, 2, 4};
  const Tensor a = torch::randn({4, 5, 3}, torch::kDouble), weights = torch::tensor(w, torch::kDouble);
  const std::vector<int64_t> label = {0, 2, 1, 2, 2};
  const auto formula = [&](const Tensor& z, const Tensor& is_label) {  // z [5,3]
    return (((z.exp().sum(-1).log() - (z * is_label).sum(-1)) * (is_label * weights).sum(-1)).sum() / 5);
  };
  const auto value = [&](const std::function<Tensor(const Tensor&, const Tensor&)>& f) {
    const Tensor y = torch::one_hot(torch::tensor(label, torch::kLong), 3).to(torch::kDouble);
    return f(a, y).item<double>();
  };
  const auto rate = [&](const Tensor& x, const Tensor& y) { return formula(x.mean(0), y); };
  const auto most = [&](const Tensor& x, const Tensor& y) { return formula(std::get<0>(x.max(0)), y); };
  const auto tet = [&](const Tensor& x, const Tensor& y) {
    Tensor sum = torch::zeros({}, torch::kDouble);
    for (int64_t t = 0; t < 4; ++t) sum = sum + formula(x[t], y);
    return sum / 4;
  };
  const auto with = [&](const char* name) { return Config{{"name", name}, {"class_weights", w}}; };
  check_objective({"rate_ce", with("rate_ce"), {{3}, 4}, {0, 4}, a, label, value(rate), rate});
  check_objective({"max_ce", with("max_ce"), {{3}, 4}, {0, 4}, a, label, value(most), most});
  check_objective({"tet_ce", with("tet_ce"), {{3}, 4}, {0, 4}, a, label, value(tet), tet});
  // All weights 1 are none, to the last bit.
  const Target y = {Target::Kind::class_index, torch::tensor(label, torch::kLong)};
  for (const char* name : {"rate_ce", "tet_ce", "max_ce"}) {
    const auto plain = make<Objective>(name), one = make<Objective>(name, {{"class_weights", {1, 1, 1}}});
    for (const auto& o : {plain, one}) o->prepare({{3}, 4});
    const Output out = {Signal::dense(a), {0, 4}, 4};
    EXPECT_NEAR(plain->error(out, y).loss.item<double>(), one->error(out, y).loss.item<double>(), 1e-14);
    EXPECT_TRUE(torch::allclose(plain->error(out, y).delta, one->error(out, y).delta, 1e-12, 1e-14));
    EXPECT_NE(message_of<UsageError>([&] {
                make<Objective>(name, {{"class_weights", {1, 1}}})->prepare({{3}, 4});
              }).find("each of 3 classes, got 2"),
              std::string::npos);
    EXPECT_THROW(make<Objective>(name, {{"class_weights", {1, -1, 1}}})->prepare({{3}, 4}), UsageError);
  }
}

TEST(ObjectiveClass, StepsAddUp) {
  const Tensor a = torch::randn({4, 5, 3}, torch::kDouble);
  const Target y = {Target::Kind::class_index, torch::tensor(std::vector<int64_t>{0, 1, 2, 0, 1})};
  const auto mean = make<Objective>("tet_ce"), sum = make<Objective>("tet_ce", {{"over_steps", "sum"}});
  for (const auto& o : {mean, sum}) o->prepare({{3}, 4});
  const auto loss = [&](const Objective& o, const Output& out) { return o.loss(out, y).item<double>(); };
  EXPECT_NEAR(loss(*sum, {Signal::dense(a), {0, 4}, 4}), 4 * loss(*mean, {Signal::dense(a), {0, 4}, 4}),
              1e-12);
  // Segments add up, too, and a padded sample adds up its own steps.
  const Signal first = Signal::dense(a.slice(0, 0, 1)), rest = Signal::dense(a.slice(0, 1, 4));
  EXPECT_NEAR(loss(*sum, {first, {0, 1}, 4}) + loss(*sum, {rest, {1, 4}, 4}),
              loss(*sum, {Signal::dense(a), {0, 4}, 4}), 1e-12);
  Output padded = {Signal::dense(a), {0, 4}, 4};
  padded.lengths = padded.all_lengths = torch::tensor(std::vector<int64_t>{4, 1, 2, 3, 4});
  padded.valid = torch::arange(4).unsqueeze(1) < padded.lengths;
  double want = 0;
  for (int64_t b = 0; b < 5; ++b)
    for (int64_t t = 0; t < padded.lengths[b].item<int64_t>(); ++t)
      want += torch::cross_entropy_loss(a[t].slice(0, b, b + 1), y.y.slice(0, b, b + 1)).item<double>() / 5;
  EXPECT_NEAR(loss(*sum, padded), want, 1e-12);
}

TEST(ObjectiveClass, DecidesByCounts) {
  // Class 0 has the greater sum, class 1 is above 1 more often.
  const Tensor a = outputs({9, 1.5, -1, 1.5, 0.5, 1}, {3, 1, 2});
  for (const char* name : {"rate_ce", "tet_ce"}) {
    const auto decide = [&](const Config& options, const Output& out) {
      const auto o = make<Objective>(name, options);
      o->prepare({{2}, 3, Emission::analog_values()});
      return o->evidence(out);
    };
    // Of spikes the sum is their number.
    const auto spikes = make<Objective>(name, {{"decision", "count"}});
    spikes->prepare({{2}, 3, Emission{}});
    EXPECT_TRUE(
        torch::equal(spikes->evidence({Signal::dense(outputs({1, 0, 1, 1, 0, 0}, {3, 1, 2})), {0, 3}, 3}),
                     outputs({2, 1}, {1, 2})));
    Output out = {Signal::dense(a), {0, 3}, 3};
    EXPECT_EQ(decide(Config::object(), out).argmax(1).item<int64_t>(), 0);
    const Config count = {{"decision", "count"}};
    EXPECT_TRUE(torch::equal(decide(count, out), outputs({1, 2}, {1, 2})));
    EXPECT_TRUE(
        torch::equal(decide({{"decision", "count"}, {"count_above", 0.75}}, out), outputs({1, 3}, {1, 2})));
    out.lengths = out.all_lengths = torch::tensor(std::vector<int64_t>{1});
    out.valid = torch::arange(3).unsqueeze(1) < out.lengths;
    EXPECT_TRUE(torch::equal(decide(count, out), outputs({1, 1}, {1, 2})));
  }
}

TEST(ObjectiveClass, BalancedNeedsData) {
  EXPECT_NE(message_of<UsageError>([] {
              make<Objective>("rate_ce", {{"balanced", true}})->prepare({{3}, 4});
            }).find("class_weights"),
            std::string::npos);
}

TEST(ObjectiveClass, SeveralLabels) {
  const Tensor a = torch::randn({4, 5, 3}, torch::kDouble).requires_grad_();
  const Target y = {Target::Kind::values, (torch::rand({5, 3}) > 0.5).to(torch::kFloat)};
  const auto objective =
      make<Objective>("rate_bce", {{"scale", 3.0}, {"center", 0.25}, {"pos_weight", {1, 2, 5}}});
  objective->prepare({{3}, 4, {}, false, Target::Kind::values});
  const Output out = {Signal::dense(a), {0, 4}, 4};
  const Tensor p = torch::sigmoid(3 * (a.mean(0) - 0.25)), is = y.y.to(torch::kDouble);
  const Tensor w = torch::tensor({1., 2., 5.}, torch::kDouble);
  const Tensor want = -(w * is * p.log() + (1 - is) * (1 - p).log()).mean();
  const Tensor got = objective->loss(out, y);
  EXPECT_NEAR(got.item<double>(), want.item<double>(), 1e-12);
  EXPECT_TRUE(torch::allclose(torch::autograd::grad({got}, {a})[0], torch::autograd::grad({want}, {a})[0],
                              1e-12, 1e-14));
  EXPECT_TRUE(torch::allclose(objective->prediction(objective->evidence(out), {}), p, 1e-12));
  EXPECT_THROW(make<Objective>("rate_bce", {{"pos_weight", {1, 2}}})
                   ->prepare({{3}, 4, {}, false, Target::Kind::values}),
               UsageError);
  EXPECT_THROW(make<Objective>("rate_bce")->prepare({{3}, 4}), UsageError);
}

}  // namespace spiketrain::objective_class_test
