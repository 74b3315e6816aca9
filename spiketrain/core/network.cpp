#include "spiketrain/core/network.h"

#include <algorithm>
#include <numeric>

namespace spiketrain {

void Network::add(std::shared_ptr<Stage> stage, bool new_unit) {
  register_module(std::to_string(stages_++), stage);
  stage->assign_slots(slots_);
  if (new_unit || units_.empty()) units_.emplace_back();
  units_.back().push_back(std::move(stage));
  ends_ = {units_.size()};
}

int64_t Network::hidden_units() const {
  return std::max<int64_t>(1, static_cast<int64_t>(units_.size()) - 1);
}

namespace {

/// Moves the stages behind the last one with weights to the front of the unit above.
void move_tail(Network::Unit& below, Network::Unit& above) {
  const auto tail = std::find_if(below.rbegin(), below.rend(), [](const auto& stage) {
                      return !stage->parameters().empty();
                    }).base();
  if (tail == below.begin()) return;
  above.insert(above.begin(), tail, below.end());
  below.erase(tail, below.end());
}

}  // namespace

void Network::partition(const std::vector<int64_t>& sizes, bool before_pooling) {
  ST_ASSERT(heads_.empty() && !units_.empty());
  for (const int64_t size : sizes) ST_CHECK(size >= 1, "blocks: expected sizes of at least 1, got ", size);
  const int64_t sum = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  ST_CHECK(!sizes.empty() && sum == hidden_units(), "blocks: expected sizes that add up to the ",
           hidden_units(), " hidden layers of ", spec(), ", got ", at::IntArrayRef(sizes),
           "; the output layer joins the last block");
  ends_.clear();
  size_t end = 0;
  for (const int64_t size : sizes) ends_.push_back(end += static_cast<size_t>(size));
  ends_.back() = units_.size();
  if (!before_pooling) return;
  for (size_t b = 0; b + 1 < blocks(); ++b) move_tail(units_[ends_[b] - 1], units_[ends_[b]]);
}

void Network::attach_head(size_t b, Unit head) {
  ST_ASSERT(b < blocks() && !head.empty() && !has_head(b));
  heads_.resize(blocks());
  for (size_t i = 0; i < head.size(); ++i) {
    register_module(str("head", b, "_", i), head[i]);
    head[i]->assign_slots(slots_);
  }
  heads_[b] = std::move(head);
}

void Network::initialise(uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const auto* list : {&units_, &heads_}) {
    for (const Unit& unit : *list) {
      for (const auto& stage : unit) stage->initialise(seed);
    }
  }
}

Pass Network::start(RuleP rule, bool train, uint64_t seed, uint64_t step) const {
  Pass pass;
  pass.rule = std::move(rule);
  pass.train = train;
  pass.seed = seed;
  pass.step = step;
  pass.state.resize(static_cast<size_t>(slots_));
  pass.activity.resize(static_cast<size_t>(slots_));
  return pass;
}

namespace {

Signal run(const Network::Unit& unit, Signal signal, Pass& pass) {
  for (const auto& stage : unit) signal = stage->forward(signal, pass);
  return signal;
}

}  // namespace

Signal Network::forward_block(size_t b, const Signal& x, Pass& pass) {
  const auto [first, end] = units_of(b);
  Signal signal = x;
  for (size_t u = first; u < end; ++u) signal = run(units_[u], std::move(signal), pass);
  return signal;
}

Signal Network::forward_head(size_t b, const Signal& x, Pass& pass) { return run(heads_.at(b), x, pass); }

Signal Network::forward(const Signal& x, Pass& pass) {
  Signal signal = x;
  for (size_t b = 0; b < blocks(); ++b) signal = forward_block(b, signal, pass);
  return signal;
}

void Network::detach(NetState& state) {
  for (StageState& stage : state) {
    for (Tensor& z : stage.state) z = z.detach();
  }
}

Shape Network::out_shape() const { return units_.empty() ? input_ : units_.back().back()->out_shape(); }

Shape Network::block_shape(size_t b) const { return units_[ends_.at(b) - 1].back()->out_shape(); }

std::vector<Tensor> Network::block_parameters(size_t b) const {
  std::vector<Tensor> list;
  const auto append = [&](const Unit& unit) {
    for (const auto& stage : unit) {
      for (const Tensor& p : stage->parameters()) list.push_back(p);
    }
  };
  const auto [first, end] = units_of(b);
  for (size_t u = first; u < end; ++u) append(units_[u]);
  if (has_head(b)) append(heads_[b]);
  return list;
}

std::string Network::spec() const {
  std::vector<std::string> tokens;
  for (const Unit& unit : units_) {
    for (const auto& stage : unit) {
      if (const std::string token = stage->spec(); !token.empty()) tokens.push_back(token);
    }
  }
  return join(tokens, "-");
}

std::vector<StageInfo> Network::describe() const {
  std::vector<StageInfo> list;
  const auto append = [&](const Unit& unit, size_t b, bool head) {
    const size_t begin = list.size();
    for (const auto& stage : unit) stage->describe(list);
    for (size_t i = begin; i < list.size(); ++i) {
      list[i].block = static_cast<int64_t>(b);
      list[i].head = head;
    }
  };
  for (size_t b = 0; b < blocks(); ++b) {
    const auto [first, end] = units_of(b);
    for (size_t u = first; u < end; ++u) append(units_[u], b, false);
    if (has_head(b)) append(heads_[b], b, true);
  }
  return list;
}

int64_t Network::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& p : parameters()) count += p.numel();
  return count;
}

}  // namespace spiketrain
