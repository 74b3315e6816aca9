#include "spiketrain/core/context.h"

#include <algorithm>
#include <numeric>

namespace spiketrain {

Tally::Count& Tally::count(int64_t slot) {
  const auto at = static_cast<size_t>(slot);
  if (at >= counts_.size()) counts_.resize(at + 1);
  return counts_[at];
}

void Tally::add(const Tally& other) {
  for (size_t slot = 0; slot < other.counts_.size(); ++slot) {
    Count& count = this->count(static_cast<int64_t>(slot));
    count.spikes += other.counts_[slot].spikes;
    count.sites += other.counts_[slot].sites;
  }
}

void Tally::add_steps(int64_t slot, const Spikes& s, const Tensor& valid) {
  const auto at = static_cast<size_t>(slot);
  if (at >= next_.size()) next_.resize(at + 1);
  const Tensor bytes = s.bytes().cpu(), counted = valid.defined() ? valid.cpu().contiguous() : Tensor();
  const int64_t K = bytes.size(0), B = bytes.size(1), n = K * B > 0 ? bytes.numel() / (K * B) : 0;
  const uint8_t* spike =
      bytes.data_ptr<uint8_t>();  // no sum in LibTorch: it would make integers of all of them first
  const size_t first = next_[at];
  next_[at] += static_cast<size_t>(K);
  steps_.resize(std::max(steps_.size(), next_[at]));
  for (int64_t t = 0; t < K; ++t) {
    for (int64_t b = 0; b < B; ++b, spike += n) {
      if (counted.defined() && !counted.data_ptr<bool>()[t * B + b]) continue;
      steps_[first + static_cast<size_t>(t)] += std::accumulate(spike, spike + n, int64_t{0});
    }
  }
}

void Tally::add(int64_t slot, const Spikes& s, const Tensor& valid) {
  if (by_step_) add_steps(slot, s, valid);
  if (!valid.defined()) return add(slot, s.total(), s.sites());
  const Tensor per_sample = s.bytes().flatten(2).sum(2, /*keepdim=*/false, torch::kInt64);
  add(slot, (per_sample * valid).sum().item<int64_t>(),
      valid.sum().item<int64_t>() * (s.sites() / std::max<int64_t>(1, valid.numel())));
}

void Tally::add(int64_t slot, int64_t spikes, int64_t sites) {
  Count& count = this->count(slot);
  count.spikes += spikes;
  count.sites += sites;
}

void Carry::detach() {
  for (State& list : state) {
    for (Tensor& z : list) {
      if (z.defined() && z.requires_grad()) z = z.detach();
    }
  }
  for (Signal& x : delayed) {
    if (x.defined() && x.edge().requires_grad()) x = x.detached();
  }
}

Carry Carry::as_leaves() const {
  Carry leaves = *this;
  for (State& list : leaves.state) {
    for (Tensor& z : list) {
      if (z.defined()) z = z.detach().requires_grad_();
    }
  }
  for (Signal& x : leaves.delayed) {
    if (x.defined()) x = x.with_edge(x.edge().detach().requires_grad_());
  }
  return leaves;
}

std::vector<Tensor> Carry::tensors() const {
  std::vector<Tensor> list;
  for (const State& of_slot : state) list.insert(list.end(), of_slot.begin(), of_slot.end());
  for (const Signal& x : delayed) list.push_back(x.defined() ? x.edge() : Tensor());
  return list;
}

void ConstantCurrents::settle(Entry& entry) {
  if (entry.leaf.defined() && entry.leaf.grad().defined() && entry.I.requires_grad())
    entry.I.backward(entry.leaf.grad());
  entry = {};
}

void ConstantCurrents::settle() {
  for (auto& [slot, entry] : entries_) settle(entry);
  for (Entry& entry : waiting_) settle(entry);
  entries_.clear();
  waiting_.clear();
}

}  // namespace spiketrain
