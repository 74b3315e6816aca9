// Distance of the output to what it should be, at every step or of its mean over the segment.
//   mse        L = mean (a - y)^2
//   smooth_l1  L = mean h(a - y), h(d) = d^2/2 if |d| < 1, else |d| - 1/2   (Huber, beta = 1)
// mean over steps, batch and outputs.  y: for classes, `value` for the label's output and 0 for the others; for
// values, the sample's vector; for a sequence, the vector of the step.
// Sources: Ma et al. 2022 (mse at every step, on spikes); Kaiser et al. 2020, DECOLLE (smooth_l1 at every step).
// Deviation: none.  Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp, engine/targets_test.cpp.
#include "spiketrain/parts/objectives/one_hot.h"

namespace spiketrain {
namespace {

struct Distance : Objective {
  std::string over = "step";
  double value = 1.0;
  template <class V>
  void visit(V& v) {
    v(over, "over", "the output is compared at every step, or its mean over the window",
      Choices{{"step", "window"}});
    v(value, "value", "target output of the label", Range{-1e6, 1e6});
  }
  std::vector<Target::Kind> targets() const override {
    return {Target::Kind::class_index, Target::Kind::values, Target::Kind::sequence};
  }
  void prepare(const Context& context) override {
    Objective::prepare(context);
    ST_CHECK(over == "step" || context.target != Target::Kind::sequence, "objective ", part_name(),
             ": a target for each step is compared at every step; use over = \"step\"");
  }
  Tensor loss(const Output& out, const Target& target) const override {
    const Tensor z = over == "step" ? out.values() : out.mean().unsqueeze(0);
    const Tensor y = wanted(target, out.segment, z.scalar_type()).expand_as(z);
    return out.average([&](int64_t reduction) {
      const Tensor d = distance(z, y, reduction);
      if (reduction == at::Reduction::Mean) return d;
      const Tensor each = d.flatten(2).mean(2);
      return over == "step" ? each : each.squeeze(0);
    });
  }

 protected:
  virtual Tensor distance(const Tensor& a, const Tensor& wanted, int64_t reduction) const = 0;

 private:
  Tensor wanted(const Target& target, const Segment& segment, torch::ScalarType type) const {
    if (target.kind == Target::Kind::class_index) return one_hot(target.y, context_.output[0], type) * value;
    if (target.kind == Target::Kind::sequence) return target.y.slice(0, segment.t0, segment.t1).to(type);
    return target.y.to(type);
  }
};

struct Mse final : Distance {
  static constexpr const char* kDoc = "mean squared distance to the one-hot label, or to the target values";
  Tensor distance(const Tensor& a, const Tensor& wanted, int64_t reduction) const override {
    return torch::mse_loss(a, wanted, reduction);
  }
};
ST_REGISTER(Objective, "mse", Mse);

struct SmoothL1 final : Distance {
  static constexpr const char* kDoc =
      "smooth L1 (Huber) distance to the one-hot label, or to the target values";
  Tensor distance(const Tensor& a, const Tensor& wanted, int64_t reduction) const override {
    return torch::smooth_l1_loss(a, wanted, reduction);
  }
};
ST_REGISTER(Objective, "smooth_l1", SmoothL1);

}  // namespace
}  // namespace spiketrain
