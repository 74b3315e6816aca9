// Event-driven layers against golden/rules/eventprop_exact_* and every further file of that rule in the folder that
// SPIKETRAIN_GOLDEN names: one hidden layer, which may be recurrent, and first spike times, in float64.  Spikes are of
// the same neurons in the same order; times, currents, losses and gradients are within 1e-10 of the reference, relative
// to 1 + max |reference|: spike times are roots, and 1/(I - threshold) amplifies their rounding.
#include <gtest/gtest.h>

#include <map>

#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/ops/event_lif.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/event_lists.h"
#include "tests/support/golden_files.h"

namespace spiketrain::event_prop_golden_test {

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_EQ(ours.sizes(), reference.sizes()) << what;
  const double scale = 1.0 + reference.abs().max().item<double>();
  EXPECT_LE((ours.detach() - reference).abs().max().item<double>() / scale, 1e-10) << what;
}

class ExactRecord {
 public:
  explicit ExactRecord(const SafetensorsFile& file) : file_(file), net_(Config::parse(word("net"))) {}
  Tensor at(const std::string& name) const { return to_tensor(file_.at(name)); }
  std::string word(const std::string& key) const { return file_.metadata().at(key); }
  double number(const std::string& key) const { return std::stod(word(key)); }
  int64_t inputs() const { return net_.at("nin"); }
  int64_t hidden() const { return net_.at("nh"); }
  int64_t outputs() const { return net_.at("no"); }
  bool recurrent() const { return net_.at("rec"); }
  int64_t steps() const { return static_cast<int64_t>(number("t_end")); }

  cpu::EventLifParams params() const {
    cpu::EventLifParams p;
    p.tau_m = number("tau_m");
    p.tau_s = number("tau_s");
    p.threshold = number("th");
    return p;
  }
  SpikeTimes input() const {
    const Tensor time = at("input_time"), index = at("input_index");
    std::vector<EventList> samples(static_cast<size_t>(time.size(0)));
    for (int64_t b = 0; b < time.size(0); ++b) {
      for (int64_t k = 0; k < time.size(1); ++k)
        samples[static_cast<size_t>(b)].emplace_back(time[b][k].item<double>(), index[b][k].item<int64_t>());
    }
    return spike_times(std::move(samples), inputs(), steps());
  }
  /// Of a matrix [hidden + outputs, inputs + hidden + outputs]: input to hidden, hidden to hidden, hidden to output.
  Tensor in(const Tensor& W) const { return W.slice(0, 0, hidden()).slice(1, 0, inputs()).contiguous(); }
  Tensor recurrent(const Tensor& W) const {
    return W.slice(0, 0, hidden()).slice(1, inputs(), inputs() + hidden()).contiguous();
  }
  Tensor out(const Tensor& W) const {
    return W.slice(0, hidden()).slice(1, inputs(), inputs() + hidden()).contiguous();
  }

 private:
  const SafetensorsFile& file_;
  Config net_;
};

/// Our events in the record's form: sources count inputs, hidden and output neurons.
void check_events(const ExactRecord& r) {
  const Tensor W = r.at("W"), time = r.at("event_time"), source = r.at("event_source"), I = r.at("event_I");
  const SpikeTimes input = r.input();
  const ops::EventSpikes h =
      ops::event_lif_forward(r.params(), input, r.in(W), r.recurrent() ? r.recurrent(W) : Tensor());
  const ops::EventSpikes o = ops::event_lif_forward(r.params(), h.sent, r.out(W), {});
  for (int64_t b = 0; b < time.size(0); ++b) {
    std::map<double, std::pair<int64_t, double>> events;  // no two at one time
    const auto add = [&](const SpikeTimes& s, const Tensor& current, int64_t first) {
      for (auto k = s.offset[b].item<int64_t>(); k < s.offset[b + 1].item<int64_t>(); ++k)
        events[s.time[k].item<double>()] = {s.index[k].item<int64_t>() + first,
                                            current.defined() ? current[k].item<double>() : 0};
    };
    add(input, {}, 0);
    add(h.sent, h.current, r.inputs());
    add(o.sent, o.current, r.inputs() + r.hidden());
    int64_t k = 0;
    for (const auto& [t, event] : events) {
      ASSERT_LT(k, time.size(1));
      EXPECT_NEAR(t, time[b][k].item<double>(), 1e-10) << b << ' ' << k;
      EXPECT_EQ(event.first, source[b][k].item<int64_t>()) << b << ' ' << k;
      EXPECT_NEAR(event.second, I[b][k].item<double>(), 1e-10) << b << ' ' << k;
      ++k;
    }
    EXPECT_TRUE(k == time.size(1) || source[b][k].item<int64_t>() == -1)
        << "spikes are missing in sample " << b;
  }
}

