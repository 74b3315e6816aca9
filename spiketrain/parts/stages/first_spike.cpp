// Readout of event-driven layers: the time of each neuron's first spike, in steps, the same at every step.
//   a[t] = t_first; the number of steps for a neuron that stayed silent, which gets no gradient
// With `spikes` > 1 the times of so many first spikes, those of a neuron beside each other: [N] becomes [N*spikes].
// Source: Wunderlich & Pehle 2021.  Deviation: several spikes.
// Tests: grad/event_prop_test.cpp, grad/multispike_test.cpp, engine/event_network_test.cpp.
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Positions of each element's first spikes [B,N,spikes], -1: none.
Tensor first_of(const SpikeTimes& s, int64_t spikes) {
  Tensor first = torch::full({s.batch(), s.elements, spikes}, -1, torch::kInt64);
  auto* at = first.data_ptr<int64_t>();
  const auto* offset = s.offset.data_ptr<int64_t>();
  const auto* index = s.index.data_ptr<int64_t>();
  std::vector<int64_t> seen(static_cast<size_t>(s.elements));
  for (int64_t b = 0; b < s.batch(); ++b) {
    std::fill(seen.begin(), seen.end(), 0);
    for (int64_t k = offset[b]; k < offset[b + 1]; ++k) {
      int64_t& before = seen[static_cast<size_t>(index[k])];
      if (before < spikes) at[(b * s.elements + index[k]) * spikes + before++] = k;
    }
  }
  return first;
}

/// Times, and positions of those that are shown [B,*] -> these times at every step [T,B,*].
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
  static constexpr const char* kDoc =
      "event-driven readout: the time of each neuron's first spike, or of several";
  int64_t spikes = 1;
  template <class V>
  void visit(V& v) {
    v(spikes, "spikes", "so many first spikes of each neuron, one after the other", Range{1, 1e6});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    out_ = one_input(inputs, "first_spike");
    out_.back() *= spikes;
    return out_;
  }
  bool whole_sequence() const override { return true; }
  bool takes_times() const override { return true; }
  /// None: it carries nothing.
  void assign_slots(int64_t& /*next*/) override {}

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    ST_CHECK(in[0].has_times(),
             "stage first_spike: expected spike times, got a signal by steps; put an event_lif "
             "layer before it");
    const SpikeTimes s = in[0].spike_times();
    std::vector<int64_t> shape = out_;
    shape.insert(shape.begin(), s.batch());
    return Signal::dense(ShowFirst::apply(s.time, first_of(s, spikes).view(shape), s.steps));
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = spikes == 1 ? "first spike" : str(spikes, " first spikes");
    row.kind = "event-driven readout";
    row.out = out_;
    return {row};
  }

 private:
  Shape out_;
};
ST_REGISTER(Stage, "first_spike", FirstSpike);

}  // namespace
}  // namespace spiketrain
