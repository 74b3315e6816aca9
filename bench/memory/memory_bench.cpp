// Memory of training by window length K and block size B (0: end to end): the most bytes of activations held
// at once, as LibTorch's allocators hand them out, beside the prediction.  AlexNet-shaped network on two maps
// of 48 x 48, LIF, BPTT; batch from ST_BATCH (16).  The gradients of the weights exist before and do not
// count.
//   bench_memory --benchmark_filter='K:1/B:1/T:20'
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "spiketrain/train/memory_model.h"
#include "tests/support/block_pass.h"

namespace spiketrain::bench {
namespace {

const Shape kInput = {2, 48, 48};
constexpr int64_t kClasses = 10;
constexpr double kMiB = 1 << 20;

BlockNetwork make_alexnet(int64_t block_size, const Config& neuron) {
  NetworkContext context;
  context.input = kInput;
  context.classes = kClasses;
  context.neuron = context.readout = [neuron] { return Registry<Neuron>::get().make(neuron); };
  auto network = Registry<NetworkBuilder>::get()
                     .make({{"name", "spec"},
                            {"spec", "96C3-256C3-P2-384C3-P2-384C3-256C3-1024-1024-10"},
                            {"padding", "same"},
                            {"pool", "avg"}})
                     ->build(context);
  network->initialise(1);
  network->train();
  return cut_into_blocks(network, block_size, neuron, kClasses);
}

/// The training pass that is measured.
int64_t peak_of_pass(BlockNetwork& net, const RuleP& rule, const Signal& input, const Tensor& labels,
                     int64_t K) {
  return block_major_pass(net, rule, input, labels, K);
}

int64_t predicted(const BlockNetwork& net, const Rule& rule, int64_t K, int64_t T, int64_t batch) {
  MemoryPlan plan;
  plan.window = K;
  plan.windows = (T + K - 1) / K;
  plan.batch = batch;
  plan.block_major = true;
  plan.threads = at::get_num_threads();
  plan.input = {kInput, Values::binary, false, 1};
  return predict_memory(net.rows, plan, rule).peak;
}

void activations(benchmark::State& state) {
  const int64_t T = state.range(2), K = state.range(0) > 0 ? state.range(0) : T, B = state.range(1);
  const char* wanted = std::getenv("ST_BATCH");
  const int64_t batch = wanted ? std::atoll(wanted) : 16;
  const Config lif = {{"name", "lif"}};
  const RuleP rule = Registry<Rule>::get().make({{"name", "bptt"}});
  torch::manual_seed(1);
  BlockNetwork net = make_alexnet(B, lif);
  for (const Tensor& p : net.parameters()) p.mutable_grad() = torch::zeros_like(p);
  const Signal input = {(torch::rand({T, batch, 2, 48, 48}) < 0.1).to(torch::kFloat), {}, {}};
  const Tensor labels = torch::arange(batch) % kClasses;
  int64_t peak = 0;
  for (auto _ : state) peak = peak_of_pass(net, rule, input, labels, K);
  const double whole = static_cast<double>(predicted(make_alexnet(0, lif), *rule, T, T, batch));
  state.counters["MiB"] = static_cast<double>(peak) / kMiB;
  state.counters["predicted_MiB"] = static_cast<double>(predicted(net, *rule, K, T, batch)) / kMiB;
  state.counters["end_to_end_MiB"] = whole / kMiB;
  state.counters["percent"] = 100 * static_cast<double>(peak) / whole;
  state.SetLabel(str("batch ", batch));
}

BENCHMARK(activations)
    ->ArgNames({"K", "B", "T"})
    ->ArgsProduct({{0, 1, 2, 5}, {0, 1, 2}, {4, 20, 100}})
    ->Iterations(1)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