void check_gradients(const ExactRecord& r) {
  const auto layer = [&](int64_t features, bool recurrent) {
    return make<Stage>("event_lif", {{"features", features},
                                     {"tau_m", r.params().tau_m},
                                     {"tau_s", r.params().tau_s},
                                     {"threshold", r.params().threshold},
                                     {"recurrent", recurrent},
                                     {"min_slope", 0}});
  };
  Network network(Shape{r.inputs()});
  network.add(layer(r.hidden(), r.recurrent()), true);
  network.add(layer(r.outputs(), false), true);
  network.add(make<Stage>("first_spike"), false);
  network.to(torch::kDouble);
  auto parameters = network.named_parameters();
  {
    const torch::NoGradGuard no_grad;
    parameters["0.weight"].copy_(r.in(r.at("W")));
    if (r.recurrent()) parameters["0.recurrent_weight"].copy_(r.recurrent(r.at("W")));
    parameters["1.weight"].copy_(r.out(r.at("W")));
  }
  Context context;
  context.mode = Mode::train;
  Carry carry = network.start();
  const Signal y = network.forward(Signal::times(r.input()), context, carry);
  expect_close(y.values()[0], r.at("t_first"), "t_first");
  const auto objective =
      make<Objective>("first_spike_ce", {{"xi", r.number("xi")}, {"alpha", 0}, {"tau_s", r.number("tau_s")}});
  objective->prepare({{r.outputs()}, r.steps()});
  const Objective::Error error =
      objective->error({y, {0, r.steps()}, r.steps()}, {Target::Kind::class_index, r.at("labels")});
  const Tensor sum = r.at("loss").sum();  // the record adds the samples up, ours is their mean
  const auto B = static_cast<double>(r.at("loss").size(0));
  expect_close(error.loss * B, sum, "loss");
  expect_close(error.delta.sum(0) * B, r.at("grad_t_first"), "grad_t_first");
  torch::autograd::backward({y.edge()}, {error.delta * B});
  const Tensor g = r.at("grad_W"), synapses = r.at("mask").to(torch::kDouble);
  expect_close(parameters["0.weight"].grad(), r.in(g), "grad_W of the hidden layer");
  expect_close(parameters["1.weight"].grad(), r.out(g), "grad_W of the output layer");
  if (r.recurrent())
    expect_close(parameters["0.recurrent_weight"].grad() * r.recurrent(synapses), r.recurrent(g),
                 "grad_W of the recurrent synapses");
}

/// The loss of public discrete-time code, from the first spike times that it found.
TEST(EventPropGolden, LossOfFirstSpikeTimes) {
  int64_t records = 0;
  for (const std::string& path : golden_files("rules")) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    const auto rule = file.metadata().find("rule");
    if (rule == file.metadata().end() || rule->second != "EventProp (discrete, lolemacs)") continue;
    SCOPED_TRACE(path);
    const auto number = [&](const char* key) { return std::stod(file.metadata().at(key)); };
    const auto objective = make<Objective>("first_spike_ce", {{"xi", number("xi")},
                                                              {"alpha", number("alpha")},
                                                              {"beta", number("beta")},
                                                              {"tau_s", number("tau_s")}});
    const Tensor t = to_tensor(file.at("t_first")).unsqueeze(0);
    objective->prepare({{t.size(2)}, 1});
    const Objective::Error error = objective->error(
        {Signal::dense(t), {0, 1}, 1}, {Target::Kind::class_index, to_tensor(file.at("labels"))});
    EXPECT_NEAR(error.loss.item<double>(), to_tensor(file.at("loss")).item<double>(), 1e-12);
    EXPECT_TRUE(torch::allclose(error.delta[0], to_tensor(file.at("grad_t_first")), 0, 1e-12));
    ++records;
  }
  EXPECT_GE(records, 1) << "golden/rules lacks eventprop_lolemacs_1layer";
}

TEST(EventPropGolden, ExactEvents) {
  int64_t records = 0;
  for (const std::string& path : golden_files("rules")) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    const auto rule = file.metadata().find("rule");
    if (rule == file.metadata().end() || rule->second != "EventProp (exact events)") continue;
    SCOPED_TRACE(path);
    const ExactRecord record(file);
    check_events(record);
    check_gradients(record);
    ++records;
  }
  EXPECT_GE(records, 2) << "golden/rules lacks eventprop_exact_*";
}

}  // namespace spiketrain::event_prop_golden_test
