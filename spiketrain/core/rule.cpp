#include "spiketrain/core/rule.h"

#include "spiketrain/ops/reduce.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Rule, "rule")

namespace {

std::string slot_names(uint32_t slots) {
  std::vector<std::string> names;
  if (slots & kU) names.emplace_back("the membrane before reset");
  if (slots & kPsi) names.emplace_back("psi");
  if (slots & kTiming) names.emplace_back("a PSP output");
  if (slots & kLeak) names.emplace_back("a leak that is one number and that no spike changes");
  if (slots & kCurrentBased) names.emplace_back("a synaptic current and a hard reset to 0");
  if (slots & kJacobian) names.emplace_back("the derivatives of its steps");
  if (slots & kPsp) names.emplace_back("a PSP as numbers");
  return join(names, " and ");
}

bool fits(const Rule& rule, const Neuron& neuron) {
  return (rule.needs() & ~neuron.provides() & ~static_cast<uint32_t>(kI)) == 0;
}

}  // namespace

Tensor gather(const Tensor& g, const Tensor& gain) { return ops::sum_steps(g, gain).unsqueeze(0); }

Tensor outer_product(const Synapse& synapse, const Tensor& g, const Signal& q) {
  return q.is_constant() ? synapse.outer(gather(g, q.gain()), Signal::dense(q.image())) : synapse.outer(g, q);
}

namespace {
void check_pairs(const Record& record, const Presynaptic& pre) {
  ST_CHECK(record.post.size() == pre.extra.size(), "rule ", record.rule->part_name(), ": ",
           record.post.size(), " further postsynaptic factors, but ", pre.extra.size(), " presynaptic ones");
}
}  // namespace

Tensor gathered_credit(const Record& record, const Presynaptic& pre, const Tensor& g) {
  check_pairs(record, pre);
  const auto gain = [&](const Signal& factor) {
    ST_CHECK(factor.is_constant() && factor.image().data_ptr() == pre.x.image().data_ptr(), "rule ",
             record.rule->part_name(), " says that it keeps a constant input constant, and does not");
    return factor.gain();
  };
  Tensor sum = gather(g, gain(pre.q));
  for (size_t k = 0; k < pre.extra.size(); ++k)
    sum.add_(gather(record.post[k].contiguous(), gain(pre.extra[k])));
  return sum;
}

Tensor Rule::weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                             const Tensor& g) const {
  Tensor g_W = outer_product(synapse, g, pre.q);
  check_pairs(record, pre);
  for (size_t k = 0; k < pre.extra.size(); ++k)
    g_W.add_(outer_product(synapse, record.post[k].contiguous(), pre.extra[k]));
  return g_W;
}

bool compatible(const Rule& rule, const Neuron& neuron) {
  return fits(rule, neuron) && (rule.teaches_neuron() || neuron.parameters().empty());
}

void check_compatible(const Rule& rule, const Neuron& neuron) {
  if (compatible(rule, neuron)) return;
  std::vector<std::string> fitting;
  bool by_default = false;
  for (const auto* entry : Registry<Neuron>::get().entries()) {
    const std::shared_ptr<Neuron> other = entry->make(Config::object());
    other->build({4});  // complex ones come in pairs, for either sign
    if (!compatible(rule, *other)) continue;
    fitting.push_back(entry->name);
    by_default = by_default || entry->name == neuron.part_name();
  }
  const char* options = by_default ? " with these options" : "";
  if (!fits(rule, neuron)) {
    const std::string other = rule.otherwise();
    const std::string names = fitting.empty() ? "" : str("; neurons that do: ", join(fitting));
    throw UsageError(str("rule '", rule.part_name(), "' reads ",
                         slot_names(rule.needs() & ~neuron.provides()), ", which neuron '",
                         neuron.part_name(), "' does not provide", options, names,
                         other.empty()     ? ""
                         : fitting.empty() ? "; use "
                                           : "; or ",
                         other));
  }
  throw UsageError(str("rule '", rule.part_name(),
                       "' gives a neuron's own parameters no gradient, and neuron '", neuron.part_name(), "'",
                       options, " learns ", join(neuron.named_parameters().keys()),
                       "; use rule bptt, or a neuron that learns nothing: ", join(fitting)));
}

}  // namespace spiketrain
