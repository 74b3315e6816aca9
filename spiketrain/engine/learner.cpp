#include "spiketrain/engine/learner.h"

#include <algorithm>
#include <set>

#include "spiketrain/core/extras.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/engine/counts.h"
#include "spiketrain/engine/run.h"
#include "spiketrain/engine/shares.h"
#include "spiketrain/engine/step_scores.h"

namespace spiketrain {

namespace {

/// Gradients are backpropagated from a segment to the one before.
bool joins_segments(const Plan& plan) {
  for (size_t i = 1; i < plan.size(); ++i) {
    if (plan[i - 1].role == Role::replay && plan[i].role == Role::replay) return true;
  }
  return false;
}

/// Rules that work behind a norm at their defaults.
std::vector<std::string> rules_for_norms() {
  std::vector<std::string> names;
  for (const auto* entry : Registry<Rule>::get().entries()) {
    if (entry->make(Config::object())->extra_pairs() == 0) names.push_back(entry->name);
  }
  return names;
}

/// All steps of a plan as one segment: scored as it is if error enters at the last steps only, else everywhere.
Segment whole_sequence(const Plan& plan) {
  Segment whole{0, plan.back().t1};
  const auto scored = [](const Segment& s) { return s.scored() > 0; };
  const auto first = std::find_if(plan.begin(), plan.end(), scored);
  const auto late = [](const Segment& s) { return s.scored() == s.steps(); };
  if (first == plan.end() || !std::all_of(first + 1, plan.end(), late)) return whole;
  whole.silent = first->t1 - first->scored();
  whole.loss_factor = first->loss_factor;
  return whole;
}

/// What the parts ask for, or what the process does.
ops::Products products_of(const LearnerParts& parts) {
  return parts.products == ops::Products::automatic ? ops::products_in_use() : parts.products;
}

}  // namespace

void set_precision(Network& network, Precision precision) {
  for (const auto& module : network.modules()) {
    if (auto* synapse = dynamic_cast<Synapse*>(module.get())) synapse->precision = precision;
  }
}

void check_method(const Network& network, const Method& method, const Plan& plan) {
  const bool skip = skips(plan), joins = skip || joins_segments(plan);
  const bool cuts =
      std::any_of(plan.begin(), plan.end(), [](const Segment& s) { return s.skip == Skip::cut; });
  for (const Network::Node& node : network.nodes()) {
    ST_CHECK(!node.stage->whole_sequence() || plan.size() == 1, "stage ", node.stage->part_name(),
             " reads the whole sequence at once; use schedule whole");
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (!layer) continue;
    const RuleP& rule = method.at(layer->slot());
    ST_CHECK(rule, "layer ", node.name, " has no rule");
    check_compatible(*rule, *layer->neuron());
    ST_CHECK(!joins || rule->works_by_step(), "rule ", rule->part_name(),
             " backpropagates nothing to the segment before; ", "use schedule whole or truncated");
    ST_CHECK(!layer->neuron()->whole_sequence() || (plan.size() == 1 && !skip), "neuron ",
             layer->neuron()->part_name(), " reads the whole sequence at once; use schedule whole");
    const auto* normed = dynamic_cast<const NormedNeuron*>(layer->neuron().get());
    const bool neuron_norm = normed && normed->couples_samples();
    ST_CHECK(
        !cuts || !neuron_norm, "neuron ", layer->neuron()->part_name(), " of layer ", node.name,
        " has a norm, whose statistics over single runs of kept steps would change the states that are to be "
        "the true ones; use mode = \"recompute\", or norm = \"none\"");
    for (const Connection& c : layer->connections()) {
      ST_CHECK(
          !cuts || !c.norm, "layer ", node.name,
          " has a norm, whose statistics over single runs of kept steps would change the states that are to be "
          "the true ones; use mode = \"recompute\", or weight_standardisation in place of the norm");
      ST_CHECK(rule->extra_pairs() == 0 || !c.norm, "rule ", rule->part_name(),
               " has factors that do not pass a norm; layer ", node.name,
               " has one, so leave it out (weight_standardisation does without), or use a rule with none: ",
               join(rules_for_norms()));
      ST_CHECK(!rule->reads_patches() || !c.synapse || c.synapse->has_patches(), "rule ", rule->part_name(),
               " keeps a trace of each synapse, but ", c.synapse->part_name(), " of layer ", node.name,
               " does not say what each neuron reads; use rule bptt");
    }
    for (const Network::Input& input : node.inputs) {
      if (input.delay == 0) continue;
      ST_CHECK(rule->works_by_step(), "rule ", rule->part_name(), " works on whole segments; layer ",
               node.name, " has a recurrent connection, which runs step by step");
      ST_CHECK(!layer->neuron()->whole_sequence(), "neuron ", layer->neuron()->part_name(),
               " reads the whole sequence at once; it cannot be recurrent");
      ST_CHECK(
          !neuron_norm, "neuron ", layer->neuron()->part_name(), " of layer ", node.name,
          " has a norm, whose statistics are over all steps, but a recurrent layer runs one step at a time; use "
          "norm = \"none\"");
    }
  }
}

void check_regularizers(const Network& network, const Method& method,
                        const std::vector<RegularizerP>& regularizers) {
  std::set<std::string> names;
  const std::set<int64_t> readouts = readout_slots(network);
  const auto spikes = [](const Network::Node& node) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    return layer && !layer->neuron()->emits().analog();
  };
  const auto& nodes = network.nodes();
  ST_CHECK(regularizers.empty() || std::any_of(nodes.begin(), nodes.end(), spikes),
           "regularizers act on layers that spike step by step; network ", network.notation(), " has none");
  for (const RegularizerP& part : regularizers) {
    ST_CHECK(names.insert(part->part_name()).second, "regularizers: '", part->part_name(),
             "' is there twice");
    const auto holds_for = [&](const Network::Node& node) {
      const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
      return spikes(node) && (part->holds_for_readouts() || readouts.count(layer->slot()) == 0);
    };
    ST_CHECK(std::any_of(nodes.begin(), nodes.end(), holds_for), "regularizer ", part->part_name(),
             " leaves out the output layer and heads, and no other layer of network ", network.notation(),
             " spikes; set its option readouts = true");
    if (!(part->needs() & kU)) continue;
    for (const Network::Node& node : nodes) {
      if (!spikes(node)) continue;
      const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
      const Neuron& neuron = *layer->neuron();
      const Rule& rule = *method.at(layer->slot());
      ST_CHECK((neuron.provides() & kU) && dynamic_cast<const Stepped*>(&neuron), "regularizer ",
               part->part_name(), " reads the membrane before reset and goes back through it; neuron ",
               neuron.part_name(), " of layer ", node.name, " does not provide that; use regularizer rate");
      ST_CHECK(rule.uses_vjp() || rule.local_in_time(), "regularizer ", part->part_name(),
               " backpropagates from the membrane potential, but rule ", rule.part_name(), " of layer ",
               node.name, " starts at the spikes, and is not local in time either; use rule bptt, ",
               "or regularizer rate");
    }
  }
}

