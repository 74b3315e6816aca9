// Level step: a whole training step, forward, loss, backward and Adam, of small networks on random data, beside the
// forms of bench_plain.h.  Weights are scaled layer by layer until each hidden layer sends at the rate of the case; the
// learning rate is so small that they stay, so that every round does the same work.
#include <cmath>
#include <optional>

#include "apps/spiketrain/bench_case.h"
#include "apps/spiketrain/bench_plain.h"
#include "spiketrain/core/head.h"
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
/// of the mean rates, else the number of spikes is the loss.  With `heads` each hidden layer is a block that learns from the loss
/// of its own head, the last one from that of the output layer.  `population`: output neurons whose sum decides for a class.
struct StepSetting {
  const char *name, *spec;
  Shape in, out;
  std::vector<LayerShape> layers;
  int64_t steps, batch;
  bool still, classes;
  std::vector<std::vector<int64_t>> heads = {};  ///< weights [classes,C,H,W]
  int64_t population = 1;
  bool norm = false;  ///< of the hidden layers' currents
  bool local() const { return !heads.empty(); }
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
    {"cifar local 64C3p1-128C3p1-AP2-128C3p1-AP2-10",
     "64C3p1-128C3p1-AP2-128C3p1-AP2-10",
     {3, 32, 32},
     {10},
     {{{64, 3, 3, 3}, 1}, {{128, 64, 3, 3}, 1, true}, {{128, 128, 3, 3}, 1, true}, {{10, 8192}}},
     4,
     64,
     true,
     true,
     {{10, 64, 32, 32}, {10, 128, 16, 16}}},
    {"cifar norm 64C3p1-128C3p1-AP2-128C3p1-AP2-10",
     "64C3p1-128C3p1-AP2-128C3p1-AP2-10",
     {3, 32, 32},
     {10},
     {{{64, 3, 3, 3}, 1}, {{128, 64, 3, 3}, 1, true}, {{128, 128, 3, 3}, 1, true}, {{10, 8192}}},
     4,
     64,
     true,
     true,
     {},
     1,
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
    {"dense 512-512", "512", {512}, {512}, {{{512, 512}}}, 500, 16, false, false},
    {"shallow 1000-10", "1000-10", {784}, {10}, {{{1000, 784}}, {{10, 1000}}}, 25, 128, true, true},
    {"shallow 1000-100-POP10",
     "1000-100-POP10",
     {784},
     {10},
     {{{1000, 784}}, {{100, 1000}}},
     1,
     128,
     true,
     true,
     {},
     10}};

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
  /// Parameters from here on have ours' gradients in the first step, and the loss is the same; none: another task.
  std::optional<size_t> same_from = {};
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

/// With a norm, what is scaled is its gain.
std::vector<PlainUnit> draw_network(const StepSetting& s, const Batch& batch, double rate) {
  const torch::NoGradGuard no_grad;
  PlainInput few = {batch.x.slice(s.still ? 0 : 1, 0, kRateSamples), s.steps, s.still};
  std::vector<PlainUnit> below;
  for (const LayerShape& layer : s.layers) {
    PlainUnit unit = {draw_weights(layer.weights), layer.pad, layer.pool};
    const bool hidden = s.layers.size() == 1 || below.size() + 1 < s.layers.size();
    if (s.norm && hidden) {
      unit.gain = torch::ones({unit.W.size(0)});
      unit.bias = unit.mean = torch::zeros_like(unit.gain);
      unit.var = unit.gain;
    }
    if (rate > 0 && hidden) {
      const bool still = s.still && below.empty();
      const Tensor x = still           ? few.x
                       : below.empty() ? few.x.flatten(0, 1).to(torch::kFloat)
                                       : strong_forward(below, few);
      Tensor& scaled = s.norm ? unit.gain : unit.W;
      scaled = on_grid(scaled * factor_for(rate, plain_current(unit, x), few, still));
    }
    below.push_back(unit);
  }
  return below;
}

/// Cuts the network into blocks of one hidden layer and hangs heads of these weights on all but the last.
void hang_heads(Network& network, const StepSetting& s, const std::vector<Tensor>& heads) {
  const torch::NoGradGuard no_grad;
  network.partition(std::vector<int64_t>(heads.size() + 1, 1));
  for (size_t b = 0; b < heads.size(); ++b) {
    const auto block = static_cast<int64_t>(b);
    network.attach_head(block, make<Head>("linear")->build(network.block_shape(block), s.out, make_neuron()));
    network.parameters().back().copy_(heads[b].flatten(1));
  }
}

struct Weights {
  std::vector<PlainUnit> layers;
  std::vector<Tensor> heads;
};

Learner make_learner(const StepSetting& s, const Weights& weights, Precision precision, int64_t samples) {
  LearnerParts parts;
  parts.samples_at_once = samples;
  std::vector<Tensor> parameters;
  for (const PlainUnit& unit : weights.layers) {
    for (const Tensor& p : unit.parameters()) parameters.push_back(p);
  }
  parts.network = make_network(s.spec, s.in, s.out, parameters, s.norm ? Config{{"name", "bn"}} : Config());
  if (s.local()) hang_heads(*parts.network, s, weights.heads);
  set_precision(*parts.network, precision);
  parts.method.rule = make<Rule>("bptt");
  parts.objective = s.classes ? make<Objective>("rate_ce") : std::make_shared<SpikeSum>();
  parts.steps = s.steps;
  return Learner(parts);
}

Trainee our_trainee(const std::string& name, const Learner& learner, const Batch& batch) {
  Trainee trainee{name, [learner, batch] { return learner.pass(batch, 0).loss; },
                  named_parameters(learner.network()), std::nullopt};
  trainee.optimizer->attach(trainee.parameters);
  return trainee;
}

/// Leaves of its own; maps' weights channels last if `last`.
std::vector<PlainUnit> own_leaves(std::vector<PlainUnit> units, bool last) {
  for (PlainUnit& unit : units) {
    const auto format =
        last && unit.W.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    unit.W = unit.W.clone(format).requires_grad_();
    if (!unit.gain.defined()) continue;
    for (Tensor* p : {&unit.gain, &unit.bias}) *p = p->clone().requires_grad_();
    for (Tensor* statistic : {&unit.mean, &unit.var}) *statistic = statistic->clone();
  }
  return units;
}

using Forward = std::function<Tensor(const std::vector<PlainUnit>&)>;
using Loss = std::function<Tensor(const Tensor& out)>;

void attach(Trainee& trainee, const std::vector<PlainUnit>& units) {
  for (const PlainUnit& unit : units) {
    for (const Tensor& p : unit.parameters())
      trainee.parameters.emplace_back(std::to_string(trainee.parameters.size()), p);
  }
  trainee.optimizer->attach(trainee.parameters);
}

Trainee plain_trainee(const std::string& name, const std::vector<PlainUnit>& units, const Forward& forward,
                      const Loss& loss, std::optional<size_t> same_from) {
  Trainee trainee{name,
                  [=] {
                    const Tensor value = loss(forward(units));
                    value.backward();
                    return value.detach();
                  },
                  {},
                  same_from};
  attach(trainee, units);
  return trainee;
}

Trainee local_trainee(const std::vector<PlainUnit>& units, const std::vector<PlainUnit>& heads,
                      const PlainInput& in, const Loss& loss) {
  Trainee trainee{"local",
                  [=] {
                    Tensor value;
                    local_forward(units, heads, in, [&](const Tensor& out) {
                      value = loss(out);
                      value.backward();
                    });
                    return value.detach();
                  },
                  {},
                  0};
  std::vector<PlainUnit> all = units;
  all.insert(all.end(), heads.begin(), heads.end());
  attach(trainee, all);
  return trainee;
}

/// Values [N,classes] of output neurons [N,classes*population].
Tensor by_class(const StepSetting& s, const Tensor& out) {
  return s.population == 1 ? out : out.view({out.size(0), -1, s.population}).sum(-1);
}

/// Cross-entropy of the mean rates, or the number of spikes.
Loss loss_of_rates(const StepSetting& s, const Tensor& labels) {
  return [s, labels](const Tensor& out) {
    if (!s.classes) return out.sum();
    return torch::cross_entropy_loss(by_class(s, out).view({s.steps, s.batch, -1}).mean(0), labels);
  };
}

Trainee relu_trainee(const StepSetting& s, const std::vector<PlainUnit>& layers, const Batch& batch) {
  const Tensor each = batch.target.y.repeat({s.steps});
  const Loss loss = [s, each](const Tensor& out) {
    return s.classes ? torch::cross_entropy_loss(by_class(s, out), each) : out.sum();
  };
  const Tensor shown = s.still ? batch.x.unsqueeze(0).repeat_interleave(s.steps, 0) : batch.x;
  Tensor samples = shown.flatten(0, 1).to(torch::kFloat);
  if (samples.dim() == 4) samples = samples.contiguous(at::MemoryFormat::ChannelsLast);
  const auto forward = [samples](const auto& units) { return relu_forward(units, samples); };
  return plain_trainee("relu", own_leaves(layers, true), forward, loss, std::nullopt);
}

/// "plain" is always end to end; of blocks with heads it has the gradients of the last one alone.
std::vector<Trainee> plain_trainees(const StepSetting& s, const Weights& weights, const Batch& batch) {
  const PlainInput in = {batch.x, s.steps, s.still};
  const Loss loss = loss_of_rates(s, batch.target.y);
  const auto strong = [in](const auto& units) { return strong_forward(units, in); };
  const auto naive = [in](const auto& units) { return naive_forward(units, in); };
  const auto leaves = [&](bool last) { return own_leaves(weights.layers, last); };
  const Trainee plain = plain_trainee("plain", leaves(true), strong, loss, s.heads.size());
  if (!s.local())
    return {plain, plain_trainee("naive", leaves(false), naive, loss, 0),
            relu_trainee(s, weights.layers, batch)};
  std::vector<PlainUnit> heads;
  for (const Tensor& W : weights.heads) heads.push_back({W});
  return {plain, local_trainee(leaves(true), own_leaves(heads, true), in, loss)};
}

/// How far losses and gradients may be apart.  A norm's sums are rounded differently in each form, so some neurons at the threshold
/// fire in one form only, and every layer above has more that follow.
struct Apart {
  double loss, gradient;
};
Apart apart_of(const StepSetting& s) { return s.norm ? Apart{1e-2, 0.3} : Apart{1e-3, 1e-3}; }

/// The first step of each: losses and gradients of the spiking forms are the same, those of blocks with heads in the last block.
void check_first_step(const StepSetting& s, const std::vector<Trainee>& trainees) {
  std::vector<Tensor> loss;
  for (const Trainee& trainee : trainees) loss.push_back(trainee.pass());
  const NamedTensors& ours = trainees[0].parameters;
  for (size_t k = 1; k < trainees.size(); ++k) {
    if (!trainees[k].same_from) continue;
    const std::string where = str(s.name, ", ", trainees[k].name, " form, first step, ");
    check_same(where + "loss", loss[0], loss[k], apart_of(s).loss);
    const NamedTensors& theirs = trainees[k].parameters;
    for (size_t p = *trainees[k].same_from; p < theirs.size(); ++p) {
      const Tensor g = ours[p].second.grad();
      check_same(where + "gradient of " + ours[p].first, g, theirs[p].second.grad().reshape(g.sizes()),
                 apart_of(s).gradient);
    }
  }
  for (const Trainee& trainee : trainees) trainee.update();
}

/// Spikes of the layers that were scaled, per neuron and step, in training: there norms take the batch's statistics.
double hidden_rate(const Learner& learner, const Batch& batch) {
  Tally tally;
  learner.pass(batch, 0, {}, &tally);
  for (const Tensor& p : learner.network().parameters()) p.mutable_grad().reset();
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
  Weights weights = {draw_network(s, batch, rate), {}};
  for (const std::vector<int64_t>& head : s.heads) weights.heads.push_back(draw_weights(head));
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
                       [&s, d, options] { return step_contest(s, d, options); },
                       options.batch > 0 ? options.batch : s.batch});
  }
  return cases;
}

}  // namespace spiketrain::cli::bench
