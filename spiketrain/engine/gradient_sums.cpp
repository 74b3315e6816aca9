#include "spiketrain/engine/gradient_sums.h"

#include <algorithm>

#include "spiketrain/core/norm.h"
#include "spiketrain/engine/gradients.h"

namespace spiketrain {
namespace {

int64_t bytes_in(const Tensor& x) { return static_cast<int64_t>(x.nbytes()); }

}  // namespace

GradientSums::GradientSums(std::shared_ptr<Group> group, const Network& network,
                           std::pair<int64_t, int64_t> blocks, bool own_statistics)
    : group_(std::move(group)) {
  const std::vector<NamedTensors> all = parameters_by_block(network);
  for (int64_t b = blocks.first; b < blocks.second; ++b) {
    NamedTensors block = all.at(static_cast<size_t>(b));
    std::reverse(block.begin(), block.end());  // backward begins at the top
    add_buckets(b, block);
  }
  for (size_t n = 0; own_statistics && n < network.nodes().size(); ++n) {
    const int64_t b = network.block_of(static_cast<int64_t>(n));
    if (b < blocks.first || b >= blocks.second) continue;
    for (const Tensor& x : moving_statistics(*network.nodes()[n].stage)) statistics_.push_back(x);
  }
}

void GradientSums::add_buckets(int64_t block, const NamedTensors& parameters) {
  int64_t bytes = kBucketBytes;  // a block begins a bucket of its own
  for (const auto& item : parameters) {
    const bool other =
        !buckets_.empty() && buckets_.back().parameters[0].second.dtype() != item.second.dtype();
    if (bytes >= kBucketBytes || other) {
      buckets_.push_back({block});
      bytes = 0;
    }
    buckets_.back().parameters.push_back(item);
    bytes += bytes_in(item.second);
  }
  for (Bucket& bucket : buckets_) {
    if (bucket.flat.defined()) continue;
    auto length = static_cast<int64_t>(bucket.parameters.size());
    for (const auto& item : bucket.parameters) length += item.second.numel();
    bucket.flat = torch::zeros(
        {length}, bucket.parameters[0].second.options().device(torch::kCPU).requires_grad(false));
  }
}

int64_t GradientSums::bytes_per_update() const {
  int64_t bytes = 0;
  for (const Bucket& bucket : buckets_) bytes += bytes_in(bucket.flat);
  for (const Tensor& x : statistics_) bytes += bytes_in(x);
  return bytes;
}

void GradientSums::ready() {
  if (when_ != Complete::once_there) return;
  const auto is_there = [](const auto& item) { return item.second.grad().defined(); };
  for (Bucket& bucket : buckets_) {
    if (bucket.work) continue;
    if (!std::all_of(bucket.parameters.begin(), bucket.parameters.end(), is_there)) return;
    send(bucket);
  }
}

void GradientSums::finished(int64_t b) {
  if (when_ != Complete::with_block) return;
  finished_.insert(b);
  for (Bucket& bucket : buckets_) {
    if (bucket.work) continue;
    if (finished_.count(bucket.block) == 0) return;
    send(bucket);
  }
}

void GradientSums::send(Bucket& bucket) {
  const torch::NoGradGuard no_grad;
  const int64_t end = bucket.flat.numel(), flags = end - static_cast<int64_t>(bucket.parameters.size());
  int64_t at = 0, flag = flags;
  for (const auto& item : bucket.parameters) {
    const Tensor& grad = item.second.grad();
    const Tensor place = bucket.flat.slice(0, at, at + item.second.numel());
    at += item.second.numel();
    bucket.flat[flag++] = grad.defined() ? 1 : 0;
    if (grad.defined()) {
      place.view(grad.sizes()).copy_(grad);
    } else {
      place.zero_();
    }
  }
  bucket.work = group_->begin_sum(bucket.flat);
}

void GradientSums::receive(Bucket& bucket) {
  const torch::NoGradGuard no_grad;
  bucket.work->wait();
  bucket.work = nullptr;
  int64_t at = 0, flag = bucket.flat.numel() - static_cast<int64_t>(bucket.parameters.size());
  for (const auto& item : bucket.parameters) {
    const Tensor& parameter = item.second;
    const Tensor sum = bucket.flat.slice(0, at, at + parameter.numel()).view(parameter.sizes());
    at += parameter.numel();
    if (bucket.flat[flag++].item<double>() == 0) continue;  // in no process
    Tensor& grad = parameter.mutable_grad();
    if (grad.defined()) {
      grad.copy_(sum);
    } else {
      grad = sum.to(parameter.device(), /*non_blocking=*/false, /*copy=*/true);
    }
  }
}

/// With the statistics of norms, in one message.
BlockLosses GradientSums::sum_losses(const BlockLosses& losses, double weight, double share) {
  BlockLosses all;
  GroupSums sums(group_.get());
  for (const Tensor& loss : losses) all.push_back(loss.defined() ? loss.detach() * weight : Tensor());
  std::vector<Tensor> means;
  for (const Tensor& x : statistics_) means.push_back(x.detach().to(torch::kDouble) * share);
  for (Tensor& loss : all)
    if (loss.defined()) sums.add(loss);
  for (Tensor& mean : means) sums.add(mean);
  sums.run();
  for (size_t k = 0; k < means.size(); ++k) statistics_[k].copy_(means[k]);
  return all;
}

BlockLosses GradientSums::finish(const BlockLosses& losses, double weight, double share) {
  for (Bucket& bucket : buckets_)
    if (!bucket.work) send(bucket);
  const BlockLosses all = sum_losses(losses, weight, share);
  for (Bucket& bucket : buckets_) receive(bucket);
  finished_.clear();
  return all;
}

}  // namespace spiketrain
