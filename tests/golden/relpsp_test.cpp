// Layers with the rectified linear PSP against golden/related/relpsp_*, and every further file of that name in the folder that
// SPIKETRAIN_GOLDEN names (or its related/): spike times, causal sets and gradients, to 1e-12 relative to 1 + max |reference|.
// Infinity in a record is a silent neuron.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/ops/event_relpsp.h"
#include "tests/support/dense_times.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"

namespace spiketrain::relpsp_golden_test {

/// Files whose name begins so; a test failure if there are none.
void for_records(const std::string& prefix, const std::function<void(const GoldenRecord&)>& check) {
  int64_t count = 0;
  for (const std::string& path : golden_files("related")) {
    if (std::filesystem::path(path).filename().string().rfind(prefix, 0) != 0) continue;
    SCOPED_TRACE(path);
    check(GoldenRecord(path));
    ++count;
  }
  EXPECT_GT(count, 0) << prefix;
}

/// One stage on the times of a record, whose sequence is longer than any of its times.
struct Trial {
  std::shared_ptr<Stage> stage;
  SpikeTimes in;
  Signal out;

  Trial(const char* name, Config options, const Tensor& t_in, const Tensor& weight, int64_t steps = 64) {
    if (weight.defined()) options["weight_std"] = 0;
    stage = make<Stage>(name, options);
    stage->build({Shape(t_in.sizes().begin() + 1, t_in.sizes().end())});
    stage->to(torch::kDouble);
    const torch::NoGradGuard no_grad;
    if (weight.defined()) stage->named_parameters()["weight"].copy_(weight);
    in = times_of(t_in, steps);
  }
  void run() {
    in.time.requires_grad_();
    Context context;
    context.mode = Mode::train;
    Carry carry;
    out = stage->forward({Signal::times(in)}, context, carry);
  }
  Tensor times() const { return dense_of(out.spike_times(), out.edge(), kSilent); }
  void go_back(const Tensor& grad) { out.edge().backward(at_spikes(out.spike_times(), grad)); }
  Tensor g_in() const { return dense_of(in, in.time.grad(), 0); }
  Tensor g_weight() const { return stage->named_parameters()["weight"].grad(); }
};

/// Times that are infinite in the same places, and equal in the others.
void expect_times(const Tensor& ours, const Tensor& reference) {
  const Tensor r = reference.reshape(ours.sizes());
  EXPECT_TRUE(torch::equal(ours.isinf(), r.isinf()));
  expect_golden(ours.nan_to_num(0, 0, 0), r.nan_to_num(0, 0, 0), "t_out");
}

Config alive(Config options) {
  options["revive"] = 0;
  return options;
}

void check_layer(const GoldenRecord& r, const char* name, const Config& options) {
  Trial trial(name, alive(options), r.at("t_in"), r.at("weight"));
  trial.run();
  expect_times(trial.times(), r.at("t_out"));
  trial.go_back(r.at("grad_out"));
  expect_golden(trial.g_in(), r.at("grad_t_in"), "grad_t_in");
  expect_golden(trial.g_weight(), r.at("grad_weight"), "grad_weight");
}

/// The causal set of every neuron that spiked.
void check_causal_sets(const GoldenRecord& r) {
  const Tensor t_in = r.at("t_in"), weight = r.at("weight"), wanted = r.at("causal_set");
  const SpikeTimes in = times_of(t_in, 64);
  cpu::RelpspParams p;
  p.end = 64;
  cpu::RelpspMap map;
  map.channels = t_in.size(1);
  map.maps = weight.size(0);
  const ops::RelpspSpikes spikes = ops::event_relpsp_forward(p, map, in, weight);
  Tensor ours = torch::zeros(wanted.sizes(), torch::kDouble);
  for (int64_t b = 0; b < in.batch(); ++b) {
    const auto first = in.offset[b].item<int64_t>();
    for (auto k = spikes.sent.offset[b].item<int64_t>(); k < spikes.sent.offset[b + 1].item<int64_t>(); ++k) {
      for (int64_t i = 0; i < spikes.causal[k].item<int64_t>(); ++i)
        ours[b][spikes.sent.index[k].item<int64_t>()][in.index[first + i].item<int64_t>()] = 1;
    }
  }
  EXPECT_TRUE(torch::equal(ours, wanted.to(torch::kDouble)));
}

TEST(GoldenRelpsp, Linear) {
  for (const char* prefix : {"relpsp_linear", "relpsp_note_example"}) {
    for_records(prefix, [](const GoldenRecord& r) {
      check_layer(r, "event_relpsp", {{"features", r.at("weight").size(0)}});
      check_causal_sets(r);
    });
  }
}

TEST(GoldenRelpsp, Convolution) {
  for_records("relpsp_conv", [](const GoldenRecord& r) {
    check_layer(r, "event_relpsp_conv2d",
                {{"channels", r.at("weight").size(0)}, {"kernel", r.at("weight").size(2)}, {"padding", 1}});
  });
}

TEST(GoldenRelpsp, EarliestSpikeOfAWindow) {
  for_records("relpsp_maxpool", [](const GoldenRecord& r) {
    Trial trial("event_pool", {{"window", 2}}, r.at("t_in"), {});
    trial.run();
    expect_times(trial.times(), r.at("t_out"));
    trial.go_back(r.at("grad_out"));
    expect_golden(trial.g_in(), r.at("grad_t_in"), "grad_t_in");
  });
}

/// Two layers, the readout and the objective.
TEST(GoldenRelpsp, CrossEntropyOfTwoLayers) {
  for_records("relpsp_net_ce", [](const GoldenRecord& r) {
    const Tensor w1 = r.at("weight1"), w2 = r.at("weight2"), label = r.at("label");
    const auto steps = static_cast<int64_t>(r.number("t_max"));
    NetworkContext context;
    context.input = {w1.size(1)};
    context.output = {w2.size(0)};
    const auto network =
        make<NetworkBuilder>("ttfs", {{"spec", str(w1.size(0), "-", w2.size(0))}, {"revive", 0}, {"late", 0}})
            ->build(context);
    network->to(torch::kDouble);
    const auto parameters = network->named_parameters();
    set_from(r, "weight1", parameters["0.weight"]);
    set_from(r, "weight2", parameters["1.weight"]);
    SpikeTimes in = times_of(r.at("t_in"), steps);
    in.time.requires_grad_();
    Context pass;
    pass.mode = Mode::train;
    Carry carry = network->start();
    const Signal out = network->forward(Signal::times(in), pass, carry);
    expect_golden(out.values()[0], r.at("t_out"), "t_out");
    auto objective = make<Objective>("first_spike_ce", {{"xi", 1}, {"tau_s", 1}, {"alpha", 0}});
    objective->prepare({{w2.size(0)}, steps, Emission::analog_values()});
    const Tensor loss = objective->loss({out, {0, steps}, steps}, {Target::Kind::class_index, label});
    expect_golden(loss, r.at("loss"), "loss");
    loss.backward();
    expect_golden(dense_of(in, in.time.grad(), 0), r.at("grad_t_in"), "grad_t_in");
    expect_golden(parameters["0.weight"].grad(), r.at("grad_weight1"), "grad_weight1");
    expect_golden(parameters["1.weight"].grad(), r.at("grad_weight2"), "grad_weight2");
  });
}

/// The falling threshold of public code: its gradients of inputs and outputs are those of -t.
TEST(GoldenRelpsp, FallingThreshold) {
  for_records("relpsp_dft_linear", [](const GoldenRecord& r) {
    ASSERT_EQ(r.number("t_win"), 1);
    const Config options = {
        {"features", r.at("weight").size(0)}, {"falling", true}, {"clip", r.number("grad_clip")}};
    Trial trial("event_relpsp", alive(options), r.at("t_in"), r.at("weight"), /*steps=*/1);
    trial.run();
    expect_times(trial.times(), r.at("t_out"));
    trial.go_back(-r.at("grad"));
    const Tensor heard = r.at("t_in").isfinite().to(torch::kDouble);  // theirs goes to silent inputs, too
    expect_golden(trial.g_in(), -r.at("grad_in") * heard, "grad_in");
    expect_golden(trial.g_weight(), r.at("grad_weight"), "grad_weight");

    Trial readout("event_relpsp_membrane", {{"features", r.at("weight").size(0)}, {"read_at", 2}},
                  r.at("t_in"), r.at("weight"), /*steps=*/1);
    readout.run();
    const Tensor V = readout.out.values()[0];
    expect_golden(V, r.at("readout_membrane"), "readout_membrane");
    V.backward(r.at("grad"));
    expect_golden(readout.g_in(), -r.at("readout_grad_in"), "readout_grad_in");
    expect_golden(readout.g_weight(), r.at("readout_grad_weight"), "readout_grad_weight");
  });
}

}  // namespace spiketrain::relpsp_golden_test
