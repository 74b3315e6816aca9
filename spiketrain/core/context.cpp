#include "spiketrain/core/context.h"

namespace spiketrain {

void Tally::add(int64_t slot, const Spikes& s, const Tensor& valid) {
  if (!valid.defined()) return add(slot, s.total(), s.sites());
  const Tensor per_sample = s.bytes().flatten(2).sum(2, /*keepdim=*/false, torch::kInt64);
  add(slot, (per_sample * valid).sum().item<int64_t>(),
      valid.sum().item<int64_t>() * (s.sites() / std::max<int64_t>(1, valid.numel())));
}

void Tally::add(int64_t slot, int64_t spikes, int64_t sites) {
  if (static_cast<size_t>(slot) >= counts_.size()) counts_.resize(static_cast<size_t>(slot) + 1);
  Count& count = counts_[static_cast<size_t>(slot)];
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
  entries_.clear();
}

}  // namespace spiketrain
