// What a network does while one sample is shown: the tensors are those of a pass, and the picture stands by itself.
#include "spiketrain/report/sample_activity.h"

#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::sample_activity_test {

std::map<std::string, Tensor> named(const NamedTensors& list) {
  std::map<std::string, Tensor> all;
  for (const auto& [name, x] : list) all[name] = x;
  return all;
}

std::vector<std::string> sets() {
  return {"neuron={name=\"lif\", leak=0.5, threshold=0.05}", "rule=bptt", "objective=rate_ce",
          "readout={name=\"leaky_readout\", leak=0.9}"};
}

/// The definition, step by step: membranes, spikes and outputs of the tiny network.
TEST(SampleActivity, IsThatOfTheDefinition) {
  const Experiment e = tiny_experiment(sets());
  const auto data = e.training.data.test;
  const auto all = named(activity_of(e.training, data, 3));
  ASSERT_EQ(all.size(), 6U);  // input; output and membrane of two layers; prediction
  Tensor image = torch::empty({1, 6, 6});
  data->read(3, -1, image.data_ptr<float>());
  ASSERT_EQ(all.at("input").sizes(), (std::vector<int64_t>{5, 1, 6, 6}));
  const auto weights = e.training.network().named_parameters();
  Tensor u = torch::zeros({6, 4, 4}), v = torch::zeros({4}), total = torch::zeros({4});
  double spikes = 0;
  for (int64_t t = 0; t < 5; ++t) {
    EXPECT_TRUE(torch::equal(all.at("input")[t], image));
    u = 0.5 * u + torch::conv2d(image.unsqueeze(0), weights["0.synapse.weight"])[0];
    EXPECT_TRUE(torch::allclose(all.at("0.membrane")[t], u, 1e-5, 1e-6)) << t;
    const Tensor s = (all.at("0.membrane")[t] >= 0.05).to(torch::kFloat);
    EXPECT_TRUE(torch::equal(all.at("0.output")[t].to(torch::kFloat), s)) << t;
    u = all.at("0.membrane")[t] - 0.05 * s;
    const Tensor pooled = torch::avg_pool2d(s.unsqueeze(0), 2)[0] * 4 * 1.1;
    v = 0.9 * v + torch::mv(weights["2.synapse.weight"], pooled.flatten());
    EXPECT_TRUE(torch::allclose(all.at("2.output")[t], v, 1e-4, 1e-5)) << t;
    total += v;
    spikes += s.sum().item<double>();
  }
  EXPECT_GT(spikes, 0);
  EXPECT_EQ(all.at("0.output").scalar_type(), torch::kUInt8);
  EXPECT_TRUE(torch::allclose(all.at("prediction"), total, 1e-4, 1e-5));
}

TEST(SampleActivity, DoesNotDependOnSegments) {
  std::vector<std::string> windows = sets();
  windows.emplace_back("schedule={name=\"truncated\", window=2}");
  const Experiment a = tiny_experiment(sets()), b = tiny_experiment(windows);
  const auto x = named(activity_of(a.training, a.training.data.test, 1)),
             y = named(activity_of(b.training, b.training.data.test, 1));
  ASSERT_EQ(x.size(), y.size());
  for (const auto& [name, value] : x) {
    const bool numbers = value.is_floating_point();  // products of other sizes have other last bits
    EXPECT_TRUE(numbers ? torch::allclose(value, y.at(name), 1e-5, 1e-6) : torch::equal(value, y.at(name)))
        << name;
  }
}

TEST(SampleActivity, RefusesASampleThatIsNotThere) {
  const Experiment e = tiny_experiment(sets());
  const int64_t n = e.training.data.test->size();
  EXPECT_NE(message_of<UsageError>([&] {
              activity_of(e.training, e.training.data.test, n);
            }).find("expected 0 to " + std::to_string(n - 1)),
            std::string::npos);
}

TEST(SampleActivity, ThePictureStandsByItself) {
  const Experiment e = tiny_experiment(sets());
  const std::vector<Raster> rasters = rasters_of(e.training, e.training.data.test, {2});
  ASSERT_EQ(rasters.size(), 1U);
  EXPECT_EQ(rasters[0].sample, 2);
  EXPECT_EQ(rasters[0].label, e.training.data.test->class_of(2));
  const std::string svg = raster_svg(rasters[0], "sample <2>");
  EXPECT_EQ(svg.rfind("<svg xmlns=\"http://www.w3.org/2000/svg\"", 0), 0U);
  EXPECT_NE(svg.find("<style>"), std::string::npos);
  EXPECT_NE(svg.find("sample &lt;2&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("<2>"), std::string::npos);
}

}  // namespace spiketrain::sample_activity_test