void check_shares(const LearnerParts& parts) {
  const auto refuse = [](const RuleP& rule) {
    ST_CHECK(
        !rule || !rule->couples_samples(), "rule ", rule->part_name(),
        " divides by numbers of the whole batch in this variant; with several processes use another one, or a "
        "single process");
  };
  refuse(parts.method.rule);
  for (const auto& item : parts.method.layers) refuse(item.second);
  ST_CHECK(
      !parts.schedule->scoring(parts.steps), "schedule ", parts.schedule->part_name(),
      " chooses steps by norms of the whole batch's gradient, which several processes do not have before an "
      "update; use schedule skipper or random_steps, or a single process");
  for (const auto& module : parts.network->modules()) {
    const auto neuron = std::dynamic_pointer_cast<NormedNeuron>(module);
    ST_CHECK(
        !parts.group_norms || !neuron || !neuron->couples_samples(),
        "parallel.norm = \"group\": the norm inside of a neuron is always over a process's own samples; use "
        "\"own\", or a norm of the network");
  }
}

void check_line(const LearnerParts& parts, const Plan& plan) {
  ST_CHECK(
      !parts.signal->reads_error(), "learning_signal ", parts.signal->part_name(),
      " reads the error of the last block, which the processes of the blocks below do not have; use heads, or a "
      "signal that reads the targets, such as drtp");
  const auto replayed = [](const Segment& s) { return s.role == Role::replay; };
  ST_CHECK(
      std::none_of(plan.begin(), plan.end(), replayed), "schedule ", parts.schedule->part_name(),
      " takes segments through the blocks a second time, from the last to the first; processes that share "
      "blocks pass each on once: use schedule whole or truncated");
}

