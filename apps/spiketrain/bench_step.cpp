// Level step: a whole training step, forward, loss, backward and Adam, of small networks on random data, beside the three
// forms of bench_plain.h.  Weights are scaled layer by layer until each hidden layer sends at the rate of the case; the
// learning rate is so small that they stay, so that every round does the same work.
#include <cmath>

#include "apps/spiketrain/bench_case.h"
#include "apps/spiketrain/bench_plain.h"
#include "spiketrain/engine/learner.h"

namespace spiketrain::cli::bench {
namespace {

/// Leaves the weights as they are, whatever the gradient.
constexpr double kLearningRate = 1e-12;
/// Samples that tell a layer's rate, and halvings of the interval that its factor lies in.
constexpr int64_t kRateSamples = 8, kHalvings = 20;

/// A layer's weights [out,in,k,k] or [out,in].
struct LayerShape {
  std::vector<int64_t> weights;
  int64_t pad = 0;
  bool pool = false;
};
/// A network and its data.  `still`: an image shown for all steps, else frames of spikes of rate 0.1.  `classes`: cross-entropy
/// of the mean rates, else the number of spikes is the loss.
struct StepSetting {
  const char *name, *spec;
  Shape in, out;
  std::vector<LayerShape> layers;
  int64_t steps, batch;
  bool still, classes;
};
const StepSetting kSettings[] = {
    {"cifar 64C3p1-128C3p1-AP2-128C3p1-AP2-10",
     "64C3p1-128C3p1-AP2-128C3p1-AP2-10",
     {3, 32, 32},
     {10},
     {{{64, 3, 3, 3}, 1}, {{128, 64, 3, 3}, 1, true}, {{128, 128, 3, 3}, 1, true}, {{10, 8192}}},
     4,
     64,
     true,
     true},
    {"mnist 15C5-AP2-40C5-AP2-300-10",
     "15C5-AP2-40C5-AP2-300-10",
     {1, 28, 28},
     {10},
     {{{15, 1, 5, 5}, 0, true}, {{40, 15, 5, 5}, 0, true}, {{300, 640}}, {{10, 300}}},
     5,
     50,
     true,
     true},
    {"dense 512-512", "512", {512}, {512}, {{{512, 512}}}, 500, 16, false, false}};

/// The number of spikes.
struct SpikeSum final : Objective {
  Tensor loss(const Output& out, const Target& /*target*/) const override { return out.values().sum(); }
  Error error(const Output& out, const Target& /*target*/) const override {
    const Spikes& s = out.signal.spikes();
    return {torch::scalar_tensor(static_cast<float>(s.total())), torch::ones(s.sizes())};
  }
};

/// A form of the network with its optimizer.
struct Trainee {
  std::string name;
  std::function<Tensor()> pass;  ///< adds gradients, returns the loss
  NamedTensors parameters;
  std::shared_ptr<Optimizer> optimizer = make<Optimizer>("adam");

