// Kernel (van Rossum) loss: distance between the output's PSP and that of a desired spike train.
//   L = 1/2 sum_{t,b,c} (a[t,b,c] - target[t,b,c])^2, a sum, not a mean;  target = PSP(d) for the label, 0
//   for others
// filter = "double" filters the desired train twice, as the authors' code did from 29 Oct 2020 on.
// Source: Zhang & Li 2020 and the authors' code.  Deviation: an output that emits spikes is filtered first
// (its tau_s).
#include "spiketrain/core/objective.h"
#include "spiketrain/core/ops.h"

namespace spiketrain {
namespace {

struct Kernel final : Objective {
  static constexpr const char* kDoc = "van Rossum distance to a desired spike train";
  std::string filter = "double";
  std::vector<int64_t> target;
  double tau_s = 0;
  template <class V>
  void visit(V& v) {
    v(target, "target",
      "desired train of the label's output, repeated to T steps; empty: 0,1,1,1,1 for T=5, 0,1,... for even "
      "T");
    v(filter, "filter", "how often the desired train is PSP-filtered", Choices{{"double", "single"}});
    v(tau_s, "tau_s", "time constant of the filter, steps; 0: the output neuron's", Range{0, 1e9});
  }

  void prepare(const Context& context) override {
    Objective::prepare(context);
    if (tau_s == 0) {
      ST_CHECK(context.psp, "objective kernel: the output neuron emits no PSP; set objective.tau_s");
      tau_s = context.tau_s;
    }
    ST_CHECK(context.psp || !context.windows,
             "objective kernel: an output of spikes is filtered over the whole sequence; use schedule whole");
    std::vector<int64_t> train = target;
    if (train.empty()) {
      ST_CHECK(context.steps == 5 || context.steps % 2 == 0,
               "objective kernel: no default target for T = ", context.steps,
               "; set objective.target to a list of 0 and 1");
      train = context.steps == 5 ? std::vector<int64_t>{0, 1, 1, 1, 1} : std::vector<int64_t>{0, 1};
    }
    const auto length = static_cast<int64_t>(train.size());
    ST_CHECK(context.steps % length == 0, "objective kernel: target has ", length,
             " entries, which does not divide T = ", context.steps);
    desired_ = torch::empty({context.steps}, torch::kDouble);
    for (int64_t t = 0; t < context.steps; ++t) desired_[t] = static_cast<double>(train[t % length]);
    for (int i = 0; i < (filter == "double" ? 2 : 1); ++i) {
      Tensor carried;
      desired_ = ops::psp_scan(desired_.unsqueeze(1), tau_s, carried).squeeze(1);
    }
  }
  void check() override {
    for (const int64_t d : target)
      ST_CHECK(d == 0 || d == 1, "objective kernel.target: expected 0 or 1, got ", d);
  }

  Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const override {
    Tensor psp = a;
    if (!context_.psp) {
      ST_ASSERT(window.t0 == 0 && window.t1 == context_.steps);
      Tensor carried;
      psp = ops::psp_scan(a, tau_s, carried);
    }
    const Tensor one_hot = torch::one_hot(label, context_.classes).to(a.scalar_type());
    const Tensor wanted = desired_.slice(0, window.t0, window.t1).to(a.options().requires_grad(false));
    return 0.5 * (psp - wanted.view({-1, 1, 1}) * one_hot).square().sum();
  }

 private:
  Tensor desired_;  ///< [T] PSP-filtered target of the label's output
};
ST_REGISTER(Objective, "kernel", Kernel);

}  // namespace
}  // namespace spiketrain
