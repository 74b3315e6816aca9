// What a rule makes of the error at a layer's output, and penalties add to it.  For layer.cpp and layer_tape.cpp alone.
#pragma once
#include <algorithm>

#include "spiketrain/core/extras.h"
#include "spiketrain/core/regularizer.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/tape.h"

namespace spiketrain {

/// Adds `more` where there is some.
inline void add_each(State& sum, const State& more) {
  sum.resize(std::max(sum.size(), more.size()));
  for (size_t k = 0; k < more.size(); ++k) {
    if (more[k].defined()) sum[k] = sum[k].defined() ? sum[k] + more[k] : more[k];
  }
}

/// Adds what goes back from du = dL/d(membrane before reset); record.g_bias has to be that of `credit` by now.
inline void add_membrane_credit(Record& record, const Tensor& du, Credit& credit) {
  const bool local = !record.rule->uses_vjp();
  Credit more = dynamic_cast<const Stepped&>(*record.neuron).membrane_vjp(record, du, local);
  credit.g = credit.g + more.g;
  add_each(credit.g_before, more.g_before);
  add_each(credit.g_params, more.g_params);
  if (record.g_bias.defined()) record.g_bias = record.g_bias + more.g;
  record.g_membrane = std::move(more.g);
}

/// The rule's error signal (Rule::credit), undefined where there is no error; leaves record.post for the synapses.
/// last_read: the record is not read again.
inline Credit credit_of(Record& record, EdgeError error, const State& g_after, bool last_read = false) {
  ST_CHECK(record.rule,
           "layer: this forward pass kept nothing to learn from; set Context::mode to Mode::train");
  Regularizer::Slope slope;
  if (record.penalty) slope = record.penalty->slope(record, record.valid);
  const bool as_windows =
      error.windows.k > 1 && !slope.da.defined() && record.rule->takes_windows(*record.neuron, record);
  record.windows = as_windows ? error.windows : ops::Windows();
  Tensor delta = as_windows ? std::move(error.g) : error.take();
  if (!delta.defined()) {
    delta = torch::zeros(record.sizes(), torch::TensorOptions(record.type).device(record.device()));
  }
  if (slope.da.defined()) delta = delta + slope.da;
  delta = delta.variable_data();  // a view holds on to what it is a view of
  record.last_read = last_read && !slope.du.defined() && record.rule->is_done_with_membrane() &&
                     record.u.defined() && record.u.use_count() == 1 && record.u.storage().use_count() == 1;
  Credit credit = record.rule->credit(*record.neuron, record, delta, g_after);
  record.post = std::move(credit.post);
  record.g_bias = std::move(credit.g_bias);
  if (slope.du.defined()) add_membrane_credit(record, slope.du, credit);
  return credit;
}

}  // namespace spiketrain