void Learner::join(const std::shared_ptr<Group>& group, const std::vector<int64_t>& blocks) {
  const auto length = std::max<int64_t>(1, static_cast<int64_t>(blocks.size()));
  ST_CHECK(group->size() % length == 0, "parallel.line: ", group->size(),
           " processes do not divide into lines of ", length, "; start a multiple of it");
  const bool line = length > 1, shares = group->size() > length;
  if (line) check_line(parts_, plan());
  if (shares) check_shares(parts_);
  parts_.group = group;
  if (line) {
    parts_.pipe = std::make_shared<BlockPipe>(shares ? group->split(group->rank() / length) : group, blocks);
    ST_CHECK(parts_.pipe->blocks() == parts_.network->blocks(), "parallel.blocks: expected the ",
             parts_.network->blocks(), " blocks of the network in sum, got ", parts_.pipe->blocks());
  }
  if (!shares) return;
  const auto own = line ? std::pair(parts_.pipe->first(), parts_.pipe->end())
                        : std::pair(int64_t{0}, parts_.network->blocks());
  parts_.sums = std::make_shared<GradientSums>(line ? group->split(group->rank() % length) : group,
                                               *parts_.network, own, !parts_.group_norms);
}

Learner::Share Learner::share() const {
  return parts_.sums ? Share{parts_.sums->group().rank(), parts_.sums->group().size()} : Share();
}

Learner::Learner(LearnerParts parts) : parts_(std::move(parts)) {
  ST_CHECK(parts_.network && parts_.objective && parts_.steps >= 1,
           "learner: expected a network, an objective and at least one step");
  if (!parts_.schedule) parts_.schedule = make<Schedule>("whole");
  if (!parts_.encoder) parts_.encoder = make<Encoder>("direct");
  if (!parts_.signal) parts_.signal = make<LearningSignal>("heads");
  const Network& network = *parts_.network;
  const Plan first = plan();
  parts_.encoder->check_network(network, parts_.steps);
  check_method(network, parts_.method, first);
  check_regularizers(network, parts_.method, parts_.regularizers);
  for (int64_t b = 0; b + 1 < network.blocks(); ++b) {
    ST_CHECK(network.has_head(b) || !parts_.signal->uses_heads(), "learner: block ", b,
             " has no head to learn from; see Network::attach_head");
  }
  parts_.signal->build(network, parts_.seed);
  Emission emission = Emission::analog_values();
  const auto output = network.layers(network.blocks() - 1, /*head=*/false);
  if (!output.empty()) emission = output.back()->neuron()->emits();
  const bool in_parts = first.size() > 1 || skips(first) || first[0].scored() < parts_.steps;
  parts_.objective->prepare({network.out_shape(), parts_.steps, emission, in_parts, parts_.target});
  check_counts(parts_, first);
  if (parts_.schedule->scoring(parts_.steps)) scores_ = torch::full({parts_.steps}, -1, torch::kDouble);
}

NamedTensors Learner::state() const {
  return scores_.defined() ? NamedTensors{{"scores", scores_}} : NamedTensors{};
}

