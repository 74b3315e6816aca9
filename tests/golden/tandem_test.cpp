// Tandem learning against the authors' code: golden/related/tandem_*, and every further file of that name in the folder that
// SPIKETRAIN_GOLDEN names (or its related/).  Spikes and counts are equal; everything else is within 1e-12 of the reference, relative to
// 1 + max |reference|.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "spiketrain/core/encoder.h"
#include "spiketrain/recipe/tandem_network.h"
#include "spiketrain/recipe/tandem_stages.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::tandem_golden_test {

/// Files whose name begins so; a test failure if there are none.
void for_records(const std::string& prefix, const std::function<void(const GoldenRecord&)>& check) {
  int64_t count = 0;
  for (const std::string& path : golden_files("related")) {
    if (std::filesystem::path(path).filename().string().rfind("tandem_" + prefix, 0) != 0) continue;
    SCOPED_TRACE(path);
    check(GoldenRecord(path));
    ++count;
  }
  EXPECT_GT(count, 0) << prefix;
}

std::shared_ptr<Neuron> integrator(double threshold) {
  return make<Neuron>("if", {{"threshold", threshold}, {"strict", false}});
}

TEST(GoldenTandem, CountOfAChargeAtTheFirstStep) {
  for_records("if_count", [](const GoldenRecord& r) {
    const auto T = static_cast<int64_t>(r.number("T"));
    const Tensor charge = r.at("charge"), threshold = r.at("threshold"), count = r.at("count");
    for (int64_t i = 0; i < charge.numel(); ++i) {
      const double a = charge[i].item<double>(), theta = threshold[i].item<double>();
      const auto neuron = integrator(theta);
      neuron->build({1});
      Tensor I = torch::zeros({T, 1, 1}, torch::kDouble);
      I[0] = a;
      const auto record = record_of(*neuron, I);
      neuron->run(*record, record->all());
      const double sent = output_of(*record).sum().item<double>();
      EXPECT_EQ(sent, count[i].item<double>()) << i;
      EXPECT_EQ(sent, std::clamp(std::floor(a / theta), 0.0, static_cast<double>(T))) << i;
    }
  });
}

/// Spikes of the hybrid layer: [N,T,*] in the file, [T,N,*] here.
Tensor steps_first(const Tensor& x) { return x.transpose(0, 1).contiguous(); }

/// A layer in front of an output layer that does not run.
struct Hybrid {
  std::shared_ptr<Network> network;
  Layer* layer;

  Hybrid(const std::string& token, const Shape& in, const Config& neuron, const Config& options)
      : network(make_spec(token + "-2", make_context(neuron, in, 2), options)) {
    network->to(torch::kDouble);
    layer = dynamic_cast<Layer*>(network->nodes()[0].stage.get());
  }
  Tensor tensor(const std::string& name) const {
    const auto parameters = layer->named_parameters(), buffers = layer->named_buffers();
    return parameters.contains(name) ? parameters[name] : buffers[name];
  }
  Tensor run(const Tensor& x, Mode mode) {
    Context context = train_context(0, 0, make<Rule>("tandem"));
    context.mode = mode;
    Carry carry = network->start();
    return layer->forward({Signal::dense(x)}, context, carry).values();
  }
};

TEST(GoldenTandem, LeakyNeuronsOfTheParentRule) {
  for_records("lif_linear", [](const GoldenRecord& r) {
    const Tensor x = steps_first(r.at("spikes_in"));
    Hybrid hybrid(std::to_string(r.at("weight").size(0)), {x.size(2)},
                  {{"name", "lif"},
                   {"leak", r.number("leak")},
                   {"reset", "soft"},
                   {"strict", false},
                   {"threshold", r.number("vthr")}},
                  {{"norm", "count_bias"}});
    set_from(r, "weight", hybrid.tensor("synapse.weight"));
    set_from(r, "bias", hybrid.tensor("norm.bias"));
    const Tensor y = hybrid.run(x, Mode::train);
    EXPECT_TRUE(torch::equal(y, steps_first(r.at("spikes_out"))));
    EXPECT_TRUE(torch::equal(y.sum(0), r.at("count_out")));
    // The file's is the gradient at the analog branch's output; ours is behind its ReLU, as the bias sees it.
    y.sum(0).backward(r.at("grad_count"));
    const Tensor S = r.at("spikes_in").sum(1).mm(r.at("weight").t()) + r.at("bias");
    expect_golden(hybrid.tensor("norm.bias").grad(), (r.at("grad_ann_out") * (S > 0)).sum(0), "grad_bias");
    EXPECT_GT((S > 0).sum().item<int64_t>(), 0);
    EXPECT_LT((S > 0).sum().item<int64_t>(), S.numel());
  });
}

