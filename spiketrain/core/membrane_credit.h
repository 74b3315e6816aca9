// What a penalty on membranes adds to a rule's credit.  For layer.cpp alone.
#pragma once
#include <algorithm>

#include "spiketrain/core/rule.h"

namespace spiketrain {

/// Adds `more` where there is some.
inline void add_each(State& sum, const State& more) {
  sum.resize(std::max(sum.size(), more.size()));
  for (size_t k = 0; k < more.size(); ++k) {
    if (more[k].defined()) sum[k] = sum[k].defined() ? sum[k] + more[k] : more[k];
  }
}

/// Adds what goes back from du = dL/d(membrane before reset); record.g_bias has to be the credit's by now.
inline void add_membrane_credit(Record& record, const Tensor& du, Credit& credit) {
  const bool local = !record.rule->uses_vjp();
  Credit more = dynamic_cast<const Stepped&>(*record.neuron).membrane_vjp(record, du, local);
  credit.g = credit.g + more.g;
  add_each(credit.g_before, more.g_before);
  add_each(credit.g_params, more.g_params);
  if (record.g_bias.defined()) record.g_bias = record.g_bias + more.g;
  record.g_membrane = std::move(more.g);
}

}  // namespace spiketrain