/// Measures the scores of the steps if it is time to.  Such as are not finite are not taken.
void Learner::score(const Batch& batch, uint64_t iteration) const {
  const std::optional<Scoring> scoring = parts_.schedule->scoring(parts_.steps);
  if (!scoring) return;
  const bool measured = scores_[0].item<double>() >= 0;
  const auto refresh = static_cast<uint64_t>(scoring->refresh);
  if (measured && (refresh == 0 || iteration % refresh != 0)) return;
  const Tensor now = step_scores(parts_, batch, iteration);
  if (!torch::isfinite(now).all().item<bool>()) return;
  const double before = measured ? scoring->smoothing : 0;
  Tensor(scores_).copy_(scores_ * before + now * (1 - before));
}

Plan Learner::plan(uint64_t iteration, const Tensor& lengths) const {
  PlanRequest request = {parts_.steps, parts_.seed, iteration, lengths};
  if (scores_.defined() && scores_[0].item<double>() >= 0) request.scores = scores_;
  Plan plan = parts_.schedule->plan(request);
  check_plan(plan, parts_.steps);
  return plan;
}

PassResult Learner::pass(const Batch& batch, uint64_t iteration, const OnUpdate& on_update,
                         Tally* tally) const {
  const ops::WithProducts products(products_of(parts_));
  score(batch, iteration);
  const Plan plan = this->plan(iteration, batch.lengths);
  const int64_t B = batch.size(), at_once = samples_held(parts_, plan, B);
  const double own = parts_.objective->sums_over_samples() ? 1 : batch.share;
  const OnUpdate update = together(batch, plan, at_once == B, own, on_update);
  if (at_once == B) return Run(parts_, batch, Mode::train, iteration, tally, own).train(plan, update);
  PassResult result;
  BlockLosses losses;
  for (int64_t b = 0; b < B; b += at_once) {
    const int64_t end = std::min(B, b + at_once);
    const double weight = static_cast<double>(end - b) / static_cast<double>(B);
    const auto add = [&](const Segment&, const BlockLosses& share) {
      losses.resize(share.size());
      for (size_t k = 0; k < share.size(); ++k)
        if (share[k].defined())
          losses[k] = losses[k].defined() ? losses[k] + share[k] * weight : share[k] * weight;
      return true;
    };
    const Batch share = share_of(batch, b, end);
    add_share(result, Run(parts_, share, Mode::train, iteration, tally, own * weight).train(plan, add),
              weight, parts_.target);
  }
  if (update && plan.back().update) update(plan.back(), losses);
  return result;
}

/// What happens where an update is due: of a group, gradients and losses become those of the whole batch first.
OnUpdate Learner::together(const Batch& batch, const Plan& plan, bool at_once, double own,
                           const OnUpdate& on_update) const {
  if (!parts_.sums) return on_update;
  const auto replayed = [](const Segment& s) { return s.role == Role::replay; };
  using Complete = GradientSums::Complete;
  const bool in_order = at_once && std::none_of(plan.begin(), plan.end(), replayed);
  parts_.sums->begin(!in_order                       ? Complete::at_update
                     : segments_per_update(plan) > 1 ? Complete::with_block
                                                     : Complete::once_there);
  return [this, share = batch.share, own, on_update](const Segment& segment, const BlockLosses& losses) {
    const BlockLosses all = parts_.sums->finish(losses, own, share);
    return !on_update || on_update(segment, all);
  };
}

PassResult Learner::infer(const Batch& batch, Tally* tally) const {
  const torch::NoGradGuard no_grad;
  const ops::WithProducts products(products_of(parts_));
  return Run(parts_, batch, Mode::evaluate, 0, tally).infer(plan(0, batch.lengths));
}

Tensor Learner::exact_gradient(const Batch& batch, const RuleP& bptt) const {
  LearnerParts exact = parts_;
  exact.method = {bptt};
  return Run(exact, batch, Mode::train, 0, nullptr).exact({whole_sequence(plan(0, batch.lengths))});
}

}  // namespace spiketrain
