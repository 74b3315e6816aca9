#include "spiketrain/train/dormant.h"

#include <utility>

namespace spiketrain {

void DormantWatch::fired(int64_t slot, const Record& record, const Context& context) {
  if (!record.psi.defined() || context.mode == Mode::replay) return;
  Tensor open = record.psi != 0;
  if (context.valid.defined()) {
    Tensor valid = context.valid;
    while (valid.dim() < open.dim()) valid = valid.unsqueeze(-1);
    open = open & valid;
  }
  const Tensor now = open.any(0);
  Tensor& awake = awake_[slot];
  awake = awake.defined() ? awake | now : now;
}

void DormantWatch::end_batch() {
  for (const auto& [slot, awake] : std::exchange(awake_, {})) {
    Count& count = counts_[slot];
    count.all += static_cast<double>(awake.numel());
    count.dormant += static_cast<double>(awake.numel() - awake.sum().item<int64_t>());
  }
}

std::map<int64_t, double> DormantWatch::shares() const {
  std::map<int64_t, double> shares;
  for (const auto& [slot, count] : counts_) shares[slot] = count.dormant / count.all;
  return shares;
}

}  // namespace spiketrain
