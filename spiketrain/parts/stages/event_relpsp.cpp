// Layers of neurons with the rectified linear PSP, in continuous time: spike times in, at most one spike time of each neuron
// out, found exactly; the way back is their exact adjoint (STDBP).  Fully connected and convolution.
//   V_j(t) = sum_i w_ij max(t - t_i, 0);  j spikes when V_j reaches the threshold, within the sequence
// A spike of a signal by steps arrives at the beginning of its step.  Silent neurons get no gradient from spike times, so there are
// two further ones:
//   revive   of a map (a neuron, if fully connected) that spikes in less than a share `least_active` of samples and places:
//            penalty revive * mean over maps of max(0, least_active - share)^2, whose derivative enters at the membranes of
//            silent neurons at the end of the sequence, as if the share grew with V/threshold there.  Like
//            weight decay it joins the gradient, not the loss that is reported.
//   late     for the layer that is read out: silent neurons send a time past the end, the later the lower their membrane.
// Sources: kernels/event_relpsp/event_relpsp.h.  Deviation: revive and late are ours.
// Tests: equiv/event_relpsp_test.cpp, golden/relpsp_test.cpp, grad/relpsp_test.cpp, engine/ttfs_network_test.cpp.
#include "spiketrain/parts/stages/event_relpsp.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Times that arrive and W -> times that leave.
struct FireOnce : torch::autograd::Function<FireOnce> {
  static Tensor forward(AutogradContext* ctx, const Tensor& arrivals, const Tensor& /*W*/, RelpspCallP call) {
    ctx->saved_data["pull"] = arrivals.requires_grad();
    Tensor times = call->out.sent.time.alias();
    ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(call));
    return times;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    const RelpspCallP call = held_relpsp_call(ctx);
    ops::RelpspCredit credit =
        ops::event_relpsp_backward(call->p, call->map, call->in, call->W, call->out, {g[0], call->g_silent},
                                   ctx->saved_data["pull"].toBool());
    return {credit.time, credit.weight, Tensor()};
  }
};

struct RelpspLayer : RelpspStage {
  bool falling = false;
  double clip = 0, least_active = 0.1, revive = 1, late = 0;

  template <class V>
  void visit(V& v) {
    v(threshold, "threshold", "firing threshold", Range{1e-6, 1e6});
    v(falling, "falling",
      "the layer spikes in a window of its own, after all of its input, in which the threshold falls to 0 in a straight line");
    RelpspStage::visit(v);
    v(least_active, "least_active",
      "share of the samples in which a neuron should spike; of a convolution, of samples and places of a map",
      Range{0, 1});
    v(revive, "revive", "weight of the penalty on neurons that spike in fewer; 0: none", Range{0, 1e9});
    v(late, "late",
      "silent neurons send a time of steps*(1 + late*(1 - V/threshold)), V at the end, that readouts see; 0: none",
      Range{0, 1e6});
    v(clip, "clip",
      "bound on the factors 1/slope and time/slope of the gradient, with time in units of the sequence and the slope in thresholds; 0: none, exact",
      Range{0, 1e9});
  }
  void check() override {
    ST_CHECK(late == 0 || revive == 0, "stage ", part_name(),
             ": late times give silent neurons their error already; set revive = 0");
  }
  bool sends_times() const override { return true; }

  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& /*carry*/) override {
    RelpspCallP call = this->call(in[0]);
    call->p.falling = falling;
    call->p.clip = clip;
    call->p.late = late;
    call->out = ops::event_relpsp_forward(call->p, call->map, call->in, call->W);
    SpikeTimes sent = call->out.sent;
    if (context.tally && context.mode != Mode::replay)
      context.tally->add(slot_, sent.time.numel() - call->out.late,
                         sent.steps * sent.batch() * map_.neurons());
    if (at::GradMode::is_enabled()) {
      if (revive > 0 && context.training()) call->g_silent = revival(call->out.sent);
      sent.time = FireOnce::apply(edge_of(in[0], *call), W_, call);
    }
    return Signal::times(std::move(sent));
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row = info(falling ? "ReL-PSP, falling threshold" : "ReL-PSP");
    row.out = out_;
    row.neurons = map_.neurons();
    row.values = Values::binary;
    return {row};
  }

 private:
  /// d(penalty)/dV [B, neurons].
  Tensor revival(const SpikeTimes& sent) const {
    const int64_t B = sent.batch();
    const auto places = static_cast<double>(B * map_.positions());
    std::vector<double> share(static_cast<size_t>(map_.maps));
    const auto* neuron = sent.index.data_ptr<int64_t>();
    for (int64_t k = 0; k < sent.index.numel(); ++k)
      share[static_cast<size_t>(neuron[k] / map_.positions())] += 1 / places;
    Tensor g = torch::empty({map_.maps, map_.positions()}, torch::kDouble);
    const double factor = -2 * revive / (static_cast<double>(map_.maps) * places * threshold);
    for (int64_t m = 0; m < map_.maps; ++m)
      g[m].fill_(factor * std::max(0.0, least_active - share[static_cast<size_t>(m)]));
    return g.view({1, map_.neurons()}).expand({B, map_.neurons()}).contiguous();
  }

 protected:
  Shape out_;
};

struct EventRelpsp final : RelpspLayer {
  static constexpr const char* kDoc =
      "event-driven layer with the rectified linear PSP, one exact spike time each";
  int64_t features = 10;
  template <class V>
  void visit(V& v) {
    v(features, "features", "number of neurons", Range{1, 1 << 24});
    RelpspLayer::visit(v);
  }
  Shape build(const std::vector<Shape>& inputs) override {
    map_.channels = numel(one_input(inputs, "event_relpsp"));
    map_.maps = features;
    W_ = register_parameter("weight", torch::zeros({features, map_.channels}));
    return out_ = {features};
  }
  std::string notation() const override { return std::to_string(features); }
};
ST_REGISTER(Stage, "event_relpsp", EventRelpsp);

struct EventRelpspConv2d final : RelpspLayer {
  static constexpr const char* kDoc = "the same as a convolution of maps of spike times";
  int64_t channels = 16, kernel = 5, stride = 1, padding = 0;
  template <class V>
  void visit(V& v) {
    v(channels, "channels", "number of maps", Range{1, 65536});
    v(kernel, "kernel", "side of the kernel", Range{1, 63});
    v(stride, "stride", "pixels from one place to the next", Range{1, 63});
    v(padding, "padding", "silent pixels added on each side", Range{0, 63});
    RelpspLayer::visit(v);
  }
  Shape build(const std::vector<Shape>& inputs) override {
    const Shape& in = one_input(inputs, "event_relpsp_conv2d");
    ST_CHECK(in.size() == 3 && in[1] + 2 * padding >= kernel && in[2] + 2 * padding >= kernel,
             "stage event_relpsp_conv2d: a ", kernel, "x", kernel, " kernel with padding ", padding,
             " needs a map [C,H,W] of at least that size; got ", at::IntArrayRef(in));
    map_ = {in[0], in[1], in[2], channels, kernel, stride, padding};
    W_ = register_parameter("weight", torch::zeros({channels, in[0], kernel, kernel}));
    return out_ = {channels, map_.out_height(), map_.out_width()};
  }
  std::string notation() const override {
    return str(channels, "C", kernel, padding > 0 ? str("p", padding) : "",
               stride > 1 ? str("s", stride) : "");
  }
};
ST_REGISTER(Stage, "event_relpsp_conv2d", EventRelpspConv2d);

}  // namespace
}  // namespace spiketrain
