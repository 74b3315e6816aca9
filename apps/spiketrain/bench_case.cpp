#include "apps/spiketrain/bench_case.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "spiketrain/ops/memory_tracker.h"

namespace spiketrain::cli::bench {
namespace {

/// Shorter forms are repeated until one measurement takes so long, ms: the clock and the waking of threads are noise.
constexpr double kShortest = 5;
constexpr int64_t kMostRepeats = 1000;
/// Runs whose page faults are counted.
constexpr int64_t kSteadyRuns = 3;
/// Halvings of the interval in which events and the dense product take the same time; a straight line does the rest.
constexpr int kHalvingsOfDensity = 5;

/// Milliseconds of one run, of `repeats` in a row.
double time_form(const Form& form, int64_t repeats) {
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t k = 0; k < repeats; ++k) form.run();
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
  return passed.count() / static_cast<double>(repeats);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_minflt);
}

/// That the allocator holds, of all arenas.
double bytes_of_heap() {
  const auto info = mallinfo2();
  return static_cast<double>(info.arena) + static_cast<double>(info.hblkhd);
}

}  // namespace

std::vector<Times> time_in_turns(const std::vector<Form>& forms, int64_t rounds) {
  std::vector<int64_t> repeats;
  for (const Form& form : forms) {
    form.run();  // first calls allocate and compile
    const double once = std::max(time_form(form, 1), kShortest / kMostRepeats);
    repeats.push_back(std::max<int64_t>(1, std::llround(std::ceil(kShortest / once))));
  }
  std::vector<std::vector<double>> times(forms.size());
  for (int64_t round = 0; round < rounds; ++round) {
    for (size_t k = 0; k < forms.size(); ++k) times[k].push_back(time_form(forms[k], repeats[k]));
  }
  std::vector<Times> result;
  for (size_t k = 0; k < forms.size(); ++k) {
    const MemoryTracker tracker;
    forms[k].run();
    result.push_back({forms[k].name, median(times[k]), *std::min_element(times[k].begin(), times[k].end()),
                      tracker.peak()});
  }
  return result;
}

Steady steady_state(const Form& form) {
  form.run();  // others ran before it
  const double faults = page_faults(), bytes = bytes_of_heap();
  for (int64_t k = 0; k < kSteadyRuns; ++k) form.run();
  return {(page_faults() - faults) / kSteadyRuns, (bytes_of_heap() - bytes) / kSteadyRuns};
}

double break_even(const std::function<double(double density)>& ratio) {
  double low = std::log(kSparsest), high = std::log(kDensest);
  double at_high = std::log(ratio(kDensest));
  if (at_high >= 0) return kDensest;
  double at_low = std::log(ratio(kSparsest));
  if (at_low <= 0) return kSparsest;
  for (int k = 0; k < kHalvingsOfDensity; ++k) {
    const double middle = (low + high) / 2, at_middle = std::log(ratio(std::exp(middle)));
    (at_middle > 0 ? low : high) = middle;
    (at_middle > 0 ? at_low : at_high) = at_middle;
  }
  return std::exp(low + (high - low) * at_low / (at_low - at_high));
}

Tensor on_grid(const Tensor& x, double step) { return (x / step).round() * step; }

Tensor draw_weights(at::IntArrayRef shape) {
  const auto inputs = static_cast<double>(c10::multiply_integers(shape.slice(1)));
  return on_grid(torch::randn(shape) * (2.5 / std::sqrt(inputs)));
}

Tensor draw_spikes(at::IntArrayRef shape, double density) {
  return torch::rand(shape).lt(density).to(torch::kByte);
}

std::shared_ptr<Neuron> make_neuron() {
  return make<Neuron>("lif", {{"leak", kLeak}, {"threshold", 1.0}, {"surrogate", "atan"}});
}

std::shared_ptr<Network> make_network(const std::string& spec, const Shape& input, const Shape& output,
                                      const std::vector<Tensor>& weights, const Config& norm) {
  NetworkContext context;
  context.input = input;
  context.output = output;
  context.neuron = context.readout = make_neuron;
  Config options = {{"spec", spec}};
  if (!norm.is_null()) options["norm"] = norm;
  auto network = make<NetworkBuilder>("spec", options)->build(context);
  const torch::NoGradGuard no_grad;
  const std::vector<Tensor> parameters = network->parameters();
  ST_ASSERT(parameters.size() == weights.size());
  for (size_t k = 0; k < weights.size(); ++k) parameters[k].copy_(weights[k]);
  return network;
}

void check_same(const std::string& what, const Tensor& ours, const Tensor& theirs, double tolerance) {
  const double size = theirs.norm().item<double>(), apart = (ours - theirs).norm().item<double>();
  if (apart <= tolerance * size) return;
  throw std::runtime_error(str("bench: ", what,
                               ": expected the same result of ours and of plain LibTorch to ", tolerance,
                               ", got a difference of ", apart / size,
                               " of its size; their times would not be of the same work, so this case is "
                               "not timed; run `spiketrain check`"));
}

}  // namespace spiketrain::cli::bench
