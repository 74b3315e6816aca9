// Distillation: the softened output of a teacher, and the label.
//   p = softmax(teacher/temperature), q(z) = softmax(z/temperature), z[t] = scale * output at step t
//   match = "mean"   D = KL(p || q(mean over t of z[t]))
//   match = "steps"  D = mean over t of KL(p || q(z[t])): a gradient at every step, even where the mean has none
//   L = (1 - label_weight) * temperature^2 * D + label_weight * CE(mean over t of z[t], label)
// temperature^2 keeps the two terms of one size, whatever the temperature.  In segments the means are over each segment.
// Sources: Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network"; for "steps" the code of hybrid step-wise
// distillation (hsw0929/HSD), whose loss CE + weight * temperature^2 * D is L/label_weight at label_weight = 1/(1 + weight).
// Deviations: the entropy of the teacher is taken off (KL in place of cross-entropy), which changes the value and not the gradient;
// KL is a sum over classes, where that code divides by their number.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp, unit/distillation_test.cpp, golden/qcfs_test.cpp.
#include "spiketrain/core/objective.h"
#include "spiketrain/core/teacher.h"

namespace spiketrain {
namespace {

struct Distillation final : Objective, ReadsTeacher {
  static constexpr const char* kDoc =
      "divergence from a teacher's softened outputs, and cross-entropy with the label";
  double temperature = 2.0, label_weight = 0.1, scale = 1.0;
  std::string match = "mean";
  template <class V>
  void visit(V& v) {
    v(temperature, "temperature", "divides both outputs before the softmax", Range{1e-3, 1e6});
    v(label_weight, "label_weight",
      "weight of the cross-entropy with the label; the teacher's term has 1 minus this", Range{0, 1});
    v(match, "match",
      "what has to match the teacher: the output's mean over time, or the output of every step (step-wise distillation)",
      Choices{{"mean", "steps"}});
    v(scale, "scale", "factor on the output", Range{1e-9, 1e9});
  }
  Tensor loss(const Output& out, const Target& target) const override {
    ST_CHECK(target.teacher.defined(), "objective distillation: the data give no outputs of a teacher");
    const Tensor z = out.mean() * scale;
    ST_CHECK(target.teacher.sizes() == z.sizes(),
             "objective distillation: expected outputs of a teacher of shape ", z.sizes(), ", got ",
             target.teacher.sizes());
    const Tensor KL = divergence(target.teacher.to(z.scalar_type()),
                                 match == "mean" ? z : out.signal.values() * scale);  // [B] or [K,B]
    return out.average([&](int64_t reduction) {
      const Tensor from_teacher = reduction == at::Reduction::Mean ? KL.mean() : KL;
      if (label_weight == 0) return from_teacher;
      const Tensor from_label = torch::cross_entropy_loss(z, target.y, {}, reduction);
      return (1 - label_weight) * from_teacher + label_weight * from_label;
    });
  }

 private:
  /// temperature^2 * KL of the teacher's shares [B,*] from those of z [..,B,*], summed over classes.
  Tensor divergence(const Tensor& teacher, const Tensor& z) const {
    const Tensor log_p = torch::log_softmax(teacher / temperature, -1);
    const Tensor log_q = torch::log_softmax(z / temperature, -1);
    return (log_p.exp() * (log_p - log_q)).sum(-1) * (temperature * temperature);
  }
};
ST_REGISTER(Objective, "distillation", Distillation);

}  // namespace
}  // namespace spiketrain
