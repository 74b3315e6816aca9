#include "spiketrain/train/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "spiketrain/core/layer.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/engine/shares.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/memory_tracker.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {
namespace {

struct NamedWeight {
  std::string spec, name;
  Tensor weight;
};

/// Weights of the network's own layers; local heads are not part of the network that the exact gradient trains.
std::vector<NamedWeight> layer_weights(const Network& network) {
  std::vector<NamedWeight> list;
  for (const Network::Node& node : network.nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (!layer || node.head_of >= 0) continue;
    for (const Connection& c : layer->connections()) {
      if (!c.synapse) continue;
      const auto parameters = c.synapse->named_parameters(/*recurse=*/false);
      if (const Tensor* weight = parameters.find("weight"))
        list.push_back({c.synapse->notation(), "weight", *weight});
    }
  }
  return list;
}

/// Everything that learns there.
std::vector<NamedWeight> layer_parameters(const Network& network) {
  std::vector<NamedWeight> list;
  for (const Network::Node& node : network.nodes()) {
    if (node.head_of >= 0) continue;
    for (const auto& item : node.stage->named_parameters()) {
      if (item.key().rfind("feedback", 0) == 0) continue;  // learns, but not by a gradient of its own
      list.push_back({node.name + " " + node.stage->notation(), item.key(), item.value()});
    }
  }
  return list;
}

/// Flat, in double; undefined: none.
std::vector<Tensor> take_gradients(const std::vector<NamedWeight>& weights, Network& network) {
  std::vector<Tensor> gradients;
  for (const NamedWeight& layer : weights) {
    const Tensor& g = layer.weight.grad();
    gradients.push_back(g.defined() ? g.to(torch::kDouble).flatten() : Tensor());
  }
  network.zero_grad(/*set_to_none=*/true);
  return gradients;
}

double cosine(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return std::numeric_limits<double>::quiet_NaN();
  const ops::OneThread one_thread;  // sums: the same bits on any number of threads
  const double norm = a.norm().item<double>() * b.norm().item<double>();
  return norm > 0 ? a.dot(b).item<double>() / norm : std::numeric_limits<double>::quiet_NaN();
}

GradientAgreement agreement(const NamedWeight& of, Tensor ours, Tensor reference) {
  const ops::OneThread one_thread;
  GradientAgreement row{of.spec, of.name, cosine(ours, reference), 0, 0};
  if (!ours.defined()) ours = torch::zeros({of.weight.numel()}, torch::kDouble);
  if (!reference.defined()) reference = torch::zeros_like(ours);
  const double norm = reference.norm().item<double>(), distance = (ours - reference).norm().item<double>();
  row.norm_ratio = norm > 0 ? ours.norm().item<double>() / norm : std::numeric_limits<double>::quiet_NaN();
  row.error = distance == 0 ? 0 : distance / norm;
  return row;
}

/// The same samples as the encoder sends them, in double: what any encoder draws is then the same for all.
Batch encoded(const Batch& batch, const LearnerParts& parts) {
  const Encoder::Request request = {0, parts.steps, parts.steps, parts.seed};
  const bool frames = batch.form == Batch::Form::frames;
  const Signal x = frames ? parts.encoder->frames(batch, request) : parts.encoder->encode(batch, request);
  Batch sent = batch;
  sent.form = Batch::Form::frames;
  sent.x = x.values().to(torch::kDouble);
  if (sent.target.y.is_floating_point()) sent.target.y = sent.target.y.to(torch::kDouble);
  if (sent.target.teacher.defined()) sent.target.teacher = sent.target.teacher.to(torch::kDouble);
  return sent;
}

Batch first_samples(const Training& training, int64_t samples) {
  LoaderOptions options;
  options.batch_size = std::min(samples, training.data.train->size());
  options.shuffle = false;
  Loader loader(*training.data.train, options);
  loader.start(0);
  Batch batch;
  const bool found = loader.next(batch);
  ST_CHECK(found, "probe: the training split is empty");
  return batch.to(training.device);
}

/// Puts network and learner back when it goes out of scope.
class Restore {
 public:
  explicit Restore(const Learner& learner) : network_(learner.network()), changed_(network_.buffers()) {
    for (const auto& item : learner.state()) changed_.push_back(item.second);
    for (const Tensor& x : changed_) before_.push_back(x.clone());
    network_.zero_grad(/*set_to_none=*/true);
  }
  ~Restore() {
    network_.zero_grad(/*set_to_none=*/true);
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < changed_.size(); ++i) changed_[i].copy_(before_[i]);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  Network& network_;
  std::vector<Tensor> changed_, before_;
};

}  // namespace

