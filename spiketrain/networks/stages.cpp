#include "spiketrain/networks/stages.h"

#include <cmath>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/ops.h"

namespace spiketrain {

Pool::Pool(Kind kind, int64_t k, double scale, const Shape& in, std::string notation)
    : kind_(kind),
      k_(k),
      scale_(kind == Kind::average ? 1.0 / static_cast<double>(k * k) : scale),
      notation_(std::move(notation)) {
  ST_CHECK(k >= 1 && in.size() == 3 && in[1] >= k && in[2] >= k, "pooling over ", k, "x", k,
           " windows needs a map [C,H,W] of at least that size; got ", at::IntArrayRef(in));
  out_ = {in[0], in[1] / k, in[2] / k};
}

Signal Pool::forward(const Signal& x, Pass&) {
  if (kind_ != Kind::max) {
    return x.map_linear([&](const Tensor& a) { return ops::window_sum(a, k_, scale_); });
  }
  // A negative gain would turn the maximum into the minimum, so a stationary signal is written out.
  const Tensor a = x.dense();
  const Tensor y = torch::max_pool2d(a.flatten(0, 1), k_);
  return {y.view({a.size(0), a.size(1), out_[0], out_[1], out_[2]}), {}, {}};
}

void Pool::describe(std::vector<StageInfo>& list) const {
  const char* names[] = {"sum pooling", "average pooling", "max pooling"};
  StageInfo row = {spec(), names[static_cast<int>(kind_)], out_};
  row.ops = numel(out_) * k_ * k_;
  if (kind_ == Kind::max) {
    row.values = Values::as_input;
    row.keeps_input = true;  // autograd's, and the place of each maximum
    row.buffer = numel(out_) * 8;
  } else {
    row.linear = true;
  }
  list.push_back(std::move(row));
}

GlobalAverage::GlobalAverage(const Shape& in) : in_(in) {
  ST_CHECK(in.size() == 3 && in[1] == in[2] && in[1] >= 1, "GAP needs a square map [C,H,H]; got ",
           at::IntArrayRef(in));
}

Signal GlobalAverage::forward(const Signal& x, Pass&) {
  return x.map_linear([&](const Tensor& a) {
    return ops::window_sum(a, in_[1], 1.0 / static_cast<double>(in_[1] * in_[2])).flatten(2);
  });
}

void GlobalAverage::describe(std::vector<StageInfo>& list) const {
  StageInfo row = {spec(), "global average", out_shape()};
  row.linear = true;
  row.ops = numel(in_);
  list.push_back(std::move(row));
}

Dropout::Dropout(double probability, Shared shared, const Shape& in, std::string notation)
    : probability_(probability), in_(in), mask_(in), notation_(std::move(notation)) {
  ST_CHECK(probability >= 0 && probability < 1, "dropout: expected a probability in [0,1), got ",
           probability);
  if (in.size() == 3 && shared != Shared::element) mask_[2] = 1;
  if (in.size() == 3 && shared == Shared::channel) mask_[1] = 1;
}

Tensor Dropout::draw(const Signal& x, const Pass& pass) const {
  std::vector<int64_t> shape = {x.batch()};
  shape.insert(shape.end(), mask_.begin(), mask_.end());
  Tensor mask = torch::empty(shape, torch::kFloat);
  Rng rng(pass.seed, Purpose::dropout, pass.step, static_cast<uint64_t>(slot_));
  const auto limit = static_cast<uint64_t>(std::llround(probability_ * 0x1.0p32));
  const auto keep = static_cast<float>(1.0 / (1.0 - probability_));
  float* value = mask.data_ptr<float>();
  for (int64_t i = 0; i < mask.numel(); ++i) value[i] = rng.next() < limit ? 0.0F : keep;
  return mask.to(x.a.options().requires_grad(false));
}

Signal Dropout::forward(const Signal& x, Pass& pass) {
  if (!pass.train || probability_ == 0) return x;
  State& mask = state(pass).state;
  if (mask.empty()) mask.push_back(draw(x, pass));
  return x.map_linear([&](const Tensor& a) { return a * mask[0]; });
}

void Dropout::describe(std::vector<StageInfo>& list) const {
  StageInfo row = {spec(), "dropout", in_};
  row.values = Values::as_input;
  row.linear = true;
  row.copies = probability_ > 0;
  if (row.copies) {
    row.ops = numel(in_);
    row.state = numel(mask_) * 4;
  }
  list.push_back(std::move(row));
}

Signal PspFilter::forward(const Signal& x, Pass& pass) {
  State& carried = state(pass).state;
  if (carried.empty()) carried.emplace_back();
  if (!x.stationary()) return {ops::psp_scan(x.a, tau_s_, carried[0]), {}, x.s};
  // The profile is T numbers: kept in double, so that windows join without rounding.
  if (!carried[0].defined()) carried[0] = torch::zeros({1}, torch::kDouble);
  const Tensor gain = x.gain.to(torch::kCPU, torch::kDouble).contiguous();
  Tensor filtered = torch::empty_like(gain);
  double a = carried[0].item<double>();
  for (int64_t t = 0; t < gain.size(0); ++t) {
    a += (gain.data_ptr<double>()[t] - a) / tau_s_;
    filtered.data_ptr<double>()[t] = a;
  }
  carried[0] = torch::full({1}, a, torch::kDouble);
  return {x.a, filtered.to(x.gain.options()), {}};
}

void PspFilter::describe(std::vector<StageInfo>& list) const {
  StageInfo row = {"input", "psp filter", in_};
  row.linear = row.temporal = true;
  row.ops = numel(in_) * 3;
  row.state = numel(in_) * 4;
  list.push_back(std::move(row));
}

ResidualUnit::ResidualUnit(Join join, std::shared_ptr<Layer> first, std::shared_ptr<Layer> second,
                           std::shared_ptr<Layer> shortcut, std::string notation)
    : join_(join),
      first_(register_module("first", std::move(first))),
      second_(register_module("second", std::move(second))),
      shortcut_(shortcut ? register_module("shortcut", std::move(shortcut)) : nullptr),
      notation_(std::move(notation)) {
  ST_ASSERT(!shortcut_ || shortcut_->out_shape() == second_->out_shape());
}

Signal ResidualUnit::forward(const Signal& x, Pass& pass) {
  const Signal h = first_->forward(x, pass);
  if (join_ == Join::current) {
    std::vector<Layer::Drive> drives = {second_->current(h, pass)};
    drives.push_back(shortcut_ ? shortcut_->current(x, pass) : Layer::Drive{x.dense()});
    return second_->fire(drives, pass);
  }
  const Signal y = second_->forward(h, pass);
  return {y.a + (shortcut_ ? shortcut_->forward(x, pass).a : x.dense()), {}, {}};
}

void ResidualUnit::assign_slots(int64_t& next) {
  first_->assign_slots(next);
  second_->assign_slots(next);
  if (shortcut_) shortcut_->assign_slots(next);
}

void ResidualUnit::initialise(uint64_t seed) {
  first_->initialise(seed);
  second_->initialise(seed);
  if (shortcut_) shortcut_->initialise(seed);
}

void ResidualUnit::describe(std::vector<StageInfo>& list) const {
  const size_t at = list.size();
  list.push_back({spec(), join_ == Join::current ? "residual unit" : "SEW residual unit", out_shape()});
  first_->describe(list);
  second_->describe(list);
  if (shortcut_) shortcut_->describe(list);
  for (size_t i = at + 1; i < list.size(); ++i) list[i].inner = true;
  list[at + 2].back = 1;
  list[at].ops = numel(out_shape());  // the sum
  // Joined at the current, the unit puts out the second layer's spikes; joined at the output, a sum of its
  // own.
  list[at].copies = join_ == Join::output;
  if (join_ == Join::current) list[at].values = list[at + 2].values;
}

}  // namespace spiketrain
