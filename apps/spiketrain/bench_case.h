// What `spiketrain bench` times: cases, each the same work in some forms.  Of every case LibTorch's own form is one, so
// that no time stands alone.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/network.h"

namespace spiketrain::cli::bench {

/// One way to do the work of a case: "ours", "plain" (the best that plain LibTorch does), "naive" (a loop over steps under
/// autograd), "local" (plain LibTorch with a loss of each block), "relu" (the network without spikes), "mixed" (ours with
/// bfloat16 factors; of a product LibTorch's own in bfloat16), or the name of another neuron.
struct Form {
  std::string name;
  std::function<void()> run;
};

/// A case with its data drawn.
struct Contest {
  std::vector<Form> forms;  ///< ours, then plain, then others
  double density = 0;       ///< share of sites with a spike, as drawn or sent
  bool used = true;         ///< whether training takes our form at this density
};

struct Case {
  std::string level, name, product;
  double density = 0;  ///< that was asked for; 0: as it comes out
  /// Draws the data.  std::runtime_error if the forms do not agree.
  std::function<Contest()> prepare;
  int64_t samples = 0;  ///< that a run trains on; 0: it does not train
};

/// `densities` empty: the level's own.
std::vector<Case> kernel_cases(const std::vector<double>& densities);
std::vector<Case> layer_cases(const std::vector<double>& densities);
/// Whatever the densities: currents are drawn.
std::vector<Case> neuron_cases();
/// What `step` may be told; 0: as the case says, and of samples all at once.
struct StepOptions {
  int64_t steps = 0, batch = 0, samples = 0;
};
std::vector<Case> step_cases(const std::vector<double>& densities, const StepOptions& options);

/// A product of level kernel, to ask at which density events and the dense product that training would take instead need the
/// same time.
struct Balance {
  std::string name, product;
  double limit;  ///< density that training's model says, at most 1: ops::event_limit()
  /// Time of the dense product over that of events, the least of so many rounds.  std::runtime_error if they do not agree.
  std::function<double(double density, int64_t rounds)> ratio;
};
std::vector<Balance> kernel_balances();
/// Densities that are looked at.
constexpr double kSparsest = 0.005, kDensest = 1;
/// The density between these at which a ratio that falls with it is 1, by halving the interval of its logarithm; kSparsest if it
/// is below 1 there already, kDensest if it is above 1 there.
double break_even(const std::function<double(double density)>& ratio);

struct Times {
  std::string form;
  double median = 0, least = 0;  ///< milliseconds
  int64_t bytes = 0;  ///< most that LibTorch's allocators held at once in a run, beyond what they held before
};
/// Times the forms in turns, `rounds` times.
std::vector<Times> time_in_turns(const std::vector<Form>& forms, int64_t rounds);

/// What a run that was made before asks of the system once more, per run.
struct Steady {
  double page_faults = 0;  ///< without a disk: pages that the process touches for the first time
  double new_bytes = 0;    ///< growth of the heap and of blocks mapped apart from it
};
/// Over some runs, after one that is not counted.
Steady steady_state(const Form& form);

/// Weights N(0, 2.5/sqrt(inputs)) of this shape, on a grid (see on_grid()).
Tensor draw_weights(at::IntArrayRef shape);
/// Rounded to multiples of `step`.  Sums of products of such weights and spikes are exact in float, so that every form sends
/// the same spikes: otherwise a membrane at the threshold fires in one and not in the other, and what follows differs.
Tensor on_grid(const Tensor& x, double step = 1.0 / 4096);
/// 0 and 1, a share `density` of them 1: uint8.
Tensor draw_spikes(at::IntArrayRef shape, double density);

/// The neurons of layer and step: v[t] = u[t] - s[t], u[t] = kLeak * v[t-1] + I[t], s[t] = u[t] >= 1, surrogate
/// 1/(1 + (pi (u - 1))^2).
constexpr double kLeak = 0.5;
std::shared_ptr<Neuron> make_neuron();
/// The network of a notation with such neurons, this norm (null: none) on hidden layers, and these parameters in their order.
std::shared_ptr<Network> make_network(const std::string& spec, const Shape& input, const Shape& output,
                                      const std::vector<Tensor>& weights, const Config& norm = nullptr);

/// std::runtime_error unless `theirs` is `ours` up to `tolerance` of its norm.
void check_same(const std::string& what, const Tensor& ours, const Tensor& theirs, double tolerance = 1e-3);

}  // namespace spiketrain::cli::bench
