#include "spiketrain/parts/rules/eligibility.h"

#include "spiketrain/ops/chunks.h"

namespace spiketrain {
namespace {

/// Elements of a share of features.
constexpr int64_t kMinElements = 1 << 14;

/// x [B,F,*] -> [F,B*P,1]
Tensor by_feature(const Tensor& x) {
  return x.reshape({x.size(0), x.size(1), -1}).transpose(0, 1).reshape({x.size(1), -1, 1});
}

/// [F,B*P,1] -> like [B,F,*]
Tensor by_sample(const Tensor& x, const Tensor& like) {
  return x.view({like.size(1), like.size(0), -1}).transpose(0, 1).reshape(like.sizes());
}

/// What neurons read at step t.
Tensor read_at(const Synapse& synapse, const Signal& x, int64_t t) {
  return synapse.patches(x.slice(t, t + 1).values()[0]);
}

/// Features [i,j) of an array that may be of one for all.
Tensor features(const Tensor& x, int64_t i, int64_t j) { return x.size(0) == 1 ? x : x.slice(0, i, j); }

/// f(i, j) for shares of F features with `each` elements.
template <class F>
void share_features(const Tensor& out, F&& f) {
  if (!out.is_cpu()) return f(0, out.size(0));
  const int64_t each = std::max<int64_t>(1, out[0].numel());
  ops::for_chunks(out.size(0), f, std::max<int64_t>(1, kMinElements / each));
}

}  // namespace

Eligibility::Eligibility(const Record& record, double kappa, State trace)
    : record_(record), kappa_(kappa), states_(record.before.size()), trace_(std::move(trace)) {
  trace_.resize(states_ + 1);
}

Tensor Eligibility::derivative(size_t row, size_t column, int64_t t) const {
  const Tensor& d = record_.jacobian[row * (states_ + 1) + column];
  return d.defined() ? by_feature(d[t]) : Tensor();
}

/// Row k of the step: what state k, or the output, owes to the weight.
Tensor Eligibility::row(size_t k, int64_t t, const Tensor& y) const {
  std::vector<std::pair<Tensor, Tensor>> terms;  // factors
  for (size_t l = 0; l < states_; ++l) {
    if (Tensor d = derivative(k, l, t); d.defined() && trace_[l].defined()) terms.emplace_back(trace_[l], d);
  }
  if (Tensor d = derivative(k, states_, t); d.defined()) terms.emplace_back(y, d);
  if (terms.empty()) return {};
  const Tensor& d = terms[0].second;
  Tensor sum = torch::empty({d.size(0), d.size(1), y.size(2)}, y.options());
  share_features(sum, [&](int64_t i, int64_t j) {
    Tensor share = sum.slice(0, i, j);
    at::mul_out(share, features(terms[0].first, i, j), features(terms[0].second, i, j));
    for (size_t k = 1; k < terms.size(); ++k)
      share.addcmul_(features(terms[k].first, i, j), features(terms[k].second, i, j));
  });
  return sum;
}

Tensor Eligibility::advance(int64_t t, const Tensor& y) {
  Tensor f = row(states_, t, y);
  if (kappa_ != 0 && trace_[states_].defined()) {
    share_features(f, [&](int64_t i, int64_t j) {
      Tensor share = f.slice(0, i, j);
      share.add_(trace_[states_].slice(0, i, j), kappa_);
    });
  }
  State after(states_ + 1);
  for (size_t k = 0; k < states_; ++k) after[k] = row(k, t, y);
  if (kappa_ != 0) after[states_] = f;
  trace_ = std::move(after);
  return f;
}

void EligibilityRule::trace_post(Record& record) const {
  const Tensor& like = record.jacobian.back();
  const Tensor one = torch::ones({1, 1, 1}, like.options());
  Eligibility bias(record, filter(), record.trace);
  std::vector<Tensor> f;
  for (int64_t t = 0; t < like.size(0); ++t) f.push_back(by_sample(bias.advance(t, one), like[t]));
  record.trace = bias.trace();
  record.post = {torch::stack(f)};
}

/// kept: of a single step f itself, else the trace before the segment, from which backward goes once more.
void EligibilityRule::trace(const Record& record, Presynaptic& pre) const {
  pre.q = pre.x;
  Eligibility weight(record, filter(), pre.trace);
  pre.kept = pre.trace;
  Tensor f;
  for (int64_t t = 0; t < pre.x.steps(); ++t) f = weight.advance(t, read_at(*pre.synapse, pre.x, t));
  pre.trace = weight.trace();
  if (pre.x.steps() == 1) pre.kept = {f};
}

Credit EligibilityRule::credit(const Neuron&, const Record& record, const Tensor& delta, const State&) const {
  Credit credit{record.jacobian.back() * delta};
  credit.post = {delta};
  credit.g_bias = delta * record.post.at(0);
  return credit;
}

Tensor EligibilityRule::weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                                        const Tensor& g) const {
  const Tensor& delta = record.post.at(0);
  const int64_t T = pre.x.steps();
  Eligibility weight(record, filter(), T == 1 ? State() : pre.kept);
  Tensor g_W;
  for (int64_t t = 0; t < T; ++t) {
    const Tensor f = T == 1 ? pre.kept.at(0) : weight.advance(t, read_at(synapse, pre.x, t));
    const Tensor d = by_feature(delta[t]).transpose(1, 2);  // [F,1,B*P]
    Tensor now = torch::empty({d.size(0), 1, f.size(2)}, g.options());
    share_features(f, [&](int64_t i, int64_t j) {
      Tensor share = now.slice(0, i, j);
      at::bmm_out(share, d.slice(0, i, j), f.slice(0, i, j));
    });
    g_W = g_W.defined() ? g_W.add_(now) : now;
  }
  if (record.g_membrane.defined()) {  // credit that no trace stands for
    const Tensor more = outer_product(synapse, record.g_membrane.contiguous(), pre.q);
    g_W = g_W.view(more.sizes()) + more;
  }
  return g_W;
}

}  // namespace spiketrain