int64_t measure_activation_bytes(const Training& training, int64_t samples) {
  const Batch batch = first_samples(training, samples);
  Network& network = training.network();
  const Restore restore(*training.learner);
  for (Tensor p : network.parameters()) p.mutable_grad() = torch::zeros_like(p);
  const Learner alone = training.learner->alone();
  const MemoryTracker tracker;
  alone.pass(batch, 0);
  return tracker.peak();
}

int64_t estimate_activation_bytes(const Training& training, int64_t batch, double work) {
  const int64_t samples = samples_held(training.learner->parts(), training.learner->plan(), batch);
  // Products and neurons are shared in eight: each share grows by a sample with eight more.  Of few samples shares are fewer
  // and larger, and other moments are the worst: those in which gradients of weights are there.
  constexpr int64_t kStride = ops::kMaxChunks;
  double macs = 1;
  for (const Network::Node& node : training.network().nodes())
    for (const StageInfo& info : node.stage->describe()) macs += static_cast<double>(info.macs);
  const double affordable = work / macs / static_cast<double>(training.learner->parts().steps);
  const int64_t strides = static_cast<int64_t>(std::min(affordable, 1e6)) / kStride;
  const int64_t few = std::max<int64_t>(2, strides) * kStride;
  if (samples <= 3 * few) return measure_activation_bytes(training, samples);
  const int64_t two = measure_activation_bytes(training, 2 * few),
                three = measure_activation_bytes(training, 3 * few);
  const double more = static_cast<double>(samples - 2 * few) / static_cast<double>(few);
  return two + std::llround(more * static_cast<double>(three - two));
}

std::vector<LayerCosine> gradient_cosines(const Training& training, int64_t samples) {
  const Batch batch = first_samples(training, samples);
  Network& network = training.network();
  const Restore restore(*training.learner);
  const std::vector<NamedWeight> weights = layer_weights(network);
  const Learner alone = training.learner->alone();
  alone.pass(batch, 0);
  const std::vector<Tensor> ours = take_gradients(weights, network);
  alone.exact_gradient(batch, make<Rule>("bptt"));
  const std::vector<Tensor> exact = take_gradients(weights, network);
  std::vector<LayerCosine> result;
  for (size_t i = 0; i < weights.size(); ++i) result.push_back({weights[i].spec, cosine(ours[i], exact[i])});
  return result;
}

std::vector<GradientAgreement> compare_gradients(const Training& training, int64_t samples,
                                                 Reference reference) {
  LearnerParts parts = training.learner->parts();
  Network& network = training.network();
  for (const Network::Node& node : network.nodes())
    ST_CHECK(
        !node.stage->takes_times(), "gradcheck: node ", node.name,
        " is event-driven: its gradient is exact whatever the rule, and there is none by steps to compare it with");
  network.to(torch::kDouble);
  const Batch batch = encoded(first_samples(training, samples), parts);
  parts.encoder = nullptr;
  const Learner learner(parts);
  const Restore restore(learner);
  const std::vector<NamedWeight> all = layer_parameters(network);
  learner.pass(batch, 0);
  const std::vector<Tensor> ours = take_gradients(all, network);
  {
    std::optional<ops::GenericOnly> definition;
    if (reference == Reference::definition) definition.emplace();
    learner.exact_gradient(batch, make<Rule>("bptt"));
  }
  const std::vector<Tensor> right = take_gradients(all, network);
  std::vector<GradientAgreement> rows;
  for (size_t i = 0; i < all.size(); ++i) rows.push_back(agreement(all[i], ours[i], right[i]));
  return rows;
}

}  // namespace spiketrain
