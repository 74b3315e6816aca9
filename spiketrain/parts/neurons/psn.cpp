// Parallel spiking neurons that weigh the steps of a whole sequence, every neuron of a layer in the same way:
//   h[t] = sum_{j<T} We[t,j] * I[j] + bias[t];   s[t] = H(h[t]);   weight [T,T], row t: what step t reads
//   psn          We = weight: every step reads every other, later ones too
//   masked_psn   We = weight * (mask*M + (1 - mask)),  M[t,j] = 1 where t-k < j <= t, else 0
// mask = 1 reads the last k steps and nothing else: it is causal, runs in windows and step by step (state
// {I[t-1], ..., I[t-k+1], number of steps so far}), and sequences may be shorter than `steps`.  All else needs the whole
// sequence, of exactly `steps` steps, and is one matrix product.
// Initial weights: uniform, U(-b, b), b = 1/sqrt(steps); exponential, 2^(j-t) where j <= t, else 0.
// Source: Fang et al. 2023 (psn_core.h).  Deviation: there mask, called lambda, grows with the epochs; here it is an option of a run.
// Page: docs/methods/psn.md.  Tests: grad/psn_test.cpp, golden/psn_test.cpp, engine/psn_test.cpp.
#include <algorithm>
#include <cmath>

#include "spiketrain/core/initialise.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/parts/neurons/psn_core.h"
#include "spiketrain/parts/neurons/time_filter.h"

namespace spiketrain {
namespace {

struct MatrixPsn : Neuron {
  PsnCore core;
  int64_t steps = 32;
  std::string init = "uniform";
  template <class V>
  void visit_matrix(V& v) {
    v(steps, "steps", "T: steps of the sequence, as many as the recipe has", Range{1, 1 << 14});
    v(init, "init", "initial weights: uniform random, or exponential: each step half of the one after it",
      Choices{{"uniform", "exponential"}});
    core.visit(v);
  }

  void build(const Shape& /*shape*/) override {
    core.build();
    weight_ = register_parameter("weight", torch::zeros({steps, steps}));
    bias_ = register_parameter("bias", torch::full({steps}, -core.threshold, torch::kFloat));
    initialise(0, 0);
  }
  void initialise(uint64_t seed, uint64_t index) override {
    const torch::NoGradGuard no_grad;
    if (init == "uniform") {
      draw_uniform(weight_, 1 / std::sqrt(static_cast<double>(steps)), Rng(seed, Purpose::init, index, 1));
      return;
    }
    const Tensor t = torch::arange(steps, torch::kDouble);
    weight_.copy_(torch::exp2(t.unsqueeze(0) - t.unsqueeze(1)).tril());
  }

 protected:
  /// UsageError unless these are all steps of a sequence of the right length.
  void check_steps(const Record& record, Steps now) const {
    const int64_t T = record.I.size(0);
    ST_CHECK(T == steps && now.size() == T, "neuron ", part_name(), ": made for sequences of ", steps,
             " steps, all at once, but got ", now.size(), "; set neuron.steps to the recipe's steps");
  }
  /// run() over a whole sequence with this matrix.
  void run_matrix(Record& record, Steps now, const Tensor& We) const {
    const torch::NoGradGuard no_grad;
    check_steps(record, now);
    const Tensor W = We.detach(), b = bias_.detach().unsqueeze(1), own = W.diagonal().unsqueeze(1);
    const bool last = ops::channels_last(record.I);
    const Tensor I = ops::laid(record.I, last);
    const auto laid = [&](const Tensor& array) { return array.defined() ? ops::laid(array, last) : array; };
    const Tensor s = laid(record.s), u = laid(record.u), psi = laid(record.psi);
    share_steps(record.I, [&](size_t, int64_t i, int64_t j) {
      const torch::NoGradGuard no_grad_here;
      const auto part = [&](const Tensor& x) { return x.slice(1, i, j).flatten(1); };
      const Tensor h = W.mm(part(I)).add_(b);
      if (s.defined()) part(s).copy_(h >= 0);
      if (u.defined()) part(u).copy_(h);
      if (psi.defined()) part(psi).copy_(surrogate_derivative(core.curve, h) * own);
    });
    record.total = -1;
  }

