// Max pooling of spike times: the earliest spike of each window of k x k, and no other; rows and columns that do not fill a window are
// ignored.  The gradient goes to that spike; of equal times the lower element is the earliest.
// Source: Zhang et al. (arXiv 2003.11837).  Deviation: none.  Tests: golden/relpsp_test.cpp, grad/relpsp_test.cpp.
#include "spiketrain/ops/event_relpsp.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/parts/stages/event_stage.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Times that arrive, and which of them go on.
struct KeepTimes : torch::autograd::Function<KeepTimes> {
  static Tensor forward(AutogradContext* ctx, const Tensor& time, const Tensor& kept) {
    ctx->save_for_backward({kept});
    ctx->saved_data["spikes"] = time.size(0);
    return time.index_select(0, kept);
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const ops::OneThread one_thread;
    Tensor g_time = torch::zeros({ctx->saved_data["spikes"].toInt()}, torch::kDouble);
    g_time.index_put_({ctx->get_saved_variables()[0]}, g[0]);
    return {g_time, Tensor()};
  }
};

struct EventPool final : Stage {
  static constexpr const char* kDoc = "max pooling of spike times: the earliest spike of a window";
  int64_t window = 2;
  template <class V>
  void visit(V& v) {
    v(window, "window", "side of a window", Range{1, 63});
  }
  Shape build(const std::vector<Shape>& inputs) override {
    in_ = one_input(inputs, "event_pool");
    ST_CHECK(in_.size() == 3 && in_[1] >= window && in_[2] >= window, "stage event_pool: windows of ", window,
             "x", window, " need a map [C,H,W] of at least that size; got ", at::IntArrayRef(in_));
    return {in_[0], in_[1] / window, in_[2] / window};
  }
  bool whole_sequence() const override { return true; }
  bool takes_times() const override { return true; }
  bool sends_times() const override { return true; }
  /// None: it carries nothing.
  void assign_slots(int64_t& /*next*/) override {}
  std::string notation() const override { return str("MP", window); }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    const SpikeTimes s = arrivals(in[0], "event_pool");
    ops::EarliestSpikes earliest = ops::earliest_spikes(s, in_[0], in_[1], in_[2], window);
    if (at::GradMode::is_enabled()) earliest.sent.time = KeepTimes::apply(s.time, earliest.kept);
    return Signal::times(std::move(earliest.sent));
  }
  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = "earliest spike";
    row.out = {in_[0], in_[1] / window, in_[2] / window};
    row.values = Values::binary;
    return {row};
  }

 private:
  Shape in_;
};
ST_REGISTER(Stage, "event_pool", EventPool);

}  // namespace
}  // namespace spiketrain
