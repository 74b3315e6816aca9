// Spike-response neurons against golden/related/multispike_* and every further file of that kind in the folder that SPIKETRAIN_GOLDEN
// names: spike times, their derivatives with and without refractory feedback, and a loss on spike times, in float64.
#include <gtest/gtest.h>

#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/ops/event_srm.h"
#include "tests/support/event_lists.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"

namespace spiketrain::multispike_golden_test {

struct SrmRecord {
  explicit SrmRecord(const std::string& path) : r(path) {
    const Tensor t_in = r.at("t_in");
    inputs = t_in.size(0);
    each = t_in.size(1);
    EventList list;
    for (int64_t i = 0; i < inputs; ++i)
      for (int64_t k = 0; k < each; ++k) list.emplace_back(t_in[i][k].item<double>(), i);
    in = spike_times({list}, inputs, static_cast<int64_t>(r.number("T_max")));
    W = r.at("weight").unsqueeze(0);
  }
  cpu::EventSrmParams params(bool feedback = true) const {
    cpu::EventSrmParams p;
    p.tau_s = r.number("tau");
    p.tau_refractory = r.number("tau_r");
    p.weight_refractory = r.number("eta0");
    p.threshold = r.number("theta");
    p.min_slope = 0;
    p.feedback = feedback;
    return p;
  }
  /// [inputs, each] from one value for each arrival.
  Tensor by_input(const Tensor& of_arrival) const {
    const Tensor t_in = r.at("t_in");
    Tensor sorted = torch::empty_like(t_in);
    for (int64_t a = 0; a < of_arrival.size(0); ++a) {
      const auto i = in.index[a].item<int64_t>();
      const Tensor place = (t_in[i] == in.time[a]).nonzero();
      EXPECT_EQ(place.numel(), 1) << "two spikes of an input at one time";
      sorted[i][place.item<int64_t>()] = of_arrival[a];
    }
    return sorted;
  }

  GoldenRecord r;
  int64_t inputs = 0, each = 0;
  SpikeTimes in;
  Tensor W;
};

void check_derivatives(const SrmRecord& s) {
  const ops::SrmSpikes out = ops::event_srm_forward(s.params(), s.in, s.W);
  expect_golden(out.sent.time, s.r.at("t_out"), "t_out");
  const int64_t spikes = s.r.at("t_out").size(0);
  ASSERT_EQ(out.sent.time.size(0), spikes);
  for (int64_t f = 0; f < spikes; ++f) {
    Tensor g = torch::zeros({spikes}, torch::kDouble);
    g[f] = 1;
    const auto exact = ops::event_srm_backward(s.params(), s.in, s.W, out, g, true);
    const std::string which = " of spike " + std::to_string(f);
    expect_golden(exact.in, s.r.at("dt_dw")[f], "dt_dw" + which);
    expect_golden(s.by_input(exact.time), s.r.at("dt_dtin")[f], "dt_dtin" + which);
    const auto without = ops::event_srm_backward(s.params(false), s.in, s.W, out, g, true);
    expect_golden(without.in, s.r.at("dt_dw_without_feedback")[f], "dt_dw without feedback" + which);
  }
}

/// The same through stages and an objective on the times of all spikes.
void check_loss(const SrmRecord& s) {
  const int64_t spikes = s.r.at("t_out").size(0);
  NetworkContext context;
  context.input = {s.inputs};
  context.output = {spikes};
  const cpu::EventSrmParams p = s.params();
  const auto network = make<NetworkBuilder>("event_srm", {{"hidden", Config::array()},
                                                          {"readout", "each"},
                                                          {"spikes", spikes},
                                                          {"tau_s", p.tau_s},
                                                          {"tau_refractory", p.tau_refractory},
                                                          {"weight_refractory", p.weight_refractory},
                                                          {"threshold", p.threshold},
                                                          {"min_slope", 0}})
                           ->build(context);
  network->to(torch::kDouble);
  Tensor weight = network->parameters()[0];
  {
    const torch::NoGradGuard no_grad;
    weight.copy_(s.W);
  }
  Context mode;
  mode.mode = Mode::train;
  Carry carry = network->start();
  const Signal y = network->forward(Signal::times(s.in), mode, carry);
  const auto mse = make<Objective>("mse", {{"over", "window"}});
  mse->prepare({{spikes}, s.in.steps, Emission::analog_values(), false, Target::Kind::values});
  const Tensor loss =
      mse->loss({y, {0, s.in.steps}, s.in.steps}, {Target::Kind::values, s.r.at("t_target").unsqueeze(0)});
  const double factor = 0.5 * static_cast<double>(spikes);  // of half a sum to a mean
  expect_golden(loss * factor, s.r.at("loss"), "loss");
  loss.backward();
  expect_golden(weight.grad() * factor, s.r.at("grad_weight"), "grad_weight");
}

TEST(MultispikeGolden, SpikeTimesAndTheirDerivatives) {
  int64_t records = 0, several = 0;
  for (const std::string& path : golden_files("related")) {
    if (path.find("/multispike_") == std::string::npos) continue;
    SCOPED_TRACE(path);
    const SrmRecord record(path);
    check_derivatives(record);
    check_loss(record);
    ++records;
    several += record.r.at("t_out").size(0) > 1;
  }
  EXPECT_GE(records, 2) << "golden/related lacks multispike_*";
  EXPECT_GE(several, 1);
}

}  // namespace spiketrain::multispike_golden_test
