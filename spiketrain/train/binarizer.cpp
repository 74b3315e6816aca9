#include "spiketrain/train/binarizer.h"

#include <algorithm>
#include <iomanip>
#include <limits>
#include <sstream>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/train/binary_choice.h"
#include "spiketrain/train/held_out_loss.h"
#include "spiketrain/train/sign_flips.h"

namespace spiketrain {
namespace {

/// The synapses of these stages.
std::vector<const Synapse*> synapses_of(const Binarizer::Stages& stages) {
  std::vector<const Synapse*> list;
  for (const auto& stage : stages) {
    const auto* layer = dynamic_cast<const Layer*>(stage.get());
    if (!layer) continue;
    for (const Connection& c : layer->connections()) list.push_back(c.synapse.get());
  }
  return list;
}

bool holds(const std::vector<const Synapse*>& list, const StoredWeight& w) {
  return std::find(list.begin(), list.end(), w.synapse.get()) != list.end();
}

/// What the layer multiplies with in full precision.
Tensor full_weight(const StoredWeight& w) {
  const torch::NoGradGuard no_grad;
  return std::const_pointer_cast<Synapse>(w.synapse)->weight().detach();
}

bool learns(const StoredWeight& w) {
  const torch::AutoGradMode grad(true);
  return std::const_pointer_cast<Synapse>(w.synapse)->weight().requires_grad();
}

/// ||W - B||^2 / ||W||^2
double relative_error(const StoredWeight& w) {
  const torch::NoGradGuard no_grad;
  const ops::OneThread one_thread;
  const Tensor W = full_weight(w).to(torch::kDouble), B = w.quantizer->quantize(W);
  return (W - B).square().sum().item<double>() / std::max(1e-300, W.square().sum().item<double>());
}

/// Ranks from 1 in descending order of numbers, the earlier of equals first.
std::vector<double> ranks_by_size(const std::vector<StoredWeight>& weights) {
  std::vector<double> ranks;
  for (size_t i = 0; i < weights.size(); ++i) {
    int64_t before = 0;
    for (size_t k = 0; k < weights.size(); ++k) {
      const int64_t a = weights[k].numbers, b = weights[i].numbers;
      before += a > b || (a == b && k < i) ? 1 : 0;
    }
    ranks.push_back(static_cast<double>(before + 1));
  }
  return ranks;
}

/// Ranks from 1, the same at every choice of a run.
std::vector<double> random_ranks(size_t n, uint64_t seed) {
  constexpr uint64_t kStream = std::numeric_limits<uint64_t>::max();  // no iteration has this number
  std::vector<double> ranks;
  for (const int64_t rank : permutation(static_cast<int64_t>(n), Rng(seed, Purpose::schedule, kStream)))
    ranks.push_back(static_cast<double>(rank + 1));
  return ranks;
}

/// "2 (32C3) +0.0123, ..."
std::string costs_text(const std::vector<StoredWeight>& weights, const std::vector<double>& costs,
                       bool sign) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < weights.size(); ++i) {
    std::ostringstream text;
    if (sign) text << std::showpos;
    text << std::fixed << std::setprecision(4) << costs[i];
    parts.push_back(str(weights[i].node, " (", weights[i].spec, ") ", text.str()));
  }
  return join(parts);
}

}  // namespace

void BinarizeOptions::check() const {
  ST_CHECK((choice == "listed") == !layers.empty(),
           "binarize: choice = \"listed\" and layers go together: the places that become binary");
  ST_CHECK(chooses() || keep.empty(),
           "binarize.keep: without a choice (binarize.choice) there is nothing to keep out of it");
  ST_CHECK(choice != "listed" || keep.empty(),
           "binarize.keep: with choice = \"listed\", leave the places out of layers instead");
  ST_CHECK(!chooses() || flips_after == 0 || flips_after > warmup,
           "binarize.flips_after: expected more than warmup = ", warmup,
           ", so that binary weights learn before their signs flip, or 0; got ", flips_after);
}

