#include "spiketrain/core/group.h"

#include <cmath>
#include <cstring>

namespace spiketrain {

std::string broadcast(Group& group, const std::string& text) {
  Tensor length = torch::tensor({static_cast<int64_t>(text.size())}, torch::kLong);
  group.broadcast(length);
  Tensor bytes = torch::empty(length[0].item<int64_t>(), torch::kByte);
  if (bytes.numel() == 0) return {};
  if (group.rank() == 0) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  group.broadcast(bytes);
  return {static_cast<const char*>(bytes.data_ptr()), static_cast<size_t>(bytes.numel())};
}

void GroupSums::add(double& x) { reals_.push_back(&x); }
void GroupSums::add(int64_t& x) { counts_.push_back(&x); }
void GroupSums::add(Tensor& x) { tensors_.push_back(&x); }

void GroupSums::begin() {
  if (!group_) return;
  std::vector<Tensor> parts;
  for (const double* x : reals_) parts.push_back(torch::tensor({*x}, torch::kDouble));
  for (const int64_t* x : counts_) parts.push_back(torch::tensor({static_cast<double>(*x)}, torch::kDouble));
  for (const Tensor* x : tensors_)
    parts.push_back(x->detach().to(torch::kCPU, torch::kDouble).contiguous().flatten());
  if (parts.empty()) return;
  all_ = torch::cat(parts);
  work_ = group_->begin_sum(all_);
}

void GroupSums::finish() {
  if (!work_) return;
  work_->wait();
  work_ = nullptr;
  const double* next = all_.data_ptr<double>();
  for (double* x : reals_) *x = *next++;
  for (int64_t* x : counts_) *x = std::llround(*next++);
  for (Tensor* x : tensors_) {
    const Tensor sum = torch::from_blob(const_cast<double*>(next), x->sizes(), torch::kDouble).clone();
    next += x->numel();
    *x = sum.to(x->options());
  }
}

}  // namespace spiketrain
