#include "spiketrain/deploy/deployment.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/text.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/core/watch.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/deploy/program_network.h"
#include "spiketrain/deploy/read_network.h"
#include "spiketrain/engine/run.h"

namespace spiketrain::deploy {
namespace {

/// Calls f(batch, signal) on the first `count` samples in order.
template <class F>
void for_signals(const Training& training, const Dataset& data, int64_t count, F&& f) {
  const LearnerParts& parts = training.learner->parts();
  LoaderOptions options;
  options.batch_size = std::min<int64_t>(std::min(count, data.size()), 100);
  options.shuffle = false;
  ST_CHECK(options.batch_size >= 1, "export: expected a data set with samples, and at behind one to look at");
  Loader loader(data, options);
  loader.start(0);
  int64_t done = 0;
  for (Batch batch; done < count && loader.next(batch); done += batch.size()) {
    batch.epoch = kEvaluationEpoch;
    const Encoder::Request request = {0, parts.steps, parts.steps, parts.seed};
    const bool frames = batch.form == Batch::Form::frames;
    f(batch, frames ? parts.encoder->frames(batch, request) : parts.encoder->encode(batch, request));
  }
}

Prediction prediction_of(const Objective& objective, Target::Kind target) {
  const Config options = objective.config();
  ST_CHECK(options.value("decision", "sum") == "sum", "export: objective ", objective.part_name(),
           " decides by decision = \"", options.value("decision", ""),
           "\", which exports do not; train with decision = \"sum\"");
  ST_CHECK(objective.part_name() != "rate_bce",
           "export: objective rate_bce predicts shares of a sigmoid, which exports ",
           "do not compute; train with mse");
  if (target == Target::Kind::values) return Prediction::mean;
  if (target != Target::Kind::class_index) return Prediction::steps;
  const std::string& name = objective.part_name();
  if (name == "max_ce") return Prediction::greatest_maximum;
  const std::vector<std::string> sums = {"count",   "distillation", "mse",    "mse_count",
                                         "rate_ce", "smooth_l1",    "tet_ce", "van_rossum"};
  ST_CHECK(std::find(sums.begin(), sums.end(), name) != sums.end(), "export: objective ", name,
           " may decide by something else than sums over steps; train with max_ce or one of ", join(sums));
  return Prediction::greatest_sum;
}

/// The first step that a prediction reads.
int64_t first_read_of(const Plan& plan) {
  int64_t first = 0;
  for (const Segment& s : plan) {
    if (s.t0 + s.unread > first && s.t0 == first) first = s.t0 + s.unread;
    ST_CHECK(s.unread == 0 || first >= s.t0 + s.unread,
             "export: predictions leave out steps in the middle of a "
             "sequence; expected only steps at its beginning");
  }
  return first;
}

bool still(const Signal& x) { return x.is_constant() && torch::equal(x.gain(), torch::ones_like(x.gain())); }

/// [T or 1, B, inputs] float
Tensor frames_of(const Signal& x) {
  const Tensor values = still(x) ? x.image() : x.values();
  return values.to(torch::kCPU, torch::kFloat).flatten(2).contiguous();
}

/// [T,B,C,H,W] or [T,B,N] in C, H, W order -> [T,B,N] in H, W, C order.
Tensor channels_last(const Tensor& s) {
  return (s.dim() == 5 ? s.permute({0, 1, 3, 4, 2}) : s).flatten(2).contiguous();
}

/// What the layers of a network that is a chain send.
class Sent final : public Watch {
 public:
  explicit Sent(const Network& network) {
    for (size_t n = 0; n < network.nodes().size(); ++n) {
      const Network::Node& node = network.nodes()[n];
      if (node.head_of < 0 && dynamic_cast<const spiketrain::Layer*>(node.stage.get())) nodes_.push_back(n);
    }
    spikes_.resize(nodes_.size());
  }
  void saw(size_t node, const std::vector<Signal>& /*in*/, const Signal& out,
           const Context& /*context*/) override {
    const auto at = std::find(nodes_.begin(), nodes_.end(), node);
    if (at == nodes_.end()) return;
    const auto k = static_cast<size_t>(at - nodes_.begin());
    if (out.has_spikes()) spikes_[k].push_back(channels_last(out.spikes().bytes()));
    if (k + 1 == nodes_.size()) output_.push_back(channels_last(out.values()));
  }
  /// [T,neurons] uint8 of a layer for a sample, in H, W, C order.
  Tensor spikes(size_t layer, int64_t sample) const { return torch::cat(spikes_[layer]).select(1, sample); }
  /// [T,outputs] float, likewise.
  Tensor output(int64_t sample) const { return torch::cat(output_).select(1, sample); }

