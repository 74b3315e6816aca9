#include "spiketrain/cost/footprint.h"

#include <algorithm>

#include "spiketrain/ops/chunks.h"
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
    record_ = make_record(neuron, I, {}, slots);
  }

  /// The arrays of the record.
  void sizes(NeuronFootprint& f) const {
    for (const Tensor& z : record_->before) f.state += z.numel() * kFloatBytes / count_;
    f.spikes = record_->s.defined() ? 0.125 : 0;
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
      f.run = std::max(0.0, per_neuron(tracker.peak()) - static_cast<double>(f.state));
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
    if (rule.reads_patches()) synapse_traces(rule, f);
  }

  /// Of neurons that each read one value.
  void synapse_traces(const Rule& rule, NeuronFootprint& f) {
    Presynaptic pre;
    const auto synapse = make<Synapse>("linear", {{"features", record_->I.size(2)}});
    synapse->build({1});
    pre.synapse = synapse;
    pre.x = Signal::dense(torch::zeros({record_->I.size(0), 1, 1}, record_->I.options()));
    rule.trace(*record_, pre);
    const auto bytes = [&](const Tensor& z) { return z.defined() ? z.numel() * kFloatBytes / count_ : 0; };
    for (const Tensor& z : pre.trace) f.synapse_trace += bytes(z);
    for (const Tensor& z : pre.kept) {
      const auto same = [&](const Tensor& other) { return other.is_same(z); };
      if (std::none_of(pre.trace.begin(), pre.trace.end(), same)) f.synapse_kept += bytes(z);
    }
  }

  void vjp(NeuronFootprint& f) const {
    const int64_t T = record_->I.size(0);
    const Tensor delta = torch::zeros_like(record_->I);
    const MemoryTracker tracker;
    const Credit credit = neuron_.vjp(*record_, delta, {});
    f.scratch = std::max(0.0, per_neuron(tracker.peak()) / static_cast<double>(T) - kFloatBytes);
  }

 private:
  double per_neuron(int64_t bytes) const { return static_cast<double>(bytes) / static_cast<double>(count_); }

  const Neuron& neuron_;
  c10::intrusive_ptr<Record> record_;
  int64_t count_ = 0;
};

/// As LibTorch 1.13 does it on the CPU: a single small sample through columns of the input, anything else by oneDNN,
/// which reorders what it reads and writes to blocks of 16 channels (few input channels excepted).
SynapseScratch conv2d_scratch(const Config& options, const Shape& in, const Shape& out,
                              const ProductPlan& plan) {
  const int64_t kernel = options.at("kernel"), channels = out.at(0), positions = out.at(1) * out.at(2);
  const int64_t macs = numel(out) * in.at(0) * kernel * kernel;
  const int64_t least = std::max<int64_t>(1, 2000000 / macs);
  const int64_t size = ops::chunk_size(plan.rows, least), chunks = (plan.rows + size - 1) / size;
  const int64_t at_once = std::min<int64_t>(plan.threads, chunks);
  const auto blocked = [](int64_t n) { return (n + 15) / 16 * 16; };
  const int64_t x = kFloatBytes * size * numel(in), y = kFloatBytes * size * numel(out);
  const int64_t w = kFloatBytes * channels * in[0] * kernel * kernel;
  const int64_t bx = x / in[0] * blocked(in[0]), by = y / channels * blocked(channels);
  const int64_t bw = w / in[0] / channels * blocked(in[0]) * blocked(channels);
  int64_t forward = std::max(by + y, x + w + by);
  int64_t input = in[0] <= 4 ? by + w / channels * blocked(channels) : std::max(bx + x, by + bw + bx);
  int64_t weight = in[0] <= 4 ? by + w : bx + by + bw;
  if (size == 1 && numel(in) <= 20480) {
    const int64_t columns = kFloatBytes * in[0] * kernel * kernel * positions;
    forward = y + columns;
    input = x;
    weight = w + columns;
  }
  const int64_t share = plan.spikes ? x : 0;  // as floats
  // pull: also a tensor that only gives its shape.  outer: the sums of the chunks before, and such a tensor.
  return {at_once * (share + forward), at_once * (input + x),
          at_once * (share + weight) + (chunks - at_once) * w};
}

/// BLAS packs in memory of its own; what is left are spikes as floats, share by share forward, at once in outer.
SynapseScratch linear_scratch(const Shape& in, const Shape& out, const ProductPlan& plan) {
  if (!plan.spikes) return {};
  constexpr int64_t kMinShare = 48;
  const int64_t row = kFloatBytes * numel(in), all = row * plan.rows;
  const bool by_rows = plan.rows >= 2 * kMinShare || numel(out) < plan.rows;
  if (!by_rows) return {all, 0, all};
  const int64_t size = ops::chunk_size(plan.rows, kMinShare), chunks = (plan.rows + size - 1) / size;
  return {std::min<int64_t>(plan.threads, chunks) * size * row, 0, all};
}

}  // namespace

NeuronFootprint neuron_footprint(const Neuron& neuron, const Rule& rule, int64_t steps, const Shape& shape) {
  ST_CHECK(steps >= 1, "footprint: expected at least one step, got ", steps);
  Probe probe(neuron, rule, steps, shape);
  NeuronFootprint f;
  probe.sizes(f);
  probe.run(f);
  probe.traces(rule, f);
  if (rule.uses_vjp()) probe.vjp(f);
  f.scratch += static_cast<double>(rule.extra_pairs() * kFloatBytes);  // their factors
  return f;
}

SynapseScratch synapse_scratch(const Synapse& synapse, const Shape& in, const Shape& out,
                               const ProductPlan& plan) {
  if (synapse.part_name() == "conv2d") return conv2d_scratch(synapse.config(), in, out, plan);
  if (synapse.part_name() == "linear") return linear_scratch(in, out, plan);
  const int64_t floats = plan.spikes ? kFloatBytes * numel(in) * plan.rows : 0;
  return {floats, 0, floats};
}

}  // namespace spiketrain
