// Distillation: the softened output of a teacher, and the label.
//   p = softmax(teacher/temperature), q = softmax(z/temperature), z = scale * mean of the output over time
//   L = (1 - label_weight) * temperature^2 * KL(p || q) + label_weight * CE(z, label)
// temperature^2 keeps the two terms of one size, whatever the temperature.
// Source: Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network".  Deviation: the entropy of the
// teacher is taken off (KL in place of cross-entropy), which changes the value and not the gradient.
// Tests: unit/objective_value_test.cpp, unit/objective_padding_test.cpp.
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct Distillation final : Objective {
  static constexpr const char* kDoc =
      "divergence from a teacher's softened outputs, and cross-entropy with the label";
  double temperature = 2.0, label_weight = 0.1, scale = 1.0;
  template <class V>
  void visit(V& v) {
    v(temperature, "temperature", "divides both outputs before the softmax", Range{1e-3, 1e6});
    v(label_weight, "label_weight",
      "weight of the cross-entropy with the label; the teacher's term has 1 minus this", Range{0, 1});
    v(scale, "scale", "factor on the output's mean", Range{1e-9, 1e9});
  }
  Tensor loss(const Output& out, const Target& target) const override {
    ST_CHECK(target.teacher.defined(), "objective distillation: the data give no outputs of a teacher");
    const Tensor z = out.mean() * scale;
    ST_CHECK(target.teacher.sizes() == z.sizes(),
             "objective distillation: expected outputs of a teacher of shape ", z.sizes(), ", got ",
             target.teacher.sizes());
    const Tensor log_p = torch::log_softmax(target.teacher.to(z.scalar_type()) / temperature, 1);
    const Tensor log_q = torch::log_softmax(z / temperature, 1);
    const Tensor KL = (log_p.exp() * (log_p - log_q)).sum(1) * (temperature * temperature);
    return out.average([&](int64_t reduction) {
      const Tensor from_teacher = reduction == at::Reduction::Mean ? KL.mean() : KL;
      if (label_weight == 0) return from_teacher;
      const Tensor from_label = torch::cross_entropy_loss(z, target.y, {}, reduction);
      return (1 - label_weight) * from_teacher + label_weight * from_label;
    });
  }
};
ST_REGISTER(Objective, "distillation", Distillation);

}  // namespace
}  // namespace spiketrain