  void update() const {
    optimizer->step(kLearningRate);
    optimizer->zero_grad();
  }
};

Batch draw_batch(const StepSetting& s) {
  Batch batch;
  std::vector<int64_t> sizes = {s.steps, s.batch};
  if (s.still) sizes = {s.batch};
  sizes.insert(sizes.end(), s.in.begin(), s.in.end());
  batch.form = s.still ? Batch::Form::image : Batch::Form::frames;
  batch.x = s.still ? on_grid(torch::randn(sizes), 1.0 / 64) : draw_spikes(sizes, 0.1);
  batch.target = {Target::Kind::class_index, torch::randint(10, {s.batch}, torch::kLong)};
  return batch;
}

/// The factor on currents I [N,*] (see strong_neurons()) at which neurons send at this rate.
double factor_for(double rate, const Tensor& I, const PlainInput& in, bool still) {
  double low = 1.0 / 256, high = 256;
  for (int64_t k = 0; k < kHalvings; ++k) {
    const double middle = std::sqrt(low * high);
    const double sent = strong_neurons(I * middle, in.steps, still).mean().item<double>();
    (sent < rate ? low : high) = middle;
  }
  return std::sqrt(low * high);
}

std::vector<Tensor> draw_network(const StepSetting& s, const Batch& batch, double rate) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> weights;
  PlainInput few = {batch.x.slice(s.still ? 0 : 1, 0, kRateSamples), s.steps, s.still};
  std::vector<PlainUnit> below;
  for (const LayerShape& layer : s.layers) {
    PlainUnit unit = {draw_weights(layer.weights), layer.pad, layer.pool};
    const bool scaled = rate > 0 && (s.layers.size() == 1 || below.size() + 1 < s.layers.size());
    if (scaled) {
      const bool still = s.still && below.empty();
      const Tensor x = still           ? few.x
                       : below.empty() ? few.x.flatten(0, 1).to(torch::kFloat)
                                       : strong_forward(below, few);
      unit.W = on_grid(unit.W * factor_for(rate, plain_product(unit, x), few, still));
    }
    below.push_back(unit);
    weights.push_back(unit.W);
  }
  return weights;
}

Learner make_learner(const StepSetting& s, const std::vector<Tensor>& weights, Precision precision,
                     int64_t samples) {
  LearnerParts parts;
  parts.samples_at_once = samples;
  parts.network = make_network(s.spec, s.in, s.out, weights);
  set_precision(*parts.network, precision);
  parts.method.rule = make<Rule>("bptt");
  parts.objective = s.classes ? make<Objective>("rate_ce") : std::make_shared<SpikeSum>();
  parts.steps = s.steps;
  return Learner(parts);
}

Trainee our_trainee(const std::string& name, const Learner& learner, const Batch& batch) {
  Trainee trainee{name, [learner, batch] { return learner.pass(batch, 0).loss; },
                  named_parameters(learner.network())};
  trainee.optimizer->attach(trainee.parameters);
  return trainee;
}

/// Leaves of its own; maps' weights channels last if `last`.
std::vector<PlainUnit> plain_units(const StepSetting& s, const std::vector<Tensor>& weights, bool last) {
  std::vector<PlainUnit> units;
  for (size_t k = 0; k < weights.size(); ++k) {
    const auto format =
        last && weights[k].dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    units.push_back({weights[k].clone(format).requires_grad_(), s.layers[k].pad, s.layers[k].pool});
  }
  return units;
}

using Forward = std::function<Tensor(const std::vector<PlainUnit>&)>;
using Loss = std::function<Tensor(const Tensor& out)>;

Trainee plain_trainee(const std::string& name, const std::vector<PlainUnit>& units, const Forward& forward,
                      const Loss& loss) {
  Trainee trainee{name,
                  [=] {
                    const Tensor value = loss(forward(units));
                    value.backward();
                    return value.detach();
                  },
                  {}};
  for (size_t k = 0; k < units.size(); ++k) trainee.parameters.emplace_back(std::to_string(k), units[k].W);
  trainee.optimizer->attach(trainee.parameters);
  return trainee;
}

std::vector<Trainee> plain_trainees(const StepSetting& s, const std::vector<Tensor>& weights,
                                    const Batch& batch) {
  const PlainInput in = {batch.x, s.steps, s.still};
  const Tensor labels = batch.target.y, each = labels.repeat({s.steps});
  const Loss of_rates = [s, labels](const Tensor& out) {
    if (!s.classes) return out.sum();
    return torch::cross_entropy_loss(out.view({s.steps, s.batch, -1}).mean(0), labels);
  };
  const Loss of_samples = [s, each](const Tensor& out) {
    return s.classes ? torch::cross_entropy_loss(out, each) : out.sum();
  };
  const Tensor shown = s.still ? batch.x.unsqueeze(0).repeat_interleave(s.steps, 0) : batch.x;
  Tensor samples = shown.flatten(0, 1).to(torch::kFloat);
  if (samples.dim() == 4) samples = samples.contiguous(at::MemoryFormat::ChannelsLast);
  const auto last = plain_units(s, weights, true), apart = plain_units(s, weights, false);
  return {plain_trainee(
              "plain", last, [in](const auto& units) { return strong_forward(units, in); }, of_rates),
          plain_trainee(
              "naive", apart, [in](const auto& units) { return naive_forward(units, in); }, of_rates),
          plain_trainee(
              "relu", plain_units(s, weights, true),
              [samples](const auto& units) { return relu_forward(units, samples); }, of_samples)};
}

/// The first step of each: losses and gradients of the spiking forms are the same.
void check_first_step(const StepSetting& s, const std::vector<Trainee>& trainees) {
  std::vector<Tensor> loss;
  for (const Trainee& trainee : trainees) loss.push_back(trainee.pass());
  for (const size_t k : {1, 2}) {
    const std::string where = str(s.name, ", ", trainees[k].name, " form, first step, ");
    check_same(where + "loss", loss[0], loss[k]);
    for (size_t p = 0; p < trainees[0].parameters.size(); ++p)
      check_same(where + "gradient of layer " + std::to_string(p + 1),
                 trainees[0].parameters[p].second.grad(), trainees[k].parameters[p].second.grad());
  }
  for (const Trainee& trainee : trainees) trainee.update();
}

/// Spikes of the layers that were scaled, per neuron and step.
double hidden_rate(const Learner& learner, const Batch& batch) {
  Tally tally;
  learner.infer(batch, &tally);
  auto counts = tally.counts();
  while (counts.back().sites == 0) counts.pop_back();  // pooling
  if (counts.size() > 1) counts.pop_back();            // the output layer
  Tally::Count sum;
  for (const Tally::Count& count : counts) sum.spikes += count.spikes, sum.sites += count.sites;
  return sum.rate();
}

Contest step_contest(StepSetting s, double rate, const StepOptions& options) {
  if (options.steps > 0) s.steps = options.steps;
  if (options.batch > 0) s.batch = options.batch;
  torch::manual_seed(1);
  const Batch batch = draw_batch(s);
  const std::vector<Tensor> weights = draw_network(s, batch, rate);
  const Learner learner = make_learner(s, weights, Precision::fp32, options.samples);
  std::vector<Trainee> trainees = plain_trainees(s, weights, batch);
  trainees.insert(trainees.begin(), our_trainee("ours", learner, batch));
  trainees.push_back(
      our_trainee("mixed", make_learner(s, weights, Precision::mixed, options.samples), batch));
  Contest contest;
  contest.density = hidden_rate(learner, batch);
  check_first_step(s, trainees);
  for (const Trainee& trainee : trainees)
    contest.forms.push_back({trainee.name, [trainee] {
                               trainee.pass();
                               trainee.update();
                             }});
  return contest;
}

/// With the sizes that are used.
std::string named(const StepSetting& s, const StepOptions& options) {
  return str(s.name, " T=", options.steps > 0 ? options.steps : s.steps,
             " B=", options.batch > 0 ? options.batch : s.batch);
}

}  // namespace

std::vector<Case> step_cases(const std::vector<double>& densities, const StepOptions& options) {
  const std::vector<double> own = {0.05, 0.1, 0};
  std::vector<Case> cases;
  for (const StepSetting& s : kSettings) {
    for (const double d : densities.empty() ? own : densities)
      cases.push_back({"step", named(s, options), "training step", d,
                       [&s, d, options] { return step_contest(s, d, options); }});
  }
  return cases;
}

}  // namespace spiketrain::cli::bench
