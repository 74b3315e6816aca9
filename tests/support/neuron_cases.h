// Neuron configurations and records that several kinds of test share.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/neuron.h"

namespace spiketrain {

/// A neuron built for samples of this shape.
inline std::shared_ptr<Neuron> make_neuron(const Config& config, const Shape& shape = {1}) {
  auto neuron = make<Neuron>(config);
  neuron->build(shape);
  return neuron;
}

/// Its definition by steps: `by_steps(n).Stepped::run(...)` goes past a fused form.
inline const Stepped& by_steps(const Neuron& neuron) { return dynamic_cast<const Stepped&>(neuron); }

/// A record for I [T,B,*] and the state before (empty: the initial one) that keeps what both the fused adjoint and that
/// by steps read, and `slots`.
inline c10::intrusive_ptr<Record> record_of(const Neuron& neuron, const Tensor& I, const State& before = {},
                                            uint32_t slots = 0) {
  return make_record(neuron, I, before, slots | kI | neuron.vjp_reads(I));
}

/// The same after all steps have run.
inline c10::intrusive_ptr<Record> run_all(const Neuron& neuron, const Tensor& I, const State& before = {},
                                          uint32_t slots = 0) {
  auto record = record_of(neuron, I, before, slots);
  neuron.run(*record, record->all());
  return record;
}

/// Output values [T,B,*] of a record that has run.
inline Tensor output_of(const Record& record) {
  return record.a.defined() ? record.a : record.s.to(record.type);
}

/// Every registered neuron at its defaults, but for those that read a whole sequence of so many steps (grad/psn_test.cpp).
inline std::vector<Config> default_neurons() {
  std::vector<Config> configs;
  for (const auto* entry : Registry<Neuron>::get().entries()) {
    if (!entry->make(Config::object())->whole_sequence()) configs.push_back({{"name", entry->name}});
  }
  return configs;
}

/// lif in every combination of reset, detach_reset, reset_delay and raise_after_overshoot.
inline std::vector<Config> lif_resets() {
  std::vector<Config> configs;
  for (const char* reset : {"soft_decayed", "soft", "hard", "none"}) {
    for (int bits = 0; bits < 8; ++bits) {
      const bool detach = bits & 1, delay = bits & 2, raise = bits & 4;
      if (raise && (delay || std::string(reset) != "soft_decayed")) continue;
      Config config = {{"name", "lif"},        {"reset", reset},   {"detach_reset", detach},
                       {"reset_delay", delay}, {"strict", detach}, {"raise_after_overshoot", raise}};
      if (std::string(reset) == "hard") config["v_reset"] = -0.25;
      configs.push_back(config);
    }
  }
  return configs;
}

/// Neurons with a coefficient per channel or per neuron, at what the options say.
inline std::vector<Config> heterogeneous_neurons() {
  std::vector<Config> configs;
  for (const char* per : {"channel", "neuron"}) {
    for (const char* name : {"lif", "if", "cuba_lif", "klif", "liaf", "leaky_readout", "cuba_readout"})
      configs.push_back({{"name", name}, {"per", per}});
    configs.push_back({{"name", "lif"}, {"per", per}, {"learn_leak", true}});
  }
  return configs;
}

}  // namespace spiketrain
