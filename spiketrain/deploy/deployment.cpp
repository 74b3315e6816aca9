#include "spiketrain/deploy/deployment.h"

#include <algorithm>

#include "spiketrain/base/text.h"
#include "spiketrain/core/layer.h"
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
  ST_CHECK(options.batch_size >= 1, "export: expected a data set with samples, and at least one to look at");
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

Decision decision_of(const Objective& objective) {
  const std::string& name = objective.part_name();
  if (name == "max_ce") return Decision::maximum;
  const std::vector<std::string> sums = {"count",   "distillation", "mse",    "mse_count",
                                         "rate_ce", "smooth_l1",    "tet_ce", "van_rossum"};
  ST_CHECK(std::find(sums.begin(), sums.end(), name) != sums.end(), "export: objective ", name,
           " may decide by something else than sums over steps; expected max_ce or one of ", join(sums));
  return Decision::sum;
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

/// Spikes [T,B,neurons] uint8 of each layer of a chain, in the layer's own order; undefined where real numbers are sent.
std::vector<Tensor> network_spikes(Network& network, Signal x) {
  const torch::NoGradGuard no_grad;
  Context context;
  Carry carry = network.start();
  std::vector<Tensor> spikes;
  for (const Network::Node& node : network.nodes()) {
    if (node.head_of >= 0) continue;
    if (node.inputs.size() == 1) {
      x = node.stage->forward({x}, context, carry);
    } else {
      std::vector<int64_t> sizes = {1, x.batch()};
      sizes.insert(sizes.end(), node.out.begin(), node.out.end());
      Signal before = Signal::dense(torch::zeros(sizes));
      std::vector<Signal> steps;
      for (int64_t t = 0; t < x.steps(); ++t) {
        before = node.stage->forward({x.slice(t, t + 1), before}, context, carry);
        steps.push_back(before);
      }
      x = Signal::concatenate(steps);
    }
    if (dynamic_cast<const spiketrain::Layer*>(node.stage.get()))
      spikes.push_back(x.has_spikes() ? x.spikes().bytes().cpu() : Tensor());
  }
  return spikes;
}

/// [T,B,C,H,W] or [T,B,N] in C, H, W order -> [T,B,N] in H, W, C order.
Tensor channels_last(const Tensor& s) {
  return (s.dim() == 5 ? s.permute({0, 1, 3, 4, 2}) : s).flatten(2).contiguous();
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

Reading read_decision(const Training& training) {
  const Learner& learner = *training.learner;
  return {decision_of(*learner.parts().objective), first_read_of(learner.plan())};
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
std::vector<Agreement> compare_spikes(const Training& training, const Dataset& data,
                                      const Program<Math>& program, int64_t count) {
  std::vector<Agreement> layers;
  for (const auto& layer : program.layers) layers.push_back({layer.name + " " + layer.notation});
  Machine<Math> machine(program);
  int64_t left = count;
  for_signals(training, data, count, [&](const Batch& batch, const Signal& x) {
    const std::vector<Tensor> spikes = network_spikes(training.network(), x);
    std::vector<Recorded<Math>> samples = samples_of(batch, x, program);
    for (size_t b = 0; b < samples.size() && left > 0; ++b, --left) {
      record(machine, Decision::sum, 0, samples[b]);
      for (size_t k = 0; k < layers.size(); ++k) {
        if (!spikes[k].defined()) continue;
        const Tensor of = channels_last(spikes[k]).select(1, static_cast<int64_t>(b)).contiguous();
        const int64_t n = of.size(1);
        for (int64_t t = 0; t < samples[b].steps; ++t) {
          std::vector<uint8_t> fired(static_cast<size_t>(n), 0);
          for (const int32_t site : samples[b].spikes[static_cast<size_t>(t)][k])
            fired[static_cast<size_t>(site)] = 1;
          const uint8_t* s = of.data_ptr<uint8_t>() + t * n;
          for (int64_t i = 0; i < n; ++i) {
            layers[k].spikes += s[i];
            layers[k].different += s[i] != fired[static_cast<size_t>(i)];
          }
        }
      }
    }
  });
  std::vector<Agreement> spiking;
  for (size_t k = 0; k < layers.size(); ++k)
    if (program.layers[k].spiking) spiking.push_back(layers[k]);
  return spiking;
}
template std::vector<Agreement> compare_spikes(const Training&, const Dataset&, const FloatProgram&, int64_t);
template std::vector<Agreement> compare_spikes(const Training&, const Dataset&, const FixedProgram&, int64_t);

}  // namespace spiketrain::deploy
