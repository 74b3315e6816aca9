// A loop of one's own: a LibTorch module before a spiking network, a LibTorch loss and optimizer behind it.  The network is a
// torch::nn::Module, and its layers are nodes of autograd that learn by a rule of ours.
// Usage: own_loop [TRAINING_SAMPLES [EPOCHS]]
#include <torch/torch.h>

#include <cstdlib>
#include <iostream>

#include "spiketrain/spiketrain.h"

using namespace spiketrain;

constexpr int64_t kSteps = 5;

struct Model : torch::nn::Module {
  Model() {
    front = register_module("front", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 8, 5).stride(2)));
    NetworkContext context;
    context.input = {8, 12, 12};
    context.output = {10};
    context.neuron = [] { return make<Neuron>("lif", {{"leak", 0.8}}); };
    context.readout = [] { return make<Neuron>("leaky_readout", {{"leak", 0.9}}); };
    spiking =
        register_module("spiking", make<NetworkBuilder>("spec", {{"spec", "16C3-P2-10"}})->build(context));
    spiking->initialise(/*seed=*/1);
    method.rule = make<Rule>("bptt");
  }
  /// Images [B,1,28,28] -> logits [B,10].
  Tensor forward(const Tensor& images, Mode mode) {
    Context context;
    context.method = method;
    context.mode = mode;
    Carry carry = spiking->start();  // initial states
    const Signal input = Signal::constant(torch::relu(front(images)).unsqueeze(0), torch::ones({kSteps}));
    return spiking->forward(input, context, carry).values().mean(0);  // [T,B,10] -> [B,10]
  }
  torch::nn::Conv2d front{nullptr};
  std::shared_ptr<Network> spiking;
  Method method;
};

double accuracy(Model& model, const Dataset& data) {
  const torch::NoGradGuard no_grad;
  LoaderOptions options;
  options.shuffle = false;
  Loader loader(data, options);
  loader.start(/*epoch=*/0);
  int64_t right = 0;
  for (Batch batch; loader.next(batch);) {
    const Tensor decided = model.forward(batch.x, Mode::evaluate).argmax(1);
    right += (decided == batch.target.y).sum().item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(data.size());
}

int main(int argc, char** argv) {
  torch::manual_seed(1);
  DataOptions options;
  options.train_size = argc > 1 ? std::atoll(argv[1]) : 5000;
  const auto train = open_dataset(options);
  options.split = "test";
  const auto test = open_dataset(options);

  Model model;
  torch::optim::AdamW optimizer(model.parameters(), torch::optim::AdamWOptions(2e-3));
  Loader loader(*train, {});
  for (int64_t epoch = 0; epoch < (argc > 2 ? std::atoll(argv[2]) : 3); ++epoch) {
    loader.start(epoch);
    double sum = 0;
    for (Batch batch; loader.next(batch);) {
      optimizer.zero_grad();
      const Tensor loss =
          torch::nn::functional::cross_entropy(model.forward(batch.x, Mode::train), batch.target.y);
      loss.backward();
      torch::nn::utils::clip_grad_norm_(model.parameters(), 1.0);
      optimizer.step();
      sum += loss.item<double>();
    }
    std::cout << "epoch " << epoch + 1 << "  loss " << sum / static_cast<double>(loader.batches())
              << "  test accuracy " << accuracy(model, *test) << std::endl;
  }
}