 private:
  std::vector<size_t> nodes_;  ///< of the layers
  std::vector<std::vector<Tensor>> spikes_;
  std::vector<Tensor> output_;
};

/// The network computes in float32 while this lives: programs know no bfloat16.
class InFloat32 {
 public:
  explicit InFloat32(Network& network) : network_(network) {
    for (const auto& module : network.modules())
      if (const auto* synapse = dynamic_cast<const Synapse*>(module.get())) before_ = synapse->precision;
    set_precision(network, Precision::fp32);
  }
  ~InFloat32() { set_precision(network_, before_); }
  InFloat32(const InFloat32&) = delete;
  InFloat32& operator=(const InFloat32&) = delete;

 private:
  Network& network_;
  Precision before_ = Precision::fp32;  ///< of all synapses
};

/// Spikes [steps,n] uint8 of a recorded layer.
template <class Math>
Tensor spikes_of(const Recorded<Math>& sample, size_t layer, int64_t n) {
  Tensor spikes = torch::zeros({sample.steps, n}, torch::kUInt8);
  for (int64_t t = 0; t < sample.steps; ++t) {
    for (const int32_t site : sample.spikes[static_cast<size_t>(t)][layer])
      spikes.data_ptr<uint8_t>()[t * n + site] = 1;
  }
  return spikes;
}

/// Adds sample `b` of what the network sent, `seen`, and the program made.
template <class Math>
void compare_sample(const Program<Math>& program, const Sent& seen, int64_t b, const Recorded<Math>& sample,
                    Comparison& to) {
  bool same = true;
  auto agreement = to.layers.begin();
  for (size_t k = 0; k < program.layers.size(); ++k) {
    if (!program.layers[k].spiking) continue;
    const Tensor wanted = seen.spikes(k, b).slice(0, 0, sample.steps);
    const Tensor fired = spikes_of(sample, k, wanted.size(1));
    const auto different = wanted.ne(fired).sum().item<int64_t>();
    agreement->spikes += wanted.sum().item<int64_t>();
    agreement->different += different;
    same = same && different == 0;
    ++agreement;
  }
  const Tensor wanted = seen.output(b).slice(0, 0, sample.steps).to(torch::kDouble);
  const auto y = torch::tensor(at::ArrayRef<typename Math::Value>(sample.y), torch::kDouble).view_as(wanted);
  const Tensor difference = y * std::ldexp(1.0, -program.output_exponent) - wanted;
  const auto larger = [](double& x, const Tensor& of) {  // NaN, once there, stays
    const auto there = of.abs().max().item<double>();
    if (!std::isnan(x) && !(there <= x)) x = there;
  };
  larger(to.output, difference);
  larger(to.largest_output, wanted);
  if (same) larger(to.rounding, difference);
}

/// Samples of a batch for a program.
template <class Math>
std::vector<Recorded<Math>> samples_of(const Batch& batch, const Signal& x, const Program<Math>& program) {
  const Tensor frames = frames_of(x);
  const int64_t F = frames.size(0), B = frames.size(1), n = frames.size(2);
  std::vector<Recorded<Math>> samples(static_cast<size_t>(B));
  for (int64_t b = 0; b < B; ++b) {
    Recorded<Math>& sample = samples[static_cast<size_t>(b)];
    sample.still = still(x);
    sample.steps = batch.lengths.defined() ? batch.lengths.data_ptr<int64_t>()[b] : x.steps();
    const int64_t shown = sample.still ? 1 : std::min(sample.steps, F);
    sample.x.resize(static_cast<size_t>(shown * n));
    for (int64_t t = 0; t < shown; ++t)
      scale_inputs(program, frames.data_ptr<float>() + (t * B + b) * n, n, sample.x.data() + t * n);
  }
  return samples;
}

}  // namespace

Deployment read_training(const Training& training, int64_t samples) {
  const Learner& learner = *training.learner;
  Deployment d;
  d.model = read_network(learner.network());
  d.kind = Input::counts;
  for_signals(training, *training.data.train, samples, [&](const Batch&, const Signal& x) {
    if (!x.is_spikes() || x.scale() != 1) d.kind = Input::real;
    d.input_range = std::max(d.input_range, frames_of(x).abs().max().item<double>());
  });
  return d;
}

Reading reading_of(const Training& training) {
  const Learner& learner = *training.learner;
  const LearnerParts& parts = learner.parts();
  return {prediction_of(*parts.objective, parts.target), first_read_of(learner.plan())};
}

template <class Math>
Evaluation evaluate_program(const Training& training, const Dataset& data, int64_t batch,
                            std::shared_ptr<const Program<Math>> program) {
  const Learner& learner = *training.learner;
  LearnerParts parts = learner.parts();
  parts.network = program_network<Math>(std::move(program), learner.network().input_shape(),
                                        learner.network().out_shape());
  return evaluate(training, data, batch, *parts.network, [&](const Batch& x, Tally* tally) {
    return Run(parts, x, Mode::evaluate, 0, tally).infer(learner.plan(0, x.lengths));
  });
}
template Evaluation evaluate_program(const Training&, const Dataset&, int64_t,
                                     std::shared_ptr<const FloatProgram>);
template Evaluation evaluate_program(const Training&, const Dataset&, int64_t,
                                     std::shared_ptr<const FixedProgram>);

template <class Math>
std::vector<Recorded<Math>> read_samples(const Training& training, const Dataset& data,
                                         const Program<Math>& program, int64_t count) {
  std::vector<Recorded<Math>> samples;
  for_signals(training, data, count, [&](const Batch& batch, const Signal& x) {
    for (auto& sample : samples_of(batch, x, program)) samples.push_back(std::move(sample));
  });
  samples.resize(std::min(samples.size(), static_cast<size_t>(count)));
  return samples;
}
template std::vector<Recorded<Float>> read_samples(const Training&, const Dataset&, const FloatProgram&,
                                                   int64_t);
template std::vector<Recorded<Fixed>> read_samples(const Training&, const Dataset&, const FixedProgram&,
                                                   int64_t);

template <class Math>
Comparison compare(const Training& training, const Dataset& data, const Program<Math>& program,
                   int64_t count) {
  Comparison result;
  for (const auto& layer : program.layers)
    if (layer.spiking) result.layers.push_back({layer.name + " " + layer.notation});
  const Reading reading = reading_of(training);
  const InFloat32 precision(training.network());
  Machine<Math> machine(program);
  for_signals(training, data, count, [&](const Batch& batch, const Signal& x) {
    const Sent sent(training.network());
    const Tensor prediction = training.learner->infer(batch).prediction;
    std::vector<Recorded<Math>> samples = samples_of(batch, x, program);
    for (int64_t b = 0; b < batch.size() && result.samples < count; ++b, ++result.samples) {
      Recorded<Math>& sample = samples[static_cast<size_t>(b)];
      record(machine, reading, sample);
      compare_sample(program, sent, b, sample, result);
      if (!reading.decides()) continue;
      const Tensor of = prediction[b], behind = of.max() - of[sample.decision];
      result.decisions += behind.item<double>() > 0;  // of several that are the greatest any will do
    }
  });
  return result;
}
template Comparison compare(const Training&, const Dataset&, const FloatProgram&, int64_t);
template Comparison compare(const Training&, const Dataset&, const FixedProgram&, int64_t);

}  // namespace spiketrain::deploy
