#include "spiketrain/engine/step_scores.h"

#include <cmath>
#include <utility>

#include "spiketrain/engine/run.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain {
namespace {

/// BPTT that takes norms in place of weight gradients.  A synapse knows the time by its trace, which counts steps.
struct StepNorms final : Rule {
  explicit StepNorms(int64_t steps) : norms(torch::zeros({steps}, torch::kDouble)) {}

  void trace(const Record& /*record*/, Presynaptic& pre) const override {
    pre.q = pre.x;
    const int64_t before = pre.trace.empty() ? 0 : pre.trace[0].item<int64_t>();
    pre.kept = pre.trace = {torch::tensor(before + pre.x.steps(), torch::kInt64)};
  }
  Tensor weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                         const Tensor& g) const override {
    if (!record.spiking()) return {};  // an analog readout
    const int64_t K = g.size(0);
    double* norm = norms.data_ptr<double>() + (pre.kept[0].item<int64_t>() - K);
    for (int64_t t = 0; t < K; ++t)
      norm[t] +=
          std::sqrt(ops::sum_squares(outer_product(synapse, g.slice(0, t, t + 1), pre.q.slice(t, t + 1))));
    return {};
  }

  Tensor norms;
};

/// Takes the gradients away and puts them back.
class SetAside {
 public:
  explicit SetAside(const Network& network) : parameters_(network.parameters()) {
    for (Tensor& p : parameters_) gradients_.push_back(std::exchange(p.mutable_grad(), Tensor()));
  }
  ~SetAside() {
    for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = gradients_[i];
  }
  SetAside(const SetAside&) = delete;
  SetAside& operator=(const SetAside&) = delete;

 private:
  std::vector<Tensor> parameters_, gradients_;
};

}  // namespace

Plan scoring_plan(int64_t steps) { return make<Schedule>("checkpointed")->plan({steps}); }

Tensor step_scores(const LearnerParts& parts, const Batch& batch, uint64_t iteration) {
  const auto rule = std::make_shared<const StepNorms>(parts.steps);
  LearnerParts exact = parts;
  exact.method = {rule};
  exact.regularizers.clear();  // a step is worth what it adds to the objective's gradient
  const SetAside gradients(*parts.network);
  Run(exact, batch, Mode::replay, iteration, nullptr).exact(scoring_plan(parts.steps));
  return rule->norms;
}

}  // namespace spiketrain
