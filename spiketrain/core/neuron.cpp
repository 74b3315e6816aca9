#include "spiketrain/core/neuron.h"

#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <functional>

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Neuron, "neuron")

namespace {

/// Whether the values lie in the order of bits (ops/spike_bits.h): maps pixel by pixel, all else as it is counted.
bool lies_as_bits(const Tensor& I, bool last) {
  const Tensor x = ops::repeats(I) ? I[0] : I;
  const bool two_orders = I.dim() == 5 && I.size(2) > 1 && I.size(3) * I.size(4) > 1;
  return last || (x.is_contiguous() && !two_orders);
}

}  // namespace

c10::intrusive_ptr<Record> make_record(const Neuron& neuron, Tensor I, State before, uint32_t slots,
                                       Storage storage) {
  auto record = c10::make_intrusive<Record>();
  const Emission emission = neuron.emits();
  const auto options = I.options().requires_grad(false);
  if (before.empty()) before = neuron.initial(I.sizes().slice(1), options);
  // Maps lie as those of the current do.
  const bool last = ops::channels_last(I);
  const auto array = [&] { return ops::laid_empty(I.sizes(), options, last); };
  record->slots = slots;
  record->type = I.scalar_type();
  record->before = before;
  record->state = std::move(before);
  const bool repeats = ops::repeats(I);
  const bool scans = storage != Storage::arrays && lies_as_bits(I, last) && neuron.scans(I, slots);
  if (scans) {
    record->sent = Spikes::from_bits(ops::empty_bits(I.sizes(), 1), /*total=*/-1, 1);
  } else if (!emission.analog()) {
    record->s = ops::laid_empty(I.sizes(), options.dtype(torch::kUInt8), last);
  }
  if (emission.analog() || (!emission.bare() && (!scans || (slots & kPsp)))) record->a = array();
  if (slots & kU)
    record->u = scans && storage == Storage::in_place && !repeats && !(slots & kI) ? I : array();
  if (slots & kPsi) record->psi = array();
  record->I = std::move(I);
  return record;
}

void set_coefficient(Neuron& neuron, const std::string& name, const Tensor& values) {
  const auto buffers = neuron.named_buffers(/*recurse=*/false);
  const Tensor* buffer = buffers.find(name);
  ST_CHECK(buffer != nullptr, "neuron '", neuron.part_name(), "' holds no coefficient '", name,
           "' per channel or neuron; it holds: ", buffers.is_empty() ? "none" : join(buffers.keys()));
  ST_CHECK(at::is_expandable_to(values.sizes(), buffer->sizes()), "coefficient '", name,
           "': expected values that expand to ", buffer->sizes(), ", got ", values.sizes());
  torch::NoGradGuard no_grad;
  Tensor(*buffer).copy_(values);
}