Binarizer::Binarizer(BinarizeOptions options, std::shared_ptr<const Network> network, const Stages& keep,
                     const Stages& listed, uint64_t seed)
    : options_(std::move(options)), network_(std::move(network)), seed_(seed) {
  options_.check();
  const auto kept = synapses_of(keep), named = synapses_of(listed);
  const WeightStorage storage = weight_storage(*network_);
  ST_CHECK(storage.switched(), "binarize: no layer of the network ", network_->notation(),
           " has the quantizer binary; set network.quantizer = \"binary\"");
  int64_t least = storage.float_bits();
  for (const StoredWeight& w : storage.weights) {
    if (!w.quantizer) continue;
    if (options_.chooses()) w.quantizer->turn(false);
    const bool trained = learns(w);
    ST_CHECK(trained || !holds(named, w), "binarize.layers: the weights of layer ", w.node,
             " are frozen or fixed, so that they stay as they are; leave it out");
    if (!trained || holds(kept, w)) continue;
    candidates_.push_back(w);
    listed_.push_back(holds(named, w));
    least -= std::max<int64_t>(0, w.float_bits() - w.quantized_bits);
  }
  ST_CHECK(
      !candidates_.empty(),
      "binarize: no layer is left to choose; one that is frozen, has fixed weights or is in binarize.keep cannot be");
  ST_CHECK(options_.choice != "listed" || std::count(listed_.begin(), listed_.end(), true) > 0,
           "binarize.layers: no layer at these places has the quantizer binary");
  const double within = static_cast<double>(least) / static_cast<double>(storage.float_bits());
  ST_CHECK(!options_.chooses() || options_.choice == "listed" || within <= options_.budget,
           "binarize.budget: ", options_.budget, " is out of reach: with every layer binary that may be, ",
           within, " of the storage is left");
  begun_ = torch::full({1}, -1, torch::kInt64);
  if (options_.flips_after == 0) return;
  for (const StoredWeight& w : candidates_) {
    const torch::AutoGradMode grad(true);
    const Tensor W = std::const_pointer_cast<Synapse>(w.synapse)->weight();
    ST_CHECK(
        w.quantizer->passes_gradient(),
        "binarize.flips_after: flips follow the gradient of the binary weight; set network.quantizer.backward = \"identity\"");
    ST_CHECK(
        W.is_leaf(), "binarize.flips_after: the weights of layer ", w.node,
        " are made from others (weight_standardisation), so that there is no sign to flip; leave one of both out");
    evidence_.push_back(torch::zeros_like(W.detach()));
  }
  flipped_ = torch::zeros({1}, evidence_[0].options().dtype(torch::kInt64));
}

bool Binarizer::is_due(int64_t epoch) const {
  if (!options_.chooses() || epoch < options_.warmup) return false;
  const int64_t since = epoch - options_.warmup;
  if (since == 0) return true;
  const bool flipping = options_.flips_after > 0 && epoch >= options_.flips_after;
  return !flipping && options_.choice != "listed" && options_.every > 0 && since % options_.every == 0;
}

bool Binarizer::flips() const {
  return options_.flips_after > 0 && begun_.item<int64_t>() >= options_.flips_after;
}

Binarizer::Change Binarizer::begin_epoch(const Training& training, int64_t epoch) {
  Change change;
  if (epoch <= begun_.item<int64_t>())
    return change;  // a run that was stopped between this and the first batch
  begun_.fill_(epoch);
  if (is_due(epoch)) choose(training, epoch, change);
  if (options_.flips_after > 0 && epoch == options_.flips_after) begin_flips(change);
  return change;
}

std::vector<double> Binarizer::loss_increases(const Training& training, int64_t epoch) const {
  HeldOutLoss loss(training, options_.samples, options_.norm_batches, epoch);
  const double now = loss.measure();
  std::vector<double> increases;
  for (const StoredWeight& w : candidates_) {
    const bool on = w.quantizer->is_on();
    w.quantizer->turn(!on);
    const double other = loss.measure();
    w.quantizer->turn(on);
    increases.push_back(on ? now - other : other - now);
  }
  return increases;
}