  /// dL/dI, dL/dWe and dL/dbias.
  struct MatrixCredit {
    Tensor g, g_W, g_bias;
  };
  MatrixCredit matrix_credit(const Record& record, const Tensor& delta, const Tensor& We) const {
    const torch::NoGradGuard no_grad;
    const Tensor back = We.detach().t().contiguous();
    const bool last = ops::channels_last(record.I);
    const Tensor I = ops::laid(record.I, last), h = ops::laid(record.u, last), d = ops::laid(delta, last);
    Tensor g = torch::empty_like(I, I.options(), at::MemoryFormat::Contiguous);
    std::vector<MatrixCredit> parts(ops::kMaxChunks);
    const size_t n = share_steps(record.I, [&](size_t k, int64_t i, int64_t j) {
      const torch::NoGradGuard no_grad_here;
      const auto part = [&](const Tensor& x) { return x.slice(1, i, j).flatten(1); };
      const Tensor gh = core.back(part(d), part(h));
      part(g).copy_(back.mm(gh));
      parts[k] = {{}, gh.mm(part(I).t()), gh.sum(1)};
    });
    for (size_t k = 1; k < n; ++k) {
      parts[0].g_W.add_(parts[k].g_W);
      parts[0].g_bias.add_(parts[k].g_bias);
    }
    return {ops::unlaid(g, last), std::move(parts[0].g_W), std::move(parts[0].g_bias)};
  }

  Tensor weight_, bias_;  ///< [T,T], [T]
};

struct Psn final : MatrixPsn {
  static constexpr const char* kDoc =
      "parallel spiking neuron without reset: one T x T product over the whole sequence";
  template <class V>
  void visit(V& v) {
    visit_matrix(v);
  }
  bool whole_sequence() const override { return true; }
  uint32_t provides() const override { return kU; }
  uint32_t vjp_reads(const Tensor& /*I*/) const override { return kI | kU; }
  State initial(at::IntArrayRef, const torch::TensorOptions&) const override { return {}; }
  void run(Record& record, Steps now) const override { run_matrix(record, now, weight_); }
  Credit vjp(const Record& record, const Tensor& delta, const State& /*g_after*/) const override {
    MatrixCredit c = matrix_credit(record, delta, weight_);
    return {std::move(c.g), {}, {std::move(c.g_W), std::move(c.g_bias)}};
  }
};
ST_REGISTER(Neuron, "psn", Psn);

struct MaskedPsn final : MatrixPsn {
  static constexpr const char* kDoc =
      "parallel spiking neuron whose matrix over time is masked to the last k steps";
  int64_t k = 4;
  double mask = 1;
  MaskedPsn() { init = "exponential"; }
  template <class V>
  void visit(V& v) {
    v(k, "k", "steps that a step reads, itself included", Range{1, 1 << 14});
    v(mask, "mask",
      "how far the mask is on: 1: causal; below, all other steps are weighed by 1 - mask and the whole sequence is "
      "needed",
      Range{0, 1});
    visit_matrix(v);
  }
  bool whole_sequence() const override { return mask < 1; }
  uint32_t provides() const override { return mask < 1 ? kU : kU | kPsi; }
  uint32_t vjp_reads(const Tensor& /*I*/) const override { return kI | kU; }

  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    if (mask < 1) return {};
    return silent_past(taps(), shape, options);  // the last one counts
  }

  void run(Record& record, Steps now) const override {
    if (mask < 1) return run_matrix(record, now, weight_ * factors());
    const torch::NoGradGuard no_grad;
    const Tensor I = at_steps(record.I, now);
    const int64_t first = steps_so_far(record.state), dims = I.dim();
    const TimeFilter filter = band(first, now.size(), dims);
    const Tensor bias = over_time(bias_.detach().slice(0, first, first + now.size()), dims);
    const State before(record.state.begin(), record.state.end() - 1);
    share_steps(I, [&](size_t, int64_t i, int64_t j) {
      const torch::NoGradGuard no_grad_here;
      const Tensor h = filtered(filter, I.slice(1, i, j), state_share(before, i, j)).add_(bias);
      core.write(record, now, i, j, h, filter.taps.back());
    });
    const Tensor count = torch::full({}, first + now.size(), record.state.back().options());
    const at::IntArrayRef shape = record.state.back().sizes();
    record.state = past_after(before, taps() - 1, I);
    record.state.push_back(count.expand(shape));
    record.total = -1;
  }

  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override {
    const torch::NoGradGuard no_grad;
    if (mask < 1) {
      const Tensor factor = factors();
      MatrixCredit c = matrix_credit(record, delta, weight_ * factor);
      return {std::move(c.g), {}, {c.g_W * factor, std::move(c.g_bias)}};
    }
    return band_credit(record, delta, g_after);
  }