namespace {

/// Samples of a share, for a current of this shape.
int64_t least_samples(at::IntArrayRef sizes) {
  constexpr int64_t kMinElements = 1 << 12;
  const int64_t each = c10::multiply_integers(sizes.slice(2));
  return std::max<int64_t>(1, kMinElements / std::max<int64_t>(1, each));
}

/// f(part, begin, end) for shares of the samples: elementwise operations whose last bits depend on where a vector ends
/// (and sums for parameters) then do not depend on the number of threads.  Returns the number of parts.
size_t share_samples(const Tensor& I, const std::function<void(size_t, int64_t, int64_t)>& f) {
  const int64_t B = I.size(1), least = least_samples(I.sizes()), size = ops::chunk_size(B, least);
  if (!I.is_cpu() || B <= size) {
    const ops::OneThread one_thread;
    f(0, 0, B);
    return 1;
  }
  ops::for_chunks(
      B, [&](int64_t i, int64_t j) { f(static_cast<size_t>(i / size), i, j); }, least);
  return static_cast<size_t>((B + size - 1) / size);
}

/// Of [T,B,*], or undefined.
Tensor samples_between(const Tensor& x, int64_t i, int64_t j) { return x.defined() ? x.slice(1, i, j) : x; }

State samples_between(const State& state, int64_t i, int64_t j) {
  State share;
  for (const Tensor& z : state) share.push_back(z.defined() ? z.slice(0, i, j) : z);
  return share;
}

/// Derivatives of `of`, which no two neurons of a layer share, by `leaves`; undefined: none.  `last`: of this graph.
std::vector<Tensor> derivatives(const Tensor& of, const std::vector<Tensor>& leaves, bool last) {
  if (!of.requires_grad()) return std::vector<Tensor>(leaves.size());
  const torch::AutoGradMode grad(true);
  return torch::autograd::grad({of.sum()}, leaves, {}, /*retain_graph=*/!last, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

/// Step t of Record::jacobian, from the leaves {states, current} of the step.
void keep_jacobian(Record& record, int64_t t, const Stepped::Step& now, const std::vector<Tensor>& leaves) {
  const size_t rows = leaves.size();
  record.jacobian.resize(rows * rows);
  for (size_t row = 0; row < rows; ++row) {
    const bool last = row + 1 == rows;
    const auto d = derivatives(last ? now.a : now.next[row], leaves, last && !record.psi.defined());
    for (size_t column = 0; column < rows; ++column) {
      Tensor& kept = record.jacobian[row * rows + column];
      const bool psi = last && column + 1 == rows;
      if ((d[column].defined() || psi) && !kept.defined()) kept = torch::zeros_like(record.I);
      if (d[column].defined()) kept[t].copy_(d[column]);
    }
  }
}

void run_by_steps(const Stepped& neuron, Record& record, Steps steps) {
  const bool want_psi = record.psi.defined(), want_jacobian = record.slots & kJacobian;
  for (int64_t t = steps.begin; t < steps.end; ++t) {
    torch::AutoGradMode grad(want_psi || want_jacobian);
    State before = record.state;
    if (want_jacobian) {
      for (Tensor& z : before) z = z.detach().requires_grad_();
    }
    const Tensor I = want_psi || want_jacobian ? record.I[t].detach().requires_grad_() : record.I[t];
    Stepped::Step now = neuron.step(I, before);
    torch::NoGradGuard no_grad;
    if (want_jacobian) {
      std::vector<Tensor> leaves = before;
      leaves.push_back(I);
      keep_jacobian(record, t, now, leaves);
    }
    if (want_psi) {
      const Tensor psi = derivatives(now.a, {I}, /*last=*/true)[0];
      record.psi[t].copy_(psi.defined() ? psi : torch::zeros_like(I));
    }
    ST_CHECK(now.next.size() == record.state.size(), "neuron ", neuron.part_name(), ": initial() has ",
             record.state.size(), " states, step() returned ", now.next.size());
    if (record.a.defined()) record.a[t].copy_(now.a);
    if (record.s.defined()) record.s[t].copy_(now.s);
    if (record.u.defined()) {
      ST_CHECK(now.u.defined(), "a neuron that provides the membrane before reset must set Step::u");
      record.u[t].copy_(now.u);
    }
    for (size_t k = 0; k < now.next.size(); ++k) record.state[k] = now.next[k].detach();
  }
}

/// What goes back: dL/da, dL/d(membrane before reset), dL/d(state after); undefined: none.  `local`: through no time edge.
struct Backward {
  Tensor delta, du;
  State g_after;
  bool local = false;
};

Credit adjoint_by_steps(const Stepped& neuron, const Record& record, const Backward& from) {
  torch::AutoGradMode grad(true);
  const int64_t T = record.I.size(0);
  const Tensor I = record.I.detach().requires_grad_();
  std::vector<Tensor> leaves = {I};
  State state;
  for (const Tensor& z : record.before) {
    state.push_back(z.detach().requires_grad_());
    leaves.push_back(state.back());
  }
  const std::vector<Tensor> params = neuron.parameters();
  leaves.insert(leaves.end(), params.begin(), params.end());
  std::vector<Tensor> outputs, gradients;
  for (int64_t t = 0; t < T; ++t) {
    Stepped::Step now = neuron.step(I[t], state);
    if (from.delta.defined()) {
      outputs.push_back(now.a);
      gradients.push_back(from.delta[t]);
    }
    if (from.du.defined()) {
      outputs.push_back(now.u);
      gradients.push_back(from.du[t]);
    }
    state = std::move(now.next);
    for (size_t k = 0; from.local && k < state.size(); ++k) state[k] = state[k].detach();
  }
  for (size_t k = 0; k < state.size(); ++k) {
    if (k >= from.g_after.size() || !from.g_after[k].defined() || !state[k].requires_grad()) continue;
    outputs.push_back(state[k]);
    gradients.push_back(from.g_after[k]);
  }
  auto g = torch::autograd::grad(outputs, leaves, gradients, /*retain_graph=*/false, /*create_graph=*/false,
                                 /*allow_unused=*/true);
  for (size_t k = 0; k < g.size(); ++k) {
    if (!g[k].defined()) g[k] = torch::zeros_like(leaves[k]);
  }
  const auto params_at = g.begin() + 1 + static_cast<int64_t>(record.before.size());
  return {g[0], State(g.begin() + 1, params_at), std::vector<Tensor>(params_at, g.end())};
}

c10::intrusive_ptr<Record> samples_between(const Record& record, int64_t i, int64_t j) {
  auto share = c10::make_intrusive<Record>();
  share->I = samples_between(record.I, i, j);
  share->before = samples_between(record.before, i, j);
  share->state = samples_between(record.state, i, j);
  share->a = samples_between(record.a, i, j);
  share->s = samples_between(record.s, i, j);
  share->u = samples_between(record.u, i, j);
  share->psi = samples_between(record.psi, i, j);
  share->slots = record.slots;
  for (const Tensor& d : record.jacobian) share->jacobian.push_back(samples_between(d, i, j));
  return share;
}

/// Whether share_samples() makes but one.
bool one_share(const Tensor& I) { return ops::chunk_size(I.size(1), least_samples(I.sizes())) >= I.size(1); }

/// adjoint_by_steps() over shares of the samples.
Credit adjoint_by_shares(const Stepped& neuron, const Record& record, const Backward& from) {
  Credit all;
  std::vector<std::vector<Tensor>> params(ops::kMaxChunks);
  const bool whole = !record.I.is_cpu() || one_share(record.I);
  if (!whole) {  // each share writes its part
    all.g = torch::empty_like(record.I);
    for (const Tensor& z : record.before) all.g_before.push_back(torch::empty_like(z));
  }
  const size_t n = share_samples(record.I, [&](size_t k, int64_t i, int64_t j) {
    const auto share = samples_between(record, i, j);
    Credit part = adjoint_by_steps(neuron, *share,
                                   {samples_between(from.delta, i, j), samples_between(from.du, i, j),
                                    samples_between(from.g_after, i, j), from.local});
    const torch::NoGradGuard no_grad;
    params[k] = std::move(part.g_params);
    if (whole) {
      all.g = std::move(part.g);
      all.g_before = std::move(part.g_before);
      return;
    }
    all.g.slice(1, i, j).copy_(part.g);
    for (size_t z = 0; z < all.g_before.size(); ++z) all.g_before[z].slice(0, i, j).copy_(part.g_before[z]);
  });
  all.g_params = std::move(params[0]);
  for (size_t part = 1; part < n; ++part) {
    for (size_t k = 0; k < all.g_params.size(); ++k) all.g_params[k] = all.g_params[k] + params[part][k];
  }
  return all;
}

/// Tensor k of all shares, which are of samples, dimension `dim`; undefined if theirs are.
Tensor together(const std::vector<State>& shares, size_t k, int64_t dim) {
  if (shares.size() == 1 || !shares[0][k].defined()) return shares[0][k];
  std::vector<Tensor> pieces;
  for (const State& share : shares) pieces.push_back(share[k]);
  return torch::cat(pieces, dim);
}

}  // namespace

void Stepped::run(Record& record, Steps steps) const {
  std::vector<State> after(ops::kMaxChunks), jacobian(ops::kMaxChunks);
  const size_t n = share_samples(record.I, [&](size_t k, int64_t i, int64_t j) {
    const auto share = samples_between(record, i, j);
    run_by_steps(*this, *share, steps);
    after[k] = share->state;
    jacobian[k] = share->jacobian;
  });
  after.resize(n);
  for (size_t k = 0; k < record.state.size(); ++k) record.state[k] = together(after, k, 0);
  jacobian.resize(n);
  record.jacobian.resize(jacobian[0].size());
  for (size_t k = 0; k < record.jacobian.size(); ++k) record.jacobian[k] = together(jacobian, k, 1);
  record.total = -1;
}

Credit Stepped::vjp(const Record& record, const Tensor& delta, const State& g_after) const {
  return adjoint_by_shares(*this, record, {delta, {}, g_after});
}

Credit Stepped::membrane_vjp(const Record& record, const Tensor& du, bool local) const {
  ST_CHECK(record.I.defined() && (provides() & kU), "neuron ", part_name(),
           ": an adjoint from the membrane needs a record of the current and a neuron that provides kU");
  Credit credit = adjoint_by_shares(*this, record, {{}, du.expand_as(record.I), {}, local});
  return local ? Credit{std::move(credit.g)} : credit;
}

}  // namespace spiketrain
