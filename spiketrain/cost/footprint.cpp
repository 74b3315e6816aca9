#include "spiketrain/cost/footprint.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/ops/memory_tracker.h"

namespace spiketrain {
namespace {

constexpr int64_t kProbe = 1024;  ///< neurons in a probe: scalars beside them hardly count
constexpr int64_t kLongest = 64;  ///< steps in a probe: bytes per step hardly change with more

/// A few neurons over a segment of zeros.
class Probe {
 public:
  Probe(const Neuron& neuron, const Rule& rule, int64_t steps, const Shape& shape) : neuron_(neuron) {
    torch::TensorOptions options(torch::kFloat);
    bool shared = true;  // all neurons share their parameters, so that any number of them will do
    for (const Tensor& p : neuron.parameters()) {
      options = p.options().requires_grad(false);
      shared = shared && p.numel() == 1;
    }
    for (const Tensor& b : neuron.buffers()) shared = shared && b.numel() == 1;
    std::vector<int64_t> sizes = {1, 1};
    if (shared) {
      sizes.push_back(kProbe);
    } else {
      sizes.insert(sizes.end(), shape.begin(), shape.end());
    }
    count_ = shared ? kProbe : numel(shape);
    const int64_t most = std::max<int64_t>(1, kLongest * kProbe / count_);
    sizes[0] = neuron.whole_sequence() ? steps : std::min(steps, most);
    const Tensor I = torch::zeros(sizes, options);
    const uint32_t slots = rule.needs() | (rule.uses_vjp() ? neuron.vjp_reads(I) : 0);
    record_ = make_record(neuron, I, {}, slots, Storage::bits);
  }

  /// The arrays of the record.
  void sizes(NeuronFootprint& f) const {
    for (const Tensor& z : record_->before) f.state += z.numel() * kFloatBytes / count_;
    // As many bits as the greatest count takes.
    if (record_->spiking()) f.spikes = 0.125 * std::ceil(std::log2(neuron_.emits().levels + 1));
    f.values = record_->a.defined() ? kFloatBytes : 0;
    f.slots = (record_->u.defined() ? kFloatBytes : 0) + (record_->psi.defined() ? kFloatBytes : 0);
    f.current = (record_->slots & kI) ? kFloatBytes : 0;
  }

  void run(NeuronFootprint& f) {
    const torch::NoGradGuard no_grad;
    const int64_t T = record_->I.size(0), first = neuron_.whole_sequence() ? T : 1;
    int64_t allocated = 0;
    {
      const MemoryTracker tracker;
      neuron_.run(*record_, {0, first});
      allocated = tracker.allocated();
    }
    const auto* stepped = dynamic_cast<const Stepped*>(&neuron_);
    if (stepped) {
      const MemoryTracker tracker;
      stepped->step(record_->I[0], record_->before);
      f.ops = per_neuron(tracker.allocated()) / kFloatBytes;
    } else {
      const int64_t moved = (f.spikes > 0 ? kFloatBytes : 0) + f.values + f.slots +
                            kFloatBytes;  // a spike is a word like others
      f.ops = (per_neuron(allocated) / static_cast<double>(first) + static_cast<double>(moved)) / kFloatBytes;
    }
    if (T > first) neuron_.run(*record_, {first, T});
  }

  /// What the rule carries and keeps of the neuron; after run().
  void traces(const Rule& rule, NeuronFootprint& f) {
    const torch::NoGradGuard no_grad;
    rule.trace_post(*record_);
    for (const Tensor& z : record_->trace) f.trace += z.numel() * kFloatBytes / count_;
    f.slots += static_cast<int64_t>(record_->post.size()) * kFloatBytes;
    for (const Tensor& d : record_->jacobian) f.derivatives += d.defined() ? 1 : 0;
    f.slots += f.derivatives * kFloatBytes;
  }

 private:
  double per_neuron(int64_t bytes) const { return static_cast<double>(bytes) / static_cast<double>(count_); }

  const Neuron& neuron_;
  c10::intrusive_ptr<Record> record_;
  int64_t count_ = 0;
};

}  // namespace

NeuronFootprint neuron_footprint(const Neuron& neuron, const Rule& rule, int64_t steps, const Shape& shape) {
  ST_CHECK(steps >= 1, "footprint: expected at least one step, got ", steps);
  Probe probe(neuron, rule, steps, shape);
  NeuronFootprint f;
  probe.sizes(f);
  probe.run(f);
  probe.traces(rule, f);
  return f;
}

}  // namespace spiketrain
