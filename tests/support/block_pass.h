// A network cut into blocks with linear heads, trained on one batch by a loop written out by hand: what the
// memory model predicts and bench/memory measures.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/memory_tracker.h"
#include "spiketrain/core/network.h"

namespace spiketrain {

struct BlockNetwork {
  struct Block {
    std::vector<std::shared_ptr<Stage>> stages;
    std::shared_ptr<Layer> head;  ///< null on the last block: it ends in the output layer
  };
  std::shared_ptr<Network> network;
  std::vector<Block> blocks;
  std::vector<StageInfo> rows;
  int64_t slots = 0;

  std::vector<Tensor> parameters() const {
    std::vector<Tensor> list = network->parameters();
    for (const Block& block : blocks) {
      if (!block.head) continue;
      for (const Tensor& p : block.head->parameters()) list.push_back(p);
    }
    return list;
  }
};

/// Blocks of `size` hidden layers; 0: one block.  The output layer joins the last one.  `readout`: neuron of
/// the heads.
inline BlockNetwork cut_into_blocks(std::shared_ptr<Network> network, int64_t size, const Config& readout,
                                    int64_t classes) {
  std::vector<std::shared_ptr<Stage>> stages;
  std::vector<bool> weighted;
  for (const auto& child : network->children()) {
    stages.push_back(std::dynamic_pointer_cast<Stage>(child));
    std::vector<StageInfo> rows;
    stages.back()->describe(rows);
    weighted.push_back(std::any_of(rows.begin(), rows.end(), [](const StageInfo& r) { return r.macs > 0; }));
  }
  const auto layers = std::count(weighted.begin(), weighted.end(), true);
  BlockNetwork result;
  result.network = network;
  result.slots = static_cast<int64_t>(network->start(nullptr, false).state.size());
  int64_t layer = -1;
  for (size_t i = 0; i < stages.size(); ++i) {
    layer += weighted[i];
    const int64_t hidden = std::min<int64_t>(std::max<int64_t>(layer, 0), layers - 2);
    const auto block = static_cast<size_t>(size > 0 ? hidden / size : 0);
    if (block >= result.blocks.size()) result.blocks.resize(block + 1);
    result.blocks[block].stages.push_back(stages[i]);
  }
  for (size_t b = 0; b < result.blocks.size(); ++b) {
    BlockNetwork::Block& block = result.blocks[b];
    const size_t begin = result.rows.size();
    for (const auto& stage : block.stages) stage->describe(result.rows);
    if (b + 1 < result.blocks.size()) {
      auto synapse = Registry<Synapse>::get().make({{"name", "linear"}, {"features", classes}});
      block.head = std::make_shared<Layer>(synapse, nullptr, Registry<Neuron>::get().make(readout),
                                           block.stages.back()->out_shape());
      block.head->assign_slots(result.slots);
      block.head->initialise(1);
      block.head->train();
      const size_t head = result.rows.size();
      block.head->describe(result.rows);
      for (size_t i = head; i < result.rows.size(); ++i) result.rows[i].head = true;
    }
    for (size_t i = begin; i < result.rows.size(); ++i) result.rows[i].block = static_cast<int64_t>(b);
  }
  return result;
}

/// One batch in windows of K steps; for each window and block: forward, head, loss, backward, free, hand on.
/// Gradients add up in .grad, which must exist.  Returns the most bytes held at once.
inline int64_t block_major_pass(BlockNetwork& net, const RuleP& rule, const Signal& input,
                                const Tensor& labels, int64_t K) {
  MemoryTracker tracker;
  Pass pass = net.network->start(rule, /*train=*/true);
  pass.state.resize(static_cast<size_t>(net.slots));
  pass.activity.resize(static_cast<size_t>(net.slots));
  for (int64_t t = 0; t < input.steps(); t += K) {
    Signal signal = input.slice(t, std::min(t + K, input.steps()));
    for (BlockNetwork::Block& block : net.blocks) {
      Signal out = signal;
      for (const auto& stage : block.stages) out = stage->forward(out, pass);
      const Tensor a = block.head ? block.head->forward(out, pass).dense() : out.dense();
      torch::cross_entropy_loss(a.mean(0), labels).backward();
      Network::detach(pass.state);
      signal = {out.a.detach(), out.gain, out.s};
    }
  }
  return tracker.peak();
}

}  // namespace spiketrain
