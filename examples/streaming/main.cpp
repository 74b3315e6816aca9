// Inference one step at a time: all state between two steps is in a Carry, which may be copied, kept or thrown away.
// Shows that the outputs are those of the whole sequence at once.
// Usage: streaming [STEPS]
#include <cstdlib>
#include <iostream>

#include "spiketrain/spiketrain.h"

using namespace spiketrain;

int main(int argc, char** argv) {
  const int64_t T = argc > 1 ? std::atoll(argv[1]) : 50, B = 2;
  NetworkContext context;
  context.input = {2, 16, 16};  // frames of an event camera: ON and OFF
  context.output = {4};
  context.neuron = [] { return make<Neuron>("cuba_lif"); };
  context.readout = [] { return make<Neuron>("leaky_readout", {{"leak", 0.9}}); };
  const auto network = make<NetworkBuilder>("spec", {{"spec", "8C3-P2-32R-4"}})->build(context);
  network->initialise(/*seed=*/1);

  torch::manual_seed(1);
  const Tensor frames = (torch::rand({T, B, 2, 16, 16}) < 0.3).to(torch::kFloat);
  const torch::NoGradGuard no_grad;
  const Context evaluate;  // Mode::evaluate: nothing is recorded

  Carry carry = network->start();
  const Tensor whole = network->forward(Signal::dense(frames), evaluate, carry).values();  // [T,B,4]

  carry = network->start();
  Carry snapshot;
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < T; ++t) {
    if (t == T / 2) snapshot = carry;  // a copy is a snapshot: the stream can go on from here again
    const Signal frame = Signal::dense(frames.slice(0, t, t + 1));  // [1,B,2,16,16], as it comes in
    steps.push_back(network->forward(frame, evaluate, carry).values());
  }
  const Tensor streamed = torch::cat(steps);
  const Tensor again = network->forward(Signal::dense(frames.slice(0, T / 2)), evaluate, snapshot).values();

  const double apart = (whole - streamed).abs().max().item<double>();
  const double apart_again = (whole.slice(0, T / 2) - again).abs().max().item<double>();
  std::cout << T << " steps of " << network->notation() << ", largest output "
            << whole.abs().max().item<double>() << "\none step at a time: largest difference " << apart
            << "\nfrom the snapshot on: largest difference " << apart_again << std::endl;
  return apart < 1e-5 && apart_again < 1e-5 && whole.abs().max().item<double>() > 0 ? 0 : 1;
}
