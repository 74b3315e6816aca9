#include "spiketrain/core/rule.h"

namespace spiketrain {
namespace {
std::string slot_names(uint32_t slots) {
  std::vector<std::string> names;
  if (slots & kU) names.push_back("the membrane before reset");
  if (slots & kPsi) names.push_back("psi");
  if (slots & kPsp) names.push_back("a PSP output");
  return join(names, " and ");
}
}  // namespace

void check_compatible(const Rule& rule, const std::string& rule_name, const Neuron& neuron,
                      const std::string& neuron_name) {
  const uint32_t missing = rule.needs() & ~neuron.provides();
  if (missing == 0) return;
  std::vector<std::string> fitting;
  for (const auto* entry : Registry<Neuron>::get().entries()) {
    if ((rule.needs() & ~entry->make(Config::object())->provides()) == 0) fitting.push_back(entry->name);
  }
  throw UsageError(str("rule '", rule_name, "' reads ", slot_names(missing), ", which neuron '", neuron_name,
                       "' does not provide; neurons that do: ", join(fitting)));
}

}  // namespace spiketrain
