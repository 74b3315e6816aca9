// Learners for the benchmarks: networks from a specification, without recipe and data set.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/engine/learner.h"

namespace spiketrain::bench {

/// With initial weights, for samples of shape `input` and ten classes.  `options`: further ones of the
/// builder.
inline std::shared_ptr<Network> make_network(const std::string& spec, const Shape& input,
                                             const Config& neuron, Config options = Config::object()) {
  options["spec"] = spec;
  NetworkContext context;
  context.input = input;
  context.output = {10};
  context.neuron = context.readout = [neuron] { return make<Neuron>(neuron); };
  auto network = make<NetworkBuilder>("spec", options)->build(context);
  network->initialise(1);
  return network;
}

/// B samples of random classes.
inline Target random_classes(int64_t B) {
  return {Target::Kind::class_index, torch::randint(10, {B}, torch::kLong)};
}

/// Sequences in which every tenth element is 1.
inline Batch noise_frames(int64_t T, int64_t B, const Shape& shape) {
  std::vector<int64_t> size = {T, B};
  size.insert(size.end(), shape.begin(), shape.end());
  Batch batch;
  batch.x = torch::rand(size).lt(0.1).to(torch::kByte);
  batch.form = Batch::Form::frames;
  batch.target = random_classes(B);
  return batch;
}

}  // namespace spiketrain::bench