std::vector<double> Binarizer::costs(const Training& training, int64_t epoch) const {
  if (options_.choice == "loss_increase") return loss_increases(training, epoch);
  if (options_.choice == "largest") return ranks_by_size(candidates_);
  if (options_.choice == "random") return random_ranks(candidates_.size(), seed_);
  std::vector<double> errors;
  for (const StoredWeight& w : candidates_) errors.push_back(relative_error(w));
  return errors;
}

void Binarizer::choose(const Training& training, int64_t epoch, Change& change) {
  std::vector<bool> chosen = listed_;
  if (options_.choice != "listed") {
    const std::vector<double> costs = this->costs(training, epoch);
    std::vector<ChoiceItem> items;
    const WeightStorage storage = weight_storage(*network_);
    int64_t others = storage.float_bits();
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const StoredWeight& w = candidates_[i];
      items.push_back(
          {w.float_bits(), w.quantized_bits, costs[i], options_.at_most > 0 && w.quantizer->is_on()});
      others -= w.float_bits();
    }
    const double budget =
        options_.budget * static_cast<double>(storage.float_bits()) - static_cast<double>(others);
    chosen = choose_quantized(items, budget, options_.at_most);
    if (options_.choice == "loss_increase")
      change.lines.push_back(
          str("epoch ", epoch + 1, ": loss that binary weights add: ", costs_text(candidates_, costs, true)));
    if (options_.choice == "relative_error")
      change.lines.push_back(str("epoch ", epoch + 1, ": relative error of binary weights: ",
                                 costs_text(candidates_, costs, false)));
  }
  for (size_t i = 0; i < candidates_.size(); ++i) {
    change.layers = change.layers || candidates_[i].quantizer->is_on() != chosen[i];
    candidates_[i].quantizer->turn(chosen[i]);
  }
  if (change.layers) renew_statistics(training, options_.norm_batches, epoch);
  change.lines.push_back(str("epoch ", epoch + 1, ": ", weight_storage(*network_).text()));
}

/// From here on the weights of binary layers are what they stand for, so that a flip is a change of sign.
void Binarizer::begin_flips(Change& change) {
  const torch::NoGradGuard no_grad;
  std::vector<std::string> layers;
  for (const StoredWeight& w : candidates_) {
    if (!w.quantizer->is_on()) continue;
    const Tensor W = std::const_pointer_cast<Synapse>(w.synapse)->weight();
    Tensor(W).copy_(w.quantizer->quantize(W));
    layers.push_back(str(w.node, " (", w.spec, ")"));
  }
  change.lines.push_back(str("epoch ", begun_.item<int64_t>() + 1, ": signs flip in ",
                             layers.empty() ? "no layer" : join(layers)));
}

void Binarizer::before_step() {
  if (!flips()) return;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (!candidates_[i].quantizer->is_on()) continue;
    Tensor W = std::const_pointer_cast<Synapse>(candidates_[i].synapse)->weight();
    if (!W.grad().defined()) continue;
    flipped_.add_(flip_signs(W, W.grad(), evidence_[i], options_.flip_rate, options_.flip_threshold));
    W.mutable_grad().reset();
  }
}

std::string Binarizer::end_epoch() {
  if (!flips()) return "";
  int64_t signs = 0;
  for (const StoredWeight& w : candidates_) signs += w.quantized() ? w.numbers : 0;
  const int64_t flipped = flipped_.item<int64_t>();
  flipped_.zero_();
  return str("epoch ", begun_.item<int64_t>() + 1, ": ", flipped, " flips of ", signs, " signs");
}

std::string Binarizer::complaint() const {
  if (!options_.chooses() || options_.choice == "listed") return "";
  const WeightStorage storage = weight_storage(*network_);
  if (storage.share() <= options_.budget) return "";
  return str("the run ended above binarize.budget = ", options_.budget, ": ", storage.text(),
             "; train for more epochs, or set binarize.warmup, every or at_most otherwise");
}

NamedTensors Binarizer::state() const {
  NamedTensors list = {{"binarize.begun", begun_}};
  for (size_t i = 0; i < evidence_.size(); ++i) list.emplace_back(str("binarize.evidence.", i), evidence_[i]);
  if (flipped_.defined()) list.emplace_back("binarize.flipped", flipped_);
  return list;
}

}  // namespace spiketrain