/// A layer with the norm of counts as the authors fold it: counts, gradients and statistics.
void check_hybrid(const GoldenRecord& r, const std::string& token, const Tensor& x, bool training) {
  const auto T = static_cast<double>(x.size(0));
  Hybrid hybrid(token, Shape(x.sizes().begin() + 2, x.sizes().end()),
                {{"name", "if"}, {"threshold", r.number("vthr")}, {"strict", false}},
                {{"bias", true},
                 {"norm", {{"name", "count_bn"}, {"eps", 1e-4}, {"momentum", 0.9}, {"fold", "released"}}}});
  const std::pair<const char*, const char*> names[] = {{"weight", "synapse.weight"},
                                                       {"bias", "synapse.bias"},
                                                       {"gamma", "norm.weight"},
                                                       {"beta", "norm.bias"}};
  for (const auto& [theirs, ours] : names) set_from(r, theirs, hybrid.tensor(ours));
  const Tensor bias = hybrid.tensor("synapse.bias");
  {
    const torch::NoGradGuard no_grad;
    Tensor(bias).div_(T);  // ours is added at every step
  }
  set_from(r, "running_mean_before", hybrid.tensor("norm.running_mean"));
  set_from(r, "running_var_before", hybrid.tensor("norm.running_var"));
  const auto norm = hybrid.layer->connections()[0].norm;
  norm->frozen = !training;  // learns by the running statistics
  const Tensor in = x.clone().requires_grad_();
  const Tensor y = hybrid.run(in, Mode::train);
  EXPECT_TRUE(torch::equal(y, steps_first(r.at("spikes_out"))));
  EXPECT_TRUE(torch::equal(y.sum(0), r.at("count_out")));
  expect_golden(hybrid.tensor("norm.running_mean"), r.at("running_mean_after"), "running mean");
  expect_golden(hybrid.tensor("norm.running_var"), r.at("running_var_after"), "running variance");

  // The norm with the error that the authors' analog branch lets through.
  const Connection& c = hybrid.layer->connections()[0];
  const Tensor W = hybrid.tensor("synapse.weight"), passes = r.at("ann_out") > 0;
  const Tensor I =
      (c.synapse->apply(Signal::dense(x), W.detach()) + c.synapse->bias()).detach().requires_grad_();
  Context context = train_context();
  context.mode = training ? Mode::replay : Mode::train;  // statistics have moved already
  const Tensor z = norm->forward(I, context);
  z.backward((r.at("grad_count") * passes).unsqueeze(0).expand_as(z).contiguous());
  const Tensor g = I.grad().contiguous();
  const std::string below = r.has("grad_image") ? "grad_image" : "grad_count_in";
  const Tensor g_x = c.synapse->pull(g, W.detach());
  for (int64_t t = 0; t < x.size(0); ++t) expect_golden(g_x[t], r.at(below), below);
  expect_golden(c.synapse->outer(g, Signal::dense(x)), r.at("grad_weight"), "grad_weight");
  expect_golden((g.dim() == 3 ? g.unsqueeze(3) : g.flatten(3)).sum({0, 1, 3}) / T, r.at("grad_bias"),
                "grad_bias");
  expect_golden(hybrid.tensor("norm.weight").grad(), r.at("grad_gamma"), "grad_gamma");
  expect_golden(hybrid.tensor("norm.bias").grad(), r.at("grad_beta"), "grad_beta");

  // The rule masks by the current that neurons get.  Where that is of the same sign, the layer as a whole has the authors' gradient.
  const Tensor differs = (z.sum(0) > 0) != passes;
  EXPECT_LE(differs.sum().item<int64_t>(), passes.numel() / 20);
  if (differs.any().item<bool>()) return;
  hybrid.network->zero_grad();
  y.sum(0).backward(r.at("grad_count"));
  for (int64_t t = 0; t < x.size(0); ++t) expect_golden(in.grad()[t], r.at(below), below + " of the layer");
  expect_golden(bias.grad() / T, r.at("grad_bias"), "grad_bias of the layer");
  for (const auto& [theirs, ours] : names)
    if (ours != std::string("synapse.bias"))
      expect_golden(hybrid.tensor(ours).grad(), r.at(str("grad_", theirs)), str(theirs, " of the layer"));
}

