// Networks of three hidden layers on the tiny images, cut into blocks with heads, and their gradients of one batch: for
// the tests of windows and blocks.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "spiketrain/core/head.h"
#include "spiketrain/engine/learner.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny_data.h"

namespace spiketrain {

/// What a test of blocks learns with; T = 6.
struct BlockMethod {
  Config neuron = {{"name", "lif"}, {"leak", 0.5}, {"reset", "soft"}};
  Config readout = {{"name", "leaky_readout"}, {"leak", 0.5}};
  Config objective = {{"name", "tet_ce"}}, norm = nullptr, rule = {{"name", "bptt"}};
};

/// How it is cut.
struct BlockCut {
  std::vector<int64_t> blocks = {3};
  Config schedule = {{"name", "whole"}};
  bool before_pooling = false, block_major = true;
};

inline std::shared_ptr<Network> block_network(const BlockMethod& method, const BlockCut& cut) {
  NetworkContext context;
  context.input = {1, 6, 6};
  context.output = {4};
  context.neuron = [method] { return make<Neuron>(method.neuron); };
  context.readout = [method] { return make<Neuron>(method.readout); };
  Config spec = {{"name", "spec"}, {"spec", "6C3-P2-12-8-4"}};
  if (!method.norm.is_null()) spec["norm"] = method.norm;
  auto network = make<NetworkBuilder>(spec)->build(context);
  network->partition(cut.blocks, cut.before_pooling);
  for (int64_t b = 0; b + 1 < network->blocks(); ++b) {
    network->attach_head(
        b, make<Head>("linear")->build(network->block_shape(b), context.output, context.readout()));
  }
  network->initialise(1);
  return network;
}

inline Learner block_learner(std::shared_ptr<Network> network, const BlockMethod& method,
                             const BlockCut& cut) {
  LearnerParts parts;
  parts.network = std::move(network);
  parts.method = {make<Rule>(method.rule)};
  parts.objective = make<Objective>(method.objective);
  parts.steps = 6;
  parts.schedule = make<Schedule>(cut.schedule);
  parts.block_major = cut.block_major;
  return Learner(std::move(parts));
}

/// Samples [first, first + size) of the tiny images, four times as bright.
inline Batch tiny_batch(int64_t first = 0, int64_t size = 8) {
  const TinyDataset data(first + size, 1);
  Batch batch;
  batch.x = torch::empty({size, 1, 6, 6});
  batch.target.y = torch::empty({size}, torch::kLong);
  for (int64_t b = 0; b < size; ++b) {
    data.read(first + b, 0, batch.x[b].data_ptr<float>());
    batch.target.y[b] = data.class_of(first + b);
  }
  batch.x.mul_(4);
  return batch;
}

/// Gradients by name, copied; those of parameters without one are left out.
inline NamedTensors gradients(const Network& network) {
  NamedTensors list;
  for (const auto& item : network.named_parameters()) {
    if (item.value().grad().defined()) list.emplace_back(item.key(), item.value().grad().clone());
  }
  return list;
}

/// Gradients after one pass over a batch.
inline NamedTensors pass_gradients(const BlockMethod& method, const BlockCut& cut,
                                   torch::ScalarType type = torch::kFloat) {
  const auto network = block_network(method, cut);
  network->to(type);
  Batch batch = tiny_batch();
  batch.x = batch.x.to(type);
  block_learner(network, method, cut).pass(batch, 0);
  return gradients(*network);
}

}  // namespace spiketrain
