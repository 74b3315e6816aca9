#include "spiketrain/parts/rules/eligibility.h"

#include "spiketrain/kernels/combine_rows/combine_rows.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/pointer.h"

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

/// One sum after the other.
void combine_by_sums(const std::vector<std::vector<Eligibility::Term>>& sums, State& out) {
  for (size_t k = 0; k < sums.size(); ++k) {
    if (!out[k].defined()) continue;
    share_features(out[k], [&](int64_t i, int64_t j) {
      Tensor share = out[k].slice(0, i, j);
      const Eligibility::Term* first = sums[k].data();
      at::mul_out(share, features(first->in, i, j), features(first->factor, i, j));
      for (size_t l = 1; l < sums[k].size(); ++l) {
        const Eligibility::Term& term = sums[k][l];
        const Tensor in = features(term.in, i, j);
        if (term.factor.defined()) {
          share.addcmul_(in, features(term.factor, i, j));
        } else {
          share.add_(in, term.all);
        }
      }
    });
  }
}

/// All in one pass.
void combine_by_kernel(const std::vector<std::vector<Eligibility::Term>>& sums, int64_t N, int64_t K,
                       State& out) {
  AT_DISPATCH_FLOATING_TYPES(out.back().scalar_type(), "eligibility", [&] {
    std::vector<cpu::RowSum<scalar_t>> list;
    for (size_t k = 0; k < sums.size(); ++k) {
      if (!out[k].defined()) continue;
      cpu::RowSum<scalar_t> sum{ops::pointer<scalar_t>(out[k]), {}};
      for (const Eligibility::Term& term : sums[k]) {
        const scalar_t* factor = term.factor.defined() ? ops::pointer<scalar_t>(term.factor) : nullptr;
        sum.terms.push_back({ops::pointer<scalar_t>(term.in), std::max<int64_t>(1, term.in.numel() / K),
                             factor, static_cast<scalar_t>(term.all)});
      }
      list.push_back(std::move(sum));
    }
    cpu::combine_rows(N, K, list);
  });
}

/// The sums, [F,B*P,K] each; undefined without a term.  The last is the output's, which has some.
State combine(const std::vector<std::vector<Eligibility::Term>>& sums, int64_t K) {
  const Tensor& factor = sums.back()[0].factor;
  State out(sums.size());
  for (size_t k = 0; k < sums.size(); ++k) {
    if (!sums[k].empty()) out[k] = torch::empty({factor.size(0), factor.size(1), K}, factor.options());
  }
  if (ops::has_kernel(out.back()) && K > 0) {
    combine_by_kernel(sums, factor.size(0) * factor.size(1), K, out);
  } else {
    combine_by_sums(sums, out);
  }
  return out;
}

}  // namespace

Eligibility::Eligibility(const Record& record, double kappa, State trace)
    : record_(record), kappa_(kappa), states_(record.before.size()), trace_(std::move(trace)) {
  trace_.resize(states_ + 1);
}

Tensor Eligibility::derivative(size_t row, size_t column, int64_t t) const {
  const Tensor& d = record_.jacobian[row * (states_ + 1) + column];
  return d.defined() ? by_feature(d[t]).contiguous() : Tensor();
}

/// Row k of the step: of what state k, or the output, owes to the weight.
std::vector<Eligibility::Term> Eligibility::terms(size_t k, int64_t t, const Tensor& y) const {
  std::vector<Term> terms;
  for (size_t l = 0; l < states_; ++l) {
    if (Tensor d = derivative(k, l, t); d.defined() && trace_[l].defined())
      terms.push_back({trace_[l].contiguous(), d});
  }
  if (Tensor d = derivative(k, states_, t); d.defined()) terms.push_back({y, d});
  return terms;
}

Tensor Eligibility::advance(int64_t t, const Tensor& read) {
  const Tensor y = read.contiguous();
  std::vector<std::vector<Term>> sums;
  for (size_t k = 0; k <= states_; ++k) sums.push_back(terms(k, t, y));
  if (kappa_ != 0 && trace_[states_].defined())
    sums[states_].push_back({trace_[states_].contiguous(), Tensor(), kappa_});
  trace_ = combine(sums, y.size(2));
  const Tensor f = trace_[states_];
  if (kappa_ == 0) trace_[states_] = Tensor();
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