TEST(GoldenTandem, LinearLayers) {
  for_records("linear_", [](const GoldenRecord& r) {
    check_hybrid(r, r.word("features_out"), steps_first(r.at("spikes_in")), r.word("training") == "True");
  });
}

TEST(GoldenTandem, ConvolutionOfAZeroExpandedImage) {
  for_records("conv_train_zero_expand", [](const GoldenRecord& r) {
    Batch batch;
    batch.x = r.at("image");
    const auto T = static_cast<int64_t>(r.number("T"));
    const Signal x = make<Encoder>("zero_expand")->encode(batch, {0, T, T});
    EXPECT_TRUE(torch::equal(x.values()[0], batch.x));
    EXPECT_EQ(x.values().slice(0, 1).abs().max().item<double>(), 0);
    check_hybrid(r, r.word("C_out") + "C3p1", x.values(), true);
  });
}

TEST(GoldenTandem, Threshold) {
  for_records("threshold", [](const GoldenRecord& r) {
    const double theta = percentile_of(r.at("activation"), r.number("percent")) / r.number("T");
    EXPECT_NEAR(theta, r.at("threshold").item<double>(), 1e-14);
  });
}

/// The stages, how a best epoch is found and when patience ends, on a list of accuracies.
TEST(GoldenTandem, Scheduler) {
  for_records("scheduler", [](const GoldenRecord& r) {
    TandemSection options;
    options.freeze = "before";
    const auto layers = static_cast<int64_t>(r.number("layers")),
               patience = static_cast<int64_t>(r.number("patience"));
    const std::vector<TandemStage> stages = tandem_stages(layers - 1, options);
    ASSERT_EQ(stages.size(), static_cast<size_t>(layers));
    const MetricSet metrics({make<Metric>("accuracy")}, Target::Kind::class_index);
    const Tensor accuracy = r.at("accuracy");
    Progress progress;
    size_t k = 0;
    const auto best = [&] {
      const auto it = progress.best.find("accuracy");
      return it == progress.best.end() ? 0 : it->second.validation;
    };
    for (int64_t e = 0; e < accuracy.numel(); ++e) {
      const auto told = [&](const char* name) { return r.at(name)[e].item<double>(); };
      SCOPED_TRACE(e);
      Scores scores;
      scores.metrics["accuracy"] = accuracy[e].item<double>();
      ++progress.epoch;
      EXPECT_EQ(track_best(metrics, progress.epoch, scores, &scores, progress.best), told("saved") == 1);
      if (out_of_patience(progress, "accuracy", patience)) {
        ++k;
        const Best before = progress.best["accuracy"];
        progress = {};
        if (stages.at(k).keeps_best) progress.best["accuracy"].validation = before.validation;
      }
      EXPECT_EQ(best(), told("best"));
      EXPECT_EQ(static_cast<double>(k), told("k"));
      EXPECT_EQ(static_cast<double>(k), told("conversions"));
      EXPECT_EQ(static_cast<double>(stages[k].frozen), told("frozen"));
      EXPECT_EQ(std::min<double>(static_cast<double>(k) + 1, static_cast<double>(layers - 1)),
                static_cast<double>(stages[k].converted));
      EXPECT_DOUBLE_EQ(r.number("lr") * stages[k].rate, told("lr"));
      const auto it = progress.best.find("accuracy");
      const int64_t since = progress.epoch - (it == progress.best.end() ? 0 : it->second.validation_epoch);
      EXPECT_EQ(static_cast<double>(since), told("patience"));
    }
  });
}

}  // namespace spiketrain::tandem_golden_test
