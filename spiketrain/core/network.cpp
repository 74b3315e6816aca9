#include "spiketrain/core/network.h"

namespace spiketrain {

void Network::add(std::shared_ptr<Stage> stage, bool new_block) {
  register_module(std::to_string(stages_++), stage);
  stage->assign_slots(slots_);
  if (new_block || blocks_.empty()) blocks_.emplace_back();
  blocks_.back().push_back(std::move(stage));
}

void Network::initialise(uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (const Block& block : blocks_) {
    for (const auto& stage : block) stage->initialise(seed);
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

Signal Network::forward_block(size_t b, const Signal& x, Pass& pass) {
  Signal signal = x;
  for (const auto& stage : blocks_.at(b)) signal = stage->forward(signal, pass);
  return signal;
}

Signal Network::forward(const Signal& x, Pass& pass) {
  Signal signal = x;
  for (size_t b = 0; b < blocks_.size(); ++b) signal = forward_block(b, signal, pass);
  return signal;
}

void Network::detach(NetState& state) {
  for (StageState& stage : state) {
    for (Tensor& z : stage.state) z = z.detach();
  }
}

Shape Network::out_shape() const { return blocks_.empty() ? input_ : blocks_.back().back()->out_shape(); }

std::string Network::spec() const {
  std::vector<std::string> tokens;
  for (const Block& block : blocks_) {
    for (const auto& stage : block) {
      if (const std::string token = stage->spec(); !token.empty()) tokens.push_back(token);
    }
  }
  return join(tokens, "-");
}

std::vector<StageInfo> Network::describe() const {
  std::vector<StageInfo> list;
  for (const Block& block : blocks_) {
    for (const auto& stage : block) stage->describe(list);
  }
  return list;
}

int64_t Network::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& p : parameters()) count += p.numel();
  return count;
}

}  // namespace spiketrain
