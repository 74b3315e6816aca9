#include "spiketrain/core/regularizer.h"

#include "spiketrain/core/group.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Regularizer, "regularizer")

namespace {

/// x, or x + y where there is an x.
void add_to(Tensor& x, const Tensor& y) {
  if (y.defined()) x = x.defined() ? x + y : y;
}

}  // namespace

Tensor without_padding(const Tensor& x, const Tensor& valid) {
  if (!valid.defined()) return x;
  Tensor here = valid.to(x.scalar_type());
  while (here.dim() < x.dim()) here = here.unsqueeze(-1);
  return x * here;
}

void LayerPenalty::observe(const Record& record, const Tensor& valid) {
  const torch::NoGradGuard no_grad;
  const ops::OneThread one_thread;
  places_ += valid.defined() ? static_cast<double>(valid.sum().item<int64_t>())
                             : static_cast<double>(record.sizes()[0] * record.sizes()[1]);
  for (size_t k = 0; k < parts_.size(); ++k) {
    if (parts_[k]) add_to(sums_[k], parts_[k]->sums(record, valid));
  }
}

/// Nothing more is observed.
void LayerPenalty::settle() const {
  if (std::exchange(settled_, true)) return;
  GroupSums all(group_);
  all.add(places_);
  for (Tensor& sum : sums_) {
    if (sum.defined()) all.add(sum);
  }
  all.run();
}

Regularizer::Slope LayerPenalty::slope(const Record& record, const Tensor& valid) const {
  const torch::NoGradGuard no_grad;
  const ops::OneThread one_thread;
  settle();
  Regularizer::Slope all;
  for (size_t k = 0; places_ > 0 && k < parts_.size(); ++k) {
    if (!parts_[k]) continue;
    const Regularizer::Slope one = parts_[k]->slope(record, sums_[k], places_);
    add_to(all.da, one.da);
    add_to(all.du, one.du);
  }
  if (all.da.defined()) all.da = without_padding(all.da * share_, valid);
  if (all.du.defined()) all.du = without_padding(all.du * share_, valid);
  return all;
}

void LayerPenalty::add_values(std::vector<Tensor>& totals) const {
  const torch::NoGradGuard no_grad;
  const ops::OneThread one_thread;
  settle();
  for (size_t k = 0; places_ > 0 && k < parts_.size(); ++k) {
    if (parts_[k]) add_to(totals[k], parts_[k]->value(sums_[k], places_).to(torch::kDouble) * share_);
  }
}

uint32_t Penalties::needs() const {
  uint32_t slots = 0;
  for (const RegularizerP& part : parts_) slots |= part->needs();
  return slots;
}

void Penalties::settle() {
  for (const auto& [slot, layer] : layers_) layer->add_values(totals_);
  layers_.clear();
}

void Penalties::begin() {
  settle();
  share_ = 1;
}

void Penalties::weigh(double share) {
  share_ = share;
  for (const auto& [slot, layer] : layers_) layer->weigh(share);
}

std::shared_ptr<LayerPenalty> Penalties::of(int64_t slot) {
  std::shared_ptr<LayerPenalty>& layer = layers_[slot];
  if (layer) return layer;
  std::vector<RegularizerP> here = parts_;
  for (RegularizerP& part : here) {
    if (readouts_.count(slot) > 0 && !part->holds_for_readouts()) part = nullptr;
  }
  return layer = std::make_shared<LayerPenalty>(here, share_, group_);
}

Tensor Penalties::values() {
  settle();
  std::vector<Tensor> list;
  for (const Tensor& total : totals_)
    list.push_back(total.defined() ? total : torch::zeros({}, torch::kDouble));
  return torch::stack(list);
}

}  // namespace spiketrain
