// Van Rossum distance between the output's PSP and that of a desired spike train.
//   L = 1/2 sum_{t,b,c} (a[t,b,c] - PSP(d)[t,b,c])^2, a sum, not a mean
// The desired train d: for classes, `target` for the label's output and no spike for the others; for spike times,
// one spike at each of the wanted steps.
// filter = "double" filters the desired train twice, as the authors' code did from 29 Oct 2020 on.
// Sources: van Rossum 2001, "A novel spike distance"; Zhang & Li 2020 and the authors' code.
// Deviation: an output that sends spikes is filtered first, with this objective's tau_s.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/ops/tssl_scan.h"
#include "spiketrain/parts/objectives/one_hot.h"

namespace spiketrain {
namespace {

struct VanRossum final : Objective {
  static constexpr const char* kDoc = "van Rossum distance to a desired spike train";
  std::string filter = "double";
  std::vector<int64_t> target;
  double tau_s = 0;
  template <class V>
  void visit(V& v) {
    v(target, "target",
      "target spike train of the label's output, repeated to T steps; empty: 0,1,1,1,1 for T=5, 0,1,... for even T");
    v(filter, "filter",
      "the target spike train passes the PSP filter once (single, the formula) or twice (double, the authors' code)",
      Choices{{"double", "single"}});
    v(tau_s, "tau_s", "time constant of the filter, steps; 0: the output neuron's", Range{0, 1e9});
  }
  std::vector<Target::Kind> targets() const override {
    return {Target::Kind::class_index, Target::Kind::spike_times};
  }
  bool sums_over_samples() const override { return true; }
  void check() override {
    for (const int64_t d : target)
      ST_CHECK(d == 0 || d == 1, "objective van_rossum.target: expected 0 or 1, got ", d);
  }

  void prepare(const Context& context) override {
    Objective::prepare(context);
    psp_ = context.emission.tau_s > 0;
    tau_ = tau_s > 0 ? tau_s : context.emission.tau_s;
    ST_CHECK(tau_ >= 1, "objective van_rossum: expected a time constant of at least 1 step, got ", tau_,
             psp_ ? "" : "; the output neuron emits no PSP, so set objective.tau_s");
    ST_CHECK(
        psp_ || !context.segments,
        "objective van_rossum: an output of spikes is filtered over the whole sequence; use schedule whole, "
        "without live");
    if (context.target == Target::Kind::class_index) desired_ = filtered(label_train());
  }

  Tensor loss(const Output& out, const Target& wanted) const override {
    Tensor a = out.signal.values();
    if (!psp_) {
      ST_CHECK(out.segment.t0 == 0 && out.segment.t1 == context_.steps,
               "objective van_rossum: an output of spikes is filtered over the whole sequence");
      Tensor carried;
      a = ops::psp_scan(a, tau_, carried);
    }
    Output difference = out;  // masked as the output itself would be
    difference.signal = Signal::dense(a - desired(wanted, out.segment, a.options().requires_grad(false)));
    return 0.5 * difference.values().square().sum();
  }

 private:
  /// PSP of a train [T,*].
  Tensor filtered(Tensor train) const {
    for (int i = 0; i < (filter == "double" ? 2 : 1); ++i) {
      Tensor carried;
      train = ops::psp_scan(train, tau_, carried);
    }
    return train;
  }
  /// [T,1], double
  Tensor label_train() const {
    const int64_t T = context_.steps;
    std::vector<int64_t> train = target;
    if (train.empty()) {
      ST_CHECK(T == 5 || T % 2 == 0, "objective van_rossum: no default target for T = ", T,
               "; set objective.target to a list of 0 and 1");
      train = T == 5 ? std::vector<int64_t>{0, 1, 1, 1, 1} : std::vector<int64_t>{0, 1};
    }
    const auto length = static_cast<int64_t>(train.size());
    ST_CHECK(T % length == 0, "objective van_rossum: target has ", length,
             " entries, which does not divide T = ", T);
    Tensor repeated = torch::empty({T, 1}, torch::kDouble);
    for (int64_t t = 0; t < T; ++t) repeated[t] = static_cast<double>(train[static_cast<size_t>(t % length)]);
    return repeated;
  }
  /// Filtered train at the steps of a segment [K,B,*out].
  Tensor desired(const Target& wanted, const Segment& segment, const torch::TensorOptions& options) const {
    if (wanted.kind == Target::Kind::class_index) {
      const Tensor train = desired_.slice(0, segment.t0, segment.t1).to(options);
      return train.view({-1, 1, 1}) * one_hot(wanted.y, context_.output[0], train.scalar_type());
    }
    const Tensor steps = torch::round(wanted.y).to(torch::kInt64);
    ST_CHECK(steps.numel() == 0 || steps.max().item<int64_t>() < context_.steps,
             "objective van_rossum: expected spike times before step ", context_.steps, ", got ",
             steps.max().item<int64_t>());
    std::vector<Tensor> train;  // a step at a time: [T,B,*out,n] would be large
    for (int64_t t = 0; t < segment.t1; ++t) train.push_back(steps.eq(t).sum(-1).to(options));
    return filtered(torch::stack(train)).slice(0, segment.t0, segment.t1);
  }

  bool psp_ = false;  ///< the output is a PSP
  double tau_ = 1;
  Tensor desired_;  ///< [T,1] PSP-filtered train of the label's output
};
ST_REGISTER(Objective, "van_rossum", VanRossum);

}  // namespace
}  // namespace spiketrain
