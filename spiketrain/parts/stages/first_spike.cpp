// Readout of event-driven layers: the time of each neuron's first spike, in steps, the same at every step.
//   a[t] = t_first; the number of steps for a neuron that stayed silent, which gets no gradient
// Source: Wunderlich & Pehle 2021.  Deviation: none.
// Tests: grad/event_prop_test.cpp, engine/event_network_test.cpp.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

/// Position of each element's first spike [B,N], -1: none.
Tensor first_of(const SpikeTimes& s) {
  Tensor first = torch::full({s.batch(), s.elements}, -1, torch::kInt64);
  auto* at = first.data_ptr<int64_t>();
  const auto* offset = s.offset.data_ptr<int64_t>();
  const auto* index = s.index.data_ptr<int64_t>();
  for (int64_t b = 0; b < s.batch(); ++b) {
    for (int64_t k = offset[b + 1]; k-- > offset[b];) at[b * s.elements + index[k]] = k;
  }
  return first;
}

struct FirstSpike final : Stage {
  static constexpr const char* kDoc = "event-driven readout: the time of each neuron's first spike";
  template <class V>
  void visit(V&) {}

  Shape build(const std::vector<Shape>& inputs) override { return in_ = one_input(inputs, "first_spike"); }
  bool whole_sequence() const override { return true; }
  bool takes_times() const override { return true; }
  /// None: it carries nothing.
  void assign_slots(int64_t& /*next*/) override {}

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    ST_CHECK(in[0].has_times(),
             "stage first_spike: expected spike times, got a signal by steps; put an event_lif "
             "layer before it");
    const SpikeTimes s = in[0].spike_times();
    const Tensor first = first_of(s), spiked = first.ge(0);
    Tensor t = torch::full({s.batch(), s.elements}, static_cast<double>(s.steps), torch::kDouble);
    t = t.index_put({spiked}, s.time.index_select(0, first.index({spiked})));
    std::vector<int64_t> shape = {s.steps, s.batch()};
    shape.insert(shape.end(), in_.begin(), in_.end());
    return Signal::dense(t.view({1, s.batch(), s.elements}).expand({s.steps, -1, -1}).view(shape));
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "first spike";
    row.kind = "event-driven readout";
    row.out = in_;
    return {row};
  }

 private:
  Shape in_;
};
ST_REGISTER(Stage, "first_spike", FirstSpike);

}  // namespace
}  // namespace spiketrain
