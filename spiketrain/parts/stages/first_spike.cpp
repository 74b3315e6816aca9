// Readout of event-driven layers: the time of each neuron's first spike, in steps, the same at every step.
//   a[t] = t_first; the number of steps for a neuron that stayed silent, which gets no gradient
// Source: Wunderlich & Pehle 2021.  Deviation: none.
// Tests: grad/event_prop_test.cpp, engine/event_network_test.cpp.
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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

/// Times, and the position of each element's first one [B,*] -> that time at every step [T,B,*].
struct ShowFirst : torch::autograd::Function<ShowFirst> {
  static Tensor forward(AutogradContext* ctx, const Tensor& time, const Tensor& first, int64_t steps) {
    const Tensor spiked = first.ge(0);
    Tensor t = torch::full(first.sizes(), static_cast<double>(steps), torch::kDouble);
    t.index_put_({spiked}, time.index_select(0, first.index({spiked})));
    ctx->save_for_backward({first});
    ctx->saved_data["spikes"] = time.size(0);
    std::vector<int64_t> shape = first.sizes().vec();
    shape.insert(shape.begin(), steps);
    return t.unsqueeze(0).expand(shape);
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const ops::OneThread one_thread;  // the sum has the same bits on any number of threads
    const Tensor first = ctx->get_saved_variables()[0], spiked = first.ge(0);
    Tensor g_time = torch::zeros({ctx->saved_data["spikes"].toInt()}, torch::kDouble);
    g_time.index_put_({first.index({spiked})}, g[0].sum(0).index({spiked}));
    return {g_time, Tensor(), Tensor()};
  }
};

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
    std::vector<int64_t> shape = in_;
    shape.insert(shape.begin(), s.batch());
    return Signal::dense(ShowFirst::apply(s.time, first_of(s).view(shape), s.steps));
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