 private:
  int64_t taps() const { return std::min(k, steps); }
  /// mask*M + (1 - mask)
  Tensor factors() const {
    const Tensor M = torch::ones({steps, steps}, weight_.options().requires_grad(false)).tril().triu(1 - k);
    return M * mask + (1 - mask);
  }
  /// Numbers of steps, to broadcast over [T,B,*].
  static Tensor over_time(const Tensor& x, int64_t dims) {
    std::vector<int64_t> view(static_cast<size_t>(dims), 1);
    view[0] = x.size(0);
    return x.reshape(view);
  }
  /// Steps before those of a record with this state.
  static int64_t steps_so_far(const State& state) {
    return std::llround(state.back().as_strided({}, {}).item<double>());
  }
  void check_range(int64_t first, int64_t count) const {
    ST_CHECK(first + count <= steps, "neuron masked_psn: made for sequences of at most ", steps,
             " steps, got ", first + count, "; set neuron.steps to the recipe's steps");
  }
  /// What steps [first, first + count) read: tap i of step t is weight[t, t - lag].
  TimeFilter band(int64_t first, int64_t count, int64_t dims) const {
    check_range(first, count);
    TimeFilter filter;
    for (int64_t i = 0; i < taps(); ++i) {
      const int64_t lag = taps() - 1 - i, from = std::max(first, lag);
      Tensor tap = torch::zeros({count}, weight_.options().requires_grad(false));
      if (from < first + count)
        tap.slice(0, from - first, count)
            .copy_(weight_.detach().diagonal(-lag).slice(0, from - lag, first + count - lag));
      filter.taps.push_back(over_time(tap, dims));
    }
    return filter;
  }

  Credit band_credit(const Record& record, const Tensor& delta, const State& g_after) const {
    const int64_t T = record.I.size(0), first = steps_so_far(record.before), dims = record.I.dim();
    const TimeFilter filter = band(first, T, dims);
    const State before(record.before.begin(), record.before.end() - 1);
    struct Part {
      FilterAdjoint filter;
      Tensor g_bias;
    };
    std::vector<Part> parts(ops::kMaxChunks);
    Credit credit;
    credit.g = torch::empty_like(record.I);
    const size_t n = share_steps(record.I, [&](size_t part, int64_t i, int64_t j) {
      const torch::NoGradGuard no_grad;
      const auto share = [&](const Tensor& x) { return x.slice(1, i, j); };
      const Tensor gh = core.back(share(delta), share(record.u));
      parts[part] = {filter_adjoint(filter, share(record.I), state_share(before, i, j), gh),
                     gh.flatten(1).sum(1)};
      share(credit.g).copy_(parts[part].filter.g);
    });
    Tensor g_W = torch::zeros_like(weight_), g_bias = torch::zeros_like(bias_);
    for (size_t part = 0; part < n; ++part) {
      g_bias.slice(0, first, first + T).add_(parts[part].g_bias);
      for (int64_t i = 0; i < taps(); ++i) {
        const int64_t lag = filter.lag(i), from = std::max(first, lag);
        if (from >= first + T) continue;
        g_W.diagonal(-lag)
            .slice(0, from - lag, first + T - lag)
            .add_(parts[part].filter.g_taps[static_cast<size_t>(i)].flatten().slice(0, from - first, T));
      }
    }
    for (size_t lag = 0; lag + 1 < static_cast<size_t>(taps()); ++lag) {
      std::vector<Tensor> pieces;
      for (size_t part = 0; part < n; ++part) pieces.push_back(parts[part].filter.g_before[lag]);
      credit.g_before.push_back(torch::cat(pieces));
    }
    add_after(g_after, credit.g, credit.g_before);
    credit.g_before.emplace_back();  // nothing goes back to a number of steps
    credit.g_params = {std::move(g_W), std::move(g_bias)};
    return credit;
  }
};
ST_REGISTER(Neuron, "masked_psn", MaskedPsn);

}  // namespace
}  // namespace spiketrain
